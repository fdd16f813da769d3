/* What build reads before it begins: Dockerfile, context, secrets, arguments. */
#pragma once

#include "cli/app.h"
#include "cli/build_annotations.h"

struct build_inputs {
	struct strbuf dockerfile;
	char *dockerfile_name; /* as messages show it */
	char *dockerfile_path; /* as one opens it from here; NULL: it came with a tar or on standard input */
	struct context *context;
	struct strmap build_args, labels;
	struct annotation_list annotations;
	struct build_secret *secrets;
	size_t n_secrets;
	struct build_named_context *named_contexts;
	size_t n_named_contexts;
	struct strlist texts; /* owns what secrets and contexts point at, but not secret bytes */
	char *ca_bundle;
	const char *ssh_socket; /* of --ssh default, for git; NULL: not given */
};

void build_inputs_init(struct build_inputs *in);
/* Wipes the secrets. */
void build_inputs_release(struct build_inputs *in);
/*
 * context: a folder, or "-": a tar, or with nothing but a Dockerfile on standard input that. file: -f, NULL for CONTEXT/Dockerfile,
 * "-" for standard input.
 */
int build_inputs_read(struct app *a, struct build_inputs *in, const char *context, const char *file,
		      struct error *err);
int build_inputs_add_arg(struct app *a, struct build_inputs *in, const char *text,
			 struct error *err);
int build_inputs_add_secret(struct app *a, struct build_inputs *in, const char *text,
			    struct error *err);
int build_inputs_add_context(struct build_inputs *in, const char *text, struct error *err);
/* "key=value" of --label. */
int build_inputs_add_pair(struct strmap *out, const char *flag, const char *text,
			  struct error *err);
/* The host's own certificates for RUN steps: SSL_CERT_FILE, or the system's bundle where CAs were added to it. */
void build_inputs_find_ca(struct app *a, struct build_inputs *in);

CLEANUP_RELEASE(build_inputs)

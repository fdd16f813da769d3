/* --output of build: where the result goes, parsed first and written when the image is done. */
#pragma once

#include "cli/app.h"
#include "cli/build_platforms.h"

enum output_kind { OUTPUT_IMAGE, OUTPUT_OCI, OUTPUT_DOCKER, OUTPUT_TAR, OUTPUT_LOCAL };

struct output_spec {
	enum output_kind kind;
	char *dest;                 /* file, folder, or "-" for standard output */
	struct strlist annotations; /* as --annotation takes them */
	struct strlist names;       /* type=image,name=A */
	bool push;
	bool rewrite_timestamp;
	char *compression; /* NULL: not given */
};

struct output_list {
	struct output_spec *items;
	size_t n, cap;
};

/* "type=oci,dest=x.tar", "DIR", "-"; checks that dest is there where the kind needs it. ERROR_USAGE. */
int output_list_add(struct output_list *l, const char *text, struct error *err);
void output_list_release(struct output_list *l);
/* Does the result belong into the store under its names? (no output given, or one of type=image) */
bool output_list_wants_image(const struct output_list *l);
/* Is any output a file or folder, which needs the layers? */
bool output_list_wants_files(const struct output_list *l);
/* ERROR_UNSUPPORTED for what cannot hold an index of these platforms. */
int output_list_check(const struct output_list *l, const struct platform_list *platforms,
		      struct error *err);
/* Writes every output that is a file or folder; a folder of its own a platform when the result is an index. */
int output_list_write(struct app *a, const struct output_list *l, const struct build_result *result,
		      const struct image_ref *refs, size_t n_refs, struct error *err);

CLEANUP_RELEASE(output_list)

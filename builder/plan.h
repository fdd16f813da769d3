/*
 * What is in a cache key.
 *
 * A key is the SHA-256 of length-framed fields: a version, the kind of step, the ChainID of the layers below (never text, so
 * instructions that only change metadata invalidate nothing, and a rebuilt parent with an equal result still hits), the
 * instruction after expansion, and the content of its declared inputs. Never in it: mtimes, owners in the context, inodes,
 * absolute paths of the host, texts of the history, proxies, certificates, secrets' values, contents of cache mounts.
 *
 * Beside the hash a key keeps its parts, a line each, so that a miss can say what changed (explain.h); values in them are
 * hashes, since an ARG may be a secret.
 */
#pragma once

#include "base/sha256.h"
#include "base/strbuf.h"
#include "base/strmap.h"
#include "dockerfile/instruction.h"
#include "oci/layer_writer.h"
#include "oci/platform.h"

/* The part for the ChainID; named only when nothing else changed. */
#define PLAN_BELOW "the layers below"
/* The part for all source files of a copy; named only when no single file can be. */
#define PLAN_FILES "a source file"
/* The same of a bind mount; its target follows. */
#define PLAN_MOUNT_SOURCE "source of the mount "
/* Notes with a value as it is: "debian:12@sha256:..", "linux/amd64". */
#define PLAN_BASE     "base"
#define PLAN_PLATFORM "platform"

struct step_key {
	struct sha256 hash;
	struct strbuf parts; /* "NAME<tab>VALUE" lines */
	char hex[SHA256_HEX_SIZE];
};

void step_key_release(struct step_key *k);
/* Starts over. layers: what makes the bytes of the layer besides its files (compression, clamped times). */
void step_key_begin(struct step_key *k, const char *kind, const struct digest *chain,
		    const struct layer_options *layers);
/* One field: name goes into the key, label (NULL: name) names the part for people. */
void step_key_add(struct step_key *k, const char *name, const char *label, const char *value);
void step_key_add_int(struct step_key *k, const char *name, const char *label, int64_t value);
void step_key_add_list(struct step_key *k, const char *name, const struct strlist *values);
/* A digest of content that was hashed apart; label as above. */
void step_key_add_content(struct step_key *k, const char *name, const char *label,
			  const uint8_t hash[SHA256_SIZE]);
void step_key_finish(struct step_key *k);
/* A part for people alone, with its value as it is. */
void step_key_note(struct step_key *k, const char *name, const char *value);

/* A bind mount's source by content, or, in a quick key, by the ChainID of the image it comes from. */
struct mount_input {
	bool has_content;
	uint8_t content[SHA256_SIZE];
};

struct run_plan {
	const struct strlist *argv; /* after shell wrapping */
	const struct strmap *env;   /* ENV and ARG as the process sees them */
	const struct strmap *args;  /* which of them came from ARG, for people only */
	const char *cwd, *user, *hostname, *script;
	bool network; /* none or the host's */
	bool insecure;
	const struct strlist *limits; /* as given on the command line, or NULL */
	int64_t shm_size;
	const struct platform *platform;
	const struct strlist *hosts;      /* --add-host: the names count, as with BuildKit */
	const struct run_mount *mounts;   /* expanded */
	char *const *targets;             /* absolute, of each mount; NULL items allowed */
	const struct mount_input *inputs; /* of each mount */
	size_t n_mounts;
};
void plan_run(struct step_key *k, const struct run_plan *p);

/* Parameters of COPY and ADD; the hash of the sources is added by the caller. */
void plan_copy(struct step_key *k, const struct instruction *ins, const char *working_dir,
	       int64_t folder_mtime);
void plan_workdir(struct step_key *k, const char *path, const char *user, int64_t folder_mtime);

CLEANUP_RELEASE(step_key)

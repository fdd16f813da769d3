/*
 * A build: Dockerfile and context in, image in the store out.
 *
 *	source -> parse -> graph -> plan -> stages -> image -> layout
 *
 * Siblings meet through callbacks: FROM images come from an image_source, ADD's URLs from a fetch_source, finished layers may go
 * to a layer_sink while the build goes on. So a build is testable without a network.
 */
#pragma once

#include "base/pool.h"
#include "base/strmap.h"
#include "builder/context.h"
#include "dockerfile/check.h"
#include "dockerfile/git_ref.h"
#include "oci/image.h"
#include "oci/layer_writer.h"
#include "oci/reference.h"
#include "sandbox/rootfs.h"

struct image_source {
	/* Manifest and config of the image into the store. pull: ask the registry even when the name is known here. */
	int (*resolve)(void *arg, const struct image_ref *ref, const struct platform *platform,
		       bool pull, struct descriptor *chosen, struct error *err);
	/* One layer blob into the store, verified; step: where to report progress. */
	int (*fetch)(void *arg, const struct image_ref *ref, const struct descriptor *blob,
		     int step, struct error *err);
	void *arg;
};

/* What a server told of a file, to be asked later whether it is still the same (RFC 9110, 13). */
struct fetch_answer {
	char *etag, *last_modified; /* NULL: none */
	int64_t mtime;              /* of Last-Modified, or -1 */
	bool unchanged;             /* nothing was written: known holds still */
};
void fetch_answer_release(struct fetch_answer *a);

struct fetch_commit {
	char id[65]; /* what the ref names: a commit, or an annotated tag */
	char commit[65];
	char *ref; /* "refs/heads/main"; NULL: the commit was named by its id */
};
void fetch_commit_release(struct fetch_commit *c);

/* Who asks: what the command line names may use the user's own ssh keys, an ADD only what --ssh gives. */
enum fetch_for { FETCH_FOR_CONTEXT, FETCH_FOR_ADD };

struct fetch_source {
	/* GET url into the empty file out_fd; known (may be NULL): what an earlier answer said. */
	int (*url)(void *arg, const char *url, const struct fetch_answer *known, int out_fd,
		   struct fetch_answer *out, struct error *err);
	/* Which commit a git reference means now. */
	int (*git_resolve)(void *arg, const struct git_ref *ref, enum fetch_for who,
			   struct fetch_commit *out, struct error *err);
	/* Its files into the empty folder; *root: the folder or the subdirectory in it, free(); *time: the commit's. */
	int (*git_checkout)(void *arg, const struct git_ref *ref, enum fetch_for who,
			    bool keep_git_dir, const struct fetch_commit *commit,
			    const char *folder, char **root, int64_t *time, struct error *err);
	void *arg;
};

struct layer_sink {
	/* A layer of the result is in the store; must not block for long. Base layers that are not here are left out. */
	void (*ready)(void *arg, const struct descriptor *layer);
	void *arg;
};

/* Where the result goes. */
struct layer_place {
	/* Is a layer that is not here there, or can it get there without us? NULL: the result stays here. Any thread. */
	bool (*holds)(void *arg, const struct descriptor *layer);
	void *arg;
};

/*
 * A cache that another machine wrote (--cache-from). It is an image whose configuration has records of steps
 * (cache_document.h). Calls come from any thread; load comes first, once.
 */
struct cache_source {
	const char *name; /* as people gave it */
	/* Manifest and configuration into the store. ERROR_NOT_FOUND: there is no cache yet. */
	int (*load)(void *arg, const struct platform *platform, struct descriptor *image,
		    struct error *err);
	/* One layer blob into the store, verified; step: where to report progress. */
	int (*fetch)(void *arg, const struct descriptor *layer, int step, struct error *err);
	/* Is the layer still there? NULL: fetching costs no more than asking. */
	int (*check)(void *arg, const struct descriptor *layer, bool *there, struct error *err);
	/* A step takes this layer: where it is may be worth remembering. NULL: it is not. */
	void (*note)(void *arg, const struct descriptor *layer);
	void *arg;
};

struct cache_export;

struct build_secret {
	const char *id;
	const void *data; /* secret; the caller wipes it */
	size_t len;
};

/* --ssh: an agent that RUN --mount=type=ssh,id=ID may ask. */
struct build_ssh {
	const char *id;
	const char *socket; /* where it listens on this machine */
};

struct build_named_context {
	const char *name;
	/* folder, docker-image://REF, oci-layout:[//]PATH[:TAG|@DIGEST], git repository, http(s) URL or target:STAGE */
	const char *source;
};

/* Where an annotation is written: the documents, or what an index and the list of images say of them. */
enum annotation_place {
	ANNOTATE_MANIFEST,
	ANNOTATE_INDEX, /* of several platforms */
	ANNOTATE_MANIFEST_DESCRIPTOR,
	ANNOTATE_INDEX_DESCRIPTOR,
};

struct build_annotation {
	enum annotation_place place;
	const char *platform; /* as platform_format(); NULL: every one */
	const char *key, *value;
};

struct build_options {
	const char *dockerfile_name; /* as messages show it */
	const char *dockerfile;      /* its text */
	size_t dockerfile_len;
	struct context *context;

	const char *target;                         /* NULL: last stage */
	const struct strmap *build_args;            /* a NULL value: declared without one */
	const struct strmap *labels;                /* --label */
	const struct build_annotation *annotations; /* of one key the last counts */
	size_t n_annotations;
	const struct platform
		*platforms; /* of the result, each once; with several it is an index */
	size_t n_platforms; /* 0: the host's, or what the base image is made for */
	bool index;         /* an index even for one platform */
	const struct build_named_context *named_contexts;
	size_t n_named_contexts;
	const struct build_secret *secrets;
	size_t n_secrets;
	const struct build_ssh *ssh;
	size_t n_ssh;
	const struct strlist *add_hosts; /* "name:address" */
	const struct sandbox_limit *limits;
	size_t n_limits;
	const struct strlist *limit_texts; /* the same, for cache keys */
	int64_t shm_size;                  /* of /dev/shm, bytes; 0: the usual 64 MiB */
	bool allow_insecure;               /* --allow security.insecure */
	const struct strmap *proxy; /* HTTP_PROXY and kin of the host: into RUN, nowhere else */
	const char *ca_bundle;      /* a PEM file for RUN steps, NULL: none */
	bool network_none;          /* --network=none: default for RUN */
	bool no_cache, pull, explain, no_stat_cache;
	const struct strlist *no_cache_stages; /* names of stages, case ignored; NULL: none */
	int64_t source_date_epoch;             /* < 0: not set */
	bool rewrite_timestamp;
	int64_t now; /* creation time of the image */
	enum compression compression;
	int compression_level;
	size_t jobs; /* stages at the same time; 0: number of CPUs, at least 4 */

	struct sandbox *sandbox;
	struct image_source images;
	struct fetch_source fetch;
	struct layer_sink layers;
	struct layer_place place;
	const struct cache_source *caches;
	size_t n_caches;
	struct cache_export
		*cache_export; /* collects what --cache-to writes (cache_export.h); NULL: nothing */
	bool inline_cache;     /* the image's own configuration gets the records */
	/* Layers of the base and of caches that no step needed may be missing in the result, when they can be fetched later. */
	bool lazy;
	struct reporter *reporter;
	const struct cancel *cancel;
	struct pool *pool; /* compression and hashing */
};

struct build_result {
	struct image **
		images; /* one a platform, saved: config and manifest are in the store, and unless lazy every layer */
	size_t n_images;
	struct image *image; /* a view of the first */
	struct descriptor
		descriptor; /* what names point at: the image's manifest, or the index of several */
	size_t steps, cached;
	struct check_list checks; /* what the rules say of the file: also of a build that failed */
};

/*
 * Builds. What is wrong with the file, its variables and the names of its images is told before the first step. Errors:
 * ERROR_SYNTAX (Dockerfile, with place), ERROR_STEP (a RUN; status is its exit code, the message ends with
 * "exit code: N"), and what sources and store report. Nothing is named: the caller tags, and
 * holds a lease (oci/lease.h) from before the build until then.
 *
 * Of several platforms all stages run together; what does not depend on the target's (FROM --platform=$BUILDPLATFORM) has equal
 * keys and is made once. The index lists the manifests in the order of the platforms.
 */
int build_run(struct build_result *out, struct store *s, const struct build_options *o,
	      struct error *err);
void build_result_release(struct build_result *r);

CLEANUP_RELEASE(build_result)
CLEANUP_RELEASE(fetch_answer)
CLEANUP_RELEASE(fetch_commit)

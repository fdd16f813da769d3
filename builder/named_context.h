/*
 * --build-context NAME=SOURCE: what takes the place of an image name in FROM, --from and mounts. Sources are parsed when the
 * build begins, and opened when they are first used.
 */
#pragma once

#include <pthread.h>

#include "builder/build.h"
#include "builder/stat_cache.h"

/* A folder that files are copied from, with the memory of their hashes. */
struct build_folder {
	struct context *context;
	struct stat_cache *stats; /* NULL: not used */
	bool owned, opened;
};

enum named_kind {
	NAMED_FOLDER,
	NAMED_GIT,
	NAMED_URL, /* a tar, or one file */
	NAMED_IMAGE,
	NAMED_SCRATCH, /* docker-image://scratch */
	NAMED_LAYOUT,
	NAMED_TARGET, /* another stage of the file */
};

struct named_context {
	char *name;     /* as names compare: "debian:12" for docker.io/library/debian:12 */
	char *platform; /* of NAME::PLATFORM: it stands for the name on this platform alone; or NULL */
	enum named_kind kind;
	char *path; /* folder, or of the layout; URL; stage */
	char *tag;  /* layout: NULL without one */
	struct digest digest;
	struct image_ref ref; /* of NAMED_IMAGE */
	struct git_ref git;   /* of NAMED_GIT */
	char *label;          /* the source as it may be shown */
	struct build_folder folder;
};

struct named_contexts {
	const struct build_options *options;
	struct store *store;
	struct named_context *items;
	size_t n;
	struct build_folder main;
	pthread_mutex_t lock; /* of what is opened late */
};

/* ERROR_USAGE, ERROR_SYNTAX, ERROR_UNSUPPORTED (the kinds of source that are not done, by name). */
int named_contexts_init(struct named_contexts *out, struct store *s, const struct build_options *o,
			struct error *err);
void named_contexts_release(struct named_contexts *c);
/* The one for this platform goes before the one for all. NULL: an image of a registry, then. */
struct named_context *named_context_find(struct named_contexts *c, const char *name,
					 const struct platform *platform);
/* Files rather than an image: FROM and --from take them from named_context_folder(). */
bool named_context_is_files(const struct named_context *nc);
/* The folder, opened, which may mean fetched; nc NULL: the build's own context. */
int named_context_folder(struct named_contexts *c, struct named_context *nc,
			 struct build_folder **out, struct error *err);
/* The image of a layout, in the store; an unchanged layout is not copied again. */
int named_context_import(struct named_contexts *c, const struct named_context *nc,
			 const struct platform *platform, struct descriptor *out,
			 struct error *err);

/*
 * The work on files that belong to the ids of images: extraction, the change set into a layer, moving and removing.
 * In root mode it is done in this process, in the rootless modes by the same functions in a helper inside the user
 * namespace (sandbox/helper.h).
 */
#pragma once

#include "oci/tree.h"
#include "sandbox/rootfs.h"

/* The merged view of the layers asked for last: layers are extracted one on top of the other. */
struct tree_cache {
	struct tree *tree;
	struct digest *diff_ids;
	size_t n;
};
void tree_cache_release(struct tree_cache *c);
/* Makes missing path indexes. *out is a view until the next call. */
int tree_cache_get(struct tree_cache *c, struct store *s, const struct rootfs_layer *layers,
		   size_t n, struct tree **out, struct error *err);

struct extract_job {
	enum sandbox_mode mode;
	const struct rootfs_layer *layers;
	size_t n;        /* the last of them is extracted, those before are below it */
	const char *dir; /* made here; what was there is removed */
	/*
	 * Whole roots without an overlay: layers[first..n) are extracted onto each other in dir, which is there already
	 * unless first is 0.
	 */
	bool flat;
	size_t first;
};
int work_extract(struct store *s, struct tree_cache *cache, const struct extract_job *job,
		 struct error *err);

struct commit_job {
	enum sandbox_mode mode;
	const struct rootfs_layer *layers; /* below the change set */
	size_t n;
	const char *upper;
	const char *lower; /* folder of the topmost layer, NULL: none */
	const struct layer_options *options;
	/*
	 * NULL: upper is the change set. Else it is the whole root and this file tells what was in it; the record of what is
	 * in it now takes its place.
	 */
	const char *record;
	const char *owners;             /* a file of owner_record; NULL or missing: none */
	const struct strlist *pardoned; /* see snapshot.h; may be NULL */
};
int work_commit(struct store *s, struct tree_cache *cache, const struct commit_job *job,
		struct layer *out, struct strlist *notes, struct error *err);

/* Writes the record of a whole root. */
int work_record(const char *root, const char *file, struct error *err);
/* An overlay shows the owner, mode and time of its writable folder's root: they are taken from the layer below. */
int work_take_metadata(const char *folder, const char *like, struct error *err);
/* Copies source, or what subpath names in it as its own root, to a new name; subpath may be NULL. */
int work_copy(const char *source, const char *subpath, const char *to, struct error *err);
int work_rename(const char *from, const char *to, struct error *err);
int work_remove(const char *path, struct error *err);

CLEANUP_RELEASE(tree_cache)

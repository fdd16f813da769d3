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
};
int work_commit(struct store *s, struct tree_cache *cache, const struct commit_job *job,
		struct layer *out, struct strlist *notes, struct error *err);

/* An overlay shows the owner, mode and time of its writable folder's root: they are taken from the layer below. */
int work_take_metadata(const char *folder, const char *like, struct error *err);
int work_rename(const char *from, const char *to, struct error *err);
int work_remove(const char *path, struct error *err);

CLEANUP_RELEASE(tree_cache)

/* A root file system: what rootfs.c, its two kinds of storage and rootfs_run.c share. */
#pragma once

#include "sandbox/order_block.h"
#include "sandbox/rootfs.h"
#include "sandbox/sandbox_private.h"

struct flat_root;
struct placement;

/* How layers become a folder that a step can write to, and its changes a layer. */
struct rootfs_storage {
	/* Makes the layers ready; fills chains. */
	int (*open)(struct rootfs *fs, struct error *err);
	/* Makes the writable side unless there is one. */
	int (*prepare)(struct rootfs *fs, struct error *err);
	int (*commit)(struct rootfs *fs, const struct layer_options *o, struct layer *out,
		      struct strlist *notes, struct error *err);
	/* The layer was added on top, with its chain: the changes are part of what is below from now on. */
	int (*settle)(struct rootfs *fs, struct error *err);
	void (*close)(struct rootfs *fs);
};
extern const struct rootfs_storage rootfs_overlay; /* overlay mounts on extracted layers */
extern const struct rootfs_storage rootfs_copy;    /* a whole root of its own, no overlay */

#define ROOTFS_OWNERS "owners" /* in the folder of a root: see ORDER_OWNERS */

struct rootfs {
	struct sandbox *sb;
	const struct rootfs_storage *storage;
	enum sandbox_mode mode;
	struct descriptor *descriptors;
	struct digest *diff_ids, *chains;
	struct rootfs_layer *layers; /* views of the two above */
	size_t n, cap;

	/* rootfs_overlay */
	struct run_folder folder; /* of what is written; none until the first run */
	char *upper;              /* the change set, in there; NULL until the first run */
	bool fresh;               /* nothing ran in it yet */

	/* rootfs_copy */
	struct flat_root *flat;
	struct strlist pardoned; /* paths whose status slipway itself changed during the last run */
	bool dirty; /* something ran in it, or failed to, and no layer was made of that */
};

/* Is the root its own, and no overlay? Known before rootfs_prepare(). */
static inline bool rootfs_is_whole(const struct rootfs *fs)
{
	return fs->storage == &rootfs_copy;
}

/* What belongs to the root as long as it is used; there is one after rootfs_prepare(). */
struct run_folder *rootfs_run_folder(struct rootfs *fs);
const char *rootfs_folder(struct rootfs *fs);

/* Where no overlay drops what a step writes to a bind, it gets a copy: is this one of those? */
bool rootfs_bind_is_copied(const struct rootfs *fs, const struct sandbox_mount *m);
/* Makes it at path, which is not there yet: all of an image's view, else the source's subpath alone. */
int rootfs_bind_copy(struct rootfs *fs, const struct sandbox_mount *m, const char *path,
		     struct error *err);
/* Another image's files, or none, in a new folder. */
int rootfs_make_view(struct rootfs *fs, const struct sandbox_mount *m, const char *dir,
		     struct error *err);

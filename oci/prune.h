/*
 * Mark and sweep: what no name, lease or cache record needs; and the check of the store (fsck).
 *
 * store_prune holds off new leases while it works, and respects those that are held (oci/lease.h). A process killed in the middle
 * leaves a whole store: only what nobody needs was gone.
 */
#pragma once

#include "base/log.h"
#include "oci/store.h"

struct prune_options {
	bool all;         /* also images without a name */
	bool build_cache; /* the cache: records, extracted layers, mount caches */
	int64_t grace;    /* seconds: younger blobs stay; the command line's default is 3600 */
	/*
	 * Removes a folder whose files may belong to other users (the sandbox's user namespace). NULL: fs_remove_tree. A
	 * failure is reported and counted, and the rest goes on.
	 */
	int (*remove_tree)(void *arg, const char *path, struct error *err);
	void *remove_arg;
	struct reporter *reporter;
};
struct prune_result {
	uint64_t blobs, bytes;            /* bytes of everything removed */
	uint64_t images, records, layers; /* unnamed images, cache records, extracted layers */
	uint64_t failed;                  /* folders that could not be removed */
	uint64_t young;                   /* blobs that stayed for their age alone */
	uint64_t in_use;                  /* leases of other processes that made prune keep more */
};
int store_prune(struct store *s, const struct prune_options *o, struct prune_result *result,
		struct error *err);

struct disk_usage {
	uint64_t images, image_bytes, blobs, blob_bytes, layers, layer_bytes, cache_entries,
		cache_bytes, unfinished, ingest_bytes, reclaimable_bytes;
};
/*
 * images: with a name; image_bytes: their blobs that are here, each counted once. reclaimable_bytes: what prune with all
 * and build_cache would free if nobody were at work.
 */
int store_usage(struct store *s, struct disk_usage *out, struct error *err);
/* Bytes on disk of a folder below dirfd; what cannot be read counts nothing. */
uint64_t store_tree_bytes(int dirfd, const char *name);

struct fsck_result {
	uint64_t checked, bytes, problems, repaired;
};
/*
 * Verifies every blob, every reference, index.json and meta; each problem is reported as a warning that names
 * it. With repair: corrupt blobs are quarantined, dangling names removed, meta rebuilt, half-made folders swept. A good blob is
 * never removed. Without repair nothing in the store changes.
 */
int store_fsck(struct store *s, bool repair, struct reporter *r, struct fsck_result *out,
	       struct error *err);

/* Mark and sweep: what no name, lease or cache record needs; and the check of the store (fsck). */
#pragma once

#include "base/log.h"
#include "oci/store.h"

struct prune_options {
	bool all;         /* also images without a name, and the build cache */
	bool build_cache; /* the cache: records, extracted layers, mount caches */
	int64_t grace;    /* seconds: younger blobs stay (default 3600) */
};
struct prune_result {
	uint64_t blobs, bytes;
};
int store_prune(struct store *s, const struct prune_options *o, struct prune_result *result,
		struct error *err);

struct disk_usage {
	uint64_t images, image_bytes, blobs, blob_bytes, layers, layer_bytes, cache_entries,
		cache_bytes, ingest_bytes, reclaimable_bytes;
};
int store_usage(struct store *s, struct disk_usage *out, struct error *err);

struct fsck_result {
	uint64_t checked, bytes, problems, repaired;
};
/*
 * Verifies every blob, every reference, index.json and meta; each problem is reported as a warning that names
 * it. With repair: corrupt blobs are quarantined, dangling names removed, meta rebuilt, half-made folders swept.
 */
int store_fsck(struct store *s, bool repair, struct reporter *r, struct fsck_result *out,
	       struct error *err);

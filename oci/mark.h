/*
 * What is needed: everything reachable from names, leases and cache records. Keyed by the hex digits alone, since
 * blobs, diff IDs (meta/index) and chain IDs (layers) are all asked for by them.
 */
#pragma once

#include "base/strmap.h"
#include "oci/store.h"

struct mark {
	struct strmap hex;
	struct strmap walked; /* documents whose members are marked, and how deep they were met */
};
void mark_release(struct mark *m);
bool mark_has(const struct mark *m, const struct digest *d);
bool mark_has_hex(const struct mark *m, const char *hex);
/*
 * Everything index.json lists. ERROR_CORRUPT when it or a listed manifest cannot be read: what it needs is then
 * unknown, and nothing may be swept.
 */
int mark_names(struct mark *m, struct store *s, struct error *err);
/* One digest of whatever kind: a manifest or index with all below it, a config with its diff and chain IDs. Damage below is passed over. */
void mark_digest(struct mark *m, struct store *s, const struct digest *d);
/* Every digest in the records (JSON files of at most 1 MiB, in cache/ and its folders). */
int mark_cache(struct mark *m, struct store *s, struct error *err);
/* Which links of blobs that no manifest of their repository names have become old: they are removed, and not marked. */
struct mark_stale {
	bool (*is)(void *arg, int64_t since);
	void *arg;
};
/* Everything that repositories of the embedded registry show. ERROR_CORRUPT as for mark_names(). stale NULL: none is. */
int mark_repositories(struct mark *m, struct store *s, const struct mark_stale *stale,
		      struct error *err);

CLEANUP_RELEASE(mark)

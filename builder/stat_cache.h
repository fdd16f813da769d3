/*
 * Spares re-hashing unchanged context files: device, inode, size, mode, mtime and ctime -> SHA-256. One file a context, under
 * cache/stat/, sorted and mapped. An entry whose mtime or ctime is less than 2 s older than its hashing serves this run
 * only (git's "racily clean").
 */
#pragma once

#include <sys/stat.h>

#include "base/sha256.h"
#include "oci/store.h"

struct stat_cache;

/*
 * key names the context (its absolute path); NULL: nothing is read or written, the cache only serves this run. A damaged or missing
 * file is an empty cache.
 */
int stat_cache_open(struct stat_cache **out, struct store *s, const char *key, struct error *err);
/* true: digest is filled. Safe from several threads. */
bool stat_cache_get(struct stat_cache *c, const struct stat *st, uint8_t digest[SHA256_SIZE]);
/* The same. *settled: the content cannot have changed since; else it was hashed so soon after a change that one more may look the same. */
bool stat_cache_find(struct stat_cache *c, const struct stat *st, uint8_t digest[SHA256_SIZE],
		     bool *settled);
/* st: as it was before the file was read; hashed_at_ns: time_now_ns() then. */
void stat_cache_put(struct stat_cache *c, const struct stat *st, int64_t hashed_at_ns,
		    const uint8_t digest[SHA256_SIZE]);
/* Nothing will be asked for a while: what takes memory, 10 MB for 200,000 files, goes to the file. Safe from several threads. */
void stat_cache_rest(struct stat_cache *c);
/* Writes what is new; failure to do so is not an error of the build. */
void stat_cache_free(struct stat_cache *c);

CLEANUP_FREE(stat_cache)

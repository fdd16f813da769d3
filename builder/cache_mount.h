/*
 * Folders of RUN --mount=type=cache: ROOT/cache/mounts/HASH, the hash taken over id, owner and mode, so that no id is ever
 * a path. The sandbox makes them when they are missing.
 */
#pragma once

#include "base/log.h"
#include "dockerfile/mount.h"
#include "oci/store.h"

struct cache_mount {
	const struct run_mount *mount;
	char hash[65];
	char *path;
	int lock; /* held until release; -1: none */
};

#define CACHE_MOUNT_INIT   \
	{                  \
		.lock = -1 \
	}

/*
 * name_space: BUILDKIT_CACHE_MOUNT_NS, or NULL. base: SHA-256 of what the folder begins with (from=), or NULL: other content is another
 * folder.
 */
void cache_mount_init(struct cache_mount *m, const struct run_mount *mount, const char *target,
		      const char *name_space, const uint8_t *base);
/*
 * Locks all of them, in one order for every step so that no two wait for each other: locked ones alone, shared ones
 * together; a private one in use gives another folder. Waiting ends with cancel. The same folder twice is one lock.
 */
int cache_mounts_open(struct cache_mount *mounts, size_t n, struct store *s,
		      const struct cancel *cancel, struct reporter *r, int step, struct error *err);
void cache_mount_release(struct cache_mount *m);

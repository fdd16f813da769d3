/*
 * What a step sees besides its image where nothing can be mounted: devices, network files and the mounts of RUN are put into
 * the root itself before the step and taken out after it. What the image has in their places is moved aside meanwhile,
 * out of the step's reach, and comes back as it was; a layer made afterwards shows nothing of it.
 *
 *	placement_open(&p, root, aside, err);
 *	placement_system(p, err);                /dev, /proc, /sys
 *	placement_add(p, &mount, source, err);   in the order in which mounts would be made
 *	placement_ready(p);                      the step may begin
 *	placement_remove(p, &pardoned, err);     when no process of the step is left
 *	placement_free(p);
 */
#pragma once

#include "base/strlist.h"
#include "sandbox/rootfs.h"

struct placement;

/* root: folder of the step's root; aside: an empty folder on the same file system, outside of it. */
int placement_open(struct placement **out, const char *root, const char *aside, struct error *err);
/*
 * /proc and /sys as empty folders, /dev with the few devices that every program expects. Device files that cannot be made, or do
 * not work because the file system forbids them, are left out and named in missing.
 */
int placement_system(struct placement *p, struct strlist *missing, struct error *err);
/* One folder cannot be in two roots: steps that share a cache wait for each other. Before the first placement_add(). */
int placement_lock_caches(struct placement *p, struct store *store,
			  const struct sandbox_mount *mounts, size_t n, struct error *err);
/*
 * A mount of the step. source: what a BIND or CACHE shows, a folder or file: BIND is copied from it, unless take is set, which
 * moves it; a CACHE's folder is moved and comes back. *listener: of an AGENT, its listening socket. ERROR_UNSUPPORTED for kinds
 * that need a mount.
 */
int placement_add(struct placement *p, const struct sandbox_mount *m, const char *source, bool take,
		  int *listener, struct error *err);
/* Paths below the root that must not stay when slipway dies during the step: the files with secret bytes. */
const struct strlist *placement_secrets(const struct placement *p);
/* Waits until changes of the step get times of their own (snapshot_settle()). */
int placement_ready(struct placement *p, struct error *err);
/*
 * Takes everything out. pardoned: gets the paths whose status changed by that alone. May be called once; placement_free() does it
 * when it was not.
 */
int placement_remove(struct placement *p, struct strlist *pardoned, struct error *err);
/* Leaves everything where it is, for the root to be removed with it: somebody may still be in there. */
void placement_abandon(struct placement *p);
void placement_free(struct placement *p);

CLEANUP_FREE(placement)

/* The extended attributes of an entry that a layer keeps: file capabilities as revision 2, and user.*. */
#pragma once

#include "oci/entry.h"

struct archive_entry;

#define CAPABILITY_V2_BYTES 20

struct layer_xattrs {
	struct xattr *items;
	size_t cap;
	uint8_t capability[CAPABILITY_V2_BYTES];
};

/* Is the name one that layers keep? user.overlay.* and user.slipway.* are not: they would speak to our own mounts. */
bool layer_xattr_kept(const char *name);
/*
 * VFS capabilities in any revision as revision 2 (linux/capability.h): the user id in revision 3 belongs to the
 * machine that set them. False when they are none.
 */
bool layer_capability_v2(const void *value, size_t len, uint8_t out[CAPABILITY_V2_BYTES]);
/* Fills e's xattrs, views of from, sorted. -1: beyond the limits. */
int layer_xattrs_read(struct layer_xattrs *x, struct archive_entry *from, struct entry *e);
void layer_xattrs_release(struct layer_xattrs *x);

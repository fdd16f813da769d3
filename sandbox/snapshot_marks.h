/* What an overlay mount notes in extended attributes of its writable folder, and the attributes that a layer keeps. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "oci/entry.h"
#include "oci/owner_mark.h"

struct marks {
	bool opaque;    /* a folder: nothing of the layers below shows in it */
	bool whiteout;  /* an empty file that stands for a removed name (kernels >= 6.7) */
	bool copied_up; /* the file came from a layer below */
	bool has_owner; /* noted with the file: owner_mark.h */
	struct owner_mark owner;
	bool has_device; /* it stands for one */
	struct device_mark device;
};

struct file_xattrs {
	struct xattr *items; /* sorted by name */
	size_t n, cap;
	struct strbuf bytes; /* holds names and values */
};

/*
 * Reads both from an open file or folder. userns: marks are in user.overlay.*. A file whose content or name is only a
 * reference to the layers below is refused: the overlay was mounted in a way that forbids them.
 */
int marks_read(int fd, bool userns, struct marks *m, struct file_xattrs *x, const char *path,
	       struct error *err);
void file_xattrs_release(struct file_xattrs *x);
/* A file capability of any revision as revision 2, without the id of a namespace; 0 when it is none. */
size_t capability_revision_2(const void *value, size_t len, unsigned char out[20]);

CLEANUP_RELEASE(file_xattrs)

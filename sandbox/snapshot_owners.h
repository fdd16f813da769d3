/*
 * Owners of files that take no attribute, as symbolic links, where one id is all there is: those that a step gave are read, those that the
 * layer's files turn out to have are written beside its folder, for the steps that are on top of it.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/fs.h"
#include "oci/owner_mark.h"

struct owners {
	struct owner_record *given; /* sorted */
	size_t n_given;
	struct owner_record *found;
	size_t n_found, cap_found;
};
#define OWNERS_INIT                 \
	{                           \
		NULL, 0, NULL, 0, 0 \
	}
void owners_release(struct owners *l);

/* A file that is not there is an empty one. */
int owners_read(struct owners *l, const char *file, struct error *err);
/* Of dirfd/name; false when none was given. */
bool owners_find(const struct owners *l, int dirfd, const char *name, struct owner_mark *m);
/* It is dirfd/name's. */
void owners_add(struct owners *l, int dirfd, const char *name, uint32_t uid, uint32_t gid);
/* Appends what was added; no file is made when that is nothing. */
int owners_write(const struct owners *l, const char *file, struct error *err);

CLEANUP_RELEASE(owners)

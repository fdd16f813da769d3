/* Entries of a change set, one at a time: what the ways to find one have in common. */
#pragma once

#include <stdlib.h>

#include "base/strmap.h"
#include "sandbox/snapshot.h"
#include "sandbox/snapshot_marks.h"

/* The names of a folder in one block, sorted by bytes. */
struct names {
	struct strbuf bytes;
	size_t *at; /* offsets */
	size_t n, cap;
};
#define NAMES_INIT                   \
	{                            \
		.bytes = STRBUF_INIT \
	}
/* path is for messages. */
int names_read(int fd, struct names *l, const char *path, struct error *err);
void names_release(struct names *l);

/* One pass over a change set. */
struct snapshot {
	int rootfd;
	const struct snapshot_options *o;
	struct layer_writer *writer;
	struct tree *below;
	bool asked_below;
	struct strmap links; /* "device:inode" of a file with several names -> the first of them */
	struct strbuf path;  /* of the entry at hand */
	struct file_xattrs xattrs; /* of the entry at hand */
	size_t depth;
	bool has_owner; /* the entry at hand: one was recorded for it */
	struct owner_mark owner;
	int at; /* the entry at hand when it takes no attribute: at/name, else -1 */
	const char *name;
};
#define SNAPSHOT_INIT(root, options, to)                                               \
	{                                                                              \
		.rootfd = (root), .o = (options), .writer = (to), .path = STRBUF_INIT, \
		.xattrs = {.bytes = STRBUF_INIT}, .at = -1,                            \
	}
void snapshot_release(struct snapshot *s);

/* Appends a name to the path; returns the length to cut back to. */
size_t snapshot_push(struct snapshot *s, const char *name);
/* ERROR_UNSUPPORTED for a name that a layer cannot hold. */
int snapshot_check_name(const struct snapshot *s, const char *name, struct error *err);
int snapshot_stat(const struct snapshot *s, int dirfd, const char *name, struct stat *st,
		  struct error *err);
/* A whiteout or opaque marker at the path. */
int snapshot_add_marker(struct snapshot *s, enum entry_type type, struct error *err);
/* Anything but a folder: dirfd/name, which is at the path. */
int snapshot_add_leaf(struct snapshot *s, int dirfd, const char *name, const struct stat *st,
		      struct error *err);
/* The folder open as fd, without what is in it; *opaque as its overlay mark says. */
int snapshot_add_folder(struct snapshot *s, int fd, bool *opaque, struct error *err);
/* The root itself is part of the change set only when its owner or mode changed. */
int snapshot_add_root(struct snapshot *s, const struct stat *st, struct error *err);

CLEANUP_RELEASE(names)
CLEANUP_RELEASE(snapshot)

/* One entry of a layer, as the layer writer, reader, path index and merged tree know it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/sha256.h"

enum entry_type {
	ENTRY_FILE,
	ENTRY_DIR,
	ENTRY_SYMLINK,
	ENTRY_HARDLINK, /* link is the path of an earlier entry of the same layer */
	ENTRY_CHAR,
	ENTRY_BLOCK,
	ENTRY_FIFO,
	ENTRY_WHITEOUT, /* path is what it hides (image-spec layer.md, whiteouts) */
	ENTRY_OPAQUE,   /* path is the folder whose lower content it hides */
};

struct xattr {
	const char *name; /* "security.capability", "user.x" */
	const void *value;
	size_t len;
};

/* A view: whoever fills it keeps the strings. Paths are relative, without leading or trailing "/"; "" is the root. Any bytes but NUL. */
struct entry {
	enum entry_type type;
	const char *path;
	const char *link; /* symlink: target text; hardlink: path; else NULL */
	mode_t mode;      /* 07777 bits */
	uid_t uid;
	gid_t gid;
	int64_t size;  /* of ENTRY_FILE */
	int64_t mtime; /* whole seconds */
	uint32_t dev_major, dev_minor;
	const struct xattr
		*xattrs; /* sorted by name; only security.capability (revision 2) and user.* */
	size_t n_xattrs;
	bool has_content; /* content holds the SHA-256 of a file's bytes */
	uint8_t content[SHA256_SIZE];
};

/* Order inside a layer: depth first, names of a folder by bytes, a folder before its content; whiteouts and opaque markers of a folder before its other entries. */
int entry_compare(const struct entry *a, const struct entry *b);
/* Path order alone: '/' sorts before every other byte, so that a folder's content follows it. */
int entry_path_compare(const char *a, const char *b);
/* A path as struct entry wants it: relative, without empty, "." or ".." components, at most LIMIT_PATH_BYTES long. */
bool entry_path_is_clean(const char *path);

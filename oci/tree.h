/*
 * The merged view of an image: what the stacked layers look like, from their path indexes, nothing extracted.
 * COPY and ADD destinations, WORKDIR, USER names and entrypoint checks resolve in it, so that COPY x /lib/ on a
 * base whose /lib is a symbolic link writes through the link.
 *
 * Layers are applied as image-spec 1.1 layer.md says: whiteouts and opaque markers hide lower layers only,
 * parents of an entry resolve through symbolic links inside the root, a folder over a folder merges, anything
 * else replaces. A missing parent is 0755 0:0.
 */
#pragma once

#include "oci/config.h"
#include "oci/layer_index.h"
#include "oci/manifest.h"

struct tree;

struct tree_folder_part {
	struct tree_node **children; /* sorted by bytes */
	uint32_t n_children, cap_children;
};

/* Of a file whose bytes are an entry's with another path: of a hard link, or below a parent that was a link. */
struct tree_elsewhere {
	const uint8_t *content;
	const char *path;
};

struct tree_file_part {
	union {                         /* by the node's elsewhere */
		const uint8_t *content; /* SHA-256, 32 bytes, or NULL: not known */
		const struct tree_elsewhere *other;
	};
	int64_t size;
};

struct tree_device_part {
	uint32_t major, minor;
};

/* There is one for each file of an image, so it is kept small. */
struct tree_node {
	const char *name; /* "" for the root */
	struct tree_node *parent;
	union { /* by type */
		struct tree_folder_part folder;
		struct tree_file_part file;
		struct tree_device_part device;
		const char *link; /* target of a symbolic link */
	};
	int64_t mtime;
	const struct xattr *xattrs;
	uint32_t uid, gid;
	uint32_t inode; /* nodes with the same number are hard links of one file */
	uint16_t layer; /* which layer's blob holds it (0 = first) */
	uint16_t
		born; /* the layer that made the node; one that a layer merged into stays as old as it was */
	uint16_t set_by; /* the last layer that had an entry for it */
	uint16_t mode;
	uint16_t n_xattrs;
	uint8_t type;       /* enum entry_type: FILE, DIR, SYMLINK, CHAR, BLOCK or FIFO */
	bool gone : 1;      /* no longer part of the tree */
	bool mark : 1;      /* free for whoever follows a layer in a clone */
	bool elsewhere : 1; /* of a file: see there */
};

static inline bool tree_is_device(const struct tree_node *n)
{
	return n->type == ENTRY_CHAR || n->type == ENTRY_BLOCK;
}

struct tree *tree_new(void);
void tree_free(struct tree *t);
/* Stacks the layer's index on top. */
int tree_add_layer(struct tree *t, struct store *s, const struct digest *diff_id,
		   struct error *err);
size_t tree_layers(const struct tree *t);
struct tree_node *tree_root(struct tree *t);

/*
 * Looks a path up, symbolic links of parents followed inside the root, the last one too with follow. NULL when it
 * does not exist. ELOOP (40 links) counts as not existing.
 */
struct tree_node *tree_lookup(struct tree *t, const char *path, bool follow);
/*
 * Where writing to path really lands: links followed as far as it exists, the rest appended. The result is clean and
 * relative ("usr/lib/x"). *node: what is there now, or NULL. ERROR_SYNTAX when a parent is not a folder or links loop. free() *real.
 */
int tree_resolve(struct tree *t, const char *path, bool follow_last, char **real,
		 struct tree_node **node, struct error *err);
char *tree_path(const struct tree_node *n); /* relative, free() */
/* Of a file: SHA-256, 32 bytes, or NULL: not known. */
static inline const uint8_t *tree_content(const struct tree_node *n)
{
	return n->elsewhere ? n->file.other->content : n->file.content;
}
/* Of a file: the path of the entry that has its bytes, in the layer that the node names; free() */
char *tree_source(const struct tree_node *n);
/* Fills a view of the node as an entry with that path (xattrs, link and content are the tree's). */
void tree_entry(const struct tree_node *n, const char *path, struct entry *e);
/* Hash of a node and all below it: names, types, modes, owners, links, xattrs, contents; never mtime. The top's own name does not count. */
void tree_hash(const struct tree_node *n, struct sha256 *h);
/* Bytes of /etc/passwd-like small files: through oci/spool.h. */

/*
 * The same, entry by entry, for those who follow a layer while it streams (layer_extract):
 * tree_begin_layer(), then tree_put() for each entry in the layer's own order.
 */
/* A tree that may be changed apart from t; t's strings are shared, so t is freed last. */
struct tree *tree_clone(const struct tree *t);
void tree_begin_layer(struct tree *t);
/*
 * *node (may be NULL): the node that stands for the entry now; of a whiteout what is left there, NULL when nothing
 * is. *hid (may be NULL): something of a lower layer is hidden now. ERROR_CORRUPT: a parent is no folder or links
 * loop, a hard link to nothing, a folder, a symbolic link or itself; the tree is then of no further use.
 */
int tree_put(struct tree *t, const struct entry *e, struct tree_node **node, bool *hid,
	     struct error *err);
/* fn is told of each node that goes, before it does; what is below a told node goes with it. */
void tree_on_drop(struct tree *t, void (*fn)(void *arg, struct tree_node *n), void *arg);

CLEANUP_FREE(tree)

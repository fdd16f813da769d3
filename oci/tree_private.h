/* What the files of oci/tree share; others use oci/tree.h. */
#pragma once

#include "base/strbuf.h"
#include "oci/tree.h"

#define TREE_LINKS_MAX 40 /* as the kernel */

struct tree_block;

struct tree {
	struct tree_block *blocks; /* nodes and copied strings: freed all at once */
	struct tree_node *root;
	uint32_t n_inodes;
	size_t n_layers;
	struct index_reader *
		*indexes; /* mapped: names, links, contents and xattrs are views of them */
	size_t n_indexes, cap_indexes;
	void (*dropped)(void *arg, struct tree_node *n);
	void *dropped_arg;
	/* The parent of the entry before, by the text of its path: entries of a folder come together. */
	struct strbuf parent_path;
	struct tree_node *parent; /* NULL: not known */
	bool parent_moved;        /* a symbolic link was followed on the way */
};

void *tree_alloc(struct tree *t, size_t size);
const char *tree_copy(struct tree *t, const char *s, size_t len);
/* A new child, its other fields zero; name is kept as it is. */
struct tree_node *tree_node_add(struct tree *t, struct tree_node *parent, const char *name,
				size_t at);
/* The child, or NULL and where it would stand. */
struct tree_node *tree_child(const struct tree_node *parent, const char *name, size_t len,
			     size_t *at);
/* Frees the arrays of children of n and all below, and marks all below as gone. */
void tree_forget_children(struct tree_node *n);

/* Where a path leads: node with missing empty, or the folder node and the components that are missing below it. */
struct tree_walk {
	struct tree_node *node;
	struct strbuf missing;
	bool moved; /* a symbolic link was followed */
};
enum tree_walk_result { TREE_WALK_OK, TREE_WALK_LOOP, TREE_WALK_NOT_FOLDER };
/* On TREE_WALK_NOT_FOLDER node is what is in the way. */
enum tree_walk_result tree_walk(struct tree *t, const char *path, bool follow_last,
				struct tree_walk *w);
void tree_walk_release(struct tree_walk *w);

CLEANUP_RELEASE(tree_walk)

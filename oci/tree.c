#include "oci/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/tree_private.h"

#define BLOCK_BYTES ((size_t)64 << 10)

struct tree_block {
	struct tree_block *next;
	size_t used, size;
	max_align_t data[];
};

void *tree_alloc(struct tree *t, size_t size)
{
	struct tree_block *b = t->blocks;
	void *p;

	size = (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
	if (!b || b->size - b->used < size) {
		size_t bytes = size > BLOCK_BYTES ? size : BLOCK_BYTES;

		b = xmalloc(sizeof(*b) + bytes);
		b->next = t->blocks;
		b->used = 0;
		b->size = bytes;
		t->blocks = b;
	}
	p = (char *)b->data + b->used;
	b->used += size;
	return p;
}

const char *tree_copy(struct tree *t, const char *s, size_t len)
{
	char *copy = tree_alloc(t, len + 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

static struct tree_node *node_new(struct tree *t, struct tree_node *parent, const char *name)
{
	struct tree_node *n = tree_alloc(t, sizeof(*n));

	*n = (struct tree_node){.name = name, .parent = parent};
	return n;
}

struct tree_node *tree_node_add(struct tree *t, struct tree_node *parent, const char *name,
				size_t at)
{
	struct tree_node *n = node_new(t, parent, name);

	struct tree_folder_part *f = &parent->folder;

	GROW(f->children, f->n_children + 1, f->cap_children);
	memmove(&f->children[at + 1], &f->children[at],
		(f->n_children - at) * sizeof(struct tree_node *));
	f->children[at] = n;
	f->n_children++;
	return n;
}

static int name_compare(const char *name, size_t len, const char *other)
{
	int order = strncmp(name, other, len);

	/* A prefix sorts first. */
	return order ? order : other[len] ? -1 : 0;
}

struct tree_node *tree_child(const struct tree_node *parent, const char *name, size_t len,
			     size_t *at)
{
	const struct tree_folder_part *f = &parent->folder;
	size_t low = 0, high = parent->type == ENTRY_DIR ? f->n_children : 0;

	/* Entries mostly come in order, so that a new one goes to the end. */
	if (high && name_compare(name, len, f->children[high - 1]->name) > 0)
		low = high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = name_compare(name, len, f->children[middle]->name);

		if (order == 0)
			return f->children[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	if (at)
		*at = low;
	return NULL;
}

void tree_forget_children(struct tree_node *n)
{
	if (n->type != ENTRY_DIR)
		return;
	for (uint32_t i = 0; i < n->folder.n_children; i++) {
		n->folder.children[i]->gone = true;
		tree_forget_children(n->folder.children[i]);
	}
	free(n->folder.children);
	n->folder = (struct tree_folder_part){.children = NULL};
}

struct tree *tree_new(void)
{
	struct tree *t = xcalloc(1, sizeof(*t));

	strbuf_init(&t->parent_path);
	t->root = node_new(t, NULL, "");
	t->root->type = ENTRY_DIR;
	t->root->mode = 0755;
	return t;
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	tree_forget_children(t->root);
	for (struct tree_block *next; t->blocks; t->blocks = next) {
		next = t->blocks->next;
		free(t->blocks);
	}
	for (size_t i = 0; i < t->n_indexes; i++)
		index_reader_free(t->indexes[i]);
	free(t->indexes);
	strbuf_release(&t->parent_path);
	free(t);
}

static void clone_children(struct tree *t, struct tree_node *to, const struct tree_node *from)
{
	uint32_t count = from->type == ENTRY_DIR ? from->folder.n_children : 0;

	if (from->type == ENTRY_DIR)
		to->folder = (struct tree_folder_part){NULL, count, count};
	if (count)
		to->folder.children = xreallocarray(NULL, count, sizeof(struct tree_node *));
	for (uint32_t i = 0; i < count; i++) {
		struct tree_node *n = tree_alloc(t, sizeof(*n));

		*n = *from->folder.children[i];
		n->parent = to;
		to->folder.children[i] = n;
		clone_children(t, n, from->folder.children[i]);
	}
}

struct tree *tree_clone(const struct tree *t)
{
	struct tree *copy = tree_new();
	struct tree_node *root = copy->root;

	*root = *t->root;
	clone_children(copy, root, t->root);
	copy->n_inodes = t->n_inodes;
	copy->n_layers = t->n_layers;
	return copy;
}

size_t tree_layers(const struct tree *t)
{
	return t->n_layers;
}

struct tree_node *tree_root(struct tree *t)
{
	return t->root;
}

char *tree_path(const struct tree_node *n)
{
	size_t len = 0;
	char *path, *at;

	for (const struct tree_node *up = n; up->parent; up = up->parent)
		len += strlen(up->name) + 1;
	if (!len)
		return xstrdup("");
	path = xmalloc(len);
	at = path + len - 1;
	*at = '\0';
	for (const struct tree_node *up = n; up->parent; up = up->parent) {
		size_t name = strlen(up->name);

		at -= name;
		memcpy(at, up->name, name);
		if (at > path)
			*--at = '/';
	}
	return path;
}

char *tree_source(const struct tree_node *n)
{
	return n->elsewhere ? xstrdup(n->file.other->path) : tree_path(n);
}

void tree_entry(const struct tree_node *n, const char *path, struct entry *e)
{
	*e = (struct entry){
		.type = (enum entry_type)n->type,
		.path = path,
		.link = n->type == ENTRY_SYMLINK ? n->link : NULL,
		.mode = n->mode,
		.uid = n->uid,
		.gid = n->gid,
		.mtime = n->mtime,
		.xattrs = n->xattrs,
		.n_xattrs = n->n_xattrs,
	};
	if (n->type == ENTRY_FILE) {
		const uint8_t *content = tree_content(n);

		e->size = n->file.size;
		e->has_content = content != NULL;
		if (content)
			memcpy(e->content, content, sizeof(e->content));
	}
	if (tree_is_device(n)) {
		e->dev_major = n->device.major;
		e->dev_minor = n->device.minor;
	}
}

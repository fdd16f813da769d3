#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/tree_private.h"

/* One entry on its way into the tree, with the views that outlive it when they come from an index. */
struct put {
	const struct entry *e;
	const char *name;       /* NULL: e's strings must be copied */
	const uint8_t *content; /* NULL: not known */
	bool views;             /* link and the bytes of xattrs live as long as the tree */
	bool moved;             /* the parent was reached through a symbolic link */
};

void tree_begin_layer(struct tree *t)
{
	t->n_layers++;
	t->parent = NULL;
}

void tree_on_drop(struct tree *t, void (*fn)(void *arg, struct tree_node *n), void *arg)
{
	t->dropped = fn;
	t->dropped_arg = arg;
}

static uint16_t present_layer(const struct tree *t)
{
	return (uint16_t)(t->n_layers - 1);
}

static int corrupt(const struct entry *e, const char *why, struct error *err)
{
	AUTO(strbuf) shown = STRBUF_INIT;

	strbuf_add_printable(&shown, e->path, strnlen(e->path, 200), false);
	return error_set(err, ERROR_CORRUPT, "entry %s: %s", shown.buf, why);
}

static void make_implicit(struct tree *t, struct tree_node *n)
{
	n->type = ENTRY_DIR;
	n->mode = 0755;
	n->uid = n->gid = 0;
	n->mtime = 0;
	n->xattrs = NULL;
	n->n_xattrs = 0;
	n->elsewhere = false;
	n->layer = n->born = n->set_by = present_layer(t);
	n->inode = ++t->n_inodes;
}

static size_t depth_of(const struct tree_node *n)
{
	size_t depth = 0;

	for (; n->parent; n = n->parent)
		depth++;
	return depth;
}

/* Makes the folders that are missing below w->node. */
static int make_parents(struct tree *t, struct tree_walk *w, const struct entry *e,
			struct error *err)
{
	size_t depth = depth_of(w->node);

	for (const char *at = w->missing.buf; *at;) {
		size_t len = strcspn(at, "/"), place = 0;

		if (++depth > LIMIT_PATH_DEPTH)
			return corrupt(e, "its folders are nested too deep", err);
		/* A folder that ".." came back to may be there by now. */
		struct tree_node *child = tree_child(w->node, at, len, &place);
		if (!child) {
			child = tree_node_add(t, w->node, tree_copy(t, at, len), place);
			make_implicit(t, child);
		}
		w->node = child;
		at += len;
		at += *at == '/';
	}
	return depth < LIMIT_PATH_DEPTH ? 0 : corrupt(e, "its folders are nested too deep", err);
}

/* The folder that holds path's last component. *parent NULL: there is none, and make is false. */
static int find_parent(struct tree *t, const struct entry *e, const char *path, size_t len,
		       bool make, struct tree_node **parent, bool *moved, struct error *err)
{
	AUTO(tree_walk) w = {0};
	AUTO_FREE char *text = NULL;
	enum tree_walk_result result;

	if (t->parent && t->parent_path.len == len && memcmp(t->parent_path.buf, path, len) == 0) {
		*parent = t->parent;
		*moved = t->parent_moved;
		return 0;
	}
	text = xstrndup(path, len);
	result = tree_walk(t, text, true, &w);
	*parent = NULL;
	if (!make && (result != TREE_WALK_OK || w.missing.len || w.node->type != ENTRY_DIR))
		return 0;
	if (result == TREE_WALK_LOOP)
		return corrupt(e, "symbolic links on its way lead in circles", err);
	if (result == TREE_WALK_NOT_FOLDER || w.node->type != ENTRY_DIR)
		return corrupt(e, "a parent is not a folder", err);
	if (make_parents(t, &w, e, err) < 0)
		return -1;
	*parent = t->parent = w.node;
	*moved = t->parent_moved = w.moved;
	strbuf_reset(&t->parent_path);
	strbuf_add(&t->parent_path, path, len);
	return 0;
}

static void tell_dropped(struct tree *t, struct tree_node *n)
{
	if (t->dropped)
		t->dropped(t->dropped_arg, n);
}

static bool holds_layer(const struct tree_node *n, uint16_t layer)
{
	if (n->set_by == layer)
		return true;
	for (uint32_t i = 0; n->type == ENTRY_DIR && i < n->folder.n_children; i++)
		if (holds_layer(n->folder.children[i], layer))
			return true;
	return false;
}

static void hide_children(struct tree *t, struct tree_node *folder, bool *hid);

/* What lower layers put at n goes, what this one put there stays, whichever entry came first. False: all of it goes. */
static bool hide(struct tree *t, struct tree_node *n, bool *hid)
{
	uint16_t layer = present_layer(t);

	if (!holds_layer(n, layer)) {
		*hid = true;
		tell_dropped(t, n);
		tree_forget_children(n);
		n->gone = true;
		return false;
	}
	if (n->type != ENTRY_DIR)
		return true;
	hide_children(t, n, hid);
	/* A folder that is there only because of what this layer put into it. */
	if (n->set_by != layer)
		make_implicit(t, n);
	if (n->born != layer)
		*hid = true;
	n->born = layer;
	return true;
}

static void hide_children(struct tree *t, struct tree_node *folder, bool *hid)
{
	uint32_t kept = 0;

	struct tree_folder_part *f = &folder->folder;

	for (uint32_t i = 0; i < f->n_children; i++)
		if (hide(t, f->children[i], hid))
			f->children[kept++] = f->children[i];
	f->n_children = kept;
	t->parent = NULL;
}

static void put_whiteout(struct tree *t, struct tree_node *parent, const char *name,
			 struct tree_node **node, bool *hid)
{
	size_t len = strlen(name), at = 0;
	struct tree_node *n = tree_child(parent, name, len, &at);

	*node = NULL;
	if (!n)
		return;
	t->parent = NULL;
	if (hide(t, n, hid)) {
		*node = n;
		return;
	}
	struct tree_folder_part *f = &parent->folder;

	for (at = 0; f->children[at] != n; at++)
		;
	memmove(&f->children[at], &f->children[at + 1],
		(f->n_children - at - 1) * sizeof(struct tree_node *));
	f->n_children--;
}

static int put_opaque(struct tree *t, const struct entry *e, struct tree_node **node, bool *hid)
{
	struct tree_node *folder;
	bool moved;

	*node = NULL;
	if (find_parent(t, e, e->path, strlen(e->path), false, &folder, &moved, NULL) < 0 ||
	    !folder)
		return 0;
	hide_children(t, folder, hid);
	/* Without an entry of its own in this layer the folder is still the lower one, emptied. */
	folder->born = present_layer(t);
	*node = folder;
	return 0;
}

static void keep_elsewhere(struct tree *t, struct tree_node *n, const char *path)
{
	struct tree_elsewhere *other = tree_alloc(t, sizeof(*other));

	*other = (struct tree_elsewhere){n->file.content, tree_copy(t, path, strlen(path))};
	n->file.other = other;
	n->elsewhere = true;
}

static const struct xattr *keep_xattrs(struct tree *t, const struct put *p)
{
	struct xattr *copy;

	if (!p->e->n_xattrs)
		return NULL;
	copy = tree_alloc(t, p->e->n_xattrs * sizeof(*copy));
	memcpy(copy, p->e->xattrs, p->e->n_xattrs * sizeof(*copy));
	for (size_t i = 0; !p->views && i < p->e->n_xattrs; i++) {
		copy[i].name = tree_copy(t, copy[i].name, strlen(copy[i].name));
		copy[i].value = tree_copy(t, copy[i].value, copy[i].len);
	}
	return copy;
}

static void set_attributes(struct tree *t, struct tree_node *n, const struct put *p)
{
	const struct entry *e = p->e;

	/* A folder that a folder merges into keeps what is in it; else nothing is left of what was there. */
	if (e->type != ENTRY_DIR || n->type != ENTRY_DIR)
		n->folder = (struct tree_folder_part){.children = NULL};
	n->type = (uint8_t)e->type;
	n->mode = (uint16_t)(e->mode & 07777);
	n->uid = e->uid;
	n->gid = e->gid;
	n->mtime = e->mtime;
	if (e->type == ENTRY_FILE)
		n->file = (struct tree_file_part){{p->content}, e->size};
	else if (e->type == ENTRY_SYMLINK)
		n->link = p->views ? e->link : tree_copy(t, e->link, strlen(e->link));
	else if (tree_is_device(n))
		n->device = (struct tree_device_part){e->dev_major, e->dev_minor};
	n->xattrs = keep_xattrs(t, p);
	n->n_xattrs = (uint16_t)e->n_xattrs;
	n->layer = n->set_by = present_layer(t);
	n->elsewhere = false;
	if (p->moved && e->type == ENTRY_FILE)
		keep_elsewhere(t, n, e->path);
	n->inode = ++t->n_inodes;
}

static int find_target(struct tree *t, const struct entry *e, struct tree_node **target,
		       struct error *err)
{
	AUTO(tree_walk) w = {0};
	AUTO(strbuf) shown = STRBUF_INIT;
	const char *why = NULL;

	if (tree_walk(t, e->link, false, &w) != TREE_WALK_OK || w.missing.len)
		why = "does not exist";
	else if (w.node->type == ENTRY_DIR)
		why = "is a folder";
	*target = w.node;
	if (!why)
		return 0;
	corrupt(e, "a hard link", err);
	strbuf_add_printable(&shown, e->link, strnlen(e->link, 200), false);
	return error_hint(err, "its target %s %s in the image", shown.buf, why);
}

static bool is_below(const struct tree_node *n, const struct tree_node *top)
{
	for (; n; n = n->parent)
		if (n == top)
			return true;
	return false;
}

static void set_linked_file(struct tree *t, struct tree_node *n, const struct tree_node *target)
{
	AUTO_FREE char *path = NULL;

	n->file = target->file;
	n->elsewhere = target->elsewhere;
	if (n->elsewhere)
		return;
	path = tree_path(target);
	keep_elsewhere(t, n, path);
}

static void set_hardlink(struct tree *t, struct tree_node *n, const struct tree_node *target)
{
	n->type = target->type;
	n->mode = target->mode;
	n->uid = target->uid;
	n->gid = target->gid;
	n->mtime = target->mtime;
	n->elsewhere = false;
	/* never a folder: see find_target() */
	if (target->type == ENTRY_FILE)
		set_linked_file(t, n, target);
	else if (target->type == ENTRY_SYMLINK)
		n->link = target->link;
	else
		n->device = target->device;
	n->xattrs = target->xattrs;
	n->n_xattrs = target->n_xattrs;
	n->layer = target->layer;
	n->inode = target->inode;
	n->set_by = present_layer(t);
}

/* The node at the place, as good as new unless a folder merges into a folder. */
static struct tree_node *take_place(struct tree *t, struct tree_node *parent, const struct put *p,
				    const char *name)
{
	size_t len = strlen(name), at = 0;
	struct tree_node *n = tree_child(parent, name, len, &at);

	if (!n) {
		n = tree_node_add(t, parent, p->name ? p->name : tree_copy(t, name, len), at);
		n->born = present_layer(t);
		return n;
	}
	if (n->type == ENTRY_DIR && p->e->type == ENTRY_DIR)
		return n;
	tell_dropped(t, n);
	if (n->type == ENTRY_DIR) {
		tree_forget_children(n);
		t->parent = NULL;
	}
	n->born = present_layer(t);
	return n;
}

static int put_root(struct tree *t, const struct put *p, struct tree_node **node, struct error *err)
{
	if (p->e->type != ENTRY_DIR)
		return corrupt(p->e, "the root is not a folder", err);
	set_attributes(t, t->root, p);
	*node = t->root;
	return 0;
}

static int put_entry(struct tree *t, struct put *p, struct tree_node **node, bool *hid,
		     struct error *err)
{
	const struct entry *e = p->e;
	const char *slash = strrchr(e->path, '/'), *name = slash ? slash + 1 : e->path;
	bool marker = e->type == ENTRY_WHITEOUT;
	struct tree_node *parent, *n, *target = NULL;

	if (e->type == ENTRY_OPAQUE)
		return put_opaque(t, e, node, hid);
	if (!*e->path)
		return put_root(t, p, node, err);
	if (find_parent(t, e, e->path, slash ? (size_t)(slash - e->path) : 0, !marker, &parent,
			&p->moved, err) < 0)
		return -1;
	if (marker) {
		*node = NULL;
		if (parent)
			put_whiteout(t, parent, name, node, hid);
		return 0;
	}
	if (e->type == ENTRY_HARDLINK) {
		if (find_target(t, e, &target, err) < 0)
			return -1;
		n = tree_child(parent, name, strlen(name), NULL);
		if (n && is_below(target, n))
			return corrupt(e, "a hard link to itself or into what it replaces", err);
	}
	n = take_place(t, parent, p, name);
	if (target)
		set_hardlink(t, n, target);
	else
		set_attributes(t, n, p);
	*node = n;
	return 0;
}

int tree_put(struct tree *t, const struct entry *e, struct tree_node **node, bool *hid,
	     struct error *err)
{
	struct put p = {.e = e};
	struct tree_node *there = NULL;
	bool hidden = false;

	if (put_entry(t, &p, &there, &hidden, err) < 0)
		return -1;
	if (node)
		*node = there;
	if (hid)
		*hid = hidden;
	return 0;
}

int tree_add_layer(struct tree *t, struct store *s, const struct digest *diff_id, struct error *err)
{
	AUTO_PTR(index_reader) r = NULL;
	struct tree_node *node;
	struct entry e;
	bool hid;
	int more;

	if (t->n_layers >= LIMIT_MANIFEST_LAYERS)
		return error_set(err, ERROR_CORRUPT, "an image of more than %d layers",
				 LIMIT_MANIFEST_LAYERS);
	if (index_reader_open(&r, s, diff_id, err) < 0)
		return -1;
	tree_begin_layer(t);
	while ((more = index_reader_next(r, &e, err)) > 0) {
		struct put p = {.e = &e,
				.name = index_reader_name(r),
				.content = index_reader_content(r),
				.views = true};

		if (put_entry(t, &p, &node, &hid, err) < 0) {
			more = -1;
			break;
		}
	}
	GROW(t->indexes, t->n_indexes + 1, t->cap_indexes);
	t->indexes[t->n_indexes++] = take_ptr(r);
	return more < 0 ? error_wrap(err, "layer %s", diff_id->text) : 0;
}

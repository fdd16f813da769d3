#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "oci/tree_private.h"

void tree_walk_release(struct tree_walk *w)
{
	if (w)
		strbuf_release(&w->missing);
}

/* ".." goes up lexically among what is missing, and stops at the root. */
static void walk_up(struct tree_walk *w)
{
	char *slash;

	if (!w->missing.len) {
		if (w->node->parent)
			w->node = w->node->parent;
		return;
	}
	slash = strrchr(w->missing.buf, '/');
	strbuf_truncate(&w->missing, slash ? (size_t)(slash - w->missing.buf) : 0);
}

static bool nothing_follows(const char *rest)
{
	return rest[strspn(rest, "/")] == '\0';
}

/* What is left to walk becomes the link's target and the rest. */
static void walk_link(struct tree_walk *w, const struct tree_node *link, struct strbuf *todo,
		      size_t *at)
{
	AUTO(strbuf) next = STRBUF_INIT;

	strbuf_puts(&next, link->link);
	strbuf_puts(&next, todo->buf + *at);
	strbuf_reset(todo);
	strbuf_add(todo, next.buf, next.len);
	*at = 0;
	w->moved = true;
}

enum tree_walk_result tree_walk(struct tree *t, const char *path, bool follow_last,
				struct tree_walk *w)
{
	AUTO(strbuf) todo = STRBUF_INIT;
	unsigned links = 0;
	size_t at = 0;

	strbuf_init(&w->missing);
	strbuf_puts(&todo, path);
	w->node = t->root;
	w->moved = false;
	while (!nothing_follows(todo.buf + at)) {
		const char *name = todo.buf + at + strspn(todo.buf + at, "/");
		size_t len = strcspn(name, "/");
		struct tree_node *child;

		at = (size_t)(name - todo.buf) + len;
		if (len == 1 && name[0] == '.')
			continue;
		if (len == 2 && name[0] == '.' && name[1] == '.') {
			walk_up(w);
			continue;
		}
		child = w->missing.len ? NULL : tree_child(w->node, name, len, NULL);
		if (!child) {
			if (w->missing.len)
				strbuf_putc(&w->missing, '/');
			strbuf_add(&w->missing, name, len);
			continue;
		}
		if (child->type == ENTRY_SYMLINK &&
		    (follow_last || !nothing_follows(todo.buf + at))) {
			if (++links > TREE_LINKS_MAX)
				return TREE_WALK_LOOP;
			if (child->link[0] == '/')
				w->node = t->root;
			walk_link(w, child, &todo, &at);
			continue;
		}
		w->node = child;
		if (child->type != ENTRY_DIR && !nothing_follows(todo.buf + at))
			return TREE_WALK_NOT_FOLDER;
	}
	return TREE_WALK_OK;
}

struct tree_node *tree_lookup(struct tree *t, const char *path, bool follow)
{
	AUTO(tree_walk) w = {0};

	if (tree_walk(t, path, follow, &w) != TREE_WALK_OK || w.missing.len)
		return NULL;
	return w.node;
}

int tree_resolve(struct tree *t, const char *path, bool follow_last, char **real,
		 struct tree_node **node, struct error *err)
{
	AUTO(tree_walk) w = {0};
	AUTO_FREE char *found = NULL;

	switch (tree_walk(t, path, follow_last, &w)) {
	case TREE_WALK_LOOP:
		return error_set(err, ERROR_SYNTAX,
				 "%s: more than %d symbolic links on the way in the image", path,
				 TREE_LINKS_MAX);
	case TREE_WALK_NOT_FOLDER:
		found = tree_path(w.node);
		return error_set(err, ERROR_SYNTAX, "%s: /%s is not a folder in the image", path,
				 found);
	case TREE_WALK_OK:
		break;
	}
	found = tree_path(w.node);
	if (!w.missing.len) {
		*real = take_ptr(found);
		*node = w.node;
		return 0;
	}
	*real = *found ? xstrfmt("%s/%s", found, w.missing.buf) : xstrdup(w.missing.buf);
	*node = NULL;
	return 0;
}

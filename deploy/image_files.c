#include "deploy/image_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* So many folders are told apart; what changes in more of them is only counted. */
#define MOST_FOLDERS 4096

struct folder_change {
	char *path;
	size_t added, removed, changed;
};

struct walk {
	struct image_files *out;
	size_t limit;     /* of lines */
	size_t n_changes; /* lines there would be without it */
	struct folder_change *folders;
	size_t n_folders, cap_folders, n_folders_more;
};

void image_files_release(struct image_files *f)
{
	strlist_release(&f->lines);
}

static void walk_release(struct walk *w)
{
	for (size_t i = 0; i < w->n_folders; i++)
		free(w->folders[i].path);
	free(w->folders);
}
CLEANUP_RELEASE(walk)

static bool same_xattrs(const struct tree_node *a, const struct tree_node *b)
{
	if (a->n_xattrs != b->n_xattrs)
		return false;
	for (size_t i = 0; i < a->n_xattrs; i++)
		if (strcmp(a->xattrs[i].name, b->xattrs[i].name) != 0 ||
		    a->xattrs[i].len != b->xattrs[i].len ||
		    memcmp(a->xattrs[i].value, b->xattrs[i].value, a->xattrs[i].len) != 0)
			return false;
	return true;
}

/* Without digests, which every index has but those of damaged stores, size and time have to do. */
static bool same_bytes(const struct tree_node *a, const struct tree_node *b)
{
	if (a->file.size != b->file.size)
		return false;
	if (!a->file.content || !b->file.content)
		return a->mtime == b->mtime;
	return memcmp(a->file.content, b->file.content, SHA256_SIZE) == 0;
}

static bool same_node(const struct tree_node *a, const struct tree_node *b)
{
	if (a->type != b->type || a->mode != b->mode || a->uid != b->uid || a->gid != b->gid ||
	    !same_xattrs(a, b))
		return false;
	if (a->type == ENTRY_FILE)
		return same_bytes(a, b);
	if (a->type == ENTRY_SYMLINK)
		return strcmp(a->link, b->link) == 0;
	return !tree_is_device(a) ||
	       (a->device.major == b->device.major && a->device.minor == b->device.minor);
}

/* Everything but folders; a folder without anything in it is one. */
static size_t count_files(const struct tree_node *n)
{
	size_t sum = 0;

	if (n->type != ENTRY_DIR || !n->folder.n_children)
		return 1;
	for (uint32_t i = 0; i < n->folder.n_children; i++)
		sum += count_files(n->folder.children[i]);
	return sum;
}

/* The counts of the folder, which is the last one as long as the walk stays in it. */
static struct folder_change *folder_of(struct walk *w, const struct tree_node *parent)
{
	AUTO_FREE char *path = tree_path(parent);

	if (w->n_folders && strcmp(w->folders[w->n_folders - 1].path, path) == 0)
		return &w->folders[w->n_folders - 1];
	if (w->n_folders == MOST_FOLDERS) {
		w->n_folders_more++;
		return &w->folders[w->n_folders - 1];
	}
	GROW(w->folders, w->n_folders + 1, w->cap_folders);
	w->folders[w->n_folders] = (struct folder_change){.path = take_ptr(path)};
	return &w->folders[w->n_folders++];
}

static void tell(struct walk *w, char sign, const struct tree_node *n)
{
	bool folder = n->type == ENTRY_DIR;
	size_t files = sign == '~' ? 1 : count_files(n);
	struct folder_change *f = folder_of(w, n->parent ? n->parent : n);
	AUTO_FREE char *path = tree_path(n);

	f->added += sign == '+' ? files : 0;
	f->removed += sign == '-' ? files : 0;
	f->changed += sign == '~';
	w->out->added += sign == '+' ? files : 0;
	w->out->removed += sign == '-' ? files : 0;
	w->out->changed += sign == '~';
	if (w->n_changes++ >= w->limit)
		return;
	if (folder && sign != '~' && n->folder.n_children)
		strlist_addf(&w->out->lines, "%c %s/ (%zu file%s)", sign, path, files,
			     files == 1 ? "" : "s");
	else
		strlist_addf(&w->out->lines, "%c %s%s", sign, path, folder ? "/" : "");
}

static void compare_nodes(struct walk *w, struct tree_node *a, struct tree_node *b);

/* Children are sorted by bytes on both sides. */
static void compare_folders(struct walk *w, struct tree_node *a, struct tree_node *b)
{
	uint32_t i = 0, k = 0;

	while (i < a->folder.n_children || k < b->folder.n_children) {
		int order;

		if (i == a->folder.n_children || k == b->folder.n_children) {
			order = i == a->folder.n_children ? 1 : -1;
		} else {
			order = strcmp(a->folder.children[i]->name, b->folder.children[k]->name);
		}
		if (order < 0)
			tell(w, '-', a->folder.children[i]);
		else if (order > 0)
			tell(w, '+', b->folder.children[k]);
		else
			compare_nodes(w, a->folder.children[i], b->folder.children[k]);
		i += order <= 0;
		k += order >= 0;
	}
}

static void compare_nodes(struct walk *w, struct tree_node *a, struct tree_node *b)
{
	if (!same_node(a, b))
		tell(w, '~', b);
	if (a->type == ENTRY_DIR && b->type == ENTRY_DIR)
		compare_folders(w, a, b);
}

static int by_count(const void *a, const void *b)
{
	const struct folder_change *x = a, *y = b;
	size_t n = x->added + x->removed + x->changed, m = y->added + y->removed + y->changed;

	return n > m ? -1 : n < m ? 1 : strcmp(x->path, y->path);
}

static void folder_line(const struct folder_change *f, struct strlist *out)
{
	AUTO(strbuf) line = STRBUF_INIT;
	const char *const words[] = {"added", "removed", "changed"};
	const size_t counts[] = {f->added, f->removed, f->changed};
	const char *between = ": ";

	strbuf_printf(&line, "%s/", f->path);
	for (size_t i = 0; i < 3; i++) {
		if (!counts[i])
			continue;
		strbuf_printf(&line, "%s%zu %s", between, counts[i], words[i]);
		between = ", ";
	}
	strlist_add(out, line.buf);
}

/* Too many for a line each: the folders with the most come first. */
static void sum_up(struct walk *w)
{
	qsort(w->folders, w->n_folders, sizeof(*w->folders), by_count);
	strlist_clear(&w->out->lines);
	for (size_t i = 0; i < w->n_folders && i < w->limit; i++)
		folder_line(&w->folders[i], &w->out->lines);
	w->out->n_more = w->n_folders - w->out->lines.n + w->n_folders_more;
}

void image_files_compare(struct image_files *out, struct tree *old, struct tree *now, size_t lines)
{
	AUTO(walk) w = {.out = out, .limit = lines};

	compare_nodes(&w, tree_root(old), tree_root(now));
	if (w.n_changes > lines)
		sum_up(&w);
}

#include "builder/copy_plan.h"

#include <malloc.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/strbuf.h"

#define CHUNK     (64u << 10)
#define MAX_LINKS 40
#define LARGE     (4u << 20)

struct chunk {
	struct chunk *next;
	char bytes[];
};

struct plan {
	struct chunk *chunks;
	size_t used, cap;
	size_t total; /* of all chunks */
	struct plan_node *root;
	struct plan_owner made;
	int64_t made_mtime;
};

static void *take(struct plan *p, size_t size, size_t align)
{
	size_t at = (p->used + align - 1) / align * align;
	struct chunk *chunk;

	if (!p->chunks || at + size > p->cap) {
		p->cap = size > CHUNK ? size : CHUNK;
		chunk = xmalloc(sizeof(*chunk) + p->cap);
		chunk->next = p->chunks;
		p->chunks = chunk;
		p->total += p->cap;
		at = 0;
	}
	p->used = at + size;
	return p->chunks->bytes + at;
}

const char *plan_text(struct plan *p, const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(take(p, size, 1), text, size);
}

void *plan_keep(struct plan *p, size_t size)
{
	return take(p, size, sizeof(void *));
}

static struct plan_node *new_node(struct plan *p, struct plan_node *parent, const char *name)
{
	struct plan_node *n = take(p, sizeof(*n), sizeof(void *));

	*n = (struct plan_node){.name = name, .parent = parent};
	return n;
}

struct plan *plan_new(struct tree *below, struct plan_owner made, int64_t made_mtime)
{
	struct plan *p = xcalloc(1, sizeof(*p));

	p->made = made;
	p->made_mtime = made_mtime;
	p->root = new_node(p, NULL, "");
	p->root->type = ENTRY_DIR;
	p->root->folder.below = below ? tree_root(below) : NULL;
	return p;
}

static void free_children(struct plan_node *n)
{
	if (n->type != ENTRY_DIR)
		return;
	for (uint32_t i = 0; i < plan_n_children(n); i++)
		free_children(n->folder.children->items[i]);
	free(n->folder.children);
}

void plan_free(struct plan *p)
{
	struct chunk *chunk;
	bool large;

	if (!p)
		return;
	large = p->total > LARGE;
	free_children(p->root);
	while ((chunk = p->chunks)) {
		p->chunks = chunk->next;
		free(chunk);
	}
	free(p);
	/* else the pages stay ours, below whatever was allocated after them */
	if (large)
		malloc_trim(0);
}

struct plan_node *plan_root(struct plan *p)
{
	return p->root;
}

bool plan_is_written(const struct plan_node *n)
{
	if (n->content != PLAN_UNCHANGED)
		return true;
	for (uint32_t i = 0; i < plan_n_children(n); i++)
		if (plan_is_written(n->folder.children->items[i]))
			return true;
	return false;
}

char *plan_path(const struct plan_node *n)
{
	AUTO(strbuf) path = STRBUF_INIT;

	for (; n->parent; n = n->parent) {
		if (path.len)
			strbuf_insert(&path, 0, "/", 1);
		strbuf_insert(&path, 0, n->name, strlen(n->name));
	}
	return strbuf_detach(&path, NULL);
}

/* Order of a name that ends with its string and one of len bytes. */
static int compare_name(const char *have, const char *name, size_t len)
{
	int order = strncmp(have, name, len);

	return order ? order : have[len] != '\0';
}

/* Index of name, or where it belongs. Walks come in order: the end is tried first. */
static uint32_t find_slot(const struct plan_node *dir, const char *name, size_t len, bool *found)
{
	const struct plan_children *c = dir->folder.children;
	uint32_t low = 0, high = c ? c->n : 0;

	*found = false;
	if (!high || compare_name(c->items[high - 1]->name, name, len) < 0)
		return high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = compare_name(c->items[middle]->name, name, len);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct plan_node *plan_child(const struct plan_node *dir, const char *name, size_t len)
{
	bool found;
	uint32_t i = find_slot(dir, name, len, &found);

	return found ? dir->folder.children->items[i] : NULL;
}

static struct tree_node *find_below(const struct plan_node *dir, const char *name)
{
	const struct tree_node *below = dir->folder.below;
	uint32_t low = 0, high = below ? below->folder.n_children : 0;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strcmp(below->folder.children[middle]->name, name);

		if (order == 0)
			return below->folder.children[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static struct plan_node *add_child(struct plan *p, struct plan_node *parent, const char *name)
{
	struct plan_children *c = parent->folder.children;
	bool found;
	uint32_t i = find_slot(parent, name, strlen(name), &found);
	struct plan_node *n = new_node(p, parent, name);

	if (!c || c->n == c->cap) {
		uint32_t cap = c ? c->cap * 2 : 8, count = c ? c->n : 0;

		c = xrealloc(c, sizeof(*c) + cap * sizeof(struct plan_node *));
		c->n = count;
		c->cap = cap;
		parent->folder.children = c;
	}
	memmove(c->items + i + 1, c->items + i, (c->n - i) * sizeof(struct plan_node *));
	c->items[i] = n;
	c->n++;
	return n;
}

/* A folder of the image, as it is: layers carry the parents of what they hold. */
static struct plan_node *add_existing(struct plan *p, struct plan_node *dir,
				      struct tree_node *below)
{
	struct plan_node *n = add_child(p, dir, plan_text(p, below->name));

	n->type = ENTRY_DIR;
	n->content = PLAN_UNCHANGED;
	n->mode = below->mode;
	n->uid = below->uid;
	n->gid = below->gid;
	n->mtime = below->mtime;
	n->xattrs = below->xattrs;
	n->n_xattrs = below->n_xattrs;
	n->folder.below = below;
	return n;
}

static void make_folder(const struct plan *p, struct plan_node *n)
{
	n->type = ENTRY_DIR;
	n->mode = 0755;
	n->uid = p->made.uid;
	n->gid = p->made.gid;
	n->mtime = p->made_mtime;
}

static struct plan_node *add_made(struct plan *p, struct plan_node *dir, const char *name)
{
	struct plan_node *n = add_child(p, dir, plan_text(p, name));

	make_folder(p, n);
	return n;
}

/* What a path component is now. */
struct found {
	struct plan_node *planned;
	struct tree_node *below;
	const char *link; /* target when it is a symbolic link */
	bool is_dir;
};

static struct found look(const struct plan_node *dir, const char *name)
{
	struct found f = {.planned = plan_child(dir, name, strlen(name))};

	if (f.planned) {
		f.is_dir = f.planned->type == ENTRY_DIR;
		f.link = f.planned->type == ENTRY_SYMLINK ? f.planned->link : NULL;
		return f;
	}
	f.below = find_below(dir, name);
	if (f.below) {
		f.is_dir = f.below->type == ENTRY_DIR;
		f.link = f.below->type == ENTRY_SYMLINK ? f.below->link : NULL;
	}
	return f;
}

/* BuildKit's words, which people search for. */
static int refuse(const struct plan_node *dir, const char *name, bool is_dir, struct error *err)
{
	AUTO_FREE char *path = plan_path(dir);
	const char *slash = *path ? "/" : "";

	if (is_dir)
		return error_set(err, ERROR_SYNTAX, "cannot copy to non-directory: /%s%s%s", path,
				 slash, name);
	return error_set(err, ERROR_SYNTAX, "cannot replace to directory /%s%s%s with file", path,
			 slash, name);
}

struct steps {
	struct plan_node *at;
	char *rest; /* what is left of the path */
	int links;
};

/* Puts a link's target in front of the rest. */
static int follow(struct plan *p, struct steps *s, const char *target, const char *rest,
		  const char *path, struct error *err)
{
	char *joined = *rest ? xstrfmt("%s/%s", target, rest) : xstrdup(target);

	free(s->rest);
	s->rest = joined;
	if (++s->links > MAX_LINKS)
		return error_set(err, ERROR_SYNTAX, "%s: too many levels of symbolic links", path);
	if (path_is_absolute(target))
		s->at = p->root;
	return 0;
}

/* Goes into a folder called name: the one that is there, or a new one. */
static int enter(struct plan *p, struct steps *s, const struct found *f, const char *name,
		 bool replace, struct error *err)
{
	if (f->planned && f->is_dir) {
		s->at = f->planned;
	} else if (f->below && f->is_dir) {
		s->at = add_existing(p, s->at, f->below);
	} else if (!f->planned && !f->below) {
		s->at = add_made(p, s->at, name);
	} else if (replace) {
		if (plan_put(p, s->at, plan_text(p, name), ENTRY_DIR, true, &s->at, err) < 0)
			return -1;
		make_folder(p, s->at);
	} else {
		return refuse(s->at, name, true, err);
	}
	return 0;
}

int plan_resolve(struct plan *p, const char *path, bool replace, struct plan_place *out,
		 struct error *err)
{
	struct steps s = {.at = p->root, .rest = xstrdup(path)};
	int result = 0;

	while (result == 0) {
		char *start = s.rest + strspn(s.rest, "/");
		size_t len = strcspn(start, "/");
		AUTO_FREE char *name = xstrndup(start, len);
		AUTO_FREE char *rest = xstrdup(start + len + strspn(start + len, "/"));
		struct found f;

		if (!*name) {
			*out = (struct plan_place){
				.dir = s.at, .name = "", .exists = true, .is_dir = true};
			break;
		}
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
			if (name[1] && s.at->parent)
				s.at = s.at->parent;
			free(s.rest);
			s.rest = take_ptr(rest);
			continue;
		}
		f = look(s.at, name);
		if (f.link) {
			result = follow(p, &s, f.link, rest, path, err);
			continue;
		}
		if (!*rest) {
			*out = (struct plan_place){
				.dir = s.at,
				.name = plan_text(p, name),
				.exists = f.planned || f.below,
				.is_dir = f.is_dir,
			};
			break;
		}
		result = enter(p, &s, &f, name, replace, err);
		free(s.rest);
		s.rest = take_ptr(rest);
	}
	free(s.rest);
	return result;
}

int plan_folder(struct plan *p, const char *path, bool replace, struct plan_node **out,
		struct error *err)
{
	struct plan_place place;
	struct steps s;
	struct found f;

	if (plan_resolve(p, path, replace, &place, err) < 0)
		return -1;
	*out = place.dir;
	if (!*place.name)
		return 0;
	s = (struct steps){.at = place.dir};
	f = look(place.dir, place.name);
	if (enter(p, &s, &f, place.name, replace, err) < 0)
		return -1;
	*out = s.at;
	return 0;
}

static void clear_node(struct plan_node *n)
{
	struct plan_node *parent = n->parent;
	const char *name = n->name;

	free_children(n);
	*n = (struct plan_node){.name = name, .parent = parent};
}

int plan_put(struct plan *p, struct plan_node *dir, const char *name, enum entry_type type,
	     bool replace, struct plan_node **out, struct error *err)
{
	struct found f = look(dir, name);
	bool is_dir = type == ENTRY_DIR;
	struct plan_node *n = f.planned;

	if ((f.planned || f.below) && is_dir != f.is_dir && !replace)
		return refuse(dir, name, is_dir, err);
	if (n && !(is_dir && f.is_dir)) {
		struct tree_node *hidden = find_below(dir, name);

		clear_node(n);
		/* a folder of the image that something else replaced in between does not come back */
		if (is_dir && hidden && hidden->type == ENTRY_DIR)
			n->content = PLAN_OPAQUE;
	}
	if (!n)
		n = add_child(p, dir, name);
	n->type = (uint16_t)type & 0xf;
	plan_touch(n);
	if (is_dir && f.below && f.is_dir)
		n->folder.below = f.below;
	*out = n;
	return 0;
}

void plan_same(struct plan_node *n, const struct plan_node *as)
{
	const struct plan_node old = *n;

	*n = *as;
	n->name = old.name;
	n->parent = old.parent;
}

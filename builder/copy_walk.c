#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "builder/copy_source.h"

/* Folders held open at once; below that depth a folder is opened again by its path. */
#define MAX_OPEN 64

struct walk {
	const struct copy_request *r;
	const struct copy_match *match;
	const struct ignore *ignore; /* of the context */
	struct ignore *excludes;     /* --exclude, relative to the match */
	char *prefix;                /* --parents: what excludes see before rel; else NULL */
	int (*visit)(void *arg, const struct copy_item *item, struct error *err);
	void *arg;
	struct strbuf rel, path, excluded;
	int depth;
};

/* A folder on the way down. One that was left out may have to come: something below it is taken back. */
struct level {
	struct level *above;
	size_t rel_len, path_len;
	bool shown;
	struct stat st;         /* in a context */
	int fd;                 /* -1: opened again when it is needed */
	struct tree_node *node; /* in an image */
};

static void push(struct walk *w, const char *name)
{
	if (w->rel.len)
		strbuf_putc(&w->rel, '/');
	strbuf_puts(&w->rel, name);
	if (w->path.len)
		strbuf_putc(&w->path, '/');
	strbuf_puts(&w->path, name);
}

static void pop(struct walk *w, const struct level *to)
{
	strbuf_truncate(&w->rel, to->rel_len);
	strbuf_truncate(&w->path, to->path_len);
}

/* What --exclude patterns see; "" for a folder that is only the root of its contents. */
static const char *excluded_path(struct walk *w, bool is_dir)
{
	if (!w->prefix)
		return w->rel.len || is_dir ? w->rel.buf : w->match->name;
	strbuf_reset(&w->excluded);
	strbuf_puts(&w->excluded, w->prefix);
	if (w->rel.len)
		strbuf_printf(&w->excluded, "/%s", w->rel.buf);
	return w->excluded.buf;
}

enum choice { TAKE, LEAVE, LOOK_BELOW };

static enum choice choose(struct walk *w, bool is_dir)
{
	enum choice choice = TAKE;
	const char *excluded;

	if (w->path.len && ignore_match(w->ignore, w->path.buf, NULL)) {
		if (!is_dir || !ignore_may_reinclude_below(w->ignore, w->path.buf))
			return LEAVE;
		choice = LOOK_BELOW;
	}
	if (!w->excludes)
		return choice;
	excluded = excluded_path(w, is_dir);
	if (*excluded && ignore_match(w->excludes, excluded, NULL)) {
		if (!is_dir || !ignore_may_reinclude_below(w->excludes, excluded))
			return LEAVE;
		choice = LOOK_BELOW;
	}
	return choice;
}

static int fill_entry(const struct walk *w, const struct stat *st, struct copy_item *item,
		      struct error *err)
{
	struct entry *e = &item->e;

	*e = (struct entry){
		.path = item->rel,
		.mode = st->st_mode & 07777,
		.mtime = st->st_mtim.tv_sec,
		.dev_major = major(st->st_rdev),
		.dev_minor = minor(st->st_rdev),
	};
	context_adjust(w->r->context, item->path, S_ISDIR(st->st_mode), w->r->folder_mtime, e);
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		e->type = ENTRY_FILE;
		e->size = st->st_size;
		break;
	case S_IFDIR:
		e->type = ENTRY_DIR;
		break;
	case S_IFLNK:
		e->type = ENTRY_SYMLINK;
		e->mode = 0777;
		break;
	case S_IFIFO:
		e->type = ENTRY_FIFO;
		break;
	case S_IFCHR:
		e->type = ENTRY_CHAR;
		break;
	case S_IFBLK:
		e->type = ENTRY_BLOCK;
		break;
	default:
		return error_set(err, ERROR_UNSUPPORTED, "%s/%s has an unknown type",
				 w->r->context->path, item->path);
	}
	if (e->type == ENTRY_FILE && st->st_nlink > 1) {
		item->link_dev = st->st_dev;
		item->link_ino = st->st_ino;
	}
	item->st = st;
	return 0;
}

/* Shows one entry of a context; link targets are read here. */
static int show(struct walk *w, int dirfd, const char *name, const struct stat *st,
		struct error *err)
{
	struct copy_item item = {.rel = w->rel.buf, .path = w->path.buf};
	char target[LIMIT_PATH_BYTES + 1];
	ssize_t n;

	if (S_ISSOCK(st->st_mode)) {
		report_step_note(w->r->reporter, w->r->step, "%s is a socket: skipped",
				 w->path.buf);
		return 0;
	}
	if (fill_entry(w, st, &item, err) < 0)
		return -1;
	if (item.e.type == ENTRY_SYMLINK) {
		n = readlinkat(dirfd, name, target, sizeof(target) - 1);
		if (n < 0)
			return error_errno(err, "read the link %s/%s", w->r->context->path,
					   w->path.buf);
		target[n] = '\0';
		item.e.link = target;
	}
	return w->visit(w->arg, &item, err);
}

static int show_node(struct walk *w, struct tree_node *n, struct error *err)
{
	struct copy_item item = {.rel = w->rel.buf, .path = w->path.buf, .node = n};

	tree_entry(n, w->rel.buf, &item.e);
	if (n->type == ENTRY_FILE) {
		item.link_dev = 1;
		item.link_ino = n->inode;
	}
	return w->visit(w->arg, &item, err);
}

/* Shows the left-out folders that lead to what is about to be shown, outermost first. */
static int show_pending(struct walk *w, struct level *l, struct error *err)
{
	AUTO_FREE char *rel = NULL;
	AUTO_FREE char *path = NULL;
	int result;

	if (!l || l->shown)
		return 0;
	if (show_pending(w, l->above, err) < 0)
		return -1;
	l->shown = true;
	rel = xstrdup(w->rel.buf + l->rel_len);
	path = xstrdup(w->path.buf + l->path_len);
	pop(w, l);
	result = l->node ? show_node(w, l->node, err) : show(w, -1, NULL, &l->st, err);
	strbuf_puts(&w->rel, rel);
	strbuf_puts(&w->path, path);
	return result;
}

/* Names of a folder, one after the other in one buffer. */
struct names {
	struct strbuf bytes;
	uint32_t *at;
	size_t n, cap;
};

static void names_release(struct names *s)
{
	strbuf_release(&s->bytes);
	free(s->at);
}

CLEANUP_RELEASE(names)

static int compare_at(const void *a, const void *b, void *bytes)
{
	const char *base = bytes;

	return strcmp(base + *(const uint32_t *)a, base + *(const uint32_t *)b);
}

/* dirfd stays open: reading goes through a descriptor of its own. */
static int read_names(struct walk *w, int dirfd, struct names *names, struct error *err)
{
	int own = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = own < 0 ? NULL : fdopendir(own);
	struct dirent *entry;

	if (!d) {
		copy_cannot_open(w->r, w->path.buf, err);
		if (own >= 0)
			close(own);
		return -1;
	}
	errno = 0;
	while ((entry = readdir(d))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		GROW(names->at, names->n + 1, names->cap);
		names->at[names->n++] = (uint32_t)names->bytes.len;
		strbuf_add(&names->bytes, entry->d_name, strlen(entry->d_name) + 1);
	}
	if (errno) {
		error_errno(err, "read the folder %s/%s", w->r->context->path, w->path.buf);
		closedir(d);
		return -1;
	}
	closedir(d);
	if (names->n)
		qsort_r(names->at, names->n, sizeof(*names->at), compare_at, names->bytes.buf);
	return 0;
}

/* The descriptor of a folder whose path is w->path's beginning. */
static int level_fd(struct walk *w, struct level *l, struct error *err)
{
	AUTO_FREE char *path = NULL;

	if (l->fd >= 0)
		return l->fd;
	path = xstrndup(w->path.buf, l->path_len);
	l->fd = fs_openat_beneath(w->r->context->dirfd, *path ? path : ".", O_RDONLY | O_DIRECTORY,
				  0);
	return l->fd < 0 ? copy_cannot_open(w->r, path, err) : l->fd;
}

static void level_close(struct level *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static int walk_folder(struct walk *w, struct level *l, struct error *err);

static int enter(struct walk *w, struct level *from, const char *name, struct level *to,
		 struct error *err)
{
	int result;

	to->fd = openat(from->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to->fd < 0)
		return copy_cannot_open(w->r, w->path.buf, err);
	to->above = from;
	to->rel_len = w->rel.len;
	to->path_len = w->path.len;
	if (w->depth >= MAX_OPEN)
		level_close(from);
	w->depth++;
	result = walk_folder(w, to, err);
	w->depth--;
	level_close(to);
	return result;
}

/* One name of a folder: ignored, excluded, shown, entered. w->path ends with it. */
static int walk_name(struct walk *w, struct level *in, const char *name, struct error *err)
{
	struct level here = {.fd = -1};
	enum choice choice;
	bool is_dir;

	if (level_fd(w, in, err) < 0)
		return -1;
	if (fstatat(in->fd, name, &here.st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "look at %s/%s", w->r->context->path, w->path.buf);
	is_dir = S_ISDIR(here.st.st_mode);
	choice = choose(w, is_dir);
	if (choice == LEAVE)
		return 0;
	if (cancel_check(w->r->cancel, err) < 0)
		return -1;
	if (choice == TAKE) {
		if (show_pending(w, in, err) < 0 || show(w, in->fd, name, &here.st, err) < 0)
			return -1;
		here.shown = true;
	}
	return is_dir ? enter(w, in, name, &here, err) : 0;
}

static int walk_folder(struct walk *w, struct level *l, struct error *err)
{
	AUTO(names) names = {.bytes = STRBUF_INIT};
	int result = read_names(w, l->fd, &names, err);

	for (size_t i = 0; result == 0 && i < names.n; i++) {
		const char *name = names.bytes.buf + names.at[i];

		push(w, name);
		if (w->path.len > LIMIT_PATH_BYTES)
			result = error_set(err, ERROR_UNSUPPORTED,
					   "the path %s is longer than %d bytes", w->path.buf,
					   LIMIT_PATH_BYTES);
		else
			result = walk_name(w, l, name, err);
		pop(w, l);
	}
	return result;
}

static int walk_context(struct walk *w, struct error *err)
{
	const char *path = w->match->path;
	struct level top = {.fd = -1, .path_len = w->path.len};
	enum choice choice;
	int result = 0;

	top.fd = fs_openat_beneath(w->r->context->dirfd, *path ? path : ".",
				   w->match->is_dir ? O_RDONLY | O_DIRECTORY : O_PATH | O_NOFOLLOW,
				   0);
	if (top.fd < 0)
		return copy_cannot_open(w->r, path, err);
	if (fstat(top.fd, &top.st) < 0)
		result = error_errno(err, "look at %s/%s", w->r->context->path, path);
	choice = choose(w, w->match->is_dir);
	if (result == 0 && choice == TAKE) {
		result = show(w, top.fd, "", &top.st, err);
		top.shown = true;
	}
	if (result == 0 && choice != LEAVE && w->match->is_dir)
		result = walk_folder(w, &top, err);
	level_close(&top);
	return result;
}

static int walk_image(struct walk *w, struct tree_node *n, struct level *above, struct error *err)
{
	bool is_dir = n->type == ENTRY_DIR;
	struct level here = {.above = above,
			     .rel_len = w->rel.len,
			     .path_len = w->path.len,
			     .fd = -1,
			     .node = n};
	enum choice choice = choose(w, is_dir);
	int result = cancel_check(w->r->cancel, err);

	if (result == 0 && choice == TAKE) {
		result = show_pending(w, above, err);
		if (result == 0)
			result = show_node(w, n, err);
		here.shown = true;
	}
	if (!is_dir || choice == LEAVE)
		return result;
	for (uint32_t i = 0; result == 0 && i < n->folder.n_children; i++) {
		push(w, n->folder.children[i]->name);
		result = walk_image(w, n->folder.children[i], &here, err);
		pop(w, &here);
	}
	return result;
}

bool copy_match_keeps_folder(const struct copy_match *m)
{
	return m->parents && *m->name;
}

static void walk_release(struct walk *w)
{
	ignore_free(w->excludes);
	free(w->prefix);
	strbuf_release(&w->rel);
	strbuf_release(&w->path);
	strbuf_release(&w->excluded);
}

CLEANUP_RELEASE(walk)

static void walk_init(struct walk *w, const struct copy_request *r, const struct copy_match *m)
{
	*w = (struct walk){.r = r, .match = m, .ignore = r->from ? NULL : r->context->ignore};
	strbuf_init(&w->rel);
	strbuf_init(&w->path);
	strbuf_init(&w->excluded);
	strbuf_puts(&w->path, m->path);
}

int copy_walk(const struct copy_request *r, const struct copy_match *m,
	      int (*visit)(void *arg, const struct copy_item *item, struct error *err), void *arg,
	      struct error *err)
{
	const struct strlist *excludes = &r->instruction->copy.excludes;
	AUTO(walk) w;

	walk_init(&w, r, m);
	w.visit = visit;
	w.arg = arg;
	if (excludes->n && ignore_from_patterns(&w.excludes, excludes, err) < 0)
		return instruction_error_at(err, r->instruction, "--exclude");
	if (copy_match_keeps_folder(m))
		w.prefix = *m->parents ? xstrfmt("%s/%s", m->parents, m->name) : xstrdup(m->name);
	return r->from ? walk_image(&w, m->node, NULL, err) : walk_context(&w, err);
}

struct probe {
	bool found;
};

static int stop_at_first(void *arg, const struct copy_item *item, struct error *err)
{
	struct probe *p = arg;

	(void)item;
	p->found = true;
	return error_set(err, ERROR_CANCELLED, "found");
}

int copy_has_reincluded(const struct copy_request *r, const char *path, bool *found,
			struct error *err)
{
	struct copy_match m = {.path = xstrdup(path), .name = xstrdup(""), .is_dir = true};
	AUTO(error) problem = ERROR_INIT;
	struct probe p = {.found = false};
	AUTO(walk) w;
	int result;

	walk_init(&w, r, &m);
	w.visit = stop_at_first;
	w.arg = &p;
	result = walk_context(&w, &problem);
	free(m.path);
	free(m.name);
	*found = p.found;
	return result < 0 && !p.found ? error_move(err, &problem) : 0;
}

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
#include "base/time.h"
#include "builder/copy_source.h"

#define READ_BLOCK (256u << 10)

struct walk {
	const struct copy_request *r;
	const struct copy_match *match;
	struct ignore *excludes; /* --exclude, relative to the match */
	int (*visit)(void *arg, const struct copy_item *item, struct error *err);
	void *arg;
	struct strbuf rel, path;
};

/* Folders above the present one that were left out, but may have to come: the ignore file took back something below. */
struct pending {
	struct pending *above;
	size_t rel_len, path_len;
	struct stat st;
	bool shown;
};

static bool is_excluded(const struct walk *w, bool is_dir)
{
	const char *rel = w->rel.len ? w->rel.buf : is_dir ? "" : w->match->name;

	return w->excludes && *rel && ignore_match(w->excludes, rel, NULL);
}

static int fill_folder_entry(const struct walk *w, const struct stat *st, struct copy_item *item,
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
	if (fill_folder_entry(w, st, &item, err) < 0)
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

/* Shows the left-out folders that lead to what is about to be shown, outermost first. */
static int show_pending(struct walk *w, struct pending *p, struct error *err)
{
	size_t rel_len = w->rel.len, path_len = w->path.len;
	AUTO_FREE char *rel_rest = NULL;
	AUTO_FREE char *path_rest = NULL;
	int result;

	if (!p || p->shown)
		return 0;
	if (show_pending(w, p->above, err) < 0)
		return -1;
	p->shown = true;
	rel_rest = xstrdup(w->rel.buf + p->rel_len);
	path_rest = xstrdup(w->path.buf + p->path_len);
	strbuf_truncate(&w->rel, p->rel_len);
	strbuf_truncate(&w->path, p->path_len);
	result = show(w, -1, NULL, &p->st, err);
	strbuf_add(&w->rel, rel_rest, rel_len - p->rel_len);
	strbuf_add(&w->path, path_rest, path_len - p->path_len);
	return result;
}

static int read_names(int fd, struct strlist *names, const char *path, struct error *err)
{
	DIR *d = fdopendir(fd);
	struct dirent *entry;

	if (!d) {
		close(fd);
		return error_errno(err, "read the folder %s", path);
	}
	errno = 0;
	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			strlist_add(names, entry->d_name);
	if (errno) {
		error_errno(err, "read the folder %s", path);
		closedir(d);
		return -1;
	}
	closedir(d);
	strlist_sort(names);
	return 0;
}

static int walk_folder(struct walk *w, int dirfd, struct pending *above, struct error *err);

/* One name of a folder: ignored, excluded, shown, entered. */
static int walk_name(struct walk *w, int dirfd, const char *name, struct pending *above,
		     struct error *err)
{
	const struct ignore *ignore = w->r->context->ignore;
	struct pending here = {.above = above, .rel_len = w->rel.len, .path_len = w->path.len};
	bool is_dir, left_out;
	int fd, result;

	if (fstatat(dirfd, name, &here.st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "look at %s/%s", w->r->context->path, w->path.buf);
	is_dir = S_ISDIR(here.st.st_mode);
	left_out = ignore_match(ignore, w->path.buf, NULL);
	if (left_out && !(is_dir && ignore_may_reinclude_below(ignore, w->path.buf)))
		return 0;
	if (is_excluded(w, is_dir)) {
		if (!is_dir || !ignore_may_reinclude_below(w->excludes, w->rel.buf))
			return 0;
		left_out = true;
	}
	if (cancel_check(w->r->cancel, err) < 0)
		return -1;
	if (!left_out) {
		if (show_pending(w, above, err) < 0 || show(w, dirfd, name, &here.st, err) < 0)
			return -1;
		here.shown = true;
	}
	if (!is_dir)
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "open the folder %s/%s", w->r->context->path, w->path.buf);
	result = walk_folder(w, fd, &here, err);
	close(fd);
	return result;
}

static int walk_folder(struct walk *w, int dirfd, struct pending *above, struct error *err)
{
	AUTO(strlist) names = STRLIST_INIT;
	size_t rel_len = w->rel.len, path_len = w->path.len;

	/* a descriptor of its own: reading a folder moves the offset */
	if (read_names(fcntl(dirfd, F_DUPFD_CLOEXEC, 3), &names, w->path.buf, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		int result;

		if (rel_len)
			strbuf_putc(&w->rel, '/');
		strbuf_puts(&w->rel, names.items[i]);
		if (path_len)
			strbuf_putc(&w->path, '/');
		strbuf_puts(&w->path, names.items[i]);
		if (w->path.len >= LIMIT_PATH_BYTES)
			return error_set(err, ERROR_UNSUPPORTED,
					 "the path %s is longer than %d bytes", w->path.buf,
					 LIMIT_PATH_BYTES);
		result = walk_name(w, dirfd, names.items[i], above, err);
		strbuf_truncate(&w->rel, rel_len);
		strbuf_truncate(&w->path, path_len);
		if (result < 0)
			return -1;
	}
	return 0;
}

static int walk_context(struct walk *w, struct error *err)
{
	const char *path = w->match->path;
	const struct ignore *ignore = w->r->context->ignore;
	struct pending top = {0};
	AUTO_FD int fd = fs_openat_beneath(
		w->r->context->dirfd, *path ? path : ".",
		w->match->is_dir ? O_RDONLY | O_DIRECTORY : O_PATH | O_NOFOLLOW, 0);

	if (fd < 0 || fstat(fd, &top.st) < 0)
		return error_errno(err, "open %s/%s", w->r->context->path, path);
	top.path_len = w->path.len;
	if (!w->match->is_dir)
		return is_excluded(w, false) ? 0 : show(w, fd, "", &top.st, err);
	if (!*path || !ignore_match(ignore, path, NULL)) {
		if (show(w, fd, "", &top.st, err) < 0)
			return -1;
		top.shown = true;
	}
	return walk_folder(w, fd, &top, err);
}

static int walk_image(struct walk *w, struct tree_node *n, struct error *err)
{
	struct copy_item item = {.rel = w->rel.buf, .path = w->path.buf, .node = n};
	bool left_out = is_excluded(w, n->type == ENTRY_DIR);
	size_t rel_len = w->rel.len, path_len = w->path.len;

	if (left_out &&
	    !(n->type == ENTRY_DIR && ignore_may_reinclude_below(w->excludes, w->rel.buf)))
		return 0;
	tree_entry(n, w->rel.buf, &item.e);
	if (n->type == ENTRY_FILE) {
		item.link_dev = 1;
		item.link_ino = n->inode;
	}
	if (!left_out && w->visit(w->arg, &item, err) < 0)
		return -1;
	for (uint32_t i = 0; i < n->n_children; i++) {
		int result;

		if (rel_len)
			strbuf_putc(&w->rel, '/');
		strbuf_puts(&w->rel, n->children[i]->name);
		if (path_len)
			strbuf_putc(&w->path, '/');
		strbuf_puts(&w->path, n->children[i]->name);
		result = walk_image(w, n->children[i], err);
		strbuf_truncate(&w->rel, rel_len);
		strbuf_truncate(&w->path, path_len);
		if (result < 0)
			return -1;
	}
	return 0;
}

int copy_walk(const struct copy_request *r, const struct copy_match *m,
	      int (*visit)(void *arg, const struct copy_item *item, struct error *err), void *arg,
	      struct error *err)
{
	struct walk w = {.r = r, .match = m, .visit = visit, .arg = arg};
	int result;

	strbuf_init(&w.rel);
	strbuf_init(&w.path);
	strbuf_puts(&w.path, m->path);
	if (r->instruction->copy.excludes.n &&
	    ignore_from_patterns(&w.excludes, &r->instruction->copy.excludes, err) < 0)
		result = error_wrap(err, "--exclude");
	else
		result = r->from ? walk_image(&w, m->node, err) : walk_context(&w, err);
	ignore_free(w.excludes);
	strbuf_release(&w.rel);
	strbuf_release(&w.path);
	return result;
}

int copy_open_file(const struct copy_request *r, const char *path, const struct entry *e, int *fd,
		   struct stat *st, struct error *err)
{
	AUTO_FD int opened = fs_openat_beneath(r->context->dirfd, path, O_RDONLY | O_NONBLOCK, 0);

	if (opened < 0) {
		error_errno(err, "open %s/%s", r->context->path, path);
		if (errno == EACCES)
			error_hint(err, "Make it readable, or exclude it in .dockerignore.");
		return -1;
	}
	if (fstat(opened, st) < 0)
		return error_errno(err, "look at %s/%s", r->context->path, path);
	if (!S_ISREG(st->st_mode) || st->st_size != e->size)
		return error_set(err, ERROR_CORRUPT,
				 "%s/%s changed while the build was reading it: build again",
				 r->context->path, path);
	*fd = take_fd(opened);
	return 0;
}

static int hash_file(int fd, int64_t size, const char *path, uint8_t digest[SHA256_SIZE],
		     const struct cancel *cancel, struct error *err)
{
	AUTO_FREE char *block = xmalloc(READ_BLOCK);
	AUTO(sha256) h = SHA256_INIT;
	int64_t total = 0;
	ssize_t n;

	while ((n = read(fd, block, READ_BLOCK)) > 0) {
		sha256_update(&h, block, (size_t)n);
		total += n;
		if (cancel_check(cancel, err) < 0)
			return -1;
	}
	if (n < 0)
		return error_errno(err, "read %s", path);
	if (total != size)
		return error_set(err, ERROR_CORRUPT,
				 "%s changed while the build was reading it: build again", path);
	sha256_final(&h, digest);
	return 0;
}

int copy_item_digest(const struct copy_request *r, const struct copy_item *item,
		     uint8_t digest[SHA256_SIZE], struct error *err)
{
	AUTO_FD int fd = -1;
	struct stat st, after;
	int64_t now;

	if (item->node) {
		memcpy(digest, item->node->content, SHA256_SIZE);
		return 0;
	}
	if (r->stat_cache && stat_cache_get(r->stat_cache, item->st, digest))
		return 0;
	now = time_now_ns();
	if (copy_open_file(r, item->path, &item->e, &fd, &st, err) < 0 ||
	    hash_file(fd, st.st_size, item->path, digest, r->cancel, err) < 0)
		return -1;
	if (fstat(fd, &after) < 0)
		return error_errno(err, "look at %s", item->path);
	if (after.st_mtim.tv_sec != st.st_mtim.tv_sec ||
	    after.st_mtim.tv_nsec != st.st_mtim.tv_nsec)
		return error_set(err, ERROR_CORRUPT,
				 "%s changed while the build was reading it: build again",
				 item->path);
	if (r->stat_cache)
		stat_cache_put(r->stat_cache, &st, now, digest);
	return 0;
}

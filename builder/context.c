#include "builder/context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "builder/context_kept.h"

/* 1: read, 0: there is none. */
static int read_from_context(const struct context *c, const char *name, struct strbuf *text,
			     struct error *err)
{
	AUTO_FD int fd = fs_openat_in_root(c->dirfd, name, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_errno(err, "open %s", name);
	return fs_read_fd(fd, name, text, LIMIT_IGNORE_BYTES, err) < 0 ? -1 : 1;
}

int context_use_ignore(struct context *c, const char *name, bool *found, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	struct ignore *ignore = NULL;
	int got = read_from_context(c, name, &text, err);

	if (got < 0)
		return error_wrap(err, "read the ignore file of %s", c->label ? c->label : c->path);
	*found = got;
	if (!got)
		return 0;
	if (ignore_parse(&ignore, name, text.buf, text.len, err) < 0)
		return -1;
	ignore_free(c->ignore);
	c->ignore = ignore;
	return 0;
}

static int read_ignore_file(struct context *c, const char *path, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (fs_read_file(path, &text, LIMIT_IGNORE_BYTES, err) < 0)
		return error_wrap(err, "read the ignore file of %s", c->path);
	return ignore_parse(&c->ignore, path, text.buf, text.len, err);
}

int context_open_plain(struct context **out, const char *name, const char *path, struct error *err)
{
	AUTO_PTR(context) c = xcalloc(1, sizeof(*c));

	c->dirfd = -1;
	c->name = xstrdup(name);
	c->path = realpath(path, NULL);
	if (!c->path)
		return error_errno(err, "open the %s %s", name, path);
	c->dirfd = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dirfd < 0)
		return error_errno(err, "open the %s %s", name, c->path);
	c->time = -1;
	*out = take_ptr(c);
	return 0;
}

int context_open_folder(struct context **out, const char *name, const char *path,
			const char *ignore_path, struct error *err)
{
	AUTO_PTR(context) c = NULL;
	bool found;

	if (context_open_plain(&c, name, path, err) < 0)
		return -1;
	if (ignore_path ? read_ignore_file(c, ignore_path, err) < 0
			: context_use_ignore(c, ".dockerignore", &found, err) < 0)
		return -1;
	*out = take_ptr(c);
	return 0;
}

static int compare_kept(const void *path, const void *kept)
{
	return strcmp(path, ((const struct context_kept *)kept)->path);
}

void context_adjust(const struct context *c, const char *path, bool is_dir, int64_t made_mtime,
		    struct entry *e)
{
	const struct context_kept *kept = NULL;

	if (!c->unpacked)
		return;
	if (c->n_kept)
		kept = bsearch(path, c->kept, c->n_kept, sizeof(*c->kept), compare_kept);
	if (kept && kept->is_dir == is_dir)
		e->mode = kept->mode;
	if (is_dir)
		e->mtime = kept && kept->is_dir ? kept->mtime : made_mtime;
}

void context_free(struct context *c)
{
	if (!c)
		return;
	if (c->dirfd >= 0)
		close(c->dirfd);
	if (c->temporary)
		fs_remove_tree(AT_FDCWD, c->owned ? c->owned : c->path, NULL);
	for (size_t i = 0; i < c->n_kept; i++)
		free(c->kept[i].path);
	free(c->kept);
	ignore_free(c->ignore);
	free(c->name);
	free(c->path);
	free(c->owned);
	free(c->label);
	free(c);
}

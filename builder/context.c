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

static int read_ignore(struct context *c, const char *ignore_path, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(error) problem = ERROR_INIT;
	AUTO_FD int fd = -1;
	const char *name = ignore_path ? ignore_path : ".dockerignore";
	int result;

	if (ignore_path) {
		result = fs_read_file(ignore_path, &text, LIMIT_IGNORE_BYTES, &problem);
	} else {
		fd = fs_openat_in_root(c->dirfd, ".dockerignore", O_RDONLY | O_NONBLOCK, 0);
		if (fd < 0 && errno == ENOENT)
			return 0;
		result = fd < 0 ? error_errno(&problem, "open .dockerignore")
				: fs_read_fd(fd, ".dockerignore", &text, LIMIT_IGNORE_BYTES,
					     &problem);
	}
	if (result < 0) {
		error_move(err, &problem);
		return error_wrap(err, "read the ignore file of %s", c->path);
	}
	return ignore_parse(&c->ignore, name, text.buf, text.len, err);
}

int context_open_folder(struct context **out, const char *name, const char *path,
			const char *ignore_path, struct error *err)
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
	if (read_ignore(c, ignore_path, err) < 0)
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

	if (!c->temporary)
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
		fs_remove_tree(AT_FDCWD, c->path, NULL);
	for (size_t i = 0; i < c->n_kept; i++)
		free(c->kept[i].path);
	free(c->kept);
	ignore_free(c->ignore);
	free(c->name);
	free(c->path);
	free(c);
}

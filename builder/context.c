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
#include "oci/extract.h"
#include "oci/layer_reader.h"

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

static int write_member(int parent, const char *name, const struct entry *e,
			struct layer_reader *reader, struct error *err)
{
	AUTO_FD int fd = -1;
	char block[65536];
	int64_t n;

	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, "create %s", e->path);
	while ((n = layer_reader_read(reader, block, sizeof(block), err)) > 0)
		if (fs_write_all(fd, block, (size_t)n, e->path, err) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

static int make_link(int root, int parent, const char *name, const struct entry *e,
		     struct error *err)
{
	AUTO_FREE char *dir = xstrdup(e->link);
	char *slash = strrchr(dir, '/');
	AUTO_FD int from = -1;

	if (slash)
		*slash = '\0';
	from = fs_openat_in_root(root, slash ? dir : ".", O_RDONLY | O_DIRECTORY, 0);
	if (from < 0 || linkat(from, slash ? slash + 1 : dir, parent, name, 0) < 0)
		return error_errno(err, "link %s to %s", e->path, e->link);
	return 0;
}

/* One member of the tar, below the folder of its parents; anything in the way is replaced, as tar does. */
static int unpack_member(int root, const struct entry *e, struct layer_reader *reader,
			 struct error *err)
{
	AUTO_FREE char *dir = xstrdup(e->path);
	char *slash = strrchr(dir, '/');
	const char *name = slash ? slash + 1 : dir;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = e->mtime}};
	AUTO_FD int parent = -1;
	struct stat st;

	if (!*e->path)
		return 0;
	if (slash)
		*slash = '\0';
	parent = slash ? fs_mkdir_p_in_root(root, dir, 0755)
		       : fs_openat_in_root(root, ".", O_PATH | O_DIRECTORY, 0);
	if (parent < 0)
		return error_errno(err, "create the folder of %s", e->path);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !(S_ISDIR(st.st_mode) && e->type == ENTRY_DIR) && fs_remove_tree(parent, name, err) < 0)
		return -1;
	switch (e->type) {
	case ENTRY_DIR:
		if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
			return error_errno(err, "create the folder %s", e->path);
		break;
	case ENTRY_SYMLINK:
		if (symlinkat(e->link, parent, name) < 0)
			return error_errno(err, "create the link %s", e->path);
		return 0;
	case ENTRY_HARDLINK:
		return make_link(root, parent, name, e, err);
	case ENTRY_FILE:
		if (write_member(parent, name, e, reader, err) < 0)
			return -1;
		break;
	case ENTRY_FIFO:
		if (mkfifoat(parent, name, 0600) < 0)
			return error_errno(err, "create the fifo %s", e->path);
		break;
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
	case ENTRY_WHITEOUT:
	case ENTRY_OPAQUE:
		return error_set(err, ERROR_UNSUPPORTED, "%s in the context is a device", e->path);
	}
	/* we must be able to read what we unpacked: folders keep our own rights */
	if (fchmodat(parent, name, e->type == ENTRY_DIR ? (e->mode | 0700) : (e->mode | 0400), 0) <
		    0 ||
	    utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "set the mode of %s", e->path);
	return 0;
}

int context_open_tar(struct context **out, struct store *s, int fd, struct error *err)
{
	AUTO_PTR(layer_reader) reader = NULL;
	AUTO_FREE char *ingest = store_path(s, "ingest");
	AUTO_FREE char *path = NULL;
	AUTO_FD int root = -1;
	struct fd_source in;
	const struct entry *e;
	int got;

	if (fs_make_temp_dir(ingest, "context-", &path, err) < 0)
		return -1;
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd_source_init(&in, fd, "the context archive");
	if (root < 0 ||
	    layer_reader_open_source(&reader, &in.source, "the context archive", false, err) < 0) {
		fs_remove_tree(AT_FDCWD, path, NULL);
		return root < 0 ? error_errno(err, "open %s", path) : -1;
	}
	while ((got = layer_reader_next(reader, &e, err)) > 0)
		if (unpack_member(root, e, reader, err) < 0)
			break;
	if (got != 0 || context_open_folder(out, "context", path, NULL, err) < 0) {
		fs_remove_tree(AT_FDCWD, path, NULL);
		return error_wrap(err, "unpack the context from standard input");
	}
	(*out)->temporary = true;
	return 0;
}

void context_free(struct context *c)
{
	if (!c)
		return;
	if (c->dirfd >= 0)
		close(c->dirfd);
	if (c->temporary)
		fs_remove_tree(AT_FDCWD, c->path, NULL);
	ignore_free(c->ignore);
	free(c->name);
	free(c->path);
	free(c);
}

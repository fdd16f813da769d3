#include "sandbox/copy_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/strmap.h"

#define XATTR_NAMES_LIMIT 65536

struct copying {
	struct strmap links; /* "device:inode" -> path of the first copy, below the top */
	struct strbuf path;  /* of the file at hand, below the top */
	int top;             /* folder in which the top was made */
	const char *name;    /* of the top in there */
};

static void copying_release(struct copying *c)
{
	strmap_release(&c->links);
	strbuf_release(&c->path);
}
CLEANUP_RELEASE(copying)

static int failed(const struct copying *c, struct error *err)
{
	return error_errno(err, "copy %s%s%s", c->name, c->path.len ? "/" : "", c->path.buf);
}

/* What the target's file system cannot keep is not worth an error: the copy is read, and thrown away. */
static void copy_xattrs(int from, int to)
{
	AUTO_FREE char *names = xmalloc(XATTR_NAMES_LIMIT);
	AUTO_FREE char *value = NULL;
	ssize_t n = flistxattr(from, names, XATTR_NAMES_LIMIT);

	if (n > 0)
		value = xmalloc(XATTR_SIZE_MAX);
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t len = fgetxattr(from, names + at, value, XATTR_SIZE_MAX);

		if (len >= 0)
			(void)!fsetxattr(to, names + at, value, (size_t)len, 0);
	}
}

/* An id that is not mapped here cannot be given away: then the copy stays ours. */
static bool owner_refused(int r)
{
	return r < 0 && errno != EINVAL && errno != EOVERFLOW;
}

static int copy_metadata(const struct copying *c, int from, int to, const struct stat *st,
			 struct error *err)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	/* The mode after the owner, whose change takes setuid away; extended attributes between, for the same reason. */
	if (owner_refused(fchown(to, st->st_uid, st->st_gid)))
		return failed(c, err);
	copy_xattrs(from, to);
	if (fchmod(to, st->st_mode & 07777) < 0 || futimens(to, times) < 0)
		return failed(c, err);
	return 0;
}

static int copy_content(int from, int to, const char *name, struct error *err)
{
	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	return fs_copy_fd(from, to, -1, name, err);
}

static int copy_file(struct copying *c, int from, int dirfd, const char *name,
		     const struct stat *st, struct error *err)
{
	AUTO_FD int to = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				0600);

	if (to < 0)
		return failed(c, err);
	if (copy_content(from, to, c->name, err) < 0)
		return -1;
	return copy_metadata(c, from, to, st, err);
}

static int copy_symlink(struct copying *c, int fromdir, const char *from, int dirfd,
			const char *name, const struct stat *st, struct error *err)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	char text[PATH_MAX];
	ssize_t n = readlinkat(fromdir, from, text, sizeof(text) - 1);

	if (n < 0)
		return failed(c, err);
	text[n] = '\0';
	if (symlinkat(text, dirfd, name) < 0 ||
	    owner_refused(fchownat(dirfd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW)) ||
	    utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return failed(c, err);
	return 0;
}

static int copy_node(struct copying *c, int dirfd, const char *name, const struct stat *st,
		     struct error *err)
{
	const bool device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
	const mode_t type = device ? S_IFREG : st->st_mode & S_IFMT;

	/* A step would be able to open a device. */
	if (mknodat(dirfd, name, type | (st->st_mode & 07777), 0) < 0 ||
	    owner_refused(fchownat(dirfd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW)) ||
	    fchmodat(dirfd, name, st->st_mode & 07777, 0) < 0)
		return failed(c, err);
	return 0;
}

/* 1: it is another name of a file that was copied already. */
static int copy_link(struct copying *c, int dirfd, const char *name, const struct stat *st,
		     struct error *err)
{
	char key[48];
	const char *first;

	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return 0;
	snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st->st_dev,
		 (unsigned long long)st->st_ino);
	first = strmap_get(&c->links, key);
	if (!first) {
		strmap_set(&c->links, key, c->path.buf);
		return 0;
	}
	AUTO_FREE char *path = xstrfmt("%s/%s", c->name, first);

	if (linkat(c->top, path, dirfd, name, 0) < 0)
		return failed(c, err);
	return 1;
}

static int copy_folder(struct copying *c, int from, int dirfd, const char *name,
		       const struct stat *st, struct error *err);

struct step {
	struct copying *c;
	int to;
};

static int copy_entry(void *arg, int dirfd, const char *entry, const struct stat *st,
		      struct error *err)
{
	struct step *s = arg;
	struct copying *c = s->c;
	size_t before = c->path.len;
	AUTO_FD int from = -1;
	int r;

	if (S_ISSOCK(st->st_mode))
		return 0;
	if (before > 0)
		strbuf_putc(&c->path, '/');
	strbuf_puts(&c->path, entry);
	r = copy_link(c, s->to, entry, st, err);
	if (r == 0 && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode))) {
		from = openat(dirfd, entry, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (from < 0)
			return failed(c, err);
	}
	if (r == 0 && S_ISREG(st->st_mode))
		r = copy_file(c, from, s->to, entry, st, err);
	else if (r == 0 && S_ISDIR(st->st_mode))
		r = copy_folder(c, from, s->to, entry, st, err);
	else if (r == 0 && S_ISLNK(st->st_mode))
		r = copy_symlink(c, dirfd, entry, s->to, entry, st, err);
	else if (r == 0)
		r = copy_node(c, s->to, entry, st, err);
	strbuf_truncate(&c->path, before);
	return r < 0 ? -1 : 0;
}

static int copy_folder(struct copying *c, int from, int dirfd, const char *name,
		       const struct stat *st, struct error *err)
{
	AUTO_FD int to = -1;
	struct step s = {.c = c};

	if (mkdirat(dirfd, name, 0700) < 0)
		return failed(c, err);
	to = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return failed(c, err);
	s.to = to;
	if (fs_each_entry(from, ".", copy_entry, &s, err) < 0)
		return -1;
	return copy_metadata(c, from, to, st, err);
}

int copy_tree(int from, int dirfd, const char *name, struct error *err)
{
	AUTO(copying) c = {.path = STRBUF_INIT, .top = dirfd, .name = name};
	AUTO_FD int fd = -1;
	char path[32];
	struct stat st;

	if (fstat(from, &st) < 0)
		return failed(&c, err);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return error_set(err, ERROR_UNSUPPORTED, "copy %s: it is no file and no folder",
				 name);
	fs_fd_path(from, path);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return failed(&c, err);
	if (S_ISREG(st.st_mode))
		return copy_file(&c, fd, dirfd, name, &st, err);
	return copy_folder(&c, fd, dirfd, name, &st, err);
}

#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"

int fs_read_fd(int fd, const char *name, struct strbuf *buf, size_t limit, struct error *err)
{
	size_t start = buf->len, chunk = 4096;
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		if ((uint64_t)st.st_size > limit)
			return error_set(err, ERROR_CORRUPT,
					 "read %s: it has %lld bytes, more than the %zu allowed",
					 name, (long long)st.st_size, limit);
		chunk = (size_t)st.st_size + 1; /* one read more than the size finds the end */
	}
	for (;;) {
		ssize_t n;

		strbuf_grow(buf, chunk);
		n = read(fd, buf->buf + buf->len, buf->cap - buf->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_errno(err, "read %s", name);
			strbuf_truncate(buf, start);
			return -1;
		}
		if (n == 0)
			return 0;
		if ((size_t)n > limit - (buf->len - start)) {
			strbuf_truncate(buf, start);
			return error_set(err, ERROR_CORRUPT,
					 "read %s: it has more than the %zu bytes allowed", name,
					 limit);
		}
		buf->len += (size_t)n;
		buf->buf[buf->len] = '\0';
		chunk = 4096;
	}
}

int fs_read_file(const char *path, struct strbuf *buf, size_t limit, struct error *err)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return error_errno(err, "open %s", path);
	return fs_read_fd(fd, path, buf, limit, err);
}

int fs_write_all(int fd, const void *data, size_t len, const char *name, struct error *err)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "write %s", name);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fs_read_exact(int fd, void *data, size_t len, const char *name, struct error *err)
{
	char *p = data;
	size_t left = len;

	while (left) {
		ssize_t n = read(fd, p, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read %s", name);
		if (n == 0)
			return error_set(err, ERROR_CORRUPT,
					 "read %s: it ends after %zu of %zu bytes", name,
					 len - left, len);
		p += n;
		left -= (size_t)n;
	}
	return 0;
}

/* A file system that cannot sync a folder says EINVAL; there is nothing better to do then. */
static int sync_dir_fd(int fd)
{
	return fsync(fd) < 0 && errno != EINVAL && errno != EROFS ? -1 : 0;
}

int fs_fsync_dir(int dirfd, const char *path, struct error *err)
{
	AUTO_FD int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "open folder %s", path);
	return sync_dir_fd(fd) < 0 ? error_errno(err, "fsync folder %s", path) : 0;
}

int fs_create_temp(int dirfd, mode_t mode, char name[FS_TEMP_NAME])
{
	for (int tries = 0; tries < 100; tries++) {
		uint64_t random[2];
		int fd;

		if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return -1;
		snprintf(name, FS_TEMP_NAME, FS_TEMP_PREFIX "%016llx%08llx",
			 (unsigned long long)random[0],
			 (unsigned long long)(random[1] & 0xffffffff));
		fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

static int write_and_rename(int dirfd, int fd, const char *temp, const char *path, const void *data,
			    size_t len, struct error *err)
{
	if (fs_write_all(fd, data, len, path, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return error_errno(err, "fsync %s", path);
	if (renameat(dirfd, temp, dirfd, path_base(path)) < 0)
		return error_errno(err, "replace %s", path);
	if (sync_dir_fd(dirfd) < 0)
		return error_errno(err, "fsync the folder of %s", path);
	return 0;
}

int fs_write_file_atomic(const char *path, const void *data, size_t len, mode_t mode,
			 struct error *err)
{
	AUTO_FREE char *dir = path_dir(path);
	AUTO_FD int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD int fd = -1;
	char temp[FS_TEMP_NAME];

	if (dirfd < 0)
		return error_errno(err, "write %s: open folder %s", path, dir);
	fd = fs_create_temp(dirfd, mode, temp);
	if (fd < 0)
		return error_errno(err, "write %s: create a file in %s", path, dir);
	if (write_and_rename(dirfd, fd, temp, path, data, len, err) < 0) {
		/* Already renamed when only the folder's fsync failed: then there is none. */
		unlinkat(dirfd, temp, 0);
		return -1;
	}
	return 0;
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* One folder; errno is that of mkdir unless it is there already. */
static int make_dir(const char *path, mode_t mode)
{
	int number;

	if (mkdir(path, mode) == 0)
		return 0;
	number = errno;
	if (number != ENOENT && is_dir(path))
		return 0;
	errno = number == EEXIST ? ENOTDIR : number;
	return -1;
}

int fs_mkdir_p(const char *path, mode_t mode, struct error *err)
{
	AUTO_FREE char *prefix = xstrdup(path);

	if (make_dir(path, mode) == 0)
		return 0;
	if (errno != ENOENT || !*path)
		return error_errno(err, "create folder %s", path);
	for (char *p = prefix + 1; *p; p++) {
		if (*p != '/' || p[-1] == '/')
			continue;
		*p = '\0';
		if (make_dir(prefix, mode) < 0)
			return error_errno(err, "create folder %s", prefix);
		*p = '/';
	}
	return make_dir(path, mode) < 0 ? error_errno(err, "create folder %s", path) : 0;
}

int fs_make_temp_dir(const char *dir, const char *prefix, char **path, struct error *err)
{
	AUTO_FREE char *name = xstrfmt("%s/%sXXXXXX", dir, prefix);

	if (!mkdtemp(name))
		return error_errno(err, "create a temporary folder in %s", dir);
	*path = take_ptr(name);
	return 0;
}

void fs_scatter(const char *dir)
{
	AUTO_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int flags = 0;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || (flags & FS_TOPDIR_FL))
		return;
	flags |= FS_TOPDIR_FL;
	(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static bool wants_plain_copy(int number)
{
	return number == EXDEV || number == EINVAL || number == ENOSYS || number == EOPNOTSUPP ||
	       number == EPERM || number == EBADF || number == ETXTBSY || number == EISDIR;
}

/* Copies until *left is 0 (never, when negative) or the end; -1 with errno, 1 when it is not possible. */
static int copy_in_kernel(int in, int out, int64_t *left)
{
	bool copied = false;

	while (*left) {
		size_t want = *left < 0 || *left > (1 << 30) ? 1u << 30 : (size_t)*left;
		ssize_t n = copy_file_range(in, NULL, out, NULL, want, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return wants_plain_copy(errno) ? 1 : -1;
		/* Files of proc and sys look empty to copy_file_range. */
		if (n == 0)
			return copied ? 0 : 1;
		copied = true;
		if (*left > 0)
			*left -= n;
	}
	return 0;
}

static int copy_plain(int in, int out, int64_t *left, const char *name, struct error *err)
{
	const size_t size = 128 << 10;
	AUTO_FREE char *buf = xmalloc(size);

	while (*left) {
		size_t want = *left < 0 || (uint64_t)*left > size ? size : (size_t)*left;
		ssize_t n = read(in, buf, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read %s", name);
		if (n == 0)
			return 0;
		if (fs_write_all(out, buf, (size_t)n, name, err) < 0)
			return -1;
		if (*left > 0)
			*left -= n;
	}
	return 0;
}

int fs_copy_fd(int in, int out, int64_t len, const char *name, struct error *err)
{
	int64_t left = len < 0 ? -1 : len;
	int result = copy_in_kernel(in, out, &left);

	if (result < 0)
		return error_errno(err, "copy %s", name);
	if (result > 0 && copy_plain(in, out, &left, name, err) < 0)
		return -1;
	if (left > 0)
		return error_set(err, ERROR_CORRUPT, "copy %s: it ends after %lld of %lld bytes",
				 name, (long long)(len - left), (long long)len);
	return 0;
}

void fs_fd_path(int fd, char out[32])
{
	snprintf(out, 32, "/proc/self/fd/%d", fd);
}

/* Not O_TMPFILE: overlayfs has it only since Linux 6.1, and NFS has not. */
int fs_open_unnamed(const char *dir, struct error *err)
{
	AUTO_FREE char *path = xstrfmt("%s/unnamed-XXXXXX", dir);
	AUTO_FD int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "create a temporary file in %s", dir);
	if (unlink(path) < 0)
		return error_errno(err, "remove %s", path);
	return take_fd(fd);
}

int fs_each_entry(int at, const char *name,
		  int (*fn)(void *arg, int dirfd, const char *entry, const struct stat *st,
			    struct error *err),
		  void *arg, struct error *err)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;
	int result = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return errno == ENOENT ? 0 : error_errno(err, "list the folder %s", name);
	}
	while (result == 0 && (errno = 0, e = readdir(dir))) {
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		/* One that is gone by now was never there. */
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			result = fn(arg, fd, e->d_name, &st, err);
	}
	if (!e && errno)
		result = error_errno(err, "list the folder %s", name);
	closedir(dir);
	return result;
}

/* Locks, small files and the walk over the blobs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/time.h"
#include "oci/store_private.h"

#define LONGEST_NAP_MS 50
#define NOTICE_MS      1000
#define FULL           (1 << 20)

void store_set_wait(struct store *s, const struct cancel *cancel, struct reporter *reporter,
		    int timeout_ms)
{
	s->cancel = cancel;
	s->reporter = reporter;
	s->timeout_ms = timeout_ms;
}

/* A lock cannot be waited for together with a signal's descriptor, so it is tried again after growing naps. */
static int wait_for_lock(struct store *s, int fd, int how, const char *what, struct error *err)
{
	int64_t begin = time_monotonic_ns();
	bool noticed = false;
	int nap = 1;

	while (flock(fd, how | LOCK_NB) < 0) {
		int64_t waited = (time_monotonic_ns() - begin) / 1000000;

		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_errno(err, "lock a file of the store %s", s->root);
		if (s->timeout_ms > 0 && waited >= s->timeout_ms)
			return error_set(err, ERROR_SYSTEM,
					 "another slipway %s in %s, and was still at it after %d s",
					 what, s->root, s->timeout_ms / 1000);
		if (!noticed && waited >= NOTICE_MS) {
			noticed = true;
			report_log(s->reporter, LOG_INFO, "waiting: another slipway %s", what);
		}
		if (cancel_sleep(s->cancel, nap * 1000000ll, err) < 0)
			return -1;
		nap = nap * 2 < LONGEST_NAP_MS ? nap * 2 : LONGEST_NAP_MS;
	}
	return 0;
}

int store_lock_fd(struct store *s, int fd, int how, const char *what, struct error *err)
{
	if (s->cancel || s->reporter || s->timeout_ms > 0)
		return wait_for_lock(s, fd, how, what, err);
	while (flock(fd, how) < 0)
		if (errno != EINTR)
			return error_errno(err, "lock a file of the store %s", s->root);
	return 0;
}

int store_lock(struct store *s, const char *name, const char *what, int *fd, struct error *err)
{
	AUTO_FD int opened = openat(s->dirfd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
				    0644);

	if (opened < 0)
		return store_write_failed(s, "the lock", name, err);
	if (store_lock_fd(s, opened, LOCK_EX, what, err) < 0)
		return -1;
	*fd = take_fd(opened);
	return 0;
}

static bool has_inodes(const struct statvfs *fs)
{
	return !fs->f_files || fs->f_favail;
}

static int hint_at_inodes(const struct store *s, struct error *err)
{
	return error_hint(err,
			  "the file system of %s has no free inodes: remove files, or "
			  "choose another folder with SLIPWAY_ROOT",
			  s->root);
}

static int hint_at_space(const struct store *s, struct error *err)
{
	return error_hint(err,
			  "free space on the file system of %s (slipway prune removes what "
			  "no image needs), or choose another folder with SLIPWAY_ROOT",
			  s->root);
}

void store_hint_if_full(const struct store *s, struct error *err)
{
	struct statvfs fs;

	if (fstatvfs(s->dirfd, &fs) < 0)
		return;
	if (!has_inodes(&fs))
		hint_at_inodes(s, err);
	else if ((geteuid() == 0 ? fs.f_bfree : fs.f_bavail) * fs.f_frsize < FULL)
		hint_at_space(s, err);
}

int store_write_failed(const struct store *s, const char *what, const char *name, struct error *err)
{
	int number = errno;
	struct statvfs fs;

	error_errno(err, "write %s to %s/%s", what, s->root, name);
	if (number == ENOSPC && fstatvfs(s->dirfd, &fs) == 0 && !has_inodes(&fs))
		return hint_at_inodes(s, err);
	if (number == ENOSPC || number == EDQUOT)
		return hint_at_space(s, err);
	if (number == EROFS)
		return error_hint(err, "choose a writable folder with SLIPWAY_ROOT");
	return -1;
}

static int write_temp(struct store *s, int fd, const char *name, const void *data, size_t len,
		      bool durable, struct error *err)
{
	const char *p = data;
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, p + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return store_write_failed(s, "a file", name, err);
		done += (size_t)n;
	}
	if (durable && fsync(fd) < 0)
		return store_write_failed(s, "a file", name, err);
	return 0;
}

static int rename_temp(struct store *s, const char *temp, const char *name, struct error *err)
{
	const char *slash = strrchr(name, '/');

	if (renameat(s->dirfd, temp, s->dirfd, name) == 0)
		return 0;
	if (errno == ENOENT && slash) {
		AUTO_FREE char *folder = xstrndup(name, (size_t)(slash - name));

		if ((mkdirat(s->dirfd, folder, 0755) == 0 || errno == EEXIST) &&
		    renameat(s->dirfd, temp, s->dirfd, name) == 0)
			return 0;
	}
	return store_write_failed(s, "a file", name, err);
}

static int fsync_parent(struct store *s, const char *name, struct error *err)
{
	const char *slash = strrchr(name, '/');
	AUTO_FREE char *folder = slash ? xstrndup(name, (size_t)(slash - name)) : xstrdup(".");

	if (fs_fsync_dir(s->dirfd, folder, err) < 0)
		return error_wrap(err, "write %s/%s", s->root, name);
	return 0;
}

int store_write_file(struct store *s, const char *name, const void *data, size_t len, bool durable,
		     struct error *err)
{
	char temp[INGEST_NAME_SIZE];
	AUTO_FD int fd = -1;

	if (ingest_temp_file(s, temp, &fd, err) < 0)
		return -1;
	if (write_temp(s, fd, name, data, len, durable, err) < 0 ||
	    rename_temp(s, temp, name, err) < 0) {
		unlinkat(s->dirfd, temp, 0);
		return -1;
	}
	return durable ? fsync_parent(s, name, err) : 0;
}

/* Kinds and names come from our own code and from digests; anything else must not become a path. */
static bool is_plain_name(const char *s)
{
	return *s && *s != '.' && !strchr(s, '/');
}

int store_meta_get(struct store *s, const char *kind, const char *name, struct strbuf *out,
		   struct error *err)
{
	if (!is_plain_name(kind) || !is_plain_name(name))
		return error_set(err, ERROR_NOT_FOUND, "no fact is named %s/%s", kind, name);
	AUTO_FREE char *path = xstrfmt("meta/%s/%s", kind, name);
	AUTO_FD int fd = openat(s->dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "read %s/%s", s->root, path);
	strbuf_reset(out);
	if (fs_read_fd(fd, path, out, LIMIT_MANIFEST_BYTES, err) < 0)
		return -1;
	/* What a crash of the machine leaves of a file that was not synced. */
	if (!out->len)
		return error_set(err, ERROR_NOT_FOUND, "%s/%s is empty", s->root, path);
	return 0;
}

/* Replacing a file costs the file system more than reading it. */
static bool is_there(struct store *s, const char *path, const void *data, size_t len)
{
	AUTO_FD int fd = openat(s->dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	AUTO(strbuf) text = STRBUF_INIT;
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_size == (off_t)len &&
	       fs_read_fd(fd, path, &text, len, NULL) == 0 && text.len == len &&
	       memcmp(text.buf, data, len) == 0;
}

int store_meta_put(struct store *s, const char *kind, const char *name, const void *data,
		   size_t len, struct error *err)
{
	if (!is_plain_name(kind) || !is_plain_name(name))
		return error_set(err, ERROR_SYSTEM, "no fact can be named %s/%s", kind, name);
	AUTO_FREE char *folder = xstrfmt("meta/%s", kind);
	AUTO_FREE char *path = xstrfmt("%s/%s", folder, name);

	if (is_there(s, path, data, len))
		return 0;
	if (faccessat(s->dirfd, "meta", F_OK, 0) < 0 && mkdirat(s->dirfd, "meta", 0755) < 0 &&
	    errno != EEXIST)
		return store_write_failed(s, "a folder of the store", "meta", err);
	return store_write_file(s, path, data, len, false, err);
}

struct each_blob {
	const char *algorithm;
	int (*fn)(void *arg, const struct digest *d, int64_t size, int64_t mtime,
		  struct error *err);
	void *arg;
};

static int each_file(void *arg, int dirfd, const char *name, const struct stat *st,
		     struct error *err)
{
	const struct each_blob *each = arg;
	AUTO_FREE char *text = xstrfmt("%s:%s", each->algorithm, name);
	struct digest d;

	(void)dirfd;
	if (digest_parse(&d, text, NULL) < 0 || !S_ISREG(st->st_mode))
		return 0;
	return each->fn(each->arg, &d, st->st_size, st->st_mtime, err);
}

int store_each_blob(struct store *s,
		    int (*fn)(void *arg, const struct digest *d, int64_t size, int64_t mtime,
			      struct error *err),
		    void *arg, struct error *err)
{
	struct each_blob sha256 = {"sha256", fn, arg}, sha512 = {"sha512", fn, arg};
	int result = fs_each_entry(s->dirfd, "blobs/sha256", each_file, &sha256, err);

	return result ? result : fs_each_entry(s->dirfd, "blobs/sha512", each_file, &sha512, err);
}

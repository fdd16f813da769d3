/*
 * rm -rf with two descriptors, whatever the depth. The way up is "..", believed
 * only when it leads to the folder we came down from: a folder that somebody
 * moves away meanwhile cannot lead us out of the tree.
 */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/strlist.h"

#define MAX_REFILLED 64 /* times that a folder is filled by others while we empty it */

struct level {
	char *name; /* in the level above */
	dev_t dev;
	ino_t ino;
	struct strlist subdirs; /* still to be removed */
	bool scanned;
};

struct removal {
	int fd; /* of the deepest level */
	struct level *levels;
	size_t n, cap;
	int n_refilled;
	const char *top; /* for messages */
};

static void level_release(struct level *l)
{
	free(l->name);
	strlist_release(&l->subdirs);
}

static void removal_release(struct removal *r)
{
	if (r->fd >= 0)
		close(r->fd);
	for (size_t i = 0; i < r->n; i++)
		level_release(&r->levels[i]);
	free(r->levels);
}
CLEANUP_RELEASE(removal)

static struct level *deepest(struct removal *r)
{
	return &r->levels[r->n - 1];
}

/* Gives u+rwx to a folder (an open one when name is NULL) after EACCES; then a second try is worth it. */
static bool repair(int dirfd, const char *name)
{
	struct stat st;
	int number = errno, result;

	if (number != EACCES)
		return false;
	if (name)
		result = fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW);
	else
		result = fstat(dirfd, &st);
	if (result == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 0700) != 0700) {
		mode_t mode = (st.st_mode & 07777) | 0700;

		result = name ? fchmodat(dirfd, name, mode, AT_SYMLINK_NOFOLLOW)
			      : fchmod(dirfd, mode);
		errno = number;
		return result == 0;
	}
	errno = number;
	return false;
}

/* Kernels before 5.8 do not tell the mount: then the device must do. */
static bool same_mount(int a, int b)
{
	const unsigned mask = STATX_BASIC_STATS | STATX_MNT_ID;
	struct statx x, y;

	if (statx(a, "", AT_EMPTY_PATH, mask, &x) < 0 || statx(b, "", AT_EMPTY_PATH, mask, &y) < 0)
		return false;
	if (x.stx_mask & y.stx_mask & STATX_MNT_ID)
		return x.stx_mnt_id == y.stx_mnt_id;
	return x.stx_dev_major == y.stx_dev_major && x.stx_dev_minor == y.stx_dev_minor;
}

/* A folder in dirfd, opened only when nothing is mounted on it. */
static int open_unmounted(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd;

	if (!fs_no_openat2) {
		fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
		if (fd >= 0 || (errno != ENOSYS && errno != EPERM && errno != EAGAIN))
			return fd;
	}
	fd = openat(dirfd, name, (int)how.flags);
	if (fd >= 0 && !same_mount(dirfd, fd)) {
		close(fd);
		errno = EXDEV;
		return -1;
	}
	return fd;
}

static int open_folder(int dirfd, const char *name, bool top)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

	for (;;) {
		int fd = top ? openat(dirfd, name, flags) : open_unmounted(dirfd, name);

		/* The folder itself may be the unreadable one, or the one it stands in. */
		if (fd >= 0 || !(repair(dirfd, name) || (!top && repair(dirfd, NULL))))
			return fd;
	}
}

static int unlink_in(int dirfd, const char *name, int flags)
{
	int result = unlinkat(dirfd, name, flags);

	if (result < 0 && repair(dirfd, NULL))
		result = unlinkat(dirfd, name, flags);
	return result < 0 && errno != ENOENT ? -1 : 0;
}

static int fail(struct removal *r, const char *name, struct error *err)
{
	int number = errno;
	AUTO_FREE char *path = xstrdup(r->top);

	/* A long way down is not worth a long message. */
	for (size_t i = 1; i < r->n && i < 64; i++) {
		char *longer = xstrfmt("%s/%s", path, r->levels[i].name);

		free(path);
		path = longer;
	}
	errno = number;
	if (number == EXDEV || number == EBUSY) {
		error_errno(err, "remove %s/%s", path, name);
		return error_hint(err, "something is mounted there: unmount it first");
	}
	return error_errno(err, "remove %s/%s", path, name);
}

/* Goes down into name. */
static int enter(struct removal *r, int dirfd, const char *name, struct error *err)
{
	AUTO_FD int fd = open_folder(dirfd, name, r->n == 0);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return r->n ? fail(r, name, err) : error_errno(err, "remove %s", name);
	GROW(r->levels, r->n + 1, r->cap);
	r->levels[r->n++] = (struct level){
		.name = xstrdup(name),
		.dev = st.st_dev,
		.ino = st.st_ino,
	};
	if (r->fd >= 0)
		close(r->fd);
	r->fd = take_fd(fd);
	return 0;
}

/* Unlinks an entry of the deepest level, or notes it when it is a folder. */
static int remove_entry(struct removal *r, const struct dirent *entry, struct error *err)
{
	const char *name = entry->d_name;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (entry->d_type != DT_DIR) {
		if (unlink_in(r->fd, name, 0) == 0)
			return 0;
		if (errno != EISDIR)
			return fail(r, name, err);
	}
	strlist_add(&deepest(r)->subdirs, name);
	return 0;
}

static int scan(struct removal *r, struct error *err)
{
	int fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int result = 0;

	if (!dir) {
		result = fail(r, ".", err);
		if (fd >= 0)
			close(fd);
		return result;
	}
	while (result == 0) {
		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			result = errno ? fail(r, ".", err) : 0;
			break;
		}
		result = remove_entry(r, entry, err);
	}
	closedir(dir);
	deepest(r)->scanned = true;
	return result;
}

/* Leaves the deepest level, which is empty, and removes it from the one above. */
static int leave(struct removal *r, struct error *err)
{
	struct level *gone = deepest(r), *above = gone - 1;
	AUTO_FD int fd = openat(r->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(r, "..", err);
	if (st.st_dev != above->dev || st.st_ino != above->ino)
		return error_set(err, ERROR_SYSTEM,
				 "remove %s: its folder %s was moved away meanwhile", r->top,
				 gone->name);
	close(r->fd);
	r->fd = take_fd(fd);
	r->n--;
	if (unlink_in(r->fd, gone->name, AT_REMOVEDIR) == 0) {
		level_release(gone);
		return 0;
	}
	/* Somebody put something there after it was scanned: go down once more. */
	if (errno == ENOTEMPTY && r->n_refilled++ < MAX_REFILLED) {
		strlist_take(&above->subdirs, take_ptr(gone->name));
		level_release(gone);
		return 0;
	}
	fail(r, gone->name, err);
	level_release(gone);
	return -1;
}

/* Empties the folder dirfd/name; when it is gone already there is no level left. */
static int empty_tree(struct removal *r, int dirfd, const char *name, struct error *err)
{
	if (enter(r, dirfd, name, err) < 0)
		return -1;
	while (r->n) {
		struct level *level = deepest(r);

		if (!level->scanned) {
			if (scan(r, err) < 0)
				return -1;
		} else if (level->subdirs.n) {
			AUTO_FREE char *sub = level->subdirs.items[--level->subdirs.n];

			level->subdirs.items[level->subdirs.n] = NULL;
			if (enter(r, r->fd, sub, err) < 0)
				return -1;
		} else if (r->n > 1) {
			if (leave(r, err) < 0)
				return -1;
		} else {
			return 0;
		}
	}
	return 0;
}

int fs_remove_tree(int dirfd, const char *name, struct error *err)
{
	for (int tries = 0;; tries++) {
		AUTO(removal) r = {.fd = -1, .top = name};

		if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno != EISDIR)
			return error_errno(err, "remove %s", name);
		if (empty_tree(&r, dirfd, name, err) < 0)
			return -1;
		if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != ENOTEMPTY || tries == MAX_REFILLED)
			return error_errno(err, "remove %s", name);
	}
}

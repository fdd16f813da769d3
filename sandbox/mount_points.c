#include "sandbox/mount_points.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"

struct mount_point {
	char *folder; /* that was there; "" is the root */
	char *name;   /* below it; may have several parts */
	int64_t sec;
	long nsec;
};

static void mount_point_release(struct mount_point *m)
{
	free(m->folder);
	free(m->name);
}
CLEANUP_RELEASE(mount_point)

static int parse(struct mount_point *m, const char *line, struct error *err)
{
	size_t missing;
	int at = 0;

	if (sscanf(line, "%zu %" SCNd64 " %ld %n", &missing, &m->sec, &m->nsec, &at) != 3 ||
	    at == 0 || missing >= strlen(line + at))
		return error_set(err, ERROR_CORRUPT, "a mount point is told wrongly: \"%s\"", line);
	m->folder = xstrndup(line + at, missing);
	m->name = xstrdup(line + at + missing + (missing > 0));
	return 0;
}

/* -1 with ENOENT: the step has moved or removed it. */
static int open_folder(int rootfd, const struct mount_point *m)
{
	return fs_openat_beneath(rootfd, m->folder[0] ? m->folder : ".", O_RDONLY | O_DIRECTORY, 0);
}

static void pardon(int rootfd, const struct mount_point *m, struct strlist *pardoned)
{
	AUTO_FD int fd = open_folder(rootfd, m);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ctim.tv_sec == m->sec &&
	    st.st_ctim.tv_nsec == m->nsec)
		strlist_add(pardoned, m->folder);
}

/* One part. Only what is empty, as it was made. */
static void remove_part(int folder, const char *path)
{
	struct stat st;

	if (fstatat(folder, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISDIR(st.st_mode))
		(void)unlinkat(folder, path, AT_REMOVEDIR);
	else if (S_ISREG(st.st_mode) && st.st_size == 0)
		(void)unlinkat(folder, path, 0);
}

static int remove_one(int rootfd, struct mount_point *m, struct error *err)
{
	AUTO_FD int folder = open_folder(rootfd, m);
	struct timespec times[2];
	struct stat st;
	char *slash;

	if (folder < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (folder < 0 || fstat(folder, &st) < 0)
		return error_errno(err, "remove the mount point /%s", m->name);
	do {
		AUTO_FD int parent = -1;
		char *last;

		slash = strrchr(m->name, '/');
		last = slash ? slash + 1 : m->name;
		if (slash)
			*slash = '\0';
		parent = fs_openat_beneath(folder, slash ? m->name : ".", O_RDONLY | O_DIRECTORY,
					   0);
		if (parent >= 0)
			remove_part(parent, last);
	} while (slash);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (futimens(folder, times) < 0)
		return error_errno(err, "set the time of /%s", m->folder);
	return 0;
}

int mount_points_remove(const char *root, const struct strlist *made, struct strlist *pardoned,
			struct error *err)
{
	AUTO_FD int rootfd = open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (rootfd < 0)
		return error_errno(err, "open %s", root);
	for (size_t i = 0; i < made->n; i++) {
		AUTO(mount_point) m = {.folder = NULL};

		if (parse(&m, made->items[i], err) < 0)
			return -1;
		pardon(rootfd, &m, pardoned);
	}
	for (size_t i = made->n; i > 0; i--) {
		AUTO(mount_point) m = {.folder = NULL};

		if (parse(&m, made->items[i - 1], err) < 0 || remove_one(rootfd, &m, err) < 0)
			return -1;
	}
	return 0;
}

#include "sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/*
 * Mount points that an image lacks are never made in the writable folder, where they would end up in the layer. They
 * are made in a lower folder of our own that the overlay puts on top of the image's: nothing has to be removed later.
 * Only where there is no overlay they are made in the root, and taken out again.
 */

static void copy_user_xattrs(int from, int to)
{
	char names[4096], value[4096];
	ssize_t n = flistxattr(from, names, sizeof(names));

	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		const char *name = names + at;
		ssize_t len;

		if (strncmp(name, "user.", 5) != 0 || strncmp(name, "user.overlay.", 13) == 0)
			continue;
		len = fgetxattr(from, name, value, sizeof(value));
		if (len >= 0)
			(void)!fsetxattr(to, name, value, (size_t)len, 0);
	}
}

/* The folder exists in the view: what the step sees of it must not change because we put a folder over it. */
static void copy_metadata(int viewfd, int stubsfd, const char *path)
{
	int from = open_beneath(viewfd, path, O_RDONLY | O_DIRECTORY);
	int to = open_beneath(stubsfd, path, O_RDONLY | O_DIRECTORY);
	struct timespec times[2];
	struct stat st;

	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		fail(STAGE_TARGET, errno, "prepare the mount points below /%s", path);
	/* Ids that are not mapped cannot be given away; then the folder stays ours. */
	if (fchown(to, st.st_uid, st.st_gid) < 0 && errno != EINVAL && errno != EOVERFLOW)
		fail(STAGE_TARGET, errno, "prepare the mount points below /%s", path);
	copy_user_xattrs(from, to);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (fchmod(to, st.st_mode & 07777) < 0 || futimens(to, times) < 0)
		fail(STAGE_TARGET, errno, "prepare the mount points below /%s", path);
	close(from);
	close(to);
}

static void copy_parents(int viewfd, int stubsfd, const struct stub *s)
{
	char path[INIT_PATH];

	for (size_t i = 1; i <= s->missing; i++) {
		if (i < s->missing && s->real[i] != '/')
			continue;
		memcpy(path, s->real, i);
		path[i] = '\0';
		copy_metadata(viewfd, stubsfd, path);
	}
}

void stubs_make(int viewfd, int stubsfd, const struct stub *stubs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int fd = make_beneath(stubsfd, stubs[i].real, stubs[i].file,
				      stubs[i].file ? 0644 : 0755);

		if (fd < 0)
			fail(STAGE_TARGET, errno, "make the mount point /%s", stubs[i].real);
		close(fd);
	}
	/* Times last: making a name changes its folder's. */
	for (size_t i = 0; i < n; i++)
		copy_parents(viewfd, stubsfd, &stubs[i]);
}

/* The folder that the missing part begins in. */
static int open_parent(int rootfd, const struct stub *s)
{
	char path[INIT_PATH];
	int fd;

	if (s->missing >= sizeof(path))
		fail(STAGE_TARGET, ENAMETOOLONG, "make the mount point /%s", s->real);
	memcpy(path, s->real, s->missing);
	path[s->missing] = '\0';
	fd = open_beneath(rootfd, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		fail(STAGE_TARGET, errno, "make the mount point /%s", s->real);
	return fd;
}

/* The folder shows the times it had. */
static void make_in(int rootfd, const struct stub *s)
{
	int parent = open_parent(rootfd, s), fd;
	struct timespec times[2];
	struct stat st;

	if (fstat(parent, &st) < 0)
		fail(STAGE_TARGET, errno, "make the mount point /%s", s->real);
	fd = make_beneath(rootfd, s->real, s->file, s->file ? 0644 : 0755);
	if (fd < 0)
		fail(STAGE_TARGET, errno, "make the mount point /%s", s->real);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (futimens(parent, times) < 0)
		fail(STAGE_TARGET, errno, "make the mount point /%s", s->real);
	close(fd);
	close(parent);
}

static void report_stub(int rootfd, const struct stub *s)
{
	int parent = open_parent(rootfd, s), len;
	char text[sizeof(((struct report *)NULL)->text)];
	struct stat st;

	if (fstat(parent, &st) < 0)
		fail(STAGE_TARGET, errno, "read the folder of the mount point /%s", s->real);
	len = snprintf(text, sizeof(text), "%zu %lld %ld %s", s->missing,
		       (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec, s->real);
	if (len < 0 || (size_t)len >= sizeof(text))
		fail(STAGE_TARGET, ENAMETOOLONG, "make the mount point /%s", s->real);
	report_text(REPORT_STUB, text);
	close(parent);
}

void stubs_make_in(int rootfd, const struct stub *stubs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		make_in(rootfd, &stubs[i]);
	/* Several may be in one folder: its time of change is that of the last one. */
	for (size_t i = 0; i < n; i++)
		report_stub(rootfd, &stubs[i]);
}

#include "sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/*
 * Mount points that an image lacks are never made in the writable folder, where they would end up in the layer. They
 * are made in a lower folder of our own that the overlay puts on top of the image's: nothing has to be removed later.
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

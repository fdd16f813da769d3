#include "sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* Option strings are one page: at most four bytes a lower folder, its name in hexadecimal and a colon. */
struct options {
	char text[4000];
	size_t len;
};

static void add(struct options *o, const char *text)
{
	size_t len = strlen(text);

	if (o->len + len >= sizeof(o->text))
		fail(STAGE_OVERLAY, 0, "too many layers for one overlay mount");
	memcpy(o->text + o->len, text, len + 1);
	o->len += len;
}

static void short_name(size_t i, char out[8])
{
	snprintf(out, 8, "%x", (unsigned int)i & 0xffffu);
}

/*
 * Lower folders are given by short names: links in a folder of their own on the scratch file system. So neither the
 * length of the state folder's path nor a comma or colon in it matters, and /proc/mounts in the step shows no host path.
 */
static void link_lowers(const struct overlay *ov, int dirfd, struct options *opt)
{
	size_t n = 0;
	char name[8];

	add(opt, "lowerdir=");
	if (ov->stubs) {
		if (symlinkat(ov->stubs, dirfd, "s") < 0)
			fail(STAGE_OVERLAY, errno, "name the lower folders");
		add(opt, "s:");
	}
	for (; n < ov->lowers.n; n++) {
		short_name(n, name);
		if (symlinkat(ov->lowers.items[n], dirfd, name) < 0)
			fail(STAGE_OVERLAY, errno, "name the lower folders");
		add(opt, name);
		add(opt, ":");
	}
	/* A merged view without a writable side needs two folders at least. */
	if (mkdirat(dirfd, "z", 0755) < 0)
		fail(STAGE_OVERLAY, errno, "name the lower folders");
	add(opt, "z"); /* no hexadecimal digit, as all names of ours here */
}

static void link_upper(const struct overlay *ov, int dirfd, struct options *opt)
{
	if (symlinkat(ov->upper, dirfd, "u") < 0 || symlinkat(ov->work, dirfd, "w") < 0)
		fail(STAGE_OVERLAY, errno, "name the upper folder");
	add(opt, ",upperdir=u,workdir=w");
}

int overlay_mount(const struct overlay *ov, int scratchfd, const char *name)
{
	/* index, metacopy and redirects would put marks into the change set that only this kernel understands. */
	struct options opt = {.text = "", .len = 0};
	unsigned long flags = (ov->devices ? 0ul : MS_NODEV) | (ov->readonly ? MS_RDONLY : 0ul);
	int dirfd, fd, r = -1;

	if (ov->lowers.n > INIT_MAX_LOWERS)
		fail(STAGE_OVERLAY, 0,
		     "the image has %zu layers, more than the %d that one overlay mount takes",
		     ov->lowers.n, INIT_MAX_LOWERS);
	if (mkdirat(scratchfd, name, 0755) < 0 ||
	    (dirfd = openat(scratchfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    mkdirat(dirfd, "m", 0755) < 0 || fchdir(dirfd) < 0)
		fail(STAGE_OVERLAY, errno, "make a mount point");
	link_lowers(ov, dirfd, &opt);
	add(&opt, ",index=off,metacopy=off,redirect_dir=nofollow,xino=auto");
	if (ov->userns)
		add(&opt, ",userxattr");
	if (ov->upper) {
		size_t plain;

		link_upper(ov, dirfd, &opt);
		plain = opt.len;
		/* A crash discards the upper folder anyway, so nothing needs to reach the disk at the end. */
		add(&opt, ",volatile");
		r = mount("overlay", "m", "overlay", flags, opt.text);
		opt.text[plain] = '\0';
	}
	if (r < 0)
		r = mount("overlay", "m", "overlay", flags, opt.text);
	if (r < 0)
		return -1;
	fd = openat(dirfd, "m", O_PATH | O_DIRECTORY | O_CLOEXEC);
	close(dirfd);
	return fd;
}

void folder_take_metadata(const char *folder, const struct stat *like)
{
	const struct timespec times[2] = {like->st_atim, like->st_mtim};

	/* Ids that are not mapped cannot be given away; then the folder stays ours. */
	if (chown(folder, like->st_uid, like->st_gid) < 0 && errno != EINVAL && errno != EOVERFLOW)
		fail(STAGE_OVERLAY, errno, "set the owner of %s", folder);
	if (chmod(folder, like->st_mode & 07777) < 0 ||
	    utimensat(AT_FDCWD, folder, times, AT_SYMLINK_NOFOLLOW) < 0)
		fail(STAGE_OVERLAY, errno, "set the mode of %s", folder);
}

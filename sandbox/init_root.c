#include "sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

#define LOCKED (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

static int open_scratch(const struct orders *o)
{
	static const struct mount_option options[] = {{"mode", "0755"}};
	int base = open(o->scratch, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd;

	if (base < 0)
		fail(STAGE_SCRATCH, errno, "open %s", o->scratch);
	fd = mount_fs("tmpfs", options, 1, LOCKED);
	if (fd < 0 || mount_attach(fd, base) < 0)
		fail(STAGE_SCRATCH, errno, "mount a private file system in memory");
	close(base);
	return fd;
}

static bool below_earlier(const struct orders *o, size_t n, const char *real)
{
	for (size_t i = 0; i < n; i++)
		if (o->mounts[i].real[0] && strcmp(real, o->mounts[i].real) != 0 &&
		    path_below(real, o->mounts[i].real))
			return true;
	return path_below(real, "dev");
}

/* Which mount points the merged view lacks. Those inside another mount are found, or made, when it is there. */
static size_t find_stubs(struct orders *o, const struct source *sources, int viewfd,
			 struct stub *stubs)
{
	static const char *const folders[] = {"dev", "proc", "sys"};
	size_t n = 0;

	for (size_t i = 0; i < 3; i++) {
		int fd = open_beneath(viewfd, folders[i], O_PATH | O_NOFOLLOW);

		if (fd < 0)
			stubs[n++] = (struct stub){.real = folders[i]};
		else
			close(fd);
	}
	for (size_t i = 0; i < o->n_mounts; i++) {
		struct mount_order *m = &o->mounts[i];
		size_t missing;

		if (resolve_in_root(viewfd, m->target, &m->real, &missing) < 0)
			fail(STAGE_TARGET, errno, "find the mount point %s in the image",
			     m->target);
		if (m->real[0] == '\0')
			fail(STAGE_TARGET, 0, "mount on %s: this is the root of the image",
			     m->target);
		if (path_below(m->real, "proc") || path_below(m->real, "sys"))
			fail(STAGE_TARGET, 0, "mount on %s: refused, it leads into /%s", m->target,
			     m->real);
		if (!m->real[missing] || below_earlier(o, i, m->real))
			continue;
		stubs[n++] = (struct stub){
			.real = m->real, .missing = missing, .file = sources[i].is_file};
	}
	return n;
}

/* By number: a bind has the file system of what it shows, which may be that of the root. */
static bool same_mount(int a, int b)
{
	struct statx sa, sb;

	if (statx(a, "", AT_EMPTY_PATH, STATX_MNT_ID, &sa) < 0 ||
	    statx(b, "", AT_EMPTY_PATH, STATX_MNT_ID, &sb) < 0)
		return true;
	return sa.stx_mnt_id == sb.stx_mnt_id;
}

/* The mount point inside a mount that came before: made there when that is missing. */
static int open_nested(int rootfd, const struct mount_order *m, bool file)
{
	size_t missing;
	char *real;
	int fd;

	if (resolve_in_root(rootfd, m->target, &real, &missing) < 0)
		return -1;
	if (!real[missing])
		return open_beneath(rootfd, real, O_PATH | O_NOFOLLOW);
	char *top = init_strdup(real);

	top[missing] = '\0';
	fd = open_beneath(rootfd, top, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return -1;
	if (same_mount(rootfd, fd))
		fail(STAGE_TARGET, 0, "the mount point %s is not in the image", m->target);
	return make_beneath(fd, real + missing + (missing > 0), file, file ? 0644 : 0755);
}

static void attach_all(const struct orders *o, const struct source *sources, int rootfd)
{
	for (size_t i = 0; i < o->n_mounts; i++) {
		const struct mount_order *m = &o->mounts[i];
		int target = open_in_root(rootfd, m->target, O_PATH);

		if (target < 0 && errno == ENOENT)
			target = open_nested(rootfd, m, sources[i].is_file);
		if (target < 0)
			fail(STAGE_TARGET, errno, "open the mount point %s", m->target);
		if (is_on_proc(target))
			fail(STAGE_TARGET, 0, "mount on %s: refused, it leads into /proc",
			     m->target);
		if (mount_attach(sources[i].fd, target) < 0)
			fail(STAGE_MOUNT, errno,
			     "mount on %s (a file can only cover a file, a folder only a folder)",
			     m->target);
		close(target);
		close(sources[i].fd);
	}
}

static int mount_root(struct orders *o, const struct source *sources, int scratchfd)
{
	struct stub *stubs = init_alloc(o->n_mounts + 3, sizeof(*stubs));
	struct overlay ov = {.userns = (o->flags & FLAG_USERNS) != 0,
			     .devices = (o->flags & FLAG_PRIVILEGED) != 0};
	size_t n;
	int viewfd, stubsfd, rootfd;

	/* The view is never unmounted: that would cost a wait, and it goes with the old root. */
	ov.lowers.items = init_alloc(o->lowers.n + 1, sizeof(char *));
	ov.lowers.items[0] = init_strdup(o->upper);
	memcpy(ov.lowers.items + 1, o->lowers.items, o->lowers.n * sizeof(char *));
	ov.lowers.n = o->lowers.n + 1;
	if ((o->flags & FLAG_FRESH) && o->lowers.n > 0) {
		struct stat like;

		if (stat(o->lowers.items[0], &like) < 0)
			fail(STAGE_OVERLAY, errno, "read %s", o->lowers.items[0]);
		folder_take_metadata(o->upper, &like);
	}
	viewfd = overlay_mount(&ov, scratchfd, "view");
	if (viewfd < 0)
		fail(STAGE_OVERLAY, errno, "mount the overlay of the image's layers");
	n = find_stubs(o, sources, viewfd, stubs);
	if (n > 0) {
		if (mkdirat(scratchfd, "stubs", 0755) < 0 ||
		    (stubsfd = openat(scratchfd, "stubs", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
			fail(STAGE_SCRATCH, errno, "make a folder for mount points");
		stubs_make(viewfd, stubsfd, stubs, n);
		close(stubsfd);
		ov.stubs = "../stubs";
	}
	close(viewfd);
	ov.lowers = o->lowers;
	ov.upper = o->upper;
	ov.work = o->work;
	ov.readonly = (o->flags & FLAG_READONLY) != 0;
	rootfd = overlay_mount(&ov, scratchfd, "root");
	if (rootfd < 0)
		fail(STAGE_OVERLAY, errno, "mount the overlay of the step");
	return rootfd;
}

/* Without an overlay: the root is the step's own as a whole, so that it can be written to as it is. */
static int bind_root(struct orders *o, const struct source *sources, int scratchfd)
{
	const unsigned int devices = o->flags & FLAG_PRIVILEGED ? 0u : MOUNT_ATTR_NODEV;
	struct stub *stubs = init_alloc(o->n_mounts + 3, sizeof(*stubs));
	int base = open(o->root, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), at, rootfd;

	rootfd = base < 0 ? -1 : mount_clone(base, false);
	if (rootfd < 0 || mount_set(rootfd, devices, false) < 0)
		fail(STAGE_ROOT, errno, "bind the root of the step");
	close(base);
	at = make_beneath(scratchfd, "root", false, 0755);
	if (at < 0 || mount_attach(rootfd, at) < 0)
		fail(STAGE_ROOT, errno, "bind the root of the step");
	close(at);
	stubs_make_in(rootfd, stubs, find_stubs(o, sources, rootfd, stubs));
	if ((o->flags & FLAG_READONLY) && mount_set(rootfd, MOUNT_ATTR_RDONLY, false) < 0)
		fail(STAGE_ROOT, errno, "make the root of the step read-only");
	return rootfd;
}

static void change_root(int rootfd)
{
	int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (old < 0 || fchdir(rootfd) < 0)
		fail(STAGE_PIVOT, errno, "enter the new root");
	if (syscall(SYS_pivot_root, ".", ".") == 0) {
		if (fchdir(old) < 0 || umount2(".", MNT_DETACH) < 0)
			fail(STAGE_PIVOT, errno, "leave the old root");
	} else {
		/* Some containers forbid the call, and an initial ramdisk cannot be pivoted away. */
		if (errno != EPERM && errno != EINVAL)
			fail(STAGE_PIVOT, errno, "pivot_root");
		if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
			fail(STAGE_PIVOT, errno,
			     "pivot_root is refused, and so is moving the root");
	}
	if (chdir("/") < 0)
		fail(STAGE_PIVOT, errno, "enter the new root");
	close(old);
}

int root_build(struct orders *o)
{
	struct source *sources = init_alloc(o->n_mounts, sizeof(*sources));
	int scratchfd, rootfd, tty;

	if (unshare(CLONE_NEWNS) < 0)
		fail(STAGE_NAMESPACES, errno, "make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail(STAGE_PRIVATE, errno, "make the mounts private");
	scratchfd = open_scratch(o);
	sources_prepare(o, scratchfd, sources);
	rootfd = o->root ? bind_root(o, sources, scratchfd) : mount_root(o, sources, scratchfd);
	dev_mount(rootfd, o, &tty);
	proc_mount(rootfd);
	sys_mount(rootfd, o);
	if (!(o->flags & FLAG_PRIVILEGED))
		masks_mount(rootfd);
	attach_all(o, sources, rootfd);
	change_root(rootfd);
	close(rootfd);
	close(scratchfd);
	return tty;
}

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

/* What a mount of the step shows: ready to be attached. */
struct source {
	int fd; /* a mount not attached yet */
	bool is_file;
};

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

static bool is_file(int fd, const char *what)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		fail(STAGE_MOUNT, errno, "read %s", what);
	return !S_ISDIR(st.st_mode);
}

static void clone_source(struct source *s, int fd, const struct mount_order *m, unsigned int attr)
{
	bool readonly = m->attr.flags & MOUNT_READONLY;

	s->is_file = is_file(fd, m->target);
	s->fd = mount_clone(fd, true);
	if (s->fd < 0 || mount_set(s->fd, attr | (readonly ? MOUNT_ATTR_RDONLY : 0u), true) < 0)
		fail(STAGE_MOUNT, errno, "bind what is to be mounted on %s", m->target);
}

static int open_subpath(int fd, const struct mount_order *m)
{
	int sub;

	if (!m->subpath)
		return fd;
	sub = open_in_root(fd, m->subpath, O_PATH);
	if (sub < 0)
		fail(STAGE_MOUNT, errno, "open %s, to be mounted on %s", m->subpath, m->target);
	close(fd);
	return sub;
}

static int open_source(const struct mount_order *m)
{
	int fd = open(m->source, O_PATH | O_CLOEXEC);

	if (fd < 0)
		fail(STAGE_MOUNT, errno, "open %s, to be mounted on %s", m->source, m->target);
	return open_subpath(fd, m);
}

/* Copies a file so that what the step writes to it is dropped. */
static int copy_aside(int fd, const struct mount_order *m, int scratchfd, const char *name)
{
	char path[32], buf[65536];
	struct stat st;
	ssize_t n;
	int in, out;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	in = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (in < 0 || fstat(in, &st) < 0 || !S_ISREG(st.st_mode))
		fail(STAGE_MOUNT, in < 0 ? errno : 0, "read the file to be mounted on %s",
		     m->target);
	out = openat(scratchfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		fail(STAGE_MOUNT, errno, "copy the file to be mounted on %s", m->target);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			fail(STAGE_MOUNT, errno, "copy the file to be mounted on %s", m->target);
	if (n < 0)
		fail(STAGE_MOUNT, errno, "read the file to be mounted on %s", m->target);
	(void)!fchown(out, st.st_uid, st.st_gid);
	(void)fchmod(out, st.st_mode & 07777);
	close(in);
	close(fd);
	return out;
}

static int scratch_dir(const struct mount_order *m, const char *name, char out[INIT_PATH])
{
	if (snprintf(out, INIT_PATH, "%s/%s", m->scratch, name) >= INIT_PATH)
		fail(STAGE_MOUNT, ENAMETOOLONG, "make %s", name);
	if (mkdir(out, 0755) < 0 && errno != EEXIST)
		fail(STAGE_MOUNT, errno, "make %s", out);
	return 0;
}

/* A folder behind a throw-away overlay: the step may write, nobody sees it afterwards. */
static int throw_away(const struct orders *o, const struct mount_order *m, struct list lowers,
		      const struct stat *like, int scratchfd, const char *name)
{
	char upper[INIT_PATH], work[INIT_PATH];
	struct overlay ov = {.lowers = lowers,
			     .userns = (o->flags & FLAG_USERNS) != 0,
			     .readonly = (m->attr.flags & MOUNT_READONLY) != 0};
	int fd;

	if (!ov.readonly) {
		scratch_dir(m, "upper", upper);
		scratch_dir(m, "work", work);
		folder_take_metadata(upper, like);
		ov.upper = upper;
		ov.work = work;
	}
	fd = overlay_mount(&ov, scratchfd, name);
	if (fd < 0)
		fail(STAGE_OVERLAY, errno, "mount the overlay for %s", m->target);
	return fd;
}

static void bind_source(const struct orders *o, const struct mount_order *m, int scratchfd,
			size_t i, struct source *s)
{
	char name[32], below[40], path[64];
	bool readonly = m->attr.flags & MOUNT_READONLY;
	struct stat like;
	int fd, at;

	snprintf(name, sizeof(name), "m%zu", i);
	if (m->lowers.n > 0) {
		if (stat(m->lowers.items[0], &like) < 0)
			fail(STAGE_MOUNT, errno, "read %s", m->lowers.items[0]);
		fd = open_subpath(throw_away(o, m, m->lowers, &like, scratchfd, name), m);
		clone_source(s, fd, m, LOCKED);
		close(fd);
		return;
	}
	fd = open_source(m);
	if (!readonly && is_file(fd, m->target)) {
		fd = copy_aside(fd, m, scratchfd, name);
	} else if (!readonly) {
		/* The overlay takes its lower folder by name: by one that nobody else can change. */
		char *lower = path;
		struct list lowers = {.items = &lower, .n = 1};

		clone_source(s, fd, m, LOCKED);
		snprintf(below, sizeof(below), "b%zu", i);
		at = make_beneath(scratchfd, below, false, 0755);
		if (at < 0 || mount_attach(s->fd, at) < 0)
			fail(STAGE_MOUNT, errno, "bind what is to be mounted on %s", m->target);
		close(at);
		snprintf(path, sizeof(path), "../%s", below);
		if (fstat(fd, &like) < 0)
			fail(STAGE_MOUNT, errno, "read what is to be mounted on %s", m->target);
		close(fd);
		fd = throw_away(o, m, lowers, &like, scratchfd, name);
	}
	clone_source(s, fd, m, LOCKED);
	close(fd);
}

static void cache_source(const struct mount_order *m, struct source *s)
{
	int fd;

	if (mkdir(m->source, 0700) == 0) {
		/* Where only one id exists, ownership stays as it is. */
		(void)!chown(m->source, m->attr.uid, m->attr.gid);
		if (chmod(m->source, m->attr.mode ? m->attr.mode : 0755) < 0)
			fail(STAGE_MOUNT, errno, "make %s", m->source);
	} else if (errno != EEXIST) {
		fail(STAGE_MOUNT, errno, "make %s", m->source);
	}
	fd = open_source(m);
	clone_source(s, fd, m, LOCKED);
	close(fd);
}

static void tmpfs_source(const struct mount_order *m, struct source *s)
{
	char size[32], mode[16], uid[16], gid[16];
	struct mount_option options[4];
	size_t n = 0;

	snprintf(mode, sizeof(mode), "%o", m->attr.mode ? m->attr.mode : 01777u);
	options[n++] = (struct mount_option){"mode", mode};
	if (m->attr.size > 0) {
		snprintf(size, sizeof(size), "%lld", (long long)m->attr.size);
		options[n++] = (struct mount_option){"size", size};
	}
	if (m->attr.uid || m->attr.gid) {
		snprintf(uid, sizeof(uid), "%u", m->attr.uid);
		snprintf(gid, sizeof(gid), "%u", m->attr.gid);
		options[n++] = (struct mount_option){"uid", uid};
		options[n++] = (struct mount_option){"gid", gid};
	}
	s->is_file = false;
	s->fd = mount_fs("tmpfs", options, n,
			 LOCKED | (m->attr.flags & MOUNT_READONLY ? MOUNT_ATTR_RDONLY : 0u));
	if (s->fd < 0)
		fail(STAGE_MOUNT, errno, "mount a file system in memory on %s", m->target);
}

static void data_source(const struct mount_order *m, int scratchfd, size_t i, struct source *s)
{
	const char *at = m->data;
	size_t left = m->data_len;
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "f%zu", i);
	fd = openat(scratchfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		fail(STAGE_MOUNT, errno, "make the file for %s", m->target);
	while (left > 0) {
		ssize_t n = write(fd, at, left);

		if (n <= 0)
			fail(STAGE_MOUNT, errno, "write the file for %s", m->target);
		at += n;
		left -= (size_t)n;
	}
	(void)!fchown(fd, m->attr.uid, m->attr.gid);
	if (fchmod(fd, m->attr.mode) < 0)
		fail(STAGE_MOUNT, errno, "write the file for %s", m->target);
	clone_source(s, fd, m, LOCKED | MOUNT_ATTR_NOEXEC);
	close(fd);
}

static void prepare(const struct orders *o, int scratchfd, struct source *sources)
{
	for (size_t i = 0; i < o->n_mounts; i++) {
		const struct mount_order *m = &o->mounts[i];
		struct source *s = &sources[i];
		int fd;

		switch ((enum order_mount)m->kind) {
		case MOUNT_BIND:
			bind_source(o, m, scratchfd, i, s);
			break;
		case MOUNT_CACHE:
			cache_source(m, s);
			break;
		case MOUNT_HOST:
			fd = open_source(m);
			clone_source(s, fd, m, 0);
			close(fd);
			break;
		case MOUNT_TMPFS:
			tmpfs_source(m, s);
			break;
		case MOUNT_FILE:
			data_source(m, scratchfd, i, s);
			break;
		default:
			fail(STAGE_ORDERS, 0, "malformed orders: mount of kind %u", m->kind);
		}
	}
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

/* The mount point inside a mount that came before: made there when that is missing. */
static int open_nested(int rootfd, const struct mount_order *m, bool file)
{
	struct stat root, parent;
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
	if (fstat(rootfd, &root) < 0 || fstat(fd, &parent) < 0 || root.st_dev == parent.st_dev)
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
	struct overlay ov = {.userns = (o->flags & FLAG_USERNS) != 0};
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
	prepare(o, scratchfd, sources);
	rootfd = mount_root(o, sources, scratchfd);
	dev_mount(rootfd, o, &tty);
	proc_mount(rootfd);
	sys_mount(rootfd, o);
	masks_mount(rootfd);
	attach_all(o, sources, rootfd);
	change_root(rootfd);
	close(rootfd);
	close(scratchfd);
	return tty;
}

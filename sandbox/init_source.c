#include "sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LOCKED  (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define BACKLOG 128

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

/*
 * A folder behind a throw-away overlay: the step may write, nobody sees it afterwards. Its top folder is that of the lowers,
 * with the mode that the mount asks for.
 */
static int throw_away(const struct orders *o, const struct mount_order *m, struct list lowers,
		      const struct stat *source, int scratchfd, const char *name)
{
	char upper[INIT_PATH], work[INIT_PATH];
	bool top = m->attr.flags & MOUNT_TOP;
	struct stat like = *source;
	struct overlay ov = {.lowers = lowers,
			     .userns = (o->flags & FLAG_USERNS) != 0,
			     .readonly = (m->attr.flags & MOUNT_READONLY) != 0};
	int fd;

	if (top)
		like.st_mode = m->attr.mode;
	if (!ov.readonly || top) {
		scratch_dir(m, "upper", upper);
		folder_take_metadata(upper, &like);
	}
	if (!ov.readonly) {
		scratch_dir(m, "work", work);
		ov.upper = upper;
		ov.work = work;
	} else if (top) {
		ov.stubs = upper;
	}
	fd = overlay_mount(&ov, scratchfd, name);
	if (fd < 0)
		fail(STAGE_OVERLAY, errno, "mount the overlay for %s", m->target);
	return fd;
}

/* A copy made for this step, where no overlay can drop what is written. */
static void own_source(const struct mount_order *m, struct source *s)
{
	int fd;

	if ((m->attr.flags & MOUNT_TOP) && chmod(m->source, m->attr.mode) < 0)
		fail(STAGE_MOUNT, errno, "set the mode of %s", m->target);
	fd = open_source(m);
	clone_source(s, fd, m, LOCKED);
	close(fd);
}

static void bind_source(const struct orders *o, const struct mount_order *m, int scratchfd,
			size_t i, struct source *s)
{
	char name[32], below[40], path[64];
	bool readonly = m->attr.flags & MOUNT_READONLY;
	bool as_is = readonly && !(m->attr.flags & MOUNT_TOP);
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
	if (m->attr.flags & MOUNT_OWN) {
		own_source(m, s);
		return;
	}
	fd = open_source(m);
	if (!readonly && is_file(fd, m->target)) {
		fd = copy_aside(fd, m, scratchfd, name);
	} else if (!as_is) {
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

	if ((m->attr.flags & MOUNT_FILLED) || mkdir(m->source, 0700) == 0) {
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

/* Listens here, where the step's ids exist; slipway accepts, so whoever is behind it sees slipway's own user. */
static void socket_source(const struct mount_order *m, int scratchfd, size_t i, struct source *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), fd;

	snprintf(a.sun_path, sizeof(a.sun_path), "s%zu", i);
	if (listener < 0 || fchdir(scratchfd) < 0 ||
	    bind(listener, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(listener, BACKLOG) < 0)
		fail(STAGE_MOUNT, errno, "make the socket for %s", m->target);
	/* Where only one id exists, ownership stays as it is. */
	(void)!fchownat(scratchfd, a.sun_path, m->attr.uid, m->attr.gid, AT_SYMLINK_NOFOLLOW);
	if (fchmodat(scratchfd, a.sun_path, m->attr.mode, 0) < 0 ||
	    (fd = openat(scratchfd, a.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC)) < 0)
		fail(STAGE_MOUNT, errno, "make the socket for %s", m->target);
	clone_source(s, fd, m, LOCKED | MOUNT_ATTR_NOEXEC);
	close(fd);
	report_fd(REPORT_LISTENER, (int)m->attr.size, listener);
	close(listener);
}

void sources_prepare(const struct orders *o, int scratchfd, struct source *sources)
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
		case MOUNT_SOCKET:
			socket_source(m, scratchfd, i, s);
			break;
		default:
			fail(STAGE_ORDERS, 0, "malformed orders: mount of kind %u", m->kind);
		}
	}
}

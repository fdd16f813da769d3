#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sandbox/init_owner.h"
#include "sandbox/init_record.h"
#include "sandbox/init_target.h"

#define KEEP ((uint32_t)-1)

static bool read_attribute(int fd, const char *attribute, void *out, size_t size)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return getxattr(path, attribute, out, size) == (ssize_t)size;
}

static bool takes_attribute(const struct stat *st)
{
	return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
}

/* False: nothing is noted. */
static bool find_mark(int fd, const struct stat *st, struct owner_mark *m)
{
	return takes_attribute(st) ? read_attribute(fd, OWNER_MARK, m, sizeof(*m))
				   : record_find(fd, m);
}

bool owner_device(int fd, struct device_mark *d)
{
	return read_attribute(fd, DEVICE_MARK, d, sizeof(*d));
}

bool owner_read(int fd, const struct stat *st, struct owner_mark *m)
{
	if (find_mark(fd, st, m))
		return true;
	*m = (struct owner_mark){st->st_uid, st->st_gid};
	return false;
}

int owner_write(int fd, const struct stat *st, const struct owner_mark *m)
{
	char path[32];

	if (!takes_attribute(st))
		return record_set(fd, m);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* Where attributes are not known nobody would see them. */
	if (setxattr(path, OWNER_MARK, m, sizeof(*m), 0) < 0 && errno != ENOTSUP)
		return -1;
	return 0;
}

static int open_target(struct call *c, const struct owner_call *f)
{
	int flags = f->flags < 0 ? 0 : (int)c->args[f->flags], fd;
	int nofollow = f->nofollow || (flags & AT_SYMLINK_NOFOLLOW) ? O_NOFOLLOW : 0;
	struct target t;

	if (target_read(&t, c, f->dirfd, f->path) < 0)
		return -1;
	if (!t.path[0] && f->path >= 0 && !(flags & AT_EMPTY_PATH)) {
		target_release(&t);
		errno = ENOENT;
		return -1;
	}
	fd = target_open(c, &t, nofollow);
	target_release(&t);
	return fd;
}

/* As the kernel does: a file that changes hands is not setuid any more. */
static void drop_setuid(int fd, const struct stat *st)
{
	mode_t drop = S_ISUID | (st->st_mode & S_IXGRP ? S_ISGID : 0);
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (S_ISREG(st->st_mode) && (st->st_mode & drop))
		(void)chmod(path, st->st_mode & 07777 & ~drop);
	if (S_ISREG(st->st_mode))
		(void)removexattr(path, "security.capability");
}

/* Its owner may give it to a group that he is in, nobody but root to another user. */
static bool may_give(const struct identity *id, const struct owner_mark *now,
		     const struct owner_mark *to)
{
	if (id->fsuid == 0)
		return true;
	return now->uid == id->fsuid && to->uid == now->uid &&
	       (to->gid == now->gid || identity_in_group(id, to->gid));
}

static int give(struct call *c, const struct owner_call *f, int fd)
{
	uint32_t uid = (uint32_t)c->args[f->arg], gid = (uint32_t)c->args[f->arg + 1];
	struct owner_mark now, to;
	struct stat st;

	/* What is not the step's own, as a device, has the owner that it has. */
	if (fstat(fd, &st) < 0 || is_on_proc(fd) || st.st_uid != 0)
		return 0;
	(void)owner_read(fd, &st, &now);
	to.uid = uid == KEEP ? now.uid : uid;
	to.gid = gid == KEEP ? now.gid : gid;
	if (!may_give(identity_of(c), &now, &to)) {
		errno = EPERM;
		return -1;
	}
	drop_setuid(fd, &st);
	return owner_write(fd, &st, &to);
}

void owner_chown(struct call *c, const struct owner_call *f)
{
	int fd = open_target(c, f);

	if (fd < 0 && errno == 0)
		return;
	if (fd < 0 || give(c, f, fd) < 0)
		call_error(c, errno);
	else
		call_result(c, 0);
	if (fd >= 0)
		close(fd);
}

/* What differs from what the kernel says. */
struct shown {
	struct owner_mark owner;
	struct device_mark device; /* type 0: none */
};

static bool show_extended(struct call *c, const struct owner_call *f, int fd, const struct shown *s)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, (unsigned int)c->args[3], &x) < 0)
		return false;
	x.stx_uid = s->owner.uid;
	x.stx_gid = s->owner.gid;
	if (s->device.type) {
		x.stx_mode = (uint16_t)((x.stx_mode & 07777) | s->device.type);
		x.stx_rdev_major = s->device.major;
		x.stx_rdev_minor = s->device.minor;
	}
	return call_write(c, c->args[f->arg], &x, sizeof(x));
}

static bool show_plain(struct call *c, const struct owner_call *f, struct stat *st,
		       const struct shown *s)
{
	st->st_uid = s->owner.uid;
	st->st_gid = s->owner.gid;
	if (s->device.type) {
		st->st_mode = (st->st_mode & 07777) | s->device.type;
		st->st_rdev = makedev(s->device.major, s->device.minor);
	}
	return call_write(c, c->args[f->arg], st, sizeof(*st));
}

static void show(struct call *c, const struct owner_call *f, int fd)
{
	struct shown s = {.device.type = 0};
	struct stat st;
	bool marked;

	if (fstat(fd, &st) < 0 || st.st_uid != 0 || is_on_proc(fd))
		return;
	marked = owner_read(fd, &st, &s.owner);
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		marked = owner_device(fd, &s.device) || marked;
	/* Most files are root's, as the kernel says. */
	if (marked &&
	    (f->op == OWNER_STATX ? show_extended(c, f, fd, &s) : show_plain(c, f, &st, &s)))
		call_result(c, 0);
}

void owner_show(struct call *c, const struct owner_call *f)
{
	int fd = open_target(c, f);

	if (fd < 0)
		return;
	show(c, f, fd);
	close(fd);
}

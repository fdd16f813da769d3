#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sandbox/init_owner.h"
#include "sandbox/init_record.h"
#include "sandbox/init_target.h"

#define MAX_LINKS    40
#define UNNAMED_FILE (O_TMPFILE & ~O_DIRECTORY)

/* Where a file is to be made, and whose it will be. */
struct place {
	const struct identity *id;
	int parent; /* owned */
	char name[INIT_PATH];
	struct owner_mark owner;
};

static void place_release(struct place *p)
{
	if (p->parent >= 0)
		close(p->parent);
	p->parent = -1;
}

/* The maker's, and in a folder with the setgid bit that folder's group's. */
static void find_owner(struct place *p)
{
	struct owner_mark folder;
	struct stat st;

	p->owner = (struct owner_mark){p->id->fsuid, p->id->fsgid};
	if (fstat(p->parent, &st) < 0 || !(st.st_mode & S_ISGID))
		return;
	(void)owner_read(p->parent, &st, &folder);
	p->owner.gid = folder.gid;
}

static bool is_ordinary(const struct place *p)
{
	return p->owner.uid == 0 && p->owner.gid == 0;
}

/* False: the kernel does what is to be done, or the caller was told why not. */
static bool find_place(struct call *c, const struct target *t, struct place *p)
{
	p->parent = t->path[0] && !target_is_special(t) ? target_parent(c, t, p->name) : -1;
	if (p->parent < 0)
		return false;
	find_owner(p);
	return true;
}

static bool may_make(struct call *c, const struct place *p)
{
	struct stat st;

	/* Whether it exists is told first. */
	if (fstatat(p->parent, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return false;
	if (owner_may_in(p->id, p->parent, W_OK | X_OK))
		return true;
	call_error(c, EACCES);
	return false;
}

/* The file just made becomes its owner's, and the call is answered. */
static void made(struct call *c, const struct place *p)
{
	int fd = openat(p->parent, p->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	/* A link of root's is noted, too: in the place, or with the inode, of one that had another owner. */
	if (fd >= 0 && fstat(fd, &st) == 0 &&
	    (!is_ordinary(p) || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))))
		(void)owner_write(fd, &st, &p->owner);
	if (fd >= 0)
		close(fd);
	call_result(c, 0);
}

/* The place for a call that makes a file of another kind; false: answered, or nothing to do here. */
static bool begin(struct call *c, const struct owner_call *f, struct place *p, bool always)
{
	struct target t;
	bool found;

	p->id = identity_of(c);
	p->parent = -1;
	if (target_read(&t, c, f->dirfd, f->path) < 0)
		return false;
	found = find_place(c, &t, p);
	target_release(&t);
	if (found && (always || !is_ordinary(p)) && may_make(c, p))
		return true;
	place_release(p);
	return false;
}

static mode_t masked(const struct call *c, uint64_t mode)
{
	return (mode_t)mode & 07777 & ~call_umask(c);
}

void owner_mkdir(struct call *c, const struct owner_call *f)
{
	struct place p;

	if (!begin(c, f, &p, false))
		return;
	if (mkdirat(p.parent, p.name, masked(c, c->args[f->arg]) & 01777) < 0)
		call_error(c, errno);
	else
		made(c, &p);
	place_release(&p);
}

void owner_symlink(struct call *c, const struct owner_call *f)
{
	char text[INIT_PATH];
	struct place p;

	if (!begin(c, f, &p, records_any()))
		return;
	if (call_read_path(c, c->args[f->arg], text, sizeof(text))) {
		if (symlinkat(text, p.parent, p.name) < 0)
			call_error(c, errno);
		else
			made(c, &p);
	}
	place_release(&p);
}

/* An empty file stands for a device, which only the machine's root can make: it is one in the layer. */
static int make_device(const struct place *p, mode_t mode, dev_t device)
{
	const struct device_mark d = {
		.type = mode & S_IFMT, .major = major(device), .minor = minor(device)};
	int fd = openat(p->parent, p->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			mode & 07777);
	int number;

	if (fd < 0)
		return -1;
	if (fsetxattr(fd, DEVICE_MARK, &d, sizeof(d), 0) == 0) {
		close(fd);
		return 0;
	}
	number = errno == ENOTSUP ? EPERM : errno;
	close(fd);
	(void)unlinkat(p->parent, p->name, 0);
	errno = number;
	return -1;
}

void owner_mknod(struct call *c, const struct owner_call *f)
{
	const uint64_t asked = c->args[f->arg];
	const mode_t type = (mode_t)asked & S_IFMT;
	const bool device = type == S_IFCHR || type == S_IFBLK;
	const dev_t number = (dev_t)(uint32_t)c->args[f->arg + 1];
	struct place p;
	mode_t mode;
	int r;

	/* 0:0 is how an overlay mount says that a file was removed. */
	if (device && (identity_of(c)->euid != 0 || number == 0)) {
		call_error(c, EPERM);
		return;
	}
	if (!begin(c, f, &p, device || records_any()))
		return;
	mode = type | masked(c, asked);
	if (device)
		r = make_device(&p, mode, number);
	else
		r = mknodat(p.parent, p.name, mode, 0);
	if (r < 0)
		call_error(c, errno);
	else
		made(c, &p);
	place_release(&p);
}

/* An open as a call asks for it. */
struct opening {
	uint64_t flags;
	mode_t mode;
	bool plain; /* without conditions on the way that the path takes */
};

static bool read_opening(struct call *c, const struct owner_call *f, struct opening *o)
{
	struct open_how how;

	o->plain = true;
	if (f->op == OWNER_OPENAT2) {
		if (!call_read(c, c->args[f->arg], &how, sizeof(how)))
			return false;
		o->flags = how.flags;
		o->mode = (mode_t)how.mode;
		o->plain = how.resolve == 0;
	} else if (f->op == OWNER_CREAT) {
		o->flags = O_CREAT | O_WRONLY | O_TRUNC;
		o->mode = (mode_t)c->args[f->arg];
	} else {
		o->flags = c->args[f->arg] & 0xffffffff;
		o->mode = (mode_t)c->args[f->arg + 1];
	}
	return !(o->flags & O_PATH);
}

/* What is there may be opened for that? Otherwise the call is answered. */
static void check_existing(struct call *c, const struct identity *id, int fd, int parent,
			   uint64_t flags)
{
	const uint64_t how = flags & O_ACCMODE;
	const int want = (how == O_WRONLY || (flags & O_TRUNC) ? W_OK : 0) |
			 (how == O_RDWR ? R_OK | W_OK : 0);

	if (id->fsuid == 0 || is_on_proc(fd))
		return;
	if (!owner_may(id, fd, want) || (parent >= 0 && !owner_may_in(id, parent, X_OK)))
		call_error(c, EACCES);
}

static void give_new(struct call *c, const struct place *p, const char *name,
		     const struct opening *o, int exclusive)
{
	struct stat st;
	int fd = openat(p->parent, name,
			(int)o->flags | exclusive | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY,
			masked(c, o->mode)),
	    path;
	char text[32];

	if (fd < 0) {
		/* Somebody was quicker: the kernel opens what is there now. */
		if (errno != EEXIST || (o->flags & O_EXCL))
			call_error(c, errno);
		return;
	}
	snprintf(text, sizeof(text), "/proc/self/fd/%d", fd);
	path = open(text, O_PATH | O_CLOEXEC);
	if (path >= 0 && fstat(path, &st) == 0)
		(void)owner_write(path, &st, &p->owner);
	if (path >= 0)
		close(path);
	call_give(c, fd, (o->flags & O_CLOEXEC) != 0);
	close(fd);
}

static void make_unnamed(struct call *c, const struct target *t, struct place *p,
			 const struct opening *o)
{
	p->parent = target_open(c, t, 0);
	if (p->parent < 0)
		return;
	find_owner(p);
	if (is_ordinary(p))
		return;
	if (!owner_may_in(p->id, p->parent, W_OK | X_OK))
		call_error(c, EACCES);
	else
		give_new(c, p, ".", o, 0);
}

/* One step: the file is there, or made, or is a link to where it will be. True: look there. */
static bool open_or_make(struct call *c, struct target *t, struct place *p, const struct opening *o)
{
	struct stat st;
	bool exists, is_link;
	int fd;

	if (!find_place(c, t, p) || (is_ordinary(p) && p->id->fsuid == 0))
		return false;
	exists = fstatat(p->parent, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	is_link = exists && S_ISLNK(st.st_mode);
	if (is_link && !(o->flags & (O_EXCL | O_NOFOLLOW)))
		return target_follow(t, p->parent, p->name);
	if (exists && !(o->flags & O_EXCL)) {
		fd = openat(p->parent, p->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0) {
			check_existing(c, p->id, fd, p->parent, o->flags);
			close(fd);
		}
	} else if (!exists && may_make(c, p)) {
		give_new(c, p, p->name, o, O_EXCL);
	}
	return false;
}

static void open_existing(struct call *c, const struct target *t, struct place *p,
			  const struct opening *o)
{
	int fd = target_open(c, t, o->flags & O_NOFOLLOW ? O_NOFOLLOW : 0);

	if (fd < 0)
		return;
	p->parent = t->path[0] ? target_parent(c, t, p->name) : -1;
	check_existing(c, p->id, fd, p->parent, o->flags);
	close(fd);
}

void owner_open(struct call *c, const struct owner_call *f)
{
	struct place p = {.id = identity_of(c), .parent = -1};
	struct opening o;
	struct target t;
	bool again = true;

	if (!read_opening(c, f, &o) || !o.plain)
		return;
	if (p.id->fsuid == 0 && !(o.flags & (O_CREAT | UNNAMED_FILE)))
		return;
	if (target_read(&t, c, f->dirfd, f->path) < 0)
		return;
	if (target_is_special(&t) || !t.path[0])
		again = false;
	else if (o.flags & UNNAMED_FILE)
		make_unnamed(c, &t, &p, &o);
	else if (!(o.flags & O_CREAT))
		open_existing(c, &t, &p, &o);
	again = again && !(o.flags & UNNAMED_FILE) && (o.flags & O_CREAT);
	for (int i = 0; again && i < MAX_LINKS; i++) {
		place_release(&p);
		again = open_or_make(c, &t, &p, &o);
	}
	place_release(&p);
	target_release(&t);
}

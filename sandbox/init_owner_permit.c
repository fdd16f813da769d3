#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/init_owner.h"
#include "sandbox/init_record.h"
#include "sandbox/init_target.h"

bool owner_may(const struct identity *id, int fd, int want)
{
	struct owner_mark m;
	unsigned int bits;
	struct stat st;

	if (id->fsuid == 0 || fstat(fd, &st) < 0)
		return true;
	/* Links and devices: the kernel knows better. */
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return true;
	(void)owner_read(fd, &st, &m);
	bits = st.st_mode >> (m.uid == id->fsuid ? 6 : identity_in_group(id, m.gid) ? 3 : 0);
	return ((unsigned int)want & ~bits & 7) == 0;
}

bool owner_may_in(const struct identity *id, int folder, int want)
{
	char path[INIT_PATH];
	bool may = owner_may(id, folder, want);

	if (id->fsuid == 0 || !may || !target_name(folder, path))
		return may;
	for (char *slash = strrchr(path, '/'); may && slash && slash != path;
	     slash = strrchr(path, '/')) {
		int fd;

		*slash = '\0';
		fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return true;
		may = owner_may(id, fd, X_OK);
		close(fd);
	}
	return may;
}

/* Who asks by access() is the real user, who opens the effective one. */
static struct identity asking(const struct identity *id, bool effective)
{
	struct identity who = *id;

	who.fsuid = effective ? id->euid : id->ruid;
	who.fsgid = effective ? id->egid : id->rgid;
	return who;
}

static bool access_allowed(struct call *c, const struct owner_call *f, const struct target *t,
			   const struct identity *who)
{
	int flags = f->flags < 0 ? 0 : (int)c->args[f->flags];
	int fd = target_open(c, t, flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0);
	char name[INIT_PATH];
	int parent;
	bool may;

	if (fd < 0)
		return true;
	may = is_on_proc(fd) || owner_may(who, fd, (int)c->args[f->arg]);
	close(fd);
	parent = may && t->path[0] ? target_parent(c, t, name) : -1;
	if (parent >= 0) {
		may = owner_may_in(who, parent, X_OK);
		close(parent);
	}
	return may;
}

void owner_access(struct call *c, const struct owner_call *f)
{
	const struct identity *id = identity_of(c);
	const bool effective = f->flags >= 0 && ((int)c->args[f->flags] & AT_EACCESS);
	const struct identity who = asking(id, effective);
	struct target t;

	if (who.fsuid == 0 || target_read(&t, c, f->dirfd, f->path) < 0)
		return;
	if (!target_is_special(&t) && !access_allowed(c, f, &t, &who))
		call_error(c, EACCES);
	target_release(&t);
}

/* 0, or why the name may not be taken from the folder, or be given to something else there. */
static int change_refused(const struct identity *id, int parent, const char *name)
{
	struct owner_mark folder, m;
	struct stat st, there;
	int fd;

	if (!owner_may_in(id, parent, W_OK | X_OK))
		return EACCES;
	if (fstat(parent, &st) < 0 || !(st.st_mode & S_ISVTX))
		return 0;
	fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &there) < 0) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	(void)owner_read(parent, &st, &folder);
	(void)owner_read(fd, &there, &m);
	close(fd);
	return m.uid == id->fsuid || folder.uid == id->fsuid ? 0 : EPERM;
}

static bool may_change(struct call *c, const struct identity *id, int dirfd, int path)
{
	char name[INIT_PATH];
	int parent, number = 0;
	struct target t;

	if (target_read(&t, c, dirfd, path) < 0)
		return true;
	parent = t.path[0] && !target_is_special(&t) ? target_parent(c, &t, name) : -1;
	target_release(&t);
	if (parent < 0)
		return true;
	number = change_refused(id, parent, name);
	close(parent);
	if (number)
		call_error(c, number);
	return number == 0;
}

void owner_remove(struct call *c, const struct owner_call *f)
{
	const struct identity *id = identity_of(c);

	if (id->fsuid != 0)
		(void)may_change(c, id, f->dirfd, f->path);
}

/* What a layer knows of a link goes with it. */
static void keep_record(struct call *c, const struct owner_call *f)
{
	struct target t;
	int fd;

	if (!records_any() || target_read(&t, c, f->dirfd, f->path) < 0)
		return;
	fd = t.path[0] ? target_open(c, &t, O_NOFOLLOW) : -1;
	if (fd >= 0) {
		record_keep(fd);
		close(fd);
	}
	target_release(&t);
}

void owner_move(struct call *c, const struct owner_call *f)
{
	const struct identity *id = identity_of(c);
	const int dirfd = f->dirfd < 0 ? -1 : f->arg - 1;

	if (id->fsuid != 0 && ((f->op == OWNER_RENAME && !may_change(c, id, f->dirfd, f->path)) ||
			       !may_change(c, id, dirfd, f->arg)))
		return;
	keep_record(c, f);
}

void owner_chmod(struct call *c, const struct owner_call *f)
{
	const struct identity *id = identity_of(c);
	char name[INIT_PATH];
	struct owner_mark m;
	struct target t;
	struct stat st;
	int fd;

	if (id->fsuid == 0 || target_read(&t, c, f->dirfd, f->path) < 0)
		return;
	fd = target_is_special(&t) ? -1 : target_open(c, &t, 0);
	target_release(&t);
	if (fd < 0)
		return;
	/* A pipe or socket without a name is left to the kernel. */
	if (fstat(fd, &st) == 0 && !is_on_proc(fd) && target_name(fd, name)) {
		const bool noted = owner_read(fd, &st, &m);

		/* bind() makes sockets without being asked here: whose they are is not known. */
		if (m.uid != id->fsuid && (noted || !S_ISSOCK(st.st_mode)))
			call_error(c, EPERM);
	}
	close(fd);
}

/* As the kernel does when a program starts: credentials(7), execve(2). */
void owner_exec(struct call *c, const struct owner_call *f)
{
	const struct identity *id = identity_of(c);
	struct identity now = *id;
	struct owner_mark m;
	struct target t;
	struct stat st;
	int fd;

	if (target_read(&t, c, f->dirfd, f->path) < 0)
		return;
	fd = target_open(c, &t, 0);
	target_release(&t);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111)) {
		(void)owner_read(fd, &st, &m);
		if (st.st_mode & S_ISUID)
			now.euid = m.uid;
		if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP))
			now.egid = m.gid;
		now.suid = now.fsuid = now.euid;
		now.sgid = now.fsgid = now.egid;
		now.keeps_caps = now.privileged = false;
		identity_take(c, &now);
	}
	close(fd);
}

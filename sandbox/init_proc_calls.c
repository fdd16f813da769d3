#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/init_proc_question.h"

#define STATUS_SIZE 256

/* Where a link of a process leads to in the root, by its text. */
static bool link_text(struct question *q, char out[INIT_PATH])
{
	ssize_t n;

	call_act(q->c);
	n = readlinkat(notify_procfd(), q->path, out, INIT_PATH - 1);
	call_act_end();
	if (n < 0)
		return false;
	out[n] = '\0';
	return true;
}

static void give(struct question *q, int fd)
{
	if (fd < 0) {
		call_error(q->c, errno);
		return;
	}
	call_give(q->c, fd, q->flags & O_CLOEXEC);
	close(fd);
}

/* The folder in the root's own /proc. */
static int open_folder(struct question *q, bool names)
{
	char local[INIT_PATH + 8];

	if (!proc_make_folder(q->c, q->path, names))
		return -1;
	snprintf(local, sizeof(local), "/proc/%s", q->path);
	return open(local, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int make_mounts(const struct question *q)
{
	static const char mounts[] = "/dev/root / rootfs rw,relatime 0 0\n"
				     "proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n";
	static const char info[] =
		"1 1 0:1 / / rw,relatime - rootfs /dev/root rw\n"
		"2 1 0:2 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n";
	const char *text = strstr(q->path, "mountinfo") ? info : mounts;
	int fd = memfd_create("mounts", MFD_CLOEXEC);

	if (fd >= 0 && (write(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int open_file(struct question *q)
{
	const int keep = O_ACCMODE | O_NONBLOCK | O_APPEND | O_TRUNC;
	struct stat st;
	int fd;

	if ((q->flags & O_ACCMODE) != O_RDONLY && !proc_is_written(q->path)) {
		errno = q->kind == PROC_SYSTEM ? EROFS : EACCES;
		return -1;
	}
	call_act(q->c);
	fd = openat(notify_procfd(), q->path,
		    (q->flags & keep) | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	call_act_end();
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		if (!(q->flags & O_DIRECTORY))
			return fd;
		errno = ENOTDIR;
	} else if (q->kind == PROC_SYSTEM) {
		close(fd);
		return open_folder(q, true);
	} else {
		errno = ENOENT;
	}
	close(fd);
	return -1;
}

static int open_link(struct question *q)
{
	char text[INIT_PATH];
	int fd;

	if (!q->follow || (q->flags & O_ACCMODE) != O_RDONLY) {
		errno = q->follow ? EACCES : ELOOP;
		return -1;
	}
	if (!link_text(q, text))
		return -1;
	call_act(q->c);
	fd = open(text, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (q->flags & O_DIRECTORY));
	call_act_end();
	return fd;
}

static int open_descriptor(struct question *q)
{
	int fd;

	if (!q->follow) {
		errno = q->flags & O_EXCL ? EEXIST : ELOOP;
		return -1;
	}
	call_act(q->c);
	fd = openat(notify_procfd(), q->path,
		    (q->flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW)) | O_NONBLOCK | O_NOCTTY |
			    O_CLOEXEC);
	call_act_end();
	/* A pipe without another end would be waited for here, and everybody for that. */
	if (fd >= 0 && !(q->flags & (O_NONBLOCK | O_PATH)))
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

static void answer_open(struct question *q)
{
	switch (q->kind) {
	case PROC_FOLDER:
	case PROC_SELF:
		give(q, open_folder(q, true));
		break;
	case PROC_LINK:
		give(q, open_link(q));
		break;
	case PROC_DESCRIPTOR:
		give(q, open_descriptor(q));
		break;
	case PROC_MOUNTS:
		give(q, make_mounts(q));
		break;
	case PROC_FILE:
	case PROC_SYSTEM:
		give(q, open_file(q));
		break;
	case PROC_MISSING:
	default:
		call_error(q->c, ENOENT);
	}
}

/* The folder that opening it gives: programs compare what they opened with what they saw. */
static bool folder_place(struct question *q, int *dirfd, char name[INIT_PATH + 8])
{
	*dirfd = AT_FDCWD;
	snprintf(name, INIT_PATH + 8, "/proc/%s", q->path);
	return proc_make_folder(q->c, q->path, false);
}

static bool is_folder(const struct question *q)
{
	struct stat st;

	return fstatat(notify_procfd(), q->path, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* The file whose status tells of what was asked: its folder, name and flags. False: there is none, in errno why. */
static bool status_place(struct question *q, int *dirfd, char name[INIT_PATH + 8], int *flags)
{
	*dirfd = notify_procfd();
	*flags = 0;
	snprintf(name, INIT_PATH, "%s", q->path);
	switch (q->kind) {
	case PROC_SELF:
		if (q->follow)
			return folder_place(q, dirfd, name);
		snprintf(name, INIT_PATH, "self");
		*flags = AT_SYMLINK_NOFOLLOW;
		return true;
	case PROC_FOLDER:
		return folder_place(q, dirfd, name);
	case PROC_LINK:
		*flags = q->follow ? 0 : AT_SYMLINK_NOFOLLOW;
		return !q->follow || link_text(q, name);
	case PROC_DESCRIPTOR:
		*flags = q->follow ? 0 : AT_SYMLINK_NOFOLLOW;
		return true;
	case PROC_SYSTEM:
		return !is_folder(q) || folder_place(q, dirfd, name);
	case PROC_FILE:
	case PROC_MOUNTS:
		return true;
	case PROC_MISSING:
	default:
		errno = ENOENT;
		return false;
	}
}

static void answer_status(struct question *q)
{
	char name[INIT_PATH + 8], extended[STATUS_SIZE];
	const bool x = q->form->op == OP_STATX;
	int dirfd, flags, r;
	struct stat st;

	if (!status_place(q, &dirfd, name, &flags)) {
		call_error(q->c, errno);
		return;
	}
	memset(extended, 0, sizeof(extended));
	call_act(q->c);
	r = x ? (int)syscall(SYS_statx, dirfd, name, flags, (unsigned int)q->c->args[3], extended)
	      : fstatat(dirfd, name, &st, flags);
	call_act_end();
	if (r < 0)
		call_error(q->c, errno);
	else if (call_write(q->c, question_arg(q, q->form->buffer),
			    x ? (void *)extended : (void *)&st, x ? sizeof(extended) : sizeof(st)))
		call_result(q->c, 0);
	else
		call_error(q->c, EFAULT);
}

static void answer_readlink(struct question *q)
{
	size_t size = (size_t)question_arg(q, q->form->size), len;
	char text[INIT_PATH];

	if (q->kind == PROC_SELF) {
		snprintf(text, sizeof(text), "%s", q->path);
	} else if (q->kind == PROC_LINK || q->kind == PROC_DESCRIPTOR) {
		if (!link_text(q, text)) {
			call_error(q->c, errno);
			return;
		}
	} else if (strcmp(q->path, "mounts") == 0) {
		snprintf(text, sizeof(text), "self/mounts");
	} else {
		call_error(q->c, q->kind == PROC_MISSING ? ENOENT : EINVAL);
		return;
	}
	len = strlen(text) < size ? strlen(text) : size;
	if (call_write(q->c, question_arg(q, q->form->buffer), text, len))
		call_result(q->c, (int64_t)len);
	else
		call_error(q->c, EFAULT);
}

static void answer_access(struct question *q)
{
	const int mode = (int)q->c->args[q->form->path + 1];
	char name[INIT_PATH + 8];
	int dirfd, flags, number = 0;
	struct stat st;

	if (!status_place(q, &dirfd, name, &flags)) {
		call_error(q->c, errno);
		return;
	}
	call_act(q->c);
	if (fstatat(dirfd, name, &st, flags) < 0)
		number = errno;
	call_act_end();
	if (number == 0 && q->kind == PROC_FILE && (mode & (W_OK | X_OK)) &&
	    !((mode & W_OK) && proc_is_written(q->path)))
		number = EACCES;
	if (number)
		call_error(q->c, number);
	else
		call_result(q->c, 0);
}

/* What a descriptor of a process leads to gets another owner or mode; a device is the container's, and stays as it is. */
static void answer_change(struct question *q)
{
	const uint64_t *args = q->c->args + q->form->path + 1;
	struct stat st;
	int r;

	if (q->kind != PROC_DESCRIPTOR || !q->follow)
		return;
	call_act(q->c);
	r = fstatat(notify_procfd(), q->path, &st, 0);
	if (r == 0 && !S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		r = q->form->op == OP_CHOWN
			    ? fchownat(notify_procfd(), q->path, (uid_t)args[0], (gid_t)args[1], 0)
			    : fchmodat(notify_procfd(), q->path, (mode_t)args[0], 0);
	call_act_end();
	if (r < 0)
		call_error(q->c, errno);
	else
		call_result(q->c, 0);
}

/*
 * A program that starts itself again by "/proc/self/exe" gets a link in the root's /proc, whose name is not longer: it is put
 * into the caller's memory in the place of the one that leads nowhere, and the call goes on.
 */
static void answer_exec(struct question *q)
{
	const char *slash = strrchr(q->path, '/');
	char given[INIT_PATH], text[INIT_PATH], name[32];

	if (q->kind != PROC_LINK || !slash || strcmp(slash, "/exe") != 0 || !link_text(q, text) ||
	    !call_read_path(q->c, question_arg(q, q->form->path), given, sizeof(given)))
		return;
	snprintf(name, sizeof(name), "/proc/.%x", (unsigned int)call_process(q->c));
	if (strlen(name) > strlen(given))
		return;
	(void)unlink(name);
	if (symlink(text, name) == 0)
		(void)call_write(q->c, question_arg(q, q->form->path), name, strlen(name) + 1);
}

/* The folder is made, and the kernel goes there. */
static void answer_chdir(struct question *q)
{
	char number[32];

	if (q->kind == PROC_MISSING || q->kind == PROC_SYSTEM) {
		call_error(q->c, ENOENT);
		return;
	}
	(void)proc_make_folder(q->c, q->path, true);
	snprintf(number, sizeof(number), "%d", (int)call_process(q->c));
	(void)unlink("/proc/self");
	(void)!symlink(number, "/proc/self");
}

void proc_handle(struct call *c)
{
	struct question q = {.c = c};

	if (!question_read(&q))
		return;
	switch (q.form->op) {
	case OP_OPEN:
		answer_open(&q);
		break;
	case OP_STAT:
	case OP_STATX:
		answer_status(&q);
		break;
	case OP_READLINK:
		answer_readlink(&q);
		break;
	case OP_ACCESS:
		answer_access(&q);
		break;
	case OP_CHDIR:
		answer_chdir(&q);
		break;
	case OP_CHOWN:
	case OP_CHMOD:
		answer_change(&q);
		break;
	case OP_EXEC:
	default:
		answer_exec(&q);
	}
}

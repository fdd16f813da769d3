#include "sandbox/init_proc_question.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/init_target.h"

#define MAX_LINKS 40

static const struct form forms[] = {
#ifdef SYS_open
	{SYS_open, OP_OPEN, -1, 0, 1, -1, -1},
	{SYS_stat, OP_STAT, -1, 0, -1, 1, -1},
	{SYS_lstat, OP_STAT, -1, 0, -1, 1, -1},
	{SYS_readlink, OP_READLINK, -1, 0, -1, 1, 2},
	{SYS_access, OP_ACCESS, -1, 0, -1, -1, -1},
	{SYS_chown, OP_CHOWN, -1, 0, -1, -1, -1},
	{SYS_chmod, OP_CHMOD, -1, 0, -1, -1, -1},
#endif
	{SYS_openat, OP_OPEN, 0, 1, 2, -1, -1},
	{SYS_openat2, OP_OPEN, 0, 1, -1, 2, 3},
	{SYS_newfstatat, OP_STAT, 0, 1, 3, 2, -1},
	{SYS_statx, OP_STATX, 0, 1, 2, 4, -1},
	{SYS_readlinkat, OP_READLINK, 0, 1, -1, 2, 3},
	{SYS_faccessat, OP_ACCESS, 0, 1, -1, -1, -1},
	{439 /* faccessat2 */, OP_ACCESS, 0, 1, 3, -1, -1},
	{SYS_fchownat, OP_CHOWN, 0, 1, 4, -1, -1},
	{SYS_fchmodat, OP_CHMOD, 0, 1, -1, -1, -1},
	{452 /* fchmodat2 */, OP_CHMOD, 0, 1, 3, -1, -1},
	{SYS_chdir, OP_CHDIR, -1, 0, -1, -1, -1},
	{SYS_execve, OP_EXEC, -1, 0, -1, -1, -1},
	{SYS_execveat, OP_EXEC, 0, 1, 4, -1, -1},
};

uint64_t question_arg(const struct question *q, int number)
{
	return number < 0 ? 0 : q->c->args[number];
}

static const struct form *find_form(int number)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (forms[i].number == number)
			return &forms[i];
	return NULL;
}

static void read_flags(struct question *q)
{
	const int makes = O_CREAT | O_EXCL;
	struct open_how how = {.flags = 0};

	q->flags = (int)question_arg(q, q->form->flags);
	if (q->form->number == SYS_openat2 &&
	    call_read(q->c, question_arg(q, q->form->buffer), &how.flags, sizeof(how.flags)))
		q->flags = (int)how.flags;
	if (q->form->op == OP_OPEN)
		q->follow = !(q->flags & O_NOFOLLOW) && (q->flags & makes) != makes;
	else
		q->follow = !(q->flags & AT_SYMLINK_NOFOLLOW) && q->form->op != OP_READLINK;
#ifdef SYS_lstat
	if (q->form->number == SYS_lstat)
		q->follow = false;
#endif
}

/* The folder that a relative path begins at. */
static bool base_of(const struct question *q, char out[INIT_PATH])
{
	char name[INIT_PATH], descriptor[32];
	int dirfd = q->form->dirfd < 0 ? AT_FDCWD : (int)question_arg(q, q->form->dirfd);
	ssize_t n;

	snprintf(descriptor, sizeof(descriptor), "fd/%d", dirfd);
	call_proc_name(q->c, dirfd == AT_FDCWD ? "cwd" : descriptor, name);
	call_act(q->c);
	n = readlinkat(notify_procfd(), name, out, INIT_PATH - 1);
	call_act_end();
	if (n <= 0)
		return false;
	out[n] = '\0';
	return out[0] == '/';
}

/* Without empty names, "." and "..", which goes back by name: no link is in the way where it matters. */
static bool clean(const char *base, const char *path, char out[INIT_PATH])
{
	const char *parts[] = {base, path};
	size_t len = 0;

	for (size_t i = 0; i < 2; i++) {
		const char *at = parts[i];

		while (*at) {
			size_t n = strcspn(at, "/");

			if (n == 2 && at[0] == '.' && at[1] == '.') {
				while (len > 0 && out[--len] != '/')
					;
			} else if (n > 0 && !(n == 1 && at[0] == '.')) {
				if (len + 1 + n + 1 > INIT_PATH)
					return false;
				out[len++] = '/';
				memcpy(out + len, at, n);
				len += n;
			}
			at += n + (at[n] == '/');
		}
	}
	out[len] = '\0';
	return true;
}

/* Names outside of /proc that are links into it. */
static const char *alias_of(const char *path, bool follow)
{
	static const struct {
		const char *name, *target;
	} links[] = {
		{"/dev/stdin", "self/fd/0"},
		{"/dev/stdout", "self/fd/1"},
		{"/dev/stderr", "self/fd/2"},
		{"/dev/fd", "self/fd"},
	};
	static char text[INIT_PATH];

	for (size_t i = 0; follow && i < sizeof(links) / sizeof(links[0]); i++)
		if (strcmp(path, links[i].name) == 0)
			return links[i].target;
	if (strncmp(path, "/dev/fd/", 8) == 0) {
		snprintf(text, sizeof(text), "self/fd/%s", path + 8);
		return text;
	}
	return NULL;
}

/* What the path names below /proc; NULL when it is elsewhere. */
static const char *below_proc(const char *path, bool follow)
{
	if (strncmp(path, "/proc", 5) == 0 && (path[5] == '/' || !path[5]))
		return path + 5 + (path[5] == '/');
	return alias_of(path, follow);
}

/* The folder that a link is in, by the name without links, when the caller may get there. */
static bool folder_of_link(const struct question *q, const char *path, char out[INIT_PATH])
{
	const char *slash = strrchr(path, '/');
	char folder[INIT_PATH];
	bool done;
	int fd;

	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path) + (slash == path), path);
	call_act(q->c);
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	call_act_end();
	done = fd >= 0 && target_name(fd, out);
	if (fd >= 0)
		close(fd);
	return done;
}

/*
 * Continues with the text of the link that the path is, and with what that is relative to. The kernel goes the way to
 * it, in the root of this process, which is the step's.
 */
static bool go_on(const struct question *q, char base[INIT_PATH], char path[INIT_PATH])
{
	char whole[2 * INIT_PATH];
	size_t len;
	ssize_t n;

	len = (size_t)snprintf(whole, sizeof(whole), "%s/%s", path[0] == '/' ? "" : base, path);
	while (len > 1 && whole[len - 1] == '/')
		whole[--len] = '\0';
	if (len >= INIT_PATH)
		return false;
	n = readlink(whole, path, INIT_PATH - 1);
	if (n <= 0 || !folder_of_link(q, whole, base))
		return false;
	path[n] = '\0';
	return true;
}

bool question_read(struct question *q)
{
	char path[INIT_PATH], base[INIT_PATH] = "", whole[INIT_PATH];
	const char *below = NULL;

	q->form = find_form(q->c->number);
	if (!q->form || !call_read_path(q->c, question_arg(q, q->form->path), path, sizeof(path)) ||
	    !path[0])
		return false;
	read_flags(q);
	if (path[strlen(path) - 1] == '/')
		q->follow = true;
	if (path[0] != '/' && !base_of(q, base))
		return false;
	for (int links = 0; !below; links++) {
		if (!clean(path[0] == '/' ? "" : base, path, whole))
			return false;
		below = below_proc(whole, q->follow);
		if (!below && (!q->follow || links == MAX_LINKS || !go_on(q, base, path)))
			return false;
	}
	/* A name that begins with a dot is one of ours, in the root's own /proc. */
	if (below[0] == '.')
		return false;
	q->kind = proc_kind(q->c, below, q->path);
	return true;
}

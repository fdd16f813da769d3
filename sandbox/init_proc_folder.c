#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/init_proc.h"

#define MAX_DEPTH 8

static void remove_entry(int dirfd, const char *name, int depth);

static void remove_entries(int fd, int depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		close(fd);
		return;
	}
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove_entry(dirfd(dir), e->d_name, depth);
	closedir(dir);
}

static void remove_entry(int dirfd, const char *name, int depth)
{
	int fd;

	if (unlinkat(dirfd, name, 0) == 0 || depth == MAX_DEPTH)
		return;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		remove_entries(fd, depth + 1);
	(void)unlinkat(dirfd, name, AT_REMOVEDIR);
}

/* Names that are not there any more: a process ended, a descriptor was closed. */
static void remove_stale(int fd, int real)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.' &&
		    faccessat(real, e->d_name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			remove_entry(fd, e->d_name, 0);
	if (dir)
		closedir(dir);
	else if (copy >= 0)
		close(copy);
}

static bool is_shown(struct call *c, const char *path, const char *name, bool folder)
{
	char below[INIT_PATH], unused[INIT_PATH];
	enum proc_kind kind;

	if (snprintf(below, sizeof(below), "%s%s%s", path, *path ? "/" : "", name) >=
	    (int)sizeof(below))
		return false;
	kind = proc_kind(c, below, unused);
	return kind != PROC_MISSING && !(folder && kind == PROC_FILE);
}

static void copy_names(struct call *c, const char *path, int fd, int real)
{
	DIR *dir = fdopendir(real);
	struct dirent *e;

	if (!dir) {
		close(real);
		return;
	}
	remove_stale(fd, real);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.' || !is_shown(c, path, e->d_name, e->d_type == DT_DIR))
			continue;
		if (e->d_type == DT_DIR)
			(void)mkdirat(fd, e->d_name, 0555);
		else
			(void)mknodat(fd, e->d_name, S_IFREG | 0444, 0);
	}
	closedir(dir);
}

static int open_real(const struct call *c, const char *path)
{
	int fd;

	call_act(c);
	fd = openat(notify_procfd(), *path ? path : ".",
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	call_act_end();
	return fd;
}

bool proc_make_folder(struct call *c, const char *path, bool names)
{
	int top = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), made, fd, real;

	if (top < 0)
		return false;
	real = open_real(c, path);
	made = real < 0 ? -1 : *path ? make_beneath(top, path, false, 0555) : dup(top);
	close(top);
	if (made < 0) {
		if (real >= 0)
			close(real);
		return false;
	}
	fd = names ? openat(made, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	close(made);
	if (fd >= 0) {
		copy_names(c, path, fd, real);
		close(fd);
	} else {
		close(real);
	}
	return true;
}

#include "sandbox/init_target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_of(const struct call *c, const char *what)
{
	char name[INIT_PATH];

	call_proc_name(c, what, name);
	return openat(notify_procfd(), name, O_PATH | O_CLOEXEC);
}

static int open_base(const struct call *c, int dirfd)
{
	char name[32];
	int fd;

	if (dirfd == AT_FDCWD)
		return open_of(c, "cwd");
	snprintf(name, sizeof(name), "fd/%d", dirfd);
	fd = open_of(c, name);
	if (fd < 0)
		errno = EBADF;
	return fd;
}

int target_read(struct target *t, struct call *c, int dirfd_arg, int path_arg)
{
	t->path[0] = '\0';
	t->base = -1;
	if (path_arg >= 0 && !call_read_path(c, c->args[path_arg], t->path, sizeof(t->path))) {
		errno = 0;
		return -1;
	}
	if (t->path[0] == '/')
		return 0;
	t->base = open_base(c, dirfd_arg < 0 ? AT_FDCWD : (int)c->args[dirfd_arg]);
	return t->base < 0 ? -1 : 0;
}

void target_release(struct target *t)
{
	if (t->base >= 0)
		close(t->base);
	t->base = -1;
}

/* "self" below /proc is this process here, and the caller there. */
static void translate(const struct call *c, const char *path, char out[INIT_PATH])
{
	static const char self[] = "/proc/self/";

	if (strncmp(path, self, sizeof(self) - 1) == 0)
		snprintf(out, INIT_PATH, "/proc/%d/%s", (int)call_process(c),
			 path + sizeof(self) - 1);
	else
		snprintf(out, INIT_PATH, "%s", path);
}

static bool is_special(const char *path)
{
	return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/dev/", 5) == 0;
}

/* Files of devices and processes, which links of the kernel's lead to, are looked at by the names that they have here. */
static bool is_outside_of_paths(const struct call *c, const char *path)
{
	struct stat here, there;
	char name[INIT_PATH];

	if (!is_special(path))
		return false;
	call_proc_name(c, "root", name);
	return stat("/", &here) == 0 && fstatat(notify_procfd(), name, &there, 0) == 0 &&
	       here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static int open_absolute(const struct call *c, const char *path, int flags)
{
	char text[INIT_PATH];
	struct open_how how;
	int root, fd;

	translate(c, path, text);
	if (is_outside_of_paths(c, text))
		return open(text, flags | O_PATH | O_CLOEXEC);
	root = open_of(c, "root");
	if (root < 0)
		return -1;
	memset(&how, 0, sizeof(how));
	how.flags = (uint64_t)(unsigned int)(flags | O_PATH | O_CLOEXEC);
	how.resolve = RESOLVE_IN_ROOT;
	fd = (int)syscall(SYS_openat2, root, text, &how, sizeof(how));
	close(root);
	return fd;
}

static int open_path(const struct call *c, const struct target *t, const char *path, int flags)
{
	if (path[0] == '/')
		return open_absolute(c, path, flags);
	return openat(t->base, path[0] ? path : ".", flags | O_PATH | O_CLOEXEC);
}

int target_open(struct call *c, const struct target *t, int nofollow)
{
	if (!t->path[0])
		return fcntl(t->base, F_DUPFD_CLOEXEC, 0);
	return open_path(c, t, t->path, nofollow);
}

int target_parent(struct call *c, const struct target *t, char name[INIT_PATH])
{
	char folder[INIT_PATH], *slash;
	size_t len = strlen(t->path);

	memcpy(folder, t->path, len + 1);
	while (len > 1 && folder[len - 1] == '/')
		folder[--len] = '\0';
	slash = strrchr(folder, '/');
	snprintf(name, INIT_PATH, "%s", slash ? slash + 1 : folder);
	if (!name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -1;
	if (slash)
		slash[slash == folder] = '\0';
	return open_path(c, t, slash ? folder : "", O_DIRECTORY);
}

bool target_follow(struct target *t, int parent, const char *name)
{
	ssize_t n = readlinkat(parent, name, t->path, sizeof(t->path) - 1);
	int base = n <= 0 ? -1 : fcntl(parent, F_DUPFD_CLOEXEC, 0);

	if (base < 0)
		return false;
	t->path[n] = '\0';
	target_release(t);
	t->base = base;
	return true;
}

bool target_is_special(const struct target *t)
{
	return is_special(t->path);
}

bool target_name(int fd, char out[INIT_PATH])
{
	char name[32];
	ssize_t n;

	snprintf(name, sizeof(name), "self/fd/%d", fd);
	n = readlinkat(notify_procfd(), name, out, INIT_PATH - 1);
	if (n <= 0 || out[0] != '/')
		return false;
	out[n] = '\0';
	return true;
}

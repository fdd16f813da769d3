#include "sandbox/init_target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_LINKS 40

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

/* "self" below /proc is this process here, and the caller there, to whose descriptors names in /dev lead, too. */
static void translate(const struct call *c, const char *path, bool follow, char out[INIT_PATH])
{
	static const struct {
		const char *name, *below;
		bool folder;
	} names[] = {
		{"/proc/self/", "", true},      {"/dev/fd/", "fd/", true},
		{"/dev/stdin", "fd/0", false},  {"/dev/stdout", "fd/1", false},
		{"/dev/stderr", "fd/2", false},
	};
	static const char thread[] = "/proc/thread-self/";

	snprintf(out, INIT_PATH, "%s", path);
	if (strncmp(path, thread, sizeof(thread) - 1) == 0)
		snprintf(out, INIT_PATH, "/proc/%d/task/%d/%s", (int)call_process(c), (int)c->pid,
			 path + sizeof(thread) - 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const size_t len = strlen(names[i].name);

		if (strncmp(path, names[i].name, len) == 0 &&
		    (names[i].folder || (follow && !path[len])))
			snprintf(out, INIT_PATH, "/proc/%d/%s%s", (int)call_process(c),
				 names[i].below, path + len);
	}
}

static bool is_special(const char *path)
{
	return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/dev/", 5) == 0;
}

static bool shares_root(const struct call *c)
{
	struct stat here, there;
	char name[INIT_PATH];

	call_proc_name(c, "root", name);
	return stat("/", &here) == 0 && fstatat(notify_procfd(), name, &there, 0) == 0 &&
	       here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

/* Files of devices and processes, which links of the kernel's lead to, are looked at by the names that they have here. */
static bool is_outside_of_paths(const struct call *c, const char *path)
{
	return is_special(path) && shares_root(c);
}

static int open_outside(const struct call *c, const char *path, int flags)
{
	char text[INIT_PATH];

	translate(c, path, !(flags & O_NOFOLLOW), text);
	return open(text, flags | O_PATH | O_CLOEXEC);
}

static int open_absolute(const struct call *c, const char *path, int flags)
{
	struct open_how how;
	int root, fd;

	if (is_outside_of_paths(c, path))
		return open_outside(c, path, flags);
	root = open_of(c, "root");
	if (root < 0)
		return -1;
	memset(&how, 0, sizeof(how));
	how.flags = (uint64_t)(unsigned int)(flags | O_PATH | O_CLOEXEC);
	how.resolve = RESOLVE_IN_ROOT;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	close(root);
	return fd;
}

static int open_path(const struct call *c, const struct target *t, const char *path, int flags)
{
	if (path[0] == '/')
		return open_absolute(c, path, flags);
	return openat(t->base, path[0] ? path : ".", flags | O_PATH | O_CLOEXEC);
}

static bool is_link(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Where the open link leads to, as an absolute path; a link of the kernel's is its own name, with "self" for this process. */
static bool link_target(int fd, char out[INIT_PATH])
{
	char name[INIT_PATH], text[INIT_PATH], self[32];
	const size_t len = (size_t)snprintf(self, sizeof(self), "/proc/%d/", (int)getpid());
	ssize_t n;

	if (!target_name(fd, name))
		return false;
	if (strncmp(name, self, len) == 0)
		return snprintf(out, INIT_PATH, "/proc/self/%s", name + len) < INIT_PATH;
	if (is_special(name))
		return snprintf(out, INIT_PATH, "%s", name) < INIT_PATH;
	n = readlinkat(fd, "", text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	*strrchr(name, '/') = '\0';
	return snprintf(out, INIT_PATH, "%s%s%s", text[0] == '/' ? "" : name,
			text[0] == '/' ? "" : "/", text) < INIT_PATH;
}

/* Link by link: the kernel would take those into /proc for this process's, or refuse them. */
static int open_followed(const struct call *c, const struct target *t)
{
	const char *path = t->path;
	char next[INIT_PATH];

	for (int i = 0; i < MAX_LINKS; i++) {
		int fd;

		if (is_outside_of_paths(c, path))
			return open_outside(c, path, 0);
		fd = open_path(c, t, path, O_NOFOLLOW);
		if (fd < 0 || !is_link(fd))
			return fd;
		if (!shares_root(c) || !link_target(fd, next)) {
			close(fd);
			return open_path(c, t, path, 0);
		}
		close(fd);
		path = next;
	}
	errno = ELOOP;
	return -1;
}

int target_open(struct call *c, const struct target *t, int nofollow)
{
	if (!t->path[0])
		return fcntl(t->base, F_DUPFD_CLOEXEC, 0);
	return nofollow ? open_path(c, t, t->path, nofollow) : open_followed(c, t);
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

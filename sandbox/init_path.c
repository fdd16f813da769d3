#include "sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MAX_LINKS   40
#define MAX_RETRIES 10000

/* A rename or mount anywhere on the machine makes the kernel unsure of a "..": it says EAGAIN, and means it. */
static int open_how(int dirfd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how;
	int fd = -1;

	memset(&how, 0, sizeof(how));
	how.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC);
	how.resolve = resolve;
	for (int i = 0; i < MAX_RETRIES; i++) {
		fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

int open_in_root(int rootfd, const char *path, int flags)
{
	return open_how(rootfd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int open_beneath(int dirfd, const char *path, int flags)
{
	return open_how(dirfd, path[0] ? path : ".", flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

bool is_on_proc(int fd)
{
	struct statfs sf;

	return fstatfs(fd, &sf) < 0 || sf.f_type == PROC_SUPER_MAGIC;
}

bool path_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return n == 0 || (strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/'));
}

struct walk {
	int rootfd;
	char out[INIT_PATH];
	char *rest; /* what is still to be walked; owned */
	size_t missing;
	bool is_missing;
	int links;
};

static void strip_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
	else
		path[0] = '\0';
}

static int append(struct walk *w, const char *name, size_t len)
{
	size_t at = strlen(w->out);

	if (at + 1 + len + 1 > sizeof(w->out)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (at > 0)
		w->out[at++] = '/';
	memcpy(w->out + at, name, len);
	w->out[at + len] = '\0';
	return 0;
}

/* w->out names a symbolic link, open as fd: its text takes the place of it in what is to be walked. */
static int follow(struct walk *w, int fd, const char *rest)
{
	char text[INIT_PATH];
	ssize_t n = readlinkat(fd, "", text, sizeof(text) - 1);
	size_t tail = strlen(rest);
	char *joined;

	if (n < 0)
		return -1;
	if (++w->links > MAX_LINKS) {
		errno = ELOOP;
		return -1;
	}
	joined = init_alloc((size_t)n + 1 + tail + 1, 1);
	memcpy(joined, text, (size_t)n);
	joined[n] = '/';
	memcpy(joined + n + 1, rest, tail + 1);
	strip_last(w->out);
	if (n > 0 && text[0] == '/')
		w->out[0] = '\0';
	free(w->rest);
	w->rest = joined;
	return 1;
}

/* Takes one name. 1 when w->rest was replaced, 0 to go on, -1 with errno. */
static int step(struct walk *w, const char *name, size_t len, const char *rest)
{
	struct stat st;
	size_t before = strlen(w->out);
	int fd, r = 0;

	if (len == 0 || (len == 1 && name[0] == '.'))
		return 0;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		if (w->is_missing) {
			errno = ENOENT;
			return -1;
		}
		strip_last(w->out);
		return 0;
	}
	if (append(w, name, len) < 0)
		return -1;
	if (w->is_missing)
		return 0;
	fd = open_beneath(w->rootfd, w->out, O_PATH | O_NOFOLLOW);
	if (fd < 0) {
		if (errno != ENOENT)
			return -1;
		w->is_missing = true;
		w->missing = before;
		return 0;
	}
	if (fstat(fd, &st) < 0)
		r = -1;
	else if (S_ISLNK(st.st_mode))
		r = follow(w, fd, rest);
	close(fd);
	return r;
}

int resolve_in_root(int rootfd, const char *path, char **real, size_t *missing)
{
	struct walk w;
	const char *at;

	memset(&w, 0, sizeof(w));
	w.rootfd = rootfd;
	w.rest = init_strdup(path);
	at = w.rest;
	while (*at) {
		size_t len = strcspn(at, "/");
		const char *rest = at + len + (at[len] == '/');
		int r = step(&w, at, len, rest);

		if (r < 0) {
			free(w.rest);
			return -1;
		}
		at = r ? w.rest : rest;
	}
	free(w.rest);
	*real = init_strdup(w.out);
	*missing = w.is_missing ? w.missing : strlen(w.out);
	return 0;
}

int make_beneath(int dirfd, const char *path, bool file, mode_t mode)
{
	char part[INIT_PATH];
	size_t len = strlen(path);

	if (len >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (size_t i = 0; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		/* The parent is opened anew for each name: no link can be slipped in between. */
		char *slash = strrchr(part, '/');
		const char *name = slash ? slash + 1 : part;
		int parent, r;

		if (slash)
			*slash = '\0';
		parent = open_beneath(dirfd, slash ? part : "", O_PATH | O_DIRECTORY);
		if (parent < 0)
			return -1;
		if (file && path[i] == '\0')
			r = mknodat(parent, name, S_IFREG | mode, 0);
		else
			r = mkdirat(parent, name, file ? 0755 : mode);
		int saved = errno;

		close(parent);
		if (r < 0 && saved != EEXIST) {
			errno = saved;
			return -1;
		}
	}
	return open_beneath(dirfd, path, O_PATH | O_NOFOLLOW);
}

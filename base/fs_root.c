/* Opening below a root: openat2 where the kernel has it, else a walk that resolves links itself. */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/strbuf.h"

#define MAX_LINKS      40 /* as the kernel */
#define PROC_ROOT_INO  1
#define OPENAT2_TRIES  64
#define LINK_MAX_BYTES PATH_MAX

bool fs_no_openat2;
static atomic_bool openat2_absent;

static int call_openat2(int rootfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {.resolve = resolve};

	/* openat2 refuses what open ignores. */
	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW;
	how.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC);
	if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))
		how.mode = mode & 07777;
	return (int)syscall(SYS_openat2, rootfd, path, &how, sizeof(how));
}

/*
 * Old seccomp profiles of container engines answer EPERM to calls they do not know: only a call
 * that cannot fail otherwise tells whether the kernel has openat2.
 */
static bool probe_absent(void)
{
	int fd = call_openat2(AT_FDCWD, "/", O_PATH, 0, 0);

	if (fd >= 0) {
		close(fd);
		return false;
	}
	atomic_store(&openat2_absent, true);
	return true;
}

/* True when *fd (a descriptor or -1 with errno) is the answer; false: walk. */
static bool try_openat2(int rootfd, const char *path, int flags, mode_t mode, uint64_t resolve,
			int *fd)
{
	if (fs_no_openat2 || atomic_load(&openat2_absent))
		return false;
	/* EAGAIN: something, somewhere, was renamed while ".." was resolved. */
	for (int i = 0; i < OPENAT2_TRIES; i++) {
		int number;

		*fd = call_openat2(rootfd, path, flags, mode, resolve);
		if (*fd >= 0 || (errno != EAGAIN && errno != ENOSYS && errno != EPERM))
			return true;
		number = errno;
		if (number != EAGAIN) {
			bool absent = probe_absent();

			errno = number;
			return !absent;
		}
	}
	return false;
}

struct walk {
	int rootfd;
	int cur;                /* -1: rootfd */
	struct strbuf resolved; /* how cur is reached from rootfd, without links: "a/b/" */
	struct strbuf pending;  /* what is left of the path */
	size_t at;              /* in pending */
	int n_links;
	bool no_links;  /* ELOOP at any link, EXDEV at ".." of the root */
	bool make_dirs; /* folders that are missing are made */
	mode_t dir_mode;
};

static void walk_release(struct walk *w)
{
	if (w->cur >= 0)
		close(w->cur);
	strbuf_release(&w->resolved);
	strbuf_release(&w->pending);
}
CLEANUP_RELEASE(walk)

static int walk_fd(const struct walk *w)
{
	return w->cur >= 0 ? w->cur : w->rootfd;
}

static void walk_set_cur(struct walk *w, int fd)
{
	if (w->cur >= 0)
		close(w->cur);
	w->cur = fd;
}

static void walk_to_root(struct walk *w)
{
	walk_set_cur(w, -1);
	strbuf_reset(&w->resolved);
}

/*
 * ".." is never asked of the kernel, which would answer with wherever the folder was moved to: the
 * parent is reached from the root again, over names that must still not be links.
 */
static int walk_up(struct walk *w)
{
	struct strbuf *sb = &w->resolved;
	size_t len = sb->len;
	AUTO_FD int fd = -1;

	if (!len) {
		errno = EXDEV;
		return w->no_links ? -1 : 0;
	}
	for (len--; len && sb->buf[len - 1] != '/'; len--)
		;
	strbuf_truncate(sb, len);
	for (size_t i = 0; i < len;) {
		char *name = sb->buf + i;
		char *end = memchr(name, '/', len - i);
		int next;

		*end = '\0';
		next = openat(fd >= 0 ? fd : w->rootfd, name,
			      O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
		*end = '/';
		if (next < 0)
			return -1;
		if (fd >= 0)
			close(fd);
		fd = next;
		i = (size_t)(end - sb->buf) + 1;
	}
	walk_set_cur(w, take_fd(fd));
	return 0;
}

/* Links of proc that are not text lead anywhere; those at its top ("self", "mounts") are text. */
static bool is_magic_link(struct walk *w, int link)
{
	struct statfs fs;
	struct stat dir;

	if (fstatfs(link, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return false;
	return fstat(walk_fd(w), &dir) < 0 || dir.st_ino != PROC_ROOT_INO ||
	       fstatfs(walk_fd(w), &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC;
}

/* Puts the link's text before what is left of the path. */
static int walk_follow(struct walk *w, int link)
{
	char target[LINK_MAX_BYTES];
	ssize_t n;

	if (w->no_links || ++w->n_links > MAX_LINKS || is_magic_link(w, link)) {
		errno = ELOOP;
		return -1;
	}
	n = readlinkat(link, "", target, sizeof(target));
	if (n <= 0 || (size_t)n == sizeof(target)) {
		if (n >= 0)
			errno = n ? ENAMETOOLONG : ENOENT;
		return -1;
	}
	strbuf_remove(&w->pending, 0, w->at);
	w->at = 0;
	strbuf_insert(&w->pending, 0, target, (size_t)n);
	if (target[0] == '/')
		walk_to_root(w);
	return 0;
}

/* The last component, which is no link to be followed. fd is it, opened with O_PATH, or -1. */
static int walk_finish(struct walk *w, const char *name, int fd, bool must_be_dir, int flags,
		       mode_t mode)
{
	struct stat st;

	if (must_be_dir)
		flags |= O_DIRECTORY;
	/* Another open by name might meet another file. */
	if ((flags & O_PATH) && fd >= 0) {
		if ((flags & O_DIRECTORY) && fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode)) {
			errno = ENOTDIR;
			return -1;
		}
		return fcntl(fd, F_DUPFD_CLOEXEC, 0);
	}
	return openat(walk_fd(w), name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
}

/* Opens name in the current folder with O_PATH, making a folder there when asked. */
static int walk_open(struct walk *w, const char *name)
{
	const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(walk_fd(w), name, flags);
	AUTO_FD int made = -1;

	if (fd >= 0 || errno != ENOENT || !w->make_dirs)
		return fd;
	if (mkdirat(walk_fd(w), name, w->dir_mode | 0700) < 0)
		return errno == EEXIST ? openat(walk_fd(w), name, flags) : -1;
	made = openat(walk_fd(w), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (made < 0 || fchmod(made, w->dir_mode) < 0)
		return -1;
	return openat(walk_fd(w), name, flags);
}

/* The next component of the pending path into name (NAME_MAX + 1 bytes); 0 at the end. */
static int walk_next(struct walk *w, char *name, bool *last, bool *slash)
{
	const char *p = w->pending.buf + w->at;
	size_t skip = strspn(p, "/");
	size_t len = strcspn(p + skip, "/");
	const char *rest = p + skip + len;

	if (len > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(name, p + skip, len);
	name[len] = '\0';
	w->at += skip + len;
	*slash = *rest == '/';
	*last = rest[strspn(rest, "/")] == '\0';
	return len > 0;
}

static int walk_run(struct walk *w, int flags, mode_t mode)
{
	const bool keep_last_link = (flags & O_NOFOLLOW) || ((flags & O_CREAT) && (flags & O_EXCL));
	char name[NAME_MAX + 1];

	for (;;) {
		AUTO_FD int fd = -1;
		bool last, slash;
		struct stat st;
		int more = walk_next(w, name, &last, &slash);

		if (more < 0)
			return -1;
		if (!more)
			return openat(walk_fd(w), ".", flags | O_CLOEXEC, mode);
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			if (walk_up(w) < 0)
				return -1;
			continue;
		}
		/* The kernel says so before it looks. */
		if (last && slash && (flags & O_CREAT)) {
			errno = EISDIR;
			return -1;
		}
		fd = walk_open(w, name);
		if (fd < 0)
			return errno == ENOENT && last && (flags & O_CREAT)
				       ? walk_finish(w, name, -1, slash, flags, mode)
				       : -1;
		if (fstat(fd, &st) < 0)
			return -1;
		if (S_ISLNK(st.st_mode) && !(last && !slash && keep_last_link)) {
			if (walk_follow(w, fd) < 0)
				return -1;
			continue;
		}
		if (last)
			return walk_finish(w, name, fd, slash, flags, mode);
		if (!S_ISDIR(st.st_mode)) {
			errno = ENOTDIR;
			return -1;
		}
		strbuf_printf(&w->resolved, "%s/", name);
		walk_set_cur(w, take_fd(fd));
	}
}

static int walk_path(int rootfd, const char *path, int flags, mode_t mode, bool no_links)
{
	AUTO(walk)
	w = {
		.rootfd = rootfd,
		.cur = -1,
		.resolved = STRBUF_INIT,
		.pending = STRBUF_INIT,
		.no_links = no_links,
	};
	size_t len = strlen(path);

	/* What the kernel would say of the text alone. */
	if (!len || len >= PATH_MAX) {
		errno = len ? ENAMETOOLONG : ENOENT;
		return -1;
	}
	strbuf_puts(&w.pending, path);
	return walk_run(&w, flags, mode);
}

int fs_openat_in_root(int rootfd, const char *path, int flags, mode_t mode)
{
	int fd;

	if (try_openat2(rootfd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, &fd))
		return fd;
	return walk_path(rootfd, path, flags, mode, false);
}

int fs_openat_beneath(int rootfd, const char *path, int flags, mode_t mode)
{
	const char *relative = path + strspn(path, "/");
	int fd;

	if (*path && !*relative)
		relative = ".";
	if (try_openat2(rootfd, relative, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, &fd))
		return fd;
	return walk_path(rootfd, relative, flags, mode, true);
}

int fs_mkdir_p_in_root(int rootfd, const char *path, mode_t mode)
{
	AUTO(walk)
	w = {
		.rootfd = rootfd,
		.cur = -1,
		.resolved = STRBUF_INIT,
		.pending = STRBUF_INIT,
		.make_dirs = true,
		.dir_mode = mode,
	};
	int fd = fs_openat_in_root(rootfd, *path ? path : "/", O_PATH | O_DIRECTORY, 0);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	strbuf_puts(&w.pending, path);
	return walk_run(&w, O_PATH | O_DIRECTORY, 0);
}

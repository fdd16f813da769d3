#include "sandbox/placement_place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/fs.h"

#define MAX_LINKS 40
#define BACKLOG   128

/* Where a descriptor is now, relative to the root; NULL when that is outside, or gone. */
static char *path_of(const struct placement *p, int fd)
{
	char text[32], path[PATH_MAX];
	size_t len = strlen(p->root);
	ssize_t n;

	fs_fd_path(fd, text);
	n = readlink(text, path, sizeof(path) - 1);
	if (n < 0)
		return NULL;
	path[n] = '\0';
	if (strcmp(path, p->root) == 0)
		return xstrdup("");
	if (strncmp(path, p->root, len) != 0 || path[len] != '/')
		return NULL;
	return xstrdup(path + len + 1);
}

static void touch(struct placement *p, int fd, const char *path)
{
	struct touched *t;
	struct stat st;

	for (size_t i = 0; i < p->n_touched; i++)
		if (strcmp(p->touched[i].path, path) == 0)
			return;
	if (fstat(fd, &st) < 0)
		return;
	GROW(p->touched, p->n_touched + 1, p->cap_touched);
	t = &p->touched[p->n_touched++];
	*t = (struct touched){
		.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0), .path = xstrdup(path), .mtime = st.st_mtim};
}

/* Takes parent over. */
static struct place *add_place(struct placement *p, int parent, const char *parent_path,
			       const char *name)
{
	struct place *place;

	touch(p, parent, parent_path);
	GROW(p->places, p->n_places + 1, p->cap_places);
	place = &p->places[p->n_places++];
	*place = (struct place){
		.parent = parent,
		.name = xstrdup(name),
		.path = xstrfmt("%s%s%s", parent_path, *parent_path ? "/" : "", name),
	};
	return place;
}

static int move_aside(struct placement *p, struct place *place, struct error *err)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", p->n_aside + 1);
	if (renameat(place->parent, place->name, p->aside, name) < 0) {
		if (errno == ENOENT)
			return 0;
		return error_errno(err, "move /%s aside", place->path);
	}
	place->aside = ++p->n_aside;
	return 0;
}

/*
 * Opens the folder at path, made where it is missing. What is made is noted as a place of its own, to go again.
 */
static int open_folder(struct placement *p, const char *path, struct error *err)
{
	AUTO_FD int fd = fs_openat_in_root(p->rootfd, *path ? path : "/", O_PATH | O_DIRECTORY, 0);
	AUTO_FREE char *real = NULL, *upper = NULL;
	char *slash;
	int parent;

	if (fd >= 0)
		return take_fd(fd);
	if (errno != ENOENT || !*path)
		return error_errno(err, "open /%s in the image", path);
	upper = xstrdup(path);
	slash = strrchr(upper, '/');
	if (slash)
		*slash = '\0';
	parent = open_folder(p, slash ? upper : "", err);
	if (parent < 0)
		return -1;
	real = path_of(p, parent);
	if (!real) {
		close(parent);
		return error_set(err, ERROR_DENIED, "the mount point /%s is outside of the root",
				 path);
	}
	struct place *place = add_place(p, parent, real, slash ? slash + 1 : upper);

	place->made = true;
	if (mkdirat(place->parent, place->name, 0755) < 0)
		return error_errno(err, "make the mount point /%s", path);
	fd = openat(place->parent, place->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "make the mount point /%s", path);
	place_done(p);
	return take_fd(fd);
}

/* Without empty parts, "." and slashes at the ends; ".." is left to the kernel. */
static char *tidy(const char *path)
{
	AUTO(strbuf) out = STRBUF_INIT;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len > 0 && !(len == 1 && *path == '.')) {
			if (out.len)
				strbuf_putc(&out, '/');
			strbuf_add(&out, path, len);
		}
		path += len + (path[len] == '/');
	}
	return xstrdup(out.buf);
}

/* The text of the link parent/name as a path of the root. */
static char *follow(const char *parent, int parentfd, const char *name)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(parentfd, name, text, sizeof(text) - 1);

	if (n < 0)
		return NULL;
	text[n] = '\0';
	return text[0] == '/' ? xstrdup(text) : xstrfmt("%s/%s", parent, text);
}

static int check_kind(const struct stat *st, bool folder, const char *target, struct error *err)
{
	if (S_ISDIR(st->st_mode) == folder)
		return 0;
	return error_set(err, ERROR_DENIED,
			 "mount on %s: a file can only cover a file, a folder only a folder",
			 target);
}

static int refuse(const char *target, const char *path, struct error *err)
{
	return error_set(err, ERROR_DENIED, "mount on %s: refused, it leads into /%s", target,
			 path);
}

static bool is_in(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

int place_take(struct placement *p, const char *target, bool folder, struct place **out,
	       struct error *err)
{
	AUTO_FREE char *path = tidy(target);

	for (int i = 0; i < MAX_LINKS; i++) {
		AUTO_FREE char *upper = xstrdup(path), *real = NULL;
		char *slash = strrchr(upper, '/');
		const char *name = slash ? path + (slash - upper) + 1 : path;
		AUTO_FD int parent = -1;
		struct place *place;
		struct stat st;

		if (!*path || strcmp(name, "..") == 0)
			return error_set(err, ERROR_DENIED,
					 "mount on %s: this is the root of the image, or leads up",
					 target);
		if (slash)
			*slash = '\0';
		parent = open_folder(p, slash ? upper : "", err);
		if (parent < 0)
			return -1;
		real = path_of(p, parent);
		if (!real)
			return error_set(err, ERROR_DENIED, "mount on %s: outside of the root",
					 target);
		if (is_in(real, "proc") || is_in(real, "sys") ||
		    (!*real && (strcmp(name, "proc") == 0 || strcmp(name, "sys") == 0)))
			return refuse(target, *real ? real : name, err);
		if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			if (S_ISLNK(st.st_mode)) {
				AUTO_FREE char *next = follow(real, parent, name);

				if (!next)
					return error_errno(err, "read the link %s", target);
				free(path);
				path = tidy(next);
				continue;
			}
			if (check_kind(&st, folder, target, err) < 0)
				return -1;
		}
		place = add_place(p, take_fd(parent), real, name);
		*out = place;
		return move_aside(p, place, err);
	}
	errno = ELOOP;
	return error_errno(err, "mount on %s", target);
}

int place_take_top(struct placement *p, const char *name, struct place **out, struct error *err)
{
	struct place *place;
	struct stat st;
	int root = fcntl(p->rootfd, F_DUPFD_CLOEXEC, 0);

	if (root < 0)
		return error_errno(err, "open the root");
	place = add_place(p, root, "", name);
	*out = place;
	if (fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
		return error_set(err, ERROR_DENIED, "the image has /%s as %s: refused", name,
				 S_ISLNK(st.st_mode) ? "a symbolic link"
						     : "something else than a folder");
	return move_aside(p, place, err);
}

void place_done(struct placement *p)
{
	for (size_t i = 0; i < p->n_touched; i++) {
		struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, p->touched[i].mtime};
		char path[32];

		fs_fd_path(p->touched[i].fd, path);
		(void)utimensat(AT_FDCWD, path, times, 0);
	}
}

int place_listen(const struct place *place, struct error *err)
{
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char folder[32];

	fs_fd_path(place->parent, folder);
	if ((size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", folder, place->name) >=
	    sizeof(a.sun_path)) {
		errno = ENAMETOOLONG;
		return error_errno(err, "make the socket /%s", place->path);
	}
	if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return error_errno(err, "make the socket /%s", place->path);
	return take_fd(fd);
}

int places_watch(struct placement *p, struct error *err)
{
	struct stat st;

	place_done(p);
	for (size_t i = 0; i < p->n_touched; i++) {
		if (fstat(p->touched[i].fd, &st) < 0)
			return error_errno(err, "read /%s", p->touched[i].path);
		p->touched[i].ctime = st.st_ctim;
	}
	return 0;
}

static void judge_touched(struct placement *p)
{
	struct stat st;

	for (size_t i = 0; i < p->n_touched; i++) {
		struct touched *t = &p->touched[i];

		if (fstat(t->fd, &st) < 0)
			continue;
		t->clean = st.st_ctim.tv_sec == t->ctime.tv_sec &&
			   st.st_ctim.tv_nsec == t->ctime.tv_nsec;
		t->mtime = st.st_mtim;
	}
}

/* What the step made of a cache goes back; a folder that it removed begins anew. */
static int give_back(const struct place *place, struct error *err)
{
	struct stat st;

	if (fstatat(place->parent, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode) && renameat(place->parent, place->name, AT_FDCWD, place->back) == 0)
		return 0;
	return fs_mkdir_p(place->back, 0755, err);
}

static int remove_place(struct placement *p, const struct place *place, struct error *err)
{
	char name[16];

	if (place->made) {
		/* What the step put there is the step's. */
		(void)unlinkat(place->parent, place->name, AT_REMOVEDIR);
		return 0;
	}
	if (place->back && give_back(place, err) < 0)
		return -1;
	if (fs_remove_tree(place->parent, place->name, err) < 0)
		return -1;
	if (!place->aside)
		return 0;
	snprintf(name, sizeof(name), "%u", place->aside);
	/* A step may have removed the folder that it was in. */
	if (renameat(p->aside, name, place->parent, place->name) < 0 && errno != ENOENT)
		return error_errno(err, "put /%s back", place->path);
	return 0;
}

int places_remove(struct placement *p, struct strlist *pardoned, struct error *err)
{
	int r = 0;

	judge_touched(p);
	for (size_t i = p->n_places; i > 0; i--) {
		const struct place *place = &p->places[i - 1];

		if (remove_place(p, place, r < 0 ? NULL : err) < 0)
			r = -1;
		else if (pardoned && place->aside)
			strlist_add(pardoned, place->path);
	}
	place_done(p);
	for (size_t i = 0; pardoned && i < p->n_touched; i++)
		if (p->touched[i].clean)
			strlist_add(pardoned, p->touched[i].path);
	return r;
}

void places_release(struct placement *p)
{
	for (size_t i = 0; i < p->n_places; i++) {
		struct place *place = &p->places[i];

		if (place->parent >= 0)
			close(place->parent);
		free(place->name);
		free(place->path);
		free(place->back);
	}
	for (size_t i = 0; i < p->n_touched; i++) {
		if (p->touched[i].fd >= 0)
			close(p->touched[i].fd);
		free(p->touched[i].path);
	}
	for (size_t i = 0; i < p->n_locks; i++)
		close(p->locks[i]);
	free(p->locks);
	free(p->places);
	free(p->touched);
}

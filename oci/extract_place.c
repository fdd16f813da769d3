#include "oci/extract_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/strmap.h"

#define MAX_LINKS 40

void places_init(struct places *p, int root, struct tree *below, const struct extract_options *o)
{
	*p = (struct places){.root = root, .below = below, .o = o, .last_fd = -1};
}

void places_forget(struct places *p)
{
	if (p->last_fd >= 0)
		close(p->last_fd);
	p->last_fd = -1;
	free(p->last_dir);
	free(p->last_real);
	p->last_dir = p->last_real = NULL;
}

void places_release(struct places *p)
{
	places_forget(p);
	for (size_t i = 0; i < p->n_finish; i++)
		free(p->finish[i].path);
	free(p->finish);
	strmap_release(&p->ours);
}

void place_release(struct place *p)
{
	if (p->owned && p->fd >= 0)
		close(p->fd);
	free(p->name);
	free(p->real);
	*p = (struct place)PLACE_INIT;
}

void places_note_ours(struct places *p, const char *real)
{
	if (p->o->flat)
		strmap_set(&p->ours, real, NULL);
}

bool places_is_ours(const struct places *p, const char *real)
{
	return strmap_has(&p->ours, real);
}

void places_finish_later(struct places *p, const char *real, mode_t mode, int64_t mtime)
{
	GROW(p->finish, p->n_finish + 1, p->cap_finish);
	p->finish[p->n_finish] = (struct place_finish){xstrdup(real), mode, mtime, p->n_finish};
	p->n_finish++;
}

bool place_is_below(struct places *p, const char *path)
{
	return p->below && tree_lookup(p->below, path, false);
}

/* The walk to a folder. */
struct walk {
	struct places *p;
	bool make;
	int fd;     /* of the folder reached; owned */
	char *real; /* its path */
	char *rest; /* components still to go */
	int links;
	const char *path; /* for messages */
};

static int open_real(const struct places *p, const char *real)
{
	return fs_openat_beneath(p->root, *real ? real : ".", O_PATH | O_DIRECTORY, 0);
}

/* Goes to an absolute place of the walk. */
static int jump(struct walk *w, char *real, struct error *err)
{
	free(w->real);
	w->real = real;
	close(w->fd);
	w->fd = open_real(w->p, real);
	return w->fd < 0 ? error_errno(err, "open the folder /%s", real) : 0;
}

static int follow(struct walk *w, const char *target, struct error *err)
{
	char *joined = *w->rest ? xstrfmt("%s/%s", target, w->rest) : xstrdup(target);

	free(w->rest);
	w->rest = joined;
	if (++w->links > MAX_LINKS || strlen(joined) > 2 * LIMIT_PATH_BYTES)
		return error_set(err, ERROR_CORRUPT, "%s: too many levels of symbolic links",
				 w->path);
	return path_is_absolute(target) ? jump(w, xstrdup(""), err) : 0;
}

static int enter(struct walk *w, const char *name, struct error *err)
{
	int fd = openat(w->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char *real;

	if (fd < 0)
		return error_errno(err, "open the folder %s of %s", name, w->path);
	real = *w->real ? xstrfmt("%s/%s", w->real, name) : xstrdup(name);
	free(w->real);
	w->real = real;
	close(w->fd);
	w->fd = fd;
	return 0;
}

/* A folder that only exists below, or nowhere: made with the metadata it has there, or 0755 of root. */
static int make_parent(struct walk *w, const char *name, const struct tree_node *below,
		       struct error *err)
{
	bool known = below && below->type == ENTRY_DIR;

	if (mkdirat(w->fd, name, 0700) < 0)
		return error_errno(err, "create the folder %s of %s", name, w->path);
	if (w->p->o->owner == EXTRACT_OWNER_REAL &&
	    fchownat(w->fd, name, known ? below->uid : 0, known ? below->gid : 0,
		     AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "set the owner of the folder %s of %s", name, w->path);
	if (enter(w, name, err) < 0)
		return -1;
	places_finish_later(w->p, w->real, known ? below->mode : 0755, known ? below->mtime : 0);
	return 0;
}

static int step_missing(struct walk *w, const char *name, bool *stop, struct error *err)
{
	AUTO_FREE char *path = *w->real ? xstrfmt("%s/%s", w->real, name) : xstrdup(name);
	const struct tree_node *below = w->p->below ? tree_lookup(w->p->below, path, false) : NULL;

	if (below && below->type == ENTRY_SYMLINK)
		return follow(w, below->link, err);
	if (!w->make) {
		*stop = true;
		return 0;
	}
	return make_parent(w, name, below, err);
}

static int step(struct walk *w, const char *name, bool *stop, struct error *err)
{
	char target[LIMIT_PATH_BYTES + 1];
	struct stat st;
	ssize_t n;

	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0) {
		AUTO_FREE char *up = path_dir(w->real);

		return jump(w, xstrdup(strcmp(up, ".") == 0 ? "" : up), err);
	}
	if (fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? step_missing(w, name, stop, err)
				       : error_errno(err, "look at %s of %s", name, w->path);
	if (S_ISDIR(st.st_mode))
		return enter(w, name, err);
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(w->fd, name, target, sizeof(target) - 1);
		if (n < 0)
			return error_errno(err, "read the link %s of %s", name, w->path);
		target[n] = '\0';
		return follow(w, target, err);
	}
	if (S_ISCHR(st.st_mode) && !st.st_rdev && w->make && !w->p->o->flat) {
		struct place folder = PLACE_INIT;

		/* deleted by this layer, and made anew by it */
		if (unlinkat(w->fd, name, 0) < 0)
			return error_errno(err, "replace the whiteout %s of %s", name, w->path);
		if (make_parent(w, name, NULL, err) < 0)
			return -1;
		folder.fd = w->fd;
		folder.name = (char[]){"."};
		return places_mark_opaque(w->p, &folder, err);
	}
	return error_set(err, ERROR_CORRUPT, "%s: %s is not a folder", w->path, name);
}

/* Walks to dir. *fd is owned by the caller, -1 when it is not there and make is false. */
static int walk_to(struct places *p, const char *dir, bool make, const char *path, int *fd,
		   char **real, struct error *err)
{
	struct walk w = {
		.p = p,
		.make = make,
		.fd = open_real(p, ""),
		.real = xstrdup(""),
		.rest = xstrdup(dir),
		.path = path,
	};
	bool stop = false;
	int result = w.fd < 0 ? error_errno(err, "open the root") : 0;

	while (result == 0 && !stop) {
		char *start = w.rest + strspn(w.rest, "/");
		size_t len = strcspn(start, "/");
		AUTO_FREE char *name = xstrndup(start, len);
		char *rest;

		if (!len)
			break;
		rest = xstrdup(start + len);
		free(w.rest);
		w.rest = rest;
		result = step(&w, name, &stop, err);
	}
	free(w.rest);
	if (result < 0 || stop) {
		if (w.fd >= 0)
			close(w.fd);
		free(w.real);
		*fd = -1;
		*real = NULL;
		return result;
	}
	*fd = w.fd;
	*real = w.real;
	return 0;
}

static char *parent_of(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');

	*name = slash ? slash + 1 : path;
	return slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup("");
}

int place_make(struct places *p, const char *path, struct place *out, struct error *err)
{
	const char *name;
	AUTO_FREE char *dir = parent_of(path, &name);

	if (!p->last_dir || strcmp(p->last_dir, dir) != 0) {
		places_forget(p);
		if (walk_to(p, dir, true, path, &p->last_fd, &p->last_real, err) < 0)
			return -1;
		p->last_dir = take_ptr(dir);
	}
	out->fd = p->last_fd;
	out->owned = false;
	out->name = xstrdup(name);
	out->real = *p->last_real ? xstrfmt("%s/%s", p->last_real, name) : xstrdup(name);
	return 0;
}

int place_make_folder(struct places *p, const char *path, struct place *out, struct error *err)
{
	places_forget(p);
	if (walk_to(p, path, true, path, &out->fd, &out->real, err) < 0)
		return -1;
	out->owned = true;
	out->name = xstrdup(".");
	return 0;
}

int place_find(struct places *p, const char *path, struct place *out, struct error *err)
{
	const char *name;
	AUTO_FREE char *dir = parent_of(path, &name);

	if (walk_to(p, dir, false, path, &out->fd, &out->real, err) < 0)
		return -1;
	out->owned = true;
	out->name = xstrdup(name);
	return 0;
}

int places_mark_opaque(struct places *p, const struct place *folder, struct error *err)
{
	const char *name = p->o->user_xattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
	AUTO_FD int fd = openat(folder->fd, folder->name,
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "open the folder %s",
				   folder->real ? folder->real : folder->name);
	if (fsetxattr(fd, name, "y", 1, 0) < 0)
		return error_errno(err, "set %s on %s", name,
				   folder->real ? folder->real : folder->name);
	return 0;
}

int places_empty(struct places *p, const struct place *folder, struct error *err)
{
	int fd = openat(folder->fd, folder->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int result = 0;

	if (!d) {
		error_errno(err, "open the folder %s", folder->real);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	places_forget(p);
	while (result == 0 && (entry = readdir(d))) {
		AUTO_FREE char *path = *folder->real ? xstrfmt("%s/%s", folder->real, entry->d_name)
						     : xstrdup(entry->d_name);

		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    !places_is_ours(p, path))
			result = fs_remove_tree(fd, entry->d_name, err);
	}
	closedir(d);
	return result;
}

static int by_path_then_order(const void *x, const void *y)
{
	const struct place_finish *a = x, *b = y;
	int order = entry_path_compare(a->path, b->path);

	if (order)
		return order;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* Deepest first: a folder's final mode may lock us out. */
int places_finish(struct places *p, struct error *err)
{
	places_forget(p);
	if (p->n_finish)
		qsort(p->finish, p->n_finish, sizeof(*p->finish), by_path_then_order);
	for (size_t i = p->n_finish; i-- > 0;) {
		const struct place_finish *f = &p->finish[i];
		struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = f->mtime}};
		AUTO_FD int fd = -1;

		if (i + 1 < p->n_finish && strcmp(f->path, p->finish[i + 1].path) == 0)
			continue;
		fd = fs_openat_beneath(p->root, *f->path ? f->path : ".",
				       O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		/* replaced by something else of this layer */
		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
			continue;
		if (fd < 0)
			return error_errno(err, "open the folder %s", f->path);
		if (fchmod(fd, f->mode) < 0 || futimens(fd, times) < 0)
			return error_errno(err, "set mode and time of the folder %s", f->path);
	}
	return 0;
}

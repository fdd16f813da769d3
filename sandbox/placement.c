#include "sandbox/placement.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "sandbox/copy_tree.h"
#include "sandbox/placement_place.h"
#include "sandbox/snapshot.h"

int placement_open(struct placement **out, const char *root, const char *aside, struct error *err)
{
	AUTO_PTR(placement) p = xcalloc(1, sizeof(*p));
	char text[32], path[PATH_MAX];
	ssize_t n;

	p->rootfd = p->aside = -1;
	p->rootfd = open(root, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (p->rootfd < 0)
		return error_errno(err, "open %s", root);
	if (mkdir(aside, 0700) < 0 && errno != EEXIST)
		return error_errno(err, "create %s", aside);
	p->aside = open(aside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (p->aside < 0)
		return error_errno(err, "open %s", aside);
	/* As the kernel names what is in it. */
	fs_fd_path(p->rootfd, text);
	n = readlink(text, path, sizeof(path));
	if (n < 0 || n == (ssize_t)sizeof(path))
		return error_errno(err, "find the path of %s", root);
	p->root = xstrndup(path, (size_t)n);
	*out = take_ptr(p);
	return 0;
}

const struct strlist *placement_secrets(const struct placement *p)
{
	return &p->secrets;
}

static int put_data(struct placement *p, const struct sandbox_mount *m, struct error *err)
{
	struct place *place;
	AUTO_FD int fd = -1;

	if (place_take(p, m->target, false, &place, err) < 0)
		return -1;
	fd = openat(place->parent, place->name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, "make the file %s", m->target);
	if (m->data_len && !(m->mode & 0044))
		strlist_add(&p->secrets, place->path);
	if (fs_write_all(fd, m->data, m->data_len, m->target, err) < 0)
		return -1;
	if (fchown(fd, m->uid, m->gid) < 0 || fchmod(fd, m->mode) < 0)
		return error_errno(err, "make the file %s", m->target);
	return 0;
}

static int make_folder(const struct place *place, const struct sandbox_mount *m, mode_t mode,
		       struct error *err)
{
	if (mkdirat(place->parent, place->name, 0700) < 0 ||
	    fchownat(place->parent, place->name, m->uid, m->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(place->parent, place->name, mode, 0) < 0)
		return error_errno(err, "make the folder %s", m->target);
	return 0;
}

static int put_tmpfs(struct placement *p, const struct sandbox_mount *m, struct error *err)
{
	struct place *place;

	if (place_take(p, m->target, true, &place, err) < 0)
		return -1;
	return make_folder(place, m, m->mode ? m->mode : 01777, err);
}

static int open_source(const struct sandbox_mount *m, const char *source, bool *folder,
		       struct error *err)
{
	AUTO_FD int top = open(source, O_PATH | O_CLOEXEC);
	AUTO_FD int fd = -1;
	struct stat st;

	fd = top < 0 || !m->subpath ? take_fd(top) : fs_openat_in_root(top, m->subpath, O_PATH, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "open %s, to be mounted on %s",
				   m->subpath ? m->subpath : source, m->target);
	*folder = S_ISDIR(st.st_mode);
	return take_fd(fd);
}

static int put_bind(struct placement *p, const struct sandbox_mount *m, const char *source,
		    struct error *err)
{
	struct place *place;
	bool folder;
	AUTO_FD int fd = open_source(m, source, &folder, err);

	if (fd < 0 || place_take(p, m->target, folder, &place, err) < 0)
		return -1;
	if (copy_tree(fd, place->parent, place->name, err) < 0)
		return error_wrap(err, "copy what is to be mounted on %s", m->target);
	if (m->top && folder && fchmodat(place->parent, place->name, m->mode, 0) < 0)
		return error_errno(err, "set the mode of %s", m->target);
	return 0;
}

/* A folder that no copy is needed of, since nobody else will look at it. */
static int put_taken(struct placement *p, const struct sandbox_mount *m, const char *source,
		     struct error *err)
{
	struct place *place;

	if (place_take(p, m->target, true, &place, err) < 0)
		return -1;
	if (renameat(AT_FDCWD, source, place->parent, place->name) < 0)
		return error_errno(err, "move what is to be mounted on %s", m->target);
	if (m->top && fchmodat(place->parent, place->name, m->mode, 0) < 0)
		return error_errno(err, "set the mode of %s", m->target);
	return 0;
}

static int put_cache(struct placement *p, const struct sandbox_mount *m, const char *source,
		     struct error *err)
{
	struct place *place;

	if (m->subpath)
		return error_set(err, ERROR_UNSUPPORTED,
				 "mount on %s: a part of a cache cannot be mounted without mounts",
				 m->target);
	if (place_take(p, m->target, true, &place, err) < 0)
		return -1;
	place->back = xstrdup(source);
	if (renameat(AT_FDCWD, source, place->parent, place->name) == 0)
		return 0;
	if (errno == ENOENT)
		return make_folder(place, m, m->mode ? m->mode : 0755, err);
	return error_errno(err, "move the cache for %s into the root of the step", m->target);
}

static int put_agent(struct placement *p, const struct sandbox_mount *m, int *listener,
		     struct error *err)
{
	struct place *place;

	if (place_take(p, m->target, false, &place, err) < 0)
		return -1;
	*listener = place_listen(place, err);
	if (*listener < 0)
		return -1;
	if (fchownat(place->parent, place->name, m->uid, m->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(place->parent, place->name, m->mode, 0) < 0)
		return error_errno(err, "make the socket %s", m->target);
	return 0;
}

static int lock_cache(struct placement *p, const char *source, struct error *err)
{
	AUTO_FREE char *path = xstrfmt("%s.moved.lock", source);
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_errno(err, "open %s", path);
	GROW(p->locks, p->n_locks + 1, p->cap_locks);
	p->locks[p->n_locks++] = fd;
	return store_lock_fd(p->store, fd, LOCK_EX, "runs with the same cache", err);
}

/* In the order of their names, or two steps could wait for each other for good. */
int placement_lock_caches(struct placement *p, struct store *store,
			  const struct sandbox_mount *mounts, size_t n, struct error *err)
{
	AUTO(strlist) sources = STRLIST_INIT;

	p->store = store;
	for (size_t i = 0; i < n; i++)
		if (mounts[i].kind == SANDBOX_MOUNT_CACHE)
			strlist_add(&sources, mounts[i].source_dir);
	strlist_sort(&sources);
	for (size_t i = 0; i < sources.n; i++) {
		if (i > 0 && strcmp(sources.items[i], sources.items[i - 1]) == 0)
			return error_set(
				err, ERROR_UNSUPPORTED,
				"one cache at two places of a step needs mounts, which the sandbox mode "
				"chroot has not");
		if (lock_cache(p, sources.items[i], err) < 0)
			return -1;
	}
	return 0;
}

int placement_add(struct placement *p, const struct sandbox_mount *m, const char *source, bool take,
		  int *listener, struct error *err)
{
	int r;

	switch (m->kind) {
	case SANDBOX_MOUNT_DATA:
		r = put_data(p, m, err);
		break;
	case SANDBOX_MOUNT_TMPFS:
		r = put_tmpfs(p, m, err);
		break;
	case SANDBOX_MOUNT_BIND:
		r = take ? put_taken(p, m, source, err) : put_bind(p, m, source, err);
		break;
	case SANDBOX_MOUNT_CACHE:
		r = put_cache(p, m, source, err);
		break;
	case SANDBOX_MOUNT_AGENT:
		r = put_agent(p, m, listener, err);
		break;
	case SANDBOX_MOUNT_HOST:
	default:
		error_set(
			err, ERROR_UNSUPPORTED,
			"mount on %s: a folder of this machine cannot be shown in the sandbox mode "
			"chroot",
			m->target);
		return error_hint(err, "\"slipway doctor\" shows what a better mode needs");
	}
	place_done(p);
	return r;
}

int placement_ready(struct placement *p, struct error *err)
{
	if (places_watch(p, err) < 0)
		return -1;
	snapshot_settle();
	return 0;
}

int placement_remove(struct placement *p, struct strlist *pardoned, struct error *err)
{
	p->removed = true;
	return places_remove(p, pardoned, err);
}

void placement_abandon(struct placement *p)
{
	p->removed = true;
}

void placement_free(struct placement *p)
{
	if (!p)
		return;
	if (!p->removed && p->root)
		(void)places_remove(p, NULL, NULL);
	places_release(p);
	if (p->rootfd >= 0)
		close(p->rootfd);
	if (p->aside >= 0)
		close(p->aside);
	strlist_release(&p->secrets);
	free(p->root);
	free(p);
}

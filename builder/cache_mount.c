#include "builder/cache_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/sha256.h"

#define WAIT_NS     50000000ll /* between two tries for a lock, which has no event to wait for */
#define MAX_PRIVATE 256        /* folders of one private mount */

void cache_mount_init(struct cache_mount *m, const struct run_mount *mount, const char *target,
		      const char *name_space, const uint8_t *base)
{
	AUTO(sha256) hash = SHA256_INIT;

	*m = (struct cache_mount){.mount = mount, .lock = -1};
	sha256_init(&hash);
	sha256_frame_str(&hash, name_space);
	sha256_frame_str(&hash, mount->id ? mount->id : target);
	sha256_frame_int(&hash, mount->mode);
	sha256_frame_int(&hash, mount->uid);
	sha256_frame_int(&hash, mount->gid);
	if (base)
		sha256_frame(&hash, base, SHA256_SIZE);
	sha256_final_hex(&hash, m->hash);
}

void cache_mount_release(struct cache_mount *m)
{
	if (m->lock >= 0)
		close(m->lock);
	m->lock = -1;
	free(take_ptr(m->path));
}

static int open_lock(struct store *s, const char *name, int *fd, struct error *err)
{
	AUTO_FREE char *path = store_path(s, "cache/mounts/%s.lock", name);

	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0)
		return error_errno(err, "open the lock %s", path);
	return 0;
}

/* 1: have it, 0: somebody else has. */
static int try_lock(int fd, int how, struct error *err)
{
	while (flock(fd, how | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return 0;
		if (errno != EINTR)
			return error_errno(err, "lock a cache mount");
	}
	return 1;
}

struct waiting {
	struct store *store;
	const struct cancel *cancel;
	struct reporter *reporter;
	int step;
};

static int wait_for_lock(struct cache_mount *m, const struct waiting *w, int how, struct error *err)
{
	bool told = false;
	int got;

	while ((got = try_lock(m->lock, how, err)) == 0) {
		if (!told)
			report_step_note(w->reporter, w->step, "waiting for the cache mount %s",
					 m->mount->id ? m->mount->id : m->mount->target);
		told = true;
		if (cancel_sleep(w->cancel, WAIT_NS, err) < 0)
			return -1;
	}
	return got < 0 ? -1 : 0;
}

static int lock_mount(struct cache_mount *m, const struct waiting *w, struct error *err)
{
	bool locked = m->mount->sharing == MOUNT_LOCKED;

	if (open_lock(w->store, m->hash, &m->lock, err) < 0 ||
	    wait_for_lock(m, w, locked ? LOCK_EX : LOCK_SH, err) < 0)
		return -1;
	m->path = store_path(w->store, "cache/mounts/%s", m->hash);
	return 0;
}

static int take_private(struct cache_mount *m, const struct waiting *w, struct error *err)
{
	for (int i = 0; i < MAX_PRIVATE; i++) {
		AUTO_FREE char *name = xstrfmt("%s-%d", m->hash, i);
		AUTO_FD int fd = -1;
		int got;

		if (open_lock(w->store, name, &fd, err) < 0)
			return -1;
		got = try_lock(fd, LOCK_EX, err);
		if (got < 0)
			return -1;
		if (got) {
			m->lock = take_fd(fd);
			m->path = store_path(w->store, "cache/mounts/%s", name);
			return 0;
		}
	}
	return error_set(err, ERROR_DENIED, "%d steps use the private cache mount %s already",
			 MAX_PRIVATE, m->mount->target);
}

static int by_hash(const void *a, const void *b)
{
	const struct cache_mount *const *x = a, *const *y = b;

	return strcmp((*x)->hash, (*y)->hash);
}

static int open_one(struct cache_mount *m, struct cache_mount *former, const struct waiting *w,
		    struct error *err)
{
	if (m->mount->sharing == MOUNT_PRIVATE)
		return take_private(m, w, err);
	/* A second lock of our own on one file would wait for the first. */
	if (former && former->mount->sharing != MOUNT_PRIVATE &&
	    strcmp(former->hash, m->hash) == 0) {
		m->path = xstrdup(former->path);
		return 0;
	}
	return lock_mount(m, w, err);
}

int cache_mounts_open(struct cache_mount *mounts, size_t n, struct store *s,
		      const struct cancel *cancel, struct reporter *r, int step, struct error *err)
{
	const struct waiting w = {.store = s, .cancel = cancel, .reporter = r, .step = step};
	AUTO_FREE struct cache_mount **order = xcalloc(n + 1, sizeof(struct cache_mount *));
	AUTO_FREE char *folder = store_path(s, "cache/mounts");

	if (n && fs_mkdir_p(folder, 0700, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		order[i] = &mounts[i];
	qsort(order, n, sizeof(struct cache_mount *), by_hash);
	for (size_t i = 0; i < n; i++)
		if (open_one(order[i], i ? order[i - 1] : NULL, &w, err) < 0)
			return -1;
	return 0;
}

/* Folders: the build cache and extracted layers. They are renamed under the locks and removed after them. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/strbuf.h"
#include "oci/prune_private.h"

static char *gone_name(const char *folder)
{
	static atomic_uint counter;

	return xstrfmt("%s/" PRUNE_GONE "%d-%u", folder, (int)getpid(),
		       atomic_fetch_add(&counter, 1));
}

/* Renames a folder (below the root) and notes it for removal. */
static int doom(struct prune *p, const char *name, const char *to_folder, struct error *err)
{
	AUTO_FREE char *gone = gone_name(to_folder);

	if (renameat(store_dirfd(p->store), name, store_dirfd(p->store), gone) < 0) {
		if (errno == ENOENT)
			return 0;
		return error_errno(err, "set %s/%s aside for removal", store_root(p->store), name);
	}
	strlist_add(&p->doomed, gone);
	return 0;
}

static int find_held_lock(void *arg, int dirfd, const char *name, const struct stat *st,
			  struct error *err)
{
	bool *held = arg;

	(void)err;
	if (!S_ISREG(st->st_mode) || !str_ends(name, ".lock"))
		return 0;
	AUTO_FD int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	*held |= fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
	return 0;
}

static int count_record(void *arg, int dirfd, const char *name, const struct stat *st,
			struct error *err)
{
	struct prune *p = arg;

	(void)dirfd;
	(void)err;
	p->result->records += S_ISREG(st->st_mode) && str_ends(name, ".json");
	return 0;
}

int prune_cache(struct prune *p, struct error *err)
{
	int dirfd = store_dirfd(p->store);
	bool held = false;

	if (fs_each_entry(dirfd, "cache/mounts", find_held_lock, &held, err) < 0)
		return -1;
	if (held) {
		report_log(p->o->reporter, LOG_WARNING,
			   "the build cache stays: a build is using one of its mount caches");
		p->drop_cache = false;
		return mark_cache(&p->mark, p->store, err);
	}
	if (fs_each_entry(dirfd, "cache/steps", count_record, p, err) < 0 ||
	    doom(p, "cache", "ingest", err) < 0)
		return -1;
	if (mkdirat(dirfd, "cache", 0755) < 0 && errno != EEXIST)
		return error_errno(err, "make the folder %s/cache", store_root(p->store));
	return 0;
}

struct mode_folder {
	struct prune *prune;
	char *name; /* "layers/MODE" */
};

/* Beside the chains there are only lock files and what an earlier prune could not remove. */
static int sweep_chain(void *arg, int dirfd, const char *name, const struct stat *st,
		       struct error *err)
{
	const struct mode_folder *mode = arg;
	struct prune *p = mode->prune;
	AUTO_FREE char *path = xstrfmt("%s/%s", mode->name, name);

	(void)dirfd;
	if (!S_ISDIR(st->st_mode))
		return 0;
	if (str_starts(name, PRUNE_GONE)) {
		strlist_add(&p->doomed, path);
		return 0;
	}
	if (mark_has_hex(&p->mark, name) || !prune_may_drop(p, st->st_mtime, 0))
		return 0;
	p->result->layers++;
	return doom(p, path, mode->name, err);
}

/* Who uses extracted layers holds MODE/.lock shared (sandbox/layer_folders.h). */
static int sweep_mode(void *arg, int dirfd, const char *name, const struct stat *st,
		      struct error *err)
{
	struct prune *p = arg;
	struct mode_folder mode = {.prune = p};
	AUTO_FREE char *lock_name = xstrfmt("%s/.lock", name);

	if (!S_ISDIR(st->st_mode))
		return 0;
	AUTO_FD int lock = openat(dirfd, lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
				  0644);

	if (lock < 0)
		return error_errno(err, "open %s/layers/%s", store_root(p->store), lock_name);
	if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
		report_log(p->o->reporter, LOG_WARNING,
			   "extracted layers of mode %s stay: a build or container is using them",
			   name);
		return 0;
	}
	mode.name = xstrfmt("layers/%s", name);
	int result = fs_each_entry(dirfd, name, sweep_chain, &mode, err);

	free(mode.name);
	return result;
}

int prune_layers(struct prune *p, struct error *err)
{
	return fs_each_entry(store_dirfd(p->store), "layers", sweep_mode, p, err);
}

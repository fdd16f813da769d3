#include "oci/prune.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/time.h"
#include "oci/layout.h"
#include "oci/lease.h"
#include "oci/mark.h"
#include "oci/prune_private.h"
#include "oci/repository.h"

/* Work in the making that nobody has locked: a download that may be continued is kept for a day. */
#define LEFTOVER_AGE (24 * 3600)

bool prune_may_drop(const struct prune *p, int64_t mtime, int64_t age)
{
	return p->leases.general == 0 && p->now - mtime >= age && mtime < p->leases.oldest;
}

/* A blob that nobody marked and that is old enough. */
static int sweep_blob(void *arg, const struct digest *d, int64_t size, int64_t mtime,
		      struct error *err)
{
	struct prune *p = arg;

	if (mark_has(&p->mark, d))
		return 0;
	if (!prune_may_drop(p, mtime, p->o->grace)) {
		p->result->young += prune_may_drop(p, mtime, 0);
		return 0;
	}
	if (store_delete_blob(p->store, d, err) < 0)
		return -1;
	p->result->blobs++;
	p->result->bytes += (uint64_t)size;
	return 0;
}

/* Facts about blobs that are not needed. Those of kind "file" and unknown ones are a cache by content. */
static int sweep_fact(void *arg, int dirfd, const char *name, const struct stat *st,
		      struct error *err)
{
	struct prune *p = arg;

	(void)err;
	if (!S_ISREG(st->st_mode) || !prune_may_drop(p, st->st_mtime, p->o->grace) ||
	    (p->by_digest ? mark_has_hex(&p->mark, name) : !p->drop_cache))
		return 0;
	if (unlinkat(dirfd, name, 0) == 0)
		p->result->bytes += (uint64_t)st->st_size;
	return 0;
}

static int sweep_kind(void *arg, int dirfd, const char *name, const struct stat *st,
		      struct error *err)
{
	static const char *const by_digest[] = {"diff", "from", "index"};
	struct prune *p = arg;

	if (!S_ISDIR(st->st_mode))
		return 0;
	p->by_digest = false;
	for (size_t i = 0; i < ARRAY_SIZE(by_digest); i++)
		p->by_digest |= strcmp(name, by_digest[i]) == 0;
	return fs_each_entry(dirfd, name, sweep_fact, p, err);
}

/* What is pushed to a registry that runs has a day to be completed, whatever was asked for. */
static int64_t leftover_age(const struct prune *p)
{
	bool hurries = p->drop_cache && !p->is_served && p->o->grace < LEFTOVER_AGE;

	return hurries ? p->o->grace : LEFTOVER_AGE;
}

static bool is_stale(void *arg, int64_t since)
{
	const struct prune *p = arg;

	return prune_may_drop(p, since, leftover_age(p));
}

/* An owner holds the lock of its file; folders have none and are told by the leases. */
static int sweep_leftover(void *arg, int dirfd, const char *name, const struct stat *st,
			  struct error *err)
{
	struct prune *p = arg;
	bool is_doomed = str_starts(name, PRUNE_GONE);
	int64_t age;

	(void)err;
	/*
	 * What nobody at work can own: folders need no grace, half of a download is kept to be resumed. A folder is made under
	 * a lease, in whatever container its owner runs, and no lease begins while we hold their lock.
	 */
	if (p->leases.live == 0 && S_ISDIR(st->st_mode))
		age = 0;
	else
		age = leftover_age(p);
	if (!is_doomed && !prune_may_drop(p, st->st_mtime, age))
		return 0;
	if (S_ISDIR(st->st_mode)) {
		strlist_addf(&p->doomed, "ingest/%s", name);
		return 0;
	}
	AUTO_FD int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	if (unlinkat(dirfd, name, 0) == 0)
		p->result->bytes += (uint64_t)st->st_size;
	return 0;
}

/* Takes images without a name off the list, save those that somebody at work keeps or has just made. */
static int drop_unnamed(void *arg, struct image_index *index, struct error *err)
{
	struct prune *p = arg;
	size_t before = index->n_manifests;

	(void)err;
	for (size_t i = 0; i < index->n_manifests; i++) {
		const struct digest *d = &index->manifests[i].digest;
		AUTO(image_ref) ref = {0};
		char path[STORE_BLOB_PATH];
		struct stat st;

		store_blob_path(d, path);
		if (layout_entry_ref(&index->manifests[i], &ref) || mark_has(&p->mark, d) ||
		    (fstatat(store_dirfd(p->store), path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		     !prune_may_drop(p, st.st_mtime, 0)))
			continue;
		image_index_remove(index, i--);
	}
	p->result->images = before - index->n_manifests;
	return index->n_manifests != before;
}

static int mark_everything(struct prune *p, struct error *err)
{
	const struct mark_stale stale = {is_stale, p};

	for (size_t i = 0; i < p->leases.kept.n; i++) {
		struct digest d;

		if (digest_parse(&d, p->leases.kept.items[i], NULL) == 0)
			mark_digest(&p->mark, p->store, &d);
	}
	if (p->o->all && p->leases.general == 0 && layout_edit(p->store, drop_unnamed, p, err) < 0)
		return -1;
	/* From here on nobody names anything. */
	if (store_lock(p->store, "index.lock", "changes the list of images", &p->index_lock, err) <
		    0 ||
	    mark_names(&p->mark, p->store, err) < 0 ||
	    mark_repositories(&p->mark, p->store, &stale, err) < 0)
		return -1;
	return p->drop_cache ? 0 : mark_cache(&p->mark, p->store, err);
}

static void remove_doomed(struct prune *p)
{
	for (size_t i = 0; i < p->doomed.n; i++) {
		const char *name = p->doomed.items[i];
		AUTO_FREE char *path = store_path(p->store, "%s", name);
		AUTO(error) why = ERROR_INIT;
		uint64_t bytes = store_tree_bytes(store_dirfd(p->store), name);
		int done = p->o->remove_tree ? p->o->remove_tree(p->o->remove_arg, path, &why)
					     : fs_remove_tree(store_dirfd(p->store), name, &why);

		if (done == 0) {
			p->result->bytes += bytes;
			continue;
		}
		p->result->failed++;
		report_log(p->o->reporter, LOG_WARNING, "cannot remove %s: %s", path, why.message);
	}
}

static int sweep(struct prune *p, struct error *err)
{
	if (mark_everything(p, err) < 0)
		return -1;
	if (p->o->build_cache) {
		if (p->drop_cache && prune_cache(p, err) < 0)
			return -1;
		if (prune_layers(p, err) < 0)
			return -1;
	}
	if (store_each_blob(p->store, sweep_blob, p, err) < 0 ||
	    fs_each_entry(store_dirfd(p->store), "meta", sweep_kind, p, err) < 0)
		return -1;
	return fs_each_entry(store_dirfd(p->store), "ingest", sweep_leftover, p, err);
}

int store_prune(struct store *s, const struct prune_options *o, struct prune_result *result,
		struct error *err)
{
	struct prune p = {
		.store = s, .o = o, .result = result, .now = time_now(), .index_lock = -1};
	AUTO_FD int lease_lock_fd = -1;
	int done = -1;

	memset(result, 0, sizeof(*result));
	if (lease_lock(s, &lease_lock_fd, err) == 0 && lease_survey(s, &p.leases, err) == 0) {
		result->in_use = p.leases.live;
		/* The records and mount caches of a build at work cannot be told from the others. */
		p.drop_cache = o->build_cache && p.leases.live == 0;
		p.is_served = repository_is_served(s);
		done = sweep(&p, err);
	}
	/* Extracted layers hold many files: nobody waits while they go. */
	cleanup_fd(&p.index_lock);
	cleanup_fd(&lease_lock_fd);
	lease_lock_fd = -1;
	remove_doomed(&p);
	strlist_release(&p.doomed);
	mark_release(&p.mark);
	lease_summary_release(&p.leases);
	return done;
}

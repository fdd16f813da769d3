/* What the store takes on the disk (slipway df). */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "oci/layout.h"
#include "oci/mark.h"
#include "oci/prune.h"
#include "oci/prune_private.h"

uint64_t store_tree_bytes(int dirfd, const char *name)
{
	AUTO_FREE char *path = xstrfmt("/proc/self/fd/%d/%s", dirfd, name);
	char *roots[] = {path, NULL};
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	uint64_t bytes = 0;
	const FTSENT *e;

	while (walk && (e = fts_read(walk)) != NULL) {
		bool has_stat = e->fts_info != FTS_DP && e->fts_info != FTS_NS &&
				e->fts_info != FTS_ERR;

		/* Hard links share their blocks. */
		if (has_stat && e->fts_statp->st_nlink > 0)
			bytes += (uint64_t)e->fts_statp->st_blocks * 512 /
				 (S_ISDIR(e->fts_statp->st_mode) ? 1 : e->fts_statp->st_nlink);
	}
	if (walk)
		fts_close(walk);
	return bytes;
}

struct count {
	struct store *store;
	struct disk_usage *out;
	struct mark named;
};

static int count_blob(void *arg, const struct digest *d, int64_t size, int64_t mtime,
		      struct error *err)
{
	struct count *c = arg;

	(void)mtime;
	(void)err;
	c->out->blobs++;
	c->out->blob_bytes += (uint64_t)size;
	*(mark_has(&c->named, d) ? &c->out->image_bytes
				 : &c->out->reclaimable_bytes) += (uint64_t)size;
	return 0;
}

static int count_chain(void *arg, int dirfd, const char *name, const struct stat *st,
		       struct error *err)
{
	struct count *c = arg;

	(void)err;
	if (!S_ISDIR(st->st_mode))
		return 0;
	uint64_t bytes = store_tree_bytes(dirfd, name);

	c->out->layers++;
	c->out->layer_bytes += bytes;
	if (!mark_has_hex(&c->named, name))
		c->out->reclaimable_bytes += bytes;
	return 0;
}

static int count_mode(void *arg, int dirfd, const char *name, const struct stat *st,
		      struct error *err)
{
	return S_ISDIR(st->st_mode) ? fs_each_entry(dirfd, name, count_chain, arg, err) : 0;
}

static int count_record(void *arg, int dirfd, const char *name, const struct stat *st,
			struct error *err)
{
	struct count *c = arg;

	(void)dirfd;
	(void)err;
	c->out->cache_entries += S_ISREG(st->st_mode) && str_ends(name, ".json");
	return 0;
}

static int count_unfinished(void *arg, int dirfd, const char *name, const struct stat *st,
			    struct error *err)
{
	struct count *c = arg;

	(void)err;
	c->out->unfinished++;
	c->out->ingest_bytes += S_ISDIR(st->st_mode) ? store_tree_bytes(dirfd, name)
						     : (uint64_t)st->st_size;
	return 0;
}

static int mark_named(struct count *c, struct error *err)
{
	AUTO(image_index) index = {0};

	if (layout_read(c->store, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index.n_manifests; i++) {
		AUTO(image_ref) ref = {0};

		if (!layout_entry_ref(&index.manifests[i], &ref))
			continue;
		c->out->images += !mark_has(&c->named, &index.manifests[i].digest);
		mark_digest(&c->named, c->store, &index.manifests[i].digest);
	}
	return 0;
}

static int count_all(struct count *c, struct error *err)
{
	int dirfd = store_dirfd(c->store);

	if (mark_named(c, err) < 0 || mark_repositories(&c->named, c->store, NULL, err) < 0 ||
	    store_each_blob(c->store, count_blob, c, err) < 0 ||
	    fs_each_entry(dirfd, "layers", count_mode, c, err) < 0 ||
	    fs_each_entry(dirfd, "cache/steps", count_record, c, err) < 0)
		return -1;
	c->out->cache_bytes = store_tree_bytes(dirfd, "cache");
	c->out->reclaimable_bytes += c->out->cache_bytes;
	if (fs_each_entry(dirfd, "ingest", count_unfinished, c, err) < 0)
		return -1;
	c->out->reclaimable_bytes += c->out->ingest_bytes;
	return 0;
}

int store_usage(struct store *s, struct disk_usage *out, struct error *err)
{
	struct count c = {.store = s, .out = out};

	memset(out, 0, sizeof(*out));
	int result = count_all(&c, err);

	mark_release(&c.named);
	return result;
}

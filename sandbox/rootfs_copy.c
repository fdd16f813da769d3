#include "base/alloc.h"
#include "sandbox/flat_root.h"
#include "sandbox/helper.h"
#include "sandbox/rootfs_private.h"

/* The root is made when something is about to be done with it, or a build whose steps are all known would make it in vain. */
static int open_layers(struct rootfs *fs, struct error *err)
{
	struct digest chain = {0};

	(void)err;
	for (size_t i = 0; i < fs->n; i++) {
		digest_chain(&chain, fs->layers[i].diff_id);
		fs->chains[i] = chain;
	}
	return 0;
}

static int prepare(struct rootfs *fs, struct error *err)
{
	if (fs->flat)
		return 0;
	return flat_root_open(&fs->flat, fs->sb, fs->mode, fs->layers, fs->n, fs->chains, err);
}

static int commit(struct rootfs *fs, const struct layer_options *o, struct layer *out,
		  struct strlist *notes, struct error *err)
{
	AUTO_FREE char *owners = xstrfmt("%s/" ROOTFS_OWNERS, rootfs_folder(fs));
	const struct commit_job job = {
		.mode = fs->mode,
		.layers = fs->layers,
		.n = fs->n,
		.options = o,
		.upper = fs->flat->path,
		.record = fs->flat->record,
		.owners = fs->mode == SANDBOX_ROOTLESS_SINGLE ? owners : NULL,
		.pardoned = &fs->pardoned,
	};

	fs->dirty = true;
	return helper_commit(fs->sb, &job, out, notes, err);
}

static int settle(struct rootfs *fs, struct error *err)
{
	(void)err;
	fs->dirty = false;
	strlist_clear(&fs->pardoned);
	return 0;
}

int rootfs_make_view(struct rootfs *fs, const struct sandbox_mount *m, const char *dir,
		     struct error *err)
{
	AUTO(tree_cache) cache = {0};
	const struct extract_job job = {
		.mode = fs->mode, .layers = m->layers, .n = m->n_layers, .dir = dir, .flat = true};

	if (helper_extract(fs->sb, &cache, &job, err) < 0)
		return error_wrap(err, "mount on %s", m->target);
	return 0;
}

bool rootfs_bind_is_copied(const struct rootfs *fs, const struct sandbox_mount *m)
{
	return rootfs_is_whole(fs) && m->kind == SANDBOX_MOUNT_BIND &&
	       (!m->source_dir || m->n_layers > 0 || !m->readonly || m->top);
}

int rootfs_bind_copy(struct rootfs *fs, const struct sandbox_mount *m, const char *path,
		     struct error *err)
{
	if (!m->source_dir || m->n_layers > 0)
		return rootfs_make_view(fs, m, path, err);
	if (helper_copy(fs->sb, fs->mode, m->source_dir, m->subpath, path, err) < 0)
		return error_wrap(err, "mount on %s", m->target);
	return 0;
}

static void close_copy(struct rootfs *fs)
{
	if (fs->flat && !fs->dirty && fs->n > 0)
		flat_root_keep(fs->flat, &fs->chains[fs->n - 1]);
	else
		flat_root_free(fs->flat);
	fs->flat = NULL;
}

const struct rootfs_storage rootfs_copy = {
	.open = open_layers,
	.prepare = prepare,
	.commit = commit,
	.settle = settle,
	.close = close_copy,
};

#include "sandbox/rootfs_mounts.h"

#include <sys/stat.h>

#include "base/alloc.h"
#include "sandbox/agent_proxy.h"
#include "sandbox/helper.h"
#include "sandbox/layer_folders.h"
#include "sandbox/rootfs_place.h"

void rootfs_lowers_add(struct rootfs *fs, struct order_block *orders, uint32_t tag,
		       const struct rootfs_layer *layers, const struct digest *chains, size_t n)
{
	for (size_t i = n; i > 0; i--) {
		AUTO_FREE char *path = NULL;

		if (layer_folder_is_void(layers, i - 1))
			continue;
		path = layer_folder(fs->sb, fs->mode, &chains[i - 1]);
		order_str(orders, tag, path);
	}
}

static int add_view(const struct rootfs_mounts *r, const struct sandbox_mount *m, struct error *err)
{
	AUTO_FREE struct digest *chains = xcalloc(m->n_layers, sizeof(*chains));

	if (layer_folders_ensure(r->fs->sb, r->fs->mode, m->layers, m->n_layers, chains, err) < 0)
		return error_wrap(err, "mount on %s", m->target);
	rootfs_lowers_add(r->fs, r->orders, MOUNT_LOWER, m->layers, chains, m->n_layers);
	return 0;
}

/* A folder for the writes that are dropped, and for the top that is shown instead of the source's own. */
static int add_scratch(const struct rootfs_mounts *r, size_t i, struct error *err)
{
	AUTO_FREE char *dir = xstrfmt("%s/bind-%u-%zu", rootfs_folder(r->fs), r->number, i);

	if (mkdir(dir, 0755) < 0)
		return store_write_failed(r->fs->sb->store, "a folder for dropped writes", dir,
					  err);
	order_str(r->orders, MOUNT_SCRATCH, dir);
	return 0;
}

static uint32_t mount_kind(enum sandbox_mount_kind kind)
{
	switch (kind) {
	case SANDBOX_MOUNT_BIND:
		return MOUNT_BIND;
	case SANDBOX_MOUNT_CACHE:
		return MOUNT_CACHE;
	case SANDBOX_MOUNT_HOST:
		return MOUNT_HOST;
	case SANDBOX_MOUNT_TMPFS:
		return MOUNT_TMPFS;
	case SANDBOX_MOUNT_AGENT:
		return MOUNT_SOCKET;
	case SANDBOX_MOUNT_DATA:
	default:
		return MOUNT_FILE;
	}
}

/*
 * The folder of a cache mount that begins with files, unless it is there already. Another step may make the same one at
 * the same time: the first to rename wins.
 */
static int fill_cache(const struct rootfs_mounts *r, const struct sandbox_mount *m, size_t i,
		      bool *filled, struct error *err)
{
	AUTO_FREE char *dir = xstrfmt("%s/cache-%u-%zu", rootfs_folder(r->fs), r->number, i);
	AUTO(tree_cache) cache = {0};
	AUTO(error) local = ERROR_INIT;
	const struct extract_job job = {
		.mode = r->fs->mode, .layers = m->layers, .n = m->n_layers, .dir = dir};
	struct stat st;

	if (stat(m->source_dir, &st) == 0)
		return 0;
	if (helper_extract(r->fs->sb, &cache, &job, err) < 0)
		return error_wrap(err, "fill the cache mount on %s", m->target);
	if (helper_rename(r->fs->sb, r->fs->mode, dir, m->source_dir, &local) == 0)
		*filled = true;
	else if (stat(m->source_dir, &st) < 0)
		return error_move(err, &local);
	return 0;
}

/* The source, for what has a folder or file of this machine. */
static int add_source(const struct rootfs_mounts *r, const struct sandbox_mount *m, size_t i,
		      struct error *err)
{
	if (m->kind == SANDBOX_MOUNT_BIND && m->n_layers > 0)
		return add_view(r, m, err);
	/* Layers without any: nothing is to be seen. */
	if (m->kind == SANDBOX_MOUNT_BIND && !m->source_dir) {
		AUTO_FREE char *dir = xstrfmt("%s/void-%u-%zu", rootfs_folder(r->fs), r->number, i);

		if (mkdir(dir, 0755) < 0)
			return store_write_failed(r->fs->sb->store, "an empty folder", dir, err);
		order_str(r->orders, MOUNT_SOURCE, dir);
		return 0;
	}
	order_str(r->orders, MOUNT_SOURCE, m->source_dir);
	return 0;
}

static int add_copy(const struct rootfs_mounts *r, const struct sandbox_mount *m, size_t i,
		    struct error *err)
{
	AUTO_FREE char *path = xstrfmt("%s/copy-%u-%zu", rootfs_folder(r->fs), r->number, i);

	if (rootfs_bind_copy(r->fs, m, path, err) < 0)
		return -1;
	order_str(r->orders, MOUNT_SOURCE, path);
	return 0;
}

int rootfs_mounts_add(const struct rootfs_mounts *r, const struct sandbox_mount *m, size_t i,
		      struct error *err)
{
	struct order_mount_attr attr = {
		.flags = (m->readonly ? MOUNT_READONLY : 0u) | (m->top ? MOUNT_TOP : 0u),
		.mode = m->mode,
		.uid = m->uid,
		.gid = m->gid,
		.size = m->kind == SANDBOX_MOUNT_AGENT ? (int64_t)i : m->size,
	};
	const bool copied = rootfs_bind_is_copied(r->fs, m);
	bool filled = false;

	if (!m->target || m->target[0] != '/')
		return error_set(err, ERROR_USAGE,
				 "mount on \"%s\": the target is not an absolute path",
				 m->target ? m->target : "");
	if (m->kind == SANDBOX_MOUNT_CACHE && m->n_layers > 0 &&
	    fill_cache(r, m, i, &filled, err) < 0)
		return -1;
	if (r->placement)
		return rootfs_place_mount(r->fs, r->placement, r->agents, m, i, filled, err);
	if (filled)
		attr.flags |= MOUNT_FILLED;
	if (copied)
		attr.flags |= MOUNT_OWN;
	order_u32(r->orders, ORDER_MOUNT, mount_kind(m->kind));
	order_str(r->orders, MOUNT_TARGET, m->target);
	order_bytes(r->orders, MOUNT_ATTR, &attr, sizeof(attr));
	/* A copied folder is the subpath's already. */
	if (!copied || m->n_layers > 0 || !m->source_dir)
		order_str(r->orders, MOUNT_SUBPATH, m->subpath);
	if (m->kind == SANDBOX_MOUNT_DATA)
		order_bytes(r->orders, MOUNT_DATA, m->data, m->data_len);
	if (copied)
		return add_copy(r, m, i, err);
	if (add_source(r, m, i, err) < 0)
		return -1;
	if (m->kind == SANDBOX_MOUNT_BIND && (!m->readonly || m->top))
		return add_scratch(r, i, err);
	return 0;
}

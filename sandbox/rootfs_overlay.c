#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "sandbox/helper.h"
#include "sandbox/layer_folders.h"
#include "sandbox/rootfs_private.h"

static int open_layers(struct rootfs *fs, struct error *err)
{
	if (layer_folders_use(fs->sb, fs->mode, err) < 0)
		return -1;
	return layer_folders_ensure(fs->sb, fs->mode, fs->layers, fs->n, fs->chains, err);
}

static int prepare(struct rootfs *fs, struct error *err)
{
	if (fs->upper)
		return 0;
	if (run_folder_open(&fs->folder, fs->sb, err) < 0)
		return -1;
	fs->fresh = true;
	fs->upper = xstrfmt("%s/upper-%u", fs->folder.path, fs->folder.n_runs);
	if (mkdir(fs->upper, 0755) < 0)
		return store_write_failed(fs->sb->store, "the writable folder of a step", fs->upper,
					  err);
	return 0;
}

/* The folder of the topmost layer that is mounted; NULL without layers. */
static char *top_folder(const struct rootfs *fs)
{
	for (size_t i = fs->n; i > 0; i--)
		if (!layer_folder_is_void(fs->layers, i - 1))
			return layer_folder(fs->sb, fs->mode, &fs->chains[i - 1]);
	return NULL;
}

static int commit(struct rootfs *fs, const struct layer_options *o, struct layer *out,
		  struct strlist *notes, struct error *err)
{
	AUTO_FREE char *lower = top_folder(fs);
	AUTO_FREE char *owners = xstrfmt("%s/" ROOTFS_OWNERS, fs->folder.path);
	struct commit_job job = {.mode = fs->mode, .layers = fs->layers, .n = fs->n, .options = o};

	if (fs->fresh && lower && helper_take_metadata(fs->sb, fs->mode, fs->upper, lower, err) < 0)
		return -1;
	job.upper = fs->upper;
	job.lower = lower;
	if (fs->mode == SANDBOX_ROOTLESS_SINGLE)
		job.owners = owners;
	return helper_commit(fs->sb, &job, out, notes, err);
}

static void drop_writable(struct rootfs *fs, bool keep_folder)
{
	run_folder_close(&fs->folder, fs->sb, keep_folder);
	free(take_ptr(fs->upper));
}

static int settle(struct rootfs *fs, struct error *err)
{
	if (!layer_folder_is_void(fs->layers, fs->n - 1) &&
	    layer_folder_adopt(fs->sb, fs->mode, &fs->chains[fs->n - 1], fs->upper, err) < 0)
		return -1;
	drop_writable(fs, true);
	return 0;
}

static void close_overlay(struct rootfs *fs)
{
	drop_writable(fs, false);
}

const struct rootfs_storage rootfs_overlay = {
	.open = open_layers,
	.prepare = prepare,
	.commit = commit,
	.settle = settle,
	.close = close_overlay,
};

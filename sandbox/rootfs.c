#include "sandbox/rootfs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "sandbox/helper.h"
#include "sandbox/layer_folders.h"
#include "sandbox/rootfs_private.h"

/* Adds a layer; the views are made anew because the arrays move. */
static void add_layer(struct rootfs *fs, const struct descriptor *d, const struct digest *diff_id)
{
	if (fs->n == fs->cap) {
		fs->cap = fs->cap * 2 + 16;
		fs->descriptors = xreallocarray(fs->descriptors, fs->cap, sizeof(*fs->descriptors));
		fs->diff_ids = xreallocarray(fs->diff_ids, fs->cap, sizeof(*fs->diff_ids));
		fs->chains = xreallocarray(fs->chains, fs->cap, sizeof(*fs->chains));
		fs->layers = xreallocarray(fs->layers, fs->cap, sizeof(*fs->layers));
	}
	memset(&fs->descriptors[fs->n], 0, sizeof(*fs->descriptors));
	descriptor_copy(&fs->descriptors[fs->n], d);
	fs->diff_ids[fs->n] = *diff_id;
	fs->n++;
	for (size_t i = 0; i < fs->n; i++)
		fs->layers[i] = (struct rootfs_layer){&fs->descriptors[i], &fs->diff_ids[i]};
}

int rootfs_open(struct rootfs **out, struct sandbox *sb, const struct rootfs_layer *layers,
		size_t n, struct error *err)
{
	AUTO_PTR(rootfs) fs = xcalloc(1, sizeof(*fs));
	bool first;

	fs->sb = sb;
	fs->folder = (struct run_folder)RUN_FOLDER_INIT;
	if (sandbox_require(sb, &fs->mode, err) < 0)
		return -1;
	pthread_mutex_lock(&sb->lock);
	first = !sb->swept;
	sb->swept = true;
	pthread_mutex_unlock(&sb->lock);
	if (first)
		run_folder_sweep(sb);
	for (size_t i = 0; i < n; i++)
		add_layer(fs, layers[i].descriptor, layers[i].diff_id);
	if (layer_folders_use(sb, fs->mode, err) < 0 ||
	    layer_folders_ensure(sb, fs->mode, fs->layers, fs->n, fs->chains, err) < 0)
		return -1;
	*out = take_ptr(fs);
	return 0;
}

int rootfs_prepare(struct rootfs *fs, struct error *err)
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

char *rootfs_top_folder(const struct rootfs *fs)
{
	for (size_t i = fs->n; i > 0; i--)
		if (!layer_folder_is_void(fs->layers, i - 1))
			return layer_folder(fs->sb, fs->mode, &fs->chains[i - 1]);
	return NULL;
}

static void drop_writable(struct rootfs *fs, bool keep_folder)
{
	run_folder_close(&fs->folder, fs->sb, keep_folder);
	free(take_ptr(fs->upper));
}

static void report_notes(struct sandbox *sb, const struct strlist *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		report_log(sb->reporter, LOG_WARNING, "%s", notes->items[i]);
}

int rootfs_commit(struct rootfs *fs, const struct layer_options *o, struct layer *out,
		  struct error *err)
{
	AUTO_FREE char *lower = NULL;
	AUTO(strlist) notes = STRLIST_INIT;
	struct commit_job job = {.mode = fs->mode, .layers = fs->layers, .n = fs->n, .options = o};
	struct digest chain = {0};

	if (rootfs_prepare(fs, err) < 0)
		return -1;
	lower = rootfs_top_folder(fs);
	if (fs->n > 0)
		chain = fs->chains[fs->n - 1];
	if (fs->fresh && lower && helper_take_metadata(fs->sb, fs->mode, fs->upper, lower, err) < 0)
		return -1;
	job.upper = fs->upper;
	job.lower = lower;
	if (helper_commit(fs->sb, &job, out, &notes, err) < 0)
		return -1;
	report_notes(fs->sb, &notes);
	digest_chain(&chain, &out->diff_id);
	add_layer(fs, &out->descriptor, &out->diff_id);
	fs->chains[fs->n - 1] = chain;
	if (!layer_folder_is_void(fs->layers, fs->n - 1) &&
	    layer_folder_adopt(fs->sb, fs->mode, &chain, fs->upper, err) < 0)
		return -1;
	drop_writable(fs, true);
	return 0;
}

void rootfs_free(struct rootfs *fs)
{
	if (!fs)
		return;
	drop_writable(fs, false);
	for (size_t i = 0; i < fs->n; i++)
		descriptor_release(&fs->descriptors[i]);
	free(fs->descriptors);
	free(fs->diff_ids);
	free(fs->chains);
	free(fs->layers);
	free(fs);
}

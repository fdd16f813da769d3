#include "sandbox/rootfs.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sandbox/flat_root.h"
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
	fs->storage = &rootfs_overlay;
	fs->folder = (struct run_folder)RUN_FOLDER_INIT;
	if (sandbox_require(sb, &fs->mode, err) < 0)
		return -1;
	if (sandbox_storage(sb) == SANDBOX_COPY)
		fs->storage = &rootfs_copy;
	pthread_mutex_lock(&sb->lock);
	first = !sb->swept;
	sb->swept = true;
	pthread_mutex_unlock(&sb->lock);
	if (first)
		run_folder_sweep(sb);
	for (size_t i = 0; i < n; i++)
		add_layer(fs, layers[i].descriptor, layers[i].diff_id);
	if (fs->storage->open(fs, err) < 0)
		return -1;
	*out = take_ptr(fs);
	return 0;
}

struct run_folder *rootfs_run_folder(struct rootfs *fs)
{
	return fs->flat ? &fs->flat->folder : &fs->folder;
}

const char *rootfs_folder(struct rootfs *fs)
{
	return rootfs_run_folder(fs)->path;
}

int rootfs_prepare(struct rootfs *fs, struct error *err)
{
	return fs->storage->prepare(fs, err);
}

static void report_notes(struct sandbox *sb, const struct strlist *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		report_log(sb->reporter, LOG_WARNING, "%s", notes->items[i]);
}

int rootfs_commit(struct rootfs *fs, const struct layer_options *o, struct layer *out,
		  struct error *err)
{
	AUTO(strlist) notes = STRLIST_INIT;
	struct digest chain = {0};

	if (fs->n > 0)
		chain = fs->chains[fs->n - 1];
	if (rootfs_prepare(fs, err) < 0 || fs->storage->commit(fs, o, out, &notes, err) < 0)
		return -1;
	report_notes(fs->sb, &notes);
	digest_chain(&chain, &out->diff_id);
	add_layer(fs, &out->descriptor, &out->diff_id);
	fs->chains[fs->n - 1] = chain;
	return fs->storage->settle(fs, err);
}

void rootfs_free(struct rootfs *fs)
{
	if (!fs)
		return;
	fs->storage->close(fs);
	for (size_t i = 0; i < fs->n; i++)
		descriptor_release(&fs->descriptors[i]);
	free(fs->descriptors);
	free(fs->diff_ids);
	free(fs->chains);
	free(fs->layers);
	strlist_release(&fs->pardoned);
	free(fs);
}

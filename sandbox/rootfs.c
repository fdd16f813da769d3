#include "sandbox/rootfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/time.h"
#include "sandbox/helper.h"
#include "sandbox/layer_folders.h"
#include "sandbox/rootfs_private.h"

#define RUN_PREFIX "run-"
#define SWEEP_AGE  60 /* seconds: a younger folder may have an owner that has not locked it yet */

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

/* A folder of a process that was killed: nobody holds its lock. */
static void sweep_one(struct sandbox *sb, const char *path)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO(error) err = ERROR_INIT;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || time_now() - st.st_mtime < SWEEP_AGE ||
	    flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	if (sandbox_remove_tree(sb, path, &err) < 0)
		report_log(sb->reporter, LOG_DEBUG, "left behind: %s", err.message);
}

static void sweep(struct sandbox *sb)
{
	AUTO_FREE char *ingest = store_path(sb->store, "ingest");
	DIR *dir = opendir(ingest);
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		AUTO_FREE char *path = NULL;

		if (!str_starts(e->d_name, RUN_PREFIX))
			continue;
		path = xstrfmt("%s/%s", ingest, e->d_name);
		sweep_one(sb, path);
	}
	closedir(dir);
}

int rootfs_open(struct rootfs **out, struct sandbox *sb, const struct rootfs_layer *layers,
		size_t n, struct error *err)
{
	AUTO_PTR(rootfs) fs = xcalloc(1, sizeof(*fs));
	bool first;

	fs->sb = sb;
	fs->dir_fd = -1;
	if (sandbox_require(sb, &fs->mode, err) < 0)
		return -1;
	pthread_mutex_lock(&sb->lock);
	first = !sb->swept;
	sb->swept = true;
	pthread_mutex_unlock(&sb->lock);
	if (first)
		sweep(sb);
	for (size_t i = 0; i < n; i++)
		add_layer(fs, layers[i].descriptor, layers[i].diff_id);
	if (layer_folders_use(sb, fs->mode, err) < 0 ||
	    layer_folders_ensure(sb, fs->mode, fs->layers, fs->n, fs->chains, err) < 0)
		return -1;
	*out = take_ptr(fs);
	return 0;
}

static int make_folder(const struct rootfs *fs, const char *name, struct error *err)
{
	AUTO_FREE char *path = xstrfmt("%s/%s", fs->dir, name);

	if (mkdir(path, 0755) < 0)
		return store_write_failed(fs->sb->store, "the writable folder of a step", path,
					  err);
	return 0;
}

int rootfs_prepare(struct rootfs *fs, struct error *err)
{
	AUTO_FREE char *ingest = store_path(fs->sb->store, "ingest");

	if (fs->dir)
		return 0;
	if (fs_mkdir_p(ingest, 0700, err) < 0 ||
	    fs_make_temp_dir(ingest, RUN_PREFIX, &fs->dir, err) < 0)
		return -1;
	fs->dir_fd = open(fs->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fs->dir_fd < 0)
		return error_errno(err, "open %s", fs->dir);
	flock(fs->dir_fd, LOCK_EX | LOCK_NB);
	fs->fresh = true;
	fs->n_runs = 0;
	if (make_folder(fs, "upper", err) < 0 || make_folder(fs, "mnt", err) < 0)
		return -1;
	return 0;
}

char *rootfs_top_folder(const struct rootfs *fs)
{
	for (size_t i = fs->n; i > 0; i--)
		if (!layer_folder_is_void(fs->layers, i - 1))
			return layer_folder(fs->sb, fs->mode, &fs->chains[i - 1]);
	return NULL;
}

/* Removes the writable folder; what cannot be removed is swept by a later process. */
static void drop_writable(struct rootfs *fs)
{
	AUTO(error) err = ERROR_INIT;

	if (!fs->dir)
		return;
	if (sandbox_remove_tree(fs->sb, fs->dir, &err) < 0)
		report_log(fs->sb->reporter, LOG_WARNING, "%s", err.message);
	if (fs->dir_fd >= 0)
		close(fs->dir_fd);
	fs->dir_fd = -1;
	free(take_ptr(fs->dir));
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
	AUTO_FREE char *upper = NULL;
	AUTO(strlist) notes = STRLIST_INIT;
	struct commit_job job = {.mode = fs->mode, .layers = fs->layers, .n = fs->n, .options = o};
	struct digest chain = {0};

	if (rootfs_prepare(fs, err) < 0)
		return -1;
	upper = xstrfmt("%s/upper", fs->dir);
	lower = rootfs_top_folder(fs);
	if (fs->n > 0)
		chain = fs->chains[fs->n - 1];
	if (fs->fresh && lower && helper_take_metadata(fs->sb, fs->mode, upper, lower, err) < 0)
		return -1;
	job.upper = upper;
	job.lower = lower;
	if (helper_commit(fs->sb, &job, out, &notes, err) < 0)
		return -1;
	report_notes(fs->sb, &notes);
	digest_chain(&chain, &out->diff_id);
	add_layer(fs, &out->descriptor, &out->diff_id);
	fs->chains[fs->n - 1] = chain;
	if (!layer_folder_is_void(fs->layers, fs->n - 1) &&
	    layer_folder_adopt(fs->sb, fs->mode, &chain, upper, err) < 0)
		return -1;
	drop_writable(fs);
	return 0;
}

void rootfs_free(struct rootfs *fs)
{
	if (!fs)
		return;
	drop_writable(fs);
	for (size_t i = 0; i < fs->n; i++)
		descriptor_release(&fs->descriptors[i]);
	free(fs->descriptors);
	free(fs->diff_ids);
	free(fs->chains);
	free(fs->layers);
	free(fs);
}

#include "sandbox/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "oci/extract.h"
#include "sandbox/copy_tree.h"
#include "sandbox/sandbox_private.h"
#include "sandbox/snapshot.h"

void tree_cache_release(struct tree_cache *c)
{
	tree_free(c->tree);
	free(c->diff_ids);
	memset(c, 0, sizeof(*c));
}

static bool is_prefix(const struct tree_cache *c, const struct rootfs_layer *layers, size_t n)
{
	if (!c->tree || c->n > n)
		return false;
	for (size_t i = 0; i < c->n; i++)
		if (!digest_equal(&c->diff_ids[i], layers[i].diff_id))
			return false;
	return true;
}

int tree_cache_get(struct tree_cache *c, struct store *s, const struct rootfs_layer *layers,
		   size_t n, struct tree **out, struct error *err)
{
	if (!is_prefix(c, layers, n)) {
		tree_cache_release(c);
		c->tree = tree_new();
	}
	c->diff_ids = xreallocarray(c->diff_ids, n ? n : 1, sizeof(*c->diff_ids));
	for (; c->n < n; c->n++) {
		const struct rootfs_layer *l = &layers[c->n];

		if (layer_index_ensure(s, l->descriptor, l->diff_id, err) < 0 ||
		    tree_add_layer(c->tree, s, l->diff_id, err) < 0) {
			/* Half a layer may be in it. */
			tree_cache_release(c);
			return -1;
		}
		c->diff_ids[c->n] = *l->diff_id;
	}
	*out = c->tree;
	return 0;
}

static int open_folder(const char *dir, int *fd, struct error *err)
{
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0)
		return error_errno(err, "open folder %s", dir);
	return 0;
}

static int make_folder(const char *dir, int *fd, struct error *err)
{
	if (fs_remove_tree(AT_FDCWD, dir, err) < 0)
		return -1;
	if (mkdir(dir, 0755) < 0)
		return error_errno(err, "make folder %s", dir);
	return open_folder(dir, fd, err);
}

int work_extract(struct store *s, struct tree_cache *cache, const struct extract_job *job,
		 struct error *err)
{
	const bool rootless = sandbox_has_userns(job->mode);
	AUTO_FREE char *records = xstrfmt("%s" OWNER_RECORDS, job->dir);
	const struct extract_options o = {
		.owner = job->mode == SANDBOX_ROOTLESS_SINGLE ? EXTRACT_OWNER_NONE
							      : EXTRACT_OWNER_REAL,
		.user_xattr = rootless,
		/* Without a mount nothing says "nodev": devices of an image would work in the step. */
		.no_devices = rootless || job->mode == SANDBOX_CHROOT,
		.flat = job->flat,
		.records = records,
	};
	AUTO_FD int fd = -1;

	if (!job->flat && unlink(records) < 0 && errno != ENOENT)
		return error_errno(err, "remove %s", records);
	if (job->flat && job->first > 0 ? open_folder(job->dir, &fd, err) < 0
					: make_folder(job->dir, &fd, err) < 0)
		return -1;
	for (size_t i = job->flat ? job->first : job->n - 1; i < job->n; i++) {
		const struct rootfs_layer *l = &job->layers[i];
		struct tree *below;

		if (tree_cache_get(cache, s, job->layers, i, &below, err) < 0 ||
		    layer_extract(s, l->descriptor, l->diff_id, fd, below, &o, err) < 0)
			return -1;
	}
	return 0;
}

int work_record(const char *root, const char *file, struct error *err)
{
	AUTO_FD int fd = -1;

	if (open_folder(root, &fd, err) < 0)
		return -1;
	return snapshot_record(fd, file, err);
}

struct below_source {
	struct store *store;
	struct tree_cache *cache;
	const struct commit_job *job;
};

static int get_below(void *arg, struct tree **out, struct error *err)
{
	struct below_source *b = arg;

	return tree_cache_get(b->cache, b->store, b->job->layers, b->job->n, out, err);
}

/* The record after takes the place of the one before when the layer is made. */
static int compare_root(int fd, const struct commit_job *job, const struct snapshot_options *o,
			struct layer_writer *w, struct error *err)
{
	AUTO_FREE char *after = xstrfmt("%s.new", job->record);

	if (snapshot_copy(fd, o, job->record, after, w, err) < 0)
		return -1;
	return work_rename(after, job->record, err);
}

int work_commit(struct store *s, struct tree_cache *cache, const struct commit_job *job,
		struct layer *out, struct strlist *notes, struct error *err)
{
	struct below_source source = {.store = s, .cache = cache, .job = job};
	AUTO_PTR(layer_writer) w = NULL;
	AUTO(strmap) pardoned = STRMAP_INIT;
	AUTO(owners) owners = OWNERS_INIT;
	AUTO_FREE char *records = xstrfmt("%s" OWNER_RECORDS, job->upper);
	AUTO_FD int upper = -1;
	struct stat lower;
	struct snapshot_options o = {
		.userns = sandbox_has_userns(job->mode),
		.single = job->mode == SANDBOX_ROOTLESS_SINGLE,
		.below = job->n > 0 ? get_below : NULL,
		.arg = &source,
		.notes = notes,
		.pardoned = &pardoned,
	};

	if (job->owners) {
		if (owners_read(&owners, job->owners, err) < 0)
			return -1;
		o.owners = &owners;
	}
	for (size_t i = 0; job->pardoned && i < job->pardoned->n; i++)
		strmap_set(&pardoned, job->pardoned->items[i], NULL);
	if (job->lower) {
		if (stat(job->lower, &lower) < 0)
			return error_errno(err, "read %s", job->lower);
		o.lower_root = &lower;
	}
	if (layer_writer_open(&w, s, job->options, err) < 0)
		return -1;
	upper = open(job->upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (upper < 0)
		return error_errno(err, "open the change set %s", job->upper);
	if (job->record ? compare_root(upper, job, &o, w, err) < 0
			: snapshot_overlay(upper, &o, w, err) < 0)
		return error_wrap(err, "make a layer of the changes");
	if (job->owners && owners_write(&owners, records, err) < 0)
		return -1;
	return layer_writer_finish(w, out, err);
}

int work_take_metadata(const char *folder, const char *like, struct error *err)
{
	struct stat st;

	if (stat(like, &st) < 0)
		return error_errno(err, "read %s", like);
	const struct timespec times[2] = {st.st_atim, st.st_mtim};

	/* An id that is not mapped cannot be given away; then the folder stays ours. */
	if ((chown(folder, st.st_uid, st.st_gid) < 0 && errno != EINVAL && errno != EOVERFLOW) ||
	    chmod(folder, st.st_mode & 07777) < 0 || utimensat(AT_FDCWD, folder, times, 0) < 0)
		return error_errno(err, "copy owner, mode and time of %s", like);
	return 0;
}

int work_copy(const char *source, const char *subpath, const char *to, struct error *err)
{
	AUTO_FD int top = open(source, O_PATH | O_CLOEXEC);
	AUTO_FD int fd = -1;

	if (top < 0)
		return error_errno(err, "open %s", source);
	fd = subpath ? fs_openat_in_root(top, subpath, O_PATH, 0) : take_fd(top);
	if (fd < 0)
		return error_errno(err, "open %s in %s", subpath, source);
	return copy_tree(fd, AT_FDCWD, to, err);
}

int work_rename(const char *from, const char *to, struct error *err)
{
	if (rename(from, to) < 0) {
		int number = errno;

		/* A helper that died after it had done this is asked again. */
		if (number == ENOENT && access(from, F_OK) < 0 && access(to, F_OK) == 0)
			return 0;
		errno = number;
		return error_errno(err, "move %s to %s", from, to);
	}
	return 0;
}

int work_remove(const char *path, struct error *err)
{
	return fs_remove_tree(AT_FDCWD, path, err);
}

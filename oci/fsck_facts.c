/* What can be made again from the blobs: facts in meta/, cache records, extracted layers. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "oci/fsck_private.h"
#include "oci/image.h"
#include "oci/layer_index.h"
#include "oci/layer_writer.h"
#include "oci/layout.h"
#include "oci/prune_private.h"

static bool remove_fact(struct fsck *f, const char *kind, const char *name)
{
	AUTO_FREE char *path = xstrfmt("meta/%s/%s", kind, name);

	return unlinkat(store_dirfd(f->store), path, 0) == 0;
}

/* The recorded diff ID of a layer must be the one of the image that was verified when it was made. */
static void check_diff_id(struct fsck *f, const struct descriptor *layer,
			  const struct digest *diff_id)
{
	AUTO(error) why = ERROR_INIT;
	const char *hex = digest_hex(&layer->digest);
	struct digest recorded = {0};
	int64_t uncompressed;

	if (layer_meta_get(f->store, &layer->digest, &recorded, &uncompressed, &why) == 0) {
		if (digest_equal(&recorded, diff_id))
			return;
		fsck_problem(f, "meta/diff/%s: says diff ID %s where an image says %s", hex,
			     recorded.text, diff_id->text);
	} else if (why.kind == ERROR_NOT_FOUND) {
		return;
	} else {
		fsck_problem(f, "meta/diff/%s: %s", hex, why.message);
	}
	if (f->repair && remove_fact(f, "diff", hex))
		fsck_repaired(f, "it will be made again from the layer");
}

/* Opening verifies the checksum, and takes a damaged index away unless the store is only looked at. */
static void check_index(struct fsck *f, const struct descriptor *layer,
			const struct digest *diff_id)
{
	AUTO_PTR(index_reader) reader = NULL;
	AUTO(error) why = ERROR_INIT;
	AUTO(error) again = ERROR_INIT;

	if (index_reader_open(&reader, f->store, diff_id, &why) == 0 || why.kind == ERROR_NOT_FOUND)
		return;
	fsck_problem(f, "layer %s: %s", layer->digest.text, why.message);
	if (!f->repair || !store_has(f->store, &layer->digest, layer->size))
		return;
	if (layer_index_ensure(f->store, layer, diff_id, &again) < 0)
		fsck_problem(f, "%s", again.message);
	else
		fsck_repaired(f, "the path index was made again from the layer");
}

static void check_image_facts(struct fsck *f, const struct descriptor *d, int depth)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_PTR(image) image = NULL;

	if (depth > LIMIT_INDEX_DEPTH || !digest_set_add(&f->seen, &d->digest) ||
	    !store_has(f->store, &d->digest, d->size) ||
	    store_read_blob(f->store, &d->digest, d->size, &text, LIMIT_MANIFEST_BYTES, NULL) < 0)
		return;
	if (manifest_is_index(text.buf, text.len, d->media_type)) {
		AUTO(image_index) index = {0};

		if (image_index_parse(&index, text.buf, text.len, d->media_type, "", NULL) == 0)
			for (size_t i = 0; i < index.n_manifests; i++)
				check_image_facts(f, &index.manifests[i], depth + 1);
		return;
	}
	if (image_load(&image, f->store, d, NULL, NULL) < 0)
		return;
	for (size_t i = 0; i < image->manifest.n_layers; i++) {
		check_diff_id(f, &image->manifest.layers[i], &image->config.diff_ids[i]);
		check_index(f, &image->manifest.layers[i], &image->config.diff_ids[i]);
	}
}

int fsck_facts(struct fsck *f, struct error *err)
{
	AUTO(image_index) index = {0};
	AUTO(error) unreadable = ERROR_INIT;

	(void)err;
	/* That it cannot be read was said already. */
	if (layout_read(f->store, &index, &unreadable) < 0)
		return 0;
	strmap_clear(&f->seen);
	for (size_t i = 0; i < index.n_manifests; i++)
		check_image_facts(f, &index.manifests[i], 0);
	return 0;
}

static int check_record(void *arg, int dirfd, const char *name, const struct stat *st,
			struct error *err)
{
	struct fsck *f = arg;
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(error) why = ERROR_INIT;
	AUTO_JSON *j = NULL;

	(void)err;
	if (!S_ISREG(st->st_mode) || !str_ends(name, ".json"))
		return 0;
	AUTO_FD int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || (fs_read_fd(fd, name, &text, LIMIT_CONFIG_BYTES, &why) == 0 &&
		       json_parse(&j, text.buf, text.len, name, &why) == 0))
		return 0;
	fsck_problem(f, "cache record %s", why.message);
	if (f->repair && unlinkat(dirfd, name, 0) == 0)
		fsck_repaired(f, "the record was removed; its step will run again");
	return 0;
}

int fsck_records(struct fsck *f, struct error *err)
{
	return fs_each_entry(store_dirfd(f->store), "cache/steps", check_record, f, err);
}

struct fsck_mode {
	struct fsck *fsck;
	const char *name;
};

/* A folder without .ok whose lock is free was being made by a process that died. */
static int check_chain(void *arg, int dirfd, const char *name, const struct stat *st,
		       struct error *err)
{
	const struct fsck_mode *mode = arg;
	struct fsck *f = mode->fsck;
	AUTO(error) why = ERROR_INIT;
	AUTO_FREE char *gone = xstrfmt(PRUNE_GONE "%s", name);

	(void)err;
	if (!S_ISDIR(st->st_mode))
		return 0;
	AUTO_FD int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 ||
	    (!str_starts(name, PRUNE_GONE) && faccessat(fd, ".ok", F_OK, 0) == 0))
		return 0;
	fsck_problem(f, "layers/%s/%s is half-made", mode->name, name);
	if (!f->repair)
		return 0;
	if (!str_starts(name, PRUNE_GONE) && renameat(dirfd, name, dirfd, gone) == 0)
		name = gone;
	if (fs_remove_tree(dirfd, name, &why) == 0)
		fsck_repaired(f, "it was removed");
	else
		report_log(f->reporter, LOG_WARNING, "%s (slipway prune removes it)", why.message);
	return 0;
}

static int check_mode(void *arg, int dirfd, const char *name, const struct stat *st,
		      struct error *err)
{
	struct fsck_mode mode = {.fsck = arg, .name = name};

	return S_ISDIR(st->st_mode) ? fs_each_entry(dirfd, name, check_chain, &mode, err) : 0;
}

int fsck_layers(struct fsck *f, struct error *err)
{
	return fs_each_entry(store_dirfd(f->store), "layers", check_mode, f, err);
}

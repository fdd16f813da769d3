#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "oci/fsck_private.h"
#include "oci/image.h"
#include "oci/layout.h"
#include "oci/prune_private.h"

void fsck_problem(struct fsck *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	AUTO_FREE char *text = xstrvfmt(fmt, ap);
	va_end(ap);
	f->result->problems++;
	report_log(f->reporter, LOG_WARNING, "%s", text);
}

void fsck_repaired(struct fsck *f, const char *how)
{
	f->result->repaired++;
	report_log(f->reporter, LOG_INFO, "repaired: %s", how);
}

bool fsck_set_aside(struct fsck *f, const char *path)
{
	int dirfd = store_dirfd(f->store);
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *to = xstrfmt("ingest/corrupt-%s", slash ? slash + 1 : path);

	return renameat(dirfd, path, dirfd, to) == 0;
}

struct blob_folder {
	struct fsck *fsck;
	const char *algorithm;
};

static int check_file(void *arg, int dirfd, const char *name, const struct stat *st,
		      struct error *err)
{
	const struct blob_folder *folder = arg;
	struct fsck *f = folder->fsck;
	AUTO_FREE char *text = xstrfmt("%s:%s", folder->algorithm, name);
	AUTO_FREE char *path = xstrfmt("blobs/%s/%s", folder->algorithm, name);
	AUTO(error) why = ERROR_INIT;
	struct digest d;

	(void)dirfd;
	(void)err;
	if (digest_parse(&d, text, NULL) < 0 || !S_ISREG(st->st_mode)) {
		fsck_problem(f, "%s is not a blob", path);
		if (f->repair && fsck_set_aside(f, path))
			fsck_repaired(f, "it was set aside");
		return 0;
	}
	f->result->checked++;
	f->result->bytes += (uint64_t)st->st_size;
	if (store_check_blob(f->store, &d, -1, &why) == 0 || why.kind == ERROR_NOT_FOUND)
		return 0;
	fsck_problem(f, "%s", why.message);
	if (f->repair && why.kind == ERROR_CORRUPT) {
		store_quarantine(f->store, &d);
		fsck_repaired(f, "it was set aside; fetch or build it again");
	}
	return 0;
}

static int check_blobs(struct fsck *f, struct error *err)
{
	struct blob_folder sha256 = {f, "sha256"}, sha512 = {f, "sha512"};
	int dirfd = store_dirfd(f->store);

	if (fs_each_entry(dirfd, "blobs/sha256", check_file, &sha256, err) < 0)
		return -1;
	return fs_each_entry(dirfd, "blobs/sha512", check_file, &sha512, err);
}

/* Every manifest and index among the blobs, and what other indexes name. */
struct rebuild {
	struct store *store;
	struct image_index found;
	struct strmap members;
};

static int collect(void *arg, const struct digest *d, int64_t size, int64_t mtime,
		   struct error *err)
{
	struct rebuild *r = arg;
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(image_index) index = {0};
	AUTO(manifest) m = {0};
	AUTO(descriptor) entry = {0};

	(void)mtime;
	(void)err;
	if (size > LIMIT_MANIFEST_BYTES ||
	    store_read_blob(r->store, d, size, &text, LIMIT_MANIFEST_BYTES, NULL) < 0 ||
	    text.buf[0] != '{')
		return 0;
	if (image_index_parse(&index, text.buf, text.len, NULL, d->text, NULL) == 0) {
		for (size_t i = 0; i < index.n_manifests; i++)
			strmap_set(&r->members, index.manifests[i].digest.text, NULL);
		descriptor_set(&entry, index.media_type, d, size);
	} else if (manifest_parse(&m, text.buf, text.len, NULL, d->text, NULL) == 0 &&
		   media_is_config(m.config.media_type)) {
		descriptor_set(&entry, m.media_type, d, size);
	} else {
		return 0;
	}
	image_index_add(&r->found, &entry);
	return 0;
}

static int write_rebuilt(struct fsck *f, struct rebuild *r, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_FD int lock = -1;

	for (size_t i = 0; i < r->found.n_manifests; i++)
		if (strmap_has(&r->members, r->found.manifests[i].digest.text))
			image_index_remove(&r->found, i--);
	image_index_write(&r->found, &text);
	if (store_lock(f->store, "index.lock", "changes the list of images", &lock, err) < 0)
		return -1;
	fsck_set_aside(f, "index.json");
	return store_write_file(f->store, "index.json", text.buf, text.len, true, err);
}

/* Names are lost with index.json; the images are found again by what they are. */
static int rebuild_index(struct fsck *f, struct error *err)
{
	struct rebuild r = {.store = f->store};
	int result = store_each_blob(f->store, collect, &r, err);

	if (result == 0)
		result = write_rebuilt(f, &r, err);
	if (result == 0) {
		AUTO_FREE char *how = xstrfmt(
			"index.json lists the %zu images that are there, without names",
			r.found.n_manifests);

		fsck_repaired(f, how);
	}
	image_index_release(&r.found);
	strmap_release(&r.members);
	return result;
}

/* An image may be here without its layers as long as it is known where to fetch them. */
static void check_layers(struct fsck *f, const struct image *image, const char *name)
{
	for (size_t i = 0; i < image->manifest.n_layers; i++) {
		const struct descriptor *d = &image->manifest.layers[i];
		AUTO(strbuf) from = STRBUF_INIT;

		if (store_has(f->store, &d->digest, d->size) || d->urls.n ||
		    store_meta_get(f->store, "from", digest_hex(&d->digest), &from, NULL) == 0)
			continue;
		fsck_problem(f, "image %s: layer %s is missing; pull or build the image again",
			     name, d->digest.text);
	}
}

static bool check_image(struct fsck *f, const struct descriptor *d, const char *name);

/* The members of an index that were never fetched are no problem. */
static bool check_members(struct fsck *f, const struct strbuf *text, const struct descriptor *d,
			  const char *name, int depth)
{
	AUTO(image_index) index = {0};
	AUTO(error) why = ERROR_INIT;

	if (image_index_parse(&index, text->buf, text->len, d->media_type, d->digest.text, &why) <
	    0) {
		fsck_problem(f, "image %s: %s", name, why.message);
		return false;
	}
	for (size_t i = 0; i < index.n_manifests && depth < LIMIT_INDEX_DEPTH; i++) {
		const struct descriptor *m = &index.manifests[i];

		if (m->artifact_type ||
		    (m->platform.os && strcmp(m->platform.os, "unknown") == 0) ||
		    !media_is_manifest(m->media_type) || !digest_set_add(&f->seen, &m->digest) ||
		    !store_has(f->store, &m->digest, m->size))
			continue;
		if (!check_image(f, m, name))
			return false;
	}
	return true;
}

static bool check_image(struct fsck *f, const struct descriptor *d, const char *name)
{
	AUTO(error) why = ERROR_INIT;
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_PTR(image) image = NULL;

	if (store_read_blob(f->store, &d->digest, d->size, &text, LIMIT_MANIFEST_BYTES, &why) < 0) {
		fsck_problem(f, "image %s: %s", name, why.message);
		return false;
	}
	if (manifest_is_index(text.buf, text.len, d->media_type))
		return check_members(f, &text, d, name, 0);
	if (image_load(&image, f->store, d, NULL, &why) < 0) {
		/* Charts and other artifacts may be listed too. */
		if (why.kind == ERROR_UNSUPPORTED)
			return true;
		fsck_problem(f, "image %s: %s", name, why.message);
		return false;
	}
	check_layers(f, image, name);
	return true;
}

static int drop_dangling(void *arg, struct image_index *index, struct error *err)
{
	struct fsck *f = arg;
	bool changed = false;

	(void)err;
	for (size_t i = 0; i < index->n_manifests; i++) {
		const struct descriptor *d = &index->manifests[i];
		AUTO(image_ref) ref = {0};
		AUTO_FREE char *name = layout_entry_ref(d, &ref) ? image_ref_familiar(&ref)
								 : xstrdup(d->digest.text);

		strmap_clear(&f->seen);
		if (check_image(f, d, name) || !f->repair)
			continue;
		AUTO_FREE char *how = xstrfmt("%s is no longer listed", name);

		image_index_remove(index, i--);
		fsck_repaired(f, how);
		changed = true;
	}
	return changed;
}

static int check_names(struct fsck *f, struct error *err)
{
	AUTO(error) why = ERROR_INIT;
	AUTO(image_index) index = {0};

	if (layout_read(f->store, &index, &why) < 0) {
		if (why.kind != ERROR_CORRUPT)
			return error_move(err, &why);
		fsck_problem(f, "%s", why.message);
		if (!f->repair)
			return 0;
		if (rebuild_index(f, err) < 0)
			return -1;
	}
	if (f->repair)
		return layout_edit(f->store, drop_dangling, f, err);
	image_index_release(&index);
	if (layout_read(f->store, &index, err) < 0)
		return -1;
	return drop_dangling(f, &index, err);
}

int store_fsck(struct store *s, bool repair, struct reporter *r, struct fsck_result *out,
	       struct error *err)
{
	struct fsck f = {.store = s, .repair = repair, .reporter = r, .result = out};
	bool before = store_only_looks(s);
	int done = -1;

	memset(out, 0, sizeof(*out));
	store_only_look(s, !repair);
	if (check_blobs(&f, err) == 0 && check_names(&f, err) == 0 &&
	    fsck_repositories(&f, err) == 0 && fsck_facts(&f, err) == 0 &&
	    fsck_records(&f, err) == 0)
		done = fsck_layers(&f, err);
	store_only_look(s, before);
	strmap_release(&f.seen);
	return done;
}

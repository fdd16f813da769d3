#include "oci/archive.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/sink.h"
#include "oci/layer_writer.h"

#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"

struct save {
	struct store *store;
	struct image_index blobs; /* each once; only digest and size count */
	struct strmap seen;
	struct strmap walked; /* below the item at hand */
	struct image_index index;
	json_t *manifest; /* of manifest.json */
	struct tar_writer *tar;
};

static void add_blob(struct save *v, const struct descriptor *d)
{
	if (strmap_has(&v->seen, d->digest.text))
		return;
	strmap_set(&v->seen, d->digest.text, NULL);
	image_index_add(&v->blobs, d);
}

static int incomplete(const struct image *image, size_t missing, struct error *err)
{
	error_set(err, ERROR_NOT_FOUND, "image %s lacks its layer %s in this store",
		  image->descriptor.digest.text, image->manifest.layers[missing].digest.text);
	return error_hint(err, "slipway pull fetches the layers of an image");
}

static int add_image(struct save *v, struct image *image, struct error *err)
{
	size_t missing;

	if (!image_complete(image, v->store, &missing))
		return incomplete(image, missing, err);
	add_blob(v, &image->descriptor);
	add_blob(v, &image->manifest.config);
	for (size_t i = 0; i < image->manifest.n_layers; i++)
		add_blob(v, &image->manifest.layers[i]);
	return 0;
}

/*
 * The members of an index that are whole here. *first is the one manifest.json will name: docker knows one image a name.
 */
static int add_members(struct save *v, const struct strbuf *text, const struct descriptor *d,
		       int depth, struct image **first, struct error *err)
{
	AUTO(image_index) index = {0};

	if (depth > LIMIT_INDEX_DEPTH)
		return error_set(err, ERROR_CORRUPT, "index %s is nested too deep", d->digest.text);
	if (image_index_parse(&index, text->buf, text->len, d->media_type, d->digest.text, err) < 0)
		return -1;
	add_blob(v, d);
	for (size_t i = 0; i < index.n_manifests; i++) {
		const struct descriptor *m = &index.manifests[i];
		AUTO_PTR(image) image = NULL;
		AUTO(strbuf) inner = STRBUF_INIT;

		if (!digest_set_add(&v->walked, &m->digest) ||
		    !store_has(v->store, &m->digest, m->size))
			continue;
		if (store_read_blob(v->store, &m->digest, m->size, &inner, LIMIT_MANIFEST_BYTES,
				    err) < 0)
			return -1;
		if (manifest_is_index(inner.buf, inner.len, m->media_type)) {
			if (add_members(v, &inner, m, depth + 1, first, err) < 0)
				return -1;
			continue;
		}
		if (m->artifact_type || image_load(&image, v->store, m, NULL, NULL) < 0 ||
		    !image_complete(image, v->store, NULL))
			continue;
		if (add_image(v, image, err) < 0)
			return -1;
		if (!*first)
			*first = take_ptr(image);
	}
	return 0;
}

static int add_index(struct save *v, const struct strbuf *text, const struct descriptor *d,
		     struct image **chosen, struct error *err)
{
	AUTO_PTR(image) first = NULL;
	AUTO_PTR(image) host = NULL;

	strmap_clear(&v->walked);
	if (add_members(v, text, d, 0, &first, err) < 0)
		return -1;
	if (!first) {
		error_set(err, ERROR_NOT_FOUND, "no image of the index %s is whole in this store",
			  d->digest.text);
		return error_hint(err, "slipway pull fetches the image for a platform");
	}
	bool is_for_host = image_load(&host, v->store, d, NULL, NULL) == 0 &&
			   image_complete(host, v->store, NULL);

	*chosen = is_for_host ? take_ptr(host) : take_ptr(first);
	return 0;
}

static char *blob_name(const struct digest *d)
{
	char path[STORE_BLOB_PATH];

	store_blob_path(d, path);
	return xstrdup(path);
}

/* One entry of docker's manifest.json. */
static json_t *docker_entry(const struct image *image, const struct archive_item *item)
{
	json_t *j = json_object(), *tags = json_array(), *layers = json_array();
	AUTO_FREE char *config = blob_name(&image->manifest.config.digest);

	for (size_t i = 0; i < item->n_refs; i++) {
		AUTO(image_ref) name = {0};

		image_ref_copy(&name, &item->refs[i]);
		memset(&name.digest, 0, sizeof(name.digest));
		AUTO_FREE char *familiar = image_ref_familiar(&name);

		if (name.tag)
			json_array_append_new(tags, json_text(familiar));
	}
	for (size_t i = 0; i < image->manifest.n_layers; i++) {
		AUTO_FREE char *layer = blob_name(&image->manifest.layers[i].digest);

		json_array_append_new(layers, json_text(layer));
	}
	json_object_set_new(j, "Config", json_text(config));
	if (json_array_size(tags)) {
		json_object_set_new(j, "RepoTags", tags);
	} else {
		json_decref(tags);
		json_object_set_new(j, "RepoTags", json_null());
	}
	json_object_set_new(j, "Layers", layers);
	return j;
}

/* One entry of index.json a name, as in a store. */
static void add_names(struct save *v, const struct archive_item *item)
{
	AUTO(descriptor) plain = {0};

	descriptor_copy(&plain, &item->descriptor);
	strmap_remove(&plain.annotations, ANNOTATION_REF_NAME);
	strmap_remove(&plain.annotations, ANNOTATION_IMAGE_NAME);
	if (item->n_refs == 0)
		image_index_add(&v->index, &plain);
	for (size_t i = 0; i < item->n_refs; i++) {
		AUTO(descriptor) named = {0};
		AUTO_FREE char *familiar = image_ref_familiar(&item->refs[i]);
		AUTO_FREE char *full = image_ref_full(&item->refs[i]);

		descriptor_copy(&named, &plain);
		strmap_set(&named.annotations, ANNOTATION_REF_NAME, familiar);
		strmap_set(&named.annotations, ANNOTATION_IMAGE_NAME, full);
		image_index_add(&v->index, &named);
	}
}

static int add_item(struct save *v, const struct archive_item *item, struct error *err)
{
	const struct descriptor *d = &item->descriptor;
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_PTR(image) image = NULL;

	if (store_read_blob(v->store, &d->digest, d->size, &text, LIMIT_MANIFEST_BYTES, err) < 0)
		return -1;
	if (manifest_is_index(text.buf, text.len, d->media_type)) {
		if (add_index(v, &text, d, &image, err) < 0)
			return -1;
	} else if (image_load(&image, v->store, d, NULL, err) < 0 || add_image(v, image, err) < 0) {
		return -1;
	}
	json_array_append_new(v->manifest, docker_entry(image, item));
	add_names(v, item);
	return 0;
}

static int write_file(struct save *v, const char *path, int64_t size, struct source *content,
		      struct error *err)
{
	struct entry e = {.type = ENTRY_FILE, .path = path, .mode = 0644, .size = size};

	return tar_writer_add(v->tar, &e, content, err);
}

static int write_folder(struct save *v, const char *path, struct error *err)
{
	struct entry e = {.type = ENTRY_DIR, .path = path, .mode = 0755};

	return tar_writer_add(v->tar, &e, NULL, err);
}

/* Bytes of a document. */
struct text_source {
	struct source source;
	const char *text;
	size_t left;
};

static int64_t text_read(struct source *s, void *data, size_t len, struct error *err)
{
	struct text_source *t = (struct text_source *)s;
	size_t n = len < t->left ? len : t->left;

	(void)err;
	memcpy(data, t->text, n);
	t->text += n;
	t->left -= n;
	return (int64_t)n;
}

static int write_text(struct save *v, const char *path, const char *text, size_t len,
		      struct error *err)
{
	struct text_source t = {.source.read = text_read, .text = text, .left = len};

	return write_file(v, path, (int64_t)len, &t.source, err);
}

/* Bytes of a blob, hashed as they pass. */
struct blob_source {
	struct source source;
	struct fd_source file;
	struct digester digester;
};

static int64_t blob_read(struct source *s, void *data, size_t len, struct error *err)
{
	struct blob_source *b = (struct blob_source *)s;
	int64_t n = source_read(&b->file.source, data, len, err);

	if (n > 0)
		digester_update(&b->digester, data, (size_t)n);
	return n;
}

static int write_blob(struct save *v, const struct descriptor *d, struct error *err)
{
	struct blob_source b = {.source.read = blob_read};
	AUTO_FREE char *path = blob_name(&d->digest);
	AUTO_FD int fd = -1;

	if (store_open_blob(v->store, &d->digest, d->size, &fd, NULL, err) < 0)
		return -1;
	fd_source_init(&b.file, fd, d->digest.text);
	digester_init(&b.digester, &d->digest);
	int result = write_file(v, path, d->size, &b.source, err);
	struct digest got = digester_final(&b.digester);

	digester_release(&b.digester);
	if (result < 0)
		return -1;
	/* Reads the blob once more, names what is wrong and sets it aside. */
	return digest_equal(&got, &d->digest)
		       ? 0
		       : store_verify_blob(v->store, &d->digest, d->size, err);
}

static int by_digest(const void *a, const void *b)
{
	const struct descriptor *x = a, *y = b;

	return strcmp(x->digest.text, y->digest.text);
}

static int write_blobs(struct save *v, struct error *err)
{
	const char *folder = "";

	qsort(v->blobs.manifests, v->blobs.n_manifests, sizeof(*v->blobs.manifests), by_digest);
	if (write_folder(v, "blobs", err) < 0)
		return -1;
	for (size_t i = 0; i < v->blobs.n_manifests; i++) {
		const struct descriptor *d = &v->blobs.manifests[i];
		const char *wanted = digest_is_sha512(&d->digest) ? "blobs/sha512" : "blobs/sha256";

		if (strcmp(folder, wanted) != 0 && write_folder(v, wanted, err) < 0)
			return -1;
		folder = wanted;
		if (write_blob(v, d, err) < 0)
			return -1;
	}
	return 0;
}

/* Documents go first, so that a reader of a pipe knows what will come. */
static int write_archive(struct save *v, enum archive_kind kind, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (write_text(v, "oci-layout", LAYOUT_TEXT, strlen(LAYOUT_TEXT), err) < 0)
		return -1;
	image_index_write(&v->index, &text);
	if (write_text(v, "index.json", text.buf, text.len, err) < 0)
		return -1;
	if (kind == ARCHIVE_HYBRID) {
		strbuf_reset(&text);
		json_write(v->manifest, &text);
		if (write_text(v, "manifest.json", text.buf, text.len, err) < 0)
			return -1;
	}
	if (write_blobs(v, err) < 0)
		return -1;
	return tar_writer_finish(v->tar, err);
}

int archive_save(struct store *s, const struct archive_item *items, size_t n_items,
		 enum archive_kind kind, int out_fd, struct error *err)
{
	struct save v = {.store = s, .manifest = json_array()};
	struct fd_sink out;
	int result = 0;

	fd_sink_init(&out, out_fd, "the archive");
	for (size_t i = 0; i < n_items && result == 0; i++)
		result = add_item(&v, &items[i], err);
	if (result == 0)
		result = tar_writer_open(&v.tar, &out.sink, err);
	if (result == 0)
		result = write_archive(&v, kind, err);
	tar_writer_free(v.tar);
	json_decref(v.manifest);
	strmap_release(&v.seen);
	strmap_release(&v.walked);
	image_index_release(&v.blobs);
	image_index_release(&v.index);
	return result < 0 ? error_wrap(err, "save") : 0;
}

#include "oci/layer_writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "oci/layer_index.h"

struct layer_writer {
	struct store *store;
	struct layer_options options;
	struct ingest *ingest;
	struct compressor *compressor;
	struct hash_sink plain; /* gives the diff ID */
	struct tar_writer *tar;
	struct index_writer *index;
	struct strbuf last; /* path of the entry before, to hold the order */
	enum entry_type last_type;
	bool has_last;
};

void layer_release(struct layer *l)
{
	if (l)
		descriptor_release(&l->descriptor);
}

int layer_writer_open(struct layer_writer **out, struct store *s, const struct layer_options *o,
		      struct error *err)
{
	AUTO_PTR(layer_writer) w = xcalloc(1, sizeof(*w));

	w->store = s;
	w->options = *o;
	strbuf_init(&w->last);
	if (ingest_begin(&w->ingest, s, NULL, err) < 0 ||
	    compressor_new(&w->compressor, o->compression, o->level, o->pool,
			   ingest_sink(w->ingest), err) < 0)
		return -1;
	hash_sink_init(&w->plain, compressor_sink(w->compressor));
	if (tar_writer_open(&w->tar, &w->plain.sink, err) < 0)
		return -1;
	w->index = index_writer_new(s);
	*out = take_ptr(w);
	return 0;
}

/* Hashes a file's bytes on their way into the tar. */
struct content_source {
	struct source source;
	struct source *from;
	struct sha256 hash;
};

static int64_t content_read(struct source *source, void *data, size_t len, struct error *err)
{
	struct content_source *c = (struct content_source *)source;
	int64_t got = source_read(c->from, data, len, err);

	if (got > 0)
		sha256_update(&c->hash, data, (size_t)got);
	return got;
}

static int check_name(const struct entry *e, struct error *err)
{
	if (!entry_path_is_clean(e->path))
		return error_set(err, ERROR_UNSUPPORTED,
				 "\"%s\" cannot be a path in a layer: it is too long, or has an "
				 "empty, \".\" or \"..\" component",
				 e->path);
	for (const char *at = e->path; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (str_starts(at, ".wh."))
			return error_set(err, ERROR_UNSUPPORTED,
					 "\"%s\" cannot be stored in a layer: names that begin "
					 "with .wh. mark deleted files there (OCI image-spec, "
					 "layer.md); rename or leave out the file",
					 e->path);
	}
	return 0;
}

/* Equal change sets must give equal bytes, and no path may come twice. */
static int check_order(struct layer_writer *w, const struct entry *e, struct error *err)
{
	struct entry last = {.type = w->last_type, .path = w->last.buf};

	if (w->has_last && entry_compare(&last, e) >= 0)
		return error_set(err, ERROR_UNSUPPORTED,
				 "the entries of a layer are out of order: \"%s\" after \"%s\"",
				 e->path, last.path);
	strbuf_reset(&w->last);
	strbuf_puts(&w->last, e->path);
	w->last_type = e->type;
	w->has_last = true;
	return 0;
}

int layer_writer_add(struct layer_writer *w, const struct entry *e, struct source *content,
		     struct error *err)
{
	struct content_source hashed = {.source.read = content_read, .from = content};
	struct entry mine = *e;
	bool hash = e->type == ENTRY_FILE && !e->has_content;
	int result;

	if (check_name(e, err) < 0 || check_order(w, e, err) < 0)
		return -1;
	if (w->options.mtime_limit >= 0 && mine.mtime > w->options.mtime_limit)
		mine.mtime = w->options.mtime_limit;
	result = tar_writer_add(w->tar, &mine, hash ? &hashed.source : content, err);
	if (result == 0 && hash) {
		sha256_final(&hashed.hash, mine.content);
		mine.has_content = true;
	}
	sha256_release(&hashed.hash);
	return result < 0 ? -1 : index_writer_add(w->index, &mine, err);
}

const char *layer_media_type(enum compression kind)
{
	switch (kind) {
	case COMPRESSION_GZIP:
		return MEDIA_OCI_LAYER_GZIP;
	case COMPRESSION_ZSTD:
		return MEDIA_OCI_LAYER_ZSTD;
	case COMPRESSION_NONE:
		break;
	}
	return MEDIA_OCI_LAYER;
}

int layer_writer_finish(struct layer_writer *w, struct layer *out, struct error *err)
{
	uint8_t raw[SHA256_SIZE];
	struct digest blob;
	int64_t size;

	if (tar_writer_finish(w->tar, err) < 0)
		return -1;
	if (sink_close(&w->plain.sink, err) < 0)
		return -1;
	sha256_final(&w->plain.hash, raw);
	out->diff_id = digest_from_sha256(raw);
	out->uncompressed = (int64_t)w->plain.bytes;
	size = ingest_size(w->ingest);
	if (index_writer_commit(w->index, &out->diff_id, err) < 0 ||
	    ingest_commit(w->ingest, &blob, size, err) < 0 ||
	    layer_meta_put(w->store, &blob, &out->diff_id, out->uncompressed, err) < 0)
		return -1;
	descriptor_set(&out->descriptor, layer_media_type(w->options.compression), &blob, size);
	return 0;
}

void layer_writer_free(struct layer_writer *w)
{
	if (!w)
		return;
	tar_writer_free(w->tar);
	compressor_free(w->compressor);
	hash_sink_release(&w->plain);
	index_writer_free(w->index);
	ingest_free(w->ingest);
	strbuf_release(&w->last);
	free(w);
}

int layer_meta_put(struct store *s, const struct digest *blob, const struct digest *diff_id,
		   int64_t uncompressed, struct error *err)
{
	AUTO_FREE char *text = xstrfmt("%s %lld\n", diff_id->text, (long long)uncompressed);

	return store_meta_put(s, "diff", digest_hex(blob), text, strlen(text), err);
}

/* "DIGEST BYTES\n"; anything else counts as lost. */
int layer_meta_get(struct store *s, const struct digest *blob, struct digest *diff_id,
		   int64_t *uncompressed, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	char *space, *end;
	long long bytes;

	if (store_meta_get(s, "diff", digest_hex(blob), &text, err) < 0)
		return -1;
	space = strchr(text.buf, ' ');
	if (space) {
		*space = '\0';
		bytes = strtoll(space + 1, &end, 10);
		if (end > space + 1 && strcmp(end, "\n") == 0 && bytes >= 0 &&
		    digest_parse(diff_id, text.buf, NULL) == 0) {
			*uncompressed = bytes;
			return 0;
		}
	}
	return error_set(err, ERROR_NOT_FOUND, "what is known of layer %s is damaged", blob->text);
}

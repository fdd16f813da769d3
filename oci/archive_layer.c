/* Layers of docker archives: their diff ID is computed, and plain ones are compressed on the way in. */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/sink.h"
#include "oci/archive_private.h"
#include "oci/compress.h"
#include "oci/layer_writer.h"

#define PUMP_BYTES (256u << 10)
#define MAGIC      4

/* Hands a copy of what is read to a sink (NULL: none), and can look at the first bytes before anybody reads. */
struct tee {
	struct source source;
	struct source *from;
	struct sink *copy;
	uint8_t first[MAGIC];
	size_t n_first, given;
};

static int64_t tee_read(struct source *s, void *data, size_t len, struct error *err)
{
	struct tee *t = (struct tee *)s;
	int64_t n;

	if (t->given < t->n_first) {
		size_t left = t->n_first - t->given;

		n = (int64_t)(len < left ? len : left);
		memcpy(data, t->first + t->given, (size_t)n);
		t->given += (size_t)n;
	} else {
		n = source_read(t->from, data, len, err);
	}
	if (n > 0 && t->copy && sink_write(t->copy, data, (size_t)n, err) < 0)
		return -1;
	return n;
}

static int look(struct tee *t, struct error *err)
{
	while (t->n_first < MAGIC) {
		int64_t n = source_read(t->from, t->first + t->n_first, MAGIC - t->n_first, err);

		if (n <= 0)
			return (int)n;
		t->n_first += (size_t)n;
	}
	return 0;
}

/* RFC 1952 and RFC 8878. */
static bool is_compressed(const struct tee *t)
{
	static const uint8_t gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};

	return (t->n_first >= 2 && memcmp(t->first, gzip, sizeof(gzip)) == 0) ||
	       (t->n_first == MAGIC && memcmp(t->first, zstd, sizeof(zstd)) == 0);
}

int load_pump(struct source *in, struct sink *to, struct error *err)
{
	AUTO_FREE char *buf = xmalloc(PUMP_BYTES);

	for (;;) {
		int64_t n = source_read(in, buf, PUMP_BYTES, err);

		if (n <= 0)
			return (int)n;
		if (sink_write(to, buf, (size_t)n, err) < 0)
			return -1;
	}
}

static struct digest final_digest(struct hash_sink *h)
{
	uint8_t raw[SHA256_SIZE];

	sha256_final(&h->hash, raw);
	return digest_from_sha256(raw);
}

/* Inflates in, which is hashed; what remains of in after its end is read too. */
static int hash_inflated(struct source *in, struct digest *diff_id, int64_t *bytes,
			 enum compression *kind, struct error *err)
{
	AUTO_PTR(decompressor) d = NULL;
	struct hash_sink hash, rest;
	int result;

	hash_sink_init(&hash, NULL);
	hash_sink_init(&rest, NULL);
	result = decompressor_new(&d, in, LIMIT_LAYER_BYTES, err);
	if (result == 0)
		result = load_pump(decompressor_source(d), &hash.sink, err);
	if (result == 0)
		result = load_pump(in, &rest.sink, err);
	*diff_id = final_digest(&hash);
	*bytes = (int64_t)hash.bytes;
	if (result == 0)
		*kind = decompressor_kind(d);
	hash_sink_release(&hash);
	hash_sink_release(&rest);
	return result;
}

static int compress(struct source *in, struct sink *to, struct digest *diff_id, int64_t *bytes,
		    struct error *err)
{
	AUTO_PTR(compressor) c = NULL;
	struct hash_sink hash;
	int result;

	if (compressor_new(&c, COMPRESSION_GZIP, 0, NULL, to, err) < 0)
		return -1;
	hash_sink_init(&hash, compressor_sink(c));
	result = load_pump(in, &hash.sink, err);
	/* Closed in any case: the compressor ends its work either way. */
	if (sink_close(&hash.sink, result == 0 ? err : NULL) < 0)
		result = -1;
	*diff_id = final_digest(&hash);
	*bytes = (int64_t)hash.bytes;
	hash_sink_release(&hash);
	return result;
}

int load_layer(struct store *s, struct source *in, const char *name, struct descriptor *layer,
	       struct digest *diff_id, struct error *err)
{
	struct tee tee = {.source.read = tee_read, .from = in};
	enum compression kind = COMPRESSION_GZIP;
	AUTO_PTR(ingest) ingest = NULL;
	struct digest d;
	int64_t bytes;

	if (ingest_begin(&ingest, s, NULL, err) < 0 || look(&tee, err) < 0)
		return -1;
	if (is_compressed(&tee)) {
		tee.copy = ingest_sink(ingest);
		if (hash_inflated(&tee.source, diff_id, &bytes, &kind, err) < 0)
			return error_wrap(err, "layer %s", name);
	} else if (compress(&tee.source, ingest_sink(ingest), diff_id, &bytes, err) < 0) {
		return error_wrap(err, "layer %s", name);
	}
	int64_t size = ingest_size(ingest);

	if (ingest_commit(ingest, &d, size, err) < 0)
		return -1;
	descriptor_set(layer, layer_media_type(kind), &d, size);
	return layer_meta_put(s, &d, diff_id, bytes, err);
}

int load_blob_layer(struct store *s, const struct digest *d, struct descriptor *layer,
		    struct digest *diff_id, struct error *err)
{
	enum compression kind = COMPRESSION_NONE;
	struct fd_source in;
	AUTO_FD int fd = -1;
	int64_t size, bytes;

	if (store_open_blob(s, d, -1, &fd, &size, err) < 0)
		return -1;
	fd_source_init(&in, fd, d->text);
	if (hash_inflated(&in.source, diff_id, &bytes, &kind, err) < 0)
		return error_wrap(err, "layer %s", d->text);
	descriptor_set(layer, layer_media_type(kind), d, size);
	return layer_meta_put(s, d, diff_id, bytes, err);
}

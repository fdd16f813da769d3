#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/compress_backend.h"

#define INPUT_BYTES ((size_t)128 << 10)
#define MAGIC_BYTES 4

bool compress_force_zlib;

enum stage {
	STAGE_START,   /* nothing read, kind not known */
	STAGE_DATA,    /* inside a member, a frame, or plain bytes */
	STAGE_BETWEEN, /* after a member or frame */
	STAGE_END,
	STAGE_FAILED,
};

struct decompressor {
	struct source source;
	struct source *in;
	enum compression kind;
	enum stage stage;
	struct decoder *decoder;
	int64_t max_bytes, taken, given;
	bool in_ended;
	uint8_t *start; /* start .. start + n of buf is not decoded yet */
	size_t n;
	uint8_t buf[INPUT_BYTES];
};

/* Reads until at least want bytes are there or the source ends. */
static int fill(struct decompressor *d, size_t want, struct error *err)
{
	if (d->n >= want)
		return 0;
	memmove(d->buf, d->start, d->n);
	d->start = d->buf;
	while (d->n < want && !d->in_ended) {
		int64_t got = source_read(d->in, d->buf + d->n, sizeof(d->buf) - d->n, err);

		if (got < 0)
			return -1;
		d->in_ended = got == 0;
		d->n += (size_t)got;
		d->taken += got;
	}
	return 0;
}

static bool is_gzip(const struct decompressor *d)
{
	return d->n >= 2 && d->start[0] == 0x1f && d->start[1] == 0x8b;
}

/* A frame, or a skippable frame (RFC 8878 3.1). */
static bool is_zstd(const struct decompressor *d)
{
	static const uint8_t frame[MAGIC_BYTES] = {0x28, 0xb5, 0x2f, 0xfd};

	if (d->n < MAGIC_BYTES)
		return false;
	if (memcmp(d->start, frame, MAGIC_BYTES) == 0)
		return true;
	return (d->start[0] & 0xf0) == 0x50 && d->start[1] == 0x2a && d->start[2] == 0x4d &&
	       d->start[3] == 0x18;
}

static int recognise(struct decompressor *d, struct error *err)
{
	if (fill(d, MAGIC_BYTES, err) < 0)
		return -1;
	if (is_gzip(d)) {
		d->kind = COMPRESSION_GZIP;
		d->decoder = compress_force_zlib ? decoder_gzip_zlib() : decoder_gzip_isal();
	} else if (is_zstd(d)) {
		d->kind = COMPRESSION_ZSTD;
		if (decoder_zstd_new(&d->decoder, err) < 0)
			return -1;
	}
	d->stage = STAGE_DATA;
	return 0;
}

static int count(struct decompressor *d, int64_t given, struct error *err)
{
	int64_t used = d->taken - (int64_t)d->n;

	d->given += given;
	if (d->given > d->max_bytes)
		return error_set(err, ERROR_CORRUPT,
				 "decompression bomb: more than the %lld bytes allowed here",
				 (long long)d->max_bytes);
	if (d->kind != COMPRESSION_NONE && d->given > LIMIT_LAYER_RATIO_AFTER &&
	    d->given / LIMIT_LAYER_RATIO > used)
		return error_set(err, ERROR_CORRUPT,
				 "decompression bomb: %lld bytes came out of %lld (more than %d:1)",
				 (long long)d->given, (long long)used, LIMIT_LAYER_RATIO);
	return 0;
}

static int64_t plain_read(struct decompressor *d, void *data, size_t len, struct error *err)
{
	int64_t got;

	if (d->n) {
		got = (int64_t)(d->n < len ? d->n : len);
		memcpy(data, d->start, (size_t)got);
		d->start += got;
		d->n -= (size_t)got;
	} else {
		got = source_read(d->in, data, len, err);
		if (got < 0)
			return -1;
		d->taken += got;
	}
	return count(d, got, err) < 0 ? -1 : got;
}

/* After a member: another one, or zero bytes up to the end (blocked tapes), or nothing. */
static int between(struct decompressor *d, struct error *err)
{
	if (fill(d, MAGIC_BYTES, err) < 0)
		return -1;
	if (d->kind == COMPRESSION_GZIP ? is_gzip(d) : is_zstd(d)) {
		d->decoder->restart(d->decoder);
		d->stage = STAGE_DATA;
		return 0;
	}
	while (d->n) {
		for (size_t i = 0; i < d->n; i++)
			if (d->start[i])
				return error_set(err, ERROR_CORRUPT,
						 "bytes that are not %s follow the end of the data",
						 d->kind == COMPRESSION_GZIP ? "gzip" : "zstd");
		d->n = 0;
		if (fill(d, 1, err) < 0)
			return -1;
	}
	d->stage = STAGE_END;
	return 0;
}

/* Gives some bytes, or moves on to STAGE_BETWEEN with none. */
static int64_t decode(struct decompressor *d, void *data, size_t len, struct error *err)
{
	for (;;) {
		struct span io = {.in = d->start, .in_len = d->n, .out = data, .out_len = len};
		int state = d->decoder->decode(d->decoder, &io, err);
		int64_t given = (int64_t)(len - io.out_len);
		size_t before = d->n;

		if (state < 0)
			return -1;
		d->start = io.in;
		d->n = io.in_len;
		if (state > 0)
			d->stage = STAGE_BETWEEN;
		if (count(d, given, err) < 0)
			return -1;
		if (given || state > 0)
			return given;
		if (d->n && d->n == before)
			return error_set(err, ERROR_CORRUPT, "compressed data is damaged: no end");
		if (d->n == 0 && fill(d, 1, err) < 0)
			return -1;
		if (d->n == 0)
			return error_set(err, ERROR_CORRUPT,
					 "compressed data is cut off after %lld bytes",
					 (long long)d->taken);
	}
}

static int64_t read_some(struct decompressor *d, void *data, size_t len, struct error *err)
{
	if (d->stage == STAGE_START && recognise(d, err) < 0)
		return -1;
	if (!d->decoder)
		return plain_read(d, data, len, err);
	while (d->stage != STAGE_END) {
		int64_t given = 0;

		if (d->stage == STAGE_BETWEEN)
			given = between(d, err);
		else
			given = decode(d, data, len, err);
		if (given)
			return given;
	}
	return 0;
}

static int64_t decompressor_read(struct source *source, void *data, size_t len, struct error *err)
{
	struct decompressor *d = (struct decompressor *)source;
	int64_t got;

	if (d->stage == STAGE_FAILED)
		return error_set(err, ERROR_CORRUPT, "read on after damaged data");
	if (len == 0)
		return 0;
	got = read_some(d, data, len, err);
	if (got < 0)
		d->stage = STAGE_FAILED;
	return got;
}

int decompressor_new(struct decompressor **out, struct source *in, int64_t max_bytes,
		     struct error *err)
{
	struct decompressor *d = xmalloc(sizeof(*d));

	(void)err;
	d->source = (struct source){.read = decompressor_read};
	d->in = in;
	d->kind = COMPRESSION_NONE;
	d->stage = STAGE_START;
	d->decoder = NULL;
	d->max_bytes = max_bytes;
	d->taken = d->given = 0;
	d->in_ended = false;
	d->start = d->buf;
	d->n = 0;
	*out = d;
	return 0;
}

struct source *decompressor_source(struct decompressor *d)
{
	return &d->source;
}

enum compression decompressor_kind(const struct decompressor *d)
{
	return d->kind;
}

void decompressor_free(struct decompressor *d)
{
	if (!d)
		return;
	if (d->decoder)
		d->decoder->release(d->decoder);
	free(d);
}

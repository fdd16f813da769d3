#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "oci/compress_backend.h"

#define STORED_MAX    65535u /* bytes of one stored block, RFC 1951 3.2.4 */
#define STORED_HEADER 5u
/* Both engines get this much more than the stored form, so that what they write never depends on the room left. */
#define SLACK (64u << 10)

struct deflater {
	int level;
	z_stream zlib;
	struct isal_zstream isal;
	uint8_t isal_level[ISAL_DEF_LVL1_DEFAULT];
};

struct deflater *deflater_new(int level)
{
	struct deflater *d = xmalloc(sizeof(*d));

	d->level = level;
	d->zlib = (z_stream){0};
	if (level && deflateInit2(&d->zlib, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY))
		abort(); /* out of memory: level and window are constants it knows */
	return d;
}

void deflater_free(struct deflater *d)
{
	if (!d)
		return;
	if (d->level)
		deflateEnd(&d->zlib);
	free(d);
}

static size_t stored_length(size_t len)
{
	size_t blocks = len ? (len + STORED_MAX - 1) / STORED_MAX : 1;

	return len + blocks * STORED_HEADER;
}

size_t deflater_bound(size_t len)
{
	return stored_length(len) + SLACK;
}

/* Starts at a byte boundary, so the three header bits fill a byte of their own. */
static size_t stored_block(const uint8_t *in, size_t len, bool last, uint8_t *out)
{
	uint8_t *at = out;

	do {
		size_t n = len < STORED_MAX ? len : STORED_MAX;

		*at++ = last && n == len;
		*at++ = (uint8_t)(n & 0xff);
		*at++ = (uint8_t)(n >> 8);
		*at++ = (uint8_t)(~n & 0xff);
		*at++ = (uint8_t)((~n >> 8) & 0xff);
		memcpy(at, in, n);
		at += n;
		in += n;
		len -= n;
	} while (len);
	return (size_t)(at - out);
}

/* Each engine returns 0 when the block did not fit, which cannot happen to a block that shrinks. */
static size_t isal_shrink(struct deflater *d, uint8_t *in, size_t dict_len, size_t len, bool last,
			  uint8_t *out, size_t cap)
{
	struct isal_zstream *s = &d->isal;

	isal_deflate_init(s);
	s->level = 1;
	s->level_buf = d->isal_level;
	s->level_buf_size = sizeof(d->isal_level);
	s->flush = last ? NO_FLUSH : SYNC_FLUSH;
	s->end_of_stream = last;
	if (dict_len && isal_deflate_set_dict(s, in - dict_len, (uint32_t)dict_len) != COMP_OK)
		return 0;
	s->next_in = in;
	s->avail_in = (uint32_t)len;
	s->next_out = out;
	s->avail_out = (uint32_t)cap;
	if (isal_deflate(s) != COMP_OK || s->avail_in || !s->avail_out)
		return 0;
	return s->total_out;
}

/*
 * ISA-L 2.30 files the third byte of a stream without history under a hash of the address of its own state, and
 * then the addresses of a run choose among matches. A first byte that is stored gives it a history: equal input, equal bytes.
 */
static size_t isal_block(struct deflater *d, uint8_t *in, size_t dict_len, size_t len, bool last,
			 uint8_t *out, size_t cap)
{
	size_t first, n;

	if (dict_len || len < 2)
		return isal_shrink(d, in, dict_len, len, last, out, cap);
	first = stored_block(in, 1, false, out);
	n = isal_shrink(d, in + 1, 1, len - 1, last, out + first, cap - first);
	return n ? first + n : 0;
}

static size_t zlib_block(struct deflater *d, uint8_t *in, size_t dict_len, size_t len, bool last,
			 uint8_t *out, size_t cap)
{
	z_stream *z = &d->zlib;
	int done;

	if (deflateReset(z) != Z_OK)
		return 0;
	if (dict_len && deflateSetDictionary(z, in - dict_len, (uInt)dict_len) != Z_OK)
		return 0;
	z->next_in = in;
	z->avail_in = (uInt)len;
	z->next_out = out;
	z->avail_out = (uInt)cap;
	done = deflate(z, last ? Z_FINISH : Z_SYNC_FLUSH);
	if (done != (last ? Z_STREAM_END : Z_OK) || z->avail_in || !z->avail_out)
		return 0;
	return cap - z->avail_out;
}

size_t deflater_block(struct deflater *d, uint8_t *in, size_t dict_len, size_t len, bool last,
		      uint8_t *out)
{
	size_t cap = deflater_bound(len);
	size_t n = d->level ? zlib_block(d, in, dict_len, len, last, out, cap)
			    : isal_block(d, in, dict_len, len, last, out, cap);

	if (n && n <= stored_length(len))
		return n;
	return stored_block(in, len, last, out);
}

uint32_t deflate_crc32(const uint8_t *data, size_t len)
{
	return crc32_gzip_refl(0, data, len);
}

uint32_t deflate_crc32_join(uint32_t first, uint32_t second, uint64_t second_len)
{
	return (uint32_t)crc32_combine(first, second, (z_off_t)second_len);
}

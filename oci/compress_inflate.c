#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "oci/compress_backend.h"

#define GZIP_WRAPPER 16 /* added to the window bits: zlib reads header and trailer */

static void advance(struct span *io, size_t taken, size_t given)
{
	io->in += taken;
	io->in_len -= taken;
	io->out += given;
	io->out_len -= given;
}

/*
 * The header is read by a call of its own: isal_inflate() can read it too, but forgets what it saw of a
 * header that comes in pieces.
 */
struct isal_decoder {
	struct decoder base;
	struct isal_gzip_header header;
	bool header_read;
	struct inflate_state state;
};

static void isal_restart(struct decoder *decoder)
{
	struct isal_decoder *d = (struct isal_decoder *)decoder;

	isal_inflate_reset(&d->state);
	d->state.crc_flag = ISAL_GZIP_NO_HDR_VER; /* checksum and length at the end are verified */
	isal_gzip_header_init(&d->header);
	d->header_read = false;
}

static const char *isal_reason(int code)
{
	switch (code) {
	case ISAL_INCORRECT_CHECKSUM:
		return "the checksum or the length at its end is wrong";
	case ISAL_INVALID_WRAPPER:
	case ISAL_UNSUPPORTED_METHOD:
		return "its header is not valid";
	default:
		return "it does not follow RFC 1951";
	}
}

static int isal_decode(struct decoder *decoder, struct span *io, struct error *err)
{
	struct isal_decoder *d = (struct isal_decoder *)decoder;
	struct inflate_state *s = &d->state;
	int code = ISAL_DECOMP_OK;

	s->next_in = io->in;
	s->avail_in = io->in_len < UINT32_MAX ? (uint32_t)io->in_len : UINT32_MAX;
	s->next_out = io->out;
	s->avail_out = io->out_len < UINT32_MAX ? (uint32_t)io->out_len : UINT32_MAX;
	if (!d->header_read) {
		code = isal_read_gzip_header(s, &d->header);
		d->header_read = code == ISAL_DECOMP_OK;
	}
	if (d->header_read)
		code = isal_inflate(s);
	if (code < 0)
		return error_set(err, ERROR_CORRUPT, "gzip data is damaged: %s", isal_reason(code));
	advance(io, (size_t)(s->next_in - io->in), (size_t)(s->next_out - io->out));
	return s->block_state == ISAL_BLOCK_FINISH;
}

static void isal_release(struct decoder *d)
{
	free(d);
}

struct decoder *decoder_gzip_isal(void)
{
	struct isal_decoder *d = xmalloc(sizeof(*d));

	d->base = (struct decoder){
		.decode = isal_decode, .restart = isal_restart, .release = isal_release};
	isal_inflate_init(&d->state);
	isal_restart(&d->base);
	return &d->base;
}

struct zlib_decoder {
	struct decoder base;
	z_stream z;
};

static int zlib_decode(struct decoder *d, struct span *io, struct error *err)
{
	z_stream *z = &((struct zlib_decoder *)d)->z;
	size_t in_max = io->in_len < UINT32_MAX ? io->in_len : UINT32_MAX;
	size_t out_max = io->out_len < UINT32_MAX ? io->out_len : UINT32_MAX;
	int code;

	z->next_in = io->in;
	z->avail_in = (uInt)in_max;
	z->next_out = io->out;
	z->avail_out = (uInt)out_max;
	code = inflate(z, Z_NO_FLUSH);
	if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
		return error_set(err, ERROR_CORRUPT, "gzip data is damaged: %s",
				 z->msg ? z->msg : "it does not follow RFC 1951");
	advance(io, in_max - z->avail_in, out_max - z->avail_out);
	return code == Z_STREAM_END;
}

static void zlib_restart(struct decoder *d)
{
	inflateReset(&((struct zlib_decoder *)d)->z);
}

static void zlib_release(struct decoder *d)
{
	inflateEnd(&((struct zlib_decoder *)d)->z);
	free(d);
}

struct decoder *decoder_gzip_zlib(void)
{
	struct zlib_decoder *d = xcalloc(1, sizeof(*d));

	d->base = (struct decoder){
		.decode = zlib_decode, .restart = zlib_restart, .release = zlib_release};
	if (inflateInit2(&d->z, MAX_WBITS + GZIP_WRAPPER) != Z_OK)
		abort(); /* out of memory: the window is a constant it knows */
	return &d->base;
}

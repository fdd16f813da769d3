#include <stdlib.h>
#include <zstd.h>

#include "base/alloc.h"
#include "oci/compress_backend.h"

#define DEFAULT_LEVEL 3

struct zstd {
	struct compressor base;
	ZSTD_CCtx *ctx;
	size_t out_cap;
	uint8_t *out;
};

/* Feeds data in and hands on what comes out; with ZSTD_e_end until the frame is whole. */
static int zstd_step(struct zstd *z, const void *data, size_t len, ZSTD_EndDirective mode,
		     struct error *err)
{
	ZSTD_inBuffer in = {.src = data, .size = len};

	for (;;) {
		ZSTD_outBuffer out = {.dst = z->out, .size = z->out_cap};
		size_t left = ZSTD_compressStream2(z->ctx, &out, &in, mode);

		if (ZSTD_isError(left))
			return error_set(err, ERROR_SYSTEM, "zstd compression failed: %s",
					 ZSTD_getErrorName(left));
		if (out.pos && sink_write(z->base.next, z->out, out.pos, err) < 0)
			return -1;
		if (mode == ZSTD_e_end ? left == 0 : in.pos == in.size)
			return 0;
	}
}

static int zstd_write(struct sink *sink, const void *data, size_t len, struct error *err)
{
	return zstd_step((struct zstd *)sink, data, len, ZSTD_e_continue, err);
}

static int zstd_close(struct sink *sink, struct error *err)
{
	struct zstd *z = (struct zstd *)sink;
	int result = sink->failed ? 0 : zstd_step(z, NULL, 0, ZSTD_e_end, err);

	if (sink_close(z->base.next, result < 0 ? NULL : err) < 0)
		result = -1;
	return result;
}

static void zstd_release(struct compressor *c)
{
	struct zstd *z = (struct zstd *)c;

	ZSTD_freeCCtx(z->ctx);
	free(z->out);
	free(z);
}

int compress_zstd_new(struct compressor **out, int level, struct sink *next, struct error *err)
{
	struct zstd *z = xcalloc(1, sizeof(*z));
	size_t set;

	z->base = (struct compressor){
		.sink = {.write = zstd_write, .close = zstd_close},
		.next = next,
		.release = zstd_release,
	};
	z->out_cap = ZSTD_CStreamOutSize();
	z->out = xmalloc(z->out_cap);
	z->ctx = ZSTD_createCCtx();
	/*
	 * The frame carries a checksum, and one thread makes it: with the library's own threads other bytes
	 * come out than without.
	 */
	set = z->ctx ? ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_compressionLevel,
					      level ? level : DEFAULT_LEVEL)
		     : 0;
	if (z->ctx && !ZSTD_isError(set))
		set = ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_checksumFlag, 1);
	if (!z->ctx || ZSTD_isError(set)) {
		error_set(err, ERROR_SYSTEM, "start zstd compression: %s",
			  z->ctx ? ZSTD_getErrorName(set) : "out of memory");
		zstd_release(&z->base);
		return -1;
	}
	*out = &z->base;
	return 0;
}

struct unzstd {
	struct decoder base;
	ZSTD_DCtx *ctx;
};

static int unzstd_decode(struct decoder *d, struct span *io, struct error *err)
{
	ZSTD_inBuffer in = {.src = io->in, .size = io->in_len};
	ZSTD_outBuffer out = {.dst = io->out, .size = io->out_len};
	size_t left = ZSTD_decompressStream(((struct unzstd *)d)->ctx, &out, &in);

	if (ZSTD_isError(left))
		return error_set(err, ERROR_CORRUPT, "zstd data is damaged: %s",
				 ZSTD_getErrorName(left));
	io->in += in.pos;
	io->in_len -= in.pos;
	io->out += out.pos;
	io->out_len -= out.pos;
	return left == 0;
}

static void unzstd_restart(struct decoder *d)
{
	ZSTD_DCtx_reset(((struct unzstd *)d)->ctx, ZSTD_reset_session_only);
}

static void unzstd_release(struct decoder *d)
{
	ZSTD_freeDCtx(((struct unzstd *)d)->ctx);
	free(d);
}

int decoder_zstd_new(struct decoder **out, struct error *err)
{
	struct unzstd *u = xcalloc(1, sizeof(*u));

	u->base = (struct decoder){
		.decode = unzstd_decode, .restart = unzstd_restart, .release = unzstd_release};
	u->ctx = ZSTD_createDCtx();
	if (!u->ctx) {
		free(u);
		return error_set(err, ERROR_SYSTEM, "start zstd decompression: out of memory");
	}
	*out = &u->base;
	return 0;
}

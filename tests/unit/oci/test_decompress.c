#include "oci/compress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/strbuf.h"
#include "tests/unit/oci/memory_source.h"

/* Compressed inputs are made by zlib and zstd themselves, never by our own compressor. */

static int decompress_bytes(struct strbuf *out, const struct strbuf *in, size_t in_step,
			    size_t out_step, int64_t max, enum compression *kind, struct error *err)
{
	struct memory_source m = {.source.read = memory_source_read,
				  .data = in->buf,
				  .len = in->len,
				  .step = in_step};
	AUTO_PTR(decompressor) d = NULL;
	AUTO_FREE char *buf = xmalloc(out_step);
	int64_t got;

	assert_int_equal(decompressor_new(&d, &m.source, max, err), 0);
	while ((got = source_read(decompressor_source(d), buf, out_step, err)) > 0)
		strbuf_add(out, buf, (size_t)got);
	*kind = decompressor_kind(d);
	if (got < 0)
		assert_int_equal(source_read(decompressor_source(d), buf, out_step, NULL), -1);
	return got < 0 ? -1 : 0;
}

static void add_gzip(struct strbuf *out, const void *data, size_t len, const char *name)
{
	AUTO_FREE Bytef *buf = xmalloc(len + len / 100 + 1024);
	AUTO_FREE Bytef *in = xmemdup(data, len + 1);
	static Bytef extra[300], comment[] = "all optional fields, RFC 1952 2.3.1";
	gz_header header = {.name = (Bytef *)(uintptr_t)name,
			    .comment = comment,
			    .extra = extra,
			    .extra_len = sizeof(extra),
			    .hcrc = 1,
			    .os = 3,
			    .time = 1700000000};
	z_stream z = {0};

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, 0), Z_OK);
	if (name)
		deflateSetHeader(&z, &header);
	z.next_in = in;
	z.avail_in = (uInt)len;
	z.next_out = buf;
	z.avail_out = (uInt)(len + len / 100 + 1024);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	strbuf_add(out, buf, z.total_out);
	deflateEnd(&z);
}

static void add_zstd(struct strbuf *out, const void *data, size_t len)
{
	size_t cap = ZSTD_compressBound(len);
	AUTO_FREE void *buf = xmalloc(cap);
	size_t n = ZSTD_compress(buf, cap, data, len, 3);

	assert_false(ZSTD_isError(n));
	strbuf_add(out, buf, n);
}

static void text(struct strbuf *sb, size_t lines)
{
	for (size_t i = 0; i < lines; i++)
		strbuf_printf(sb, "%zu bottles of %zu\n", i * 7919 % 100003, i * i % 997);
}

enum piece { END, GZIP, GZIP_NAMED, GZIP_EMPTY, ZSTD, ZSTD_EMPTY, SKIPPABLE, ZEROS, GARBAGE, TEXT };

static void add_pieces(struct strbuf *in, struct strbuf *expected, const enum piece *pieces,
		       const struct strbuf *data)
{
	for (; *pieces != END; pieces++) {
		bool counts = true;

		if (*pieces == GZIP || *pieces == GZIP_NAMED)
			add_gzip(in, data->buf, data->len,
				 *pieces == GZIP_NAMED ? "some/name.tar" : NULL);
		else if (*pieces == ZSTD)
			add_zstd(in, data->buf, data->len);
		else if (*pieces == TEXT)
			strbuf_add(in, data->buf, data->len);
		else
			counts = false;
		if (counts)
			strbuf_add(expected, data->buf, data->len);
		if (*pieces == GZIP_EMPTY)
			add_gzip(in, "", 0, NULL);
		else if (*pieces == ZSTD_EMPTY)
			add_zstd(in, "", 0);
		else if (*pieces == SKIPPABLE)
			strbuf_add(in, "\x5e\x2a\x4d\x18\x05\0\0\0hello", 13);
		else if (*pieces == ZEROS)
			for (int i = 0; i < 1500; i++)
				strbuf_putc(in, '\0');
		else if (*pieces == GARBAGE)
			strbuf_puts(in, "garbage");
	}
}

static const struct {
	enum piece pieces[5];
	enum compression kind;
	int result;
} rows[] = {
	{{END}, COMPRESSION_NONE, 0},
	{{TEXT, END}, COMPRESSION_NONE, 0},
	{{GZIP, END}, COMPRESSION_GZIP, 0},
	{{GZIP_NAMED, END}, COMPRESSION_GZIP, 0},
	{{GZIP_EMPTY, END}, COMPRESSION_GZIP, 0},
	{{GZIP, GZIP_EMPTY, GZIP_NAMED, END}, COMPRESSION_GZIP, 0},
	{{GZIP, ZEROS, END}, COMPRESSION_GZIP, 0},
	{{GZIP, GZIP, ZEROS, END}, COMPRESSION_GZIP, 0},
	{{GZIP, GARBAGE, END}, COMPRESSION_GZIP, -1},
	{{GZIP, ZEROS, GARBAGE, END}, COMPRESSION_GZIP, -1},
	{{GZIP, ZEROS, GZIP, END}, COMPRESSION_GZIP, -1},
	{{GZIP, ZSTD, END}, COMPRESSION_GZIP, -1},
	{{ZSTD, END}, COMPRESSION_ZSTD, 0},
	{{ZSTD, ZSTD_EMPTY, ZSTD, END}, COMPRESSION_ZSTD, 0},
	{{ZSTD, SKIPPABLE, END}, COMPRESSION_ZSTD, 0},
	{{SKIPPABLE, ZSTD, END}, COMPRESSION_ZSTD, 0},
	{{ZSTD, ZEROS, END}, COMPRESSION_ZSTD, 0},
	{{ZSTD, GARBAGE, END}, COMPRESSION_ZSTD, -1},
	{{ZSTD, GZIP, END}, COMPRESSION_ZSTD, -1},
};

static const size_t in_steps[] = {1, 2, 3, 5, 7, 8, 9, 13, 1000, 1 << 20};
static const size_t out_steps[] = {1, 19, 4096, 1 << 20};

static void test_streams(void **state)
{
	AUTO(strbuf) data = STRBUF_INIT;

	text(&data, 300);
	(void)state;
	for (size_t r = 0; r < ARRAY_SIZE(rows); r++)
		for (size_t i = 0; i < ARRAY_SIZE(in_steps); i++)
			for (size_t o = 0; o < ARRAY_SIZE(out_steps); o++) {
				AUTO(strbuf)
				in = STRBUF_INIT, out = STRBUF_INIT, expected = STRBUF_INIT;
				AUTO(error) err = ERROR_INIT;
				enum compression kind;

				add_pieces(&in, &expected, rows[r].pieces, &data);
				assert_int_equal(decompress_bytes(&out, &in, in_steps[i],
								  out_steps[o], 1 << 30, &kind,
								  &err),
						 rows[r].result);
				assert_int_equal(kind, rows[r].kind);
				if (rows[r].result < 0)
					assert_int_equal(err.kind, ERROR_CORRUPT);
				else
					assert_memory_equal(out.buf, expected.buf, expected.len);
				if (rows[r].result == 0)
					assert_int_equal(out.len, expected.len);
			}
}

static void test_every_cut_is_an_error(void **state)
{
	AUTO(strbuf) data = STRBUF_INIT, gz = STRBUF_INIT, zst = STRBUF_INIT;
	struct strbuf *whole[] = {&gz, &zst};

	(void)state;
	text(&data, 20);
	add_gzip(&gz, data.buf, data.len, "n");
	add_zstd(&zst, data.buf, data.len);
	for (size_t w = 0; w < ARRAY_SIZE(whole); w++)
		for (size_t len = 4; len < whole[w]->len; len++) {
			AUTO(strbuf) cut = STRBUF_INIT, out = STRBUF_INIT;
			AUTO(error) err = ERROR_INIT;
			enum compression kind;

			strbuf_add(&cut, whole[w]->buf, len);
			assert_int_equal(decompress_bytes(&out, &cut, 11, 64, 1 << 30, &kind, &err),
					 -1);
			assert_int_equal(err.kind, ERROR_CORRUPT);
		}
}

/* The checksum and the length at the end of a gzip member (RFC 1952 2.3.1). */
static void test_trailer_is_verified(void **state)
{
	AUTO(strbuf) data = STRBUF_INIT, gz = STRBUF_INIT;

	(void)state;
	text(&data, 5000);
	add_gzip(&gz, data.buf, data.len, NULL);
	for (size_t i = 1; i <= 8; i++) {
		AUTO(strbuf) out = STRBUF_INIT;
		AUTO(error) err = ERROR_INIT;
		enum compression kind;

		gz.buf[gz.len - i] ^= 0x10;
		assert_int_equal(decompress_bytes(&out, &gz, 1 << 20, 4096, 1 << 30, &kind, &err),
				 -1);
		assert_int_equal(err.kind, ERROR_CORRUPT);
		gz.buf[gz.len - i] ^= 0x10;
	}
}

static void test_limit_of_bytes(void **state)
{
	static const enum piece pieces[][2] = {{TEXT, END}, {GZIP, END}, {ZSTD, END}};
	AUTO(strbuf) data = STRBUF_INIT;

	(void)state;
	text(&data, 1000);
	for (size_t p = 0; p < ARRAY_SIZE(pieces); p++)
		for (int64_t less = 0; less < 2; less++) {
			AUTO(strbuf) in = STRBUF_INIT, out = STRBUF_INIT, expected = STRBUF_INIT;
			AUTO(error) err = ERROR_INIT;
			enum compression kind;

			add_pieces(&in, &expected, pieces[p], &data);
			assert_int_equal(decompress_bytes(&out, &in, 1 << 20, 1000,
							  (int64_t)data.len - less, &kind, &err),
					 less ? -1 : 0);
			if (less)
				assert_non_null(strstr(err.message, "decompression bomb"));
		}
}

/* Gives zeros without holding them, compressed by zlib or zstd: what a bomb is. */
static void add_zeros(struct strbuf *out, bool zstd, int64_t len)
{
	static Bytef zeros[1 << 20], buf[1 << 16];

	if (zstd) {
		ZSTD_CCtx *ctx = ZSTD_createCCtx();

		for (bool last = false; !last; len -= (int64_t)sizeof(zeros)) {
			ZSTD_inBuffer in = {.src = zeros, .size = sizeof(zeros)};
			size_t left = 1;

			last = len <= (int64_t)sizeof(zeros);
			while (in.pos < in.size || (last && left)) {
				ZSTD_outBuffer to = {.dst = buf, .size = sizeof(buf)};

				left = ZSTD_compressStream2(ctx, &to, &in,
							    last ? ZSTD_e_end : ZSTD_e_continue);
				strbuf_add(out, buf, to.pos);
			}
		}
		ZSTD_freeCCtx(ctx);
		return;
	}
	z_stream z = {0};
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 9, 0), Z_OK);
	for (bool last = false; !last; len -= (int64_t)sizeof(zeros)) {
		last = len <= (int64_t)sizeof(zeros);
		z.next_in = zeros;
		z.avail_in = sizeof(zeros);
		do {
			z.next_out = buf;
			z.avail_out = sizeof(buf);
			deflate(&z, last ? Z_FINISH : Z_NO_FLUSH);
			strbuf_add(out, buf, sizeof(buf) - z.avail_out);
		} while (!z.avail_out);
	}
	deflateEnd(&z);
}

static void test_bomb_stops_early(void **state)
{
	static char sink[1 << 20];

	(void)state;
	for (int zstd = 0; zstd < 2; zstd++) {
		AUTO(strbuf) in = STRBUF_INIT;
		AUTO(error) err = ERROR_INIT;
		AUTO_PTR(decompressor) d = NULL;
		struct memory_source m = {.source.read = memory_source_read, .step = 1 << 16};
		int64_t got, total = 0;

		add_zeros(&in, zstd, 1ll << 28);
		m.data = in.buf;
		m.len = in.len;
		assert_int_equal(decompressor_new(&d, &m.source, LIMIT_LAYER_BYTES, &err), 0);
		while ((got = source_read(decompressor_source(d), sink, sizeof(sink), &err)) > 0)
			total += got;
		assert_int_equal(got, -1);
		assert_int_equal(err.kind, ERROR_CORRUPT);
		assert_non_null(strstr(err.message, "decompression bomb"));
		assert_true(total <= LIMIT_LAYER_RATIO_AFTER + (1 << 21));
	}
}

/* What compresses well, and is honest, passes: 90 MiB of zeros are below the floor of the ratio rule. */
static void test_small_dense_data_passes(void **state)
{
	AUTO(strbuf) in = STRBUF_INIT, out = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;
	enum compression kind;

	(void)state;
	add_zeros(&in, false, 90ll << 20);
	assert_int_equal(decompress_bytes(&out, &in, 1 << 16, 1 << 20, 1 << 30, &kind, &err), 0);
	assert_int_equal(out.len, 90 << 20);
}

static int with_zlib(void **state)
{
	(void)state;
	compress_force_zlib = true;
	return 0;
}

static int with_isal(void **state)
{
	(void)state;
	compress_force_zlib = false;
	return 0;
}

#define BOTH(test)                                                \
	cmocka_unit_test(test),                                   \
	{                                                         \
#test " (zlib)", test, with_zlib, with_isal, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_streams),
		BOTH(test_every_cut_is_an_error),
		BOTH(test_trailer_is_verified),
		BOTH(test_limit_of_bytes),
		BOTH(test_bomb_stops_early),
		BOTH(test_small_dense_data_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

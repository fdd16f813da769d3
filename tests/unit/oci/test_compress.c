#include "oci/compress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/process.h"
#include "tests/unit/oci/memory_source.h"

#define MIB ((size_t)1 << 20)

/* Half text, half noise, with repeats farther apart than a block: the same bytes in every run. */
static void sample(struct strbuf *out, size_t len)
{
	uint32_t x = 0x2545f491;

	strbuf_grow(out, len);
	while (out->len < len) {
		char word[32];
		int n;

		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		if ((out->len / (MIB / 2)) % 3 == 2) {
			strbuf_add(out, &x, sizeof(x));
			continue;
		}
		n = snprintf(word, sizeof(word), "path/%u/%x\n", x % 1000, (x >> 8) % 4096);
		strbuf_add(out, word, (size_t)n);
	}
	strbuf_truncate(out, len);
}

struct kind_case {
	enum compression kind;
	int level;
};
static const struct kind_case kinds[] = {
	{COMPRESSION_GZIP, 0}, {COMPRESSION_GZIP, 1}, {COMPRESSION_GZIP, 6},
	{COMPRESSION_ZSTD, 0}, {COMPRESSION_NONE, 0},
};
static const size_t sizes[] = {
	0, 1, 2, 1000, MIB - 1, MIB, MIB + 1, 2 * MIB, 2 * MIB + 17,
};

static void compress_bytes(struct strbuf *out, const struct strbuf *in, const struct kind_case *k,
			   size_t n_threads, size_t step)
{
	AUTO(error) err = ERROR_INIT;
	AUTO_PTR(pool) pool = n_threads ? pool_new(n_threads) : NULL;
	AUTO_PTR(compressor) c = NULL;
	struct strbuf_sink sink;

	strbuf_sink_init(&sink, out);
	assert_int_equal(compressor_new(&c, k->kind, k->level, pool, &sink.sink, &err), 0);
	for (size_t at = 0; at < in->len; at += step)
		assert_int_equal(sink_write(compressor_sink(c), in->buf + at,
					    in->len - at < step ? in->len - at : step, &err),
				 0);
	assert_int_equal(sink_close(compressor_sink(c), &err), 0);
}

/* Reads all; 0 or -1 as the decompressor says. */
static int decompress_bytes(struct strbuf *out, const char *data, size_t len, size_t in_step,
			    size_t out_step, int64_t max, enum compression *kind, struct error *err)
{
	struct memory_source m = {
		.source.read = memory_source_read, .data = data, .len = len, .step = in_step};
	AUTO_PTR(decompressor) d = NULL;
	AUTO_FREE char *buf = xmalloc(out_step);
	int64_t got;

	assert_int_equal(decompressor_new(&d, &m.source, max, err), 0);
	while ((got = source_read(decompressor_source(d), buf, out_step, err)) > 0)
		strbuf_add(out, buf, (size_t)got);
	if (kind)
		*kind = decompressor_kind(d);
	return got < 0 ? -1 : 0;
}

static void assert_same(const struct strbuf *a, const struct strbuf *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->buf, b->buf, a->len);
}

static void test_round_trip(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			AUTO(strbuf) in = STRBUF_INIT, packed = STRBUF_INIT, out = STRBUF_INIT;
			AUTO(error) err = ERROR_INIT;
			enum compression kind;

			sample(&in, sizes[i]);
			compress_bytes(&packed, &in, &kinds[k], 2, 100000);
			assert_int_equal(decompress_bytes(&out, packed.buf, packed.len, 70000,
							  50000, 1 << 30, &kind, &err),
					 0);
			assert_int_equal(kind, kinds[k].kind);
			assert_same(&in, &out);
			if (kind == COMPRESSION_GZIP && sizes[i] > MIB)
				assert_true(packed.len < in.len);
		}
}

static void test_threads_and_write_sizes_do_not_count(void **state)
{
	static const size_t threads[] = {1, 2, 8};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		AUTO(strbuf) in = STRBUF_INIT, plain = STRBUF_INIT;

		sample(&in, 5 * MIB + 12345);
		compress_bytes(&plain, &in, &kinds[k], 0, in.len);
		for (size_t t = 0; t < ARRAY_SIZE(threads); t++) {
			AUTO(strbuf) other = STRBUF_INIT;

			compress_bytes(&other, &in, &kinds[k], threads[t], 333333);
			assert_same(&plain, &other);
		}
	}
}

/* zlib, which knows nothing of our blocks, must see one member with nothing after it. */
static void test_one_member(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			AUTO(strbuf) in = STRBUF_INIT, packed = STRBUF_INIT;
			AUTO_FREE Bytef *out = xmalloc(sizes[i] + 1);
			z_stream z = {0};

			if (kinds[k].kind != COMPRESSION_GZIP)
				continue;
			sample(&in, sizes[i]);
			compress_bytes(&packed, &in, &kinds[k], 2, in.len ? in.len : 1);
			assert_memory_equal(packed.buf, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
			assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
			z.next_in = (Bytef *)packed.buf;
			z.avail_in = (uInt)packed.len;
			z.next_out = out;
			z.avail_out = (uInt)(sizes[i] + 1);
			assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
			assert_int_equal(z.avail_in, 0);
			assert_int_equal(z.total_out, sizes[i]);
			assert_memory_equal(out, in.buf, sizes[i]);
			inflateEnd(&z);
		}
}

static int run_tool(const char *const *argv, const struct strbuf *input, struct strbuf *out)
{
	AUTO(error) err = ERROR_INIT;
	struct process_options o = {
		.path = argv[0], .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	int status = -1;

	o.argv = (char *const *)(uintptr_t)argv;
	if (process_capture(&o, input->buf, input->len, out, NULL, 60000, NULL, &status, &err) < 0)
		fail_msg("%s: %s", argv[0], err.message);
	return status;
}

static void test_other_tools_read_it(void **state)
{
	static const char *const gzip_test[] = {"gzip", "-t", NULL};
	static const char *const gunzip[] = {"gzip", "-dc", NULL};
	static const char *const python[] = {
		"python3", "-c",
		"import gzip,sys;sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))",
		NULL};

	(void)state;
	for (size_t k = 0; kinds[k].kind == COMPRESSION_GZIP; k++) {
		AUTO(strbuf)
		in = STRBUF_INIT, packed = STRBUF_INIT, a = STRBUF_INIT, b = STRBUF_INIT;

		sample(&in, 3 * MIB + 5);
		compress_bytes(&packed, &in, &kinds[k], 2, 65536);
		assert_int_equal(run_tool(gzip_test, &packed, NULL), 0);
		assert_int_equal(run_tool(gunzip, &packed, &a), 0);
		assert_same(&in, &a);
		assert_int_equal(run_tool(python, &packed, &b), 0);
		assert_same(&in, &b);
	}
}

/* RFC 1951 stored blocks: 16 of 65535 bytes and one of 16 in each MiB. */
static void test_noise_grows_by_stored_headers_only(void **state)
{
	AUTO(strbuf) in = STRBUF_INIT, packed = STRBUF_INIT;
	uint64_t x = 88172645463325252ull;

	(void)state;
	for (size_t i = 0; i < 4 * MIB / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		strbuf_add(&in, &x, sizeof(x));
	}
	compress_bytes(&packed, &in, &kinds[0], 2, MIB);
	assert_true(packed.len <= in.len + 4 * 17 * 5 + 18);
}

static int failing_write(struct sink *s, const void *data, size_t len, struct error *err)
{
	(void)s;
	(void)data;
	(void)len;
	return error_set(err, ERROR_SYSTEM, "disk full");
}

static void test_error_of_next_sink_comes_back(void **state)
{
	AUTO(strbuf) in = STRBUF_INIT;

	(void)state;
	sample(&in, 9 * MIB);
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		AUTO(error) err = ERROR_INIT;
		AUTO_PTR(pool) pool = pool_new(2);
		AUTO_PTR(compressor) c = NULL;
		struct sink broken = {.write = failing_write};
		int result;

		assert_int_equal(
			compressor_new(&c, kinds[k].kind, kinds[k].level, pool, &broken, &err), 0);
		result = sink_write(compressor_sink(c), in.buf, in.len, &err);
		if (result == 0)
			result = sink_close(compressor_sink(c), &err);
		else
			assert_int_equal(sink_close(compressor_sink(c), NULL), -1);
		assert_int_equal(result, -1);
		assert_string_equal(err.message, "disk full");
	}
}

/* Freed in the middle, as after an error elsewhere: no leak, no job left behind. */
static void test_free_without_close(void **state)
{
	AUTO(strbuf) in = STRBUF_INIT, packed = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;
	AUTO_PTR(pool) pool = pool_new(2);
	struct compressor *c = NULL;
	struct strbuf_sink sink;

	(void)state;
	sample(&in, 6 * MIB);
	strbuf_sink_init(&sink, &packed);
	assert_int_equal(compressor_new(&c, COMPRESSION_GZIP, 0, pool, &sink.sink, &err), 0);
	assert_int_equal(sink_write(compressor_sink(c), in.buf, in.len, &err), 0);
	compressor_free(c);
}

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int result;
		enum compression kind;
		int level;
	} rows[] = {
		{"gzip", 0, COMPRESSION_GZIP, 0},
		{"gzip:zlib-1", 0, COMPRESSION_GZIP, 1},
		{"gzip:zlib-9", 0, COMPRESSION_GZIP, 9},
		{"zstd", 0, COMPRESSION_ZSTD, 0},
		{"zstd:1", 0, COMPRESSION_ZSTD, 1},
		{"zstd:22", 0, COMPRESSION_ZSTD, 22},
		{"none", 0, COMPRESSION_NONE, 0},
		{"uncompressed", 0, COMPRESSION_NONE, 0},
		{"gzip:zlib-0", -1, 0, 0},
		{"gzip:zlib-10", -1, 0, 0},
		{"gzip:zlib-", -1, 0, 0},
		{"gzip:6", -1, 0, 0},
		{"zstd:0", -1, 0, 0},
		{"zstd:23", -1, 0, 0},
		{"zstd:-1", -1, 0, 0},
		{"zstd:9x", -1, 0, 0},
		{"GZIP", -1, 0, 0},
		{"", -1, 0, 0},
		{"lz4", -1, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(error) err = ERROR_INIT;
		enum compression kind = COMPRESSION_NONE;
		int level = 0;

		assert_int_equal(compression_parse(rows[i].text, &kind, &level, &err),
				 rows[i].result);
		if (rows[i].result < 0) {
			assert_int_equal(err.kind, ERROR_USAGE);
			continue;
		}
		assert_int_equal(kind, rows[i].kind);
		assert_int_equal(level, rows[i].level);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_threads_and_write_sizes_do_not_count),
		cmocka_unit_test(test_one_member),
		cmocka_unit_test(test_other_tools_read_it),
		cmocka_unit_test(test_noise_grows_by_stored_headers_only),
		cmocka_unit_test(test_error_of_next_sink_comes_back),
		cmocka_unit_test(test_free_without_close),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

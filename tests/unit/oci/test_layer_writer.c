#include "oci/layer_writer.h"

#include <stdlib.h>

#include "base/process.h"
#include "oci/layer_index.h"
#include "oci/layer_reader.h"
#include "tests/unit/oci/memory_source.h"
#include "tests/unit/oci/store_fixture.h"
#include "tests/unit/oci/tar_build.h"

#define TIME 1700000000

static const uint8_t capability[20] = {1, 0, 0, 2, 0, 4};
static const struct xattr xattrs[] = {
	{"security.capability", capability, sizeof(capability)},
	{"user.note", "a\0b", 3},
};

static const struct {
	struct entry entry;
	const char *content;
} rows[] = {
	{{.type = ENTRY_DIR, .path = "", .mode = 0755, .mtime = TIME}, NULL},
	{{.type = ENTRY_WHITEOUT, .path = "gone"}, NULL},
	{{.type = ENTRY_DIR, .path = "bin", .mode = 0755, .mtime = TIME}, NULL},
	{{.type = ENTRY_FILE,
	  .path = "bin/ping",
	  .mode = 04755,
	  .uid = 3000000,
	  .gid = 4,
	  .size = 5,
	  .mtime = TIME,
	  .xattrs = xattrs,
	  .n_xattrs = 2},
	 "hello"},
	{{.type = ENTRY_HARDLINK, .path = "bin/ping4", .link = "bin/ping"}, NULL},
	{{.type = ENTRY_FILE, .path = "caf\xc3\xa9", .mode = 0644, .mtime = -5}, ""},
	{{.type = ENTRY_CHAR, .path = "console", .mode = 0600, .dev_major = 5, .dev_minor = 1},
	 NULL},
	{{.type = ENTRY_FIFO, .path = "fifo", .mode = 0600}, NULL},
	{{.type = ENTRY_SYMLINK, .path = "lib", .link = "usr/lib", .mode = 0777}, NULL},
	{{.type = ENTRY_DIR, .path = "var", .mode = 0700}, NULL},
	{{.type = ENTRY_OPAQUE, .path = "var"}, NULL},
	{{.type = ENTRY_WHITEOUT, .path = "var/log"}, NULL},
	{{.type = ENTRY_FILE, .path = "var/zzz", .mode = 0600, .size = 3}, "zzz"},
};

static int add_row(struct layer_writer *w, size_t i, struct error *err)
{
	struct memory_source m = memory_source(rows[i].content, (size_t)rows[i].entry.size);

	return layer_writer_add(w, &rows[i].entry, rows[i].content ? &m.source : NULL, err);
}

static void write_rows(struct fixture *f, const struct layer_options *o, struct layer *layer)
{
	AUTO_PTR(layer_writer) w = NULL;

	assert_ok(f, layer_writer_open(&w, f->store, o, &f->err));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_ok(f, add_row(w, i, &f->err));
	assert_ok(f, layer_writer_finish(w, layer, &f->err));
}

/* content NULL: not compared. */
static void assert_entry(const struct entry *got, const struct entry *want, const char *content)
{
	assert_int_equal(got->type, want->type);
	assert_string_equal(got->path, want->path);
	if (want->link)
		assert_string_equal(got->link, want->link);
	if (want->type == ENTRY_WHITEOUT || want->type == ENTRY_OPAQUE ||
	    want->type == ENTRY_HARDLINK)
		return;
	assert_int_equal(got->mode, want->mode);
	assert_int_equal(got->uid, want->uid);
	assert_int_equal(got->gid, want->gid);
	assert_int_equal(got->mtime, want->mtime);
	assert_int_equal(got->size, want->size);
	assert_int_equal(got->dev_major, want->dev_major);
	assert_int_equal(got->dev_minor, want->dev_minor);
	assert_int_equal(got->n_xattrs, want->n_xattrs);
	for (size_t i = 0; i < want->n_xattrs; i++) {
		assert_string_equal(got->xattrs[i].name, want->xattrs[i].name);
		assert_int_equal(got->xattrs[i].len, want->xattrs[i].len);
		assert_memory_equal(got->xattrs[i].value, want->xattrs[i].value,
				    want->xattrs[i].len);
	}
	if (content && want->type == ENTRY_FILE) {
		uint8_t sum[SHA256_SIZE];

		sha256_buf(content, strlen(content), sum);
		assert_true(got->has_content);
		assert_memory_equal(got->content, sum, sizeof(sum));
	}
}

/* What went in comes out, of the blob and of the index, for each compression. */
static void test_round_trip(void **state)
{
	static const struct {
		enum compression kind;
		const char *media;
	} kinds[] = {
		{COMPRESSION_GZIP, MEDIA_OCI_LAYER_GZIP},
		{COMPRESSION_ZSTD, MEDIA_OCI_LAYER_ZSTD},
		{COMPRESSION_NONE, MEDIA_OCI_LAYER},
	};
	struct fixture *f = *state;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		const struct layer_options o = {.compression = kinds[k].kind, .mtime_limit = -1};
		AUTO(layer) layer = {0};
		AUTO_PTR(layer_reader) r = NULL;
		AUTO_PTR(index_reader) index = NULL;
		struct digest diff;
		int64_t bytes;

		write_rows(f, &o, &layer);
		assert_string_equal(layer.descriptor.media_type, kinds[k].media);
		assert_true(store_has(f->store, &layer.descriptor.digest, layer.descriptor.size));
		assert_ok(f, layer_meta_get(f->store, &layer.descriptor.digest, &diff, &bytes,
					    &f->err));
		assert_string_equal(diff.text, layer.diff_id.text);
		assert_int_equal(bytes, layer.uncompressed);
		assert_ok(f, layer_reader_open(&r, f->store, &layer.descriptor, &layer.diff_id,
					       &f->err));
		assert_ok(f, index_reader_open(&index, f->store, &layer.diff_id, &f->err));
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			const struct entry *e;
			struct entry from_index;

			assert_int_equal(layer_reader_next(r, &e, &f->err), 1);
			assert_entry(e, &rows[i].entry, NULL);
			assert_int_equal(index_reader_next(index, &from_index, &f->err), 1);
			assert_entry(&from_index, &rows[i].entry, rows[i].content);
		}
		const struct entry *e;
		struct entry from_index;
		assert_int_equal(layer_reader_next(r, &e, &f->err), 0);
		assert_int_equal(layer_reader_bytes(r), layer.uncompressed);
		assert_int_equal(index_reader_next(index, &from_index, &f->err), 0);
		assert_int_equal(index_reader_next(index, &from_index, &f->err), 0);
	}
}

/* Diff ID and digest are what sha256sum says of the tar and of the blob. */
static void test_identities(void **state)
{
	static const char script[] = "gzip -dc \"$1\" | sha256sum; sha256sum < \"$1\"";
	const struct layer_options o = {.compression = COMPRESSION_GZIP, .mtime_limit = -1};
	struct fixture *f = *state;
	AUTO(layer) layer = {0};
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO(strbuf) want = STRBUF_INIT;
	char name[STORE_BLOB_PATH];
	int status;

	write_rows(f, &o, &layer);
	store_blob_path(&layer.descriptor.digest, name);
	AUTO_FREE char *path = store_path(f->store, "%s", name);
	const char *const argv[] = {"sh", "-c", script, "sh", path, NULL};
	struct process_options p = {.path = "sh",
				    .argv = (char *const *)(uintptr_t)argv,
				    .stdin_fd = -1,
				    .stdout_fd = -1,
				    .stderr_fd = -1};

	assert_ok(f, process_capture(&p, NULL, 0, &out, NULL, 60000, NULL, &status, &f->err));
	strbuf_printf(&want, "%s  -\n%s  -\n", digest_hex(&layer.diff_id),
		      digest_hex(&layer.descriptor.digest));
	assert_string_equal(out.buf, want.buf);
}

/* The same bytes with any number of threads, and the clamp of times. */
static void test_determinism(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(pool) pool = pool_new(3);
	struct layer_options o = {.compression = COMPRESSION_GZIP, .mtime_limit = 1000};
	AUTO(layer) one = {0};
	AUTO(layer) three = {0};
	AUTO_PTR(index_reader) index = NULL;
	struct entry e;

	write_rows(f, &o, &one);
	o.pool = pool;
	write_rows(f, &o, &three);
	assert_string_equal(one.descriptor.digest.text, three.descriptor.digest.text);
	assert_ok(f, index_reader_open(&index, f->store, &one.diff_id, &f->err));
	while (index_reader_next(index, &e, &f->err) > 0)
		assert_true(e.mtime <= 1000);
}

static void test_empty_layer(void **state)
{
	const struct layer_options o = {.compression = COMPRESSION_NONE, .mtime_limit = -1};
	struct fixture *f = *state;
	AUTO_PTR(layer_writer) w = NULL;
	AUTO(layer) layer = {0};
	AUTO(strbuf) end = STRBUF_INIT;
	struct digest want;

	tar_end(&end);
	want = digest_of(end.buf, end.len);
	assert_ok(f, layer_writer_open(&w, f->store, &o, &f->err));
	assert_ok(f, layer_writer_finish(w, &layer, &f->err));
	assert_string_equal(layer.diff_id.text, want.text);
	assert_string_equal(layer.descriptor.digest.text, want.text);
	assert_int_equal(layer.descriptor.size, 1024);
}

static void test_refused(void **state)
{
	static const struct {
		const char *first, *path, *why;
	} names[] = {
		{NULL, ".wh.x", "rename or leave out"},
		{NULL, "a/.wh.x", "rename or leave out"},
		{NULL, "a/.wh.x/b", "rename or leave out"},
		{NULL, "/a", "cannot be a path"},
		{NULL, "a/../b", "cannot be a path"},
		{"a", "a", "out of order"},
		{"b", "a", "out of order"},
		{"a-", "a/b", "out of order"},
	};
	const struct layer_options o = {.compression = COMPRESSION_GZIP, .mtime_limit = -1};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_PTR(layer_writer) w = NULL;
		struct entry e = {.type = ENTRY_DIR, .path = names[i].first, .mode = 0755};

		assert_ok(f, layer_writer_open(&w, f->store, &o, &f->err));
		if (names[i].first)
			assert_ok(f, layer_writer_add(w, &e, NULL, &f->err));
		e.path = names[i].path;
		assert_fails(f, ERROR_UNSUPPORTED, names[i].why,
			     layer_writer_add(w, &e, NULL, &f->err));
	}
}

static size_t count_files(struct fixture *f, const char *folder)
{
	AUTO_FREE char *path = store_path(f->store, "%s", folder);
	const char *const argv[] = {"find", path, "-type", "f", NULL};
	struct process_options p = {.path = "find",
				    .argv = (char *const *)(uintptr_t)argv,
				    .stdin_fd = -1,
				    .stdout_fd = -1,
				    .stderr_fd = -1};
	AUTO(strbuf) out = STRBUF_INIT;
	size_t n = 0;
	int status;

	assert_ok(f, process_capture(&p, NULL, 0, &out, NULL, 60000, NULL, &status, &f->err));
	for (size_t i = 0; i < out.len; i++)
		n += out.buf[i] == '\n';
	return n;
}

/* A layer that is given up leaves nothing. */
static void test_nothing_left_behind(void **state)
{
	const struct layer_options o = {.compression = COMPRESSION_GZIP, .mtime_limit = -1};
	struct fixture *f = *state;
	struct layer_writer *w = NULL;
	struct memory_source m = memory_source("abc", 3);
	const struct entry e = {.type = ENTRY_FILE, .path = "log", .size = 4};

	assert_ok(f, layer_writer_open(&w, f->store, &o, &f->err));
	assert_fails(f, ERROR_CORRUPT, "shrank", layer_writer_add(w, &e, &m.source, &f->err));
	layer_writer_free(w);
	assert_int_equal(count_files(f, "ingest"), 0);
	assert_int_equal(count_files(f, "blobs"), 0);
}

static void test_meta_that_is_damaged_is_lost(void **state)
{
	static const char *const texts[] = {"x", "sha256:12 5\n", "junk 5\n", " \n"};
	struct fixture *f = *state;
	struct digest blob = digest_of("b", 1), diff = digest_of("d", 1), found;
	int64_t bytes;

	assert_fails(f, ERROR_NOT_FOUND, "",
		     layer_meta_get(f->store, &blob, &found, &bytes, &f->err));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_ok(f, store_meta_put(f->store, "diff", digest_hex(&blob), texts[i],
					    strlen(texts[i]), &f->err));
		assert_fails(f, ERROR_NOT_FOUND, "damaged",
			     layer_meta_get(f->store, &blob, &found, &bytes, &f->err));
	}
	assert_ok(f, layer_meta_put(f->store, &blob, &diff, 77, &f->err));
	assert_ok(f, layer_meta_get(f->store, &blob, &found, &bytes, &f->err));
	assert_string_equal(found.text, diff.text);
	assert_int_equal(bytes, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_round_trip),
		store_test(test_identities),
		store_test(test_determinism),
		store_test(test_empty_layer),
		store_test(test_refused),
		store_test(test_nothing_left_behind),
		store_test(test_meta_that_is_damaged_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

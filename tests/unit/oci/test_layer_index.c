#include "oci/layer_index.h"

#include <stdlib.h>

#include "oci/layer_writer.h"
#include "tests/unit/oci/store_fixture.h"
#include "tests/unit/oci/tar_build.h"

static char *index_path(struct fixture *f, const struct digest *diff)
{
	return store_path(f->store, "meta/index/%s", digest_hex(diff));
}

static void write_index(struct fixture *f, const struct digest *diff, size_t n)
{
	AUTO_PTR(index_writer) w = index_writer_new(f->store);

	for (size_t i = 0; i < n; i++) {
		char path[64];
		struct entry e = {.type = ENTRY_FILE,
				  .path = path,
				  .mode = 0644,
				  .size = (int64_t)(i * i),
				  .mtime = (int64_t)i - 5,
				  .has_content = true};

		snprintf(path, sizeof(path), "usr/share/d%zu/file%zu", i / 50, i);
		memset(e.content, (int)(i % 251), sizeof(e.content));
		assert_ok(f, index_writer_add(w, &e, &f->err));
	}
	assert_ok(f, index_writer_commit(w, diff, &f->err));
}

static void test_many_entries(void **state)
{
	struct fixture *f = *state;
	struct digest diff = digest_of("many", 4);
	AUTO_PTR(index_reader) r = NULL;
	struct entry e;
	size_t n = 0;

	write_index(f, &diff, 13000);
	assert_ok(f, index_reader_open(&r, f->store, &diff, &f->err));
	while (index_reader_next(r, &e, &f->err) > 0) {
		char path[64], name[32];

		snprintf(name, sizeof(name), "file%zu", n);
		snprintf(path, sizeof(path), "usr/share/d%zu/%s", n / 50, name);
		assert_string_equal(e.path, path);
		assert_string_equal(index_reader_name(r), name);
		assert_int_equal(e.size, n * n);
		assert_int_equal(e.mtime, (int64_t)n - 5);
		assert_int_equal(e.content[31], n % 251);
		assert_memory_equal(index_reader_content(r), e.content, 32);
		n++;
	}
	assert_int_equal(n, 13000);
}

/* Any bit that flips is found by the checksum, and the file is removed so that it is made again. */
static void test_damage(void **state)
{
	struct fixture *f = *state;
	struct digest diff = digest_of("damage", 6);

	for (size_t i = 0; i < 60; i++) {
		AUTO_FREE char *path = index_path(f, &diff);
		AUTO_PTR(index_reader) r = NULL;
		AUTO_FD int fd = -1;
		struct stat st;
		char byte;

		write_index(f, &diff, 20);
		fd = open(path, O_RDWR);
		assert_true(fd >= 0);
		fstat(fd, &st);
		assert_int_equal(pread(fd, &byte, 1, (off_t)i * st.st_size / 60), 1);
		byte ^= (char)(1 << (i % 8));
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)i * st.st_size / 60), 1);
		assert_fails(f, ERROR_CORRUPT, "damaged",
			     index_reader_open(&r, f->store, &diff, &f->err));
		assert_fails(f, ERROR_NOT_FOUND, "",
			     index_reader_open(&r, f->store, &diff, &f->err));
	}
}

static void test_cut(void **state)
{
	struct fixture *f = *state;
	struct digest diff = digest_of("cut", 3);
	AUTO_FREE char *path = index_path(f, &diff);

	for (off_t len = 0; len < 400; len += 7) {
		AUTO_PTR(index_reader) r = NULL;

		write_index(f, &diff, 10);
		assert_int_equal(truncate(path, len), 0);
		assert_fails(f, ERROR_CORRUPT, "damaged",
			     index_reader_open(&r, f->store, &diff, &f->err));
	}
}

/* A file with a right checksum is still held to the rules of paths: what is wrong in it is no crash and no escape. */
static void test_rules_inside(void **state)
{
	static const struct {
		const char *record;
		size_t len;
	} rows[] = {
		{"\x01\x00\x04../x\x00\x00\x00\x00\x00", 11}, /* ".." */
		{"\x01\x00\x02/a\x00\x00\x00\x00\x00", 9},    /* absolute */
		{"\x01\x05\x01"
		 "a\x00\x00\x00\x00\x00",
		 8}, /* shares what is not there */
		{"\x01\x00\x7f"
		 "a\x00\x00\x00\x00\x00",
		 8}, /* longer than the file */
		{"\x01\x00\x01"
		 "aa\x00\x00\x00\x00",
		 8}, /* no NUL after it */
		{"\x0f\x00\x01"
		 "a\x00\x00\x00\x00\x00",
		 8}, /* no such type */
		{"\x41\x00\x01"
		 "a\x00\x00\x00\x00\x00",
		 8}, /* no such flag */
		{"\x11\x00\x01"
		 "a\x00\x00\x00\x00\x00",
		 8}, /* content of a folder */
		{"\x03\x00\x01"
		 "a\x00\x02..\x00",
		 8}, /* hard link to ".." */
		{"\x02\x00\x01"
		 "a\x00\x00\x00\x00\x00\x00\x00",
		 10}, /* symbolic link to nothing */
		{"\x01\x00\x01"
		 "a\x00\x80\x80\x01\x00\x00\x00",
		 10}, /* mode beyond 07777 */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strbuf) sb = STRBUF_INIT;
		AUTO_PTR(index_reader) r = NULL;
		uint8_t sum[SHA256_SIZE];
		struct entry e;

		strbuf_puts(&sb, "slipway index 1\n");
		strbuf_add(&sb, rows[i].record, rows[i].len);
		strbuf_add(&sb, "\xff\x01", 2);
		sha256_buf(sb.buf, sb.len, sum);
		strbuf_add(&sb, sum, sizeof(sum));
		assert_ok(f, index_reader_open_memory(&r, sb.buf, sb.len, &f->err));
		assert_fails(f, ERROR_CORRUPT, "damaged", index_reader_next(r, &e, &f->err));
	}
}

/* From a blob made by hand: the index is made once, with the contents' hashes, and meta tells of the layer. */
static void test_ensure(void **state)
{
	struct fixture *f = *state;
	AUTO(strbuf) tar = STRBUF_INIT;
	AUTO(descriptor) d = {0};
	AUTO_PTR(index_reader) r = NULL;
	struct digest diff, wrong = digest_of("other", 5), found;
	uint8_t sum[SHA256_SIZE];
	struct entry e;
	int64_t bytes;

	tar_dir(&tar, "./d/");
	tar_file(&tar, "./d/f", "some content");
	tar_file(&tar, "./d/.wh.x", "");
	tar_end(&tar);
	diff = digest_of(tar.buf, tar.len);
	assert_ok(f, store_put(f->store, MEDIA_OCI_LAYER, tar.buf, tar.len, &d, &f->err));
	assert_fails(f, ERROR_CORRUPT, "diff ID",
		     layer_index_ensure(f->store, &d, &wrong, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "", index_reader_open(&r, f->store, &wrong, &f->err));
	assert_ok(f, layer_index_ensure(f->store, &d, &diff, &f->err));
	assert_ok(f, layer_meta_get(f->store, &d.digest, &found, &bytes, &f->err));
	assert_string_equal(found.text, diff.text);
	assert_int_equal(bytes, tar.len);
	assert_ok(f, index_reader_open(&r, f->store, &diff, &f->err));
	assert_int_equal(index_reader_next(r, &e, &f->err), 1);
	assert_string_equal(e.path, "d");
	assert_int_equal(index_reader_next(r, &e, &f->err), 1);
	assert_string_equal(e.path, "d/f");
	sha256_buf("some content", 12, sum);
	assert_memory_equal(e.content, sum, sizeof(sum));
	assert_int_equal(index_reader_next(r, &e, &f->err), 1);
	assert_int_equal(e.type, ENTRY_WHITEOUT);
	assert_int_equal(index_reader_next(r, &e, &f->err), 0);
	/* The second time the blob is not needed. */
	assert_ok(f, store_delete_blob(f->store, &d.digest, &f->err));
	assert_ok(f, layer_index_ensure(f->store, &d, &diff, &f->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_many_entries), store_test(test_damage), store_test(test_cut),
		store_test(test_rules_inside), store_test(test_ensure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

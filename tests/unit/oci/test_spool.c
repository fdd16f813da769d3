#include "oci/spool.h"

#include <dirent.h>
#include <stdlib.h>

#include "oci/layer_writer.h"
#include "tests/unit/oci/store_fixture.h"
#include "tests/unit/oci/tar_build.h"

#define LAYERS_MAX 3

struct image_of_tars {
	struct fixture *f;
	struct tree *tree;
	struct descriptor layers[LAYERS_MAX];
	struct digest diff_ids[LAYERS_MAX];
	size_t n;
};

static void add_layer(struct image_of_tars *im, struct strbuf *tar)
{
	struct fixture *f = im->f;
	size_t i = im->n++;

	tar_end(tar);
	im->diff_ids[i] = digest_of(tar->buf, tar->len);
	assert_ok(f, store_put(f->store, MEDIA_OCI_LAYER, tar->buf, tar->len, &im->layers[i],
			       &f->err));
	assert_ok(f, layer_index_ensure(f->store, &im->layers[i], &im->diff_ids[i], &f->err));
	assert_ok(f, tree_add_layer(im->tree, f->store, &im->diff_ids[i], &f->err));
}

static void image_of_tars_release(struct image_of_tars *im)
{
	tree_free(im->tree);
	for (size_t i = 0; i < im->n; i++)
		descriptor_release(&im->layers[i]);
}
CLEANUP_RELEASE(image_of_tars)

static void make_image(struct image_of_tars *im, struct fixture *f)
{
	AUTO(strbuf) lower = STRBUF_INIT;
	AUTO(strbuf) upper = STRBUF_INIT;

	*im = (struct image_of_tars){.f = f, .tree = tree_new()};
	tar_dir(&lower, "./etc/");
	tar_file(&lower, "./etc/passwd", "root:x:0:0::/root:/bin/sh\n");
	tar_file(&lower, "./etc/group", "root:x:0:\n");
	tar_link(&lower, '2', "lib", "usr/lib");
	tar_dir(&lower, "usr/lib");
	tar_file(&lower, "lib/moved", "through a link");
	tar_file(&lower, "one", "one file");
	tar_link(&lower, '1', "two", "one");
	tar_file(&lower, "empty", "");
	tar_file(&lower, "twice", "first");
	tar_link(&lower, '1', "keeps-first", "twice");
	tar_file(&lower, "twice", "second");
	tar_link(&lower, '2', "etc/link", "passwd");
	add_layer(im, &lower);
	tar_file(&upper, "etc/group", "root:x:0:\nusers:x:100:\n");
	tar_file(&upper, "lib/new", "upper");
	add_layer(im, &upper);
}

static const struct {
	const char *path, *content;
} files[] = {
	{"etc/passwd", "root:x:0:0::/root:/bin/sh\n"},
	{"etc/group", "root:x:0:\nusers:x:100:\n"},
	{"usr/lib/moved", "through a link"},
	{"usr/lib/new", "upper"},
	{"one", "one file"},
	{"two", "one file"},
	{"empty", ""},
	{"twice", "second"},
	{"keeps-first", "first"},
};

static size_t count_in_ingest(struct fixture *f)
{
	AUTO_FREE char *path = store_path(f->store, "ingest");
	DIR *d = opendir(path);
	size_t n = 0;

	for (const struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void test_files(void **state)
{
	struct fixture *f = *state;
	AUTO(image_of_tars) im = {0};
	struct spool *sp = NULL;

	make_image(&im, f);
	assert_ok(f, spool_open(&sp, f->store, &f->err));
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		spool_want(sp, tree_lookup(im.tree, files[i].path, false));
		spool_want(sp, tree_lookup(im.tree, files[i].path, false));
	}
	spool_want(sp, tree_lookup(im.tree, "etc", false));
	assert_ok(f, spool_fill(sp, im.layers, im.diff_ids, im.n, &f->err));
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		for (int again = 0; again < 2; again++) {
			const struct tree_node *n = tree_lookup(im.tree, files[i].path, false);
			AUTO_FILE FILE *copy = tmpfile();
			struct spool_source in;
			char got[1000] = "";

			assert_ok(f, spool_source(&in, sp, n, &f->err));
			assert_int_equal(source_read(&in.source, got, sizeof(got) - 1, &f->err),
					 strlen(files[i].content));
			assert_string_equal(got, files[i].content);
			assert_int_equal(source_read(&in.source, got, sizeof(got), &f->err), 0);

			memset(got, 0, sizeof(got));
			assert_ok(f, spool_copy(sp, n, fileno(copy), "copy", &f->err));
			assert_true(pread(fileno(copy), got, sizeof(got) - 1, 0) >= 0);
			assert_string_equal(got, files[i].content);
		}
	spool_free(sp);
	assert_int_equal(count_in_ingest(f), 0);
}

static void test_what_was_not_wanted(void **state)
{
	struct fixture *f = *state;
	AUTO(image_of_tars) im = {0};
	AUTO_PTR(spool) sp = NULL;
	struct spool_source in;

	make_image(&im, f);
	assert_ok(f, spool_open(&sp, f->store, &f->err));
	assert_ok(f, spool_fill(sp, im.layers, im.diff_ids, im.n, &f->err));
	assert_fails(f, ERROR_CORRUPT, "/one was not asked for",
		     spool_source(&in, sp, tree_lookup(im.tree, "one", false), &f->err));
}

/* A blob that lost its bytes since it was indexed is told, and never gives other bytes. */
static void test_damaged_layer(void **state)
{
	struct fixture *f = *state;
	AUTO(image_of_tars) im = {0};
	AUTO_PTR(spool) sp = NULL;
	char name[STORE_BLOB_PATH];
	int fd;

	make_image(&im, f);
	store_blob_path(&im.layers[0].digest, name);
	assert_int_equal(fchmodat(store_dirfd(f->store), name, 0600, 0), 0);
	fd = openat(store_dirfd(f->store), name, O_RDWR | O_CLOEXEC);
	/* Into the content of etc/passwd: after a folder's header and its own. */
	assert_int_equal(pwrite(fd, "evil", 4, 2 * TAR_BLOCK), 4);
	close(fd);
	assert_ok(f, spool_open(&sp, f->store, &f->err));
	spool_want(sp, tree_lookup(im.tree, "etc/passwd", false));
	assert_fails(f, ERROR_CORRUPT, im.layers[0].digest.text,
		     spool_fill(sp, im.layers, im.diff_ids, im.n, &f->err));
	assert_false(store_has(f->store, &im.layers[0].digest, -1));
}

static void test_read_small(void **state)
{
	static const struct {
		const char *path;
		size_t limit;
		enum error_kind kind;
		const char *text; /* content, or a part of the message */
	} rows[] = {
		{"/etc/passwd", 100, ERROR_NONE, "root:x:0:0::/root:/bin/sh\n"},
		{"etc/link", 100, ERROR_NONE, "root:x:0:0::/root:/bin/sh\n"},
		{"etc/passwd", 26, ERROR_NONE, "root:x:0:0::/root:/bin/sh\n"},
		{"etc/passwd", 25, ERROR_CORRUPT, "larger than 25 bytes"},
		{"empty", 0, ERROR_NONE, ""},
		{"etc", 100, ERROR_NOT_FOUND, "has no file"},
		{"nothing", 100, ERROR_NOT_FOUND, "has no file"},
	};
	struct fixture *f = *state;
	AUTO(image_of_tars) im = {0};

	make_image(&im, f);
	/* The second round is answered from what the first one learned. */
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		AUTO(strbuf) got = STRBUF_INIT;
		const size_t r = i % ARRAY_SIZE(rows);
		int result = spool_read_small(f->store, im.tree, im.layers, im.diff_ids, im.n,
					      rows[r].path, rows[r].limit, &got, &f->err);

		if (rows[r].kind == ERROR_NONE) {
			assert_ok(f, result);
			assert_string_equal(got.buf, rows[r].text);
			continue;
		}
		assert_int_equal(result, -1);
		assert_int_equal(f->err.kind, rows[r].kind);
		assert_non_null(strstr(f->err.message, rows[r].text));
		error_clear(&f->err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_files),
		store_test(test_what_was_not_wanted),
		store_test(test_damaged_layer),
		store_test(test_read_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

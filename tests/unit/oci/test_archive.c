#include "archive_fixture.h"

static void save_fails(struct fixture *f, const char *name, enum error_kind kind, const char *part)
{
	AUTO_FREE char *path = save_names(f, ARCHIVE_HYBRID, &name, 1);

	if (path)
		fail_msg("%s was saved", name);
	if (f->err.kind != kind || !strstr(f->err.message, part))
		fail_msg("%s: %s", error_kind_name(f->err.kind), f->err.message);
	error_clear(&f->err);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Documents first, then every blob once, by digest: told by tar. */
static void test_listing(void **state)
{
	static const char *const names[] = {"app:one", "app:two"};
	struct fixture *f = *state;
	AUTO_PTR(image) one = make_image(f, "x", 1);
	AUTO_PTR(image) two = make_image(f, "x", 2);
	AUTO(strlist) blobs = STRLIST_INIT;
	AUTO(strbuf) want = STRBUF_INIT;

	tag(f, "app:one", &one->descriptor);
	tag(f, "app:two", &two->descriptor);
	AUTO_FREE char *path = save_names(f, ARCHIVE_HYBRID, names, 2);

	assert_non_null(path);
	AUTO_FREE char *listing = output_of("tar tf '%s'", path);

	strlist_addf(&blobs, "%s\n", digest_hex(&one->descriptor.digest));
	strlist_addf(&blobs, "%s\n", digest_hex(&one->manifest.config.digest));
	strlist_addf(&blobs, "%s\n", digest_hex(&two->descriptor.digest));
	strlist_addf(&blobs, "%s\n", digest_hex(&two->manifest.config.digest));
	strlist_addf(&blobs, "%s\n", digest_hex(&two->manifest.layers[0].digest));
	strlist_addf(&blobs, "%s\n", digest_hex(&two->manifest.layers[1].digest));
	qsort(blobs.items, blobs.n, sizeof(*blobs.items), compare_lines);
	strbuf_puts(&want, "oci-layout\nindex.json\nmanifest.json\nblobs/\nblobs/sha256/\n");
	for (size_t i = 0; i < blobs.n; i++)
		strbuf_printf(&want, "blobs/sha256/%s", blobs.items[i]);
	assert_string_equal(listing, want.buf);
}

static void test_documents(void **state)
{
	static const char *const names[] = {"127.0.0.1:5000/app:one"};
	struct fixture *f = *state;
	AUTO_PTR(image) one = make_image(f, "x", 2);

	tag(f, names[0], &one->descriptor);
	AUTO_FREE char *path = save_names(f, ARCHIVE_HYBRID, names, 1);
	AUTO_FREE char *manifest = output_of("tar xOf '%s' manifest.json", path);
	AUTO_FREE char *index = output_of("tar xOf '%s' index.json", path);
	AUTO_FREE char *layout = output_of("tar xOf '%s' oci-layout", path);
	AUTO_FREE char *want = xstrfmt(
		"[{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":[\"127.0.0.1:5000/app:one\"],"
		"\"Layers\":[\"blobs/sha256/%s\",\"blobs/sha256/%s\"]}]",
		digest_hex(&one->manifest.config.digest),
		digest_hex(&one->manifest.layers[0].digest),
		digest_hex(&one->manifest.layers[1].digest));
	AUTO_FREE char *in_store = fixture_read(f, "index.json");

	assert_string_equal(manifest, want);
	assert_string_equal(index, in_store);
	assert_string_equal(layout, "{\"imageLayoutVersion\":\"1.0.0\"}");
}

static void test_same_bytes(void **state)
{
	static const char *const names[] = {"app:one"};
	struct fixture *f = *state;
	AUTO_PTR(image) one = make_image(f, "x", 2);

	tag(f, names[0], &one->descriptor);
	AUTO_FREE char *path = save_names(f, ARCHIVE_HYBRID, names, 1);
	AUTO_FREE char *first = output_of("sha256sum '%s'", path);
	AUTO_FREE char *again = save_names(f, ARCHIVE_HYBRID, names, 1);
	AUTO_FREE char *second = output_of("sha256sum '%s'", again);

	assert_string_equal(first, second);
}

static void test_plain_oci(void **state)
{
	static const char *const names[] = {"app:one"};
	struct fixture *f = *state;
	AUTO_PTR(image) one = make_image(f, "x", 0);

	tag(f, names[0], &one->descriptor);
	AUTO_FREE char *path = save_names(f, ARCHIVE_OCI, names, 1);
	AUTO_FREE char *listing = output_of("tar tf '%s' | head -4", path);

	assert_string_equal(listing, "oci-layout\nindex.json\nblobs/\nblobs/sha256/\n");
}

/* Nameless images have no RepoTags, as docker writes it. */
static void test_unnamed(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) one = make_image(f, "x", 0);
	struct archive_item item = {.descriptor = one->descriptor};
	AUTO_FREE char *path = xstrfmt("%s/saved", f->folder);
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_ok(f, archive_save(f->store, &item, 1, ARCHIVE_HYBRID, fd, &f->err));
	AUTO_FREE char *manifest = output_of("tar xOf '%s' manifest.json", path);

	assert_non_null(strstr(manifest, "\"RepoTags\":null,\"Layers\":[]"));
}

static void test_incomplete(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) one = make_image(f, "x", 2);

	tag(f, "app:one", &one->descriptor);
	assert_ok(f, store_delete_blob(f->store, &one->manifest.layers[1].digest, &f->err));
	save_fails(f, "app:one", ERROR_NOT_FOUND, one->manifest.layers[1].digest.text);
}

static void test_damaged(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) one = make_image(f, "x", 2);
	char path[STORE_BLOB_PATH];

	tag(f, "app:one", &one->descriptor);
	store_blob_path(&one->manifest.layers[1].digest, path);
	fixture_write(f, path, "y-1", 3);
	save_fails(f, "app:one", ERROR_CORRUPT, one->manifest.layers[1].digest.text);
	assert_false(fixture_exists(f, path));
}

/* Of an index what is whole goes along. */
static void test_index(void **state)
{
	static const char *const platforms[] = {"linux/s390x", "linux/riscv64", "linux/ppc64le"};
	static const char *const names[] = {"multi:1"};
	struct fixture *f = *state;
	AUTO_PTR(image) one = make_image(f, "one", 1);
	AUTO_PTR(image) two = make_image(f, "two", 1);
	AUTO_PTR(image) three = make_image(f, "three", 1);
	struct image *images[] = {one, two, three};
	AUTO(descriptor) index = {0};

	make_index(f, images, platforms, 3, &index);
	tag(f, "multi:1", &index);
	assert_ok(f, store_delete_blob(f->store, &one->descriptor.digest, &f->err));
	assert_ok(f, store_delete_blob(f->store, &three->manifest.layers[0].digest, &f->err));
	AUTO_FREE char *path = save_names(f, ARCHIVE_HYBRID, names, 1);
	AUTO_FREE char *listing = output_of("tar tf '%s' | grep -c blobs/sha256/.", path);
	AUTO_FREE char *manifest = output_of("tar xOf '%s' manifest.json", path);

	/* The index; manifest, config and layer of the second. */
	assert_string_equal(listing, "4\n");
	assert_non_null(strstr(manifest, digest_hex(&two->manifest.config.digest)));
	assert_ok(f, store_delete_blob(f->store, &two->manifest.layers[0].digest, &f->err));
	save_fails(f, "multi:1", ERROR_NOT_FOUND, "no image of the index");
}

static void test_full_disk(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) one = make_image(f, "x", 1);
	struct archive_item item = {.descriptor = one->descriptor};
	AUTO_FD int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_fails(f, ERROR_SYSTEM, "No space left on device",
		     archive_save(f->store, &item, 1, ARCHIVE_HYBRID, fd, &f->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_listing),   store_test(test_documents), store_test(test_same_bytes),
		store_test(test_plain_oci), store_test(test_unnamed),   store_test(test_incomplete),
		store_test(test_damaged),   store_test(test_index),     store_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

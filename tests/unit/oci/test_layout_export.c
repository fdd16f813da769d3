#include "image_fixture.h"

#include <sys/stat.h>

static char *folder_of(const struct fixture *f)
{
	return xstrfmt("%s/out/layout", f->folder);
}

static struct store *open_target(struct fixture *f)
{
	AUTO_FREE char *root = xstrfmt("%s/target", f->folder);
	struct store *into = NULL;

	assert_ok(f, store_open(&into, root, &f->err));
	return into;
}

static void import_ok(struct fixture *f, const char *folder, const char *name,
		      const struct digest *expected)
{
	AUTO_PTR(store) into = open_target(f);
	AUTO(descriptor) d = {0};

	assert_ok(f, layout_import(into, folder, name, NULL, NULL, &d, &f->err));
	assert_string_equal(d.digest.text, expected->text);
}

static void test_export(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *folder = folder_of(f);
	AUTO_PTR(image) one = make_image(f, "one", 3);
	AUTO_PTR(image) two = make_image(f, "two", 1);
	AUTO(image_index) index = {0};

	assert_ok(f, layout_export(f->store, one, folder, "latest", &f->err));
	import_ok(f, folder, "latest", &one->descriptor.digest);
	/* Another name beside it, and the name given to another image. */
	assert_ok(f, layout_export(f->store, two, folder, "other", &f->err));
	import_ok(f, folder, "latest", &one->descriptor.digest);
	import_ok(f, folder, "other", &two->descriptor.digest);
	assert_ok(f, layout_export(f->store, two, folder, "latest", &f->err));
	assert_ok(f, layout_export(f->store, two, folder, "latest", &f->err));
	import_ok(f, folder, "latest", &two->descriptor.digest);
	assert_ok(f, layout_read_folder(folder, &index, &f->err));
	assert_int_equal(index.n_manifests, 2);
}

static void test_one_blob(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *folder = folder_of(f);
	AUTO_PTR(image) image = make_image(f, "x", 2);
	AUTO_PTR(store) into = open_target(f);
	const struct descriptor *layer = &image->manifest.layers[1];
	AUTO(descriptor) d = {0};

	assert_ok(f, layout_export(f->store, image, folder, "latest", &f->err));
	assert_ok(f, layout_import_documents(into, folder, "latest", NULL, NULL, &d, &f->err));
	assert_string_equal(d.digest.text, image->descriptor.digest.text);
	assert_true(store_has(into, &image->manifest.config.digest, -1));
	assert_false(store_has(into, &layer->digest, -1));
	assert_ok(f, layout_import_blob(into, folder, layer, &f->err));
	assert_ok(f, store_verify_blob(into, &layer->digest, layer->size, &f->err));
	assert_false(store_has(into, &image->manifest.layers[0].digest, -1));
}

/* Neither a damaged blob nor a missing one makes a layout that lists the image. */
static void test_what_cannot_be_written(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *folder = folder_of(f);
	AUTO_PTR(image) good = make_image(f, "good", 1);
	AUTO_PTR(image) bad = make_image(f, "bad", 1);
	const struct digest *d = &bad->manifest.layers[0].digest;
	AUTO_FREE char *path = store_path(f->store, "blobs/sha256/%s", digest_hex(d));
	AUTO_FREE char *index = xstrfmt("%s/index.json", folder);

	assert_ok(f, layout_export(f->store, good, folder, "latest", &f->err));
	assert_int_equal(chmod(path, 0600), 0);
	assert_ok(f, fs_write_file_atomic(path, "BAD-0", 5, 0600, &f->err));
	assert_int_equal(layout_export(f->store, bad, folder, "latest", &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_CORRUPT);
	error_clear(&f->err);
	import_ok(f, folder, "latest", &good->descriptor.digest);
	assert_ok(f, store_delete_blob(f->store, d, &f->err));
	assert_int_equal(layout_export(f->store, bad, folder, "latest", &f->err), -1);
	assert_int_equal(f->err.kind, ERROR_NOT_FOUND);
	error_clear(&f->err);
	import_ok(f, folder, "latest", &good->descriptor.digest);
	/* What somebody else's folder holds is not overwritten. */
	assert_ok(f, fs_write_file_atomic(index, "{", 1, 0644, &f->err));
	assert_int_equal(layout_export(f->store, good, folder, "latest", &f->err), -1);
	error_clear(&f->err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_export),
		store_test(test_one_blob),
		store_test(test_what_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

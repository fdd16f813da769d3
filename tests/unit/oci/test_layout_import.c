#include "image_fixture.h"

/* The foreign folder is another store: f->store; what is imported goes to into. */
static struct store *open_target(struct fixture *f)
{
	AUTO_FREE char *root = xstrfmt("%s/target", f->folder);
	struct store *into = NULL;

	assert_ok(f, store_open(&into, root, &f->err));
	return into;
}

static void test_image(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(store) into = open_target(f);
	AUTO_PTR(image) made = make_image(f, "x", 3);
	AUTO_PTR(image) loaded = NULL;
	AUTO(descriptor) d = {0};
	AUTO(image_index) index = {0};
	size_t missing;

	tag(f, "app:demo", &made->descriptor);
	assert_ok(f, layout_import(into, f->root, NULL, NULL, NULL, &d, &f->err));
	assert_string_equal(d.digest.text, made->descriptor.digest.text);
	assert_int_equal(d.annotations.n, 0);
	assert_ok(f, image_load(&loaded, into, &d, NULL, &f->err));
	assert_true(image_complete(loaded, into, &missing));
	for (size_t i = 0; i < 3; i++)
		assert_ok(f,
			  store_verify_blob(into, &loaded->manifest.layers[i].digest, -1, &f->err));
	/* Nothing is named. */
	assert_ok(f, layout_read(into, &index, &f->err));
	assert_int_equal(index.n_manifests, 0);
	/* Again: nothing to do. */
	descriptor_release(&d);
	assert_ok(f, layout_import(into, f->root, "app:demo", NULL, NULL, &d, &f->err));
}

static void test_choice_of_name(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(store) into = open_target(f);
	AUTO_PTR(image) one = make_image(f, "one", 1);
	AUTO_PTR(image) two = make_image(f, "two", 1);
	static const struct {
		const char *asked;
		int image;
	} rows[] = {
		{"app:one", 1}, {"docker.io/library/app:one", 1}, {"one", 1},   {"app:two", 2},
		{"two", 2},     {"h.example/app:two", 2},         {"three", 0}, {"app", 0},
	};

	tag(f, "app:one", &one->descriptor);
	tag(f, "h.example/app:two", &two->descriptor);
	tag(f, "app:two", &two->descriptor);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(descriptor) d = {0};

		if (!rows[i].image) {
			assert_fails(f, ERROR_NOT_FOUND,
				     "it has: app:one, h.example/app:two, app:two",
				     layout_import(into, f->root, rows[i].asked, NULL, NULL, &d,
						   &f->err));
			continue;
		}
		assert_ok(f, layout_import(into, f->root, rows[i].asked, NULL, NULL, &d, &f->err));
		assert_string_equal(d.digest.text, rows[i].image == 1
							   ? one->descriptor.digest.text
							   : two->descriptor.digest.text);
	}
	AUTO(descriptor) d = {0};

	assert_fails(f, ERROR_USAGE, "holds several images; name one of them: app:one",
		     layout_import(into, f->root, NULL, NULL, NULL, &d, &f->err));
	assert_ok(f,
		  layout_import(into, f->root, NULL, &two->descriptor.digest, NULL, &d, &f->err));
	assert_string_equal(d.digest.text, two->descriptor.digest.text);
	struct digest none = digest_of("none", 4);

	assert_fails(f, ERROR_NOT_FOUND, none.text,
		     layout_import(into, f->root, NULL, &none, NULL, &d, &f->err));
}

/* BuildKit's export: the tag alone as ref.name, the whole name beside it. */
static void test_bare_tag(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(store) into = open_target(f);
	AUTO_PTR(image) one = make_image(f, "one", 1);
	static const char *const asked[] = {"demo", "app:demo", "docker.io/library/app:demo"};
	AUTO_FREE char *index = xstrfmt(
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\",\"digest\":\"%s\","
		"\"size\":%lld,\"annotations\":{\"io.containerd.image.name\":\"docker.io/library/"
		"app:demo\",\"org.opencontainers.image.ref.name\":\"demo\"}}]}",
		MEDIA_OCI_MANIFEST, one->descriptor.digest.text, (long long)one->descriptor.size);

	fixture_write(f, "index.json", index, strlen(index));
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		AUTO(descriptor) d = {0};

		assert_ok(f, layout_import(into, f->root, asked[i], NULL, NULL, &d, &f->err));
	}
}

static void test_platform(void **state)
{
	static const char *const platforms[] = {"linux/s390x", "linux/riscv64"};
	struct fixture *f = *state;
	AUTO_PTR(store) into = open_target(f);
	AUTO_PTR(image) one = make_image(f, "one", 1);
	AUTO_PTR(image) two = make_image(f, "two", 1);
	struct image *images[] = {one, two};
	AUTO(descriptor) index = {0};
	AUTO(descriptor) d = {0};
	AUTO(platform) want = {0};

	make_index(f, images, platforms, 2, &index);
	tag(f, "multi", &index);
	assert_ok(f, platform_parse(&want, "linux/riscv64", &f->err));
	assert_ok(f, layout_import(into, f->root, "multi", NULL, &want, &d, &f->err));
	assert_string_equal(d.digest.text, two->descriptor.digest.text);
	/* Only the chosen one came. */
	assert_false(store_has(into, &one->descriptor.digest, -1));
	descriptor_release(&d);
	memset(&d, 0, sizeof(d));
	assert_ok(f,
		  layout_import(into, f->root, NULL, &one->descriptor.digest, NULL, &d, &f->err));
	descriptor_release(&d);
	memset(&d, 0, sizeof(d));
	assert_fails(f, ERROR_NOT_FOUND, "there is linux/s390x, linux/riscv64",
		     layout_import(into, f->root, "multi", NULL, NULL, &d, &f->err));
}

static void damage(struct fixture *f, const struct digest *d, int how)
{
	char path[STORE_BLOB_PATH];

	store_blob_path(d, path);
	AUTO_FREE char *text = fixture_read(f, path);
	size_t len = strlen(text);

	if (how == 0) {
		unlinkat(store_dirfd(f->store), path, 0);
		return;
	}
	text[0] ^= 1;
	fixture_write(f, path, text, how == 1 ? len : len - 1);
}

static void test_damage(void **state)
{
	struct fixture *f = *state;

	for (int how = 0; how < 3; how++)
		for (int what = 0; what < 3; what++) {
			AUTO_FREE char *label = xstrfmt("%d-%d", how, what);
			AUTO_PTR(store) into = open_target(f);
			AUTO_PTR(image) made = make_image(f, label, 2);
			AUTO(descriptor) d = {0};
			const struct digest *part[] = {&made->descriptor.digest,
						       &made->manifest.config.digest,
						       &made->manifest.layers[1].digest};

			tag(f, "app:demo", &made->descriptor);
			damage(f, part[what], how);
			assert_fails(
				f, how == 0 ? ERROR_NOT_FOUND : ERROR_CORRUPT, part[what]->text,
				layout_import(into, f->root, "app:demo", NULL, NULL, &d, &f->err));
			assert_false(store_has(into, part[what], -1));
			assert_false(store_has(into, &made->descriptor.digest, -1));
			AUTO_FREE char *part_file = xstrfmt("../target/ingest/%s.part",
							    digest_hex(part[what]));

			assert_false(fixture_exists(f, part_file));
		}
}

static void test_no_layout(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(store) into = open_target(f);
	AUTO(descriptor) d = {0};
	AUTO_FREE char *none = xstrfmt("%s/none", f->folder);

	assert_fails(f, ERROR_NOT_FOUND, "none",
		     layout_import(into, none, NULL, NULL, NULL, &d, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "is not an OCI layout",
		     layout_import(into, f->folder, NULL, NULL, NULL, &d, &f->err));
	assert_fails(f, ERROR_NOT_FOUND, "holds no image",
		     layout_import(into, f->root, NULL, NULL, NULL, &d, &f->err));
	fixture_write(f, "oci-layout", "{\"imageLayoutVersion\":\"1.1.0\"}", 30);
	assert_fails(f, ERROR_UNSUPPORTED, "1.1.0",
		     layout_import(into, f->root, NULL, NULL, NULL, &d, &f->err));
}

static void test_folder_read(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) made = make_image(f, "x", 0);
	AUTO(image_index) index = {0};

	tag(f, "app:demo", &made->descriptor);
	assert_ok(f, layout_read_folder(f->root, &index, &f->err));
	assert_int_equal(index.n_manifests, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_image),       store_test(test_choice_of_name),
		store_test(test_bare_tag),    store_test(test_platform),
		store_test(test_damage),      store_test(test_no_layout),
		store_test(test_folder_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

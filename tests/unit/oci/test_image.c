#include "image_fixture.h"

#include "base/limits.h"

#define D "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_save_and_load(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) made = make_image(f, "x", 2);
	AUTO_PTR(image) loaded = NULL;
	size_t missing = 99;

	assert_string_equal(made->descriptor.media_type, MEDIA_OCI_MANIFEST);
	assert_string_equal(made->manifest.config.media_type, MEDIA_OCI_CONFIG);
	assert_string_equal(made->descriptor.platform.os, "linux");
	assert_ok(f, image_load(&loaded, f->store, &made->descriptor, NULL, &f->err));
	assert_int_equal(loaded->manifest.n_layers, 2);
	assert_string_equal(strmap_get(&loaded->config.labels, "label"), "x");
	assert_true(digest_equal(&loaded->descriptor.digest, &made->descriptor.digest));
	assert_true(image_complete(loaded, f->store, &missing));
	assert_ok(f, store_delete_blob(f->store, &loaded->manifest.layers[1].digest, &f->err));
	assert_false(image_complete(loaded, f->store, &missing));
	assert_int_equal(missing, 1);
	assert_false(image_complete(loaded, f->store, NULL));
}

static void test_exact_bytes(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) image = image_new();
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(descriptor) layer = {0};

	assert_ok(f, platform_parse(&image->config.platform, "linux/amd64", &f->err));
	assert_ok(f, store_put(f->store, MEDIA_DOCKER_LAYER_GZIP, "abc", 3, &layer, &f->err));
	manifest_add_layer(&image->manifest, &layer);
	image_config_add_layer(&image->config, &layer.digest);
	assert_ok(f, image_save(image, f->store, &f->err));
	assert_ok(f, store_read_blob(f->store, &image->manifest.config.digest, -1, &text, 10000,
				     &f->err));
	assert_string_equal(text.buf, "{\"architecture\":\"amd64\",\"config\":{},\"os\":\"linux\","
				      "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D "\"]}}");
	assert_ok(f,
		  store_read_blob(f->store, &image->descriptor.digest, -1, &text, 10000, &f->err));
	/* sha256 and length of the config above by coreutils. Docker's layer type became OCI's. */
	assert_string_equal(
		text.buf,
		"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		"\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
		"\"digest\":\"sha256:0e6832827d79d9b4a19cee76ecc48d4cde327a6d6532704757de5dddc6ec50e6\",\"size\":163},"
		"\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\","
		"\"digest\":\"" D "\",\"size\":3}]}");
}

static void test_save_refuses_mismatch(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) image = make_image(f, "x", 1);
	struct digest extra = digest_of("y", 1);

	image_config_add_layer(&image->config, &extra);
	assert_fails(f, ERROR_CORRUPT, "1 layers and the config 2 diff IDs",
		     image_save(image, f->store, &f->err));
}

static void test_index(void **state)
{
	static const char *const platforms[] = {"linux/s390x", "linux/riscv64"};
	struct fixture *f = *state;
	AUTO_PTR(image) one = make_image(f, "one", 1);
	AUTO_PTR(image) two = make_image(f, "two", 1);
	struct image *images[] = {one, two};
	AUTO(descriptor) index = {0};
	AUTO(platform) want = {0};
	AUTO_PTR(image) loaded = NULL;

	make_index(f, images, platforms, 2, &index);
	assert_ok(f, platform_parse(&want, "linux/riscv64", &f->err));
	assert_ok(f, image_load(&loaded, f->store, &index, &want, &f->err));
	assert_string_equal(loaded->descriptor.digest.text, two->descriptor.digest.text);
	assert_string_equal(loaded->descriptor.platform.arch, "riscv64");
	image_free(take_ptr(loaded));
	assert_fails(f, ERROR_NOT_FOUND, "there is linux/s390x, linux/riscv64",
		     image_load(&loaded, f->store, &index, NULL, &f->err));
}

/* Wraps d in one more index. */
static void wrap(struct fixture *f, const struct descriptor *d, struct descriptor *out)
{
	AUTO(image_index) index = {0};
	AUTO(strbuf) text = STRBUF_INIT;

	image_index_add(&index, d);
	image_index_write(&index, &text);
	assert_ok(f, store_put(f->store, MEDIA_OCI_INDEX, text.buf, text.len, out, &f->err));
}

static void test_nested_indexes(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) image = make_image(f, "x", 1);
	AUTO(descriptor) d = {0};

	descriptor_copy(&d, &image->descriptor);
	for (int depth = 1; depth <= LIMIT_INDEX_DEPTH + 1; depth++) {
		AUTO(descriptor) outer = {0};
		AUTO_PTR(image) loaded = NULL;

		wrap(f, &d, &outer);
		descriptor_release(&d);
		descriptor_copy(&d, &outer);
		if (depth <= LIMIT_INDEX_DEPTH)
			assert_ok(f, image_load(&loaded, f->store, &d, NULL, &f->err));
		else
			assert_fails(f, ERROR_CORRUPT, "nested deeper than 4",
				     image_load(&loaded, f->store, &d, NULL, &f->err));
	}
}

static void put_manifest(struct fixture *f, const char *text, struct descriptor *d)
{
	assert_ok(f, store_put(f->store, MEDIA_OCI_MANIFEST, text, strlen(text), d, &f->err));
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *part;
		enum error_kind kind;
	} rows[] = {
		{"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.cncf.helm.config.v1+json\","
		 "\"digest\":\"" D "\",\"size\":3},\"layers\":[]}",
		 "is not a container image: its config is of type application/vnd.cncf.helm",
		 ERROR_UNSUPPORTED},
		{"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\","
		 "\"digest\":\"" D "\",\"size\":3},\"layers\":[]}",
		 "config of image", ERROR_NOT_FOUND},
		{"{\"schemaVersion\":2,\"manifests\":[]}", "an index", ERROR_CORRUPT},
		{"nonsense", "sha256:", ERROR_CORRUPT},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(descriptor) d = {0};
		AUTO_PTR(image) image = NULL;

		put_manifest(f, rows[i].text, &d);
		assert_fails(f, rows[i].kind, rows[i].part,
			     image_load(&image, f->store, &d, NULL, &f->err));
	}
}

static void test_damage(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) made = make_image(f, "x", 1);
	AUTO_PTR(image) loaded = NULL;
	char path[STORE_BLOB_PATH];

	store_blob_path(&made->manifest.config.digest, path);
	AUTO_FREE char *config = fixture_read(f, path);

	if (!config)
		fail_msg("%s cannot be read", path);
	else
		config[10] ^= 1;
	fixture_write(f, path, config, strlen(config));
	assert_fails(f, ERROR_CORRUPT, "damaged",
		     image_load(&loaded, f->store, &made->descriptor, NULL, &f->err));
	/* Set aside, it counts as missing. */
	assert_fails(f, ERROR_NOT_FOUND, made->manifest.config.digest.text,
		     image_load(&loaded, f->store, &made->descriptor, NULL, &f->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_save_and_load),
		store_test(test_exact_bytes),
		store_test(test_save_refuses_mismatch),
		store_test(test_index),
		store_test(test_nested_indexes),
		store_test(test_refused),
		store_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

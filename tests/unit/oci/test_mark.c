#include "image_fixture.h"
#include "oci/mark.h"

/* An image may name the digest of another as a layer or a diff ID: that keeps the blob, and says nothing of what it needs. */
static void test_digests_named_as_something_else(void **state)
{
	struct fixture *f = *state;
	AUTO(mark) marked = {.hex = STRMAP_INIT};
	AUTO_PTR(image) mine = make_image(f, "mine", 2);
	AUTO_PTR(image) other = make_image(f, "other", 1);
	AUTO_PTR(image) foreign = image_new();
	struct image *const named[] = {mine, other};

	platform_host(&foreign->config.platform);
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		AUTO(descriptor) layer = {0};

		descriptor_set(&layer, MEDIA_OCI_LAYER, &named[i]->descriptor.digest,
			       named[i]->descriptor.size);
		manifest_add_layer(&foreign->manifest, &layer);
		image_config_add_layer(&foreign->config, &named[!i]->descriptor.digest);
	}
	assert_ok(f, image_save(foreign, f->store, &f->err));
	tag(f, "foreign", &foreign->descriptor);
	tag(f, "mine", &mine->descriptor);
	assert_ok(f, mark_names(&marked, f->store, &f->err));
	assert_true(mark_has(&marked, &mine->manifest.config.digest));
	assert_true(mark_has(&marked, &mine->manifest.layers[1].digest));
	assert_true(mark_has(&marked, &other->descriptor.digest));
	assert_false(mark_has(&marked, &other->manifest.config.digest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_digests_named_as_something_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "builder/cache_export.h"

#include "build_fixture.h"
#include "builder/cache_document.h"

#define KEY(c) c c c c c c c c c c c c c c c c
#define A      KEY("aaaa")
#define B      KEY("bbbb")
#define C      KEY("cccc")

static void add(struct cache_export *e, int stage, int number, bool on_target, const char *key,
		const char *quick, const char *layer)
{
	AUTO(cache_record) r = {.created = 100 + number};
	const struct digest digest = digest_of(layer, strlen(layer));
	const struct cache_export_step step = {.stage = stage,
					       .number = number,
					       .on_target = on_target,
					       .kind = "run",
					       .quick = quick,
					       .record = &r};

	descriptor_set(&r.layer.descriptor, MEDIA_OCI_LAYER_GZIP, &digest, (int64_t)strlen(layer));
	r.layer.diff_id = digest_of(layer, 1);
	memcpy(r.key, key, strlen(key));
	cache_export_add(e, &step);
}

static struct image *make(struct cache_export *e, struct store *s, bool max,
			  struct cache_document *doc)
{
	struct image *image = NULL;
	AUTO(platform) p = {0};

	assert_ok(platform_parse(&p, "linux/arm64", err));
	assert_ok(cache_export_image(e, s, &p, max, &image, err));
	if (image)
		assert_ok(cache_document_read(doc, &image->config, "image", err));
	return image;
}

static void max_has_all_and_min_the_results_own(void **state)
{
	struct build_fixture *f = *state;
	AUTO_PTR(cache_export) e = cache_export_new();
	AUTO(cache_document) all = {.n = 0};
	AUTO(cache_document) own = {.n = 0};

	add(e, 1, 2, true, B, C, "second");
	add(e, 0, 2, false, A, "", "first");
	cache_export_add_image(e, C, 42);
	AUTO_PTR(image) max = make(e, f->store, true, &all);
	AUTO_PTR(image) min = make(e, f->store, false, &own);

	assert_int_equal(max->manifest.n_layers, 2);
	assert_int_equal(all.n, 2);
	assert_string_equal(all.entries[0].key, A);
	assert_string_equal(all.entries[1].quick, C);
	assert_int_equal(all.entries[1].layer, 1);
	assert_string_equal(max->config.platform.arch, "arm64");
	assert_int_equal(max->config.n_history, 2);
	assert_int_equal(min->manifest.n_layers, 1);
	assert_int_equal(own.n, 1);
	assert_string_equal(own.entries[0].key, B);
	assert_int_equal(own.images[0].created, 42);
}

/* Stages run at the same time and end in any order. */
static void the_order_of_stages_does_not_count(void **state)
{
	struct build_fixture *f = *state;
	AUTO_PTR(cache_export) one = cache_export_new();
	AUTO_PTR(cache_export) two = cache_export_new();
	AUTO(cache_document) first = {.n = 0};
	AUTO(cache_document) second = {.n = 0};

	add(one, 0, 1, false, A, "", "x");
	add(one, 0, 2, false, B, "", "y");
	add(one, 1, 1, true, C, A, "x");
	add(two, 1, 1, true, C, A, "x");
	add(two, 0, 2, false, B, "", "y");
	add(two, 0, 1, false, A, "", "x");
	AUTO_PTR(image) a = make(one, f->store, true, &first);
	AUTO_PTR(image) b = make(two, f->store, true, &second);

	assert_string_equal(a->descriptor.digest.text, b->descriptor.digest.text);
	/* A blob is listed once, whoever has it. */
	assert_int_equal(a->manifest.n_layers, 2);
	assert_int_equal(first.n, 3);
	assert_int_equal(first.entries[2].layer, 0);
}

static void the_same_step_twice_is_one_record(void **state)
{
	struct build_fixture *f = *state;
	AUTO_PTR(cache_export) e = cache_export_new();
	AUTO(cache_document) doc = {.n = 0};

	add(e, 0, 1, false, A, "", "x");
	add(e, 1, 1, true, A, "", "x");
	AUTO_PTR(image) image = make(e, f->store, false, &doc);

	assert_int_equal(image->manifest.n_layers, 1);
	assert_int_equal(doc.n, 1);
}

static void nothing_is_no_image(void **state)
{
	struct build_fixture *f = *state;
	AUTO_PTR(cache_export) e = cache_export_new();
	AUTO(cache_document) doc = {.n = 0};

	add(e, 0, 1, false, A, "", "x");
	assert_null(make(e, f->store, false, &doc));
	cache_export_clear(e);
	assert_null(make(e, f->store, true, &doc));
	cache_export_add(NULL, NULL);
}

static void an_image_gets_the_records_of_its_own_layers(void **state)
{
	AUTO_PTR(cache_export) e = cache_export_new();
	AUTO_PTR(image) image = image_new();
	AUTO(cache_document) doc = {.n = 0};
	AUTO(descriptor) base = {0};
	AUTO(descriptor) own = {0};
	const struct digest below = digest_of("base", 4), mine = digest_of("x", 1);

	(void)state;
	descriptor_set(&base, MEDIA_OCI_LAYER_GZIP, &below, 4);
	descriptor_set(&own, MEDIA_OCI_LAYER_GZIP, &mine, 1);
	manifest_add_layer(&image->manifest, &base);
	manifest_add_layer(&image->manifest, &own);
	image_config_add_layer(&image->config, &below);
	image_config_add_layer(&image->config, &mine);
	add(e, 0, 1, false, A, "", "elsewhere");
	add(e, 1, 1, true, B, "", "x");
	cache_export_attach(e, image);
	assert_ok(cache_document_read(&doc, &image->config, "image", err));
	assert_int_equal(doc.n, 1);
	assert_string_equal(doc.entries[0].key, B);
	assert_int_equal(doc.entries[0].layer, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, build_fixture_setup, build_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(max_has_all_and_min_the_results_own),
		TEST(the_order_of_stages_does_not_count),
		TEST(the_same_step_twice_is_one_record),
		TEST(nothing_is_no_image),
		cmocka_unit_test(an_image_gets_the_records_of_its_own_layers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Blobs that are not in the store, and need not be: where they are is remembered. */
#include "world.h"

#include "base/time.h"

/* Manifest and config of the image in the second store, as after a build that needed no layer. */
static void know_image(struct world *w)
{
	AUTO(descriptor) top = {0};
	AUTO(descriptor) chosen = {0};

	push_ok(w, &w->ref, &w->image->descriptor);
	assert_ok(registry_fetch_documents(w->c, w->to, &w->ref, NULL, &top, &chosen, err));
	assert_false(store_has(w->to, &w->image->manifest.layers[0].digest, -1));
}

static void test_missing_layers(void **state)
{
	struct world *w = *state;
	const struct manifest *m = &w->image->manifest;

	know_image(w);
	assert_ok(registry_fetch_known(w->c, w->to, &m->layers[1], 0, err));
	assert_int_equal(fake_count(&fake, "GET", "/blobs/"), 2); /* the config, and this one */
	assert_ok(registry_fetch_missing(w->c, w->to, w->image, err));
	for (size_t i = 0; i < m->n_layers; i++)
		assert_ok(store_verify_blob(w->to, &m->layers[i].digest, m->layers[i].size, err));
	assert_int_equal(fake_count(&fake, "GET", "/blobs/"), 4);
	/* Nothing is missing: nobody is asked. */
	assert_ok(registry_fetch_missing(w->c, w->to, w->image, err));
	assert_int_equal(fake_count(&fake, "GET", "/blobs/"), 4);
}

static void test_nowhere(void **state)
{
	struct world *w = *state;
	const struct descriptor *layer = &w->image->manifest.layers[0];

	assert_error(registry_fetch_known(w->c, w->to, layer, 0, err), ERROR_NOT_FOUND,
		     "neither in the store nor known to be in a registry");
	/* One repository has it no longer, the other has. */
	push_ok(w, &w->ref, &w->image->descriptor);
	AUTO(image_ref) gone = {0};

	make_ref(&gone, other.host, "gone:v1");
	registry_note_blob(w->c, w->to, &w->ref, layer);
	registry_note_blob(w->c, w->to, &gone, layer);
	assert_ok(registry_fetch_known(w->c, w->to, layer, 0, err));
	assert_int_equal(fake_count(&other, "GET", "/v2/gone/blobs/"), 1);
}

/* The name of an image that was built here is no place to look for its layers. */
static void test_layer_of_an_image(void **state)
{
	struct world *w = *state;
	const struct manifest *m = &w->image->manifest;
	AUTO(image_ref) local = {0};

	push_ok(w, &w->ref, &w->image->descriptor);
	make_ref(&local, other.host, "built-here:v1");
	registry_note_blob(w->c, w->to, &w->ref, &m->layers[0]);
	assert_ok(registry_fetch_layer(w->c, w->to, &local, &m->layers[0], 0, err));
	assert_int_equal(fake_count(&other, NULL, "."), 0);
	/* Of a layer that was never seen the name is all there is. */
	assert_ok(registry_fetch_layer(w->c, w->to, &w->ref, &m->layers[1], 0, err));
	assert_error(registry_fetch_layer(w->c, w->to, &local, &m->layers[2], 0, err),
		     ERROR_NOT_FOUND, "built-here");
}

static void test_is_it_there(void **state)
{
	struct world *w = *state;
	const struct descriptor *layer = &w->image->manifest.layers[0];
	bool there = true;

	assert_ok(registry_has_blob(w->c, &w->ref, layer, &there, err));
	assert_false(there);
	push_ok(w, &w->ref, &w->image->descriptor);
	assert_ok(registry_has_blob(w->c, &w->ref, layer, &there, err));
	assert_true(there);
	assert_int_equal(fake_count(&fake, "GET", "/blobs/"), 0);
	fake_rule(&fake, "{\"method\": \"HEAD\", \"path\": \"/blobs/\", \"status\": 403}");
	assert_error(registry_has_blob(w->c, &w->ref, layer, &there, err), ERROR_DENIED, "403");
}

static void test_place(void **state)
{
	struct world *w = *state;
	const struct descriptor *layer = &w->image->manifest.layers[0];
	AUTO(image_ref) copy = {0};
	bool placed = true;

	know_image(w);
	make_ref(&copy, fake.host, "copy:v1");
	/* Mounted, without its bytes being here; then it is there. */
	assert_ok(registry_place_blob(w->c, w->to, &copy, layer, &placed, err));
	assert_true(placed);
	assert_int_equal(fake_count(&fake, "POST", "/v2/copy/blobs/uploads/\\?mount="), 1);
	assert_ok(registry_place_blob(w->c, w->to, &copy, layer, &placed, err));
	assert_true(placed);
	assert_int_equal(fake_count(&fake, "POST", "/v2/copy/blobs/uploads/\\?mount="), 1);
	/* Another registry has to be sent the bytes. */
	make_ref(&copy, other.host, "copy:v1");
	assert_ok(registry_place_blob(w->c, w->to, &copy, layer, &placed, err));
	assert_false(placed);
	assert_int_equal(fake_count(&other, "PUT", "/blobs/"), 0);
	assert_false(store_has(w->to, &layer->digest, -1));
}

/* Who has no time does not wait for as long as the registry asks. */
static void test_no_long_pause(void **state)
{
	struct world *w = *state;
	const struct descriptor *layer = &w->image->manifest.layers[0];
	int64_t begin = time_monotonic_ns();

	push_ok(w, &w->ref, &w->image->descriptor);
	w->o.max_pause_ms = 2000;
	new_client(w);
	fake_rule(&fake, "{\"method\": \"GET\", \"path\": \"/blobs/\", \"status\": 429, \"times\": "
			 "-1, \"headers\": {\"Retry-After\": \"200\"}}");
	assert_error(registry_fetch_blob(w->c, w->to, &w->ref, layer, 0, err), ERROR_REMOTE, "429");
	assert_int_equal(fake_count(&fake, "GET", "/blobs/"), 1);
	assert_true(time_monotonic_ns() - begin < 100 * 1000000000ll);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_missing_layers),
		world_test(test_nowhere),
		world_test(test_layer_of_an_image),
		world_test(test_is_it_there),
		world_test(test_place),
		world_test(test_no_long_pause),
	};
	int failed;

	pool = pool_new(6);
	failed = cmocka_run_group_tests(tests, world_start, world_stop);
	pool_free(pool);
	return failed;
}

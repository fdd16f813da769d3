#include "builder/cache_remote.h"

#include "build_fixture.h"
#include "base/log.h"
#include "builder/cache_export.h"
#include "oci/layer_writer.h"

#define KEY(c) c c c c c c c c c c c c c c c c
#define A      KEY("aaaa")
#define B      KEY("bbbb")
#define QUICK  KEY("cccc")
#define MADE   KEY("dddd")

/* A cache in a store of its own, with two steps; the tests count what is asked of it and say what goes wrong. */
struct world {
	struct reporter reporter;
	struct store *theirs, *ours;
	struct layer layers[2];
	struct image *image;
	struct cache_source source;
	struct build_options options;
	size_t loaded, fetched, checked, noted, warned;
	enum error_kind load_fails, fetch_fails, check_fails;
	bool gone, held;
	char said[300];
};

static void copy_blob(struct world *w, const struct descriptor *d)
{
	AUTO(strbuf) bytes = STRBUF_INIT;
	AUTO(descriptor) put = {.size = 0};

	assert_ok(store_read_blob(w->theirs, &d->digest, d->size, &bytes, 1 << 20, err));
	assert_ok(store_put(w->ours, d->media_type, bytes.buf, bytes.len, &put, err));
}

static int load(void *arg, const struct platform *platform, struct descriptor *image,
		struct error *err)
{
	struct world *w = arg;

	(void)platform;
	w->loaded++;
	if (w->load_fails)
		return error_set(err, w->load_fails, "no answer");
	copy_blob(w, &w->image->descriptor);
	copy_blob(w, &w->image->manifest.config);
	descriptor_copy(image, &w->image->descriptor);
	return 0;
}

static int fetch(void *arg, const struct descriptor *layer, int step, struct error *err)
{
	struct world *w = arg;

	(void)step;
	__atomic_add_fetch(&w->fetched, 1, __ATOMIC_SEQ_CST);
	if (w->fetch_fails)
		return error_set(err, w->fetch_fails, "cannot be had");
	copy_blob(w, layer);
	return 0;
}

static int check(void *arg, const struct descriptor *layer, bool *there, struct error *err)
{
	struct world *w = arg;

	(void)layer;
	w->checked++;
	if (w->check_fails)
		return error_set(err, w->check_fails, "not now");
	*there = !w->gone;
	return 0;
}

static void note(void *arg, const struct descriptor *layer)
{
	struct world *w = arg;

	(void)layer;
	w->noted++;
}

static bool holds(void *arg, const struct descriptor *layer)
{
	const struct world *w = arg;

	(void)layer;
	return w->held;
}

static void take_log(struct reporter *r, enum log_level level, const char *text)
{
	struct world *w = (struct world *)r;

	w->warned += level == LOG_WARNING;
	snprintf(w->said, sizeof(w->said), "%s", text);
}

static void add_layer(struct store *s, const char *name, struct layer *out)
{
	static const struct layer_options options = {.mtime_limit = -1,
						     .compression = COMPRESSION_GZIP};
	const struct entry e = {.type = ENTRY_DIR, .path = name, .mode = 0755};
	AUTO_PTR(layer_writer) w = NULL;

	assert_ok(layer_writer_open(&w, s, &options, err));
	assert_ok(layer_writer_add(w, &e, NULL, err));
	assert_ok(layer_writer_finish(w, out, err));
}

static void add_step(struct cache_export *e, int number, const char *key, const char *quick,
		     const struct layer *layer)
{
	AUTO(cache_record) r = {.created = 100 + number};
	const struct cache_export_step step = {
		.number = number, .on_target = true, .kind = "run", .quick = quick, .record = &r};

	descriptor_copy(&r.layer.descriptor, &layer->descriptor);
	r.layer.diff_id = layer->diff_id;
	r.layer.uncompressed = layer->uncompressed;
	memcpy(r.key, key, sizeof(r.key));
	cache_export_add(e, &step);
}

static void make_image(struct world *w)
{
	AUTO_PTR(cache_export) e = cache_export_new();
	AUTO(platform) p = {0};

	add_step(e, 1, A, QUICK, &w->layers[0]);
	add_step(e, 2, B, "", &w->layers[1]);
	cache_export_add_image(e, MADE, 4711);
	platform_host(&p);
	assert_ok(cache_export_image(e, w->theirs, &p, true, &w->image, err));
}

static void world_init(struct world *w, const struct build_fixture *f)
{
	AUTO_FREE char *root = path_join(f->folder, "theirs");

	*w = (struct world){.reporter = {.log = take_log}, .ours = f->store};
	assert_ok(store_open(&w->theirs, root, err));
	add_layer(w->theirs, "one", &w->layers[0]);
	add_layer(w->theirs, "two", &w->layers[1]);
	make_image(w);
	w->source = (struct cache_source){.name = "there",
					  .load = load,
					  .fetch = fetch,
					  .check = check,
					  .note = note,
					  .arg = w};
	w->options = (struct build_options){
		.caches = &w->source, .n_caches = 1, .reporter = &w->reporter};
}

static void world_release(struct world *w)
{
	image_free(w->image);
	layer_release(&w->layers[0]);
	layer_release(&w->layers[1]);
	store_free(w->theirs);
}
CLEANUP_RELEASE(world)

static bool find(struct remote_caches *r, const char *key)
{
	AUTO(cache_record) found = {.created = 0};
	const char *from = NULL;
	bool there = remote_caches_find(r, key, "", &found, &from);

	if (there)
		assert_string_equal(from, "there");
	return there;
}

static void nothing_is_asked_without_need(void **state)
{
	AUTO(world) w;

	world_init(&w, *state);
	w.options.no_cache = true;
	assert_null(remote_caches_new(w.ours, &w.options));
	assert_false(find(NULL, A));
	assert_ok(remote_caches_fetch(NULL, NULL, 0, err));
	assert_false(remote_caches_start_over(NULL));
	w.options.no_cache = false;
	AUTO_PTR(remote_caches) r = remote_caches_new(w.ours, &w.options);

	assert_int_equal(w.loaded, 0);
	assert_false(find(r, KEY("0000")));
	assert_false(find(r, KEY("1111")));
	assert_int_equal(w.loaded, 1);
}

static void a_hit_is_a_descriptor_until_it_is_fetched(void **state)
{
	AUTO(world) w;
	AUTO(cache_record) found = {.created = 0};
	AUTO(cache_record) kept = {.created = 0};
	const char *from;
	int64_t created = 0;

	world_init(&w, *state);
	AUTO_PTR(remote_caches) r = remote_caches_new(w.ours, &w.options);

	assert_true(remote_caches_find(r, QUICK, "", &found, &from));
	assert_string_equal(found.key, A);
	assert_int_equal(found.created, 101);
	assert_string_equal(found.layer.diff_id.text, w.layers[0].diff_id.text);
	assert_int_equal(w.noted, 1);
	assert_int_equal(w.fetched, 0);
	assert_false(store_has(w.ours, &found.layer.descriptor.digest, -1));
	assert_false(cache_get(w.ours, A, &kept));
	assert_true(remote_caches_find_created(r, MADE, &created));
	assert_int_equal(created, 4711);
	assert_false(remote_caches_find_created(r, A, &created));
	/* Another's layer is none of ours; ours comes once, and its step is known here from then on. */
	assert_ok(remote_caches_fetch(r, &w.layers[1].descriptor, 1, err));
	assert_int_equal(w.fetched, 0);
	assert_ok(remote_caches_fetch(r, &w.layers[0].descriptor, 1, err));
	assert_ok(remote_caches_fetch(r, &w.layers[0].descriptor, 1, err));
	assert_int_equal(w.fetched, 1);
	assert_true(cache_get(w.ours, A, &kept));
	assert_true(cache_get(w.ours, QUICK, &kept));
	assert_string_equal(kept.key, A);
}

static void a_cache_that_cannot_be_had_is_said_once(void **state)
{
	AUTO(world) w;

	world_init(&w, *state);
	w.load_fails = ERROR_NETWORK;
	AUTO_PTR(remote_caches) r = remote_caches_new(w.ours, &w.options);

	assert_false(find(r, A));
	assert_false(find(r, B));
	assert_int_equal(w.loaded, 1);
	assert_int_equal(w.warned, 1);
	assert_string_equal(w.said, "cache there: no answer; the build goes on without it");
	/* One that was never written is no reason to warn. */
	w.load_fails = ERROR_NOT_FOUND;
	w.warned = 0;
	AUTO_PTR(remote_caches) again = remote_caches_new(w.ours, &w.options);

	assert_false(find(again, A));
	assert_int_equal(w.warned, 0);
}

static void what_is_lost_starts_the_build_over(void **state)
{
	AUTO(world) w;

	world_init(&w, *state);
	AUTO_PTR(remote_caches) r = remote_caches_new(w.ours, &w.options);

	assert_true(find(r, A));
	assert_true(find(r, B));
	w.fetch_fails = ERROR_NOT_FOUND;
	assert_error(remote_caches_fetch(r, &w.layers[0].descriptor, 1, err), ERROR_CANCELLED,
		     "starts over");
	assert_int_equal(w.warned, 1);
	assert_true(remote_caches_start_over(r));
	assert_false(remote_caches_start_over(r));
	/* The lost one is no hit any more; others are looked for first. */
	assert_false(find(r, A));
	assert_false(find(r, QUICK));
	assert_int_equal(w.checked, 0);
	assert_true(find(r, B));
	assert_int_equal(w.checked, 1);
	w.gone = true;
	assert_false(find(r, B));
}

static void a_cache_that_fails_otherwise_is_given_up(void **state)
{
	AUTO(world) w;

	world_init(&w, *state);
	AUTO_PTR(remote_caches) r = remote_caches_new(w.ours, &w.options);

	assert_true(find(r, A));
	w.fetch_fails = ERROR_NETWORK;
	assert_error(remote_caches_fetch(r, &w.layers[0].descriptor, 1, err), ERROR_CANCELLED, "");
	assert_true(remote_caches_start_over(r));
	assert_false(find(r, B));
	assert_int_equal(w.checked, 0);
}

/* The blob is right and its diff ID is not: it comes to light before anything is made of it. */
static void a_diff_id_that_lies_is_a_loss(void **state)
{
	AUTO(world) w;
	AUTO(cache_record) kept = {.created = 0};
	struct digest right;

	world_init(&w, *state);
	image_free(w.image);
	right = w.layers[0].diff_id;
	w.layers[0].diff_id = w.layers[1].diff_id;
	make_image(&w);
	AUTO_PTR(remote_caches) r = remote_caches_new(w.ours, &w.options);

	/* Its index is here already: that proves nothing of this blob. */
	assert_true(find(r, B));
	assert_ok(remote_caches_fetch(r, &w.layers[1].descriptor, 1, err));
	assert_true(find(r, A));
	assert_error(remote_caches_fetch(r, &w.layers[0].descriptor, 1, err), ERROR_CANCELLED, "");
	assert_true(remote_caches_start_over(r));
	assert_false(cache_get(w.ours, A, &kept));
	assert_false(digest_equal(&right, &w.layers[1].diff_id));
}

static void a_result_may_leave_layers_where_they_are(void **state)
{
	AUTO(world) w;

	world_init(&w, *state);
	AUTO_PTR(remote_caches) r = remote_caches_new(w.ours, &w.options);

	assert_true(find(r, A));
	/* Seen there: it can be fetched later. */
	assert_ok(remote_caches_settle(r, &w.layers[0].descriptor, 1, err));
	assert_int_equal(w.checked, 1);
	assert_int_equal(w.fetched, 0);
	/* Where it goes it is already. */
	w.options.place = (struct layer_place){.holds = holds, .arg = &w};
	w.held = true;
	assert_ok(remote_caches_settle(r, &w.layers[0].descriptor, 1, err));
	assert_int_equal(w.fetched, 0);
	/* It has to be sent. */
	w.held = false;
	assert_ok(remote_caches_settle(r, &w.layers[0].descriptor, 1, err));
	assert_int_equal(w.fetched, 1);
	assert_int_equal(w.checked, 1);
}

static void a_result_must_not_lack_what_is_nowhere(void **state)
{
	AUTO(world) w;

	world_init(&w, *state);
	AUTO_PTR(remote_caches) r = remote_caches_new(w.ours, &w.options);

	assert_true(find(r, A));
	w.gone = true;
	assert_error(remote_caches_settle(r, &w.layers[0].descriptor, 1, err), ERROR_CANCELLED, "");
	assert_true(remote_caches_start_over(r));
}

static void the_users_cancel_is_no_loss(void **state)
{
	AUTO(world) w;
	struct cancel cancel = {.wake_fd = -1};

	world_init(&w, *state);
	w.options.cancel = &cancel;
	AUTO_PTR(remote_caches) r = remote_caches_new(w.ours, &w.options);

	assert_true(find(r, A));
	cancel_note(&cancel, 2);
	w.fetch_fails = ERROR_CANCELLED;
	assert_error(remote_caches_fetch(r, &w.layers[0].descriptor, 1, err), ERROR_CANCELLED,
		     "cancelled");
	assert_false(remote_caches_start_over(r));
	assert_int_equal(w.warned, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, build_fixture_setup, build_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_asked_without_need),
		TEST(a_hit_is_a_descriptor_until_it_is_fetched),
		TEST(a_cache_that_cannot_be_had_is_said_once),
		TEST(what_is_lost_starts_the_build_over),
		TEST(a_cache_that_fails_otherwise_is_given_up),
		TEST(a_diff_id_that_lies_is_a_loss),
		TEST(a_result_may_leave_layers_where_they_are),
		TEST(a_result_must_not_lack_what_is_nowhere),
		TEST(the_users_cancel_is_no_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

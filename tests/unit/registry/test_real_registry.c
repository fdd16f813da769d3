#include "tests/unit/registry/world.h"

/* Against Debian's docker-registry over TLS with htpasswd: what a scripted one may have got wrong too. */

static struct fake real;

static int start(void **state)
{
	AUTO_FREE char *folder = NULL;
	AUTO(strlist) argv = STRLIST_INIT;

	if (scratch_setup(state) < 0)
		return -1;
	folder = xstrfmt("%s/registry", scratch_path);
	strlist_add(&argv, "/usr/bin/python3");
	strlist_add(&argv, "-B");
	strlist_add(&argv, TEST_DATA "/../fakes/real_registry.py");
	strlist_add(&argv, folder);
	/* Without the peer the tests below are skipped, visibly. */
	if (fake_spawn(&real, argv.items) < 0)
		fake_stop(&real);
	return fake_start(&fake, NULL) < 0 || fake_start(&other, NULL) < 0 ? -1 : 0;
}

static int stop(void **state)
{
	fake_stop(&real);
	return world_stop(state);
}

static char *info(const char *name)
{
	return (char *)(uintptr_t)json_string_value(json_object_get(real.info, name));
}

static void begin(struct world *w, const char *name)
{
	if (!real.host)
		skip();
	w->o.ca_file = real.ca;
	set_login(w, info("user"), info("password"));
	new_client(w);
	make_ref(&w->ref, real.host, name);
}

static void test_round_trip(void **state)
{
	struct world *w = *state;
	AUTO(image_ref) second = {0};
	AUTO(descriptor) d = {0};
	struct push_result r;

	begin(w, "round/trip:v1");
	assert_error(registry_resolve(w->c, &w->ref, &d, err), ERROR_NOT_FOUND, "MANIFEST_UNKNOWN");
	assert_int_equal(push_ok(w, &w->ref, &w->image->descriptor).uploaded, 4);
	pull_ok(w, &w->ref, w->image);
	assert_ok(registry_resolve(w->c, &w->ref, &d, err));
	assert_string_equal(d.digest.text, w->image->descriptor.digest.text);
	assert_int_equal(d.size, w->image->descriptor.size);
	new_client(w);
	r = push_ok(w, &w->ref, &w->image->descriptor);
	assert_int_equal(r.uploaded + r.mounted, 0);
	/* Another repository of the registry borrows all blobs. */
	make_ref(&second, real.host, "second:v1");
	r = push_ok(w, &second, &w->image->descriptor);
	assert_int_equal(r.mounted, 4);
	assert_int_equal(r.uploaded, 0);
}

/* Beyond one buffer, beyond 1 MiB (Expect), and the empty blob. */
static void test_sizes(void **state)
{
	static const size_t SIZES[] = {0, 1, 262144, 1048577, 20000000};
	struct world *w = *state;
	AUTO_PTR(image) image = make_image(w->from, SIZES, ARRAY_SIZE(SIZES), 9);

	begin(w, "sizes:v1");
	assert_int_equal(push_ok(w, &w->ref, &image->descriptor).uploaded, 6);
	pull_ok(w, &w->ref, image);
}

static void test_login(void **state)
{
	struct world *w = *state;
	char wrong[] = "wrong";
	struct login good, bad;
	struct push_result r;

	begin(w, "login:v1");
	good = (struct login){.username = info("user"), .password = info("password")};
	bad = (struct login){.username = info("user"), .password = wrong};
	assert_ok(registry_check_login(w->c, real.host, &good, err));
	assert_error(registry_check_login(w->c, real.host, &bad, err), ERROR_DENIED, "401");
	set_login(w, info("user"), wrong);
	new_client(w);
	assert_error(registry_push(w->c, w->from, &w->ref, &w->image->descriptor, &r, err),
		     ERROR_DENIED, "slipway login 127.0.0.1:");
	set_login(w, NULL, NULL);
	new_client(w);
	assert_error(registry_push(w->c, w->from, &w->ref, &w->image->descriptor, &r, err),
		     ERROR_DENIED, "401 Unauthorized");
}

/* A kept beginning is gone on with: the registry knows Range. */
static void test_resume(void **state)
{
	struct world *w = *state;
	const struct descriptor *layer = &w->image->manifest.layers[0];
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_PTR(ingest) in = NULL;

	begin(w, "resume:v1");
	push_ok(w, &w->ref, &w->image->descriptor);
	assert_ok(store_read_blob(w->from, &layer->digest, layer->size, &text, 1 << 20, err));
	assert_ok(ingest_begin(&in, w->to, &layer->digest, err));
	assert_ok(sink_write(ingest_sink(in), text.buf, 123457, err));
	ingest_free(take_ptr(in));
	pull_ok(w, &w->ref, w->image);
	/* A beginning that is not the blob's is found out, and everything comes anew. */
	assert_ok(store_delete_blob(w->to, &layer->digest, err));
	text.buf[5] ^= 1;
	assert_ok(ingest_begin(&in, w->to, &layer->digest, err));
	assert_ok(sink_write(ingest_sink(in), text.buf, 123457, err));
	ingest_free(take_ptr(in));
	pull_ok(w, &w->ref, w->image);
	assert_said(w, "; once more");
}

static void test_untrusted(void **state)
{
	struct world *w = *state;
	AUTO(descriptor) d = {0};

	begin(w, "trust:v1");
	w->o.ca_file = NULL;
	new_client(w);
	assert_error(registry_resolve(w->c, &w->ref, &d, err), ERROR_NETWORK, "SSL_CERT_FILE");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_round_trip), world_test(test_sizes),     world_test(test_login),
		world_test(test_resume),     world_test(test_untrusted),
	};
	int failed;

	pool = pool_new(6);
	failed = cmocka_run_group_tests(tests, start, stop);
	pool_free(pool);
	return failed;
}

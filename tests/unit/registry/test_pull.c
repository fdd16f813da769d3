#include "tests/unit/registry/world.h"

/* Downloads: cut, spliced, lengthened, changed, redirected. The image's layers have 300000, 5000 and 70000 bytes. */

static char *blob_path(const struct world *w, size_t layer)
{
	return xstrfmt("/v2/app/blobs/%s$", w->image->manifest.layers[layer].digest.text);
}

/* A rule for the GET of that layer; effect as JSON members. */
static void blob_rule(const struct world *w, size_t layer, const char *effect)
{
	AUTO_FREE char *path = blob_path(w, layer);
	AUTO_FREE char *rule = xstrfmt("{\"method\": \"GET\", \"path\": \"%s\", %s}", path, effect);

	fake_rule(&fake, rule);
}

static int pull(struct world *w, struct error *err)
{
	AUTO(descriptor) got = {0};
	bool changed;

	return registry_pull(w->c, w->to, &w->ref, NULL, &got, &changed, err);
}

/* Nothing half-written became a blob. */
static void assert_no_layer(struct world *w, size_t layer)
{
	assert_false(store_has(w->to, &w->image->manifest.layers[layer].digest, -1));
}

static void test_reset_and_resume(void **state)
{
	static const struct {
		const char *effect;
		int64_t least; /* where the second request begins, at least and at most */
		int64_t most;
	} ROWS[] = {
		{"\"reset\": 0", 0, 0},
		{"\"reset\": 1", 1, 1},
		{"\"reset\": 150000", 150000, 150000},
		{"\"reset\": 299999", 299999, 299999},
		{"\"truncate\": 0", 0, 0},
		{"\"truncate\": 1", 1, 1},
		{"\"truncate\": 299999", 299999, 299999},
	};
	struct world *w = *state;
	AUTO_FREE char *path = blob_path(w, 0);

	push_ok(w, &w->ref, &w->image->descriptor);
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO_FREE char *range = NULL;
		int before = fake_count(&fake, "GET", path);

		store_delete_blob(w->to, &w->image->manifest.layers[0].digest, NULL);
		blob_rule(w, 0, ROWS[i].effect);
		pull_ok(w, &w->ref, w->image);
		assert_int_equal(fake_count(&fake, "GET", path), before + 2);
		range = fake_seen(&fake, "GET", path, before + 1, "Range");
		if (ROWS[i].most == 0) {
			assert_null(range);
			continue;
		}
		assert_non_null(range);
		assert_memory_equal(range, "bytes=", 6);
		assert_in_range(atol(range + 6), ROWS[i].least, ROWS[i].most);
	}
	assert_said(w, "; retry 1 in ");
}

/* Wrong answers to a Range: the whole is fetched anew, never spliced. */
static void test_wrong_ranges(void **state)
{
	static const char *const EFFECTS[] = {
		"\"ignore_range\": true",
		"\"set_headers\": {\"Content-Range\": \"bytes 0-299999/300000\"}",
		"\"set_headers\": {\"Content-Range\": \"bytes 99999-299998/299999\"}",
		"\"set_headers\": {\"Content-Range\": \"bytes 100000-299999/300001\"}",
		"\"set_headers\": {\"Content-Range\": \"bytes 100000-199999/300000\"}",
		"\"set_headers\": {\"Content-Range\": \"\"}",
		"\"set_headers\": {\"Content-Range\": \"lines 1-2/3\"}",
		"\"status\": 416",
		"\"status\": 206, \"body\": \"other bytes\"",
	};
	struct world *w = *state;
	AUTO_FREE char *path = blob_path(w, 0);

	push_ok(w, &w->ref, &w->image->descriptor);
	for (size_t i = 0; i < ARRAY_SIZE(EFFECTS); i++) {
		store_delete_blob(w->to, &w->image->manifest.layers[0].digest, NULL);
		blob_rule(w, 0, "\"truncate\": 100000");
		blob_rule(w, 0, EFFECTS[i]);
		pull_ok(w, &w->ref, w->image);
	}
	/* The first row needs two requests: the registry's 200 is taken as it comes. */
	assert_int_equal(fake_count(&fake, "GET", path), 2 + 3 * (ARRAY_SIZE(EFFECTS) - 1));
}

/* What was kept when the program ended is gone on with. */
static void test_resume_in_next_run(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *path = blob_path(w, 0);
	AUTO_FREE char *range = NULL;
	int before;

	push_ok(w, &w->ref, &w->image->descriptor);
	blob_rule(w, 0, "\"truncate\": 200000");
	blob_rule(w, 0, "\"status\": 503, \"times\": 3");
	assert_error(pull(w, err), ERROR_REMOTE, "503 Service Unavailable");
	assert_no_layer(w, 0);
	before = fake_count(&fake, "GET", path);
	new_client(w);
	pull_ok(w, &w->ref, w->image);
	range = fake_seen(&fake, "GET", path, before, "Range");
	assert_string_equal(range, "bytes=200000-");
}

static void test_changed_byte(void **state)
{
	struct world *w = *state;
	const char *digest = w->image->manifest.layers[0].digest.text;

	push_ok(w, &w->ref, &w->image->descriptor);
	/* Once: asked for again. */
	blob_rule(w, 0, "\"corrupt\": 123456");
	pull_ok(w, &w->ref, w->image);
	/* Always: refused, with both digests. */
	store_delete_blob(w->to, &w->image->manifest.layers[0].digest, NULL);
	blob_rule(w, 0, "\"corrupt\": 123456, \"times\": -1");
	assert_error(pull(w, err), ERROR_CORRUPT, digest);
	assert_error(pull(w, err), ERROR_CORRUPT, "have the digest sha256:");
	assert_no_layer(w, 0);
}

/* Pulls with a wrong answer for that layer; the number of times it was asked for. */
static int count_wrong(struct world *w, size_t layer, const char *effect, enum error_kind kind,
		       const char *text)
{
	AUTO_FREE char *path = blob_path(w, layer);
	AUTO_FREE char *always = xstrfmt("\"times\": -1, %s", effect);

	fake_reset(&fake);
	push_ok(w, &w->ref, &w->image->descriptor);
	store_delete_blob(w->to, &w->image->manifest.layers[layer].digest, NULL);
	blob_rule(w, layer, always);
	assert_error(pull(w, err), kind, text);
	assert_no_layer(w, layer);
	return fake_count(&fake, "GET", path);
}

/* A length that contradicts the manifest is seen at once, and no second answer is asked for. */
static void test_other_length(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *longer = xmalloc(5002);
	AUTO_FREE char *effect = NULL;

	memset(longer, 'x', 5001);
	longer[5001] = '\0';
	effect = xstrfmt("\"status\": 200, \"body\": \"%s\"", longer);
	assert_int_equal(count_wrong(w, 1, effect, ERROR_CORRUPT, "has 5001 bytes at 127.0.0.1"),
			 1);
	assert_int_equal(count_wrong(w, 1, "\"status\": 200, \"body\": \"short\"", ERROR_CORRUPT,
				     "but the manifest says 5000"),
			 1);
}

/* Resumed, the registry says that there is no more, and then what it has. */
static void test_other_length_after_range(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *path = blob_path(w, 0);
	AUTO_FREE char *range = NULL;

	push_ok(w, &w->ref, &w->image->descriptor);
	blob_rule(w, 0, "\"truncate\": 100000");
	blob_rule(w, 0, "\"status\": 416");
	blob_rule(w, 0, "\"status\": 200, \"times\": -1, \"body\": \"short\"");
	assert_error(pull(w, err), ERROR_CORRUPT, "has 5 bytes");
	range = fake_seen(&fake, "GET", path, 1, "Range");
	assert_string_equal(range, "bytes=100000-");
	assert_int_equal(fake_count(&fake, "GET", path), 3);
}

/* Without a length it shows only at the end: of too much no byte is kept, too little may have been a broken transfer. */
static void test_unstated_length(void **state)
{
	static const char chunked[] =
		"\"set_headers\": {\"Content-Length\": \"\", \"Transfer-Encoding\": \"chunked\"}, "
		"\"status\": 200, \"body\": \"%x\\r\\n%s\\r\\n0\\r\\n\\r\\n\"";
	struct world *w = *state;
	AUTO_FREE char *longer = xmalloc(70002);
	AUTO_FREE char *more = NULL;
	AUTO_FREE char *fewer = xstrfmt(chunked, 5, "short");

	memset(longer, 'x', 70001);
	longer[70001] = '\0';
	more = xstrfmt(chunked, 70001, longer);
	assert_int_equal(count_wrong(w, 2, more, ERROR_CORRUPT, "sends more than the 70000 bytes"),
			 2);
	assert_true(count_wrong(w, 1, fewer, ERROR_NETWORK, "after 5 of 5000 bytes") > 2);
}

static void test_other_errors(void **state)
{
	static const struct {
		const char *rule;
		enum error_kind kind;
		const char *text;
	} ROWS[] = {
		{"{\"path\": \"/manifests/\", \"status\": 404, \"times\": -1, \"body\": "
		 "\"{\\\"errors\\\":[{\\\"code\\\":\\\"NAME_UNKNOWN\\\"}]}\"}",
		 ERROR_NOT_FOUND, "404 Not Found: NAME_UNKNOWN"},
		{"{\"path\": \"/manifests/\", \"status\": 401, \"times\": -1}", ERROR_DENIED,
		 "slipway login"},
		{"{\"path\": \"/blobs/\", \"status\": 404, \"times\": -1}", ERROR_NOT_FOUND,
		 "pull blob"},
		{"{\"path\": \"/manifests/\", \"status\": 429, \"times\": -1, \"headers\": "
		 "{\"Retry-After\": \"0\", \"ratelimit-remaining\": \"0;w=21600\"}}",
		 ERROR_REMOTE, "remaining: 0;w=21600"},
		{"{\"path\": \"/manifests/\", \"reset_upload\": 0, \"times\": -1}", ERROR_NETWORK,
		 "127.0.0.1"},
	};
	struct world *w = *state;

	push_ok(w, &w->ref, &w->image->descriptor);
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		fake_reset(&fake);
		push_ok(w, &w->ref, &w->image->descriptor);
		fake_rule(&fake, ROWS[i].rule);
		assert_error(pull(w, err), ROWS[i].kind, ROWS[i].text);
	}
}

static void test_head_tells_little(void **state)
{
	static const char *const RULES[] = {
		"{\"method\": \"HEAD\", \"path\": \"/manifests/\", \"set_headers\": "
		"{\"Docker-Content-Digest\": \"\"}}",
		"{\"method\": \"HEAD\", \"path\": \"/manifests/\", \"status\": 405}",
		"{\"method\": \"HEAD\", \"path\": \"/manifests/\", \"status\": 403}",
		"{\"method\": \"HEAD\", \"path\": \"/manifests/\", \"set_headers\": "
		"{\"Docker-Content-Digest\": \"sha256:../../x\"}}",
		"{\"method\": \"HEAD\", \"path\": \"/manifests/\", \"set_headers\": {\"Content-Type\": \"\"}}",
	};
	struct world *w = *state;

	push_ok(w, &w->ref, &w->image->descriptor);
	for (size_t i = 0; i < ARRAY_SIZE(RULES); i++) {
		AUTO(descriptor) d = {0};

		fake_rule(&fake, RULES[i]);
		assert_ok(registry_resolve(w->c, &w->ref, &d, err));
		assert_string_equal(d.digest.text, w->image->descriptor.digest.text);
		assert_int_equal(d.size, w->image->descriptor.size);
		assert_string_equal(d.media_type, MEDIA_OCI_MANIFEST);
	}
	assert_int_equal(fake_count(&fake, "GET", "/manifests/v1"), ARRAY_SIZE(RULES));
}

static void test_manifests_not_as_promised(void **state)
{
	static const struct {
		const char *rule;
		enum error_kind kind;
		const char *text;
	} ROWS[] = {
		{"{\"method\": \"GET\", \"path\": \"/manifests/\", \"corrupt\": 20, \"times\": -1}",
		 ERROR_CORRUPT, "has the digest"},
		{"{\"method\": \"GET\", \"path\": \"/manifests/\", \"times\": -1, \"set_headers\": "
		 "{\"Docker-Content-Digest\": "
		 "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}}",
		 ERROR_CORRUPT, "not sha256:e3b0c442"},
		{"{\"method\": \"GET\", \"path\": \"/manifests/\", \"times\": -1, \"set_headers\": "
		 "{\"Content-Type\": \"application/vnd.oci.image.index.v1+json\"}}",
		 ERROR_CORRUPT, ""},
	};
	struct world *w = *state;

	push_ok(w, &w->ref, &w->image->descriptor);
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		fake_reset(&fake);
		push_ok(w, &w->ref, &w->image->descriptor);
		fake_rule(&fake, ROWS[i].rule);
		assert_error(pull(w, err), ROWS[i].kind, ROWS[i].text);
		assert_false(store_has(w->to, &w->image->descriptor.digest, -1));
	}
}

/* By digest: no HEAD, and another manifest under that address is refused. */
static void test_by_digest(void **state)
{
	struct world *w = *state;
	AUTO(image_ref) ref = {0};
	AUTO_FREE char *name = xstrfmt("app@%s", w->image->descriptor.digest.text);
	AUTO(descriptor) top = {0};
	AUTO(descriptor) chosen = {0};
	int before;

	push_ok(w, &w->ref, &w->image->descriptor);
	make_ref(&ref, fake.host, name);
	before = fake_count(&fake, "HEAD", "/manifests/");
	pull_ok(w, &ref, w->image);
	assert_int_equal(fake_count(&fake, "HEAD", "/manifests/"), before);
	/* Known: not a single request. */
	before = fake_count(&fake, NULL, ".");
	assert_ok(registry_fetch_image(w->c, w->to, &ref, NULL, &top, &chosen, err));
	assert_int_equal(fake_count(&fake, NULL, "."), before);
}

static void test_second_pull(void **state)
{
	struct world *w = *state;
	AUTO(descriptor) got = {0};
	bool changed = false;
	int before;

	push_ok(w, &w->ref, &w->image->descriptor);
	assert_ok(registry_pull(w->c, w->to, &w->ref, NULL, &got, &changed, err));
	assert_true(changed);
	before = fake_count(&fake, NULL, ".");
	assert_ok(registry_pull(w->c, w->to, &w->ref, NULL, &got, &changed, err));
	assert_false(changed);
	assert_int_equal(fake_count(&fake, NULL, "."), before + 1);
	/* Of the push, of each pull. */
	assert_int_equal(fake_count(&fake, "HEAD", "/manifests/v1"), 3);
}

/* ---- redirects ----------------------------------------------------------- */

static void redirect_rule(const struct world *w, const char *to)
{
	AUTO_FREE char *effect = xstrfmt(
		"\"status\": 307, \"times\": -1, \"headers\": {\"Location\": \"%s\"}", to);

	blob_rule(w, 1, effect);
}

/* Blobs from a store beside the registry, whose signed address ends: the registry is asked for a new one. */
static void test_redirect(void **state)
{
	struct world *w = *state;
	const struct descriptor *layer = &w->image->manifest.layers[1];
	AUTO(image_ref) beside = {0};
	AUTO_FREE char *to = xstrfmt("http://%s/v2/store/blobs/%s", other.host, layer->digest.text);
	AUTO_FREE char *credentials = NULL;
	AUTO_FREE char *range = NULL;
	char user[] = "user", password[] = "secret";

	fake_setting(&fake, "{\"auth\": \"basic\"}");
	set_login(w, user, password);
	push_ok(w, &w->ref, &w->image->descriptor);
	make_ref(&beside, other.host, "store:v1");
	push_ok(w, &beside, &w->image->descriptor);
	redirect_rule(w, to);
	fake_rule(&other, "{\"method\": \"GET\", \"path\": \"/store/blobs/\", \"truncate\": 2000}");
	fake_rule(&other, "{\"method\": \"GET\", \"path\": \"/store/blobs/\", \"status\": 403}");
	pull_ok(w, &w->ref, w->image);
	assert_int_equal(fake_count(&other, "GET", "/store/blobs/"), 3);
	for (int i = 0; i < 3; i++) {
		credentials = fake_seen(&other, "GET", "/store/blobs/", i, "Authorization");
		assert_null(credentials);
	}
	range = fake_seen(&other, "GET", "/store/blobs/", 2, "Range");
	assert_string_equal(range, "bytes=2000-");
}

/* A challenge from elsewhere is not answered with the registry's credentials. */
static void test_challenge_after_redirect(void **state)
{
	struct world *w = *state;
	AUTO_FREE char *to = xstrfmt("http://%s/store/x", other.host);
	AUTO_FREE char *credentials = NULL;
	char user[] = "user", password[] = "secret";
	int n;

	fake_setting(&fake, "{\"auth\": \"basic\"}");
	set_login(w, user, password);
	push_ok(w, &w->ref, &w->image->descriptor);
	redirect_rule(w, to);
	fake_rule(&other, "{\"path\": \".\", \"status\": 401, \"times\": -1, \"headers\": "
			  "{\"WWW-Authenticate\": \"Basic realm=\\\"evil\\\"\"}}");
	assert_error(pull(w, err), ERROR_NETWORK, "answered 401");
	n = fake_count(&other, NULL, ".");
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		credentials = fake_seen(&other, NULL, ".", i, "Authorization");
		assert_null(credentials);
	}
}

static void test_redirects_refused(void **state)
{
	static const char *const TARGETS[] = {"http://169.254.169.254/latest/meta-data/",
					      "http://10.0.0.1/x", "ftp://example.com/x",
					      "file:///etc/passwd", "http://u:p@127.0.0.1/x"};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(TARGETS); i++) {
		fake_reset(&fake);
		push_ok(w, &w->ref, &w->image->descriptor);
		redirect_rule(w, TARGETS[i]);
		assert_error(pull(w, err), ERROR_DENIED, "refused");
	}
	fake_reset(&fake);
	push_ok(w, &w->ref, &w->image->descriptor);
	redirect_rule(w, "/v2/app/blobs/round");
	fake_rule(&fake, "{\"path\": \"/round\", \"status\": 302, \"times\": -1, \"headers\": "
			 "{\"Location\": \"/v2/app/blobs/round\"}}");
	assert_error(pull(w, err), ERROR_REMOTE, "more than 5 times");
}

/* A foreign layer that the registry does not have, and addresses that are not to be asked. */
static void test_foreign_layer(void **state)
{
	static const struct {
		const char *url;
		const char *text;
	} ROWS[] = {
		{"http://127.0.0.1:9/x", "only https"},
		{"file:///etc/passwd", "only https"},
		{"https://169.254.169.254/x", "no public network"},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		AUTO(descriptor) layer = {0};
		struct digest absent = digest_of("foreign", 7);

		descriptor_set(&layer, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
			       &absent, 7);
		strlist_add(&layer.urls, ROWS[i].url);
		assert_error(registry_fetch_blob(w->c, w->to, &w->ref, &layer, 0, err),
			     ERROR_DENIED, ROWS[i].text);
	}
}

static void test_unreachable(void **state)
{
	struct world *w = *state;
	AUTO(image_ref) down = {0};
	AUTO(descriptor) d = {0};

	make_ref(&down, "127.0.0.1:1", "app:v1");
	assert_error(registry_resolve(w->c, &down, &d, err), ERROR_NETWORK,
		     "127.0.0.1:1: Connection refused");
	assert_error(registry_resolve(w->c, &down, &d, err), ERROR_NETWORK,
		     "is the registry running");
}

/* Somebody presses Ctrl-C while a retry is waited for. */
static void test_cancel(void **state)
{
	struct cancel cancel = {.wake_fd = -1};
	struct world *w = *state;

	push_ok(w, &w->ref, &w->image->descriptor);
	w->o.cancel = &cancel;
	new_client(w);
	cancel.signal = 2;
	assert_error(pull(w, err), ERROR_CANCELLED, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_reset_and_resume),   world_test(test_wrong_ranges),
		world_test(test_resume_in_next_run), world_test(test_changed_byte),
		world_test(test_other_length),       world_test(test_other_length_after_range),
		world_test(test_unstated_length),    world_test(test_other_errors),
		world_test(test_head_tells_little),  world_test(test_manifests_not_as_promised),
		world_test(test_by_digest),          world_test(test_second_pull),
		world_test(test_redirect),           world_test(test_challenge_after_redirect),
		world_test(test_redirects_refused),  world_test(test_foreign_layer),
		world_test(test_unreachable),        world_test(test_cancel),
	};
	int failed;

	pool = pool_new(6);
	failed = cmocka_run_group_tests(tests, world_start, world_stop);
	pool_free(pool);
	return failed;
}

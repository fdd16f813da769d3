#include "tests/unit/registry/world.h"

#include "oci/manifest.h"

static void test_push_and_pull(void **state)
{
	struct world *w = *state;
	struct push_result r = push_ok(w, &w->ref, &w->image->descriptor);
	AUTO_FREE char *type = NULL;

	assert_int_equal(r.uploaded, 4);
	assert_int_equal(r.present + r.mounted, 0);
	assert_int_equal(r.bytes, 375000 + w->image->manifest.config.size);
	assert_string_equal(r.digest.text, w->image->descriptor.digest.text);
	assert_int_equal(r.size, w->image->descriptor.size);
	/* One session and one PUT a blob, then the manifest, with its type. */
	assert_int_equal(fake_count(&fake, "POST", "."), 4);
	assert_int_equal(fake_count(&fake, "PUT", "/blobs/"), 4);
	assert_int_equal(fake_count(&fake, "PUT", "/manifests/v1$"), 1);
	assert_int_equal(fake_count(&fake, "PUT", "/manifests/"), 1);
	type = fake_seen(&fake, "PUT", "/manifests/", 0, "Content-Type");
	assert_string_equal(type, MEDIA_OCI_MANIFEST);
	pull_ok(w, &w->ref, w->image);
}

/* What is there already costs one HEAD, from a client that knows nothing. */
static void test_nothing_to_do(void **state)
{
	struct world *w = *state;
	struct push_result r;
	int before;

	push_ok(w, &w->ref, &w->image->descriptor);
	before = fake_count(&fake, NULL, ".");
	new_client(w);
	r = push_ok(w, &w->ref, &w->image->descriptor);
	assert_int_equal(r.uploaded + r.mounted, 0);
	assert_int_equal(r.present, 4);
	assert_int_equal(fake_count(&fake, NULL, "."), before + 1);
}

static void test_another_tag(void **state)
{
	struct world *w = *state;
	AUTO(image_ref) v2 = {0};
	struct push_result r;

	push_ok(w, &w->ref, &w->image->descriptor);
	make_ref(&v2, fake.host, "app:v2");
	r = push_ok(w, &v2, &w->image->descriptor);
	assert_int_equal(r.present, 4);
	assert_int_equal(r.uploaded, 0);
	assert_int_equal(fake_count(&fake, "PUT", "/blobs/"), 4);
	assert_int_equal(fake_count(&fake, "PUT", "/manifests/v2$"), 1);
}

static void test_mount(void **state)
{
	struct world *w = *state;
	AUTO(image_ref) second = {0};
	AUTO_FREE char *post = NULL;
	struct push_result r;

	push_ok(w, &w->ref, &w->image->descriptor);
	make_ref(&second, fake.host, "team/second:v1");
	new_client(w);
	r = push_ok(w, &second, &w->image->descriptor);
	assert_int_equal(r.mounted, 4);
	assert_int_equal(r.uploaded + r.present, 0);
	assert_int_equal(fake_count(&fake, "PUT", "/team/second/blobs/"), 0);
	post = fake_seen(&fake, "POST", "/team/second/", 0, "path");
	assert_non_null(strstr(post, "?mount=sha256:"));
	assert_non_null(strstr(post, "&from=app"));
	assert_said(w, "mounted from app");
	pull_ok(w, &second, w->image);
}

/* The registry lost the source: the session it opens instead is used, no second one. */
static void test_mount_refused(void **state)
{
	struct world *w = *state;
	AUTO(image_ref) second = {0};
	struct push_result r;

	push_ok(w, &w->ref, &w->image->descriptor);
	fake_call(&fake, "POST", "/_fake/forget", "{}", NULL);
	make_ref(&second, fake.host, "second:v1");
	r = push_ok(w, &second, &w->image->descriptor);
	assert_int_equal(r.uploaded, 4);
	assert_int_equal(fake_count(&fake, "POST", "/second/"), 4);
	/* One that answers a mount with an error is asked for an ordinary session. */
	fake_call(&fake, "POST", "/_fake/forget", "{}", NULL);
	fake_rule(&fake,
		  "{\"method\": \"POST\", \"path\": \"mount=\", \"status\": 400, \"times\": -1}");
	make_ref(&second, fake.host, "third:v1");
	r = push_ok(w, &second, &w->image->descriptor);
	assert_int_equal(r.uploaded, 4);
}

/* A source at another registry is never named. */
static void test_mount_same_registry_only(void **state)
{
	struct world *w = *state;
	AUTO(image_ref) elsewhere = {0};

	push_ok(w, &w->ref, &w->image->descriptor);
	make_ref(&elsewhere, other.host, "app2:v1");
	assert_int_equal(push_ok(w, &elsewhere, &w->image->descriptor).uploaded, 4);
	assert_int_equal(fake_count(&other, "POST", "from="), 0);
}

static void test_equal_layers_once(void **state)
{
	struct world *w = *state;
	AUTO_PTR(image) twice = image_new();
	const struct manifest *m = &w->image->manifest;

	platform_host(&twice->config.platform);
	for (size_t i = 0; i < 3; i++) {
		manifest_add_layer(&twice->manifest, &m->layers[1]);
		image_config_add_layer(&twice->config, &m->layers[1].digest);
	}
	assert_ok(image_save(twice, w->from, err));
	assert_int_equal(push_ok(w, &w->ref, &twice->descriptor).uploaded, 2);
	pull_ok(w, &w->ref, twice);
}

static void flip_byte(struct store *s, const struct digest *d, off_t at)
{
	AUTO_FREE char *path = store_path(s, "blobs/sha256/%s", digest_hex(d));
	AUTO_FD int fd = -1;
	char byte;

	assert_int_equal(chmod(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte = (char)(byte ^ 1);
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

/* A damaged blob does not reach the registry: not as a blob, not under a name. */
static void test_damaged_blob(void **state)
{
	struct world *w = *state;
	const struct descriptor *layer = &w->image->manifest.layers[0];
	struct push_result r;
	AUTO_FREE char *blob = xstrfmt("/v2/app/blobs/%s", layer->digest.text);

	flip_byte(w->from, &layer->digest, 10);
	assert_error(registry_push(w->c, w->from, &w->ref, &w->image->descriptor, &r, err),
		     ERROR_CORRUPT, layer->digest.text);
	assert_int_equal(fake_count(&fake, "PUT", "/manifests/"), 0);
	assert_int_equal(fake_call(&fake, "GET", blob, NULL, NULL), 404);
	assert_false(store_has(w->from, &layer->digest, layer->size));
	/* It is known as missing now, and says so. */
	assert_error(registry_push(w->c, w->from, &w->ref, &w->image->descriptor, &r, err),
		     ERROR_NOT_FOUND, "neither in the store nor known to be in a registry");
}

static void test_damaged_hint(void **state)
{
	struct world *w = *state;
	const struct descriptor *layer = &w->image->manifest.layers[1];
	struct push_result r = {0};

	flip_byte(w->from, &layer->digest, layer->size - 1);
	assert_error(registry_push_blob(w->c, w->from, &w->ref, layer, 0, &r, err), ERROR_CORRUPT,
		     "slipway fsck --repair");
	assert_int_equal(r.uploaded, 0);
}

/* A layer that was never needed here comes from where its image came from. */
static void test_missing_blob_is_fetched(void **state)
{
	struct world *w = *state;
	AUTO(descriptor) top = {0};
	AUTO(descriptor) chosen = {0};
	AUTO(image_ref) elsewhere = {0};
	struct push_result r = {0};

	push_ok(w, &w->ref, &w->image->descriptor);
	assert_ok(registry_fetch_image(w->c, w->to, &w->ref, NULL, &top, &chosen, err));
	assert_false(store_has(w->to, &w->image->manifest.layers[0].digest, -1));
	make_ref(&elsewhere, other.host, "copy:v1");
	assert_ok(registry_push(w->c, w->to, &elsewhere, &top, &r, err));
	assert_int_equal(r.uploaded, 4);
	/* Into the same registry they are mounted, and nothing is moved. */
	make_ref(&elsewhere, fake.host, "copy:v1");
	store_delete_blob(w->to, &w->image->manifest.layers[0].digest, NULL);
	assert_ok(registry_push(w->c, w->to, &elsewhere, &top, &r, err));
	assert_int_equal(r.mounted, 4);
	assert_false(store_has(w->to, &w->image->manifest.layers[0].digest, -1));
}

/* ---- faults -------------------------------------------------------------- */

static void test_upload_broken(void **state)
{
	static const char *const RULES[] = {
		"{\"method\": \"PUT\", \"path\": \"/blobs/\", \"reset_upload\": 0}",
		"{\"method\": \"PUT\", \"path\": \"/blobs/\", \"reset_upload\": 4000}",
		"{\"method\": \"PUT\", \"path\": \"/blobs/\", \"status\": 500}",
		"{\"method\": \"PUT\", \"path\": \"/blobs/\", \"status\": 404, "
		"\"body\": \"{\\\"errors\\\":[{\\\"code\\\":\\\"BLOB_UPLOAD_UNKNOWN\\\"}]}\"}",
		"{\"method\": \"PUT\", \"path\": \"/blobs/\", \"status\": 416}",
		"{\"method\": \"POST\", \"path\": \"/uploads/\", \"status\": 502}",
		"{\"method\": \"HEAD\", \"path\": \"/blobs/\", \"status\": 503, \"headers\": "
		"{\"Retry-After\": \"0\"}}",
		"{\"method\": \"PUT\", \"path\": \"/manifests/\", \"status\": 500}",
		"{\"method\": \"PUT\", \"path\": \"/manifests/\", \"reset_after\": true}",
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(RULES); i++) {
		AUTO_PTR(image) image = make_image(w->from, LAYERS, 2, (uint32_t)(100 + i * 10));

		fake_rule(&fake, RULES[i]);
		assert_int_equal(push_ok(w, &w->ref, &image->descriptor).uploaded, 3);
		pull_ok(w, &w->ref, image);
		/* The first may be mended below us: a kept connection that ends before any byte is sent. */
		if (i > 0)
			assert_said(w, "; retry 1 in ");
		strbuf_reset(&w->said);
	}
}

/* The last byte arrived and the answer did not: found by HEAD, not sent again. */
static void test_upload_answer_lost(void **state)
{
	struct world *w = *state;

	fake_rule(&fake, "{\"method\": \"PUT\", \"path\": \"/blobs/\", \"reset_after\": true}");
	assert_int_equal(push_ok(w, &w->ref, &w->image->descriptor).uploaded, 4);
	assert_int_equal(fake_count(&fake, "PUT", "/blobs/"), 4);
	assert_int_equal(fake_count(&fake, "HEAD", "/blobs/"), 5);
	pull_ok(w, &w->ref, w->image);
}

static void test_upload_gives_up(void **state)
{
	struct world *w = *state;
	struct push_result r;

	fake_rule(&fake,
		  "{\"method\": \"PUT\", \"path\": \"/blobs/\", \"status\": 500, \"times\": -1, "
		  "\"body\": \"{\\\"errors\\\":[{\\\"code\\\":\\\"UNKNOWN\\\","
		  "\\\"message\\\":\\\"disk\\\\u001b full\\\"}]}\"}");
	assert_error(registry_push(w->c, w->from, &w->ref, &w->image->descriptor, &r, err),
		     ERROR_REMOTE, "500 Internal Server Error: UNKNOWN: disk\\x1b full");
	assert_int_equal(fake_count(&fake, "PUT", "/manifests/"), 0);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *rule;
		enum error_kind kind;
		const char *text;
	} ROWS[] = {
		{"{\"method\": \"PUT\", \"path\": \"/blobs/\", \"status\": 413, \"times\": -1}",
		 ERROR_REMOTE, "client_max_body_size"},
		{"{\"method\": \"POST\", \"path\": \"/uploads/\", \"status\": 404, \"times\": -1, "
		 "\"body\": \"{\\\"errors\\\":[{\\\"code\\\":\\\"NAME_UNKNOWN\\\"}]}\"}",
		 ERROR_NOT_FOUND, "the repository does not exist"},
		{"{\"method\": \"POST\", \"path\": \"/uploads/\", \"status\": 403, \"times\": -1}",
		 ERROR_DENIED, "slipway login 127.0.0.1:"},
		{"{\"method\": \"POST\", \"path\": \"/uploads/\", \"status\": 202, \"times\": -1}",
		 ERROR_REMOTE, "without a Location"},
		{"{\"method\": \"PUT\", \"path\": \"/blobs/\", \"status\": 302, \"times\": -1, "
		 "\"headers\": {\"Location\": \"/elsewhere\"}}",
		 ERROR_REMOTE, "302 Found"},
		{"{\"method\": \"PUT\", \"path\": \"/blobs/\", \"set_headers\": {\"Docker-Content-Digest\": "
		 "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}, "
		 "\"times\": -1}",
		 ERROR_CORRUPT, "stored it as sha256:e3b0c442"},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		struct push_result r;

		fake_reset(&fake);
		fake_rule(&fake, ROWS[i].rule);
		assert_error(registry_push(w->c, w->from, &w->ref, &w->image->descriptor, &r, err),
			     ROWS[i].kind, ROWS[i].text);
		assert_int_equal(fake_count(&fake, "PUT", "/manifests/"), 0);
	}
}

/* 307 on a PUT: the body goes to the new place, from its beginning. */
static void test_put_redirected(void **state)
{
	struct world *w = *state;
	const struct descriptor *layer = &w->image->manifest.layers[0];
	AUTO_FREE char *rule = NULL;
	AUTO_FREE char *length = NULL;
	struct push_result r = {0};

	rule = xstrfmt("{\"method\": \"PUT\", \"path\": \"/blobs/\", \"status\": 307, \"headers\": "
		       "{\"Location\": \"http://%s/store?sig=1\"}}",
		       other.host);
	fake_rule(&fake, rule);
	fake_rule(&other, "{\"method\": \"PUT\", \"path\": \"/store.sig=1$\", \"status\": 201}");
	assert_ok(registry_push_blob(w->c, w->from, &w->ref, layer, 0, &r, err));
	length = fake_seen(&other, "PUT", "/store", 0, "body");
	assert_int_equal(atol(length), layer->size);
}

static void test_too_many_requests(void **state)
{
	struct world *w = *state;

	fake_rule(
		&fake,
		"{\"path\": \"/blobs/\", \"status\": 429, \"headers\": {\"Retry-After\": \"1\"}}");
	assert_int_equal(push_ok(w, &w->ref, &w->image->descriptor).uploaded, 4);
	assert_said(w, "429 Too Many Requests; retry 1 in 1.0 s");
}

static void test_immutable_tag(void **state)
{
	struct world *w = *state;
	AUTO_PTR(image) changed = make_image(w->from, LAYERS, 1, 77);
	struct push_result r;

	push_ok(w, &w->ref, &w->image->descriptor);
	fake_setting(&fake, "{\"immutable\": true}");
	/* The first look misses it, as behind a cache. */
	fake_rule(&fake, "{\"method\": \"HEAD\", \"path\": \"/manifests/v1\", \"status\": 404}");
	push_ok(w, &w->ref, &w->image->descriptor);
	assert_int_equal(fake_count(&fake, "PUT", "/manifests/v1"), 2);
	assert_error(registry_push(w->c, w->from, &w->ref, &changed->descriptor, &r, err),
		     ERROR_REMOTE, "TAG_INVALID: The image tag already exists");
}

static void test_warning_once(void **state)
{
	struct world *w = *state;
	const char *first;

	fake_rule(&fake, "{\"path\": \".\", \"times\": -1, \"set_headers\": "
			 "{\"Warning\": \"299 - \\\"quota \\u001b[1mlow\\\"\"}}");
	push_ok(w, &w->ref, &w->image->descriptor);
	assert_said(w, "quota \\x1b[1mlow");
	first = strstr(w->said.buf, "quota");
	assert_null(strstr(first + 1, "quota"));
}

/* ---- indexes ------------------------------------------------------------- */

static void make_index(struct store *s, struct image *const *images, const char *const *platforms,
		       size_t n, struct descriptor *out)
{
	AUTO(image_index) index = {0};
	AUTO(strbuf) text = STRBUF_INIT;

	for (size_t i = 0; i < n; i++) {
		image_index_add(&index, &images[i]->descriptor);
		platform_release(&index.manifests[i].platform);
		assert_ok(platform_parse(&index.manifests[i].platform, platforms[i], err));
	}
	image_index_write(&index, &text);
	assert_ok(store_put(s, MEDIA_OCI_INDEX, text.buf, text.len, out, err));
}

static void test_index(void **state)
{
	static const char *const PLATFORMS[] = {"linux/amd64", "linux/arm64"};
	struct world *w = *state;
	AUTO_PTR(image) arm = make_image(w->from, LAYERS, 1, 500);
	struct image *images[] = {w->image, arm};
	AUTO(descriptor) index = {0};
	AUTO(descriptor) got = {0};
	AUTO(descriptor) top = {0};
	AUTO(descriptor) chosen = {0};
	AUTO(platform) platform = {0};
	AUTO(image_ref) second = {0};
	AUTO_FREE char *type = NULL;
	struct push_result r;
	bool changed;

	make_index(w->from, images, PLATFORMS, 2, &index);
	/* The registry refuses an index before its children: the order is part of this. */
	r = push_ok(w, &w->ref, &index);
	assert_int_equal(r.uploaded, 6);
	assert_string_equal(r.digest.text, index.digest.text);
	type = fake_seen(&fake, "PUT", "/manifests/v1", 0, "Content-Type");
	assert_string_equal(type, MEDIA_OCI_INDEX);
	/* Only the chosen platform is fetched. */
	assert_ok(platform_parse(&platform, "linux/arm64", err));
	assert_ok(registry_pull(w->c, w->to, &w->ref, &platform, &got, &changed, err));
	assert_string_equal(got.digest.text, index.digest.text);
	assert_true(store_has(w->to, &arm->manifest.layers[0].digest, -1));
	assert_false(store_has(w->to, &w->image->descriptor.digest, -1));
	assert_ok(registry_fetch_image(w->c, w->to, &w->ref, &platform, &top, &chosen, err));
	assert_string_equal(chosen.digest.text, arm->descriptor.digest.text);
	/* Of an index with one platform here that one is pushed. */
	make_ref(&second, other.host, "app:v1");
	assert_ok(registry_push(w->c, w->to, &second, &got, &r, err));
	assert_string_equal(r.digest.text, arm->descriptor.digest.text);
	assert_said(w, "only one platform of app is here");
	platform_release(&platform);
	assert_ok(platform_parse(&platform, "linux/riscv64", err));
	assert_error(registry_fetch_image(w->c, w->to, &w->ref, &platform, &top, &chosen, err),
		     ERROR_NOT_FOUND, "linux/arm64");
}

static void test_partial_index(void **state)
{
	static const char *const PLATFORMS[] = {"linux/amd64", "linux/arm64", "linux/s390x"};
	struct world *w = *state;
	AUTO_PTR(image) arm = make_image(w->from, LAYERS, 1, 600);
	AUTO_PTR(image) z = make_image(w->from, LAYERS, 1, 700);
	struct image *images[] = {w->image, arm, z};
	AUTO(descriptor) index = {0};
	struct push_result r;

	make_index(w->from, images, PLATFORMS, 3, &index);
	assert_ok(store_delete_blob(w->from, &z->descriptor.digest, err));
	assert_error(registry_push(w->c, w->from, &w->ref, &index, &r, err), ERROR_NOT_FOUND,
		     "linux/s390x");
	assert_int_equal(fake_count(&fake, NULL, "."), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_push_and_pull),
		world_test(test_nothing_to_do),
		world_test(test_another_tag),
		world_test(test_mount),
		world_test(test_mount_refused),
		world_test(test_mount_same_registry_only),
		world_test(test_equal_layers_once),
		world_test(test_damaged_blob),
		world_test(test_damaged_hint),
		world_test(test_missing_blob_is_fetched),
		world_test(test_upload_broken),
		world_test(test_upload_answer_lost),
		world_test(test_upload_gives_up),
		world_test(test_refusals),
		world_test(test_put_redirected),
		world_test(test_too_many_requests),
		world_test(test_immutable_tag),
		world_test(test_warning_once),
		world_test(test_index),
		world_test(test_partial_index),
	};
	int failed;

	pool = pool_new(6);
	failed = cmocka_run_group_tests(tests, world_start, world_stop);
	pool_free(pool);
	return failed;
}

/* The status page over HTTP: who may have what, and what is answered again only when it changed. */
#include "tests/unit/local/target_fixture.h"

#include <time.h>

#include "base/base64.h"
#include "base/sha256.h"
#include "local/page_key.h"
#include "oci/manifest.h"
#include "oci/repository.h"

/* With the key of the page, as the page itself asks. */
static int ask(struct ground *g, const char *path, const char *header)
{
	AUTO(strlist) headers = STRLIST_INIT;
	char key[PAGE_KEY_SIZE];

	page_key_make(g->local->secret_key, key);
	strlist_addf(&headers, PAGE_KEY_HEADER ": %s", key);
	if (header)
		strlist_add(&headers, header);
	return ground_ask(g, "GET", path, &headers, NULL);
}

static const char *header(struct ground *g, const char *name)
{
	const char *value = http_header_get(&g->answer, name, 0);

	return value ? value : "";
}

static const char *body(const struct ground *g)
{
	return g->answer.body.buf;
}

/* The policy names what stands between the tags, as a browser hashes it (CSP level 3, 6.7.3.3). */
static void assert_hashed(struct ground *g, const char *open, const char *close)
{
	const char *begin = strstr(body(g), open), *end;
	AUTO(strbuf) hash = STRBUF_INIT;
	uint8_t raw[SHA256_SIZE];

	assert_non_null(begin);
	begin += strlen(open);
	end = strstr(begin, close);
	assert_non_null(end);
	assert_true(end - begin > 1000);
	sha256_buf(begin, (size_t)(end - begin), raw);
	strbuf_puts(&hash, "'sha256-");
	base64_encode(&hash, raw, sizeof(raw));
	strbuf_puts(&hash, "'");
	assert_non_null(strstr(header(g, "Content-Security-Policy"), hash.buf));
}

static void test_page(void **state)
{
	struct ground *g = *state;

	assert_int_equal(ask(g, "/", NULL), 200);
	assert_string_equal(header(g, "Content-Type"), "text/html; charset=utf-8");
	assert_string_equal(header(g, "X-Frame-Options"), "DENY");
	assert_string_equal(header(g, "Referrer-Policy"), "no-referrer");
	assert_string_equal(header(g, "X-Content-Type-Options"), "nosniff");
	assert_true(str_starts(header(g, "Content-Security-Policy"), "default-src 'none'; "));
	assert_null(strstr(header(g, "Content-Security-Policy"), "unsafe"));
	assert_hashed(g, "<style>", "</style>");
	assert_hashed(g, "<script>", "</script>");
	/* Nothing comes from elsewhere, and no attribute is code or style. */
	assert_null(strstr(body(g), "src="));
	assert_null(strstr(body(g), " onclick"));
	assert_null(strstr(body(g), " style="));
	assert_int_equal(ask(g, "/?x=1", NULL), 200);
	/* Links of other pages may lead here. */
	assert_int_equal(ask(g, "/", "Sec-Fetch-Site: cross-site"), 200);
}

static void test_visitors(void **state)
{
	static const struct {
		const char *path, *header;
		int status;
	} rows[] = {
		{"/status.json", NULL, 200},
		{"/status.json", "Sec-Fetch-Site: same-origin", 200},
		{"/status.json", "Sec-Fetch-Site: none", 200},
		{"/status.json", "Sec-Fetch-Site: same-site", 403},
		{"/status.json", "Sec-Fetch-Site: cross-site", 403},
		{"/status/images.json", "Sec-Fetch-Site: cross-site", 403},
		{"/status/logs?group=g&stream=s", "Sec-Fetch-Site: cross-site", 403},
		{"/status.json", "Host: evil.example", 403},
		{"/status.json", "Origin: http://evil.example", 403},
		{"/status/logs?group=g&stream=s", NULL, 200},
		{"/status/logs?group=g&stream=s&position=0", NULL, 200},
		{"/status/logs?group=g", NULL, 400},
		{"/status/logs", NULL, 400},
		{"/status/logs?group=g&stream=%zz", NULL, 400},
		{"/status/logs?group=g&stream=s&position=-2", NULL, 400},
		{"/status/logs?group=g&stream=s&position=1x", NULL, 400},
		{"/status/logs?group=g&stream=s&position=", NULL, 400},
		{"/status/logs?group=g&stream=s&position=9999999999999999999", NULL, 400},
		{"/status/logs?group=..%2F..&stream=..%2F..%2Fetc", NULL, 200},
		{"/status", NULL, 404},
		{"/status.json/", NULL, 404},
		{"/statusXjson", NULL, 404},
		{"/index.html", NULL, 404},
	};
	struct ground *g = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (ask(g, rows[i].path, rows[i].header) != rows[i].status)
			fail_msg("%s %s: %d", rows[i].path, rows[i].header, g->answer.status);
}

/* Who has not the key sees the page, which holds nothing, and nothing else. */
static void test_key(void **state)
{
	static const char *const paths[] = {"/status.json", "/status/images.json",
					    "/status/logs?group=g&stream=s"};
	struct ground *g = *state;
	AUTO(strlist) wrong = STRLIST_INIT;
	AUTO(strlist) none = STRLIST_INIT;

	strlist_add(&wrong, PAGE_KEY_HEADER ": 00000000000000000000000000000000");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		assert_int_equal(ground_ask(g, "GET", paths[i], &none, NULL), 403);
		assert_non_null(strstr(body(g), "slipway local status"));
		assert_int_equal(ground_ask(g, "GET", paths[i], &wrong, NULL), 403);
		assert_int_equal(ask(g, paths[i], NULL), 200);
	}
	assert_int_equal(ground_ask(g, "GET", "/", &none, NULL), 200);
	assert_int_equal(ground_ask(g, "GET", "/status", &none, NULL), 404);
	/* Where every call is answered a key would hold nobody. */
	g->local->no_auth = true;
	assert_int_equal(ground_ask(g, "GET", paths[0], &none, NULL), 200);
}

static int ask_again(struct ground *g, const char *path, const char *tag)
{
	AUTO_FREE char *known = xstrfmt("If-None-Match: %s", tag);

	return ask(g, path, known);
}

/* The tag with which nothing is answered again, once what the start still changes is done; free(). */
static char *settle(struct ground *g, const char *path)
{
	for (int i = 0; i < 100; i++) {
		assert_int_equal(ask(g, path, NULL), 200);
		AUTO_FREE char *tag = xstrdup(header(g, "ETag"));

		if (ask_again(g, path, tag) == 304) {
			assert_int_equal(g->answer.body.len, 0);
			return take_ptr(tag);
		}
	}
	fail_msg("%s changes all the time", path);
	return NULL;
}

static void test_changes(void **state)
{
	struct ground *g = *state;
	AUTO_FREE char *first = settle(g, "/status.json"), *second = NULL;

	assert_int_equal(ask(g, "/status.json", NULL), 200);
	assert_non_null(strstr(body(g), "\"account\":\"000000000000\""));
	assert_non_null(strstr(body(g), "\"notes\":[]"));
	assert_null(strstr(body(g), g->local->access_key));
	assert_null(strstr(body(g), g->local->secret_key));
	state_lock(g->local->state);
	assert_ok(state_put(g->local->state, STATE_CLUSTERS, "new",
			    json_pack("{s:s}", "status", "ACTIVE"), err));
	state_unlock(g->local->state);
	assert_int_equal(ask_again(g, "/status.json", first), 200);
	assert_non_null(strstr(body(g), "\"name\":\"new\""));
	second = settle(g, "/status.json");
	assert_string_not_equal(first, second);
	g->local->no_auth = true;
	assert_int_equal(ask(g, "/status.json", NULL), 200);
	assert_non_null(strstr(body(g), "\"notes\":[\"Signatures of calls are not verified"));
}

/* A manifest of one config and one layer that need not be there; its digest. */
static struct digest push(struct ground *g, const char *tag, int64_t layer_size)
{
	AUTO_FREE char *text = xstrfmt(
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"config\":"
		"{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"sha256:%064d\",\"size\":100},"
		"\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER_GZIP
		"\",\"digest\":\"sha256:%064d\",\"size\":%lld}]}",
		1, 2, (long long)layer_size);
	struct descriptor d = {0};
	struct digest digest;

	assert_ok(store_put(g->store, MEDIA_OCI_MANIFEST, text, strlen(text), &d, err));
	assert_ok(repository_link_manifest(g->store, "app", &d.digest, MEDIA_OCI_MANIFEST, err));
	if (tag)
		assert_ok(repository_tag(g->store, "app", tag, &d.digest, err));
	digest = d.digest;
	descriptor_release(&d);
	return digest;
}

static json_t *images(struct ground *g)
{
	json_t *answer, *list;

	assert_int_equal(ask(g, "/status/images.json", NULL), 200);
	assert_ok(json_parse(&answer, g->answer.body.buf, g->answer.body.len, "answer", err));
	list = json_object_get(json_array_get(json_object_get(answer, "repositories"), 0),
			       "images");
	json_incref(list);
	json_decref(answer);
	return list;
}

static const json_t *find(const json_t *list, const struct digest *d)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		if (strcmp(json_string_value(json_object_get(one, "digest")), d->text) == 0)
			return one;
	}
	return NULL;
}

static void test_images(void **state)
{
	struct ground *g = *state;
	AUTO_FREE char *tag = NULL;

	assert_int_equal(ask(g, "/status/images.json", NULL), 200);
	assert_string_equal(body(g), "{\"repositories\":[]}");
	state_lock(g->local->state);
	assert_ok(state_put(g->local->state, STATE_REPOSITORIES, "app", json_object(), err));
	state_unlock(g->local->state);
	AUTO_JSON *none = images(g);

	assert_int_equal(json_array_size(none), 0);
	assert_ok(repository_make(g->store, "app", err));
	struct digest a = push(g, "v1", 1000), b = push(g, NULL, 3000);
	/* Beyond a tick of the file system's clock, within which no tag is the same. */
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	AUTO_JSON *two = images(g);

	tag = xstrdup(header(g, "ETag"));
	assert_int_equal(json_array_size(two), 2);
	assert_int_equal(json_integer_value(json_object_get(find(two, &a), "size")), 1100);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(find(two, &a), "tags"), 0)), "v1");
	assert_int_equal(json_array_size(json_object_get(find(two, &b), "tags")), 0);
	assert_int_equal(ask_again(g, "/status/images.json", tag), 304);
	assert_ok(repository_tag(g->store, "app", "v2", &a, err));
	assert_int_equal(ask_again(g, "/status/images.json", tag), 200);
	assert_non_null(strstr(body(g), "\"tags\":[\"v1\",\"v2\"]"));
}

/* What an index names is counted in it, and listed only when it has a tag. */
static void test_index(void **state)
{
	struct ground *g = *state;

	state_lock(g->local->state);
	assert_ok(state_put(g->local->state, STATE_REPOSITORIES, "app", json_object(), err));
	state_unlock(g->local->state);
	assert_ok(repository_make(g->store, "app", err));
	struct digest amd = push(g, NULL, 1000), arm = push(g, NULL, 2000);
	AUTO_FREE char *text = xstrfmt(
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":["
		"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"%s\",\"size\":1},"
		"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"%s\",\"size\":1}]}",
		amd.text, arm.text);
	struct descriptor d = {0};

	assert_ok(store_put(g->store, MEDIA_OCI_INDEX, text, strlen(text), &d, err));
	assert_ok(repository_link_manifest(g->store, "app", &d.digest, MEDIA_OCI_INDEX, err));
	AUTO_JSON *one = images(g);

	assert_int_equal(json_array_size(one), 1);
	assert_int_equal(json_integer_value(json_object_get(find(one, &d.digest), "size")), 3200);
	assert_ok(repository_tag(g->store, "app", "arm", &arm, err));
	AUTO_JSON *two = images(g);

	assert_int_equal(json_array_size(two), 2);
	assert_int_equal(json_integer_value(json_object_get(find(two, &arm), "size")), 2100);
	descriptor_release(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		G(test_page),    G(test_visitors), G(test_key),
		G(test_changes), G(test_images),   G(test_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/manifest.h"

#define HEX        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define DESC(type) "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" HEX "\",\"size\":2}"
#define DESC_FOR(type, platform, more)                                                       \
	"{\"mediaType\":\"" type "\",\"digest\":\"sha256:" HEX "\",\"size\":2,\"platform\":" \
	"{\"architecture\":\"" platform "\",\"os\":\"linux\"" more "}"
#define HEAD(type) "{\"schemaVersion\":2,\"mediaType\":\"" type "\","

/* The example of image-spec manifest.md, compact. */
static const char oci_manifest[] =
	HEAD(MEDIA_OCI_MANIFEST) "\"config\":" DESC(MEDIA_OCI_CONFIG) ",\"layers\":[" DESC(
		MEDIA_OCI_LAYER_GZIP) "," DESC(MEDIA_OCI_LAYER_GZIP) "],\"annotations\":{\"com.example.key1\":"
								     "\"value1\"}}";
static const char docker_manifest[] = HEAD(MEDIA_DOCKER_MANIFEST) "\"config\":" DESC(
	MEDIA_DOCKER_CONFIG) ",\"layers\":[" DESC(MEDIA_DOCKER_LAYER_GZIP) "]}";
static const char oci_index[] = HEAD(MEDIA_OCI_INDEX) "\"manifests\":[" DESC(
	MEDIA_OCI_MANIFEST) "]}";

static void test_manifest_round_trip(void **state)
{
	static const char *const rows[] = {oci_manifest, docker_manifest};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(manifest) m = {0};
		AUTO(strbuf) text = STRBUF_INIT;

		assert_int_equal(manifest_parse(&m, rows[i], strlen(rows[i]), NULL, "x", NULL), 0);
		manifest_write(&m, &text);
		assert_string_equal(text.buf, rows[i]);
	}
}

static void test_index_round_trip(void **state)
{
	AUTO(image_index) index = {0};
	AUTO(strbuf) text = STRBUF_INIT;

	(void)state;
	assert_int_equal(
		image_index_parse(&index, oci_index, strlen(oci_index), MEDIA_OCI_INDEX, "x", NULL),
		0);
	image_index_write(&index, &text);
	assert_string_equal(text.buf, oci_index);
	image_index_add(&index, &index.manifests[0]);
	image_index_add(&index, &index.manifests[0]);
	index.manifests[1].size = 3;
	image_index_remove(&index, 0);
	assert_int_equal(index.n_manifests, 2);
	assert_int_equal(index.manifests[0].size, 3);
}

static void test_types(void **state)
{
	static const struct {
		const char *text, *given, *type; /* type NULL: refused */
	} rows[] = {
		{oci_manifest, MEDIA_OCI_MANIFEST, MEDIA_OCI_MANIFEST},
		{oci_manifest, MEDIA_OCI_MANIFEST "; charset=utf-8", MEDIA_OCI_MANIFEST},
		{oci_manifest, "Application/vnd.OCI.image.manifest.v1+json", MEDIA_OCI_MANIFEST},
		{oci_manifest, MEDIA_DOCKER_MANIFEST, NULL},
		{oci_manifest, MEDIA_OCI_INDEX, NULL},
		{oci_manifest, "application/json", NULL},
		{oci_index, NULL, NULL},
		{oci_index, MEDIA_OCI_INDEX, NULL},
		{"{\"schemaVersion\":2,\"config\":" DESC(MEDIA_OCI_CONFIG) ",\"layers\":[]}", NULL,
		 MEDIA_OCI_MANIFEST},
		{"{\"schemaVersion\":2,\"config\":" DESC(MEDIA_OCI_CONFIG) ",\"layers\":null}",
		 NULL, MEDIA_OCI_MANIFEST},
		{"{\"schemaVersion\":2,\"config\":" DESC(MEDIA_DOCKER_CONFIG) ",\"layers\":[]}",
		 NULL, MEDIA_DOCKER_MANIFEST},
		{"{\"schemaVersion\":2,\"config\":" DESC(MEDIA_OCI_CONFIG) ",\"layers\":[]}",
		 MEDIA_DOCKER_MANIFEST, MEDIA_DOCKER_MANIFEST},
		{"{\"schemaVersion\":2,\"config\":" DESC(MEDIA_OCI_CONFIG) ",\"layers\":[]}",
		 "application/json", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(manifest) m = {0};
		AUTO(error) err = ERROR_INIT;
		int result = manifest_parse(&m, rows[i].text, strlen(rows[i].text), rows[i].given,
					    "x", &err);

		if ((result == 0) != (rows[i].type != NULL))
			fail_msg("row %zu: %d %s", i, result, err.message ? err.message : "");
		if (rows[i].type)
			assert_string_equal(m.media_type, rows[i].type);
		else
			assert_int_equal(err.kind, ERROR_CORRUPT);
	}
}

#define CONFIG "\"config\":" DESC(MEDIA_OCI_CONFIG)

static void test_refused(void **state)
{
	static const struct {
		const char *text, *part;
		enum error_kind kind;
	} rows[] = {
		{"[]", "not a JSON object", ERROR_CORRUPT},
		{"{\"schemaVersion\":2," CONFIG ",\"layers\":[],\"manifests\":[]}",
		 "of an index and of an image manifest", ERROR_CORRUPT},
		{"{\"schemaVersion\":2,\"layers\":[]}", "config", ERROR_CORRUPT},
		{"{\"schemaVersion\":2," CONFIG "}", "layers", ERROR_CORRUPT},
		{"{" CONFIG ",\"layers\":[]}", "schemaVersion", ERROR_CORRUPT},
		{"{\"schemaVersion\":3," CONFIG ",\"layers\":[]}", "schemaVersion is 3",
		 ERROR_CORRUPT},
		{"{\"schemaVersion\":1,\"name\":\"x\",\"fsLayers\":[]}", "schema 1",
		 ERROR_UNSUPPORTED},
		{"{\"schemaVersion\":2,\"schemaVersion\":2," CONFIG ",\"layers\":[]}", "x",
		 ERROR_CORRUPT},
		{"{\"schemaVersion\":2," CONFIG ",\"layers\":[]}x", "x", ERROR_CORRUPT},
		{"{\"schemaVersion\":2," CONFIG ",\"layers\":[1]}", "not an object", ERROR_CORRUPT},
		{"{\"schemaVersion\":2," CONFIG ",\"layers\":{}}", "layers", ERROR_CORRUPT},
		{"{\"schemaVersion\":2,\"mediaType\":\"text/html\"," CONFIG ",\"layers\":[]}",
		 "text/html", ERROR_CORRUPT},
		{"", "x", ERROR_CORRUPT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(manifest) m = {0};
		AUTO(error) err = ERROR_INIT;

		assert_int_equal(
			manifest_parse(&m, rows[i].text, strlen(rows[i].text), NULL, "x", &err),
			-1);
		if (err.kind != rows[i].kind || !strstr(err.message, rows[i].part))
			fail_msg("%s: %s: %s", rows[i].text, error_kind_name(err.kind),
				 err.message);
		assert_null(m.media_type);
	}
}

static void test_limits(void **state)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(manifest) m = {0};
	AUTO(image_index) index = {0};
	AUTO(error) err = ERROR_INIT;

	(void)state;
	strbuf_puts(&text, "{\"schemaVersion\":2," CONFIG ",\"layers\":[");
	for (int i = 0; i <= LIMIT_MANIFEST_LAYERS; i++)
		strbuf_printf(&text, "%s%s", i ? "," : "", DESC(MEDIA_OCI_LAYER));
	strbuf_puts(&text, "]}");
	assert_int_equal(manifest_parse(&m, text.buf, text.len, NULL, "x", &err), -1);
	assert_non_null(strstr(err.message, "4097 entries in \"layers\"; the limit is 4096"));
	error_clear(&err);

	strbuf_reset(&text);
	strbuf_puts(&text, "{\"schemaVersion\":2,\"manifests\":[");
	for (int i = 0; i <= LIMIT_INDEX_MANIFESTS; i++)
		strbuf_printf(&text, "%s%s", i ? "," : "", DESC(MEDIA_OCI_MANIFEST));
	strbuf_puts(&text, "]}");
	assert_int_equal(image_index_parse(&index, text.buf, text.len, NULL, "x", &err), -1);
	assert_int_equal(image_index_parse_limit(&index, text.buf, text.len, NULL, 5000, "x", NULL),
			 0);
	assert_int_equal(index.n_manifests, LIMIT_INDEX_MANIFESTS + 1);

	error_clear(&err);
	strbuf_reset(&text);
	for (int i = 0; i < 100000; i++)
		strbuf_putc(&text, '[');
	assert_int_equal(manifest_parse(&m, text.buf, text.len, NULL, "x", &err), -1);
}

static void test_is_index(void **state)
{
	(void)state;
	assert_true(manifest_is_index(oci_index, strlen(oci_index), NULL));
	assert_false(manifest_is_index(oci_manifest, strlen(oci_manifest), NULL));
	assert_true(manifest_is_index("x", 1, MEDIA_DOCKER_LIST));
	assert_false(manifest_is_index(oci_index, strlen(oci_index), MEDIA_OCI_MANIFEST));
	assert_true(manifest_is_index("{\"manifests\":[]}", 16, NULL));
	assert_false(manifest_is_index("{\"layers\":[]}", 13, NULL));
	assert_false(manifest_is_index("nonsense", 8, NULL));
}

static void choose_in(const char *members, const char *platform, int want_size)
{
	AUTO_FREE char *text = xstrfmt("{\"schemaVersion\":2,\"manifests\":[%s]}", members);
	AUTO(image_index) index = {0};
	AUTO(platform) want = {0};
	AUTO(error) err = ERROR_INIT;
	const struct descriptor *found = NULL;

	assert_int_equal(image_index_parse(&index, text, strlen(text), NULL, "x", NULL), 0);
	assert_int_equal(platform_parse(&want, platform, NULL), 0);
	for (size_t i = 0; i < index.n_manifests; i++)
		index.manifests[i].size = (int64_t)i;
	int result = image_index_choose(&index, &want, &found, &err);

	if (want_size < 0) {
		assert_int_equal(result, -1);
		assert_int_equal(err.kind, ERROR_NOT_FOUND);
		assert_non_null(strstr(err.message, platform));
		return;
	}
	if (result < 0)
		fail_msg("%s: %s", members, err.message);
	assert_int_equal(found->size, want_size);
}

#define AMD64 DESC_FOR(MEDIA_OCI_MANIFEST, "amd64", "}")
#define ARM64 DESC_FOR(MEDIA_OCI_MANIFEST, "arm64", ",\"variant\":\"v8\"}")
#define SOCI                                  \
	DESC_FOR(MEDIA_OCI_MANIFEST, "amd64", \
		 "},\"artifactType\":\"application/vnd.amazon.soci.index.v2+json\"")
#define ATTESTATION                                                                           \
	"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"sha256:" HEX "\",\"size\":2," \
	"\"platform\":{\"architecture\":\"unknown\",\"os\":\"unknown\"}}"
#define HELM   DESC_FOR("application/vnd.cncf.helm.config.v1+json", "amd64", "}")
#define NESTED DESC(MEDIA_OCI_INDEX)
#define PLAIN  DESC(MEDIA_OCI_MANIFEST)

static void test_choose(void **state)
{
	(void)state;
	choose_in(AMD64 "," ARM64, "linux/arm64", 1);
	choose_in(AMD64 "," ARM64, "linux/amd64", 0);
	choose_in(AMD64 "," AMD64, "linux/amd64", 0);
	choose_in(SOCI "," AMD64, "linux/amd64", 1);
	choose_in(ATTESTATION "," ARM64, "linux/arm64/v8", 1);
	choose_in(HELM "," AMD64, "linux/amd64", 1);
	choose_in(PLAIN "," AMD64, "linux/amd64", 1);
	choose_in(ARM64 "," PLAIN, "linux/amd64", 1);
	choose_in(NESTED, "linux/amd64", 0);
	choose_in(AMD64 "," ARM64, "linux/s390x", -1);
	choose_in(SOCI, "linux/amd64", -1);
	choose_in(ATTESTATION, "linux/amd64", -1);
	choose_in("", "linux/amd64", -1);
}

static void test_no_match_lists_platforms(void **state)
{
	static const char text[] = "{\"schemaVersion\":2,\"manifests\":[" AMD64 "," ARM64
				   "," ATTESTATION "]}";
	AUTO(image_index) index = {0};
	AUTO(platform) want = {0};
	AUTO(error) err = ERROR_INIT;
	const struct descriptor *found;

	(void)state;
	assert_int_equal(image_index_parse(&index, text, strlen(text), NULL, "x", NULL), 0);
	assert_int_equal(platform_parse(&want, "linux/s390x", NULL), 0);
	assert_int_equal(image_index_choose(&index, &want, &found, &err), -1);
	assert_string_equal(err.message, "no image for platform linux/s390x; there is linux/amd64, "
					 "linux/arm64/v8");
}

static void test_add_layer(void **state)
{
	AUTO(manifest) m = {0};

	(void)state;
	assert_int_equal(
		manifest_parse(&m, docker_manifest, strlen(docker_manifest), NULL, "x", NULL), 0);
	for (int i = 0; i < 5; i++)
		manifest_add_layer(&m, &m.layers[0]);
	assert_int_equal(m.n_layers, 6);
	assert_string_equal(m.layers[5].media_type, MEDIA_DOCKER_LAYER_GZIP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manifest_round_trip),
		cmocka_unit_test(test_index_round_trip),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_is_index),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_no_match_lists_platforms),
		cmocka_unit_test(test_add_layer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

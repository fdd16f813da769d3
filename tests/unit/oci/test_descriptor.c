#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "oci/descriptor.h"

#define D "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static int parse(struct descriptor *d, const char *text, struct error *err)
{
	AUTO_JSON *j = NULL;

	assert_int_equal(json_parse(&j, text, strlen(text), "test", NULL), 0);
	return descriptor_from_json(d, j, "test", err);
}

/* What is read is written again byte for byte, in the order of the Go structs that other tools marshal. */
static void test_round_trip(void **state)
{
	static const char *const rows[] = {
		"{\"mediaType\":\"" MEDIA_OCI_LAYER_GZIP "\",\"digest\":\"" D "\",\"size\":0}",
		"{\"mediaType\":\"a/b\",\"digest\":\"" D "\",\"size\":4398046511104,"
		"\"urls\":[\"https://x/y\"],\"annotations\":{\"a\":\"1\",\"b\":\"2\"},"
		"\"platform\":{\"architecture\":\"arm\",\"os\":\"linux\",\"os.version\":\"1\","
		"\"variant\":\"v7\"},\"artifactType\":\"c/d\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(descriptor) d = {0};
		AUTO(descriptor) copy = {0};
		AUTO(strbuf) text = STRBUF_INIT;

		assert_int_equal(parse(&d, rows[i], NULL), 0);
		descriptor_copy(&copy, &d);
		descriptor_release(&d);
		AUTO_JSON *j = descriptor_to_json(&copy);

		json_write(j, &text);
		assert_string_equal(text.buf, rows[i]);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{"[]", "not an object"},
		{"{\"digest\":\"" D "\",\"size\":1}", "mediaType"},
		{"{\"mediaType\":\"a/b\",\"size\":1}", "digest"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"" D "\"}", "size"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"" D "\",\"size\":\"1\"}", "size"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"" D "\",\"size\":-1}", "-1"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"" D "\",\"size\":1152921504606846976}",
		 "impossible size"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"sha256:../../x\",\"size\":1}", "../../x"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"md5:abc\",\"size\":1}", "md5:abc"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"" D "\",\"size\":1,\"platform\":3}",
		 "platform"},
		{"{\"mediaType\":\"a/b\",\"digest\":\"" D
		 "\",\"size\":1,\"annotations\":{\"a\":1}}",
		 "annotations"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(error) err = ERROR_INIT;
		AUTO(descriptor) d = {0};

		assert_int_equal(parse(&d, rows[i].text, &err), -1);
		assert_int_equal(err.kind, ERROR_CORRUPT);
		if (!strstr(err.message, rows[i].part))
			fail_msg("%s: %s", rows[i].text, err.message);
		assert_null(d.media_type);
	}
}

static void test_empty_is_absent(void **state)
{
	AUTO(descriptor) d = {0};

	(void)state;
	assert_int_equal(
		parse(&d,
		      "{\"mediaType\":\"a/b\",\"digest\":\"" D "\",\"size\":1,"
		      "\"artifactType\":\"\",\"annotations\":null,\"urls\":null,"
		      "\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\",\"variant\":\"\"}}",
		      NULL),
		0);
	assert_null(d.platform.variant);
	assert_null(d.artifact_type);
	assert_string_equal(d.platform.arch, "amd64");
}

static void test_set(void **state)
{
	AUTO(descriptor) d = {0};

	(void)state;
	assert_int_equal(parse(&d,
			       "{\"mediaType\":\"a/b\",\"digest\":\"" D "\",\"size\":1,"
			       "\"annotations\":{\"a\":\"b\"}}",
			       NULL),
			 0);
	/* The media type may be the descriptor's own. */
	descriptor_set(&d, d.media_type, &d.digest, 7);
	assert_string_equal(d.media_type, "a/b");
	assert_string_equal(d.digest.text, D);
	assert_int_equal(d.size, 7);
	assert_int_equal(d.annotations.n, 0);
}

static void test_media(void **state)
{
	static const struct {
		const char *type;
		bool index, manifest, config, layer;
		const char *oci;
	} rows[] = {
		{MEDIA_OCI_INDEX, true, false, false, false, MEDIA_OCI_INDEX},
		{MEDIA_DOCKER_LIST, true, false, false, false, MEDIA_OCI_INDEX},
		{MEDIA_OCI_MANIFEST, false, true, false, false, MEDIA_OCI_MANIFEST},
		{MEDIA_DOCKER_MANIFEST, false, true, false, false, MEDIA_OCI_MANIFEST},
		{MEDIA_DOCKER_CONFIG, false, false, true, false, MEDIA_OCI_CONFIG},
		{MEDIA_OCI_CONFIG, false, false, true, false, MEDIA_OCI_CONFIG},
		{"application/vnd.docker.image.rootfs.diff.tar.gzip", false, false, false, true,
		 "application/vnd.oci.image.layer.v1.tar+gzip"},
		{"application/vnd.docker.image.rootfs.diff.tar", false, false, false, true,
		 "application/vnd.oci.image.layer.v1.tar"},
		{"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", false, false, false,
		 true, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"},
		{"application/vnd.oci.image.layer.v1.tar+zstd", false, false, false, true,
		 "application/vnd.oci.image.layer.v1.tar+zstd"},
		{"application/vnd.oci.image.layer.nondistributable.v1.tar", false, false, false,
		 true, "application/vnd.oci.image.layer.nondistributable.v1.tar"},
		{"application/vnd.oci.image.layer.v1.tar+lzma", false, false, false, false, NULL},
		{"application/json", false, false, false, false, NULL},
		{"", false, false, false, false, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *type = rows[i].type;

		if (media_is_index(type) != rows[i].index ||
		    media_is_manifest(type) != rows[i].manifest ||
		    media_is_config(type) != rows[i].config ||
		    media_is_layer(type) != rows[i].layer)
			fail_msg("%s", type);
		assert_string_equal(media_to_oci(type), rows[i].oci ? rows[i].oci : type);
	}
	assert_false(media_is_layer(NULL));
	assert_null(media_to_oci(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_empty_is_absent), cmocka_unit_test(test_set),
		cmocka_unit_test(test_media),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

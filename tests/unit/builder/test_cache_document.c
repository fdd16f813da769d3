#include "builder/cache_document.h"

#include "build_fixture.h"

#define KEY   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define REST  "\"kind\":\"run\",\"layer\":1,\"uncompressed\":1024,\"created\":1700000000"

static int parse(struct cache_document *out, const char *text, size_t n_layers, struct error *err)
{
	AUTO_JSON *j = NULL;

	if (json_parse(&j, text, strlen(text), "cache", err) < 0)
		return -1;
	return cache_document_parse(out, j, n_layers, "cache", err);
}

static void every_field_is_read(void **state)
{
	AUTO(cache_document) d = {.n = 0};

	(void)state;
	assert_ok(parse(&d,
			"{\"version\":1,\"records\":[{\"key\":\"" KEY "\",\"quick\":\"" OTHER
			"\"," REST "},{\"quick\":\"" OTHER "\"," REST "}],"
			"\"images\":[{\"key\":\"" OTHER "\",\"created\":7}],\"later\":true}",
			2, err));
	assert_int_equal(d.n, 2);
	assert_string_equal(d.entries[0].key, KEY);
	assert_string_equal(d.entries[0].quick, OTHER);
	assert_string_equal(d.entries[0].kind, "run");
	assert_int_equal(d.entries[0].layer, 1);
	assert_int_equal(d.entries[0].uncompressed, 1024);
	assert_int_equal(d.entries[0].created, 1700000000);
	assert_string_equal(d.entries[1].key, "");
	assert_int_equal(d.n_images, 1);
	assert_string_equal(d.images[0].key, OTHER);
	assert_int_equal(d.images[0].created, 7);
}

#define ONE(fields) "{\"version\":1,\"records\":[{" fields "}],\"images\":[]}"

static void foreign_bytes_are_refused(void **state)
{
	static const struct {
		const char *text;
		enum error_kind kind;
		const char *says;
	} rows[] = {
		{"[]", ERROR_CORRUPT, "no object"},
		{"{}", ERROR_CORRUPT, "version"},
		{"{\"version\":2,\"records\":[],\"images\":[]}", ERROR_UNSUPPORTED, "version 2"},
		{"{\"version\":1,\"images\":[]}", ERROR_CORRUPT, "records"},
		{"{\"version\":1,\"records\":[]}", ERROR_CORRUPT, "images"},
		{"{\"version\":1,\"records\":[1],\"images\":[]}", ERROR_CORRUPT, ""},
		{ONE(REST), ERROR_CORRUPT, "has no key"},
		{ONE("\"key\":\"abc\"," REST), ERROR_CORRUPT, "not a SHA-256"},
		{ONE("\"key\":1," REST), ERROR_CORRUPT, "key"},
		{ONE("\"key\":\"" KEY "\",\"layer\":2,\"kind\":\"run\",\"uncompressed\":0,"
		     "\"created\":0"),
		 ERROR_CORRUPT, "names layer 2 of 2"},
		{ONE("\"key\":\"" KEY "\",\"layer\":-1,\"kind\":\"run\",\"uncompressed\":0,"
		     "\"created\":0"),
		 ERROR_CORRUPT, "\"layer\" is out of range"},
		{ONE("\"key\":\"" KEY "\",\"layer\":0,\"kind\":\"run\",\"uncompressed\":-5,"
		     "\"created\":0"),
		 ERROR_CORRUPT, "\"uncompressed\" is out of range"},
		{ONE("\"key\":\"" KEY "\",\"layer\":0,\"kind\":\"run\",\"uncompressed\":0,"
		     "\"created\":253402300800"),
		 ERROR_CORRUPT, "\"created\" is out of range"},
		{ONE("\"key\":\"" KEY "\",\"layer\":0,\"kind\":\"a/b\",\"uncompressed\":0,"
		     "\"created\":0"),
		 ERROR_CORRUPT, "kind"},
		{"{\"version\":1,\"records\":[],\"images\":[{\"created\":1}]}", ERROR_CORRUPT,
		 "key"},
		{"{\"version\":1,\"records\":[],\"images\":[{\"key\":\"" KEY "\"}]}", ERROR_CORRUPT,
		 "created"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(cache_document) d = {.n = 0};

		assert_error(parse(&d, rows[i].text, 2, err), rows[i].kind, rows[i].says);
	}
}

static void a_configuration_carries_it(void **state)
{
	AUTO(image_config) c;
	AUTO(image_config) read;
	AUTO(cache_document) in = {.n = 0};
	AUTO(cache_document) out = {.n = 0};
	AUTO(strbuf) text = STRBUF_INIT;
	struct cache_entry e = {.key = KEY, .kind = "copy", .layer = 0, .created = 5};
	const struct digest diff_id = digest_of("x", 1);

	(void)state;
	image_config_init(&c);
	image_config_init(&read);
	image_config_add_layer(&c, &diff_id);
	assert_error(cache_document_read(&out, &c, "image", err), ERROR_NOT_FOUND,
		     "without cache records");
	cache_document_add(&in, &e);
	cache_document_add_image(&in, OTHER, 9);
	cache_document_attach(&in, &c);
	image_config_write(&c, &text);
	assert_ok(image_config_parse(&read, text.buf, text.len, "config", err));
	assert_ok(cache_document_read(&out, &read, "image", err));
	assert_int_equal(out.n, 1);
	assert_string_equal(out.entries[0].key, KEY);
	assert_string_equal(out.images[0].key, OTHER);
	cache_document_detach(&read);
	assert_error(cache_document_read(&out, &read, "image", err), ERROR_NOT_FOUND, "without");
}

static void too_many_records_are_refused(void **state)
{
	AUTO(cache_document) d = {.n = 0};
	AUTO(strbuf) text = STRBUF_INIT;

	(void)state;
	strbuf_puts(&text, "{\"version\":1,\"records\":[");
	for (unsigned i = 0; i <= 100000; i++)
		strbuf_puts(&text, i ? ",0" : "0");
	strbuf_puts(&text, "],\"images\":[]}");
	assert_error(parse(&d, text.buf, 1, err), ERROR_CORRUPT, "more than 100000 records");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_read),
		cmocka_unit_test(foreign_bytes_are_refused),
		cmocka_unit_test(a_configuration_carries_it),
		cmocka_unit_test(too_many_records_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

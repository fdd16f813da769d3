#include "testing.h"

#include <unistd.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/strbuf.h"

static json_t *parse(const char *text)
{
	json_t *j = NULL;

	assert_ok(json_parse(&j, text, strlen(text), "test", err));
	return j;
}

static void refuses_what_is_not_one_document(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"", "test:1:1: not valid JSON"},
		{"{\"a\":1,\n \"a\":2}", "test:2:4: not valid JSON: duplicate object key"},
		{"{}x", "test:1:3: not valid JSON"},
		{"{} {}", "test:1:4: not valid JSON"},
		{"{\"a\":\"\\u0000\"}", "test:1:"},
		{"{\"a\\u0000b\":1}", "test:1:"},
		{"[1,]", "test:1:4"},
		{"[\"\xff\"]", "test:1:"},
		{"{\"a\":99999999999999999999}", "too big"},
		{"'a'", "test:1:1"},
		{"[01]", "test:1:"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *j = NULL;

		assert_error(json_parse(&j, rows[i].text, strlen(rows[i].text), "test", err),
			     ERROR_SYNTAX, rows[i].message);
		assert_null(j);
	}
}

static void messages_do_not_quote_the_text(void **state)
{
	AUTO(error) err = ERROR_INIT;
	const char *text = "{\"password\": \"secret\" \"hunter2\"}";
	json_t *j = NULL;

	(void)state;
	assert_int_equal(json_parse(&j, text, strlen(text), "auth", &err), -1);
	assert_null(strstr(err.message, "hunter2"));
	assert_null(strstr(err.message, "near"));
}

static void depth_is_limited(void **state)
{
	char text[2 * LIMIT_JSON_DEPTH + 4];
	json_t *j = NULL;

	(void)state;
	memset(text, '[', LIMIT_JSON_DEPTH);
	memset(text + LIMIT_JSON_DEPTH, ']', LIMIT_JSON_DEPTH);
	assert_ok(json_parse(&j, text, 2 * LIMIT_JSON_DEPTH, "test", err));
	json_decref(j);
	memset(text, '[', LIMIT_JSON_DEPTH + 1);
	memset(text + LIMIT_JSON_DEPTH + 1, ']', LIMIT_JSON_DEPTH + 1);
	assert_error(json_parse(&j, text, 2 * LIMIT_JSON_DEPTH + 2, "test", err), ERROR_SYNTAX,
		     "test:1:257: JSON nested more than 256 levels deep");
	/* Brackets in strings do not count, nor does a quote behind a backslash end one. */
	memset(text, '[', sizeof(text));
	memcpy(text, "[\"\\\"", 4);
	memcpy(text + sizeof(text) - 2, "\"]", 2);
	assert_ok(json_parse(&j, text, sizeof(text), "test", err));
	json_decref(j);
}

/* Three bytes of text would be hundreds of memory. */
static void refuses_more_values_than_memory_is_for(void **state)
{
	AUTO(strbuf) text = STRBUF_INIT;
	json_t *j = NULL;

	(void)state;
	strbuf_putc(&text, '[');
	for (size_t i = 0; i < LIMIT_JSON_CONTAINERS - 1; i++)
		strbuf_puts(&text, "[],");
	strbuf_puts(&text, "0]");
	assert_ok(json_parse(&j, text.buf, text.len, "test", err));
	strbuf_truncate(&text, text.len - 2);
	strbuf_puts(&text, "{}]");
	json_decref(j);
	j = NULL;
	assert_error(json_parse(&j, text.buf, text.len, "test", err), ERROR_SYNTAX,
		     "test: JSON of more than 250000 objects and arrays");
	strbuf_reset(&text);
	strbuf_putc(&text, '[');
	for (size_t i = 0; i < LIMIT_JSON_VALUES; i++)
		strbuf_puts(&text, "\",[\",");
	strbuf_puts(&text, "0]");
	assert_error(json_parse(&j, text.buf, text.len, "test", err), ERROR_SYNTAX,
		     "test: JSON of more than 1000000 values");
}

static void getters_name_the_field(void **state)
{
	AUTO_JSON *j = parse("{\"s\":\"text\",\"i\":-5,\"o\":{},\"a\":[1],\"n\":null,"
			     "\"t\":true,\"r\":1.0}");
	AUTO_JSON *array = parse("[]");
	const char *s = NULL;
	json_t *view = NULL;
	int64_t i = 0;
	bool b = false;

	(void)state;
	assert_ok(json_get_string(j, "s", &s, "doc", err));
	assert_string_equal(s, "text");
	assert_ok(json_get_int(j, "i", &i, "doc", err));
	assert_int_equal(i, -5);
	assert_ok(json_get_object(j, "o", &view, "doc", err));
	assert_true(json_is_object(view));
	assert_ok(json_get_array(j, "a", &view, "doc", err));
	assert_int_equal(json_array_size(view), 1);
	assert_error(json_get_string(j, "x", &s, "doc", err), ERROR_CORRUPT,
		     "doc: field \"x\" is missing");
	assert_error(json_get_string(j, "n", &s, "doc", err), ERROR_CORRUPT,
		     "doc: field \"n\" is missing");
	assert_error(json_get_string(j, "i", &s, "doc", err), ERROR_CORRUPT,
		     "doc: field \"i\" is an integer, not a string");
	assert_error(json_get_int(j, "r", &i, "doc", err), ERROR_CORRUPT,
		     "doc: field \"r\" is a fraction, not an integer");
	assert_error(json_get_object(j, "a", &view, "doc", err), ERROR_CORRUPT,
		     "doc: field \"a\" is an array, not an object");
	assert_error(json_get_array(j, "o", &view, "doc", err), ERROR_CORRUPT,
		     "doc: field \"o\" is an object, not an array");
	assert_error(json_opt_bool(j, "s", &b, false, "doc", err), ERROR_CORRUPT,
		     "doc: field \"s\" is a string, not a boolean");
	assert_error(json_get_int(array, "x", &i, "doc", err), ERROR_CORRUPT,
		     "doc: is an array, not an object with a field \"x\"");
	assert_error(json_get_int(NULL, "x", &i, "doc", err), ERROR_CORRUPT, "is nothing");
}

static void optional_fields_have_defaults(void **state)
{
	AUTO_JSON *j = parse("{\"n\":null,\"t\":true,\"i\":9223372036854775807}");
	AUTO(strlist) list = STRLIST_INIT;
	AUTO(strmap) map = STRMAP_INIT;
	const char *s = "old";
	int64_t i = 0;
	bool b = false;

	(void)state;
	assert_ok(json_opt_string(j, "n", &s, "doc", err));
	assert_null(s);
	assert_ok(json_opt_int(j, "x", &i, 7, "doc", err));
	assert_int_equal(i, 7);
	assert_ok(json_opt_int(j, "i", &i, 7, "doc", err));
	assert_true(i == INT64_MAX);
	assert_ok(json_opt_bool(j, "t", &b, false, "doc", err));
	assert_true(b);
	assert_ok(json_opt_bool(j, "n", &b, true, "doc", err));
	assert_true(b);
	strlist_add(&list, "old");
	strmap_set(&map, "old", "1");
	assert_ok(json_opt_strlist(j, "n", &list, "doc", err));
	assert_ok(json_opt_strmap(j, "x", &map, "doc", err));
	assert_int_equal(list.n, 0);
	assert_int_equal(map.n, 0);
}

static void lists_and_maps_of_strings(void **state)
{
	AUTO_JSON *j = parse("{\"l\":[\"b\",\"a\"],\"m\":{\"z\":\"1\",\"a\":\"\"},"
			     "\"bad\":[\"x\",2],\"worse\":{\"k\":null}}");
	AUTO(strlist) list = STRLIST_INIT;
	AUTO(strmap) map = STRMAP_INIT;
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO_JSON *back = NULL;
	AUTO_JSON *sorted = NULL;
	AUTO_JSON *array = NULL;

	(void)state;
	assert_ok(json_opt_strlist(j, "l", &list, "doc", err));
	assert_ok(json_opt_strmap(j, "m", &map, "doc", err));
	assert_error(json_opt_strlist(j, "bad", &list, "doc", err), ERROR_CORRUPT,
		     "doc: field \"bad\": item 1 is an integer, not a string");
	assert_error(json_opt_strmap(j, "worse", &map, "doc", err), ERROR_CORRUPT,
		     "doc: field \"worse\": \"k\" is null, not a string");
	assert_int_equal(list.n, 2);
	strmap_set(&map, "none", NULL);
	array = json_from_strlist(&list);
	back = json_from_strmap(&map, false);
	sorted = json_from_strmap(&map, true);
	json_write(array, &out);
	json_write(back, &out);
	json_write(sorted, &out);
	assert_string_equal(out.buf, "[\"b\",\"a\"]"
				     "{\"z\":\"1\",\"a\":\"\",\"none\":null}"
				     "{\"a\":\"\",\"none\":null,\"z\":\"1\"}");
}

/* One U+FFFD for each byte that is not UTF-8, as Go's encoding/json. */
static void any_text_can_be_written(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} rows[] = {
		{"", 0, "\"\""},
		{"a\"\\/\b\f\n\r\t\x01\x7f", 11, "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f\""},
		{"caf\xc3\xa9", 5, "\"caf\xc3\xa9\""},
		{"\xff\xfe", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{"a\xe2\x82", 3, "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\0", 1, "\"\\u0000\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_JSON *j = json_textn(rows[i].in, rows[i].len);
		AUTO(strbuf) out = STRBUF_INIT;

		json_write(j, &out);
		assert_string_equal(out.buf, rows[i].out);
	}
}

static void pretty_has_two_spaces_and_a_newline(void **state)
{
	AUTO_JSON *j = parse("{\"b\":[1,{}],\"a\":null}");
	AUTO(strbuf) out = STRBUF_INIT;

	(void)state;
	json_write_pretty(j, &out);
	assert_string_equal(out.buf, "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": null\n}\n");
}

static void files_are_limited(void **state)
{
	char path[] = "/tmp/json-test-XXXXXX";
	AUTO_FD int fd = mkstemp(path);
	AUTO_JSON *j = NULL;

	(void)state;
	assert_int_equal(write(fd, "{\"a\":1}\n", 8), 8);
	assert_ok(json_parse_file(&j, path, 8, err));
	assert_int_equal(json_object_size(j), 1);
	assert_error(json_parse_file(&j, path, 7, err), ERROR_CORRUPT, "more than the 7 allowed");
	unlink(path);
	assert_error(json_parse_file(&j, path, 7, err), ERROR_NOT_FOUND, path);
}

static void nul_is_for_text_of_programs(void **state)
{
	static const char text[] = "{\"m\":\"a\\u0000b\"}";
	AUTO_JSON *j = NULL;
	json_t *refused = NULL;

	(void)state;
	assert_int_equal(json_parse(&refused, text, strlen(text), "t", NULL), -1);
	assert_int_equal(json_parse_with_nul(&j, text, strlen(text), "t", NULL), 0);
	assert_int_equal(json_string_length(json_object_get(j, "m")), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_not_one_document),
		cmocka_unit_test(messages_do_not_quote_the_text),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(refuses_more_values_than_memory_is_for),
		cmocka_unit_test(getters_name_the_field),
		cmocka_unit_test(optional_fields_have_defaults),
		cmocka_unit_test(lists_and_maps_of_strings),
		cmocka_unit_test(any_text_can_be_written),
		cmocka_unit_test(pretty_has_two_spaces_and_a_newline),
		cmocka_unit_test(files_are_limited),
		cmocka_unit_test(nul_is_for_text_of_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

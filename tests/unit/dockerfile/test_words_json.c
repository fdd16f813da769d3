#include "dockerfile/words.h"

#include "testing.h"

static void json_form(void **state)
{
	static const struct {
		const char *text;
		enum words_json result;
		const char *items;
	} rows[] = {
		{"[]", WORDS_JSON_YES, ""},
		{" [ ] ", WORDS_JSON_YES, ""},
		{"[\"a\"]", WORDS_JSON_YES, "[a]"},
		{"[ \"a\" ,\"b c\",\t\"\" ]", WORDS_JSON_YES, "[a][b c][]"},
		{"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", WORDS_JSON_YES, "[\"\\/\b\f\\n\r\t]"},
		{"[\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"]", WORDS_JSON_YES,
		 "[A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80]"},
		{"[\"\\ud83dx\"]", WORDS_JSON_YES, "[\xef\xbf\xbdx]"},
		{"[\"\\ude00\"]", WORDS_JSON_YES, "[\xef\xbf\xbd]"},
		/* Bytes that are no UTF-8 are kept. */
		{"[\"caf\xe9\"]", WORDS_JSON_YES, "[caf\xe9]"},
		/* Not JSON at all: silently something else. */
		{"", WORDS_JSON_NO, ""},
		{"a", WORDS_JSON_NO, ""},
		{"\"a\"", WORDS_JSON_NO, ""},
		{"['a']", WORDS_JSON_NO, ""},
		{"[\"a\"", WORDS_JSON_NO, ""},
		{"[\"a", WORDS_JSON_NO, ""},
		{"[\"a\\", WORDS_JSON_NO, ""},
		{"[\"a\",]", WORDS_JSON_NO, ""},
		{"[\"a\"] b", WORDS_JSON_NO, ""},
		{"[\"a\" \"b\"]", WORDS_JSON_NO, ""},
		{"[\"\\x\"]", WORDS_JSON_NO, ""},
		{"[\"\\u12g4\"]", WORDS_JSON_NO, ""},
		{"[\"\\u12", WORDS_JSON_NO, ""},
		{"[\"C:\\temp\\x\"]", WORDS_JSON_NO, ""},
		{"[\"a\tb\"]", WORDS_JSON_NO, ""},
		{"[ ! -e /x ]", WORDS_JSON_NO, ""},
		{"[\"a\", b]", WORDS_JSON_NO, ""},
		{"[\"a\", 1", WORDS_JSON_NO, ""},
		/* JSON, and not an array of strings. */
		{"[1]", WORDS_JSON_BAD, ""},
		{"[\"a\", 1]", WORDS_JSON_BAD, ""},
		{"[[\"a\"]]", WORDS_JSON_BAD, ""},
		{"[{\"a\": \"b\"}]", WORDS_JSON_BAD, ""},
		{"[null, true]", WORDS_JSON_BAD, ""},
		/* No argument can hold it. */
		{"[\"a\\u0000b\"]", WORDS_JSON_BAD, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strlist) items = STRLIST_INIT;
		AUTO(strbuf) out = STRBUF_INIT;

		if (words_json(&items, rows[i].text) != rows[i].result)
			fail_msg("row %zu: %s", i, rows[i].text);
		describe_list(&out, &items);
		assert_string_equal(out.buf, rows[i].items);
	}
}

static void depth_is_bounded(void **state)
{
	AUTO(strlist) items = STRLIST_INIT;
	AUTO(strbuf) deep = STRBUF_INIT;

	(void)state;
	for (int i = 0; i < 100000; i++)
		strbuf_putc(&deep, '[');
	assert_int_equal(words_json(&items, deep.buf), WORDS_JSON_NO);
}

static void meant_as_json(void **state)
{
	static const struct {
		const char *text;
		bool meant;
	} rows[] = {
		{"['a', 'b']", true},
		{"[ 'a' ]", true},
		{"[\"a\", \"b\",]", true},
		{" [\"a\"", true},
		{"[\"a\"] x", true},
		{"[\"a\", 'b']", true},
		{"[\"a\", \"b\"]", false},
		{"[\"a\", 1]", false}, /* an error of its own */
		{"[]", false},
		{"[ -f /x ]", false},
		{"[a-z]* /x", false},
		{"[", false},
		{"", false},
		{"'a' 'b'", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (words_json_is_meant(rows[i].text) != rows[i].meant)
			fail_msg("%s", rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_form),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(meant_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "dockerfile/pattern.h"

#include "testing.h"

static void trimming(void **state)
{
	static const struct {
		const char *value, *pattern, *prefix, *longest_prefix, *suffix, *longest_suffix;
	} rows[] = {
		{"", "", "", "", "", ""},
		{"", "*", "", "", "", ""},
		{"abc", "", "abc", "abc", "abc", "abc"},
		{"abc", "x", "abc", "abc", "abc", "abc"},
		{"abcabc", "*b", "cabc", "c", "abcabc", "abcabc"},
		{"abcabc", "b*", "abcabc", "abcabc", "abca", "a"},
		{"abcabc", "*", "abcabc", "", "abcabc", ""},
		{"abcabc", "a?c", "abc", "abc", "abc", "abc"},
		{"abcabc", "?*?", "cabc", "", "abca", ""},
		{"a*b", "a\\*", "b", "b", "a*b", "a*b"},
		{"a}b/c", "a\\}b\\/", "c", "c", "a}b/c", "a}b/c"},
		/* A character may be several bytes, or a byte that is no UTF-8. */
		{"\xc3\xa9t\xc3\xa9", "?t", "\xc3\xa9", "\xc3\xa9", "\xc3\xa9t\xc3\xa9",
		 "\xc3\xa9t\xc3\xa9"},
		{"\xff"
		 "a",
		 "?", "a", "a", "\xff", "\xff"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *const expected[] = {rows[i].prefix, rows[i].longest_prefix,
						rows[i].suffix, rows[i].longest_suffix};

		for (int k = 0; k < 4; k++) {
			AUTO(strbuf) out = STRBUF_INIT;

			assert_int_equal(pattern_trim(&out, rows[i].value, rows[i].pattern, k >= 2,
						      k % 2 == 1, NULL),
					 0);
			assert_string_equal(out.buf, expected[k]);
		}
	}
}

static void replacing(void **state)
{
	static const struct {
		const char *value, *pattern, *replacement, *first, *all;
	} rows[] = {
		{"abcabc", "b", "-", "a-cabc", "a-ca-c"},
		{"abcabc", "b*", "-", "a-", "a-"},
		{"abcabc", "?", "-", "-bcabc", "------"},
		{"abc", "x", "-", "abc", "abc"},
		{"", "x", "-", "", ""},
		{"", "*", "-", "-", "-"},
		{"ab", "*", "-", "-", "-"},
		/* An empty pattern matches before each character and at the end. */
		{"ab", "", "-", "-ab", "-a-b-"},
		{"aaa", "aa", "b", "ba", "ba"},
		{"a.b.c", ".", "", "ab.c", "abc"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strbuf) first = STRBUF_INIT;
		AUTO(strbuf) all = STRBUF_INIT;

		assert_int_equal(pattern_replace(&first, rows[i].value, rows[i].pattern,
						 rows[i].replacement, false, NULL),
				 0);
		assert_int_equal(pattern_replace(&all, rows[i].value, rows[i].pattern,
						 rows[i].replacement, true, NULL),
				 0);
		assert_string_equal(first.buf, rows[i].first);
		assert_string_equal(all.buf, rows[i].all);
	}
}

static void malformed(void **state)
{
	static const char *const patterns[] = {"\\", "a\\", "\\a", "*\\["};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		AUTO(strbuf) out = STRBUF_INIT;
		AUTO(error) err = ERROR_INIT;

		assert_int_equal(pattern_trim(&out, "x", patterns[i], false, false, &err), -1);
		assert_int_equal(err.kind, ERROR_SYNTAX);
		assert_non_null(strstr(err.message, "invalid pattern"));
	}
}

static void stars_do_not_explode(void **state)
{
	AUTO(strbuf) value = STRBUF_INIT;
	AUTO(strbuf) pattern = STRBUF_INIT;
	AUTO(strbuf) out = STRBUF_INIT;

	(void)state;
	for (int i = 0; i < 2000; i++)
		strbuf_putc(&value, 'a');
	for (int i = 0; i < 500; i++)
		strbuf_puts(&pattern, "*a");
	strbuf_putc(&pattern, 'b');
	assert_int_equal(pattern_replace(&out, value.buf, pattern.buf, "", true, NULL), 0);
	assert_int_equal(out.len, value.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trimming),
		cmocka_unit_test(replacing),
		cmocka_unit_test(malformed),
		cmocka_unit_test(stars_do_not_explode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "local/log_pattern.h"

#include "tests/unit/base/testing.h"

/* Amazon CloudWatch Logs User Guide, "Filter pattern syntax", Unstructured log events: its own examples. */
static void test_the_guides_examples(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool fits;
	} rows[] = {
		{"ERROR", "[ERROR 400] BAD REQUEST", true},
		{"ERROR", "[ERROR 401] UNAUTHORIZED REQUEST", true},
		{"ERROR", "error", false},
		{"ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", true},
		{"ERROR ARGUMENTS", "[ERROR 420] INVALID ARGUMENTS", true},
		{"ERROR ARGUMENTS", "[ERROR 400] BAD REQUEST", false},
		{"?ERROR ?ARGUMENTS", "[ERROR 400] BAD REQUEST", true},
		{"?ERROR ?ARGUMENTS", "MISSING ARGUMENTS", true},
		{"?ERROR ?ARGUMENTS", "[WARN 1] x", false},
		{"\"INTERNAL SERVER ERROR\"", "[ERROR 500] INTERNAL SERVER ERROR", true},
		{"\"INTERNAL SERVER ERROR\"", "INTERNAL ERROR SERVER", false},
		{"ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", true},
		{"ERROR -ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", false},
		/* "the question mark is ignored" beside others. */
		{"?ERROR ?REQUEST INFO", "[INFO] REQUEST FAILED", true},
		{"?ERROR ?REQUEST INFO", "[INFO] nothing", true},
		{"  ", "anything", true},
		{NULL, "", true},
		{"\"\"", "x", true},
		{"a\tb\n", "b a", true},
		{"\"a\\\\b\"", "a\\b", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(log_pattern) p = {0};

		assert_ok(log_pattern_parse(&p, rows[i].pattern, err));
		if (log_pattern_fits(&p, rows[i].text, strlen(rows[i].text)) != rows[i].fits)
			fail_msg("%s: %s", rows[i].pattern, rows[i].text);
	}
}

static void test_bytes_beyond_the_text_do_not_count(void **state)
{
	AUTO(log_pattern) p = {0};

	(void)state;
	assert_ok(log_pattern_parse(&p, "ERROR", err));
	assert_false(log_pattern_fits(&p, "an ERROR", 5));
	assert_true(log_pattern_fits(&p, "a\0ERROR", 7));
	assert_false(log_pattern_fits(&p, "", 0));
}

static void test_what_is_refused(void **state)
{
	static const struct {
		const char *pattern;
		enum error_kind kind;
		const char *text;
	} rows[] = {
		{"{$.a = 1}", ERROR_UNSUPPORTED, "JSON fields"},
		{" [a, b]", ERROR_UNSUPPORTED, "columns"},
		{"%a.*%", ERROR_UNSUPPORTED, "regular expressions"},
		{"\"a", ERROR_SYNTAX, "no end"},
		{"a-b", ERROR_SYNTAX, "'a-b'"},
		{"a ?", ERROR_SYNTAX, "Invalid character(s)"},
		{"--a", ERROR_SYNTAX, "Invalid character(s)"},
		{"\"a\"\"b\"", ERROR_SYNTAX, "space is missing"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(log_pattern) p = {0};

		assert_error(log_pattern_parse(&p, rows[i].pattern, err), rows[i].kind,
			     rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_guides_examples),
		cmocka_unit_test(test_bytes_beyond_the_text_do_not_count),
		cmocka_unit_test(test_what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

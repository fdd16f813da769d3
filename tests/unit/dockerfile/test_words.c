#include "dockerfile/words.h"

#include "testing.h"

/* "word@offset word@offset" */
static void show(struct strbuf *out, const struct words *words)
{
	for (size_t i = 0; i < words->n; i++)
		strbuf_printf(out, "%s[%s]@%zu", i ? " " : "", words->items[i].text,
			      words->items[i].at);
}

static void whitespace_words(void **state)
{
	static const struct row rows[] = {
		{"", ""},
		{"  \t ", ""},
		{"a", "[a]@0"},
		{" a\tb\v\fc\r d ", "[a]@1 [b]@3 [c]@6 [d]@9"},
		/* Quotes mean nothing here. */
		{"\"a b\" 'c", "[\"a]@0 [b\"]@3 ['c]@6"},
		{"a\\ b", "[a\\]@0 [b]@3"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(words) words = WORDS_INIT;
		AUTO(strbuf) out = STRBUF_INIT;

		words_split(&words, rows[i].text);
		show(&out, &words);
		assert_string_equal(out.buf, rows[i].expected);
	}
}

static void quoted_words(void **state)
{
	static const struct {
		char escape;
		const char *text, *expected;
	} rows[] = {
		{'\\', "", ""},
		{'\\', "a=b c=d", "[a=b]@0 [c=d]@4"},
		{'\\', "a=\"b c\"d e=f", "[a=\"b c\"d]@0 [e=f]@9"},
		{'\\', "a='b c' e", "[a='b c']@0 [e]@8"},
		{'\\', "a=b\\ c d", "[a=b\\ c]@0 [d]@7"},
		{'\\', "a=\"b\\\" c\" d", "[a=\"b\\\" c\"]@0 [d]@10"},
		/* Nothing is escaped in single quotes. */
		{'\\', "a='b\\' c", "[a='b\\']@0 [c]@7"},
		/* An open quote runs to the end; an escape character that ends the text is dropped. */
		{'\\', "a='b c", "[a='b c]@0"},
		{'\\', "a=b\\", "[a=b]@0"},
		{'\\', "\\", ""},
		{'`', "a=b` c=\"d`\" e\" f\\ g", "[a=b` c=\"d`\" e\"]@0 [f\\]@15 [g]@18"},
		{'\\', "\xc3\xa0=\"\xc3\xb6 x\"", "[\xc3\xa0=\"\xc3\xb6 x\"]@0"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(words) words = WORDS_INIT;
		AUTO(strbuf) out = STRBUF_INIT;

		words_split_quoted(&words, rows[i].text, rows[i].escape);
		show(&out, &words);
		assert_string_equal(out.buf, rows[i].expected);
	}
}

static void flags_stop_where_the_words_begin(void **state)
{
	static const struct {
		const char *text, *expected, *rest;
	} rows[] = {
		{"a b", "", "a b"},
		{"--from=x a --b", "[--from=x]@0", "a --b"},
		{"--link  --from=x a", "[--link]@0 [--from=x]@8", "a"},
		{"--", "", ""},
		{"-- --a b", "", "--a b"},
		{"-a b", "", "-a b"},
		{"--a", "[--a]@0", ""},
		/* Quotes and escapes are processed and removed. */
		{"--mount=type=bind,\"source=a,b\" x", "[--mount=type=bind,source=a,b]@0", "x"},
		{"--mount=type=bind,\\\"source=a\\\" x", "[--mount=type=bind,\"source=a\"]@0", "x"},
		{"--chown='a b':c x", "[--chown=a b:c]@0", "x"},
		{"--a=\\ b c", "[--a= b]@0", "c"},
		{"--a=b\\", "[--a=b]@0", ""},
		{"--a=\"b", "[--a=b]@0", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(words) words = WORDS_INIT;
		AUTO(strbuf) out = STRBUF_INIT;
		size_t rest;

		words_flags(&words, rows[i].text, '\\', &rest);
		show(&out, &words);
		assert_string_equal(out.buf, rows[i].expected);
		assert_string_equal(rows[i].text + rest, rows[i].rest);
	}
}

static void csv_records(void **state)
{
	static const struct row rows[] = {
		{"a", "[a]@0"},
		{"type=bind,target=/a", "[type=bind]@0 [target=/a]@10"},
		{"\"source=a,b\",target=/c", "[source=a,b]@0 [target=/c]@13"},
		{"\"a\"\"b\"", "[a\"b]@0"},
		{",", "[]@0 []@1"},
		{"a,,b", "[a]@0 []@2 [b]@3"},
		{"", "!empty"},
		{"a\"b", "!a bare quote"},
		{"\"a\"b", "!a quote inside a field"},
		{"\"a", "!unterminated quote"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(words) words = WORDS_INIT;
		AUTO(strbuf) out = STRBUF_INIT;
		AUTO(error) err = ERROR_INIT;
		int r = words_csv(&words, rows[i].text, &err);

		if (rows[i].expected[0] == '!') {
			assert_int_equal(r, -1);
			assert_int_equal(err.kind, ERROR_SYNTAX);
			assert_non_null(strstr(err.message, rows[i].expected + 1));
			continue;
		}
		assert_int_equal(r, 0);
		show(&out, &words);
		assert_string_equal(out.buf, rows[i].expected);
	}
}

static void suggestions(void **state)
{
	static const char *const choices[] = {"FROM", "COPY", "RUN", "WORKDIR"};
	static const struct {
		const char *written, *expected;
	} rows[] = {
		{"COPPY", "COPY"},       {"copi", "COPY"},
		{"FORM", "FROM"},        {"WORKDR", "WORKDIR"},
		{"WROKDIRR", "WORKDIR"}, {"WROKDIRRR", NULL},
		{"ABCDE", NULL},         {"", NULL},
		{"COPY", NULL},          {"RN", "RUN"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *got = word_suggest(rows[i].written, choices, ARRAY_SIZE(choices));

		if (rows[i].expected)
			assert_string_equal(got, rows[i].expected);
		else
			assert_null(got);
	}
	words_release(NULL);
}

/* Of three letters at most one may be wrong. */
static void suggested_names(void **state)
{
	static const char *const choices[] = {"a", "app", "build", "node_modules"};
	static const struct {
		const char *written, *expected;
	} rows[] = {
		{"b", NULL},         {"ap", NULL},
		{"apo", "app"},      {"APP", "app"},
		{"biuld", "build"},  {"bxuxd", NULL},
		{"buildx", "build"}, {"nod_module", "node_modules"},
		{"build", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *got = word_suggest_near(rows[i].written, choices, ARRAY_SIZE(choices));

		if (!got != !rows[i].expected || (got && strcmp(got, rows[i].expected) != 0))
			fail_msg("%s: %s", rows[i].written, got ? got : "-");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whitespace_words),
		cmocka_unit_test(quoted_words),
		cmocka_unit_test(flags_stop_where_the_words_begin),
		cmocka_unit_test(csv_records),
		cmocka_unit_test(suggestions),
		cmocka_unit_test(suggested_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

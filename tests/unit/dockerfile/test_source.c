#include "dockerfile/source.h"

#include "base/limits.h"
#include "testing.h"

static void lines_and_their_ends(void **state)
{
	static const char text[] = "\xEF\xBB\xBF"
				   "FROM a\r\n\nRUN b\r\r\nlast";
	static const char *const lines[] = {"FROM a", "", "RUN b", "last"};
	AUTO(dockerfile_source) src = DOCKERFILE_SOURCE_INIT;
	size_t len;

	(void)state;
	assert_int_equal(source_init(&src, "Dockerfile", text, strlen(text), NULL), 0);
	assert_int_equal(src.n_lines, 4);
	for (int i = 0; i < 4; i++) {
		const char *line = source_line(&src, i + 1, &len);

		assert_int_equal(len, strlen(lines[i]));
		assert_memory_equal(line, lines[i], len);
	}
	assert_null(source_line(&src, 0, &len));
	assert_null(source_line(&src, 5, &len));
}

static void empty_text_has_no_line(void **state)
{
	AUTO(dockerfile_source) src = DOCKERFILE_SOURCE_INIT;
	size_t len;

	(void)state;
	assert_int_equal(source_init(&src, "x", "", 0, NULL), 0);
	assert_int_equal(src.n_lines, 0);
	assert_null(source_line(&src, 1, &len));
	dockerfile_source_release(NULL);
}

static void refuses_what_is_no_text(void **state)
{
	AUTO(error) err = ERROR_INIT;
	AUTO(dockerfile_source) src = DOCKERFILE_SOURCE_INIT;
	size_t size = LIMIT_DOCKERFILE_LINE + 2;
	AUTO_FREE char *line = xmalloc(size);

	(void)state;
	assert_int_equal(source_init(&src, "D", "FROM a\nRUN\0b\n", 13, &err), -1);
	assert_int_equal(err.kind, ERROR_SYNTAX);
	assert_string_equal(err.message, "D:2:4: the file has a NUL byte: it is not text\n"
					 "  2 | RUN\\x00b\n"
					 "    |    ^");
	error_clear(&err);
	memset(line, 'a', size);
	line[LIMIT_DOCKERFILE_LINE] = '\n';
	assert_int_equal(source_init(&src, "D", line, LIMIT_DOCKERFILE_LINE + 1, &err), 0);
	dockerfile_source_release(&src);
	line[LIMIT_DOCKERFILE_LINE] = 'a';
	assert_int_equal(source_init(&src, "D", line, size - 1, &err), -1);
	assert_non_null(strstr(err.message, "D:1: line of 65536 bytes"));
	error_clear(&err);
	assert_int_equal(source_init(&src, "D", line, LIMIT_DOCKERFILE_BYTES + 1u, &err), -1);
	assert_non_null(strstr(err.message, "more than"));
}

static void messages_show_the_place(void **state)
{
	static const char text[] = "FROM a\n\tCOPY caf\xc3\xa9 \x1b[31m b\nRUN x\n";
	static const struct {
		int line, column;
		const char *expected;
	} rows[] = {
		{3, 5, "D:3:5: no b\n  3 | RUN x\n    |     ^"},
		{3, 6, "D:3:6: no b\n  3 | RUN x\n    |      ^"},
		{3, 60, "D:3:60: no b\n  3 | RUN x\n    |      ^"},
		{3, 0, "D:3: no b\n  3 | RUN x"},
		{0, 0, "D: no b"},
		{9, 1, "D:9:1: no b"},
		/* A tab stays one, a letter of two bytes is one wide, a control character is shown as \xNN. */
		{2, 2, "D:2:2: no b\n  2 | \tCOPY caf\xc3\xa9 \\x1b[31m b\n    | \t^"},
		{2, 13, "D:2:13: no b\n  2 | \tCOPY caf\xc3\xa9 \\x1b[31m b\n    | \t          ^"},
		{2, 14,
		 "D:2:14: no b\n  2 | \tCOPY caf\xc3\xa9 \\x1b[31m b\n    | \t              ^"},
	};
	AUTO(dockerfile_source) src = DOCKERFILE_SOURCE_INIT;

	(void)state;
	assert_int_equal(source_init(&src, "D", text, strlen(text), NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(error) err = ERROR_INIT;

		assert_int_equal(
			source_error(&err, &src, rows[i].line, rows[i].column, "no %s", "b"), -1);
		assert_int_equal(err.kind, ERROR_SYNTAX);
		assert_string_equal(err.message, rows[i].expected);
	}
}

/* The caret stands where a terminal of fixed width shows the place (UAX 11). */
static void carets_below_wide_letters(void **state)
{
	static const char text[] =
		"COPY \xe6\x97\xa5\xe6\x9c\xac a\nCOPY e\xcc\x81 a\nCOPY \xf0\x9f\x98\x80 a\n";
	static const struct {
		int line, column;
		const char *below;
	} rows[] = {
		{1, 6, "    |      ^"},    {1, 9, "    |        ^"},   {1, 13, "    |           ^"},
		{2, 10, "    |        ^"}, {3, 11, "    |         ^"},
	};
	AUTO(dockerfile_source) src = DOCKERFILE_SOURCE_INIT;

	(void)state;
	assert_int_equal(source_init(&src, "D", text, strlen(text), NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(error) err = ERROR_INIT;

		source_error(&err, &src, rows[i].line, rows[i].column, "no");
		assert_string_equal(strrchr(err.message, '\n') + 1, rows[i].below);
	}
}

static void long_lines_are_shown_in_part(void **state)
{
	AUTO(dockerfile_source) src = DOCKERFILE_SOURCE_INIT;
	AUTO(error) err = ERROR_INIT;
	char text[2001];

	(void)state;
	memset(text, 'x', 2000);
	text[1500] = 'Y';
	assert_int_equal(source_init(&src, "D", text, 2000, NULL), 0);
	source_error(&err, &src, 1, 1501, "here");
	assert_true(strlen(err.message) < 400);
	/* The caret stands below the Y. */
	assert_int_equal(strchr(err.message, 'Y') - strstr(err.message, "  1 |"),
			 strchr(err.message, '^') - strstr(err.message, "    |"));
}

static void an_error_can_get_its_place_later(void **state)
{
	AUTO(dockerfile_source) src = DOCKERFILE_SOURCE_INIT;
	AUTO(error) err = ERROR_INIT;

	(void)state;
	assert_int_equal(source_init(&src, "D", "RUN a", 5, NULL), 0);
	error_set(&err, ERROR_UNSUPPORTED, "not \x07 here");
	assert_int_equal(source_error_place(&err, &src, 1, 5), -1);
	assert_int_equal(err.kind, ERROR_UNSUPPORTED);
	assert_string_equal(err.message, "D:1:5: not \\x07 here\n  1 | RUN a\n    |     ^");
	assert_int_equal(err.line, 1);
	assert_int_equal(err.column, 5);
	/* Whoever knew the place first, knew it better. */
	assert_int_equal(source_error_place(&err, &src, 1, 1), -1);
	assert_int_equal(err.column, 5);
	error_clear(&err);
	/* Hints come last, whenever they were given. */
	error_set(&err, ERROR_NOT_FOUND, "no\nluck");
	error_hint(&err, "try");
	error_wrap(&err, "context");
	source_error_place(&err, &src, 1, 5);
	error_hint(&err, "again");
	assert_string_equal(err.message,
			    "D:1:5: context: no\nluck\n  1 | RUN a\n    |     ^\ntry\nagain");
	error_clear(&err);
	error_set(&err, ERROR_CANCELLED, "by you");
	source_error_place(&err, &src, 1, 5);
	assert_string_equal(err.message, "by you");
	error_clear(&err);
	/* A place in a trigger is none in the file. */
	src.inner = true;
	source_error(&err, &src, 1, 5, "no");
	assert_true(err.placed);
	assert_int_equal(err.line, 0);
	assert_int_equal(source_error_place(NULL, &src, 1, 5), -1);
	source_error_kind(NULL, ERROR_DENIED, &src, 1, 1, "dropped");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_and_their_ends),
		cmocka_unit_test(empty_text_has_no_line),
		cmocka_unit_test(refuses_what_is_no_text),
		cmocka_unit_test(messages_show_the_place),
		cmocka_unit_test(carets_below_wide_letters),
		cmocka_unit_test(long_lines_are_shown_in_part),
		cmocka_unit_test(an_error_can_get_its_place_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "dockerfile/ignore.h"

#include <time.h>

#include "base/limits.h"
#include "testing.h"

/* "1" for each path that is excluded, "0" for each that is not; "!" and the message. */
static void match_all(struct strbuf *out, const char *text, const char *paths)
{
	AUTO_PTR(ignore) ig = NULL;
	AUTO(error) err = ERROR_INIT;
	AUTO(strlist) list = STRLIST_INIT;

	if (ignore_parse(&ig, ".dockerignore", text, strlen(text), &err) < 0) {
		strbuf_printf(out, "!%s", err.message);
		return;
	}
	strlist_split(&list, paths, ' ');
	for (size_t i = 0; i < list.n; i++)
		strbuf_putc(out, ignore_match(ig, list.items[i], NULL) ? '1' : '0');
}

struct table_row {
	const char *text, *paths, *expected;
};

static void check_table(const struct table_row *rows, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		AUTO(strbuf) out = STRBUF_INIT;

		match_all(&out, rows[i].text, rows[i].paths);
		if (strcmp(out.buf, rows[i].expected) == 0)
			continue;
		bad++;
		print_error("%s on %s\n  expected %s\n  got      %s\n", rows[i].text, rows[i].paths,
			    rows[i].expected, out.buf);
	}
	assert_int_equal(bad, 0);
}

static void how_lines_are_read(void **state)
{
	static const struct table_row rows[] = {
		{"", "a", "0"},
		{"\xEF\xBB\xBF"
		 "a\r\n\r\n  b  \n\tc\t",
		 "a b c d", "1110"},
		/* Only "#" at column 0 is a comment. */
		{"#a\n #b", "#a #b a", "010"},
		{"\\#a", "#a", "1"},
		/* Cleaned; a leading "/" is dropped. */
		{"./a\n/b\nc/\nd/../e\nf//g\nh/.", "a b c d e f f/g h", "11101011"},
		{"/", "a", "0"},
		{".", "a", "0"},
		{"../a\n..", "a", "0"},
		{"*\n! a", "a b", "01"},
		{"*\n!/a", "a b", "01"},
		{"a b", "a b", "00"},
	};

	(void)state;
	check_table(rows, ARRAY_SIZE(rows));
}

static void wildcards(void **state)
{
	static const struct table_row rows[] = {
		/* The whole path, from the root; "*" and "?" stop at "/". */
		{"a", "a b/a ab", "100"},
		{"*.o", "x.o d/x.o .o x.oo", "1010"},
		{"*/x", "x d/x d/e/x", "010"},
		{"?", "a ab a/b", "101"},
		{"a?c", "abc a/c ac", "100"},
		{"*", "a .a a/b", "111"},
		{"a*c*e", "ace abcde abce abc/e", "1110"},
		/* A folder's pattern matches all below it. */
		{"a", "a a/b a/b/c", "111"},
		{"a/b", "a a/b a/b/c a/bc", "0110"},
		{"*/b", "a/b/c b/c", "10"},
		/* "**" crosses. */
		{"**", "a a/b .x", "111"},
		{"**/x", "x a/x a/b/x a/b/x/y xx", "11110"},
		{"**/x/y", "x/y a/x/y a/x/b/y", "110"},
		{"**/*.o", "x.o a/x.o a/b/x.o x", "1110"},
		{"a/**", "a a/b a/b/c", "011"},
		{"a/**/b", "a/b a/x/b a/x/y/b ab a/xb", "11100"},
		{"**/a/**", "a a/b x/a/b x/a", "0110"},
		{"**/**", "a a/b", "11"},
		{"a/**/**/b", "a/b a/x/b", "11"},
		{"**/a/*/b", "a/x/b y/a/x/b a/a/x/b a/b", "1110"},
		{"**/a/**/b/**/c", "a/b/c a/x/b/y/c a/a/b/b/c/d b/a/c", "1110"},
		/* "**" beside other text. */
		{"a**", "a ab ab/c b/a", "1110"},
		{"**b", "b ab x/ab x/b bc", "11110"},
		{"a**b", "ab axb a/b a/x/b axx/yb", "10110"},
		{"**.log", "a.log x/a.log .log a.logs", "1110"},
		{"a**/*.txt", "a/x.txt a/b/c.txt ab/x.txt b/x.txt", "1110"},
		{"a/*.x**", "a/b.x a/b.xy a/c/b.x", "110"},
		/* Classes and escapes, as Go has them. */
		{"[ab]c", "ac bc cc", "110"},
		{"[a-c]d", "ad bd dd", "110"},
		{"[^a]b", "ab bb", "01"},
		{"[!a]b", "ab !b bb", "110"},
		{"[\\]a]", "] a b", "110"},
		{"[\\-x]", "- x y", "110"},
		{"a\\*b", "a*b axb", "10"},
		{"a\\b", "ab", "1"},
		{"a\xc3\xa9?", "a\xc3\xa9\xc3\xa9 a\xc3\xa9", "10"},
		{"[\xce\xb1-\xce\xb6]", "\xce\xb2 b", "10"},
		{"a.b", "a.b axb", "10"},
		{"a(b)c+{d}|^$", "a(b)c+{d}|^$ abc", "10"},
	};

	(void)state;
	check_table(rows, ARRAY_SIZE(rows));
}

static void the_last_matching_line_wins(void **state)
{
	static const struct table_row rows[] = {
		{"*.md\n!README.md", "README.md a.md", "01"},
		{"!README.md\n*.md", "README.md", "1"},
		{"docs\n!docs/README.md", "docs docs/a docs/README.md", "110"},
		{"*\n!d/keep", "d d/keep d/other x", "1011"},
		{"**\n!a/b\na/b/c", "x a a/b a/b/c a/b/d", "11010"},
		{"a\n!a\na", "a", "1"},
		{"**/x\n!k/x\n**/x/y", "x k/x k/x/y k/x/z", "1010"},
		{"!a", "a", "0"},
		{"*\n!**/*.c\nsecret.c", "a.c d/a.c secret.c d/secret.c", "0010"},
	};

	(void)state;
	check_table(rows, ARRAY_SIZE(rows));
}

static void malformed_lines(void **state)
{
	static const struct table_row rows[] = {
		{"a\n!", "", "!.dockerignore:2: illegal exclusion pattern: \"!\""},
		{"!  ", "", "!.dockerignore:1: illegal exclusion pattern: \"!\""},
		{"!/", "", "!.dockerignore:1: illegal exclusion pattern: \"!/\""},
		{"[a-", "", "!.dockerignore:1: syntax error in pattern: \"[a-\""},
		{"[", "", "!.dockerignore:1: syntax error in pattern: \"[\""},
		{"[]a]", "", "!.dockerignore:1: syntax error in pattern: \"[]a]\""},
		{"[^", "", "!.dockerignore:1: syntax error in pattern: \"[^\""},
		{"[x-]", "", "!.dockerignore:1: syntax error in pattern: \"[x-]\""},
		{"[-x]", "", "!.dockerignore:1: syntax error in pattern: \"[-x]\""},
		{"[b-a]", "", "!.dockerignore:1: syntax error in pattern: \"[b-a]\""},
		{"[a-b-c]", "", "!.dockerignore:1: syntax error in pattern: \"[a-b-c]\""},
		{"a\\", "", "!.dockerignore:1: syntax error in pattern: \"a\\\""},
		{"x/\x1b[", "", "!.dockerignore:1: syntax error in pattern: \"x/\\x1b[\""},
	};
	AUTO_PTR(ignore) ig = NULL;
	AUTO(error) err = ERROR_INIT;
	AUTO_FREE char *line = xmalloc(LIMIT_DOCKERFILE_LINE + 2);

	(void)state;
	check_table(rows, ARRAY_SIZE(rows));
	assert_int_equal(ignore_parse(&ig, "i", "a\0b", 3, &err), -1);
	assert_int_equal(err.kind, ERROR_SYNTAX);
	error_clear(&err);
	memset(line, 'a', LIMIT_DOCKERFILE_LINE + 1);
	assert_int_equal(ignore_parse(&ig, "i", line, LIMIT_DOCKERFILE_LINE + 1, &err), -1);
	assert_non_null(strstr(err.message, "i:1: the line is too long"));
}

static void reasons(void **state)
{
	static const char text[] = "# c\n*.o\n  !keep.o \n**/bin\n";
	static const struct {
		const char *path;
		bool excluded;
		int line;
		const char *shown;
	} rows[] = {
		{"a.o", true, 2, "excluded by .dockerignore:2 (\"*.o\")"},
		{"keep.o", false, 3, "excluded by .dockerignore:3 (\"!keep.o\")"},
		{"x/bin/y", true, 4, "excluded by .dockerignore:4 (\"**/bin\")"},
		{"z", false, 0, ""},
	};
	AUTO_PTR(ignore) ig = NULL;

	(void)state;
	assert_int_equal(ignore_parse(&ig, ".dockerignore", text, strlen(text), NULL), 0);
	assert_int_equal(ignore_count(ig), 3);
	assert_true(ignore_has_exceptions(ig));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ignore_reason why;
		AUTO_FREE char *shown = NULL;

		assert_int_equal(ignore_match(ig, rows[i].path, &why), rows[i].excluded);
		assert_int_equal(why.line, rows[i].line);
		shown = ignore_explain(ig, &why);
		assert_string_equal(shown, rows[i].shown);
	}
}

static void folders_that_need_not_be_walked(void **state)
{
	static const struct {
		const char *text, *path;
		bool expected;
	} rows[] = {
		{"a", "a", false},
		{"a\n!b", "a", false},
		{"a\n!a/b", "a", true},
		{"a\n!a/b/c", "a/b", true},
		{"a\n!a/b/c", "a/x", false},
		{"a\n!**/keep", "a", true},
		{"a\n!a/**/keep", "a/x/y", true},
		{"a\n!*/k", "a", true},
		{"a\n!*/k", "a/b", false},
		{"*\n!d/keep", "d", true},
		{"*\n!d/keep", "e", false},
		{"a\n![ab]/c", "a", true},
		{"a\n!a**x", "a", true},
		/* A line before the one that decided cannot win. */
		{"!a/b\na", "a", false},
		{"a\n!a/b\na", "a", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_PTR(ignore) ig = NULL;

		assert_int_equal(ignore_parse(&ig, "i", rows[i].text, strlen(rows[i].text), NULL),
				 0);
		assert_true(ignore_match(ig, rows[i].path, NULL));
		if (ignore_may_reinclude_below(ig, rows[i].path) != rows[i].expected)
			fail_msg("%s: %s", rows[i].text, rows[i].path);
	}
}

static void patterns_of_flags(void **state)
{
	AUTO(strlist) patterns = STRLIST_INIT;
	AUTO_PTR(ignore) ig = NULL;
	AUTO(error) err = ERROR_INIT;
	struct ignore_reason why;
	AUTO_FREE char *shown = NULL;

	(void)state;
	strlist_add(&patterns, "*.md");
	strlist_add(&patterns, "#x");
	strlist_add(&patterns, "!a.md");
	strlist_add(&patterns, " ");
	assert_int_equal(ignore_from_patterns(&ig, &patterns, NULL), 0);
	assert_int_equal(ignore_count(ig), 3);
	assert_false(ignore_match(ig, "a.md", NULL));
	assert_true(ignore_match(ig, "#x", NULL));
	assert_true(ignore_match(ig, "b.md", &why));
	shown = ignore_explain(ig, &why);
	assert_string_equal(shown, "excluded by --exclude=*.md");
	ignore_free(ig);
	ig = NULL;
	strlist_add(&patterns, "[");
	assert_int_equal(ignore_from_patterns(&ig, &patterns, &err), -1);
	assert_string_equal(err.message, "--exclude: syntax error in pattern: \"[\"");
}

static void nothing_to_ignore(void **state)
{
	struct ignore_reason why;
	AUTO_FREE char *shown = NULL;

	(void)state;
	assert_false(ignore_match(NULL, "a", &why));
	assert_null(why.text);
	assert_false(ignore_may_reinclude_below(NULL, "a"));
	assert_false(ignore_has_exceptions(NULL));
	assert_int_equal(ignore_count(NULL), 0);
	shown = ignore_explain(NULL, &why);
	assert_string_equal(shown, "");
	ignore_free(NULL);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Patterns that make a backtracking matcher run for years. */
static void matching_does_not_explode(void **state)
{
	static const char *const units[] = {"*a", "a*", "**/a/", "**a", "?*", "[a]*", "**/*a/"};
	AUTO(strbuf) path = STRBUF_INIT;
	double start = seconds();

	(void)state;
	for (int i = 0; i < 100; i++)
		strbuf_puts(&path, "aaaaaaaaaaaaaaaaaaaaaaaa/");
	strbuf_putc(&path, 'z');
	for (size_t u = 0; u < ARRAY_SIZE(units); u++) {
		AUTO(strbuf) text = STRBUF_INIT;
		AUTO_PTR(ignore) ig = NULL;

		for (int i = 0; i < 200; i++)
			strbuf_puts(&text, units[u]);
		strbuf_puts(&text, "b");
		assert_int_equal(ignore_parse(&ig, "i", text.buf, text.len, NULL), 0);
		assert_false(ignore_match(ig, path.buf, NULL));
		ignore_may_reinclude_below(ig, path.buf);
	}
	assert_true(seconds() - start < 30);
}

static void many_patterns(void **state)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_PTR(ignore) ig = NULL;
	struct ignore_reason why;
	double start = seconds();

	(void)state;
	for (int i = 0; i < 50000; i++)
		strbuf_printf(&text, "dir%d/file%d\n**/name%d\n", i, i, i);
	strbuf_puts(&text, "!dir7/file7/x\n");
	assert_int_equal(ignore_parse(&ig, "i", text.buf, text.len, NULL), 0);
	for (int i = 0; i < 20000; i++) {
		char path[64];

		snprintf(path, sizeof(path), "dir%d/file%d/x", i, i);
		assert_int_equal(ignore_match(ig, path, &why), i != 7);
		assert_int_equal(why.line, i == 7 ? 100001 : 2 * i + 1);
		snprintf(path, sizeof(path), "a/b/name%d/y", i);
		assert_true(ignore_match(ig, path, &why));
		assert_int_equal(why.line, 2 * i + 2);
		snprintf(path, sizeof(path), "src/%d.c", i);
		assert_false(ignore_match(ig, path, NULL));
	}
	assert_true(seconds() - start < 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_lines_are_read),
		cmocka_unit_test(wildcards),
		cmocka_unit_test(the_last_matching_line_wins),
		cmocka_unit_test(malformed_lines),
		cmocka_unit_test(reasons),
		cmocka_unit_test(folders_that_need_not_be_walked),
		cmocka_unit_test(patterns_of_flags),
		cmocka_unit_test(nothing_to_ignore),
		cmocka_unit_test(matching_does_not_explode),
		cmocka_unit_test(many_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

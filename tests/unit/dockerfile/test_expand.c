#include "dockerfile/expand.h"

#include "base/limits.h"
#include "testing.h"

static const struct {
	const char *name, *value;
} variables[] = {
	{"PWD", "/home"},    {"SHELL", "bash"}, {"NULL", ""},
	{"FOO", "xxyy"},     {"SP", "a b  c"},  {"F", "a.tar.gz"},
	{"P", "/usr/lib/x"}, {"STAR", "x*y?z"}, {"K", "\xed\x95\x9c"},
};

static const char *lookup(void *ctx, const char *name)
{
	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		if (strcmp(variables[i].name, name) == 0)
			return variables[i].value;
	return NULL;
}

static const struct expand_scope scope = {.lookup = lookup, .escape = '\\'};

static void run(const struct row *rows, size_t n, const struct expand_scope *with,
		int (*expand)(struct strbuf *out, const char *text, const struct expand_scope *s,
			      struct error *err))
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		AUTO(strbuf) out = STRBUF_INIT;
		AUTO(error) err = ERROR_INIT;
		bool wants_error = rows[i].expected[0] == '!';
		int r = expand(&out, rows[i].text, with, &err);
		const char *got = r < 0 ? err.message : out.buf;

		if (r < 0)
			assert_int_equal(err.kind, ERROR_SYNTAX);
		if (wants_error ? r < 0 && strstr(got, rows[i].expected + 1)
				: r == 0 && strcmp(got, rows[i].expected) == 0)
			continue;
		bad++;
		print_error("row %zu: %s\n  expected %s\n  got      %s\n", i, rows[i].text,
			    rows[i].expected, got);
	}
	assert_int_equal(bad, 0);
}

static void quotes_and_escapes(void **state)
{
	static const struct row rows[] = {
		{"", ""},
		{"hello", "hello"},
		{"he'll'o", "hello"},
		{"he'llo", "!single-quote"},
		{"he\\'llo", "he'llo"},
		{"he\\\\'llo", "!single-quote"},
		{"abc\\tdef", "abctdef"},
		{"\"abc\\tdef\"", "abc\\tdef"},
		{"\"abc\\\\tdef\"", "abc\\tdef"},
		{"'abc\\tdef'", "abc\\tdef"},
		{"hello\\", "hello"},
		{"hello\\\\", "hello\\"},
		{"\"hello", "!double-quote"},
		{"\"hello\\\"", "!double-quote"},
		{"\"hel'lo\"", "hel'lo"},
		{"'hello\\'", "hello\\"},
		{"\"''\"", "''"},
		{"'\"x\"'", "\"x\""},
		{"a  b", "a  b"},
		{"\"a\"'b'c", "abc"},
		{"\xec\x95\x88'\xeb\x85\x95'", "\xec\x95\x88\xeb\x85\x95"},
	};

	(void)state;
	run(rows, ARRAY_SIZE(rows), &scope, expand_word);
}

static void plain_variables(void **state)
{
	static const struct row rows[] = {
		{"$PWD", "/home"},
		{"he$PWD", "he/home"},
		{"he$pwd.", "he."},
		{"he\\$PWD", "he$PWD"},
		{"he\\\\$PWD", "he\\/home"},
		{"\"$PWD\"", "/home"},
		{"'$PWD'", "$PWD"},
		{"\"he\\$PWD\"", "he$PWD"},
		{"\"he'$PWD'\"", "he'/home'"},
		{"he${PWD}x", "he/homex"},
		{"he${hi}xx", "hexx"},
		{"$K$K", "\xed\x95\x9c\xed\x95\x9c"},
		{"$SP", "a b  c"},
		{"${aaa}}", "}"},
		/* Not a variable. */
		{"$.", "$."},
		{"he$.x", "he$.x"},
		{"$", "$"},
		{"a$", "a$"},
		{"\"$\"", "$"},
		{"$(x)", "$(x)"},
		{"\\${}", "${}"},
		/* Never set: positional and special parameters. */
		{"he$1x", "hex"},
		{"$12a", "a"},
		{"$001aaa", "aaa"},
		{"$@@@", "@@"},
		{"[$*$#$?$-$$$!$0]", "[]"},
		{"${@}${*}${#}${?}${-}${$}${!}${0}${12}", ""},
		/* Malformed. */
		{"${}", "!bad substitution"},
		{"${{aaa}", "!bad substitution"},
		{"${:}", "!bad substitution"},
		{"${:-bbb}", "!bad substitution"},
		{"${", "!missing '}'"},
		{"${aaa", "!missing '}'"},
		{"he${.}", "!bad substitution"},
		{"${PWD:", "!missing '}'"},
	};

	(void)state;
	run(rows, ARRAY_SIZE(rows), &scope, expand_word);
}

static void defaults(void **state)
{
	static const struct row rows[] = {
		{"${UNK:-000}", "000"},
		{"${PWD:-000}", "/home"},
		{"${NULL:-000}", "000"},
		{"${NULL-000}", ""},
		{"${UNK-000}", "000"},
		{"${UNK-}", ""},
		{"${UNK:+000}", ""},
		{"${PWD:+000}", "000"},
		{"${NULL:+000}", ""},
		{"${NULL+000}", "000"},
		{"${UNK+000}", ""},
		{"${PWD:?}", "/home"},
		{"${NULL?}", ""},
		{"${NULL:?}", "!NULL: is not allowed to be empty"},
		{"${UNK?}", "!UNK: is not allowed to be unset"},
		{"${UNK:?set $SHELL}", "!UNK: set bash"},
		/* The word is expanded, to any depth. */
		{"${UNK:-$PWD}xx", "/homexx"},
		{"${UNK:-${YYY:-yyy}}", "yyy"},
		{"${PWD:+${SHELL}}", "bash"},
		{"${PWD:+${PWD}:}x", "/home:x"},
		{"${UNK:-\\$PWD:}", "$PWD:"},
		{"${UNK:-\\${PWD}z}xx", "${PWDz}xx"},
		{"${UNK:-'a}b'}", "a}b"},
		{"${UNK:-\"a}b\"}", "a}b"},
		{"${aaa:-bbb}}", "bbb}"},
		{"${aaa:-bbb {foo}", "bbb {foo"},
		{"${1:-bbb}", "bbb"},
		{"${@:-bbb}", "bbb"},
		{"${aaa:-bbb", "!missing '}'"},
		{"${aaa:-${foo}", "!missing '}'"},
		{"${PWD:=000}", "!unsupported modifier (:=) in substitution"},
		{"${PWD=000}", "!unsupported modifier (=) in substitution"},
		{"${UNK:YYY}", "!unsupported modifier (:Y) in substitution"},
		{"${UNK,,}", "!unsupported modifier (,) in substitution"},
		{"${PWD:#x}", "!unsupported modifier (:#) in substitution"},
	};

	(void)state;
	run(rows, ARRAY_SIZE(rows), &scope, expand_word);
}

static void patterns(void **state)
{
	static const struct row rows[] = {
		{"${FOO#*x}", "xyy"},
		{"${FOO##*x}", "yy"},
		{"${FOO#*x*y}", "y"},
		{"${FOO#*}", "xxyy"},
		{"${FOO##*}", ""},
		{"${FOO#}", "xxyy"},
		{"${FOO#y}", "xxyy"},
		{"${FOO%y*}", "xxy"},
		{"${FOO%%y*}", "xx"},
		{"${FOO%x}", "xxyy"},
		{"${FOO#?}", "xyy"},
		{"${F%.*}", "a.tar"},
		{"${F%%.*}", "a"},
		{"${F#*.}", "tar.gz"},
		{"${F##*.}", "gz"},
		{"${P##*/}", "x"},
		{"${P%/*}", "/usr/lib"},
		{"${STAR#x\\*}", "y?z"},
		{"${STAR%\\?z}", "x*y"},
		{"${STAR#*y\\?}", "z"},
		{"${K#?}", ""},
		{"${FOO#$NULL}", "xxyy"},
		{"${P#$PWD}", "/usr/lib/x"},
		{"${P#/${UNK:-usr}}", "/lib/x"},
		{"${UNK#x}", ""},
		{"${FOO#\\x}", "!invalid pattern"},
		{"${FOO/x/.}", ".xyy"},
		{"${FOO//x/.}", "..yy"},
		{"${FOO//x/}", "yy"},
		{"${FOO/y*/}", "xx"},
		{"${FOO/*/z}", "z"},
		{"${FOO//?/-}", "----"},
		{"${FOO///}", "xxyy"},
		{"${P/\\//_}", "_usr/lib/x"},
		{"${P//\\//_}", "_usr_lib_x"},
		{"${P//\\//\\/}", "\\/usr\\/lib\\/x"},
		{"${P//lib/$SHELL}", "/usr/bash/x"},
		{"${UNK/a/b}", ""},
		{"${FOO//ww}", "!missing '/' in ${}"},
		{"${FOO//}", "!missing '/' in ${}"},
		{"${FOO/a/b", "!missing '}'"},
	};

	(void)state;
	run(rows, ARRAY_SIZE(rows), &scope, expand_word);
}

static void the_other_escape_character(void **state)
{
	static const struct expand_scope other = {.lookup = lookup, .escape = '`'};
	static const struct row rows[] = {
		{"a`$PWD", "a$PWD"},
		{"c:\\x", "c:\\x"},
		{"\"`\"\\\"", "\"\\"},
		{"a`", "a"},
	};

	(void)state;
	run(rows, ARRAY_SIZE(rows), &other, expand_word);
}

static void heredoc_bodies(void **state)
{
	static const struct row rows[] = {
		{"'$PWD' \"$SHELL\"\n", "'/home' \"bash\"\n"},
		{"\\$PWD\n", "$PWD\n"},
		{"it's\n", "it's\n"},
		{"\\\\\n", "\\\n"},
		{"${UNK:-'a'}\n", "'a'\n"},
		{"${\n", "!bad substitution"},
	};

	(void)state;
	run(rows, ARRAY_SIZE(rows), &scope, expand_heredoc);
}

static void words(void **state)
{
	static const struct row rows[] = {
		{"", ""},
		{"hello", "[hello]"},
		{"hello${hi}bye", "[hellobye]"},
		{"hello${SP}bye", "[helloa][b][cbye]"},
		{"hello\"${SP}\"bye", "[helloa b  cbye]"},
		{"hello \"${SP}\"bye", "[hello][a b  cbye]"},
		{"hello there     ", "[hello][there]"},
		{"hello\\ there", "[hello there]"},
		{"hello\\\" there", "[hello\"][there]"},
		{"\"\" ''", ""},
		{"80${X:-81}", "[8081]"},
		{"hello\" there", "!double-quote"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strlist) list = STRLIST_INIT;
		AUTO(strbuf) out = STRBUF_INIT;
		AUTO(error) err = ERROR_INIT;
		int r = expand_words(&list, rows[i].text, &scope, &err);

		if (rows[i].expected[0] == '!') {
			assert_int_equal(r, -1);
			assert_non_null(strstr(err.message, rows[i].expected + 1));
			continue;
		}
		assert_int_equal(r, 0);
		describe_list(&out, &list);
		assert_string_equal(out.buf, rows[i].expected);
	}
}

static void undefined_names_are_told(void **state)
{
	static const struct row rows[] = {
		{"$PWD$NULL", ""},
		{"$A${B}", "[A][B]"},
		{"${A-x}${B:+y}", ""},
		{"'$A'\\$B", ""},
		{"${A#x}${B/x/$C}", "[A][C][B]"},
		{"${PWD:-$A}", "[A]"},
		{"$1", "[1]"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct test_scope told = {0};
		struct expand_scope s = {
			.lookup = lookup, .undefined = test_undefined, .ctx = &told};
		AUTO(strbuf) out = STRBUF_INIT;
		AUTO(strbuf) names = STRBUF_INIT;

		assert_int_equal(expand_word(&out, rows[i].text, &s, NULL), 0);
		describe_list(&names, &told.undefined);
		assert_string_equal(names.buf, rows[i].expected);
		strlist_release(&told.undefined);
	}
}

static const char *lookup_big(void *ctx, const char *name)
{
	(void)name;
	return ctx;
}

static void growth_and_depth_are_bounded(void **state)
{
	size_t half = LIMIT_EXPANDED_BYTES / 2;
	AUTO_FREE char *big = xmalloc(half + 1);
	struct expand_scope s = {.lookup = lookup_big, .ctx = big};
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO(strbuf) deep = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;

	(void)state;
	memset(big, 'x', half);
	big[half] = '\0';
	assert_int_equal(expand_word(&out, "$A$A", &s, &err), 0);
	assert_int_equal(out.len, 2 * half);
	strbuf_reset(&out);
	assert_int_equal(expand_word(&out, "$A$A.", &s, &err), -1);
	assert_non_null(strstr(err.message, "longer than"));
	assert_int_equal(out.len, 0);
	error_clear(&err);
	assert_int_equal(expand_word(&out, "${B+$A$A$A}", &s, &err), -1);
	error_clear(&err);
	assert_int_equal(expand_word(&out, "${A%*x*y*z*y}", &s, &err), -1);
	assert_non_null(strstr(err.message, "too much"));
	error_clear(&err);
	for (int i = 0; i < 100000; i++)
		strbuf_puts(&deep, "${n:-");
	assert_int_equal(expand_word(&out, deep.buf, &scope, &err), -1);
	assert_non_null(strstr(err.message, "nested too deeply"));
}

static void splitting_without_expansion(void **state)
{
	static const struct {
		const char *text, *raw, *plain;
	} rows[] = {
		{"a b", "[a][b]", "[a][b]"},
		{"'a b' \"c d\"", "['a b'][\"c d\"]", "[a b][c d]"},
		{"a\\ b \\'", "[a\\ b][\\']", "[a b][']"},
		{"\"\\\"\\x\"", "[\"\\\"\\x\"]", "[\"\\x]"},
		{"$A ${B c}", "[$A][${B][c}]", "[$A][${B][c}]"},
		{"cat <<  EOF x", "[cat][<<  EOF][x]", "[cat][<<  EOF][x]"},
		{"$(( 1 << 2 )) b", "[$(( 1 << 2 ))][b]", "[$(( 1 << 2 ))][b]"},
		{"$((1 b", "[$((1][b]", "[$((1][b]"},
		{"a\\", "[a\\]", "[a]"},
		{"''", "['']", ""},
		{"a 'b", "!", "!"},
		{"a \"b\\\"", "!", "!"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (int raw = 0; raw < 2; raw++) {
			AUTO(strlist) list = STRLIST_INIT;
			AUTO(strbuf) out = STRBUF_INIT;

			if (expand_lex(&list, rows[i].text, raw) < 0)
				strbuf_putc(&out, '!');
			else
				describe_list(&out, &list);
			assert_string_equal(out.buf, raw ? rows[i].raw : rows[i].plain);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotes_and_escapes),
		cmocka_unit_test(plain_variables),
		cmocka_unit_test(defaults),
		cmocka_unit_test(patterns),
		cmocka_unit_test(the_other_escape_character),
		cmocka_unit_test(heredoc_bodies),
		cmocka_unit_test(words),
		cmocka_unit_test(undefined_names_are_told),
		cmocka_unit_test(growth_and_depth_are_bounded),
		cmocka_unit_test(splitting_without_expansion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

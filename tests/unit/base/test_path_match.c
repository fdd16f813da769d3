#include "testing.h"

#include "base/path.h"

/* Expected values of Go 1.26's path.Match. */
static const struct {
	const char *pattern, *name;
	int result;
} rows[] = {
	{"abc", "abc", 1},
	{"*", "abc", 1},
	{"*c", "abc", 1},
	{"a*", "a", 1},
	{"a*", "abc", 1},
	{"a*", "ab/c", 0},
	{"a*/b", "abc/b", 1},
	{"a*/b", "a/c/b", 0},
	{"a*b*c*d*e*/f", "axbxcxdxe/f", 1},
	{"a*b*c*d*e*/f", "axbxcxdxexxx/f", 1},
	{"a*b*c*d*e*/f", "axbxcxdxe/xxx/f", 0},
	{"a*b*c*d*e*/f", "axbxcxdxexxx/fff", 0},
	{"a*b?c*x", "abxbbxdbxebxczzx", 1},
	{"a*b?c*x", "abxbbxdbxebxczzy", 0},
	{"ab[c]", "abc", 1},
	{"ab[b-d]", "abc", 1},
	{"ab[e-g]", "abc", 0},
	{"ab[^c]", "abc", 0},
	{"ab[^b-d]", "abc", 0},
	{"ab[^e-g]", "abc", 1},
	{"a\\*b", "a*b", 1},
	{"a\\*b", "ab", 0},
	{"a?b", "a\u263ab", 1},
	{"a[^a]b", "a\u263ab", 1},
	{"a???b", "a\u263ab", 0},
	{"a[^a][^a][^a]b", "a\u263ab", 0},
	{"[a-\u03b6]*", "\u03b1", 1},
	{"*[a-\u03b6]", "A", 0},
	{"a?b", "a/b", 0},
	{"a*b", "a/b", 0},
	{"[\\]a]", "]", 1},
	{"[\\-]", "-", 1},
	{"[x\\-]", "x", 1},
	{"[x\\-]", "-", 1},
	{"[x\\-]", "z", 0},
	{"[\\-x]", "x", 1},
	{"[\\-x]", "-", 1},
	{"[\\-x]", "a", 0},
	{"[]a]", "]", -1},
	{"[-]", "-", -1},
	{"[x-]", "x", -1},
	{"[x-]", "-", -1},
	{"[x-]", "z", -1},
	{"[-x]", "x", -1},
	{"[-x]", "-", -1},
	{"[-x]", "a", -1},
	{"\\", "a", -1},
	{"[a-b-c]", "a", -1},
	{"[", "a", -1},
	{"[^", "a", -1},
	{"[^bc", "a", -1},
	{"a[", "a", -1},
	{"a[", "ab", -1},
	{"a[", "x", -1},
	{"a/b[", "x", -1},
	{"*x", "xxx", 1},
	{"", "", 1},
	{"", "a", 0},
	{"*", "", 1},
	{"**", "a", 1},
	{"**", "a/b", 0},
	{"a/**/b", "a/x/b", 1},
	{"a/**/b", "a/x/y/b", 0},
	{"*a", "/a", 0},
	{"[^a]", "/", 1},
	{"[!a]", "!", 1},
	{"[!a]", "b", 0},
	{"?", "\xff", 1},
	{"[\xff]", "a", -1},
	{"[^a]", "\xff", 1},
	{"[\ufffd]", "\xff", 1},
	{"*\\", "a", -1},
	{"a*[", "b", -1},
	{"*.go*", "x.go", 1},
	{"*[*]b", "a*b", 1},
	{"*\u00e9", "caf\u00e9", 1},
	{"??", "\u00e9", 0},
	{"[a", "a", -1},
	{"[a-", "a", -1},
	{"[a-]", "a", -1},
	{"a\\", "a\\", -1},
	{"*/*/c", "a/b/c", 1},
	{"*ab", "aab", 1},
	{"*a*b", "xaxb/", 0},
	{"a*", "a\n", 1},
	{"[*]a", "*a", 1},
	{"[[]", "[", 1},
	{"[^]", "a", -1},
	{"[b-a]", "a", 0},
};

static void matches_as_go(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (path_match(rows[i].pattern, rows[i].name) != rows[i].result)
			fail_msg("path_match(\"%s\", \"%s\") is not %d", rows[i].pattern,
				 rows[i].name, rows[i].result);
}

/* What takes exponential time when every star is tried against every other. */
static void many_stars_are_fast(void **state)
{
	char pattern[201], name[4001];

	(void)state;
	for (size_t i = 0; i < 200; i += 2) {
		pattern[i] = '*';
		pattern[i + 1] = 'a';
	}
	pattern[200] = '\0';
	memset(name, 'a', 4000);
	name[4000] = '\0';
	assert_int_equal(path_match(pattern, name), 1);
	name[3999] = 'b';
	assert_int_equal(path_match(pattern, name), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_as_go),
		cmocka_unit_test(many_stars_are_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "testing.h"

#include "base/path.h"

/* Expected values of Go 1.26's path.Clean and path.Dir. */
static void clean_and_dir_as_go(void **state)
{
	static const struct {
		const char *path, *clean, *dir;
	} rows[] = {
		{"", ".", "."},
		{"abc", "abc", "."},
		{"abc/def", "abc/def", "abc"},
		{"a/b/c", "a/b/c", "a/b"},
		{".", ".", "."},
		{"..", "..", "."},
		{"../..", "../..", ".."},
		{"../../abc", "../../abc", "../.."},
		{"/abc", "/abc", "/"},
		{"/", "/", "/"},
		{"abc/", "abc", "abc"},
		{"abc/def/", "abc/def", "abc/def"},
		{"a/b/c/", "a/b/c", "a/b/c"},
		{"./", ".", "."},
		{"../", "..", ".."},
		{"../../", "../..", "../.."},
		{"/abc/", "/abc", "/abc"},
		{"abc//def//ghi", "abc/def/ghi", "abc/def"},
		{"//abc", "/abc", "/"},
		{"///abc", "/abc", "/"},
		{"//abc//", "/abc", "/abc"},
		{"abc//", "abc", "abc"},
		{"abc/./def", "abc/def", "abc"},
		{"/./abc/def", "/abc/def", "/abc"},
		{"abc/.", "abc", "abc"},
		{"abc/def/ghi/../jkl", "abc/def/jkl", "abc/def"},
		{"abc/def/../ghi/../jkl", "abc/jkl", "abc"},
		{"abc/def/..", "abc", "abc/def"},
		{"abc/def/../..", ".", "abc"},
		{"/abc/def/../..", "/", "/abc"},
		{"abc/def/../../..", "..", "."},
		{"/abc/def/../../..", "/", "/"},
		{"abc/def/../../../ghi/jkl/../../../mno", "../../mno", "../.."},
		{"abc/./../def", "def", "."},
		{"abc//./../def", "def", "."},
		{"abc/../../././../def", "../../def", "../.."},
		{"/..", "/", "/"},
		{"/../a", "/a", "/"},
		{"...", "...", "."},
		{"a/...", "a/...", "a"},
		{"..a/../b", "b", "."},
		{"/a/b/../../../c", "/c", "/"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *clean = path_clean(rows[i].path);
		AUTO_FREE char *dir = path_dir(rows[i].path);

		assert_string_equal(clean, rows[i].clean);
		assert_string_equal(dir, rows[i].dir);
	}
}

static void absolute_paths_stay_in_the_root(void **state)
{
	static const struct {
		const char *path, *clean;
	} rows[] = {
		{"", "/"},         {"a", "/a"}, {"/a", "/a"},
		{"../../a", "/a"}, {"..", "/"}, {"a/../../b/.", "/b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *clean = path_clean_absolute(rows[i].path);

		assert_string_equal(clean, rows[i].clean);
	}
}

static void resolves_and_joins(void **state)
{
	static const struct {
		const char *base, *path, *resolved, *joined;
	} rows[] = {
		{"/a", "b", "/a/b", "/a/b"},     {"/a/", "../b", "/b", "/a/../b"},
		{"/a", "/b", "/b", "/a/b"},      {"/", "b", "/b", "/b"},
		{"/a", "", "/a", "/a/"},         {"a//", "//b", "/b", "a/b"},
		{"a", "../..", "..", "a/../.."},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *resolved = path_resolve(rows[i].base, rows[i].path);
		AUTO_FREE char *joined = path_join(rows[i].base, rows[i].path);

		assert_string_equal(resolved, rows[i].resolved);
		assert_string_equal(joined, rows[i].joined);
	}
}

static void base_is_what_follows_the_last_slash(void **state)
{
	(void)state;
	assert_string_equal(path_base("a"), "a");
	assert_string_equal(path_base("/a/b"), "b");
	assert_string_equal(path_base("/a/"), "");
	assert_string_equal(path_base(""), "");
}

static void below(void **state)
{
	static const struct {
		const char *path, *dir;
		bool below;
	} rows[] = {
		{"/a/b", "/a", true},  {"/a", "/a", true},   {"/ab", "/a", false},
		{"/a", "/a/b", false}, {"/a", "/", true},    {"/", "/", true},
		{"a", "/", false},     {"a/b", "a", true},   {"a", ".", true},
		{"..", ".", false},    {"../a", ".", false}, {"..a", ".", true},
		{"/a", ".", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(path_is_below(rows[i].path, rows[i].dir), rows[i].below);
}

static void wildcards_are_seen(void **state)
{
	(void)state;
	assert_true(path_has_wildcard("a*"));
	assert_true(path_has_wildcard("?"));
	assert_true(path_has_wildcard("a[b"));
	assert_true(path_has_wildcard("a\\b"));
	assert_false(path_has_wildcard("a/b]^-"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_and_dir_as_go),
		cmocka_unit_test(absolute_paths_stay_in_the_root),
		cmocka_unit_test(resolves_and_joins),
		cmocka_unit_test(base_is_what_follows_the_last_slash),
		cmocka_unit_test(below),
		cmocka_unit_test(wildcards_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

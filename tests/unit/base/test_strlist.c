#include "testing.h"

#include "base/strlist.h"

static void is_an_argv(void **state)
{
	AUTO(strlist) l = STRLIST_INIT;

	(void)state;
	for (int i = 0; i < 100; i++) {
		strlist_addf(&l, "%d", i);
		assert_null(l.items[l.n]);
	}
	assert_int_equal(l.n, 100);
	assert_string_equal(l.items[99], "99");
	strlist_clear(&l);
	assert_int_equal(l.n, 0);
	strlist_clear(&l);
	strlist_release(NULL);
}

static void inserts_and_removes(void **state)
{
	AUTO(strlist) l = STRLIST_INIT;
	char *joined;

	(void)state;
	strlist_insert(&l, 5, "c");
	strlist_insert(&l, 0, "a");
	strlist_insert(&l, 1, "b");
	strlist_addn(&l, "dxx", 1);
	strlist_take(&l, xstrdup("e"));
	joined = strlist_join(&l, ", ");
	assert_string_equal(joined, "a, b, c, d, e");
	free(joined);
	assert_null(l.items[5]);
	strlist_remove(&l, 4);
	strlist_remove(&l, 0);
	strlist_remove(&l, 9);
	joined = strlist_join(&l, "");
	assert_string_equal(joined, "bcd");
	free(joined);
	assert_null(l.items[3]);
}

static void splits(void **state)
{
	static const struct {
		const char *in;
		const char *items[5];
	} rows[] = {
		{"", {""}},
		{"a", {"a"}},
		{"a:b", {"a", "b"}},
		{":a::", {"", "a", "", ""}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(strlist) l = STRLIST_INIT;
		AUTO_FREE char *joined = NULL;
		size_t n = 0;

		strlist_split(&l, rows[i].in, ':');
		for (; rows[i].items[n]; n++)
			assert_string_equal(l.items[n], rows[i].items[n]);
		assert_int_equal(l.n, n);
		joined = strlist_join(&l, ":");
		assert_string_equal(joined, rows[i].in);
	}
}

static void sorts_compares_copies(void **state)
{
	AUTO(strlist) a = STRLIST_INIT;
	AUTO(strlist) b = STRLIST_INIT;

	(void)state;
	assert_true(strlist_equal(&a, &b));
	strlist_split(&a, "b,\xc3\xa9,a,Z,ab", ',');
	strlist_copy(&b, &a);
	assert_true(strlist_equal(&a, &b));
	strlist_sort(&a);
	assert_false(strlist_equal(&a, &b));
	strlist_clear(&b);
	strlist_split(&b, "Z,a,ab,b,\xc3\xa9", ',');
	assert_true(strlist_equal(&a, &b));
	assert_true(strlist_has(&a, "ab"));
	assert_false(strlist_has(&a, "B"));
	strlist_copy(&a, &a);
	assert_int_equal(a.n, 10);
	assert_string_equal(a.items[9], "\xc3\xa9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_an_argv),
		cmocka_unit_test(inserts_and_removes),
		cmocka_unit_test(splits),
		cmocka_unit_test(sorts_compares_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

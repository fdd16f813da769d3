#include "testing.h"

#include "base/strmap.h"

static void keeps_the_order_of_insertion(void **state)
{
	AUTO(strmap) m = STRMAP_INIT;

	(void)state;
	assert_null(strmap_get(&m, "a"));
	assert_false(strmap_has(&m, "a"));
	strmap_remove(&m, "a");
	strmap_set(&m, "b", "1");
	strmap_set(&m, "a", "2");
	strmap_set(&m, "", "3");
	strmap_set(&m, "b", "4");
	assert_int_equal(m.n, 3);
	assert_string_equal(m.entries[0].key, "b");
	assert_string_equal(m.entries[0].value, "4");
	assert_string_equal(m.entries[1].key, "a");
	assert_string_equal(m.entries[2].key, "");
	strmap_set(&m, "a", strmap_get(&m, "a"));
	assert_string_equal(strmap_get(&m, "a"), "2");
	strmap_clear(&m);
	assert_int_equal(m.n, 0);
	strmap_release(NULL);
}

static void many_keys(void **state)
{
	AUTO(strmap) m = STRMAP_INIT;
	char key[16], value[16];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		snprintf(value, sizeof(value), "v%d", i);
		strmap_set(&m, key, value);
	}
	for (int i = 0; i < 2000; i += 2) {
		snprintf(key, sizeof(key), "k%d", i);
		strmap_remove(&m, key);
	}
	assert_int_equal(m.n, 1000);
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		snprintf(value, sizeof(value), "v%d", i);
		if (i % 2 == 0) {
			assert_false(strmap_has(&m, key));
			continue;
		}
		assert_string_equal(strmap_get(&m, key), value);
		assert_string_equal(m.entries[i / 2].key, key);
	}
}

static void null_values_are_kept(void **state)
{
	AUTO(strmap) m = STRMAP_INIT;
	AUTO(strlist) env = STRLIST_INIT;

	(void)state;
	strmap_set(&m, "unset", NULL);
	strmap_set(&m, "empty", "");
	assert_true(strmap_has(&m, "unset"));
	assert_null(strmap_get(&m, "unset"));
	strmap_to_env(&m, &env);
	assert_int_equal(env.n, 1);
	assert_string_equal(env.items[0], "empty=");
}

static void environments(void **state)
{
	AUTO(strmap) m = STRMAP_INIT;
	AUTO(strlist) in = STRLIST_INIT;
	AUTO(strlist) out = STRLIST_INIT;
	AUTO_FREE char *joined = NULL;

	(void)state;
	strlist_split(&in, "PATH=/bin;A=b=c;PLAIN;PATH=/usr/bin;=x", ';');
	strmap_from_env(&m, &in);
	strmap_to_env(&m, &out);
	joined = strlist_join(&out, ";");
	assert_string_equal(joined, "PATH=/usr/bin;A=b=c;PLAIN=;=x");
}

static void compares_in_any_order(void **state)
{
	AUTO(strmap) a = STRMAP_INIT;
	AUTO(strmap) b = STRMAP_INIT;

	(void)state;
	strmap_set(&a, "x", "1");
	strmap_set(&a, "y", "2");
	strmap_set(&b, "y", "2");
	assert_false(strmap_equal(&a, &b));
	strmap_set(&b, "x", NULL);
	assert_false(strmap_equal(&a, &b));
	strmap_set(&b, "x", "1");
	assert_true(strmap_equal(&a, &b));
	strmap_copy(&b, &a);
	strmap_copy(&a, &a);
	assert_true(strmap_equal(&a, &b));
	strmap_remove(&b, "y");
	strmap_set(&b, "z", "2");
	assert_false(strmap_equal(&a, &b));
}

static void sorts_keys_by_bytes(void **state)
{
	AUTO(strmap) m = STRMAP_INIT;
	size_t idx[4];

	(void)state;
	strmap_set(&m, "b", "");
	strmap_set(&m, "\xc3\xa9", "");
	strmap_set(&m, "Z", "");
	strmap_set(&m, "a", "");
	strmap_sorted(&m, idx);
	assert_int_equal(idx[0], 2);
	assert_int_equal(idx[1], 3);
	assert_int_equal(idx[2], 0);
	assert_int_equal(idx[3], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_order_of_insertion),
		cmocka_unit_test(many_keys),
		cmocka_unit_test(null_values_are_kept),
		cmocka_unit_test(environments),
		cmocka_unit_test(compares_in_any_order),
		cmocka_unit_test(sorts_keys_by_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

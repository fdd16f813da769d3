#include "testing.h"

static void zero_sizes_give_pointers(void **state)
{
	AUTO_FREE void *a = xmalloc(0);
	AUTO_FREE void *b = xcalloc(0, 8);
	AUTO_FREE void *c = xreallocarray(NULL, 0, 8);

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
}

static void strings_are_copied(void **state)
{
	AUTO_FREE char *cut = xstrndup("abcdef", 3);
	AUTO_FREE char *whole = xstrndup("ab", 10);
	AUTO_FREE char *text = xstrfmt("%s-%03d", "x", 7);

	(void)state;
	assert_string_equal(cut, "abc");
	assert_string_equal(whole, "ab");
	assert_string_equal(text, "x-007");
	assert_null(xstrdup_null(NULL));
}

static void grow_keeps_what_was_there(void **state)
{
	AUTO_FREE int *p = NULL;
	size_t cap = 0;

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		GROW(p, i + 1, cap);
		assert_true(cap > i);
		p[i] = (int)i;
	}
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(p[i], i);
}

static void wipe_leaves_zeros(void **state)
{
	char secret[] = "password";
	const char zeros[sizeof(secret)] = {0};

	(void)state;
	wipe(secret, sizeof(secret));
	assert_memory_equal(secret, zeros, sizeof(secret));
	wipe(NULL, 0);
	wipe_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zero_sizes_give_pointers),
		cmocka_unit_test(strings_are_copied),
		cmocka_unit_test(grow_keeps_what_was_there),
		cmocka_unit_test(wipe_leaves_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

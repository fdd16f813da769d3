#include "base/random.h"

#include "tests/unit/base/testing.h"

static void test_hex(void **state)
{
	char a[33], b[33];

	(void)state;
	random_hex(a, 32);
	random_hex(b, 32);
	assert_int_equal(strlen(a), 32);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_string_not_equal(a, b);
	random_hex(a, 0);
	assert_string_equal(a, "");
}

/* 26 letters do not divide 256: each still comes as often as the others, by no more than chance. */
static void test_letters_are_fair(void **state)
{
	static const char *const alphabet = "abcdefghijklmnopqrstuvwxyz";
	enum { N = 26000 };
	AUTO_FREE char *text = xmalloc(N + 1);
	int count[26] = {0};

	(void)state;
	random_letters(text, N, alphabet);
	assert_int_equal(strspn(text, alphabet), N);
	for (int i = 0; i < N; i++)
		count[text[i] - 'a']++;
	/* of 1,000 with a deviation of 31: seven of them */
	for (int i = 0; i < 26; i++)
		assert_in_range(count[i], 780, 1220);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_letters_are_fair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/typo.h"

#include "tests/unit/base/testing.h"

#define TEN   "0123456789"
#define FORTY TEN TEN TEN TEN

static void test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} ROWS[] = {
		/* known pairs of the literature on the Levenshtein distance */
		{"kitten", "sitting", 3},
		{"saturday", "sunday", 3},
		{"flaw", "lawn", 2},
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "abc", 0},
		/* case does not count */
		{"FROM", "from", 0},
		{"BUILD", "buidl", 1},
		/* neighbours swapped: one step, and no letter between them */
		{"ab", "ba", 1},
		{"teh", "the", 1},
		{"ca", "abc", 3},
		{"pulll", "pull", 1},
		{FORTY, FORTY, 0},
		{FORTY, "", 40},
		{FORTY "x", FORTY, SIZE_MAX},
		{"a", FORTY "x", SIZE_MAX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		if (typo_distance(ROWS[i].a, ROWS[i].b) != ROWS[i].distance ||
		    typo_distance(ROWS[i].b, ROWS[i].a) != ROWS[i].distance)
			fail_msg("%s, %s: %zu", ROWS[i].a, ROWS[i].b,
				 typo_distance(ROWS[i].a, ROWS[i].b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_distance)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "deploy/scaling.h"

#include "base/alloc.h"
#include "tests/unit/base/testing.h"

static void test_bounds(void **state)
{
	static const struct {
		const char *text;
		bool fine;
		int64_t min, max;
	} rows[] = {
		{"1..10", true, 1, 10},     {"0..1", true, 0, 1},  {"3..3", true, 3, 3},
		{"1..5000", true, 1, 5000}, {"2..1", false, 0, 0}, {"0..0", false, 0, 0},
		{"1..5001", false, 0, 0},   {"1.10", false, 0, 0}, {"1...2", false, 0, 0},
		{"1..", false, 0, 0},       {"..2", false, 0, 0},  {"1..2x", false, 0, 0},
		{"-1..2", false, 0, 0},     {"", false, 0, 0},     {"1..10000000000", false, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(error) err = ERROR_INIT;
		struct scaling s = {.cpu_percent = 70};

		assert_int_equal(scaling_parse(rows[i].text, &s, &err), rows[i].fine ? 0 : -1);
		assert_int_equal(s.min, rows[i].min);
		assert_int_equal(s.max, rows[i].max);
		assert_int_equal(s.cpu_percent, 70);
		assert_int_equal(err.kind, rows[i].fine ? ERROR_NONE : ERROR_USAGE);
	}
}

static void test_cpu(void **state)
{
	(void)state;
	assert_int_equal(scaling_check_cpu(1, NULL), 0);
	assert_int_equal(scaling_check_cpu(100, NULL), 0);
	assert_int_equal(scaling_check_cpu(0, NULL), -1);
	assert_int_equal(scaling_check_cpu(101, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

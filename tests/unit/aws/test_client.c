#include "aws/aws_private.h"

#include "tests/unit/base/testing.h"

#define SECOND INT64_C(1000000000)

/* SDKs' standard retry mode: rand(0, 1) * min(2^i, 20 s). */
static void test_delays(void **state)
{
	static const struct {
		int failures, first_ms;
		uint32_t random;
		int64_t ns;
	} rows[] = {
		{0, 1000, 0, 0},
		{0, 1000, UINT32_MAX, SECOND},
		{3, 1000, UINT32_MAX, 8 * SECOND},
		{4, 1000, UINT32_MAX, 16 * SECOND},
		{5, 1000, UINT32_MAX, 20 * SECOND},
		{7, 1000, UINT32_MAX, 20 * SECOND},
		{40, 1000, UINT32_MAX, 20 * SECOND},
		{7, 2, UINT32_MAX, 256 * SECOND / 1000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(
			aws_retry_delay_ns(rows[i].failures, rows[i].first_ms, rows[i].random),
			rows[i].ns);
	assert_true(aws_retry_delay_ns(9, 1000, UINT32_MAX / 2) / (SECOND / 100) == 999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

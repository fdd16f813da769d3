#include "net/stall.h"

#include "tests/unit/base/testing.h"

#define S 1000000000ll

/* What has moved at which second, of a peer that must move 1 KiB in 60. */
static void test_rows(void **state)
{
	static const struct {
		int64_t at, moved;
		bool answering;
		int64_t limit;
		bool stalled;
	} ROWS[] = {
		{1, 0, false, 60, false},      {60, 0, false, 60, false},
		{61, 1024, false, 60, false}, /* the last moment */
		{120, 1100, false, 60, false}, {121, 1100, false, 60, false},
		{122, 2000, false, 60, true}, /* a drip: 976 bytes in 61 s */
		{122, 2048, false, 60, false}, {123, 2048, true, 600, false},
		{700, 2048, true, 600, false}, {724, 2048, true, 600, true},
		{724, 2048, false, 60, false}, /* the answer begins: a clock of its own */
		{785, 2048, false, 60, true},  {785, 10, false, 60, false}, /* begun again */
	};
	struct stall s;

	(void)state;
	stall_begin(&s, 0);
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		bool stalled = stall_check(&s, ROWS[i].at * S, ROWS[i].moved, ROWS[i].answering,
					   ROWS[i].limit * S);

		if (stalled != ROWS[i].stalled)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "server/range.h"

#include "tests/unit/base/testing.h"

/* RFC 9110 section 14.1.2: the examples are of a representation of 10000 bytes. */
static void test_range(void **state)
{
	static const struct {
		const char *text;
		int64_t size;
		enum range_answer answer;
		int64_t first, last;
	} ROWS[] = {
		{"bytes=0-499", 10000, RANGE_PART, 0, 499},
		{"bytes=500-999", 10000, RANGE_PART, 500, 999},
		{"bytes=-500", 10000, RANGE_PART, 9500, 9999},
		{"bytes=9500-", 10000, RANGE_PART, 9500, 9999},
		{"bytes=9500-20000", 10000, RANGE_PART, 9500, 9999},
		{"bytes= 0-0 ", 10000, RANGE_PART, 0, 0},
		{"bytes=-20000", 10000, RANGE_PART, 0, 9999},
		{"bytes=-99999999999999999999999", 10000, RANGE_PART, 0, 9999},
		{"bytes=10000-", 10000, RANGE_OUTSIDE, 0, 0},
		{"bytes=5-4", 10000, RANGE_OUTSIDE, 0, 0},
		{"bytes=-0", 10000, RANGE_OUTSIDE, 0, 0},
		{"bytes=0-", 0, RANGE_OUTSIDE, 0, 0},
		{"bytes=-1", 0, RANGE_OUTSIDE, 0, 0},
		{"bytes=99999999999999999999999-", 10000, RANGE_OUTSIDE, 0, 0},
		{"bytes=0-0,-1", 10000, RANGE_WHOLE, 0, 0},
		{"bytes=", 10000, RANGE_WHOLE, 0, 0},
		{"bytes=-", 10000, RANGE_WHOLE, 0, 0},
		{"bytes=a-b", 10000, RANGE_WHOLE, 0, 0},
		{"bytes=1", 10000, RANGE_WHOLE, 0, 0},
		{"bytes 0-1", 10000, RANGE_WHOLE, 0, 0},
		{"", 10000, RANGE_WHOLE, 0, 0},
		{NULL, 10000, RANGE_WHOLE, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		int64_t first = -1, last = -1;
		enum range_answer got = range_parse(ROWS[i].text, ROWS[i].size, &first, &last);

		if (got != ROWS[i].answer)
			fail_msg("\"%s\": %d", ROWS[i].text ? ROWS[i].text : "NULL", (int)got);
		if (got != RANGE_PART)
			continue;
		assert_true(first == ROWS[i].first);
		assert_true(last == ROWS[i].last);
	}
}

static void test_content_range(void **state)
{
	static const struct {
		const char *text;
		int64_t first, last; /* -1: none */
	} ROWS[] = {
		{"0-0", 0, 0},
		{"5-10", 5, 10},
		{" 5-10 ", 5, 10},
		{"bytes 5-10/20", 5, 10},
		{"bytes 5-10/*", 5, 10},
		{"bytes=5-10", 5, 10},
		{"5-4", -1, 0},
		{"5-", -1, 0},
		{"-5", -1, 0},
		{"5", -1, 0},
		{"", -1, 0},
		{"a-b", -1, 0},
		{"5-10x", -1, 0},
		{"bytes 5-10/10", -1, 0},
		{"bytes */10", -1, 0},
		{"0-1-2", -1, 0},
		{"bytes 5-10/", -1, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
		int64_t first, last;
		bool good = range_parse_content(ROWS[i].text, &first, &last);

		if (good != (ROWS[i].first >= 0))
			fail_msg("\"%s\": %d", ROWS[i].text, (int)good);
		if (good) {
			assert_true(first == ROWS[i].first);
			assert_true(last == ROWS[i].last);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_content_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

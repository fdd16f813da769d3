#include "testing.h"

#include <time.h>

#include "base/time.h"

static void clocks_go_on(void **state)
{
	int64_t before = time_monotonic_ns();

	(void)state;
	assert_true(time_monotonic_ns() >= before);
	assert_true(time_now() > 1700000000);
	assert_true(time_now_ns() / 1000000000 - time_now() <= 1);
}

/* Expected values of Go 1.26's time.Format with RFC3339Nano. */
static void formats_as_go(void **state)
{
	static const struct {
		int64_t sec, ns;
		const char *text;
	} rows[] = {
		{0, 0, "1970-01-01T00:00:00Z"},
		{1795341600, 0, "2026-11-22T10:00:00Z"},
		{951868799, 1, "2000-02-29T23:59:59.000000001Z"},
		{-62135596800, 0, "0001-01-01T00:00:00Z"},
		{253402300799, 999999999, "9999-12-31T23:59:59.999999999Z"},
		{-1, 500000000, "1969-12-31T23:59:59.5Z"},
		{1795341600, 120000000, "2026-11-22T10:00:00.12Z"},
		{68169600, 0, "1972-02-29T00:00:00Z"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[TIME_TEXT_SIZE];

		time_format(rows[i].sec, rows[i].ns, text);
		assert_string_equal(text, rows[i].text);
	}
}

/* Seconds of Go 1.26's time.Parse; where Go is laxer than RFC 3339, the RFC holds. */
static void parses_rfc_3339(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t sec;
	} rows[] = {
		{"1970-01-01T00:00:00Z", true, 0},
		{"2026-11-22T10:00:00Z", true, 1795341600},
		{"2000-02-29T23:59:59Z", true, 951868799},
		{"1900-02-29T00:00:00Z", false, -62135596800},
		{"0001-01-01T00:00:00Z", true, -62135596800},
		{"0000-01-01T00:00:00Z", true, -62167219200},
		{"9999-12-31T23:59:59Z", true, 253402300799},
		{"2026-11-22T10:00:00+01:30", true, 1795336200},
		{"2026-11-22T10:00:00-08:00", true, 1795370400},
		{"2026-11-22T10:00:00.123456789Z", true, 1795341600},
		{"1969-12-31T23:59:59.5Z", true, -1},
		{"2026-13-01T00:00:00Z", false, -62135596800},
		{"2026-00-01T00:00:00Z", false, -62135596800},
		{"2026-04-31T00:00:00Z", false, -62135596800},
		{"2024-02-29T00:00:00Z", true, 1709164800},
		{"2026-11-22T24:00:00Z", false, -62135596800},
		{"2026-11-22T10:60:00Z", false, -62135596800},
		{"2026-11-22T10:00:60Z", false, -62135596800},
		{"2026-11-22 10:00:00Z", false, -62135596800},
		{"2026-11-22T10:00:00", false, -62135596800},
		{"2026-11-22", false, -62135596800},
		{"2026-11-22T10:00:00.Z", false, -62135596800},
		{"2026-11-22T10:00:00Zx", false, -62135596800},
		{"2026-11-22T10:00:00+24:00", false, 1795255200},
		{"2026-11-22T1:00:00Z", false, 1795309200},
		{"", false, -62135596800},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t sec = 7;

		if (!rows[i].ok) {
			assert_error(time_parse(rows[i].text, &sec, err), ERROR_SYNTAX,
				     "is no time");
			assert_int_equal(sec, 7);
			continue;
		}
		assert_ok(time_parse(rows[i].text, &sec, err));
		assert_int_equal(sec, rows[i].sec);
	}
}

/* Against the C library. */
static void every_day_of_800_years(void **state)
{
	(void)state;
	for (int64_t day = -146097; day <= 146097; day++) {
		char text[TIME_TEXT_SIZE], wanted[TIME_TEXT_SIZE];
		time_t when = (time_t)(day * 86400);
		int64_t sec = 0;
		struct tm tm;

		gmtime_r(&when, &tm);
		strftime(wanted, sizeof(wanted), "%Y-%m-%dT00:00:00Z", &tm);
		time_format(when, 0, text);
		assert_string_equal(text, wanted);
		assert_int_equal(time_parse(text, &sec, NULL), 0);
		assert_int_equal(sec, when);
	}
}

/* The words and borders of docker's go-units, HumanDuration. */
static void ago_as_docker(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {
		{-5, "Less than a second ago"},
		{0, "Less than a second ago"},
		{1, "1 second ago"},
		{45, "45 seconds ago"},
		{60, "About a minute ago"},
		{119, "About a minute ago"},
		{180, "3 minutes ago"},
		{3599, "59 minutes ago"},
		{3600, "About an hour ago"},
		{5399, "About an hour ago"},
		{5400, "2 hours ago"},
		{3 * 3600, "3 hours ago"},
		{47 * 3600, "47 hours ago"},
		{48 * 3600, "2 days ago"},
		{13 * 24 * 3600, "13 days ago"},
		{14 * 24 * 3600, "2 weeks ago"},
		{59 * 24 * 3600, "8 weeks ago"},
		{60 * 24 * 3600, "2 months ago"},
		{729 * 24 * 3600, "24 months ago"},
		{730 * 24 * 3600, "2 years ago"},
		{3650ll * 24 * 3600, "10 years ago"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[TIME_TEXT_SIZE];

		time_format_ago(rows[i].seconds, text);
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_go_on),    cmocka_unit_test(formats_as_go),
		cmocka_unit_test(parses_rfc_3339), cmocka_unit_test(every_day_of_800_years),
		cmocka_unit_test(ago_as_docker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

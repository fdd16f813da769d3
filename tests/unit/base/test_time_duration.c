#include "testing.h"

#include "base/time.h"

/* Expected values of Go 1.26's time.ParseDuration and Duration.String. */
static const struct {
	const char *text;
	bool ok;
	int64_t ns;
	const char *formatted;
} rows[] = {
	{"0", true, 0, "0s"},
	{"5s", true, 5000000000, "5s"},
	{"30s", true, 30000000000, "30s"},
	{"1478s", true, 1478000000000, "24m38s"},
	{"-5s", true, -5000000000, "-5s"},
	{"+5s", true, 5000000000, "5s"},
	{"-0", true, 0, "0s"},
	{"+0", true, 0, "0s"},
	{"5.0s", true, 5000000000, "5s"},
	{"5.6s", true, 5600000000, "5.6s"},
	{"5.", false, 0, "0s"},
	{"5.s", true, 5000000000, "5s"},
	{".5s", true, 500000000, "500ms"},
	{"1.0s", true, 1000000000, "1s"},
	{"1.00s", true, 1000000000, "1s"},
	{"1.004s", true, 1004000000, "1.004s"},
	{"1.0040s", true, 1004000000, "1.004s"},
	{"100.00100s", true, 100001000000, "1m40.001s"},
	{"10ns", true, 10, "10ns"},
	{"11us", true, 11000, "11\302\265s"},
	{"12\302\265s", true, 12000, "12\302\265s"},
	{"12\316\274s", true, 12000, "12\302\265s"},
	{"13ms", true, 13000000, "13ms"},
	{"14s", true, 14000000000, "14s"},
	{"15m", true, 900000000000, "15m0s"},
	{"16h", true, 57600000000000, "16h0m0s"},
	{"3h30m", true, 12600000000000, "3h30m0s"},
	{"10.5s4m", true, 250500000000, "4m10.5s"},
	{"-2m3.4s", true, -123400000000, "-2m3.4s"},
	{"1h2m3s4ms5us6ns", true, 3723004005006, "1h2m3.004005006s"},
	{"39h9m14.425s", true, 140954425000000, "39h9m14.425s"},
	{"52763797000ns", true, 52763797000, "52.763797s"},
	{"0.3333333333333333333h", true, 1200000000000, "20m0s"},
	{"9007199254740993ns", true, 9007199254740993, "2501h59m59.254740993s"},
	{"9223372036854775807ns", true, 9223372036854775807, "2562047h47m16.854775807s"},
	{"9223372036854775.807us", true, 9223372036854775807, "2562047h47m16.854775807s"},
	{"9223372036s854ms775us807ns", true, 9223372036854775807, "2562047h47m16.854775807s"},
	{"-9223372036854775808ns", true, INT64_MIN, "-2562047h47m16.854775808s"},
	{"-9223372036854775.808us", true, INT64_MIN, "-2562047h47m16.854775808s"},
	{"-9223372036s854ms775us808ns", true, INT64_MIN, "-2562047h47m16.854775808s"},
	{"-2562047h47m16.854775808s", true, INT64_MIN, "-2562047h47m16.854775808s"},
	{"0.100000000000000000000h", true, 360000000000, "6m0s"},
	{"0.830103483285477580700h", true, 2988372539827, "49m48.372539827s"},
	{"1h30m", true, 5400000000000, "1h30m0s"},
	{"", false, 0, "0s"},
	{"3", false, 0, "0s"},
	{"-", false, 0, "0s"},
	{"s", false, 0, "0s"},
	{".", false, 0, "0s"},
	{"-.", false, 0, "0s"},
	{".s", false, 0, "0s"},
	{"+.s", false, 0, "0s"},
	{"1d", false, 0, "0s"},
	{"9223372036854775810ns", false, 0, "0s"},
	{"9223372036854775808ns", false, 0, "0s"},
	{"-9223372036854775809ns", false, 0, "0s"},
	{"9223372036854776us", false, 0, "0s"},
	{"3000000h", false, 0, "0s"},
	{"9223372036854775.808us", false, 0, "0s"},
	{"9223372036854ms775us808ns", false, 0, "0s"},
	{"1 s", false, 0, "0s"},
	{" 1s", false, 0, "0s"},
	{"1s ", false, 0, "0s"},
	{"1h-2m", false, 0, "0s"},
	{"0s", true, 0, "0s"},
	{"0.0s", true, 0, "0s"},
	{"1S", false, 0, "0s"},
	{"--1s", false, 0, "0s"},
};

static void durations_as_go(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char formatted[TIME_TEXT_SIZE];
		int64_t ns = 7;

		if (!rows[i].ok) {
			assert_error(time_parse_duration(rows[i].text, &ns, err), ERROR_SYNTAX,
				     "is no duration");
			assert_int_equal(ns, 7);
			continue;
		}
		assert_ok(time_parse_duration(rows[i].text, &ns, err));
		assert_true(ns == rows[i].ns);
		time_format_duration(ns, formatted);
		assert_string_equal(formatted, rows[i].formatted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_as_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

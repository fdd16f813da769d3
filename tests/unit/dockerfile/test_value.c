#include "dockerfile/value.h"

#include "testing.h"

static void booleans(void **state)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
	static const char *const neither[] = {"", "yes", "tRUE", "2", " 1", "truee"};
	bool out;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		assert_true(value_bool(&out, yes[i]));
		assert_true(out);
		assert_true(value_bool(&out, no[i]));
		assert_false(out);
		assert_false(value_bool(&out, neither[i]));
	}
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		int base;
		uint64_t max;
		bool ok;
		uint64_t value;
	} rows[] = {
		{"0", 10, 9, true, 0},
		{"007", 10, 9, true, 7},
		{"755", 8, 07777, true, 0755},
		{"7777", 8, 07777, true, 07777},
		{"10000", 8, 07777, false, 0},
		{"8", 8, 100, false, 0},
		{"65535", 10, 65535, true, 65535},
		{"65536", 10, 65535, false, 0},
		{"18446744073709551615", 10, UINT64_MAX, true, UINT64_MAX},
		{"18446744073709551616", 10, UINT64_MAX, false, 0},
		{"99999999999999999999999", 10, UINT64_MAX, false, 0},
		{"", 10, 9, false, 0},
		{"-1", 10, 9, false, 0},
		{"+1", 10, 9, false, 0},
		{" 1", 10, 9, false, 0},
		{"1x", 10, 9, false, 0},
		{"0x1", 10, 99, false, 0},
		{"1e3", 10, 9999, false, 0},
	};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(value_number(&value, rows[i].text, rows[i].base, rows[i].max),
				 rows[i].ok);
		if (rows[i].ok)
			assert_true(value == rows[i].value);
	}
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		int64_t value; /* -1: an error */
	} rows[] = {
		{"1", 1},
		{"4096", 4096},
		{"32b", 32},
		{"32k", 32768},
		{"32K", 32768},
		{"32kb", 32768},
		{"32KiB", 32768},
		{"64m", 67108864},
		{"1g", 1073741824},
		{"1.5G", 1610612736},
		{"1 MB", 1048576},
		{"2T", 2199023255552},
		{"1P", 1125899906842624},
		{"", -1},
		{"0", -1},
		{"0.5", -1},
		{"-1", -1},
		{"m", -1},
		{".5m", -1},
		{"1x", -1},
		{"1bb", -1},
		{"1mib2", -1},
		{"1e3", -1},
		{"0x10", -1},
		{"inf", -1},
		{"nan", -1},
		{"9999999999999999P", -1},
		{"1..5m", -1},
		{"1,5m", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(error) err = ERROR_INIT;
		int64_t value = -1;
		int r = value_size(&value, rows[i].text, &err);

		if ((r == 0) != (rows[i].value >= 0) || (r == 0 && value != rows[i].value))
			fail_msg("%s: %lld", rows[i].text, (long long)value);
		if (r < 0)
			assert_int_equal(err.kind, ERROR_SYNTAX);
	}
}

static void signals(void **state)
{
	static const char *const good[] = {"1",         "9",       "64",         "SIGTERM",
					   "sigterm",   "TERM",    "hup",        "SIGWINCH",
					   "SIGRTMIN",  "RTMIN+1", "SIGRTMIN+3", "SIGRTMAX-14",
					   "SIGSTKFLT", "SIGIOT",  "SIGPOLL"};
	static const char *const bad[] = {
		"",      "0",          "65",          "-9",          "SIG",
		"TERMX", "SIGSIGTERM", "SIGRTMIN+16", "SIGRTMAX-15", "SIGRTMIN+",
		"TERM ", "1e1",        "SIGRTMIN-1",  "SIGRTMIN+0"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		AUTO(error) err = ERROR_INIT;

		if (value_signal(good[i], &err) < 0)
			fail_msg("%s: %s", good[i], err.message);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(error) err = ERROR_INIT;

		if (value_signal(bad[i], &err) == 0)
			fail_msg("\"%s\" was accepted", bad[i]);
		assert_non_null(strstr(err.message, "invalid signal"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(booleans),
		cmocka_unit_test(numbers),
		cmocka_unit_test(sizes),
		cmocka_unit_test(signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

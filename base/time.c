#include "base/time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t time_now(void)
{
	return time_now_ns() / 1000000000;
}

int64_t time_now_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t time_monotonic_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/*
 * Days since 1970-01-01 of a day of the Gregorian calendar, and back, in years that begin in March:
 * the leap day is then the last one. An era is 400 years, 146097 days.
 */
static int64_t days_from_date(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static void date_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t shifted = (5 * doy + 2) / 153; /* 0 is March */

	*day = (int)(doy - (153 * shifted + 2) / 5 + 1);
	*month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
	*year = yoe + era * 400 + (*month <= 2);
}

void time_format(int64_t sec, int64_t ns, char out[TIME_TEXT_SIZE])
{
	int64_t days = sec / 86400, rest = sec % 86400, year;
	char fraction[16] = "";
	int month, day;

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	date_from_days(days, &year, &month, &day);
	if (ns) {
		size_t len = (size_t)snprintf(fraction, sizeof(fraction), ".%09lld",
					      (long long)(ns % 1000000000));

		while (len > 1 && len < sizeof(fraction) && fraction[len - 1] == '0')
			fraction[--len] = '\0';
	}
	snprintf(out, TIME_TEXT_SIZE, "%04lld-%02d-%02dT%02d:%02d:%02d%sZ", (long long)year, month,
		 day, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60), fraction);
}

/* n digits as a number; -1 when they are not. */
static int digits(const char **p, int n)
{
	int value = 0;

	for (; n > 0; n--, ++*p) {
		if (**p < '0' || **p > '9')
			return -1;
		value = value * 10 + (**p - '0');
	}
	return value;
}

static bool skip_char(const char **p, const char *allowed)
{
	if (!**p || !strchr(allowed, **p))
		return false;
	++*p;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static bool parse_date(const char **p, int64_t *sec)
{
	int year, month, day;

	if ((year = digits(p, 4)) < 0 || !skip_char(p, "-") || (month = digits(p, 2)) < 1 ||
	    month > 12 || !skip_char(p, "-") || (day = digits(p, 2)) < 1 ||
	    day > days_in_month(year, month))
		return false;
	*sec = days_from_date(year, month, day) * 86400;
	return true;
}

static bool parse_clock(const char **p, int64_t *sec)
{
	int hour, minute, second;

	if ((hour = digits(p, 2)) < 0 || hour > 23 || !skip_char(p, ":") ||
	    (minute = digits(p, 2)) < 0 || minute > 59 || !skip_char(p, ":") ||
	    (second = digits(p, 2)) < 0 || second > 59)
		return false;
	*sec += hour * 3600l + minute * 60l + second;
	if (skip_char(p, ".")) {
		if (digits(p, 1) < 0)
			return false;
		*p += strspn(*p, "0123456789");
	}
	return true;
}

static bool parse_zone(const char **p, int64_t *sec)
{
	bool east = **p == '+';
	int hour, minute;

	if (skip_char(p, "Zz"))
		return true;
	if (!skip_char(p, "+-") || (hour = digits(p, 2)) < 0 || hour > 23 || !skip_char(p, ":") ||
	    (minute = digits(p, 2)) < 0 || minute > 59)
		return false;
	*sec -= (east ? 1 : -1) * (hour * 3600l + minute * 60l);
	return true;
}

int time_parse(const char *text, int64_t *sec, struct error *err)
{
	const char *p = text;
	int64_t value = 0;

	if (!parse_date(&p, &value) || !skip_char(&p, "Tt") || !parse_clock(&p, &value) ||
	    !parse_zone(&p, &value) || *p)
		return error_set(err, ERROR_SYNTAX,
				 "\"%s\" is no time: write it like 2026-11-22T10:00:00Z", text);
	*sec = value;
	return 0;
}

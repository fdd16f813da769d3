/* Durations as Go's time.ParseDuration reads and Duration.String writes them. */
#include "base/time.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define MICROSECOND 1000ull
#define MILLISECOND 1000000ull
#define SECOND      1000000000ull
#define MINUTE      (60 * SECOND)
#define HOUR        (60 * MINUTE)
#define TOO_MUCH    (1ull << 63) /* only the most negative duration is this large */

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	{"ns", 1},
	{"us", MICROSECOND},
	{"\xc2\xb5s", MICROSECOND}, /* U+00B5, micro sign */
	{"\xce\xbcs", MICROSECOND}, /* U+03BC, Greek letter mu */
	{"ms", MILLISECOND},
	{"s", SECOND},
	{"m", MINUTE},
	{"h", HOUR},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The digits before the point; false beyond 2^63. */
static bool parse_whole(const char **p, uint64_t *value)
{
	for (*value = 0; is_digit(**p); ++*p) {
		if (*value > TOO_MUCH / 10)
			return false;
		*value = *value * 10 + (uint64_t)(**p - '0');
		if (*value > TOO_MUCH)
			return false;
	}
	return true;
}

/* The digits behind the point; those beyond the precision are skipped. */
static void parse_fraction(const char **p, uint64_t *value, double *scale)
{
	bool full = false;

	*value = 0;
	for (*scale = 1; is_digit(**p); ++*p) {
		uint64_t next;

		if (full || *value > (TOO_MUCH - 1) / 10) {
			full = true;
			continue;
		}
		next = *value * 10 + (uint64_t)(**p - '0');
		if (next > TOO_MUCH) {
			full = true;
			continue;
		}
		*value = next;
		*scale *= 10;
	}
}

static const struct unit *parse_unit(const char **p)
{
	size_t len = strcspn(*p, ".0123456789");

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strlen(units[i].name) == len && memcmp(units[i].name, *p, len) == 0) {
			*p += len;
			return &units[i];
		}
	}
	return NULL;
}

/* A number and its unit, added to *sum. */
static bool parse_part(const char **p, uint64_t *sum)
{
	const char *start = *p;
	const struct unit *unit;
	uint64_t whole, fraction = 0;
	double scale = 1;
	bool any;

	if (!parse_whole(p, &whole))
		return false;
	any = *p != start;
	if (**p == '.') {
		++*p;
		start = *p;
		parse_fraction(p, &fraction, &scale);
		any = any || *p != start;
	}
	if (!any || !(unit = parse_unit(p)) || whole > TOO_MUCH / unit->ns)
		return false;
	whole *= unit->ns;
	if (fraction)
		whole += (uint64_t)((double)fraction * ((double)unit->ns / scale));
	if (whole > TOO_MUCH)
		return false;
	*sum += whole;
	return *sum <= TOO_MUCH;
}

static bool parse_duration(const char *p, int64_t *ns)
{
	bool negative = *p == '-';
	uint64_t sum = 0;

	if (*p == '-' || *p == '+')
		p++;
	if (strcmp(p, "0") == 0) {
		*ns = 0;
		return true;
	}
	if (!*p)
		return false;
	while (*p)
		if (!parse_part(&p, &sum))
			return false;
	if (!negative && sum == TOO_MUCH)
		return false;
	*ns = negative ? (int64_t)(0 - sum) : (int64_t)sum;
	return true;
}

int time_parse_duration(const char *text, int64_t *ns, struct error *err)
{
	if (parse_duration(text, ns))
		return 0;
	return error_set(err, ERROR_SYNTAX,
			 "\"%s\" is no duration: write numbers with units (ns, us, ms, s, m, h), "
			 "like 1m30s or 1.5s, within 292 years",
			 text);
}

/* value / 10^digits without trailing zeros behind the point. */
static void format_decimal(uint64_t value, int n_digits, char out[32])
{
	uint64_t power = 1;
	size_t len;

	for (int i = 0; i < n_digits; i++)
		power *= 10;
	if (value % power == 0) {
		snprintf(out, 32, "%llu", (unsigned long long)(value / power));
		return;
	}
	len = (size_t)snprintf(out, 32, "%llu.%0*llu", (unsigned long long)(value / power),
			       n_digits, (unsigned long long)(value % power));
	while (out[len - 1] == '0')
		out[--len] = '\0';
}

void time_format_duration(int64_t ns, char out[TIME_TEXT_SIZE])
{
	uint64_t value = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	const char *sign = ns < 0 ? "-" : "";
	unsigned long long hours = value / HOUR, minutes = value % HOUR / MINUTE;
	char number[32];

	if (value == 0) {
		snprintf(out, TIME_TEXT_SIZE, "0s");
	} else if (value < SECOND) {
		int n_digits = value < MICROSECOND ? 0 : value < MILLISECOND ? 3 : 6;
		const char *unit = n_digits == 0 ? "ns" : n_digits == 3 ? "\xc2\xb5s" : "ms";

		format_decimal(value, n_digits, number);
		snprintf(out, TIME_TEXT_SIZE, "%s%s%s", sign, number, unit);
	} else {
		int len = snprintf(out, TIME_TEXT_SIZE, "%s", sign);

		if (hours)
			len += snprintf(out + len, TIME_TEXT_SIZE - (size_t)len, "%lluh", hours);
		if (hours || minutes)
			len += snprintf(out + len, TIME_TEXT_SIZE - (size_t)len, "%llum", minutes);
		format_decimal(value % MINUTE, 9, number);
		snprintf(out + len, TIME_TEXT_SIZE - (size_t)len, "%ss", number);
	}
}

/* The words of docker's HumanDuration. */
void time_format_ago(int64_t seconds, char out[TIME_TEXT_SIZE])
{
	const int64_t s = seconds;
	const int64_t hours = (s + 1800) / 3600; /* rounded */

	if (s < 1)
		snprintf(out, TIME_TEXT_SIZE, "Less than a second ago");
	else if (s == 1)
		snprintf(out, TIME_TEXT_SIZE, "1 second ago");
	else if (s < 60)
		snprintf(out, TIME_TEXT_SIZE, "%d seconds ago", (int)s);
	else if (s < 120)
		snprintf(out, TIME_TEXT_SIZE, "About a minute ago");
	else if (s < 3600)
		snprintf(out, TIME_TEXT_SIZE, "%d minutes ago", (int)(s / 60));
	else if (hours == 1)
		snprintf(out, TIME_TEXT_SIZE, "About an hour ago");
	else if (hours < 48)
		snprintf(out, TIME_TEXT_SIZE, "%d hours ago", (int)hours);
	else if (hours < 24l * 7 * 2)
		snprintf(out, TIME_TEXT_SIZE, "%d days ago", (int)(hours / 24));
	else if (hours < 24l * 30 * 2)
		snprintf(out, TIME_TEXT_SIZE, "%d weeks ago", (int)(hours / 24 / 7));
	else if (hours < 24l * 365 * 2)
		snprintf(out, TIME_TEXT_SIZE, "%d months ago", (int)(hours / 24 / 30));
	else
		snprintf(out, TIME_TEXT_SIZE, "%lld years ago", (long long)(s / 3600 / 24 / 365));
}

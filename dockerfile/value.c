#include "dockerfile/value.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

bool value_bool(bool *out, const char *text)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*out = strcmp(text, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

bool value_number(uint64_t *out, const char *text, int base, uint64_t max)
{
	uint64_t n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned digit = (unsigned)(*text - '0');

		if (*text < '0' || digit >= (unsigned)base)
			return false;
		if (n > (max - digit) / (unsigned)base)
			return false;
		n = n * (unsigned)base + digit;
	}
	*out = n;
	return true;
}

/* The power of 1024 that a suffix such as "m", "MB" or "MiB" stands for; -1: no suffix. */
static int size_power(const char *suffix)
{
	static const char letters[] = "bkmgtp";
	const char *found;

	while (*suffix == ' ')
		suffix++;
	if (!*suffix)
		return 0;
	found = strchr(letters, tolower((unsigned char)*suffix));
	if (!found)
		return -1;
	if (suffix[1] == '\0' || (found != letters && (strcasecmp(suffix + 1, "b") == 0 ||
						       strcasecmp(suffix + 1, "ib") == 0)))
		return (int)(found - letters);
	return -1;
}

int value_size(int64_t *out, const char *text, struct error *err)
{
	size_t digits = strspn(text, "0123456789");
	char *end;
	double n;
	int power;

	if (text[digits] == '.')
		digits += 1 + strspn(text + digits + 1, "0123456789");
	power = size_power(text + digits);
	if (digits == 0 || !isdigit((unsigned char)text[0]) || power < 0)
		return error_set(err, ERROR_SYNTAX,
				 "invalid size \"%s\": a number with b, k, m, g or t is expected",
				 text);
	n = ldexp(strtod(text, &end), 10 * power);
	if (!(n >= 1) || n >= 9.2e18)
		return error_set(err, ERROR_SYNTAX, "size \"%s\" is out of range", text);
	*out = (int64_t)n;
	return 0;
}

static const char *const signal_names[] = {
	"",     "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
	"SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
	"TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS",
};

static bool signal_name_known(const char *name)
{
	static const char *const aliases[] = {"CLD", "IOT", "POLL", "RTMIN", "RTMAX"};
	uint64_t n;
	size_t i;

	for (i = 1; i < ARRAY_SIZE(signal_names); i++)
		if (strcasecmp(name, signal_names[i]) == 0)
			return true;
	for (i = 0; i < ARRAY_SIZE(aliases); i++)
		if (strcasecmp(name, aliases[i]) == 0)
			return true;
	if (strncasecmp(name, "RTMIN+", 6) == 0)
		return value_number(&n, name + 6, 10, 15) && n >= 1;
	if (strncasecmp(name, "RTMAX-", 6) == 0)
		return value_number(&n, name + 6, 10, 14) && n >= 1;
	return false;
}

int value_signal(const char *text, struct error *err)
{
	uint64_t n;

	if (value_number(&n, text, 10, 64) && n >= 1)
		return 0;
	if (signal_name_known(strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text))
		return 0;
	return error_set(err, ERROR_SYNTAX,
			 "invalid signal: %s (a name such as SIGTERM or a number from 1 to 64 is "
			 "expected)",
			 text);
}

#include "server/range.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define LARGEST (INT64_MAX / 16)

/* A decimal number, at most LARGEST: larger ones count as that. NULL when there is none. */
static const char *number(const char *s, int64_t *out)
{
	int64_t n = 0;

	if (!isdigit((unsigned char)*s))
		return NULL;
	for (; isdigit((unsigned char)*s); s++)
		n = n > LARGEST / 10 ? LARGEST : n * 10 + (*s - '0');
	*out = n;
	return s;
}

static const char *skip_space(const char *s)
{
	return s + strspn(s, " \t");
}

static enum range_answer suffix(const char *s, int64_t size, int64_t *first, int64_t *last)
{
	int64_t n;

	s = number(s, &n);
	if (!s || *skip_space(s))
		return RANGE_WHOLE;
	if (n == 0 || size == 0)
		return RANGE_OUTSIDE;
	*first = n < size ? size - n : 0;
	*last = size - 1;
	return RANGE_PART;
}

enum range_answer range_parse(const char *text, int64_t size, int64_t *first, int64_t *last)
{
	int64_t from, to = LARGEST;
	const char *s;

	if (!text || strncasecmp(text, "bytes=", 6) != 0)
		return RANGE_WHOLE;
	s = skip_space(text + 6);
	if (*s == '-')
		return suffix(s + 1, size, first, last);
	s = number(s, &from);
	if (!s || *s != '-')
		return RANGE_WHOLE;
	s++;
	if (isdigit((unsigned char)*s))
		s = number(s, &to);
	if (*skip_space(s))
		return RANGE_WHOLE;
	if (from >= size || to < from)
		return RANGE_OUTSIDE;
	*first = from;
	*last = to < size ? to : size - 1;
	return RANGE_PART;
}

bool range_parse_content(const char *text, int64_t *first, int64_t *last)
{
	const char *s = skip_space(text);
	int64_t total = LARGEST;

	if (strncasecmp(s, "bytes", 5) == 0)
		s = skip_space(s + 5 + (s[5] == '='));
	s = number(s, first);
	if (!s || *s != '-')
		return false;
	s = number(s + 1, last);
	if (!s)
		return false;
	if (*s == '/')
		s = s[1] == '*' ? s + 2 : number(s + 1, &total);
	return s && !*skip_space(s) && *first <= *last && *last < total;
}

#include "sandbox/subid.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define ID_LIMIT   4294967295ul /* (uid_t)-1 means "no change" and is nobody's */
#define MAX_RANGES 339          /* lines the kernel takes in one map, less our own */

static bool parse_number(const char *s, size_t len, unsigned long *out)
{
	unsigned long v = 0;

	if (len == 0 || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (unsigned long)(s[i] - '0');
	}
	*out = v;
	return v <= ID_LIMIT;
}

static bool is_user(const char *field, size_t len, const char *name, uid_t uid)
{
	unsigned long number;

	if (name && strlen(name) == len && memcmp(name, field, len) == 0)
		return true;
	return parse_number(field, len, &number) && number == uid;
}

static bool overlaps(const struct subid_ranges *r, const struct subid_range *with)
{
	for (size_t i = 0; i < r->n; i++)
		if (with->start < r->items[i].start + r->items[i].count &&
		    r->items[i].start < with->start + with->count)
			return true;
	return false;
}

static void add_range(struct subid_ranges *r, struct subid_range range)
{
	if (range.count == 0 || range.start == 0 || range.start + range.count > ID_LIMIT ||
	    r->n >= MAX_RANGES || overlaps(r, &range))
		return;
	GROW(r->items, r->n + 1, r->cap);
	r->items[r->n++] = range;
	r->total += range.count;
}

void subid_parse(struct subid_ranges *r, const char *text, const char *name, uid_t uid)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		const char *first = memchr(text, ':', len);
		const char *second = first ? memchr(first + 1, ':',
						    len - (size_t)(first + 1 - text))
					   : NULL;
		struct subid_range range;

		if (second && is_user(text, (size_t)(first - text), name, uid) &&
		    parse_number(first + 1, (size_t)(second - first - 1), &range.start) &&
		    parse_number(second + 1, len - (size_t)(second + 1 - text), &range.count))
			add_range(r, range);
		text += len + (text[len] == '\n');
	}
}

void subid_ranges_release(struct subid_ranges *r)
{
	free(r->items);
	memset(r, 0, sizeof(*r));
}

char *passwd_name_of(const char *text, uid_t uid)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		const char *end = text + len;
		const char *password = memchr(text, ':', len);
		const char *id = password ? memchr(password + 1, ':', (size_t)(end - password - 1))
					  : NULL;
		const char *after = id ? memchr(id + 1, ':', (size_t)(end - id - 1)) : NULL;
		unsigned long number;

		if (after && parse_number(id + 1, (size_t)(after - id - 1), &number) &&
		    number == uid)
			return xstrndup(text, (size_t)(password - text));
		text += len + (text[len] == '\n');
	}
	return NULL;
}

void subid_map(const struct subid_ranges *r, unsigned long own, struct strlist *out)
{
	unsigned long inside = 1;

	strlist_addf(out, "0");
	strlist_addf(out, "%lu", own);
	strlist_addf(out, "1");
	for (size_t i = 0; i < r->n; i++) {
		strlist_addf(out, "%lu", inside);
		strlist_addf(out, "%lu", r->items[i].start);
		strlist_addf(out, "%lu", r->items[i].count);
		inside += r->items[i].count;
	}
}

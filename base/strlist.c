#include "base/strlist.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void strlist_release(struct strlist *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
}

void strlist_clear(struct strlist *l)
{
	strlist_release(l);
	*l = (struct strlist)STRLIST_INIT;
}

/* Makes room for one more item and the NULL behind it. */
static void strlist_grow(struct strlist *l)
{
	GROW(l->items, l->n + 2, l->cap);
}

void strlist_take(struct strlist *l, char *s)
{
	strlist_grow(l);
	l->items[l->n++] = s;
	l->items[l->n] = NULL;
}

void strlist_add(struct strlist *l, const char *s)
{
	strlist_take(l, xstrdup(s));
}

void strlist_addn(struct strlist *l, const char *s, size_t n)
{
	strlist_take(l, xstrndup(s, n));
}

void strlist_addf(struct strlist *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strlist_take(l, xstrvfmt(fmt, ap));
	va_end(ap);
}

void strlist_insert(struct strlist *l, size_t at, const char *s)
{
	char *copy = xstrdup(s);

	if (at > l->n)
		at = l->n;
	strlist_grow(l);
	if (at < l->n)
		memmove(l->items + at + 1, l->items + at, (l->n - at) * sizeof(*l->items));
	l->items[at] = copy;
	l->items[++l->n] = NULL;
}

void strlist_remove(struct strlist *l, size_t at)
{
	if (at >= l->n)
		return;
	free(l->items[at]);
	memmove(l->items + at, l->items + at + 1, (l->n - at) * sizeof(*l->items));
	l->n--;
}

void strlist_copy(struct strlist *dst, const struct strlist *src)
{
	size_t n = src->n; /* dst may be src */

	for (size_t i = 0; i < n; i++)
		strlist_add(dst, src->items[i]);
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strlist_sort(struct strlist *l)
{
	if (l->n > 1)
		qsort(l->items, l->n, sizeof(*l->items), compare_items);
}

bool strlist_has(const struct strlist *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i], s) == 0)
			return true;
	return false;
}

bool strlist_equal(const struct strlist *a, const struct strlist *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

void strlist_split(struct strlist *l, const char *s, char sep)
{
	const char *end;

	while ((end = strchr(s, sep)) && *end) {
		strlist_addn(l, s, (size_t)(end - s));
		s = end + 1;
	}
	strlist_add(l, s);
}

char *strlist_join(const struct strlist *l, const char *sep)
{
	size_t sep_len = strlen(sep), len = 1;
	char *joined, *p;

	for (size_t i = 0; i < l->n; i++)
		len += strlen(l->items[i]) + sep_len;
	p = joined = xmalloc(len);
	for (size_t i = 0; i < l->n; i++) {
		if (i)
			p = mempcpy(p, sep, sep_len);
		p = mempcpy(p, l->items[i], strlen(l->items[i]));
	}
	*p = '\0';
	return joined;
}

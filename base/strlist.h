/* A growing list of owned strings; items[n] is always NULL once something was added, so it can be an argv. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct strlist {
	char **items;
	size_t n, cap;
};

#define STRLIST_INIT \
	{            \
		0    \
	}

void strlist_release(struct strlist *l);
void strlist_clear(struct strlist *l);
void strlist_add(struct strlist *l, const char *s);
void strlist_addn(struct strlist *l, const char *s, size_t n);
void strlist_addf(struct strlist *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strlist_take(struct strlist *l, char *s); /* takes ownership of s */
void strlist_insert(struct strlist *l, size_t at, const char *s);
void strlist_remove(struct strlist *l, size_t at);
void strlist_copy(struct strlist *dst, const struct strlist *src); /* appends copies */
void strlist_sort(struct strlist *l);                              /* by bytes */
bool strlist_has(const struct strlist *l, const char *s);
bool strlist_equal(const struct strlist *a, const struct strlist *b);
/* Splits at each occurrence of sep; "" gives one empty item. */
void strlist_split(struct strlist *l, const char *s, char sep);
char *strlist_join(const struct strlist *l, const char *sep); /* free() */

CLEANUP_RELEASE(strlist)

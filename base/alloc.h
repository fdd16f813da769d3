/*
 * Allocation that never returns NULL: out of memory prints one line and
 * aborts. Sizes that come from outside are checked against base/limits.h first.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
/* n * size, aborting on overflow. */
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
/* NULL gives NULL. */
char *xstrdup_null(const char *s);
char *xstrndup(const char *s, size_t n);
void *xmemdup(const void *p, size_t size);
char *xstrfmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xstrvfmt(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
/* Overwrites secrets before they are freed; never optimised away. NULL is allowed. */
void wipe(void *p, size_t size);
void wipe_free(char *s);

/* Grows array p (capacity *cap elements) so that it holds n elements. */
#define GROW(p, n, cap)                                                \
	do {                                                           \
		if ((n) > (cap)) {                                     \
			(cap) = (cap)*2 > (n) ? (cap)*2 : (n) + 8;     \
			(p) = xreallocarray((p), (cap), sizeof(*(p))); \
		}                                                      \
	} while (0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/*
 * A growing byte string, always NUL-terminated (buf is never NULL, len excludes
 * the NUL, bytes may contain NUL). With a limit, an append that would pass it
 * adds nothing and sets overflow: check once at the end.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct strbuf {
	char *buf;
	size_t len, cap;
	size_t limit; /* 0: none */
	bool overflow;
};

extern char strbuf_empty[1];
#define STRBUF_INIT                 \
	{                           \
		.buf = strbuf_empty \
	}
#define STRBUF_LIMIT(n)                           \
	{                                         \
		.buf = strbuf_empty, .limit = (n) \
	}

void strbuf_init(struct strbuf *sb);
void strbuf_release(struct strbuf *sb);
/* Empties, keeps the allocation and the limit. */
void strbuf_reset(struct strbuf *sb);
/* Gives the string away (free()); sb is empty again. */
char *strbuf_detach(struct strbuf *sb, size_t *len);
void strbuf_grow(struct strbuf *sb, size_t extra);
void strbuf_truncate(struct strbuf *sb, size_t len);
void strbuf_add(struct strbuf *sb, const void *data, size_t len);
void strbuf_puts(struct strbuf *sb, const char *s);
void strbuf_putc(struct strbuf *sb, char c);
void strbuf_printf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vprintf(struct strbuf *sb, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
void strbuf_insert(struct strbuf *sb, size_t at, const void *data, size_t len);
void strbuf_remove(struct strbuf *sb, size_t at, size_t len);
void strbuf_trim(struct strbuf *sb); /* white space at both ends */

bool str_starts(const char *s, const char *prefix);
/* Whether s is one of the n texts. */
bool str_in(const char *s, const char *const *list, size_t n);
bool str_ends(const char *s, const char *suffix);
/* Appends s with control characters (C0, DEL, C1, ESC) shown as \xNN; newline and tab kept when keep_lines. */
void strbuf_add_printable(struct strbuf *sb, const char *s, size_t len, bool keep_lines);
/* "1.5kB" as docker prints sizes: powers of 1000, up to four digits. */
void strbuf_add_size(struct strbuf *sb, int64_t bytes);

CLEANUP_RELEASE(strbuf)

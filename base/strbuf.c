#include "base/strbuf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

char strbuf_empty[1];

void strbuf_init(struct strbuf *sb)
{
	*sb = (struct strbuf)STRBUF_INIT;
}

void strbuf_release(struct strbuf *sb)
{
	if (sb && sb->cap)
		free(sb->buf);
}

void strbuf_reset(struct strbuf *sb)
{
	sb->overflow = false;
	/* Covers a zeroed struct, which has no buf yet. */
	if (!sb->cap) {
		sb->buf = strbuf_empty;
		sb->len = 0;
		return;
	}
	strbuf_truncate(sb, 0);
}

char *strbuf_detach(struct strbuf *sb, size_t *len)
{
	char *s = sb->cap ? sb->buf : xstrdup("");

	if (len)
		*len = sb->len;
	sb->buf = strbuf_empty;
	sb->len = sb->cap = 0;
	sb->overflow = false;
	return s;
}

void strbuf_grow(struct strbuf *sb, size_t extra)
{
	size_t need, cap;

	if (__builtin_add_overflow(sb->len, extra, &need) || __builtin_add_overflow(need, 1, &need))
		need = SIZE_MAX;
	if (need <= sb->cap)
		return;
	cap = sb->cap ? sb->cap : 32;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (sb->cap) {
		sb->buf = xrealloc(sb->buf, cap);
	} else {
		sb->buf = xmalloc(cap);
		sb->buf[0] = '\0';
	}
	sb->cap = cap;
}

void strbuf_truncate(struct strbuf *sb, size_t len)
{
	if (!sb->cap || len > sb->len)
		return;
	sb->len = len;
	sb->buf[len] = '\0';
}

/* False, with the overflow flag set, when len more bytes would pass the limit. */
static bool strbuf_fits(struct strbuf *sb, size_t len)
{
	if (sb->limit && (sb->len > sb->limit || len > sb->limit - sb->len)) {
		sb->overflow = true;
		return false;
	}
	return true;
}

void strbuf_add(struct strbuf *sb, const void *data, size_t len)
{
	if (!len || !strbuf_fits(sb, len))
		return;
	strbuf_grow(sb, len);
	memcpy(sb->buf + sb->len, data, len);
	sb->len += len;
	sb->buf[sb->len] = '\0';
}

void strbuf_puts(struct strbuf *sb, const char *s)
{
	strbuf_add(sb, s, strlen(s));
}

void strbuf_putc(struct strbuf *sb, char c)
{
	strbuf_add(sb, &c, 1);
}

void strbuf_vprintf(struct strbuf *sb, const char *fmt, va_list ap)
{
	char small[256];
	va_list again;
	int n;

	va_copy(again, ap);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_copy is not understood */
	n = vsnprintf(small, sizeof(small), fmt, again);
	va_end(again);
	if (n >= 0 && (size_t)n < sizeof(small)) {
		strbuf_add(sb, small, (size_t)n);
	} else {
		AUTO_FREE char *text = xstrvfmt(fmt, ap);

		strbuf_puts(sb, text);
	}
}

void strbuf_printf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(sb, fmt, ap);
	va_end(ap);
}

void strbuf_insert(struct strbuf *sb, size_t at, const void *data, size_t len)
{
	if (!len || at > sb->len || !strbuf_fits(sb, len))
		return;
	strbuf_grow(sb, len);
	memmove(sb->buf + at + len, sb->buf + at, sb->len - at + 1);
	memcpy(sb->buf + at, data, len);
	sb->len += len;
}

void strbuf_remove(struct strbuf *sb, size_t at, size_t len)
{
	if (at >= sb->len)
		return;
	if (len > sb->len - at)
		len = sb->len - at;
	memmove(sb->buf + at, sb->buf + at + len, sb->len - at - len + 1);
	sb->len -= len;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

void strbuf_trim(struct strbuf *sb)
{
	size_t start = 0, end = sb->len;

	while (end && is_space(sb->buf[end - 1]))
		end--;
	strbuf_truncate(sb, end);
	while (start < end && is_space(sb->buf[start]))
		start++;
	strbuf_remove(sb, 0, start);
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_in(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s, list[i]) == 0)
			return true;
	return false;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

/* Is it a control character: C0, DEL or C1 (U+0080 to U+009F)? */
static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

void strbuf_add_printable(struct strbuf *sb, const char *s, size_t len, bool keep_lines)
{
	size_t i = 0;

	while (i < len) {
		uint32_t code = 0;
		size_t n = utf8_decode(s + i, len - i, &code);
		bool kept = keep_lines && (s[i] == '\n' || s[i] == '\t');

		if (n && (kept || !is_control(code))) {
			strbuf_add(sb, s + i, n);
			i += n;
			continue;
		}
		/* A byte that is not UTF-8, or each byte of a control character. */
		for (size_t end = i + (n ? n : 1); i < end; i++)
			strbuf_printf(sb, "\\x%02x", (unsigned char)s[i]);
	}
}

void strbuf_add_size(struct strbuf *sb, int64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1000.0 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000.0;
		unit++;
	}
	/* four significant digits without trailing zeros, as docker's go-units */
	strbuf_printf(sb, "%.4g%s", value, units[unit]);
}

#include "local/log_pattern.h"

#include <string.h>

#include "base/strbuf.h"

#define SPACE " \t\r\n"
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

void log_pattern_release(struct log_pattern *p)
{
	strlist_release(&p->all);
	strlist_release(&p->none);
	strlist_release(&p->any);
}

/* "phrase \"with\" escapes": *text is moved behind it. */
static int read_phrase(const char **text, struct strbuf *out, struct error *err)
{
	const char *s = *text + 1;

	for (; *s && *s != '"'; s++) {
		if (*s == '\\' && (s[1] == '"' || s[1] == '\\'))
			s++;
		strbuf_putc(out, *s);
	}
	if (!*s)
		return error_set(err, ERROR_SYNTAX, "Invalid filter pattern: a quote has no end");
	*text = s + 1;
	return 0;
}

static int read_term(const char **text, struct strbuf *out, struct error *err)
{
	size_t len = strcspn(*text, SPACE);

	if (**text == '"')
		return read_phrase(text, out, err);
	if (len == 0 || strspn(*text, PLAIN) < len)
		return error_set(err, ERROR_SYNTAX,
				 "Invalid character(s) in term '%.*s': what is more than letters, "
				 "digits and _ stands in double quotes",
				 (int)(len > 100 ? 100 : len), *text);
	strbuf_add(out, *text, len);
	*text += len;
	return 0;
}

static int read_terms(struct log_pattern *out, const char *text, struct error *err)
{
	for (text += strspn(text, SPACE); *text; text += strspn(text, SPACE)) {
		struct strlist *to = *text == '-'   ? &out->none
				     : *text == '?' ? &out->any
						    : &out->all;
		AUTO(strbuf) term = STRBUF_INIT;

		text += to != &out->all;
		if (read_term(&text, &term, err) < 0)
			return -1;
		if (*text && !strchr(SPACE, *text))
			return error_set(
				err, ERROR_SYNTAX,
				"Invalid filter pattern: a space is missing before '%.40s'", text);
		strlist_add(to, term.buf);
	}
	return 0;
}

int log_pattern_parse(struct log_pattern *out, const char *text, struct error *err)
{
	if (!text)
		return 0;
	text += strspn(text, SPACE);
	if (*text == '{' || *text == '[' || *text == '%')
		return error_set(
			err, ERROR_UNSUPPORTED,
			"Invalid filter pattern: the local target knows patterns of words, "
			"\"phrases\", ?either and -not; it does not know %s",
			*text == '{'   ? "those of JSON fields"
			: *text == '[' ? "those of columns"
				       : "regular expressions");
	if (read_terms(out, text, err) < 0)
		return -1;
	if (out->all.n || out->none.n)
		strlist_clear(&out->any);
	return 0;
}

static bool has(const char *text, size_t len, const char *term)
{
	return memmem(text, len, term, strlen(term)) != NULL;
}

bool log_pattern_fits(const struct log_pattern *p, const char *text, size_t len)
{
	for (size_t i = 0; i < p->all.n; i++)
		if (!has(text, len, p->all.items[i]))
			return false;
	for (size_t i = 0; i < p->none.n; i++)
		if (has(text, len, p->none.items[i]))
			return false;
	for (size_t i = 0; i < p->any.n; i++)
		if (has(text, len, p->any.items[i]))
			return true;
	return p->any.n == 0;
}

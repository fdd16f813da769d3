#include "dockerfile/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/typo.h"
#include "base/strbuf.h"

void words_release(struct words *w)
{
	size_t i;

	if (!w)
		return;
	for (i = 0; i < w->n; i++)
		free(w->items[i].text);
	free(w->items);
	memset(w, 0, sizeof(*w));
}

void words_add(struct words *w, const char *text, size_t len, size_t at)
{
	GROW(w->items, w->n + 1, w->cap);
	w->items[w->n].text = xstrndup(text, len);
	w->items[w->n].at = at;
	w->n++;
}

bool word_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r' || c == '\n';
}

void words_split(struct words *out, const char *text)
{
	size_t at = 0;

	for (;;) {
		size_t start;

		while (word_is_blank(text[at]))
			at++;
		if (!text[at])
			return;
		start = at;
		while (text[at] && !word_is_blank(text[at]))
			at++;
		words_add(out, text + start, at - start, start);
	}
}

/*
 * The end of the word that begins at text[at]: blanks inside quotes and behind
 * the escape character belong to it. In single quotes nothing is escaped.
 */
static size_t quoted_end(const char *text, size_t at, char escape)
{
	char quote = '\0';

	for (; text[at]; at++) {
		char c = text[at];

		if (c == escape && quote != '\'') {
			if (!text[at + 1])
				return at;
			at++;
		} else if (quote) {
			if (c == quote)
				quote = '\0';
		} else if (c == '\'' || c == '"') {
			quote = c;
		} else if (word_is_blank(c)) {
			break;
		}
	}
	return at;
}

void words_split_quoted(struct words *out, const char *text, char escape)
{
	size_t at = 0;

	for (;;) {
		size_t start;

		while (word_is_blank(text[at]))
			at++;
		if (!text[at])
			return;
		start = at;
		at = quoted_end(text, at, escape);
		if (at > start)
			words_add(out, text + start, at - start, start);
		if (text[at] == escape)
			return; /* an escape character that ends the text is dropped */
	}
}

/* One flag without its quotes and escapes; *at moves behind it. Quotes may make it empty. */
static void unquote_flag(struct strbuf *out, const char *text, size_t *at, char escape)
{
	char quote = '\0';

	for (; text[*at]; (*at)++) {
		char c = text[*at];

		if (!quote && word_is_blank(c))
			return;
		if (quote && c == quote) {
			quote = '\0';
		} else if (!quote && (c == '\'' || c == '"')) {
			quote = c;
		} else if (c == escape) {
			if (!text[*at + 1])
				continue;
			(*at)++;
			strbuf_putc(out, text[*at]);
		} else {
			strbuf_putc(out, c);
		}
	}
}

void words_flags(struct words *out, const char *text, char escape, size_t *rest)
{
	AUTO(strbuf) flag = STRBUF_INIT;
	size_t at = 0;

	for (;;) {
		size_t start;

		while (word_is_blank(text[at]))
			at++;
		*rest = at;
		if (text[at] != '-' || text[at + 1] != '-')
			return;
		start = at;
		strbuf_reset(&flag);
		unquote_flag(&flag, text, &at, escape);
		if (strcmp(flag.buf, "--") == 0) {
			while (word_is_blank(text[at]))
				at++;
			*rest = at;
			return;
		}
		words_add(out, flag.buf, flag.len, start);
	}
}

/*
 * A field of a CSV record that begins with a quote, at *at behind it; *at moves
 * behind the closing quote.
 */
static int csv_quoted(struct strbuf *out, const char *text, size_t *at, struct error *err)
{
	for (;;) {
		char c = text[*at];

		if (!c)
			return error_set(err, ERROR_SYNTAX, "unterminated quote in \"%s\"", text);
		(*at)++;
		if (c != '"') {
			strbuf_putc(out, c);
			continue;
		}
		if (text[*at] == '"') {
			strbuf_putc(out, '"');
			(*at)++;
			continue;
		}
		if (text[*at] && text[*at] != ',')
			return error_set(err, ERROR_SYNTAX,
					 "a quote inside a field in \"%s\": it may only enclose a "
					 "whole field",
					 text);
		return 0;
	}
}

static int csv_plain(struct strbuf *out, const char *text, size_t *at, struct error *err)
{
	size_t len = strcspn(text + *at, ",");

	if (memchr(text + *at, '"', len))
		return error_set(err, ERROR_SYNTAX, "a bare quote in \"%.*s\"", (int)len,
				 text + *at);
	strbuf_add(out, text + *at, len);
	*at += len;
	return 0;
}

int words_csv(struct words *out, const char *text, struct error *err)
{
	AUTO(strbuf) field = STRBUF_INIT;
	size_t at = 0;

	if (!*text)
		return error_set(err, ERROR_SYNTAX, "empty value");
	for (;;) {
		size_t start = at;

		strbuf_reset(&field);
		if (text[at] == '"') {
			at++;
			if (csv_quoted(&field, text, &at, err) < 0)
				return -1;
		} else if (csv_plain(&field, text, &at, err) < 0) {
			return -1;
		}
		words_add(out, field.buf, field.len, start);
		if (!text[at])
			return 0;
		at++;
	}
}

#define SUGGEST_DISTANCE 3

const char *word_suggest_near(const char *written, const char *const *choices, size_t n)
{
	const char *near = word_suggest(written, choices, n);

	return near && typo_distance(written, near) * 3 <= strlen(written) ? near : NULL;
}

const char *word_suggest(const char *written, const char *const *choices, size_t n)
{
	const char *match = NULL;
	size_t best = SUGGEST_DISTANCE, i;

	if (!*written)
		return NULL;
	for (i = 0; i < n; i++) {
		size_t distance = typo_distance(written, choices[i]);

		if (distance == 0)
			return strcmp(written, choices[i]) == 0 ? NULL : choices[i];
		if (distance < best) {
			best = distance;
			match = choices[i];
		}
	}
	return match;
}

/* Splitting without expansion: where the heredocs of a command line are. */
#include <string.h>

#include "dockerfile/expand.h"
#include "dockerfile/words.h"

struct line {
	const char *text;
	size_t at;
	bool raw;
	bool no_arithmetic; /* no "))" follows */
	struct strbuf word;
	struct strlist *words;
};

static void end_word(struct line *l)
{
	if (l->word.len > 0)
		strlist_addn(l->words, l->word.buf, l->word.len);
	strbuf_reset(&l->word);
}

static void keep(struct line *l, size_t n)
{
	strbuf_add(&l->word, l->text + l->at, n);
	l->at += n;
}

static int quoted(struct line *l)
{
	char quote = l->text[l->at];

	if (l->raw)
		strbuf_putc(&l->word, quote);
	for (l->at++; l->text[l->at] != quote; keep(l, 1)) {
		char c = l->text[l->at];
		char next = c ? l->text[l->at + 1] : '\0';

		if (!c)
			return -1;
		if (quote == '\'' || c != '\\')
			continue;
		if (!next)
			return -1;
		if (next == '"' || next == '$' || next == '\\') {
			if (l->raw)
				strbuf_putc(&l->word, c);
			l->at++;
		}
	}
	if (l->raw)
		strbuf_putc(&l->word, quote);
	l->at++;
	return 0;
}

/* "$((": shifts in there are no heredocs, and blanks do not end the word. */
static size_t arithmetic_length(struct line *l)
{
	const char *text = l->text + l->at;
	const char *end;

	if (l->no_arithmetic || strncmp(text, "$((", 3) != 0)
		return 0;
	end = strstr(text, "))");
	l->no_arithmetic = !end;
	return end ? (size_t)(end - text) + 2 : 0;
}

static int lex(struct line *l)
{
	for (;;) {
		char c = l->text[l->at];
		size_t arithmetic;

		if (!c)
			return 0;
		arithmetic = arithmetic_length(l);
		if (arithmetic) {
			keep(l, arithmetic);
		} else if (c == '\'' || c == '"') {
			if (quoted(l) < 0)
				return -1;
		} else if (c == '\\') {
			if (l->raw)
				strbuf_putc(&l->word, c);
			l->at++;
			if (l->text[l->at])
				keep(l, 1);
		} else if (c == '<' && l->text[l->at + 1] == '<') {
			keep(l, 2);
			while (word_is_blank(l->text[l->at]))
				keep(l, 1);
		} else if (word_is_blank(c)) {
			end_word(l);
			l->at++;
		} else {
			keep(l, 1);
		}
	}
}

int expand_lex(struct strlist *out, const char *text, bool raw)
{
	struct line l = {.text = text, .raw = raw, .word = STRBUF_INIT, .words = out};
	int r = lex(&l);

	if (r == 0)
		end_word(&l);
	strbuf_release(&l.word);
	return r;
}

#include "dockerfile/expand.h"

#include <ctype.h>
#include <string.h>

#include "base/limits.h"
#include "dockerfile/pattern.h"
#include "dockerfile/words.h"

#define EXPAND_DEPTH 100

struct lexer {
	const char *text;
	size_t at;
	const struct expand_scope *scope;
	struct error *err;
	char escape;
	bool quotes;      /* quotes are removed; else they are data */
	bool raw_escapes; /* escape characters stay in the result: a pattern reads them again */
	int depth;
};

/* Collects words while the result is made. Blanks that were quoted or escaped do not separate. */
struct splitter {
	struct strlist *words; /* NULL: nobody wants words */
	struct strbuf word;
};

static void split_end(struct splitter *s)
{
	if (s->word.len > 0)
		strlist_addn(s->words, s->word.buf, s->word.len);
	strbuf_reset(&s->word);
}

static void split_add(struct splitter *s, const char *text, size_t len, bool quoted)
{
	size_t i;

	if (!s || !s->words)
		return;
	for (i = 0; i < len; i++) {
		if (!quoted && word_is_blank(text[i]))
			split_end(s);
		else
			strbuf_putc(&s->word, text[i]);
	}
}

static int fail(struct lexer *lx, const char *message)
{
	return error_set(lx->err, ERROR_SYNTAX, "%s", message);
}

static int lex_dollar(struct lexer *lx, struct strbuf *out);

static int lex_single_quote(struct lexer *lx, bool pattern, struct strbuf *out)
{
	for (lx->at++; lx->text[lx->at]; lx->at++) {
		char c = lx->text[lx->at];

		if (c == '\'') {
			lx->at++;
			return 0;
		}
		if (pattern && c == lx->escape)
			strbuf_putc(out, c);
		strbuf_putc(out, c);
	}
	return fail(lx, "unexpected end of statement while looking for matching single-quote");
}

static int lex_double_quote(struct lexer *lx, struct strbuf *out)
{
	lx->at++;
	for (;;) {
		char c = lx->text[lx->at];

		if (!c)
			return fail(lx, "unexpected end of statement while looking for matching "
					"double-quote");
		if (c == '"') {
			lx->at++;
			return 0;
		}
		if (c == '$') {
			if (lex_dollar(lx, out) < 0)
				return -1;
			continue;
		}
		lx->at++;
		if (c == lx->escape) {
			char next = lx->text[lx->at];

			if (!next)
				continue;
			if (lx->raw_escapes)
				strbuf_putc(out, c);
			if (next == '"' || next == '$' || next == lx->escape) {
				c = next;
				lx->at++;
			}
		}
		strbuf_putc(out, c);
	}
}

/*
 * Everything up to stop, which is taken too, or up to the end when stop is
 * NUL. pattern: what is read will be read again as a pattern.
 */
static int lex_until(struct lexer *lx, char stop, bool pattern, struct strbuf *out,
		     struct splitter *split)
{
	for (;;) {
		char c = lx->text[lx->at];
		size_t before = out->len;

		if (!c) {
			if (!stop)
				return 0;
			return fail(lx, stop == '/' ? "syntax error: missing '/' in ${}"
						    : "syntax error: missing '}'");
		}
		if (stop && c == stop) {
			lx->at++;
			return 0;
		}
		if (c == '$') {
			if (lex_dollar(lx, out) < 0)
				return -1;
			split_add(split, out->buf + before, out->len - before, false);
		} else if (lx->quotes && (c == '\'' || c == '"')) {
			if ((c == '"' ? lex_double_quote(lx, out)
				      : lex_single_quote(lx, pattern, out)) < 0)
				return -1;
			split_add(split, out->buf + before, out->len - before, true);
		} else if (c == lx->escape) {
			lx->at++;
			if (lx->raw_escapes)
				strbuf_putc(out, c);
			if (lx->text[lx->at])
				strbuf_putc(out, lx->text[lx->at++]);
			split_add(split, out->buf + before, out->len - before, true);
		} else {
			strbuf_putc(out, c);
			lx->at++;
			split_add(split, &c, 1, false);
		}
	}
}

/* Appends the name at the reading point; a digit starts a number, a special parameter is one character. */
static void lex_name(struct lexer *lx, struct strbuf *name)
{
	unsigned char c = (unsigned char)lx->text[lx->at];

	if (isdigit(c)) {
		while (isdigit((unsigned char)lx->text[lx->at]))
			strbuf_putc(name, lx->text[lx->at++]);
		return;
	}
	if (c && strchr("@*#?-$!", c)) {
		strbuf_putc(name, lx->text[lx->at++]);
		return;
	}
	while (isalnum((unsigned char)lx->text[lx->at]) || lx->text[lx->at] == '_')
		strbuf_putc(name, lx->text[lx->at++]);
}

/* NULL when not set; told says whether the scope hears of that. */
static const char *lex_lookup(struct lexer *lx, const char *name, bool told)
{
	const char *value = lx->scope->lookup ? lx->scope->lookup(lx->scope->ctx, name) : NULL;

	if (!value && told && lx->scope->undefined)
		lx->scope->undefined(lx->scope->ctx, name);
	return value;
}

static int lex_nested(struct lexer *lx, char stop, bool raw, bool pattern, struct strbuf *out)
{
	bool saved = lx->raw_escapes;
	int r;

	lx->raw_escapes = raw;
	r = lex_until(lx, stop, pattern, out, NULL);
	lx->raw_escapes = saved;
	if (r == 0 && out->overflow)
		return fail(lx, "the expanded text is too long");
	return r;
}

/* Behind "${n-", "${n:+" and kin: the word and the choice. */
static int lex_default(struct lexer *lx, const char *name, char operator, bool empty_is_unset,
		       struct strbuf *out)
{
	AUTO(strbuf) word = STRBUF_LIMIT(LIMIT_EXPANDED_BYTES);
	const char *value;
	bool set;

	if (lex_nested(lx, '}', false, false, &word) < 0)
		return -1;
	value = lex_lookup(lx, name, false);
	set = value && !(empty_is_unset && !*value);
	if (operator== '-') {
		strbuf_puts(out, set ? value : word.buf);
	} else if (operator== '+') {
		strbuf_puts(out, set ? word.buf : "");
	} else if (!set) {
		const char *reason = value ? "is not allowed to be empty"
					   : "is not allowed to be unset";

		return error_set(lx->err, ERROR_SYNTAX, "%s: %s", name,
				 word.len ? word.buf : reason);
	} else {
		strbuf_puts(out, value);
	}
	return 0;
}

static int lex_trim(struct lexer *lx, const char *name, char operator, struct strbuf * out)
{
	AUTO(strbuf) word = STRBUF_LIMIT(LIMIT_EXPANDED_BYTES);
	const char *pattern, *value;
	bool longest;

	if (lex_nested(lx, '}', true, true, &word) < 0)
		return -1;
	value = lex_lookup(lx, name, true);
	longest = word.buf[0] == operator;
	pattern = longest ? word.buf + 1 : word.buf;
	return pattern_trim(out, value ? value : "", pattern, operator== '%', longest, lx->err);
}

static int lex_replace(struct lexer *lx, const char *name, struct strbuf *out)
{
	AUTO(strbuf) pattern = STRBUF_LIMIT(LIMIT_EXPANDED_BYTES);
	AUTO(strbuf) replacement = STRBUF_LIMIT(LIMIT_EXPANDED_BYTES);
	bool all = lx->text[lx->at] == '/';
	const char *value;

	if (all)
		lx->at++;
	if (lex_nested(lx, '/', true, true, &pattern) < 0 ||
	    lex_nested(lx, '}', true, false, &replacement) < 0)
		return -1;
	value = lex_lookup(lx, name, true);
	return pattern_replace(out, value ? value : "", pattern.buf, replacement.buf, all, lx->err);
}

/* Behind "${". */
static int lex_braces(struct lexer *lx, struct strbuf *out)
{
	AUTO(strbuf) name = STRBUF_INIT;
	const char *value;
	bool colon = false;
	char c;

	if (!lx->text[lx->at])
		return fail(lx, "syntax error: missing '}'");
	lex_name(lx, &name);
	if (name.len == 0)
		return fail(lx, "syntax error: bad substitution");
	c = lx->text[lx->at];
	if (!c)
		return fail(lx, "syntax error: missing '}'");
	lx->at++;
	if (c == '}') {
		value = lex_lookup(lx, name.buf, true);
		strbuf_puts(out, value ? value : "");
		return 0;
	}
	if (c == ':') {
		colon = true;
		c = lx->text[lx->at];
		if (!c)
			return fail(lx, "syntax error: missing '}'");
		lx->at++;
	}
	if (c == '-' || c == '+' || c == '?')
		return lex_default(lx, name.buf, c, colon, out);
	if (!colon && (c == '#' || c == '%'))
		return lex_trim(lx, name.buf, c, out);
	if (!colon && c == '/')
		return lex_replace(lx, name.buf, out);
	return error_set(lx->err, ERROR_SYNTAX, "unsupported modifier (%s%c) in substitution",
			 colon ? ":" : "", c);
}

static int lex_dollar(struct lexer *lx, struct strbuf *out)
{
	AUTO(strbuf) name = STRBUF_INIT;
	const char *value;
	int r;

	lx->at++;
	if (lx->text[lx->at] == '{') {
		if (lx->depth >= EXPAND_DEPTH)
			return fail(lx, "substitutions are nested too deeply");
		lx->depth++;
		lx->at++;
		r = lex_braces(lx, out);
		lx->depth--;
		return r;
	}
	lex_name(lx, &name);
	if (name.len == 0) {
		strbuf_putc(out, '$');
		return 0;
	}
	value = lex_lookup(lx, name.buf, true);
	strbuf_puts(out, value ? value : "");
	return 0;
}

static int expand(struct strbuf *out, const char *text, const struct expand_scope *scope,
		  bool quotes, struct splitter *split, struct error *err)
{
	AUTO(strbuf) result = STRBUF_LIMIT(LIMIT_EXPANDED_BYTES);
	struct lexer lx = {.text = text, .scope = scope, .err = err, .quotes = quotes};
	int r;

	lx.escape = quotes && scope->escape ? scope->escape : '\\';
	r = lex_until(&lx, '\0', false, &result, split);
	if (r == 0 && result.overflow)
		r = error_set(err, ERROR_SYNTAX, "the expanded text is longer than %u bytes",
			      LIMIT_EXPANDED_BYTES);
	if (r < 0)
		return error_wrap(err, "cannot expand \"%.*s\"", 200, text);
	if (out)
		strbuf_add(out, result.buf, result.len);
	return 0;
}

int expand_word(struct strbuf *out, const char *text, const struct expand_scope *scope,
		struct error *err)
{
	if (!strpbrk(text, "$'\"\\`")) {
		strbuf_puts(out, text);
		return 0;
	}
	return expand(out, text, scope, true, NULL, err);
}

int expand_words(struct strlist *out, const char *text, const struct expand_scope *scope,
		 struct error *err)
{
	struct splitter split = {.words = out, .word = STRBUF_LIMIT(LIMIT_EXPANDED_BYTES)};
	int r = expand(NULL, text, scope, true, &split, err);

	if (r == 0)
		split_end(&split);
	strbuf_release(&split.word);
	return r;
}

int expand_heredoc(struct strbuf *out, const char *text, const struct expand_scope *scope,
		   struct error *err)
{
	return expand(out, text, scope, false, NULL, err);
}

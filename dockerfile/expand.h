/*
 * Variable expansion, the shell lexer of the language: $n ${n} ${n:-w} ${n-w}
 * ${n:+w} ${n+w} ${n:?m} ${n?m} ${n#p} ${n##p} ${n%p} ${n%%p} ${n/p/r}
 * ${n//p/r}; '..' "..", and the escape character. Names are ASCII letters,
 * digits and "_"; $1, $@ and kin are never set. Undefined names give the empty
 * string.
 *
 * Errors are ERROR_SYNTAX without a place; results over LIMIT_EXPANDED_BYTES
 * are one.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "base/strlist.h"

struct expand_scope {
	/* The value of name, or NULL when it is not set. */
	const char *(*lookup)(void *ctx, const char *name);
	/* Told of each name used without being set (not for ${n-w}, ${n+w}); may be NULL. */
	void (*undefined)(void *ctx, const char *name);
	void *ctx;
	char escape; /* \ or `; 0 means \ */
};

/* One word: quotes removed, blanks kept. Appends to out. */
int expand_word(struct strbuf *out, const char *text, const struct expand_scope *scope,
		struct error *err);
/* As a shell splits: unquoted blanks of the result separate words; "" is no word. Appends. */
int expand_words(struct strlist *out, const char *text, const struct expand_scope *scope,
		 struct error *err);
/* The body of an unquoted heredoc: quotes are data, the escape character is always \. */
int expand_heredoc(struct strbuf *out, const char *text, const struct expand_scope *scope,
		   struct error *err);

/*
 * Splits a command as a shell would, expanding nothing: for finding heredocs.
 * raw keeps quotes and escapes in the words; "<< WORD" and "$(( 1 << 3 ))" are
 * one word each. Returns -1 when a quote is left open.
 */
int expand_lex(struct strlist *out, const char *text, bool raw);

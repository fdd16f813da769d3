/*
 * The lexers of one logical line: how the rest of an instruction falls apart
 * into words. Variables are not expanded here, and quotes are only removed
 * where the language does so at this level (flags, JSON).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strlist.h"

/* A word and where it began in the text, so that a message can point at it. */
struct word {
	char *text;
	size_t at;
};

struct words {
	struct word *items;
	size_t n, cap;
};

#define WORDS_INIT \
	{          \
		0  \
	}

void words_release(struct words *w);
void words_add(struct words *w, const char *text, size_t len, size_t at);

/* Blank as the language has it: space, tab, VT, FF, CR. */
bool word_is_blank(char c);

/* Splits at runs of blanks; quotes mean nothing (FROM, EXPOSE, COPY, VOLUME ...). */
void words_split(struct words *out, const char *text);
/* Splits at blanks outside quotes; quotes and escapes stay in the words (ENV, LABEL, ARG). */
void words_split_quoted(struct words *out, const char *text, char escape);
/*
 * Takes the flags "--name[=value]" from the start of text, with quotes and
 * escapes removed; stops at the first other word, after a bare "--", at the
 * end. *rest is the offset of what follows.
 */
void words_flags(struct words *out, const char *text, char escape, size_t *rest);

enum words_json {
	WORDS_JSON_NO,  /* not a JSON array: shell form, or words */
	WORDS_JSON_YES, /* an array of strings */
	WORDS_JSON_BAD, /* an array, and an element is not a string: an error */
};
/* Reads text as a JSON array of strings (blanks around it allowed); out is filled for YES only. */
enum words_json words_json(struct strlist *out, const char *text);
/* Not JSON, though a bracket and a quote say that it was meant to be: "['a', 'b']", a comma too many. */
bool words_json_is_meant(const char *text);

/*
 * Splits one record of comma-separated values, the syntax of --mount: a field
 * that begins with a double quote ends at the next single one, "" inside it is
 * a quote. ERROR_SYNTAX for a stray or unterminated quote.
 */
int words_csv(struct words *out, const char *text, struct error *err);

/*
 * The word of choices[0..n) nearest to what was written, when it is near enough
 * to be a typing error (edit distance, case ignored); else NULL.
 */
const char *word_suggest(const char *written, const char *const *choices, size_t n);
/* The same among names that people chose: of three letters at most one may be wrong, so that short names are not guessed. */
const char *word_suggest_near(const char *written, const char *const *choices, size_t n);

CLEANUP_RELEASE(words)

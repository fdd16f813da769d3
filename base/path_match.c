/* Go's path.Match, chunk by chunk: a chunk is what stands between stars, so the time is bounded. */
#include "base/path.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

#define RUNE_ERROR 0xfffdu

enum { MALFORMED = -1, NO_MATCH, MATCH };

struct view {
	const char *p;
	size_t n;
};

static struct view skip(struct view v, size_t n)
{
	return (struct view){v.p + n, v.n - n};
}

/* As Go reads a string: a byte that is not UTF-8 is one U+FFFD of width 1. v is not empty. */
static uint32_t decode_rune(struct view v, size_t *width)
{
	uint32_t rune;

	*width = utf8_decode(v.p, v.n, &rune);
	if (*width)
		return rune;
	*width = 1;
	return RUNE_ERROR;
}

/* Takes the next chunk off pattern; true when stars stood before it. */
static bool next_chunk(struct view *pattern, struct view *chunk)
{
	bool star = false, in_class = false;
	size_t i;

	while (pattern->n && pattern->p[0] == '*') {
		*pattern = skip(*pattern, 1);
		star = true;
	}
	for (i = 0; i < pattern->n; i++) {
		char c = pattern->p[i];

		if (c == '\\' && i + 1 < pattern->n)
			i++;
		else if (c == '[')
			in_class = true;
		else if (c == ']')
			in_class = false;
		else if (c == '*' && !in_class)
			break;
	}
	*chunk = (struct view){pattern->p, i};
	*pattern = skip(*pattern, i);
	return star;
}

/* One end of a range in a class, perhaps escaped. Something must follow it: at least the ']'. */
static bool class_rune(struct view *chunk, uint32_t *rune)
{
	size_t width;

	if (!chunk->n || chunk->p[0] == '-' || chunk->p[0] == ']')
		return false;
	if (chunk->p[0] == '\\')
		*chunk = skip(*chunk, 1);
	if (!chunk->n)
		return false;
	*rune = decode_rune(*chunk, &width);
	if (*rune == RUNE_ERROR && width == 1)
		return false;
	*chunk = skip(*chunk, width);
	return chunk->n > 0;
}

/* The class after its '[': is rune in it? */
static int match_class(struct view *chunk, uint32_t rune)
{
	bool negated = chunk->n && chunk->p[0] == '^';
	bool found = false;

	if (negated)
		*chunk = skip(*chunk, 1);
	for (size_t n_ranges = 0;; n_ranges++) {
		uint32_t low, high;

		if (chunk->n && chunk->p[0] == ']' && n_ranges > 0)
			break;
		if (!class_rune(chunk, &low))
			return MALFORMED;
		high = low;
		if (chunk->p[0] == '-') {
			*chunk = skip(*chunk, 1);
			if (!class_rune(chunk, &high))
				return MALFORMED;
		}
		if (low <= rune && rune <= high)
			found = true;
	}
	*chunk = skip(*chunk, 1);
	return found != negated ? MATCH : NO_MATCH;
}

/*
 * Does chunk match the beginning of name? *rest is what is left then. After a mismatch the chunk is
 * read on, for its syntax only.
 */
static int match_chunk(struct view chunk, struct view name, struct view *rest)
{
	bool failed = false;

	while (chunk.n) {
		size_t width = 0;
		uint32_t rune = 0;
		char c = chunk.p[0];

		failed = failed || !name.n;
		chunk = skip(chunk, 1);
		if (c == '[') {
			int result;

			if (!failed)
				rune = decode_rune(name, &width);
			result = match_class(&chunk, rune);
			if (result == MALFORMED)
				return MALFORMED;
			failed = failed || result == NO_MATCH;
		} else if (c == '?') {
			if (!failed) {
				failed = name.p[0] == '/';
				decode_rune(name, &width);
			}
		} else {
			if (c == '\\') {
				if (!chunk.n)
					return MALFORMED;
				c = chunk.p[0];
				chunk = skip(chunk, 1);
			}
			if (!failed) {
				failed = c != name.p[0];
				width = 1;
			}
		}
		name = skip(name, width);
	}
	*rest = name;
	return failed ? NO_MATCH : MATCH;
}

/* Tries chunk, which a star precedes, at each later place of name before a '/'. */
static int match_after_star(struct view chunk, bool last, struct view name, struct view *rest)
{
	for (size_t i = 0; i < name.n && name.p[i] != '/'; i++) {
		int result = match_chunk(chunk, skip(name, i + 1), rest);

		if (result == MALFORMED || (result == MATCH && !(last && rest->n)))
			return result;
	}
	return NO_MATCH;
}

static int check_syntax(struct view pattern)
{
	struct view chunk, rest;

	while (pattern.n) {
		next_chunk(&pattern, &chunk);
		if (match_chunk(chunk, (struct view){"", 0}, &rest) == MALFORMED)
			return MALFORMED;
	}
	return NO_MATCH;
}

int path_match(const char *pattern_text, const char *name_text)
{
	struct view pattern = {pattern_text, strlen(pattern_text)};
	struct view name = {name_text, strlen(name_text)};

	while (pattern.n) {
		struct view chunk, rest;
		bool star = next_chunk(&pattern, &chunk);
		int result;

		if (star && !chunk.n)
			return memchr(name.p, '/', name.n) ? NO_MATCH : MATCH;
		result = match_chunk(chunk, name, &rest);
		if (result == MATCH && rest.n && !pattern.n)
			result = NO_MATCH;
		if (result == NO_MATCH && star)
			result = match_after_star(chunk, !pattern.n, name, &rest);
		if (result == MALFORMED)
			return MALFORMED;
		if (result == NO_MATCH)
			return check_syntax(pattern);
		name = rest;
	}
	return name.n ? NO_MATCH : MATCH;
}

/*
 * One pattern of an ignore file, matched against whole paths: "*" and "?" stay
 * inside a component, "**" crosses them, [a-z] [^a-z] and "\" as in Go's
 * filepath.Match. Time is at most pattern length times path length.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

enum glob_kind {
	GLOB_LITERAL, /* no wildcard: the path itself */
	GLOB_SUFFIX,  /* "**" "/literal": the last components */
	GLOB_PARTS,   /* component by component */
	GLOB_FREE,    /* "**" beside other text: character by character */
};

struct glob_part {
	const char *text;
	size_t len;
	bool any_depth; /* "**": any number of components */
	bool literal;
};

struct glob {
	enum glob_kind kind;
	char *text;         /* the pattern, cleaned */
	const char *suffix; /* GLOB_SUFFIX: text without the "**" "/" */
	struct glob_part *parts;
	size_t n_parts, cap_parts;
};

/* A path and its components. */
struct glob_path {
	const char *text;
	size_t len;
	struct glob_part *parts;
	size_t n_parts, cap_parts;
};

/* text: cleaned, without a leading "/". -1: malformed. */
int glob_init(struct glob *g, const char *text);
void glob_release(struct glob *g);

void glob_path_init(struct glob_path *p, const char *text);
void glob_path_release(struct glob_path *p);
CLEANUP_RELEASE(glob_path)

/* Whether the pattern matches the path or a folder above it. */
bool glob_match(const struct glob *g, const struct glob_path *path);
/* Whether it might match something below the path; never wrongly false. */
bool glob_may_match_below(const struct glob *g, const struct glob_path *path);

/* For GLOB_FREE (glob_free.c). */
bool glob_match_free(const char *pattern, const char *path);
/* The end of the pattern character at `at`: a letter, "?", "\\x", a class. */
const char *glob_char_end(const char *at, const char *end);
/* Whether that pattern character is the one at the start of name. */
bool glob_char_matches(const char *at, const char *end, const char *name, const char *name_end);
/* Bytes of the character at s. */
size_t glob_char_length(const char *s, const char *end);

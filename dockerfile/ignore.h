/*
 * .dockerignore, and the patterns of --exclude: the last matching line
 * decides, "!" takes back, a pattern that matches a folder matches all below.
 * No pattern makes matching explode: one pattern costs at most its length
 * times the path's, and patterns without wildcards are looked up, not tried.
 *
 *	AUTO_PTR(ignore) ig = NULL;
 *	ignore_parse(&ig, ".dockerignore", text, len, err);
 *	if (ignore_match(ig, "src", &why) && !ignore_may_reinclude_below(ig, "src"))
 *		the folder need not be walked
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strlist.h"

struct ignore;

/* The line that decided. */
struct ignore_reason {
	int line;         /* 0 for patterns of a flag, and when no line matched */
	const char *text; /* as written, trimmed; owned by the ignore; NULL: no line matched */
};

/* ERROR_SYNTAX "NAME:LINE: ...": a lone "!", a malformed pattern. */
int ignore_parse(struct ignore **out, const char *name, const char *text, size_t len,
		 struct error *err);
/* The patterns of --exclude flags, in order. */
int ignore_from_patterns(struct ignore **out, const struct strlist *patterns, struct error *err);
void ignore_free(struct ignore *ig);
CLEANUP_FREE(ignore)

/*
 * Whether path (relative, cleaned, "/" between components) is left out; files
 * and folders are treated alike. why may be NULL. A NULL ig excludes nothing.
 */
bool ignore_match(const struct ignore *ig, const char *path, struct ignore_reason *why);
/*
 * Whether a "!" line might match below an excluded folder: when false the
 * folder need not be walked.
 */
bool ignore_may_reinclude_below(const struct ignore *ig, const char *path);
/* 'excluded by .dockerignore:12 ("/bin")'; "" when no line matched; free(). */
char *ignore_explain(const struct ignore *ig, const struct ignore_reason *why);
/* Whether there is any "!" line. */
bool ignore_has_exceptions(const struct ignore *ig);
size_t ignore_count(const struct ignore *ig);

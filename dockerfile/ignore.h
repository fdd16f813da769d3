/*
 * .dockerignore, and the patterns of --exclude: the last matching line
 * decides, "!" takes back, a pattern that matches a folder matches all below.
 * Time is linear in patterns and path; no pattern makes it explode.
 *
 *	AUTO_PTR(ignore) ig = NULL;
 *	ignore_parse(&ig, ".dockerignore", text, len, err);
 *	if (ignore_match(ig, "src/a.o", false, &why) && !ignore_may_reinclude_below(ig, ...)) ...
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
	int line;         /* 0 for patterns of a flag */
	const char *text; /* as written, trimmed; owned by the ignore */
};

/* ERROR_SYNTAX "NAME:LINE: ...": a lone "!", a malformed pattern. */
int ignore_parse(struct ignore **out, const char *name, const char *text, size_t len,
		 struct error *err);
/* The patterns of --exclude flags, in order. */
int ignore_from_patterns(struct ignore **out, const struct strlist *patterns, struct error *err);
void ignore_free(struct ignore *ig);
CLEANUP_FREE(ignore)

/*
 * Whether path (relative, cleaned, "/" between components) is left out. why,
 * when not NULL, gets the deciding line (line 0 and NULL text: no line
 * matched). A NULL ig excludes nothing.
 */
bool ignore_match(const struct ignore *ig, const char *path, bool is_dir,
		  struct ignore_reason *why);
/*
 * Whether some "!" pattern could match below an excluded folder: when false
 * the folder need not be walked.
 */
bool ignore_may_reinclude_below(const struct ignore *ig, const char *path);
/* 'excluded by .dockerignore:12 ("**" "/bin")'; empty without reason; free(). */
char *ignore_explain(const struct ignore *ig, const struct ignore_reason *why);
/* Whether there is any "!" line. */
bool ignore_has_exceptions(const struct ignore *ig);
size_t ignore_count(const struct ignore *ig);

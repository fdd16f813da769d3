/*
 * The patterns of ${n#p}, ${n%p} and ${n/p/r}: "*" any text, "?" one
 * character, "\" escapes * ? \ } and /. Time is the product of both lengths,
 * which is limited.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

/* Appends value without the shortest (longest: the longest) match at its start, or at its end. */
int pattern_trim(struct strbuf *out, const char *value, const char *pattern, bool at_end,
		 bool longest, struct error *err);
/* Appends value with its first match, or every match, replaced; matches are leftmost, longest. */
int pattern_replace(struct strbuf *out, const char *value, const char *pattern,
		    const char *replacement, bool all, struct error *err);

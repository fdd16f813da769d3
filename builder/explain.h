/*
 * Why a step missed the cache: what went into its key against what went into the key that it had in the last build (step_log.h).
 * The inputs of each key that was made are kept beside its record, under cache/parts/KEY, as lines of text:
 *
 *	NAME<tab>VALUE      a field of the key; the value is a hash, since an ARG may be a secret
 *	PATH MODE HASH      a source file; MODE is its type and mode ("f644"), or "-" where the mode does not count
 */
#pragma once

#include "builder/plan.h"
#include "builder/step_log.h"

/* Files beyond this much text are not listed: a change is then "a source file changed". */
#define EXPLAIN_FILES_LIMIT (8u << 20)

struct explain_step {
	const char *key;
	const struct strbuf *parts;
	const char *former; /* of step_log_former(), with: */
	enum step_log_match how;
	const char *
		below; /* what is known of the layers below: "step 3 was made anew"; NULL: nothing */
};

/* Adds the line of a file. path is foreign text; mode_counts: else it is not compared. */
void explain_add_file(struct strbuf *parts, const char *path, char type, unsigned mode,
		      bool mode_counts, const char *hash);
/* Instead of the lines of the files, when they are too many. */
void explain_add_too_many(struct strbuf *parts);
/* The reason in a few words ("ARG GIT_SHA changed") into out. */
void explain_miss(struct strbuf *out, struct store *s, const struct explain_step *step);
bool explain_is_kept(struct store *s, const char *key);
/* Keeps the parts for the next build. */
void explain_keep(struct store *s, const char *key, const struct strbuf *parts);

/* Why a step missed the cache: its key's parts against those the same place of the Dockerfile had last. */
#pragma once

#include "builder/cache.h"
#include "builder/plan.h"

/* A name for the place, stable between builds: the context, the file, the stage and the number of the step. */
void explain_place(char out[SHA256_HEX_SIZE], const char *context, const char *dockerfile,
		   const char *stage, int step);
/*
 * The reason in a few words ("ARG GIT_SHA changed"), into out; "first build of this step" without a former one.
 * parts: "NAME<tab>VALUE" lines, as step_key collects them, and a line "PATH HASH" for each file where files count.
 */
void explain_miss(struct strbuf *out, struct store *s, const char *place, const char *key,
		  const struct strbuf *parts);
/* Remembers the parts for the next build, unless they are there already. Puts the key in front of them. */
void explain_remember(struct store *s, const char *place, const char *key, struct strbuf *parts);

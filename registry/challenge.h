/*
 * WWW-Authenticate (RFC 9110 section 11.6.1): several challenges in one header, several headers, quoted commas, names in any
 * case.
 */
#pragma once

#include <stddef.h>

#include "base/strmap.h"

struct challenge {
	char *scheme;         /* lower case: "bearer", "basic" */
	struct strmap params; /* names in lower case; the first of equal ones counts */
};

struct challenges {
	struct challenge *items;
	size_t n;
};

/* Appends what the header holds. What is malformed ends the reading: the challenges before it stand. */
void challenges_parse(struct challenges *out, const char *header);
/* First challenge of that scheme (lower case), or NULL. */
const struct challenge *challenges_find(const struct challenges *c, const char *scheme);
const char *challenge_get(const struct challenge *c, const char *name);
void challenges_release(struct challenges *c);

CLEANUP_RELEASE(challenges)

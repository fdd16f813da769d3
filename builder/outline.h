/* What a target takes from the outside, as docker's --call=outline lists it: arguments, secrets, SSH agents. */
#pragma once

#include "builder/build.h"

struct outline_item {
	char *name;
	char *value;               /* of an argument, "" without one; else NULL */
	char *description;         /* of the comment above it, or NULL */
	bool required;             /* secrets and agents */
	int line_first, line_last; /* where it is declared or used */
};

struct outline_items {
	struct outline_item *items; /* in the order of the lines */
	size_t n, cap;
};

struct outline {
	char *name, *description; /* of the target's stage; NULL without */
	struct outline_items args, secrets, agents;
};

void outline_release(struct outline *o);
CLEANUP_RELEASE(outline)

/* The target's stage and those it needs. Errors as those of build_check(). out is zeroed before. */
int build_outline(struct outline *out, struct store *s, const struct build_options *o,
		  struct error *err);

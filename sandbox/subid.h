/*
 * Ranges of user and group ids that /etc/subuid and /etc/subgid (subuid(5)) give to a user, and the maps of a user
 * namespace made of them.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/strlist.h"

struct subid_range {
	unsigned long start, count;
};

struct subid_ranges {
	struct subid_range *items; /* in the file's order, overlaps removed */
	size_t n, cap;
	unsigned long total;
};

/* Lines "NAME:START:COUNT" whose first field is the user's name or number. name may be NULL. */
void subid_parse(struct subid_ranges *r, const char *text, const char *name, uid_t uid);
void subid_ranges_release(struct subid_ranges *r);
/* The name of a user in passwd's text; NULL when it has none. free() */
char *passwd_name_of(const char *text, uid_t uid);
/* "0 OWN 1" and "1 START COUNT" ..., as the arguments of newuidmap(1), three items a line. */
void subid_map(const struct subid_ranges *r, unsigned long own, struct strlist *out);

CLEANUP_RELEASE(subid_ranges)

/*
 * Sources of ADD that are not paths: URLs are fetched into a temporary folder before anything is hashed, git references are
 * refused by name.
 */
#pragma once

#include "builder/build_state.h"

enum remote_kind { REMOTE_NONE, REMOTE_URL, REMOTE_GIT };
/* http:// and https://; git@, git://, ssh:// and URLs whose path ends in .git. */
enum remote_kind remote_kind_of(const char *source);
/*
 * "https://h/a/b%20c.tgz?x" -> "b c.tgz", as BuildKit names the file whatever the server calls it; "__unnamed__" when the URL has no
 * path, or one that cannot be decoded. free()
 */
char *remote_name(const char *url);

struct remote_files {
	char *folder; /* temporary; NULL: nothing was fetched */
	char **paths; /* one a source, NULL for those that are paths */
	size_t n;
};
/*
 * Checks sources and --checksum of a COPY or ADD. ERROR_SYNTAX ("source can't be a URL for COPY"), ERROR_UNSUPPORTED (git).
 * *n: how many URLs there are.
 */
int remote_check(const struct instruction *ins, size_t *n, struct error *err);
/* Fetches them; a wrong --checksum is ERROR_CORRUPT. */
int remote_fetch(struct remote_files *out, struct build *b, const struct instruction *ins,
		 struct error *err);
void remote_files_release(struct remote_files *r);

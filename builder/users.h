/*
 * User and group names of an image: "user", "uid", "user:group" in its etc/passwd and etc/group (first match; lines that are
 * malformed are skipped; LIMIT_PASSWD_BYTES). Numbers are 0..2^31-1; anything else that is not a name is refused.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

struct user_ids {
	uint32_t uid, gid;
};
/*
 * USER's rule (WORKDIR's owner): a name gives its primary group, a bare number the group of its passwd line or 0.
 * passwd and group are file contents or NULL when absent. ERROR_NOT_FOUND names the user and the file.
 */
int users_resolve(struct user_ids *out, const char *text, const char *passwd, const char *group,
		  struct error *err);
/* --chown's rule: a number without group takes the same number as group; ":g" is uid 0. */
int users_resolve_chown(struct user_ids *out, const char *text, const char *passwd,
			const char *group, struct error *err);

/*
 * One --mount of a RUN: comma-separated key[=value], keys in any case.
 *
 * A parsed file holds it unexpanded: only text, kind and from are meaningful
 * then, since other values may hold variables. instruction_expand() fills the
 * rest, defaults included, and has checked what belongs together.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "dockerfile/expand.h"

enum mount_kind { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET, MOUNT_SSH };
enum mount_sharing { MOUNT_SHARED, MOUNT_PRIVATE, MOUNT_LOCKED };

struct run_mount {
	char *text; /* as written, quotes removed */
	enum mount_kind kind;
	char *from; /* stage, image or context; NULL: the build context (cache: an empty folder) */
	char *source; /* path in from, absolute; "/" when not given; bind and cache */
	/*
	 * Never NULL for bind, cache, tmpfs: mount_target() makes it absolute. Secret:
	 * "/run/secrets/ID" unless env is given (then NULL); ssh: NULL unless given (the
	 * builder numbers /run/buildkit/ssh_agent.N).
	 */
	char *target;
	/* cache: the cleaned target by default; secret: the last part of target; ssh: "default". */
	char *id;
	char *env; /* secret: the variable that gets its value */
	enum mount_sharing sharing;
	bool readonly;
	bool required; /* secret, ssh */
	bool has_mode, has_uid, has_gid;
	mode_t mode; /* 0..07777; cache 0755, secret 0400, ssh 0600 unless given */
	uint32_t uid, gid;
	int64_t size; /* tmpfs: bytes, 0: no limit */
};

/*
 * scope NULL: only checks, as far as that is possible without the values of
 * variables. ERROR_SYNTAX without a place; *at is then where in text the wrong
 * field begins (at may be NULL).
 */
int mount_parse(struct run_mount *out, const char *text, const struct expand_scope *scope,
		size_t *at, struct error *err);
void run_mount_release(struct run_mount *m);
/* "cache". */
const char *mount_kind_name(enum mount_kind kind);
/*
 * Where m goes, absolute and clean; free(). workdir is absolute. ERROR_SYNTAX
 * 'invalid mount target "/"' without a place.
 */
int mount_target(char **out, const struct run_mount *m, const char *workdir, struct error *err);

CLEANUP_RELEASE(run_mount)

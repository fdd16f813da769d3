/*
 * AWS where registries meet it: the login at ECR hosts and the repositories that a push misses there. Everything is made when the
 * first ECR host is spoken to.
 */
#pragma once

#include "aws/aws.h"
#include "base/strmap.h"
#include "cli/environment.h"
#include "net/login.h"

struct aws_login;

/* Of the command line; NULL: not given. Views into argv. */
struct aws_flags {
	const char *profile, *region, *endpoint_url, *role;
	bool local; /* the local target is asked: see local_target_use() */
	/* Set by that: they stand for every AWS_ variable of the environment. NULL: the environment itself. */
	const struct strmap *variables;
};

/* flags must outlive it: they are read when AWS is first needed. */
struct aws_login *aws_login_new(const struct environment *e, const struct aws_flags *flags,
				struct reporter *reporter, const struct cancel *cancel);
void aws_login_free(struct aws_login *l);

/*
 * The same AWS for calls of a command's own: its credentials are asked for once. By the thread that runs the command, and never while
 * blobs are on their way.
 */
struct aws *aws_login_aws(struct aws_login *l);

bool aws_login_is_for(const char *host);
/* As login_source's get; any thread. found false: the public registry, for which nobody needs a login to pull. */
int aws_login_get(struct aws_login *l, const char *host, struct login *out, bool *found,
		  struct error *err);
/* As repository_maker's make. */
int aws_login_make_repository(struct aws_login *l, const char *host, const char *repository,
			      bool *made, struct error *err);

CLEANUP_FREE(aws_login)

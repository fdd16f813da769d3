/*
 * AWS where registries meet it: the login at ECR hosts and the repositories that a push misses there. Everything is made when the
 * first ECR host is spoken to.
 */
#pragma once

#include "aws/aws.h"
#include "cli/environment.h"
#include "net/login.h"

struct aws_login;

struct aws_login *aws_login_new(const struct environment *e, struct reporter *reporter,
				const struct cancel *cancel);
void aws_login_free(struct aws_login *l);

bool aws_login_is_for(const char *host);
/* As login_source's get; any thread. found false: the public registry, for which nobody needs a login to pull. */
int aws_login_get(struct aws_login *l, const char *host, struct login *out, bool *found,
		  struct error *err);
/* As repository_maker's make. */
int aws_login_make_repository(struct aws_login *l, const char *host, const char *repository,
			      bool *made, struct error *err);

CLEANUP_FREE(aws_login)

/* Who we are at a registry: filled by registry/docker_config (and later by aws/ecr), asked by registry/auth. */
#pragma once

#include <stdbool.h>

#include "base/alloc.h"
#include "base/error.h"

struct login {
	char *username;
	char *password;       /* secret: wiped on release */
	char *identity_token; /* OAuth2 refresh token, or NULL */
};

static inline void login_release(struct login *l)
{
	free(l->username);
	wipe_free(l->password);
	wipe_free(l->identity_token);
	*l = (struct login){0};
}

/* found false: anonymous. A broken credential helper is an error, never anonymous. */
struct login_source {
	int (*get)(void *arg, const char *host, const char *repository, struct login *out,
		   bool *found, struct error *err);
	void *arg;
};

CLEANUP_RELEASE(login)

/*
 * Authorization at one registry host, learned from its challenges: nothing is sent before the first 401. Logins are
 * looked up then, tokens kept in memory per set of scopes and renewed at 80% of their life. Everything here belongs to
 * one origin: callers never use it for a request to another.
 */
#pragma once

#include "registry/client.h"

/* What a request is allowed to ask for. */
struct auth_need {
	const char *repository; /* for the login; NULL: none */
	const struct strlist *scopes;
};

/* What one request was sent with. */
struct auth_grant {
	char *header; /* "Authorization: ..", NULL: anonymous; secret */
	bool is_basic;
};

struct auth *auth_new(void);
void auth_free(struct auth *a);
/* This login instead of what login_source knows (docker login). */
void auth_use_login(struct registry_host *h, const struct login *l);

/* The header for the request, as far as challenges are known; fetches or renews a token. */
int auth_authorize(struct registry_host *h, const struct url *origin, const struct auth_need *need,
		   struct auth_grant *out, struct error *err);
/*
 * After 401 or 403: learns from the challenge. *again: authorize and send once more. round counts such answers to this
 * request, from 0. Errors are those of the look-up of a login.
 */
int auth_refused(struct registry_host *h, const struct auth_need *need,
		 const struct auth_grant *used, const struct http_response *res, int round,
		 bool *again, struct error *err);
void auth_grant_release(struct auth_grant *g);

void auth_scope_pull(struct strlist *scopes, const char *repository);
void auth_scope_delete(struct strlist *scopes, const char *repository);
void auth_scope_push(struct strlist *scopes, const char *repository);
/* Does "repository:a/b:pull,push" grant all that "repository:a/b:pull" asks? */
bool auth_scope_covers(const char *have, const char *want);

CLEANUP_RELEASE(auth_grant)

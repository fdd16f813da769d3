/*
 * Bearer tokens from a registry's token server (distribution's token authentication specification; OAuth2 refresh tokens): GET
 * with Basic, anonymous GET, or POST with an identity token and GET where that is not known. Redirects are followed three
 * times, each address checked, credentials only to the first origin.
 */
#pragma once

#include "registry/client.h"

struct token_request {
	struct registry_host *host; /* of the registry */
	const struct url *registry; /* its origin: what the token server is checked against */
	const char *realm;          /* as the challenge has it */
	const char *service;        /* NULL: not named */
	const struct strlist *scopes;
	const struct login *login; /* NULL: anonymous */
};

struct token {
	char *value;         /* secret */
	int64_t renew_at_ns; /* monotonic: 80% of its life */
};

/* ERROR_DENIED when refused, or when the realm is not to be trusted: then nothing was sent. */
int token_fetch(const struct token_request *r, struct token *out, struct error *err);
void token_release(struct token *t);
/* "Authorization: Basic ..": secret. free() */
char *token_basic_header(const char *user, const char *password);
CLEANUP_RELEASE(token)

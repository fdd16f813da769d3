/*
 * Whether a request to the local target is signed by somebody it knows (AWS Signature Version 4, header form): its own key pair, or temporary
 * credentials (local/session.h). The canonical request is made anew from what came.
 *
 *	auth_read(&a, &request, &keys, &refusal)       before the body is there
 *	auth_verify(&a, &request, body_hash, &refusal)
 */
#pragma once

#include "base/strlist.h"
#include "local/session.h"

/* Where the refusal's words are AWS's, a client's repair of its clock and its hints work as with AWS. */
enum auth_problem {
	AUTH_FINE,
	AUTH_MISSING,      /* not signed at all */
	AUTH_INCOMPLETE,   /* the header lacks parts */
	AUTH_UNKNOWN,      /* a key or session token of nobody */
	AUTH_TOKEN_IS_OLD, /* temporary credentials that have expired */
	AUTH_CLOCK,        /* signed more than five minutes ago or ahead */
	AUTH_MISMATCH,     /* signed with another secret, for another request or scope */
};

struct auth_refusal {
	enum auth_problem problem;
	char *message; /* free() */
};

struct auth_request {
	const char *method;
	const char *target; /* as it came: path and query */
	/* The values of all headers of that name, trimmed and joined by ","; free(). NULL: absent. */
	char *(*header)(void *arg, const char *name);
	void *arg;
};

struct auth_keys {
	const char *access_key, *secret_key; /* the target's own */
	const char *account, *region;
	const char *service; /* signing name that the request must be for; NULL: not known */
	int64_t now;
};

struct auth {
	char *access_key, *region, *service, *signature;
	struct strlist signed_headers;
	int64_t time;     /* X-Amz-Date */
	char *secret_key; /* of access_key: secret */
	char *caller;     /* ARN */
};

#define AUTH_INIT \
	{         \
		0 \
	}

int auth_read(struct auth *a, const struct auth_request *r, const struct auth_keys *keys,
	      struct auth_refusal *out);
/* body_hash: SHA-256 of the body that came, in hexadecimal. */
int auth_verify(const struct auth *a, const struct auth_request *r, const char *body_hash,
		struct auth_refusal *out);
void auth_release(struct auth *a);

/* Who signs with the target's own key pair, and whoever asks when signatures are not looked at. free(). */
char *auth_user_arn(const char *account);

CLEANUP_RELEASE(auth)

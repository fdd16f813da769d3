/*
 * Temporary credentials of the local target: those that AssumeRole gives, and those of a task's role. Who has them acts as an ARN until they
 * expire. Nothing is kept: the session token says it all, signed (local/token.h), and the secret key follows from it.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "local/token.h"

struct session {
	char *access_key; /* "ASIA.." */
	char *secret_key; /* secret */
	char *token;      /* secret */
	char *arn;        /* "arn:aws:sts::000000000000:assumed-role/ROLE/NAME" */
	int64_t expires;  /* seconds since 1970 */
};

#define SESSION_INIT \
	{            \
		0    \
	}

/* target_key: the target's own secret key (struct local, or "secretKey" of STATE_SETTINGS "target"). */
void session_make(struct session *out, const char *target_key, const char *arn, int64_t expires);
/* Of the token that came with a request; out is filled unless TOKEN_FOREIGN, but for expires. */
enum token_state session_read(struct session *out, const char *target_key, const char *access_key,
			      const char *token, int64_t now);
void session_release(struct session *s);

CLEANUP_RELEASE(session)

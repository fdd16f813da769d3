/*
 * Statements that the local target hands out and later believes, because its secret key signed them: nothing has to be kept of them, so they
 * outlive a restart. A token is Base64 of "USE EXPIRES SUBJECT" and an HMAC-SHA256 of that.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What a token is good for: one of another use is none. */
#define TOKEN_REGISTRY "registry" /* the password of user AWS; the subject is "AWS" */
#define TOKEN_SESSION  "session"  /* temporary credentials: local/session.h */

enum token_state { TOKEN_GOOD, TOKEN_EXPIRED, TOKEN_FOREIGN };

/* expires: seconds since 1970. free(). */
char *token_make(const char *secret_key, const char *use, const char *subject, int64_t expires);
/* *subject (free(); NULL: not wanted) is set unless the token is TOKEN_FOREIGN. */
enum token_state token_check(const char *secret_key, const char *use, const char *token,
			     int64_t now, char **subject);

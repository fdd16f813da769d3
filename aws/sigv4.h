/*
 * AWS Signature Version 4 (AWS General Reference, "Signing AWS API requests"), header form: pure functions, the time is
 * an input. The signer of every AWS call; a server that checks signatures uses the same canonical forms.
 */
#pragma once

#include <stdint.h>

#include "base/sha256.h"
#include "base/strbuf.h"
#include "base/strlist.h"

struct sigv4_header {
	const char *name, *value; /* as they are sent; any case */
};

struct sigv4_request {
	const char *method;
	const char *path;                   /* as it is sent, encoded once; "" means "/" */
	const char *query;                  /* as it is sent, behind '?'; NULL: none */
	const struct sigv4_header *headers; /* those that are signed; "host" is one of them */
	size_t n_headers;
	const char *payload_hash; /* SHA-256 of the body in hexadecimal */
};

struct sigv4_scope {
	const char *region,
		*service; /* the signing name: "elasticloadbalancing", not a host's label */
	int64_t time;     /* seconds since 1970 */
};

struct sigv4_keys {
	const char *access_key;
	const char *secret_key; /* secret */
	const char *token;      /* of temporary credentials; NULL: none */
};

#define SIGV4_TIME_SIZE 17 /* "20261122T100000Z" */
void sigv4_time(int64_t time, char out[SIGV4_TIME_SIZE]);

/*
 * Adds "X-Amz-Date: ..", "X-Amz-Security-Token: .." (with a token) and "Authorization: .." to headers; the first two are
 * signed besides those of the request, which must not hold them.
 */
void sigv4_sign(struct strlist *headers, const struct sigv4_request *r,
		const struct sigv4_scope *scope, const struct sigv4_keys *keys);

/* The steps, as the documentation names them. Both append. */
void sigv4_canonical_request(struct strbuf *out, const struct sigv4_request *r);
void sigv4_string_to_sign(struct strbuf *out, const struct sigv4_scope *scope,
			  const char *canonical_request);
/* "content-type;host;x-amz-date": lower case, sorted, each name once. */
void sigv4_signed_headers(struct strbuf *out, const struct sigv4_request *r);
void sigv4_signature(char out[SHA256_HEX_SIZE], const char *secret_key,
		     const struct sigv4_scope *scope, const char *string_to_sign);

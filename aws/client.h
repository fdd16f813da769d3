/*
 * One call of an AWS API: signed, sent, tried again as the SDKs' standard retry mode does (3 attempts, AWS_MAX_ATTEMPTS; random
 * delays that double up to 20 s; throttling, 5xx and lost connections), the clock's error repaired once from the answer.
 */
#pragma once

#include "aws/endpoint.h"
#include "base/json.h"
#include "base/strmap.h"

struct aws_request {
	enum aws_service service;
	const char *operation; /* "GetAuthorizationToken" */
	const char *region;    /* NULL: the configured one */
	const json_t *json;    /* JSON services; NULL: {} */
	const struct strmap
		*form;      /* query services, besides Action and Version; may hold secrets */
	bool unsigned_call; /* AssumeRoleWithWebIdentity */
	int attempts;       /* 0: as many as are set up */
	const struct aws_credentials *as; /* NULL: the chain's */
};

struct aws_answer {
	int status;         /* HTTP */
	struct strbuf body; /* may hold secrets: wiped on release */
	char *code;         /* AWS's error code ("RepositoryNotFoundException"); NULL: a success */
	char *message;      /* AWS's words, NULL when it has none */
};

/*
 * ERROR_DENIED for what is refused by login or permission, ERROR_REMOTE for other error answers: the message has operation, region,
 * code and AWS's words, out->code the code. ERROR_NETWORK without an answer, ERROR_USAGE without a region.
 */
int aws_call(struct aws *a, const struct aws_request *r, struct aws_answer *out, struct error *err);
void aws_answer_release(struct aws_answer *answer);
bool aws_answer_is(const struct aws_answer *answer, const char *code);

CLEANUP_RELEASE(aws_answer)

/* Security Token Service (API version 2011-06-15): who we are, and other roles. */
#pragma once

#include "aws/credentials.h"

struct aws_identity {
	char *account, *arn;
};
/* GetCallerIdentity: needs no permission, so it tells whether credentials, clock and network are right. */
int aws_caller_identity(struct aws *a, struct aws_identity *out, struct error *err);
void aws_identity_release(struct aws_identity *i);

struct aws_role_request {
	const char *role_arn;
	const char *session_name;         /* NULL: one of ours */
	const char *external_id;          /* NULL: none */
	const char *duration;             /* seconds, as text; NULL: AWS's default */
	const char *region;               /* NULL: the configured one */
	const char *web_identity_token;   /* secret: AssumeRoleWithWebIdentity, not signed */
	const struct aws_credentials *as; /* signs AssumeRole */
};
/* source: what the credentials are said to come from. */
int aws_assume_role(struct aws *a, const struct aws_role_request *r, const char *source,
		    struct aws_credentials *out, struct error *err);

CLEANUP_RELEASE(aws_identity)

/*
 * Who we are: the SDKs' chain of credential sources, in botocore's order. The first that knows something answers; one that is
 * set up and broken is an error, never passed over.
 */
#pragma once

#include "aws/aws.h"

struct aws_credentials {
	char *access_key;
	char *secret_key;   /* secret */
	char *token;        /* secret; NULL for long-lived keys */
	int64_t expires;    /* seconds since 1970; 0: never */
	const char *source; /* "environment", "profile", ...; static */
};

void aws_credentials_release(struct aws_credentials *c); /* wipes */
void aws_credentials_copy(struct aws_credentials *dst, const struct aws_credentials *src);

/*
 * Valid credentials, a view until the next call: remembered, renewed when less than 5 minutes are left. ERROR_DENIED when no
 * source has any, with what was looked at.
 */
int aws_get_credentials(struct aws *a, const struct aws_credentials **out, struct error *err);
/* They were refused as expired: the next call asks their source again. */
void aws_drop_credentials(struct aws *a);

/* A source: *found false when it is not set up here. */
typedef int aws_source_fn(struct aws *a, struct aws_credentials *out, bool *found,
			  struct error *err);
aws_source_fn aws_from_environment, aws_from_assumed_role, aws_from_web_identity, aws_from_sso,
	aws_from_profile, aws_from_process, aws_from_container, aws_from_instance;

/*
 * {"AccessKeyId", "SecretAccessKey", "SessionToken" or "Token", "Expiration"}: the form that helpers and metadata services
 * answer in. ERROR_CORRUPT names what is missing, never a value.
 */
int aws_credentials_from_json(struct aws_credentials *out, const char *text, size_t len,
			      const char *where, const char *source, struct error *err);

CLEANUP_RELEASE(aws_credentials)

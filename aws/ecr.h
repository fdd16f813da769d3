/* Elastic Container Registry: which hosts are one, the login there, repositories. */
#pragma once

#include "aws/client.h"
#include "net/login.h"

struct ecr_host {
	char account[13]; /* 12 digits; "" for the public registry */
	char region[64];
	bool is_public, is_fips;
};

/* "123456789012.dkr.ecr.eu-west-1.amazonaws.com" and kin, "public.ecr.aws". False: not ECR. No port. */
bool ecr_host_parse(struct ecr_host *out, const char *host);

/*
 * The login at the host (GetAuthorizationToken): user AWS and a password of at most 12 hours, which goes with the credentials.
 * *expires: seconds since 1970.
 */
int ecr_login(struct aws *a, const struct ecr_host *host, struct login *out, int64_t *expires,
	      struct error *err);
/* Makes the repository; one that is there already is fine. */
int ecr_create_repository(struct aws *a, const struct ecr_host *host, const char *name,
			  struct error *err);

/* The insides of struct aws, for the files of this folder. */
#pragma once

#include <pthread.h>

#include "aws/aws.h"
#include "aws/credentials.h"
#include "aws/profile.h"

struct aws {
	struct aws_options o;
	bool loaded;
	struct aws_profiles profiles;
	struct http *http;                  /* made by the first call */
	struct aws_credentials credentials; /* of the last time; access_key NULL: none yet */
	int64_t skew;                       /* seconds that the service's clock is ahead of ours */
};

int aws_load_profiles(struct aws *a, struct error *err);
/* The keys written in a profile. */
int aws_profile_keys(struct aws *a, const char *profile, struct aws_credentials *out, bool *found,
		     struct error *err);
/* The connection; ERROR_SYSTEM. */
int aws_http(struct aws *a, struct http **out, struct error *err);
/* The pause after so many failures (from 0): random (of all 32 bits) between 0 and first_ms doubled each time, at most 20 s. */
int64_t aws_retry_delay_ns(int failures, int first_ms, uint32_t random);

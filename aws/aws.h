/*
 * What every AWS call shares: where settings come from (flags, environment, profile), the credentials with their renewal,
 * the connection. Set up by cli/app.c, made when the first call needs it.
 *
 *	aws_new(&aws, &options);
 *	aws_call(aws, &request, &answer, err);      client.h, any number of times, one thread at a time
 *	aws_free(aws);
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "net/http.h"

struct aws_options {
	const char *(*env)(void *arg, const char *name); /* NULL: not set */
	void *arg;
	char *const *envp; /* for credential_process */
	const char *home;
	const char *profile, *region, *endpoint_url; /* of the command line; NULL: not given */
	const char *role; /* ARN: taken with a web identity token, else with what the chain finds */
	struct http_options http; /* AWS_CA_BUNDLE comes on top */
	struct reporter *reporter;
	const struct cancel *cancel;
	int retry_ms;         /* the first pause before another attempt; 0: 1 s */
	int64_t (*now)(void); /* seconds since 1970; NULL: the clock */
};

struct aws;

/* The options' strings must outlive it. Reads nothing yet. */
struct aws *aws_new(const struct aws_options *o);
void aws_free(struct aws *a); /* wipes credentials */

/* An environment variable; NULL when unset or empty. */
const char *aws_env(struct aws *a, const char *name);
bool aws_env_true(struct aws *a, const char *name); /* "true" in any case */
/* The name of the profile in use: --profile, AWS_PROFILE, AWS_DEFAULT_PROFILE, "default". */
const char *aws_profile_name(struct aws *a);
/* Named by flag or environment, so that it must exist. */
bool aws_profile_is_named(struct aws *a);
/* A setting of the profile in use; ERROR_SYNTAX for a damaged file, ERROR_NOT_FOUND for a named profile that is nowhere. */
int aws_setting(struct aws *a, const char *key, const char **out, struct error *err);
/*
 * --region, AWS_REGION, AWS_DEFAULT_REGION, the profile's. *out NULL when nothing says it: the caller decides whether to ask the
 * instance's metadata. ERROR_USAGE for what cannot be a region.
 */
int aws_find_region(struct aws *a, const char **out, struct error *err);
bool aws_region_is_valid(const char *region);
int64_t aws_now(struct aws *a);

CLEANUP_FREE(aws)

#include "aws/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "aws/aws_private.h"
#include "aws/sts.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/time.h"

#define RENEW_BEFORE 300 /* seconds */

void aws_credentials_release(struct aws_credentials *c)
{
	if (!c)
		return;
	free(c->access_key);
	wipe_free(c->secret_key);
	wipe_free(c->token);
	*c = (struct aws_credentials){0};
}

void aws_credentials_copy(struct aws_credentials *dst, const struct aws_credentials *src)
{
	struct aws_credentials copy = {
		.access_key = xstrdup_null(src->access_key),
		.secret_key = xstrdup_null(src->secret_key),
		.token = xstrdup_null(src->token),
		.expires = src->expires,
		.source = src->source,
	};

	aws_credentials_release(dst);
	*dst = copy;
}

/* They go into headers: nothing but what a header may hold. */
static bool is_header_text(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

static int check(const struct aws_credentials *c, const char *where, struct error *err)
{
	if (!is_header_text(c->access_key) || !is_header_text(c->secret_key) ||
	    (c->token && !is_header_text(c->token)))
		return error_set(err, ERROR_CORRUPT,
				 "%s: the keys hold a blank or another character that keys "
				 "never have",
				 where);
	return 0;
}

int aws_credentials_from_json(struct aws_credentials *out, const char *text, size_t len,
			      const char *where, const char *source, struct error *err)
{
	AUTO_JSON *j = NULL;
	AUTO(aws_credentials) c = {.source = source};
	const char *access, *secret, *token, *expiration;

	if (json_parse(&j, text, len, where, err) < 0 ||
	    json_get_string(j, "AccessKeyId", &access, where, err) < 0 ||
	    json_get_string(j, "SecretAccessKey", &secret, where, err) < 0 ||
	    json_opt_string(j, "SessionToken", &token, where, err) < 0 ||
	    (!token && json_opt_string(j, "Token", &token, where, err) < 0) ||
	    json_opt_string(j, "Expiration", &expiration, where, err) < 0)
		return -1;
	if (expiration && time_parse(expiration, &c.expires, err) < 0)
		return error_wrap(err, "%s: Expiration", where);
	c.access_key = xstrdup(access);
	c.secret_key = xstrdup(secret);
	c.token = token && *token ? xstrdup(token) : NULL;
	if (check(&c, where, err) < 0)
		return -1;
	aws_credentials_release(out);
	*out = c;
	c = (struct aws_credentials){0};
	return 0;
}

static int take_pair(struct aws_credentials *out, const char *access, const char *secret,
		     const char *token, const char *source, const char *where, struct error *err)
{
	out->access_key = xstrdup(access);
	out->secret_key = xstrdup(secret);
	out->token = xstrdup_null(token);
	out->source = source;
	return check(out, where, err);
}

/* A profile that was named on the command line is meant, whatever the environment says. */
int aws_from_environment(struct aws *a, struct aws_credentials *out, bool *found, struct error *err)
{
	const char *access = aws_env(a, "AWS_ACCESS_KEY_ID");
	const char *secret = aws_env(a, "AWS_SECRET_ACCESS_KEY");

	*found = false;
	if (a->o.profile || !access)
		return 0;
	if (!secret)
		return error_set(err, ERROR_DENIED,
				 "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not");
	*found = true;
	return take_pair(out, access, secret, aws_env(a, "AWS_SESSION_TOKEN"), "environment",
			 "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN", err);
}

int aws_profile_keys(struct aws *a, const char *profile, struct aws_credentials *out, bool *found,
		     struct error *err)
{
	AUTO_FREE char *where = xstrfmt("the AWS profile \"%s\"", profile);
	const char *access = aws_profile_get(&a->profiles, profile, "aws_access_key_id");
	const char *secret = aws_profile_get(&a->profiles, profile, "aws_secret_access_key");

	*found = access != NULL;
	if (!access)
		return 0;
	if (!secret)
		return error_set(err, ERROR_DENIED,
				 "%s has an aws_access_key_id and no aws_secret_access_key", where);
	return take_pair(out, access, secret,
			 aws_profile_get(&a->profiles, profile, "aws_session_token"), "profile",
			 where, err);
}

int aws_from_profile(struct aws *a, struct aws_credentials *out, bool *found, struct error *err)
{
	*found = false;
	if (aws_load_profiles(a, err) < 0)
		return -1;
	return aws_profile_keys(a, aws_profile_name(a), out, found, err);
}

static const struct {
	const char *name;
	aws_source_fn *get;
} chain[] = {
	{"environment variables", aws_from_environment},
	{"the profile's role_arn", aws_from_assumed_role},
	{"a web identity token", aws_from_web_identity},
	{"the profile's sso session", aws_from_sso},
	{"keys of the profile", aws_from_profile},
	{"the profile's credential_process", aws_from_process},
	{"the container's role", aws_from_container},
	{"the instance's role", aws_from_instance},
};

static int none_found(struct aws *a, struct error *err)
{
	error_set(err, ERROR_DENIED,
		  "no AWS credentials were found (looked at environment "
		  "variables, profile \"%s\", web identity, container and "
		  "instance roles)",
		  aws_profile_name(a));
	return error_hint(err, "run \"aws configure\" or \"aws sso login\", or set AWS_PROFILE, or "
			       "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
}

/* --role: what the chain found is only who takes it. */
static int take_role(struct aws *a, const struct aws_credentials *as, struct aws_credentials *out,
		     struct error *err)
{
	const struct aws_role_request r = {.role_arn = a->o.role, .as = as};

	return aws_assume_role(a, &r, "role", out, err);
}

static int keep(struct aws *a, const char *name, struct aws_credentials *c,
		struct aws_credentials *out)
{
	report_log(a->o.reporter, LOG_DEBUG, "AWS credentials come from %s", name);
	aws_credentials_release(out);
	*out = *c;
	*c = (struct aws_credentials){0};
	return 0;
}

static int ask_chain(struct aws *a, struct aws_credentials *out, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(chain); i++) {
		AUTO(aws_credentials) c = {0};
		bool found = false;

		if (chain[i].get(a, &c, &found, err) < 0)
			return error_wrap(err, "AWS credentials from %s", chain[i].name);
		if (!found)
			continue;
		return keep(a, chain[i].name, &c, out);
	}
	return none_found(a, err);
}

static int ask_for_role(struct aws *a, struct aws_credentials *out, struct error *err)
{
	AUTO(aws_credentials) c = {0};
	AUTO(aws_credentials) role = {0};
	bool found = false;

	if (aws_from_web_identity(a, &c, &found, err) < 0)
		return -1;
	if (found)
		return keep(a, "a web identity token", &c, out);
	if (ask_chain(a, &c, err) < 0 || take_role(a, &c, &role, err) < 0)
		return -1;
	return keep(a, "the given role", &role, out);
}

int aws_get_credentials(struct aws *a, const struct aws_credentials **out, struct error *err)
{
	struct aws_credentials *c = &a->credentials;

	if ((!c->access_key || (c->expires && c->expires - aws_now(a) < RENEW_BEFORE)) &&
	    (a->o.role ? ask_for_role(a, c, err) : ask_chain(a, c, err)) < 0)
		return -1;
	*out = c;
	return 0;
}

void aws_drop_credentials(struct aws *a)
{
	aws_credentials_release(&a->credentials);
}

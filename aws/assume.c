/* Keys by taking a role: of a profile (role_arn), or with a token of an identity provider (EKS, GitLab, GitHub Actions). */
#include <stdlib.h>
#include <string.h>

#include "aws/aws_private.h"
#include "aws/sts.h"
#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "net/url.h"

#define MAX_CHAIN 8 /* source_profile leading to source_profile */

static const char *get(struct aws *a, const char *profile, const char *key)
{
	return aws_profile_get(&a->profiles, profile, key);
}

static int from_named_source(struct aws *a, const char *name, struct aws_credentials *out,
			     struct error *err)
{
	static const struct {
		const char *name;
		aws_source_fn *get;
	} sources[] = {
		{"Environment", aws_from_environment},
		{"Ec2InstanceMetadata", aws_from_instance},
		{"EcsContainer", aws_from_container},
	};
	bool found = false;

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		if (strcmp(sources[i].name, name) != 0)
			continue;
		if (sources[i].get(a, out, &found, err) < 0)
			return -1;
		return found ? 0
			     : error_set(err, ERROR_DENIED, "credential_source %s has no keys here",
					 name);
	}
	return error_set(err, ERROR_USAGE,
			 "credential_source %s is unknown: there are Environment, "
			 "Ec2InstanceMetadata, EcsContainer",
			 name);
}

static int assume_profile(struct aws *a, const char *profile, int depth,
			  struct aws_credentials *out, struct error *err);

/* The keys that sign AssumeRole. */
static int source_keys(struct aws *a, const char *profile, int depth, struct aws_credentials *out,
		       struct error *err)
{
	const char *source = get(a, profile, "source_profile");
	const char *place = get(a, profile, "credential_source");
	bool found = false;

	if (source && place)
		return error_set(err, ERROR_SYNTAX,
				 "the AWS profile \"%s\" has a source_profile "
				 "and a credential_source: one of them",
				 profile);
	if (place)
		return from_named_source(a, place, out, err);
	if (!source)
		return error_set(err, ERROR_SYNTAX,
				 "the AWS profile \"%s\" has a role_arn, and "
				 "neither source_profile nor credential_source",
				 profile);
	if (!aws_profile_exists(&a->profiles, source))
		return error_set(err, ERROR_NOT_FOUND,
				 "the AWS profile \"%s\", source_profile of \"%s\", does not exist",
				 source, profile);
	/* A profile may name itself: then its own keys sign. */
	if (strcmp(source, profile) != 0 && get(a, source, "role_arn"))
		return assume_profile(a, source, depth + 1, out, err);
	if (aws_profile_keys(a, source, out, &found, err) < 0)
		return -1;
	return found ? 0
		     : error_set(err, ERROR_DENIED,
				 "the AWS profile \"%s\", source_profile of \"%s\", has no keys",
				 source, profile);
}

static int assume_profile(struct aws *a, const char *profile, int depth,
			  struct aws_credentials *out, struct error *err)
{
	AUTO(aws_credentials) as = {0};
	const struct aws_role_request r = {
		.role_arn = get(a, profile, "role_arn"),
		.session_name = get(a, profile, "role_session_name"),
		.external_id = get(a, profile, "external_id"),
		.duration = get(a, profile, "duration_seconds"),
		.as = &as,
	};

	if (depth >= MAX_CHAIN)
		return error_set(err, ERROR_SYNTAX,
				 "the source_profile of \"%s\" leads in a circle", profile);
	if (get(a, profile, "mfa_serial")) {
		error_set(err, ERROR_UNSUPPORTED,
			  "the AWS profile \"%s\" wants a one-time password (mfa_serial)", profile);
		return error_hint(err, "get a session with \"aws sts get-session-token\", or use "
				       "\"aws sso login\"");
	}
	if (source_keys(a, profile, depth, &as, err) < 0)
		return -1;
	return aws_assume_role(a, &r, "assumed role", out, err);
}

int aws_from_assumed_role(struct aws *a, struct aws_credentials *out, bool *found,
			  struct error *err)
{
	const char *profile = aws_profile_name(a);

	*found = false;
	if (aws_load_profiles(a, err) < 0)
		return -1;
	if (!get(a, profile, "role_arn") || get(a, profile, "web_identity_token_file"))
		return 0;
	*found = true;
	return assume_profile(a, profile, 0, out, err);
}

/* GitHub Actions with "permissions: id-token: write" and AWS_ROLE_ARN set. */
static int github_token(struct aws *a, char **token, struct error *err)
{
	const char *url = aws_env(a, "ACTIONS_ID_TOKEN_REQUEST_URL");
	const char *secret = aws_env(a, "ACTIONS_ID_TOKEN_REQUEST_TOKEN");
	AUTO_FREE char *full = NULL;
	AUTO(strlist) headers = STRLIST_INIT;
	AUTO(http_response) res = {0};
	AUTO_JSON *j = NULL;
	struct http_request req = {.method = "GET", .headers = &headers, .body_len = -1};
	const char *value;
	struct http *http;
	int r;

	if (strpbrk(secret, "\r\n"))
		return error_set(err, ERROR_DENIED,
				 "ACTIONS_ID_TOKEN_REQUEST_TOKEN holds a line break");
	full = xstrfmt("%s%caudience=sts.amazonaws.com", url, strchr(url, '?') ? '&' : '?');
	req.url = full;
	strlist_addf(&headers, "Authorization: bearer %s", secret);
	r = aws_http(a, &http, err);
	if (r == 0)
		r = http_send(http, &req, &res, err);
	wipe(headers.items[0], strlen(headers.items[0]));
	if (r < 0)
		return error_wrap(err, "GitHub's identity token");
	if (res.status != 200)
		return error_set(err, ERROR_DENIED, "GitHub's identity token: it answered %d %s",
				 res.status, http_status_text(res.status));
	if (json_parse(&j, res.body.buf, res.body.len, "GitHub's identity token", err) < 0 ||
	    json_get_string(j, "value", &value, "GitHub's identity token", err) < 0)
		return -1;
	*token = xstrdup(value);
	wipe(res.body.buf, res.body.len);
	return 0;
}

static int file_token(const char *path, char **token, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (fs_read_file(path, &text, LIMIT_TOKEN_BYTES, err) < 0)
		return error_wrap(err, "the web identity token");
	strbuf_trim(&text);
	if (!text.len)
		return error_set(err, ERROR_DENIED, "the web identity token %s is empty", path);
	*token = strbuf_detach(&text, NULL);
	return 0;
}

/* File and role: of the environment, else of the profile. */
static int find_identity(struct aws *a, const char **file, const char **role, const char **session,
			 struct error *err)
{
	*file = a->o.profile ? NULL : aws_env(a, "AWS_WEB_IDENTITY_TOKEN_FILE");
	*role = a->o.role ? a->o.role : aws_env(a, "AWS_ROLE_ARN");
	*session = aws_env(a, "AWS_ROLE_SESSION_NAME");
	if (*file || (*role && !a->o.role))
		return 0;
	if (aws_setting(a, "web_identity_token_file", file, err) < 0)
		return -1;
	if (!*file)
		return 0;
	if (!a->o.role && aws_setting(a, "role_arn", role, err) < 0)
		return -1;
	return aws_setting(a, "role_session_name", session, err);
}

int aws_from_web_identity(struct aws *a, struct aws_credentials *out, bool *found,
			  struct error *err)
{
	struct aws_role_request r = {0};
	const char *file;
	char *token = NULL;
	int result;

	*found = false;
	if (find_identity(a, &file, &r.role_arn, &r.session_name, err) < 0)
		return -1;
	if (!file && (!r.role_arn || !aws_env(a, "ACTIONS_ID_TOKEN_REQUEST_URL") ||
		      !aws_env(a, "ACTIONS_ID_TOKEN_REQUEST_TOKEN")))
		return 0;
	if (!r.role_arn)
		return error_set(err, ERROR_DENIED,
				 "a web identity token is given, and no role: "
				 "set AWS_ROLE_ARN");
	*found = true;
	if (file ? file_token(file, &token, err) < 0 : github_token(a, &token, err) < 0)
		return -1;
	r.web_identity_token = token;
	result = aws_assume_role(a, &r, "web identity", out, err);
	wipe_free(token);
	return result;
}

#include "aws/sts.h"

#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "aws/xml.h"
#include "base/alloc.h"
#include "base/time.h"

void aws_identity_release(struct aws_identity *i)
{
	if (!i)
		return;
	free(i->account);
	free(i->arn);
}

/* A text that has to be there; free(). */
static int take(const struct aws_answer *answer, const char *path, char **out, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	bool found;

	if (xml_find(answer->body.buf, answer->body.len, "the answer of STS", path, &text, &found,
		     err) < 0)
		return -1;
	if (!found || !text.len)
		return error_set(err, ERROR_CORRUPT, "the answer of STS lacks %s", path);
	*out = strbuf_detach(&text, NULL);
	return 0;
}

int aws_caller_identity(struct aws *a, struct aws_identity *out, struct error *err)
{
	const struct aws_request r = {.service = AWS_STS, .operation = "GetCallerIdentity"};
	AUTO(aws_answer) answer = {.body = STRBUF_INIT};
	AUTO(aws_identity) found = {0};

#define PLACE "GetCallerIdentityResponse/GetCallerIdentityResult/"
	if (aws_call(a, &r, &answer, err) < 0 ||
	    take(&answer, PLACE "Account", &found.account, err) < 0 ||
	    take(&answer, PLACE "Arn", &found.arn, err) < 0)
		return -1;
#undef PLACE
	aws_identity_release(out);
	*out = found;
	found = (struct aws_identity){0};
	return 0;
}

static int read_keys(const struct aws_answer *answer, const char *operation,
		     struct aws_credentials *out, struct error *err)
{
	AUTO_FREE char *place = xstrfmt("%sResponse/%sResult/Credentials", operation, operation);
	AUTO_FREE char *access = xstrfmt("%s/AccessKeyId", place);
	AUTO_FREE char *secret = xstrfmt("%s/SecretAccessKey", place);
	AUTO_FREE char *token = xstrfmt("%s/SessionToken", place);
	AUTO_FREE char *until = xstrfmt("%s/Expiration", place);
	AUTO_FREE char *expires = NULL;

	if (take(answer, access, &out->access_key, err) < 0 ||
	    take(answer, secret, &out->secret_key, err) < 0 ||
	    take(answer, token, &out->token, err) < 0 || take(answer, until, &expires, err) < 0)
		return -1;
	return time_parse(expires, &out->expires, err);
}

int aws_assume_role(struct aws *a, const struct aws_role_request *r, const char *source,
		    struct aws_credentials *out, struct error *err)
{
	AUTO(strmap) form = STRMAP_INIT;
	AUTO(aws_answer) answer = {.body = STRBUF_INIT};
	AUTO(aws_credentials) got = {.source = source};
	struct aws_request request = {
		.service = AWS_STS,
		.operation = r->web_identity_token ? "AssumeRoleWithWebIdentity" : "AssumeRole",
		.region = r->region,
		.form = &form,
		.unsigned_call = r->web_identity_token != NULL,
		.as = r->as,
	};
	int result;

	strmap_set(&form, "RoleArn", r->role_arn);
	strmap_set(&form, "RoleSessionName", r->session_name ? r->session_name : "slipway");
	if (r->external_id)
		strmap_set(&form, "ExternalId", r->external_id);
	if (r->duration)
		strmap_set(&form, "DurationSeconds", r->duration);
	if (r->web_identity_token)
		strmap_set(&form, "WebIdentityToken", r->web_identity_token);
	result = aws_call(a, &request, &answer, err);
	if (r->web_identity_token)
		wipe(form.entries[form.n - 1].value, strlen(r->web_identity_token));
	if (result < 0)
		return error_wrap(err, "take the role %s", r->role_arn);
	if (read_keys(&answer, request.operation, &got, err) < 0)
		return -1;
	aws_credentials_release(out);
	*out = got;
	got = (struct aws_credentials){0};
	return 0;
}

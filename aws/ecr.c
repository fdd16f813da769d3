#include "aws/ecr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/credentials.h"
#include "base/alloc.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/time.h"

#define TOKEN_SECONDS (12 * 3600)

static bool is_account(const char *s)
{
	return strspn(s, "0123456789") == 12;
}

/* What stands behind the region: a partition's domain. */
static bool is_domain(const char *s)
{
	static const char *const domains[] = {
		"amazonaws.com", "amazonaws.com.cn", "amazonaws.eu",
		"on.aws",        "c2s.ic.gov",       "on.amazonwebservices.com.cn",
		"sc2s.sgov.gov",
	};

	for (size_t i = 0; i < ARRAY_SIZE(domains); i++)
		if (strcmp(s, domains[i]) == 0)
			return true;
	return false;
}

bool ecr_host_parse(struct ecr_host *out, const char *host)
{
	static const char *const middles[] = {".dkr.ecr-fips.", ".dkr-ecr-fips.", ".dkr.ecr.",
					      ".dkr-ecr."};
	struct ecr_host h = {.account = ""};
	const char *rest = NULL, *dot;

	if (strcmp(host, "public.ecr.aws") == 0 || strcmp(host, "ecr-public.aws.com") == 0) {
		h.is_public = true;
		snprintf(h.region, sizeof(h.region), "us-east-1");
		*out = h;
		return true;
	}
	if (!is_account(host))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(middles) && !rest; i++) {
		if (!str_starts(host + 12, middles[i]))
			continue;
		rest = host + 12 + strlen(middles[i]);
		h.is_fips = strstr(middles[i], "fips") != NULL;
	}
	dot = rest ? strchr(rest, '.') : NULL;
	if (!dot || (size_t)(dot - rest) >= sizeof(h.region) || !is_domain(dot + 1))
		return false;
	snprintf(h.account, sizeof(h.account), "%.12s", host);
	snprintf(h.region, sizeof(h.region), "%.*s", (int)(dot - rest), rest);
	if (!aws_region_is_valid(h.region))
		return false;
	*out = h;
	return true;
}

/* base64("AWS:PASSWORD") */
static int read_token(const char *text, struct login *out, struct error *err)
{
	AUTO(strbuf) plain = STRBUF_INIT;
	const char *colon;
	int r = 0;

	if (!base64_decode(&plain, text, strlen(text)) || memchr(plain.buf, '\0', plain.len) ||
	    !(colon = strchr(plain.buf, ':')))
		r = error_set(err, ERROR_CORRUPT,
			      "ECR GetAuthorizationToken: the token is not what was expected");
	if (r == 0) {
		*out = (struct login){
			.username = xstrfmt("%.*s", (int)(colon - plain.buf), plain.buf),
			.password = xstrdup(colon + 1),
		};
	}
	wipe(plain.buf, plain.len);
	return r;
}

/* Private registries answer with a list of one, the public one with an object. */
static int read_answer(const struct ecr_host *host, const struct aws_answer *answer,
		       struct login *out, struct error *err)
{
	static const char where[] = "the answer of GetAuthorizationToken";
	AUTO_JSON *j = NULL;
	const char *token;
	json_t *data;

	if (json_parse(&j, answer->body.buf, answer->body.len, where, err) < 0)
		return -1;
	if (host->is_public) {
		if (json_get_object(j, "authorizationData", &data, where, err) < 0)
			return -1;
	} else {
		if (json_get_array(j, "authorizationData", &data, where, err) < 0)
			return -1;
		data = json_array_get(data, 0);
		if (!json_is_object(data))
			return error_set(err, ERROR_CORRUPT, "%s: authorizationData is empty",
					 where);
	}
	if (json_get_string(data, "authorizationToken", &token, where, err) < 0)
		return -1;
	return read_token(token, out, err);
}

int ecr_login(struct aws *a, const struct ecr_host *host, struct login *out, int64_t *expires,
	      struct error *err)
{
	const struct aws_request r = {
		.service = host->is_public ? AWS_ECR_PUBLIC : AWS_ECR,
		.operation = "GetAuthorizationToken",
		.region = host->region,
	};
	AUTO(aws_answer) answer = {.body = STRBUF_INIT};
	const struct aws_credentials *who;

	if (aws_call(a, &r, &answer, err) < 0 || read_answer(host, &answer, out, err) < 0)
		return -1;
	if (aws_get_credentials(a, &who, err) < 0)
		return -1;
	/* Emulators give dates of the past: the documented life counts, and what the keys have left. */
	*expires = aws_now(a) + TOKEN_SECONDS;
	if (who->expires && who->expires < *expires)
		*expires = who->expires;
	return 0;
}

int ecr_create_repository(struct aws *a, const struct ecr_host *host, const char *name,
			  struct error *err)
{
	AUTO_JSON *body = json_object();
	const struct aws_request r = {
		.service = host->is_public ? AWS_ECR_PUBLIC : AWS_ECR,
		.operation = "CreateRepository",
		.region = host->region,
		.json = body,
	};
	AUTO(aws_answer) answer = {.body = STRBUF_INIT};
	AUTO(error) local = ERROR_INIT;

	json_object_set_new(body, "repositoryName", json_text(name));
	if (aws_call(a, &r, &answer, &local) == 0 ||
	    aws_answer_is(&answer, "RepositoryAlreadyExistsException"))
		return 0;
	return error_move(err, &local);
}

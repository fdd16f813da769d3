/*
 * Keys of an IAM Identity Center session that "aws sso login" opened: its cached token buys them from the portal (AWS SDKs
 * reference, "IAM Identity Center credential provider"). The token is never renewed here: that is the login's matter.
 */
#include <stdlib.h>
#include <string.h>

#include "aws/aws_private.h"
#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "base/time.h"
#include "net/url.h"

struct sso {
	const char *session; /* name of the cached token: of the session, else the start URL */
	const char *start_url, *region, *account, *role;
};

static int read_settings(struct aws *a, struct sso *s, struct error *err)
{
	const char *profile = aws_profile_name(a);
	const char *name = aws_profile_get(&a->profiles, profile, "sso_session");

	s->account = aws_profile_get(&a->profiles, profile, "sso_account_id");
	s->role = aws_profile_get(&a->profiles, profile, "sso_role_name");
	if (name) {
		s->session = name;
		s->start_url = aws_section_get(&a->profiles, "sso-session", name, "sso_start_url");
		s->region = aws_section_get(&a->profiles, "sso-session", name, "sso_region");
	} else {
		s->start_url = aws_profile_get(&a->profiles, profile, "sso_start_url");
		s->region = aws_profile_get(&a->profiles, profile, "sso_region");
		s->session = s->start_url;
	}
	if (!s->session || !s->start_url || !s->region || !s->account || !s->role)
		return error_set(err, ERROR_SYNTAX,
				 "the AWS profile \"%s\" needs sso_account_id, sso_role_name, and "
				 "sso_start_url and sso_region (its own or an [sso-session]'s)",
				 profile);
	if (!aws_region_is_valid(s->region))
		return error_set(err, ERROR_SYNTAX, "sso_region \"%s\" cannot be an AWS region",
				 s->region);
	return 0;
}

/* The AWS CLI names the file by the SHA-1 of the session's name. */
static char *cache_path(struct aws *a, const struct sso *s)
{
	char hex[SHA1_HEX_SIZE];

	sha1_hex(s->session, strlen(s->session), hex);
	return xstrfmt("%s/.aws/sso/cache/%s.json", a->o.home ? a->o.home : "", hex);
}

static int login_again(struct aws *a, const char *why, struct error *err)
{
	error_set(err, ERROR_DENIED, "the session of the AWS profile \"%s\" %s",
		  aws_profile_name(a), why);
	return error_hint(err, "run: aws sso login --profile %s", aws_profile_name(a));
}

static int read_token(struct aws *a, const struct sso *s, char **token, struct error *err)
{
	AUTO_FREE char *path = cache_path(a, s);
	AUTO_JSON *j = NULL;
	AUTO(error) local = ERROR_INIT;
	const char *access, *until;
	int64_t expires;

	if (json_parse_file(&j, path, LIMIT_TOKEN_BYTES, &local) < 0)
		return local.kind == ERROR_NOT_FOUND ? login_again(a, "was never opened", err)
						     : error_move(err, &local);
	if (json_get_string(j, "accessToken", &access, path, err) < 0 ||
	    json_get_string(j, "expiresAt", &until, path, err) < 0 ||
	    time_parse(until, &expires, err) < 0)
		return -1;
	if (expires <= aws_now(a))
		return login_again(a, "has ended", err);
	if (strpbrk(access, "\r\n"))
		return error_set(err, ERROR_CORRUPT, "%s: the token holds a line break", path);
	*token = xstrdup(access);
	return 0;
}

static void portal_url(struct aws *a, const struct sso *s, struct strbuf *url)
{
	const char *endpoint = aws_env(a, "AWS_ENDPOINT_URL_SSO");

	if (endpoint)
		strbuf_puts(url, endpoint);
	else
		strbuf_printf(url, "https://portal.sso.%s.%s", s->region,
			      str_starts(s->region, "cn-") ? "amazonaws.com.cn" : "amazonaws.com");
	strbuf_puts(url, "/federation/credentials?role_name=");
	url_encode(url, s->role);
	strbuf_puts(url, "&account_id=");
	url_encode(url, s->account);
}

static int read_keys(struct aws_credentials *out, const struct http_response *res,
		     struct error *err)
{
	static const char where[] = "the answer of the SSO portal";
	AUTO_JSON *j = NULL;
	AUTO(aws_credentials) c = {.source = "sso"};
	const char *access, *secret, *token;
	json_t *role;
	int64_t ms;

	if (json_parse(&j, res->body.buf, res->body.len, where, err) < 0 ||
	    json_get_object(j, "roleCredentials", &role, where, err) < 0 ||
	    json_get_string(role, "accessKeyId", &access, where, err) < 0 ||
	    json_get_string(role, "secretAccessKey", &secret, where, err) < 0 ||
	    json_get_string(role, "sessionToken", &token, where, err) < 0 ||
	    json_get_int(role, "expiration", &ms, where, err) < 0)
		return -1;
	c.access_key = xstrdup(access);
	c.secret_key = xstrdup(secret);
	c.token = xstrdup(token);
	c.expires = ms / 1000;
	aws_credentials_release(out);
	*out = c;
	c = (struct aws_credentials){0};
	return 0;
}

int aws_from_sso(struct aws *a, struct aws_credentials *out, bool *found, struct error *err)
{
	AUTO(strbuf) url = STRBUF_INIT;
	AUTO(strlist) headers = STRLIST_INIT;
	AUTO(http_response) res = {0};
	struct http_request req = {.method = "GET", .headers = &headers, .body_len = -1};
	struct sso s = {0};
	char *token = NULL;
	struct http *http;
	const char *start;
	int r;

	*found = false;
	if (aws_setting(a, "sso_session", &start, err) < 0 ||
	    (!start && aws_setting(a, "sso_start_url", &start, err) < 0))
		return -1;
	if (!start)
		return 0;
	*found = true;
	if (read_settings(a, &s, err) < 0 || read_token(a, &s, &token, err) < 0)
		return -1;
	portal_url(a, &s, &url);
	req.url = url.buf;
	strlist_addf(&headers, "x-amz-sso_bearer_token: %s", token);
	wipe_free(token);
	r = aws_http(a, &http, err);
	if (r == 0)
		r = http_send(http, &req, &res, err);
	wipe(headers.items[0], strlen(headers.items[0]));
	if (r < 0)
		return -1;
	if (res.status == 401)
		return login_again(a, "was refused", err);
	if (res.status != 200)
		return error_set(err, ERROR_DENIED,
				 "the SSO portal answered %d %s for the role %s in account %s",
				 res.status, http_status_text(res.status), s.role, s.account);
	r = read_keys(out, &res, err);
	wipe(res.body.buf, res.body.len);
	return r;
}

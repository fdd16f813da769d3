#include "registry/token.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/time.h"
#include "base/base64.h"
#include "registry/policy.h"
#include "registry/remote_error.h"
#include "registry/retry.h"

#define MAX_REDIRECTS   3
#define DEFAULT_SECONDS 60
#define MAX_SECONDS     (7 * 24 * 3600)

void token_release(struct token *t)
{
	wipe_free(t->value);
	*t = (struct token){0};
}

char *token_basic_header(const char *user, const char *password)
{
	AUTO(strbuf) plain = STRBUF_INIT;
	AUTO(strbuf) header = STRBUF_INIT;

	strbuf_printf(&plain, "%s:%s", user, password);
	/* Room at once: a buffer that grows leaves copies behind. */
	strbuf_grow(&header, 32 + plain.len * 2);
	strbuf_puts(&header, "Authorization: Basic ");
	base64_encode(&header, plain.buf, plain.len);
	wipe(plain.buf, plain.len);
	return strbuf_detach(&header, NULL);
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static struct registry_host *host_of(const struct token_request *r, const struct url *at)
{
	if (url_same_origin(at, r->registry))
		return r->host;
	return client_host_of_url(r->host->client, at);
}

/* One request and its redirects; authorization (NULL: none) and a body go to the first origin only. */
static int send_following(const struct token_request *r, const struct url *first,
			  const char *authorization, const struct http_request *req,
			  struct http_response *res, struct error *err)
{
	AUTO(url) at = {0};

	url_copy(&at, first);
	for (int hop = 0;; hop++) {
		bool same = url_same_origin(&at, first);
		AUTO(url) next = {0};
		const char *location;

		if (!same && req->body_len >= 0)
			return error_set(err, ERROR_DENIED,
					 "the token server %s redirects a request that carries a "
					 "credential to another host: refused",
					 first->host);
		if (host_send(host_of(r, &at), &at, same ? authorization : NULL, req, res, err) < 0)
			return -1;
		location = http_header_get(res, "Location", 0);
		if (!is_redirect(res->status) || !location)
			return 0;
		if (hop == MAX_REDIRECTS)
			return error_set(err, ERROR_REMOTE,
					 "the token server %s redirects more than %d times",
					 first->host, MAX_REDIRECTS);
		if (url_resolve(&next, &at, location, err) < 0 ||
		    policy_check(r->registry, &next, "token server", err) < 0)
			return -1;
		url_release(&at);
		at = next;
		next = (struct url){0};
	}
}

static int send_retrying(const struct token_request *r, const struct url *first,
			 const char *authorization, const struct http_request *req,
			 struct http_response *res, struct error *err)
{
	struct retry retry;

	retry_begin(&retry, host_of(r, first), 0, "ask for a token");
	for (;;) {
		AUTO(error) why = ERROR_INIT;
		int rc = send_following(r, first, authorization, req, res, &why);
		int again = retry_again(&retry, rc < 0 ? NULL : res, &why, 0, err);

		if (again > 0)
			continue;
		if (again == 0 && rc < 0)
			error_move(err, &why);
		return again < 0 ? -1 : rc;
	}
}

static void add_param(struct strbuf *out, const char *name, const char *value)
{
	if (out->len)
		strbuf_putc(out, '&');
	strbuf_printf(out, "%s=", name);
	url_encode(out, value);
}

static int get_token(const struct token_request *r, const struct url *realm,
		     struct http_response *res, struct error *err)
{
	const struct login *l = r->login;
	AUTO(strbuf) query = STRBUF_INIT;
	AUTO(url) url = {0};
	char *authorization = NULL;
	struct http_request req = {
		.method = "GET",
		.body_len = -1,
		.body_limit = LIMIT_TOKEN_BYTES,
	};
	int rc;

	url_copy(&url, realm);
	strbuf_puts(&query, realm->query ? realm->query : "");
	if (l && l->username)
		add_param(&query, "account", l->username);
	if (r->service)
		add_param(&query, "service", r->service);
	for (size_t i = 0; i < r->scopes->n; i++)
		add_param(&query, "scope", r->scopes->items[i]);
	free(url.query);
	url.query = query.len ? strbuf_detach(&query, NULL) : NULL;
	/* An identity token serves as password where a server does not know OAuth2. */
	if (l)
		authorization = token_basic_header(l->username ? l->username : "<token>",
						   l->password && *l->password ? l->password
						   : l->identity_token         ? l->identity_token
									       : "");
	rc = send_retrying(r, &url, authorization, &req, res, err);
	wipe_free(authorization);
	return rc;
}

static int post_identity_token(const struct token_request *r, const struct url *realm,
			       struct http_response *res, struct error *err)
{
	AUTO_FREE char *scope = strlist_join(r->scopes, " ");
	AUTO(strlist) headers = STRLIST_INIT;
	AUTO(strbuf) form = STRBUF_INIT;
	struct http_request req = {
		.method = "POST",
		.headers = &headers,
		.body_limit = LIMIT_TOKEN_BYTES,
	};
	int rc;

	strbuf_grow(&form, 256 + 3 * strlen(r->login->identity_token));
	add_param(&form, "grant_type", "refresh_token");
	add_param(&form, "refresh_token", r->login->identity_token);
	add_param(&form, "client_id", "slipway");
	if (r->service)
		add_param(&form, "service", r->service);
	if (*scope)
		add_param(&form, "scope", scope);
	strlist_add(&headers, "Content-Type: application/x-www-form-urlencoded");
	req.body = form.buf;
	req.body_len = (int64_t)form.len;
	rc = send_retrying(r, realm, NULL, &req, res, err);
	wipe(form.buf, form.len);
	return rc;
}

static bool is_header_safe(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s <= ' ' || *s > '~')
			return false;
	}
	return true;
}

static int parse_answer(const struct http_response *res, const char *where, struct token *out,
			struct error *err)
{
	AUTO(error) hidden = ERROR_INIT;
	AUTO_JSON *j = NULL;
	const char *value = NULL;
	int64_t seconds;

	/* A parser's message could repeat a part of the token. */
	if (json_parse(&j, res->body.buf, res->body.len, where, &hidden) < 0 || !json_is_object(j))
		return error_set(err, ERROR_CORRUPT, "the answer of %s is not a JSON object",
				 where);
	value = json_string_value(json_object_get(j, "token"));
	if (!value || !*value)
		value = json_string_value(json_object_get(j, "access_token"));
	if (!value || !is_header_safe(value))
		return error_set(err, ERROR_CORRUPT, "the answer of %s has no token", where);
	seconds = json_integer_value(json_object_get(j, "expires_in"));
	if (seconds <= 0)
		seconds = DEFAULT_SECONDS;
	if (seconds > MAX_SECONDS)
		seconds = MAX_SECONDS;
	out->value = xstrdup(value);
	out->renew_at_ns = time_monotonic_ns() + seconds * 800000000ll;
	return 0;
}

static int check_realm(const struct token_request *r, const struct url *realm, struct error *err)
{
	if (policy_check(r->registry, realm, "token server", err) < 0)
		return -1;
	if (r->login && strcmp(realm->scheme, "http") == 0 && !host_of(r, realm)->may_be_plain)
		return error_set(err, ERROR_DENIED,
				 "%s names the token server http://%s: no password is sent there "
				 "over plain HTTP",
				 r->host->login_name, realm->host);
	return 0;
}

static int refused(const struct token_request *r, const char *realm,
		   const struct http_response *res, struct error *err)
{
	AUTO(strbuf) who = STRBUF_INIT;
	AUTO_FREE char *what = NULL;

	if (r->login) {
		const char *user = r->login->username ? r->login->username : "an identity token";

		strbuf_puts(&who, " as ");
		strbuf_add_printable(&who, user, strlen(user), false);
	}
	what = xstrfmt("log in to %s%s", r->host->login_name, r->login ? who.buf : " anonymously");
	/* The remedy names the registry, the description who answered. */
	if (res->status == 401 || res->status == 403) {
		AUTO(strbuf) text = STRBUF_INIT;

		remote_describe(&text, realm, res);
		error_set(err, ERROR_DENIED, "%s: %s", what, text.buf);
		if (err)
			err->status = res->status;
		return error_hint(err, "\"slipway login %s\" asks for user name and password",
				  r->host->login_name);
	}
	return remote_error(err, what, realm, res);
}

int token_fetch(const struct token_request *r, struct token *out, struct error *err)
{
	AUTO(http_response) res = {0};
	AUTO(url) realm = {0};
	AUTO_FREE char *shown = NULL;
	int rc;

	if (url_resolve(&realm, r->registry, r->realm, err) < 0)
		return error_wrap(err, "the token server that %s names", r->host->login_name);
	if (check_realm(r, &realm, err) < 0)
		return -1;
	shown = url_redact(&realm);
	report_log(r->host->client->o.reporter, LOG_DEBUG, "token for %s from %s, %s",
		   r->host->login_name, shown, r->login ? "with the login" : "anonymously");
	if (r->login && r->login->identity_token) {
		rc = post_identity_token(r, &realm, &res, err);
		if (rc == 0 && (res.status == 404 || res.status == 405))
			rc = get_token(r, &realm, &res, err);
	} else {
		rc = get_token(r, &realm, &res, err);
	}
	if (rc == 0 && res.status != 200) {
		rc = refused(r, shown, &res, err);
	} else if (rc == 0) {
		rc = parse_answer(&res, shown, out, err);
	} else if (err && err->kind == ERROR_NETWORK) {
		remote_unreachable(err, "ask for a token", realm.host);
		/* Nothing about the registry's own host: neither plain HTTP nor another round of retries would help. */
		err->number = HTTP_FAILURE_FINAL;
	}
	if (res.body.buf)
		wipe(res.body.buf, res.body.len);
	return rc;
}

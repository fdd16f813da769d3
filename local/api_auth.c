#include "local/api_auth.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "aws/sigv4.h"
#include "base/alloc.h"
#include "base/error.h"

#define ALGORITHM   "AWS4-HMAC-SHA256"
#define MAX_SKEW    300
#define MAX_HEADERS 64
#define UNKNOWN     "The security token included in the request is invalid."
#define MISMATCH                                                                                     \
	"The request signature we calculated does not match the signature you provided. Check your " \
	"AWS Secret Access Key and signing method. Consult the service documentation for details."

void auth_release(struct auth *a)
{
	if (!a)
		return;
	wipe_free(a->secret_key);
	free(a->access_key);
	free(a->region);
	free(a->service);
	free(a->signature);
	free(a->caller);
	strlist_release(&a->signed_headers);
	memset(a, 0, sizeof(*a));
}

char *auth_user_arn(const char *account)
{
	return xstrfmt("arn:aws:iam::%s:user/local", account);
}

static int __attribute__((format(printf, 3, 4)))
refuse(struct auth_refusal *out, enum auth_problem problem, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	out->problem = problem;
	out->message = xstrvfmt(fmt, ap);
	va_end(ap);
	return -1;
}

#define refuse(...) (refuse(__VA_ARGS__), error_result())

/* "20261122T100000Z" */
static bool parse_time(const char *text, int64_t *out)
{
	struct tm tm = {0};
	char again[SIGV4_TIME_SIZE];
	const char *end = strptime(text, "%Y%m%dT%H%M%SZ", &tm);

	if (!end || *end)
		return false;
	*out = (int64_t)timegm(&tm);
	sigv4_time(*out, again);
	return strcmp(again, text) == 0;
}

/* "NAME=value" of the parts behind the algorithm, which commas and blanks part. */
static char *part_of(const char *header, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = header; *p;) {
		size_t len = strcspn(p, ", ");

		if (len > n && strncmp(p, name, n) == 0 && p[n] == '=')
			return xstrndup(p + n + 1, len - n - 1);
		p += len;
		p += strspn(p, ", ");
	}
	return NULL;
}

/* Credential=KEY/20261122/us-east-1/ecs/aws4_request: *date is a view of the header's own. */
static bool read_credential(struct auth *a, const char *text, char **date)
{
	AUTO(strlist) parts = STRLIST_INIT;

	strlist_split(&parts, text, '/');
	if (parts.n != 5 || strcmp(parts.items[4], "aws4_request") != 0)
		return false;
	a->access_key = xstrdup(parts.items[0]);
	*date = xstrdup(parts.items[1]);
	a->region = xstrdup(parts.items[2]);
	a->service = xstrdup(parts.items[3]);
	return true;
}

static int read_header(struct auth *a, const char *header, char **date, struct auth_refusal *out)
{
	AUTO_FREE char *credential = part_of(header, "Credential");
	AUTO_FREE char *names = part_of(header, "SignedHeaders");

	a->signature = part_of(header, "Signature");
	if (!credential || !a->signature || !names)
		return refuse(
			out, AUTH_INCOMPLETE, "%s%s%sAuthorization=%.200s",
			credential ? "" : "Authorization header requires 'Credential' parameter. ",
			a->signature ? "" : "Authorization header requires 'Signature' parameter. ",
			names ? "" : "Authorization header requires 'SignedHeaders' parameter. ",
			ALGORITHM);
	if (!read_credential(a, credential, date))
		return refuse(out, AUTH_INCOMPLETE,
			      "Credential must have exactly 5 slash-delimited elements, e.g. "
			      "keyid/date/region/service/term, got '%.200s'",
			      credential);
	strlist_split(&a->signed_headers, names, ';');
	if (a->signed_headers.n > MAX_HEADERS)
		return refuse(out, AUTH_INCOMPLETE, "more than %d headers are signed", MAX_HEADERS);
	return 0;
}

static bool is_signed(const struct auth *a, const char *name)
{
	for (size_t i = 0; i < a->signed_headers.n; i++)
		if (strcasecmp(a->signed_headers.items[i], name) == 0)
			return true;
	return false;
}

/* What says what is asked, of whom and when must be under the signature. */
static int check_signed(const struct auth *a, const struct auth_request *r,
			struct auth_refusal *out)
{
	static const char *const names[] = {"x-amz-date", "x-amz-target", "x-amz-security-token",
					    "x-amz-content-sha256"};

	if (!is_signed(a, "host"))
		return refuse(out, AUTH_MISMATCH,
			      "'Host' or ':authority' must be a 'SignedHeader' in the AWS "
			      "Authorization.");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_FREE char *value = r->header(r->arg, names[i]);

		if (value && !is_signed(a, names[i]))
			return refuse(out, AUTH_MISMATCH,
				      "'%s' must be a 'SignedHeader' in the AWS Authorization.",
				      names[i]);
	}
	return 0;
}

static int check_scope(const struct auth *a, const struct auth_keys *keys, const char *date,
		       struct auth_refusal *out)
{
	bool global = strcmp(a->service, "iam") == 0 || strcmp(a->service, "sts") == 0;
	char time[SIGV4_TIME_SIZE];

	sigv4_time(a->time, time);
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a header that was read has a date */
	if (strncmp(time, date, 8) != 0 || strlen(date) != 8)
		return refuse(out, AUTH_MISMATCH,
			      "Date in Credential scope does not match YYYYMMDD from ISO-8601 "
			      "version of date from HTTP: '%.20s' != '%.8s', from '%s'.",
			      date, time, time);
	if (strcmp(a->region, keys->region) != 0 &&
	    !(global && strcmp(a->region, "us-east-1") == 0))
		return refuse(out, AUTH_MISMATCH,
			      "Credential should be scoped to a valid region, not '%.60s': this "
			      "local target's region is '%s'.",
			      a->region, keys->region);
	if (keys->service && strcmp(a->service, keys->service) != 0)
		return refuse(out, AUTH_MISMATCH,
			      "Credential should be scoped to correct service: '%s'.",
			      keys->service);
	return 0;
}

static int check_clock(const struct auth *a, int64_t now, struct auth_refusal *out)
{
	char sent[SIGV4_TIME_SIZE], here[SIGV4_TIME_SIZE], edge[SIGV4_TIME_SIZE];
	bool old = a->time < now - MAX_SKEW;

	if (!old && a->time <= now + MAX_SKEW)
		return 0;
	sigv4_time(a->time, sent);
	sigv4_time(now, here);
	sigv4_time(old ? now - MAX_SKEW : now + MAX_SKEW, edge);
	return refuse(out, AUTH_CLOCK,
		      old ? "Signature expired: %s is now earlier than %s (%s - 5 min.)"
			  : "Signature not yet current: %s is still later than %s (%s + 5 min.)",
		      sent, edge, here);
}

static int find_secret(struct auth *a, const struct auth_request *r, const struct auth_keys *keys,
		       struct auth_refusal *out)
{
	AUTO_FREE char *token = r->header(r->arg, "x-amz-security-token");
	AUTO(session) session = SESSION_INIT;

	if (!token && strcmp(a->access_key, keys->access_key) == 0) {
		a->secret_key = xstrdup(keys->secret_key);
		a->caller = auth_user_arn(keys->account);
		return 0;
	}
	if (!token)
		return refuse(out, AUTH_UNKNOWN, UNKNOWN);
	switch (session_read(&session, keys->secret_key, a->access_key, token, keys->now)) {
	case TOKEN_FOREIGN:
		return refuse(out, AUTH_UNKNOWN, UNKNOWN);
	case TOKEN_EXPIRED:
		return refuse(out, AUTH_TOKEN_IS_OLD,
			      "The security token included in the request is expired");
	case TOKEN_GOOD:
		break;
	}
	a->secret_key = take_ptr(session.secret_key);
	a->caller = take_ptr(session.arn);
	return 0;
}

/* Not in the header: asked for in the query, or not at all. */
static int refuse_unsigned(const struct auth_request *r, const char *header,
			   struct auth_refusal *out)
{
	if (strstr(r->target, "X-Amz-Signature=") || strstr(r->target, "X-Amz-Credential="))
		return refuse(out, AUTH_INCOMPLETE,
			      "the local target takes no presigned URLs: sign with an "
			      "Authorization header");
	if (header)
		return refuse(out, AUTH_INCOMPLETE,
			      "Unsupported AWS 'algorithm': the local target takes " ALGORITHM
			      " alone");
	return refuse(out, AUTH_MISSING, "Request is missing Authentication Token");
}

int auth_read(struct auth *a, const struct auth_request *r, const struct auth_keys *keys,
	      struct auth_refusal *out)
{
	AUTO_FREE char *header = r->header(r->arg, "authorization");
	AUTO_FREE char *when = r->header(r->arg, "x-amz-date");
	AUTO_FREE char *date = NULL;

	if (!header || !str_starts(header, ALGORITHM " "))
		return refuse_unsigned(r, header, out);
	if (read_header(a, header + strlen(ALGORITHM " "), &date, out) < 0)
		return -1;
	if (!when || !parse_time(when, &a->time))
		return refuse(out, AUTH_INCOMPLETE,
			      when ? "Date must be in ISO-8601 'basic format'. Got '%.40s'."
				   : "Authorization header requires existence of a 'X-Amz-Date' "
				     "header.%s",
			      when ? when : "");
	if (find_secret(a, r, keys, out) < 0 || check_signed(a, r, out) < 0 ||
	    check_clock(a, keys->now, out) < 0)
		return -1;
	return check_scope(a, keys, date, out);
}

int auth_verify(const struct auth *a, const struct auth_request *r, const char *body_hash,
		struct auth_refusal *out)
{
	AUTO(strlist) values = STRLIST_INIT;
	AUTO(strbuf) canonical = STRBUF_INIT;
	AUTO(strbuf) text = STRBUF_INIT;
	struct sigv4_header headers[MAX_HEADERS];
	size_t path = strcspn(r->target, "?");
	AUTO_FREE char *before = xstrndup(r->target, path);
	AUTO_FREE char *claimed = r->header(r->arg, "x-amz-content-sha256");
	const struct sigv4_scope scope = {a->region, a->service, a->time};
	const struct sigv4_request request = {
		.method = r->method,
		.path = before,
		.query = r->target[path] ? r->target + path + 1 : NULL,
		.headers = headers,
		.n_headers = a->signed_headers.n,
		.payload_hash = body_hash,
	};
	char signature[SHA256_HEX_SIZE];

	if (claimed && strcmp(claimed, body_hash) != 0)
		return refuse(out, AUTH_MISMATCH,
			      "The value passed in as x-amz-content-sha256 is not the SHA-256 of "
			      "the body that came.");
	for (size_t i = 0; i < a->signed_headers.n; i++) {
		char *value = r->header(r->arg, a->signed_headers.items[i]);

		strlist_take(&values, value ? value : xstrdup(""));
		headers[i] = (struct sigv4_header){a->signed_headers.items[i], values.items[i]};
	}
	sigv4_canonical_request(&canonical, &request);
	sigv4_string_to_sign(&text, &scope, canonical.buf);
	sigv4_signature(signature, a->secret_key, &scope, text.buf);
	if (!sha256_equal_text(signature, a->signature))
		return refuse(out, AUTH_MISMATCH, MISMATCH);
	return 0;
}

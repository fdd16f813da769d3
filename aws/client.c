#include "aws/client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "aws/aws_private.h"
#include "aws/sigv4.h"
#include "aws/xml.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "base/time.h"
#include "net/url.h"

#define DEFAULT_ATTEMPTS 3
#define MAX_ATTEMPTS     20
#define MAX_DELAY_MS     20000

void aws_answer_release(struct aws_answer *answer)
{
	if (!answer)
		return;
	if (answer->body.cap)
		wipe(answer->body.buf, answer->body.cap);
	strbuf_release(&answer->body);
	free(answer->code);
	free(answer->message);
	*answer = (struct aws_answer){.body = STRBUF_INIT};
}

bool aws_answer_is(const struct aws_answer *answer, const char *code)
{
	return answer->code && strcmp(answer->code, code) == 0;
}

static void make_body(const struct aws_request *r, struct strbuf *body)
{
	const struct aws_service_info *info = aws_service_info(r->service);

	if (info->protocol == AWS_JSON) {
		if (r->json)
			json_write(r->json, body);
		else
			strbuf_puts(body, "{}");
		return;
	}
	strbuf_printf(body, "Action=%s&Version=%s", r->operation, info->target);
	for (size_t i = 0; r->form && i < r->form->n; i++) {
		strbuf_putc(body, '&');
		url_encode(body, r->form->entries[i].key);
		strbuf_putc(body, '=');
		url_encode(body, r->form->entries[i].value ? r->form->entries[i].value : "");
	}
}

/* One attempt, as its parts. */
struct attempt {
	const struct aws_request *r;
	const char *region;
	char *url; /* of the endpoint, with the path */
	struct strbuf body;
};

static void attempt_release(struct attempt *t)
{
	free(t->url);
	if (t->body.cap)
		wipe(t->body.buf, t->body.cap);
	strbuf_release(&t->body);
}
CLEANUP_RELEASE(attempt)

/* Header lines: those that are signed, and the signature. */
static int make_headers(struct aws *a, const struct attempt *t, struct strlist *out,
			struct error *err)
{
	const struct aws_service_info *info = aws_service_info(t->r->service);
	AUTO_FREE char *target = xstrfmt("%s.%s", info->target, t->r->operation);
	const struct aws_credentials *who = t->r->as;
	AUTO_FREE char *host = NULL;
	AUTO(url) u = {0};
	uint8_t raw[SHA256_SIZE];
	char hash[SHA256_HEX_SIZE];
	struct sigv4_header headers[3];
	struct sigv4_request request = {.method = "POST", .headers = headers, .payload_hash = hash};
	const struct sigv4_scope scope = {aws_signing_region(t->r->service, t->region),
					  info->signing_name, aws_now(a)};

	if (url_parse(&u, t->url, err) < 0)
		return -1;
	host = url_host_port(&u);
	headers[request.n_headers++] = (struct sigv4_header){"host", host};
	headers[request.n_headers++] = (struct sigv4_header){
		"content-type", info->protocol == AWS_JSON
					? "application/x-amz-json-1.1"
					: "application/x-www-form-urlencoded; charset=utf-8"};
	if (info->protocol == AWS_JSON)
		headers[request.n_headers++] = (struct sigv4_header){"x-amz-target", target};
	for (size_t i = 1; i < request.n_headers; i++)
		strlist_addf(out, "%s: %s", headers[i].name, headers[i].value);
	if (t->r->unsigned_call)
		return 0;
	if (!who && aws_get_credentials(a, &who, err) < 0)
		return -1;
	const struct sigv4_keys keys = {who->access_key, who->secret_key, who->token};

	request.path = u.path;
	sha256_buf(t->body.buf, t->body.len, raw);
	sha256_hex(raw, hash);
	sigv4_sign(out, &request, &scope, &keys);
	return 0;
}

static int send_once(struct aws *a, const struct attempt *t, struct http_response *res,
		     struct error *err)
{
	AUTO(strlist) headers = STRLIST_INIT;
	const struct http_request req = {
		.method = "POST",
		.url = t->url,
		.headers = &headers,
		.body = t->body.buf,
		.body_len = (int64_t)t->body.len,
	};
	struct http *http;
	int r;

	if (make_headers(a, t, &headers, err) < 0 || aws_http(a, &http, err) < 0)
		return -1;
	r = http_send(http, &req, res, err);
	for (size_t i = 0; i < headers.n; i++)
		wipe(headers.items[i], strlen(headers.items[i]));
	return r;
}

/* "prefix#Code:more" */
static char *plain_code(const char *text)
{
	const char *hash = strchr(text, '#');

	if (hash)
		text = hash + 1;
	return xstrfmt("%.*s", (int)strcspn(text, ":"), text);
}

static void read_json_error(const struct http_response *res, struct aws_answer *out)
{
	const char *header = http_header_get(res, "x-amzn-errortype", 0);
	AUTO_JSON *j = NULL;
	const char *type = NULL, *message = NULL;

	if (json_parse(&j, res->body.buf, res->body.len, "the answer", NULL) == 0 &&
	    json_is_object(j)) {
		type = json_string_value(json_object_get(j, "__type"));
		if (!type)
			type = json_string_value(json_object_get(j, "code"));
		message = json_string_value(json_object_get(j, "message"));
		if (!message)
			message = json_string_value(json_object_get(j, "Message"));
	}
	if (header || type)
		out->code = plain_code(header ? header : type);
	out->message = xstrdup_null(message);
}

static void read_xml_error(const struct http_response *res, struct aws_answer *out)
{
	static const char *const places[] = {"ErrorResponse/Error/", "Response/Errors/Error/"};
	AUTO(strbuf) text = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(places) && !out->code; i++) {
		AUTO_FREE char *code = xstrfmt("%sCode", places[i]);
		AUTO_FREE char *message = xstrfmt("%sMessage", places[i]);
		bool found;

		if (xml_find(res->body.buf, res->body.len, "answer", code, &text, &found, NULL) < 0)
			return;
		if (!found)
			continue;
		out->code = xstrdup(text.buf);
		if (xml_find(res->body.buf, res->body.len, "answer", message, &text, &found,
			     NULL) == 0 &&
		    found)
			out->message = xstrdup(text.buf);
	}
}

static void read_answer(const struct aws_request *r, struct http_response *res,
			struct aws_answer *out)
{
	aws_answer_release(out);
	out->status = res->status;
	if (res->status < 200 || res->status >= 300) {
		if (aws_service_info(r->service)->protocol == AWS_JSON)
			read_json_error(res, out);
		else
			read_xml_error(res, out);
		if (!out->code)
			out->code = xstrfmt("HTTP %d", res->status);
	}
	strbuf_add(&out->body, res->body.buf, res->body.len);
	if (res->body.cap)
		wipe(res->body.buf, res->body.cap);
}

static bool is_passing(const struct aws_answer *answer)
{
	static const char *const codes[] = {
		"BandwidthLimitExceeded",
		"EC2ThrottledException",
		"PriorRequestNotComplete",
		"ProvisionedThroughputExceededException",
		"RequestLimitExceeded",
		"RequestThrottled",
		"RequestThrottledException",
		"RequestTimeout",
		"RequestTimeoutException",
		"SlowDown",
		"ThrottledException",
		"Throttling",
		"ThrottlingException",
		"TooManyRequestsException",
		/* of web identities: AWS could not reach the token's issuer */
		"IDPCommunicationError",
	};
	int s = answer->status;

	return s == 429 || s == 500 || s == 502 || s == 503 || s == 504 ||
	       str_in(answer->code, codes, ARRAY_SIZE(codes));
}

static bool is_denial(const struct aws_answer *answer)
{
	static const char *const codes[] = {
		"AccessDenied",
		"AccessDeniedException",
		"ExpiredToken",
		"ExpiredTokenException",
		"IncompleteSignature",
		"InvalidClientTokenId",
		"InvalidSignatureException",
		"MissingAuthenticationToken",
		"OptInRequired",
		"SignatureDoesNotMatch",
		"UnrecognizedClientException",
	};

	return answer->status == 401 || answer->status == 403 ||
	       str_in(answer->code, codes, ARRAY_SIZE(codes));
}

/* A signature that is refused for its time: the answer says what time it is there. */
static bool repair_clock(struct aws *a, const struct aws_answer *answer,
			 const struct http_response *res)
{
	const char *date = http_header_get(res, "Date", 0);
	int64_t there = date ? http_parse_date(date) : -1, off;
	bool timed = strcmp(answer->code, "RequestTimeTooSkewed") == 0 ||
		     strcmp(answer->code, "RequestExpired") == 0 ||
		     (answer->message && (strstr(answer->message, "Signature expired") ||
					  strstr(answer->message, "not yet current")));

	if (!timed || there < 0 || a->skew)
		return false;
	off = there - aws_now(a);
	if (off > -60 && off < 60)
		return false;
	a->skew = off;
	report_log(a->o.reporter, LOG_WARNING,
		   "this machine's clock is %lld minutes %s: AWS's time is used for its calls",
		   (long long)((off < 0 ? -off : off) + 59) / 60, off > 0 ? "behind" : "ahead");
	return true;
}

/* The keys ended while they were in use: their source may have new ones. */
static bool renew_keys(struct aws *a, const struct attempt *t, const struct aws_answer *answer)
{
	static const char *const codes[] = {"ExpiredToken", "ExpiredTokenException",
					    "RequestExpired"};

	if (t->r->as || t->r->unsigned_call || !str_in(answer->code, codes, ARRAY_SIZE(codes)))
		return false;
	report_log(a->o.reporter, LOG_DEBUG, "the AWS credentials have expired: renewing them");
	aws_drop_credentials(a);
	return true;
}

int64_t aws_retry_delay_ns(int failures, int first_ms, uint32_t random)
{
	int64_t limit_us = MAX_DELAY_MS * INT64_C(1000);

	if (failures < 15 && (int64_t)first_ms << failures < MAX_DELAY_MS)
		limit_us = ((int64_t)first_ms << failures) * 1000;
	/* 20 s in nanoseconds, times 2^32, are more than 64 bits hold. */
	return limit_us * random / UINT32_MAX * 1000;
}

static int wait_before(struct aws *a, int failures, struct error *err)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = UINT32_MAX / 2;
	return cancel_sleep(
		a->o.cancel,
		aws_retry_delay_ns(failures, a->o.retry_ms ? a->o.retry_ms : 1000, random), err);
}

static int attempts_of(struct aws *a, int *out, struct error *err)
{
	const char *text = aws_env(a, "AWS_MAX_ATTEMPTS");
	char *end;
	long n;

	*out = DEFAULT_ATTEMPTS;
	if (!text && aws_setting(a, "max_attempts", &text, err) < 0)
		return -1;
	if (!text)
		return 0;
	n = strtol(text, &end, 10);
	if (*end || n < 1 || n > MAX_ATTEMPTS)
		return error_set(err, ERROR_USAGE,
				 "AWS_MAX_ATTEMPTS has to be a number from 1 to %d, not \"%s\"",
				 MAX_ATTEMPTS, text);
	*out = (int)n;
	return 0;
}

static int fail(const struct attempt *t, const struct aws_answer *out, struct error *err)
{
	error_set(err, is_denial(out) ? ERROR_DENIED : ERROR_REMOTE, "%s %s in %s: %s%s%s",
		  aws_service_info(t->r->service)->name, t->r->operation, t->region, out->code,
		  out->message ? ": " : "", out->message ? out->message : "");
	if (err)
		err->status = out->status;
	return -1;
}

static int send_all(struct aws *a, const struct attempt *t, int attempts, struct aws_answer *out,
		    struct error *err)
{
	bool renewed = false;

	for (int failures = 0;; failures++) {
		AUTO(http_response) res = {0};
		AUTO(error) why = ERROR_INIT;
		bool last = failures + 1 >= attempts;

		if (send_once(a, t, &res, &why) < 0) {
			if (last || why.kind != ERROR_NETWORK || http_failure_is_final(&why))
				return error_move(err, &why);
		} else {
			read_answer(t->r, &res, out);
			if (!out->code)
				return 0;
			if (repair_clock(a, out, &res)) {
				failures--;
				continue;
			}
			if (!renewed && renew_keys(a, t, out)) {
				renewed = true;
				failures--;
				continue;
			}
			if (last || !is_passing(out))
				return fail(t, out, err);
			fail(t, out, &why);
		}
		report_log(a->o.reporter, LOG_WARNING, "%s: trying again", why.message);
		if (wait_before(a, failures, err) < 0)
			return -1;
	}
}

int aws_call(struct aws *a, const struct aws_request *r, struct aws_answer *out, struct error *err)
{
	AUTO(attempt) t = {.r = r, .region = r->region, .body = STRBUF_INIT};
	AUTO_FREE char *endpoint = NULL;
	int attempts;

	if (!t.region && aws_find_region(a, &t.region, err) < 0)
		return -1;
	if (!t.region) {
		error_set(err, ERROR_USAGE, "%s %s: no AWS region is set",
			  aws_service_info(r->service)->name, r->operation);
		return error_hint(err, "set AWS_REGION, or a region in the profile");
	}
	if (aws_endpoint(a, r->service, t.region, &endpoint, err) < 0 ||
	    attempts_of(a, &attempts, err) < 0)
		return -1;
	if (r->attempts)
		attempts = r->attempts;
	t.url = xstrfmt("%s/", endpoint);
	make_body(r, &t.body);
	return send_all(a, &t, attempts, out, err);
}

#include "local/api_request.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "base/time.h"
#include "local/api_answer.h"
#include "local/api_auth.h"
#include "local/api_form.h"

/* Whoever has not signed has little to say. */
#define UNSIGNED_BODY (64u << 10)

struct api_request {
	struct local *local;
	struct server_request *http;
	struct auth auth;
	struct auth_refusal refusal; /* of a request that may need no signature */
	struct strbuf body;
	size_t limit;
	char *action; /* of the operation that was asked for */
	struct api_call call;
};

static char *header_of(void *arg, const char *name)
{
	return server_request_join_header(arg, name);
}

static struct auth_request auth_request_of(struct server_request *r)
{
	return (struct auth_request){.method = server_request_method(r),
				     .target = server_request_target(r),
				     .header = header_of,
				     .arg = r};
}

static const char *query_of(struct server_request *r)
{
	const char *mark = strchr(server_request_target(r), '?');

	return mark ? mark + 1 : "";
}

static bool has_action(const char *query)
{
	return str_starts(query, "Action=") || strstr(query, "&Action=");
}

bool api_request_is_one(struct server_request *r)
{
	const char *target = server_request_target(r);
	bool top = target[0] == '/' && (target[1] == '\0' || target[1] == '?');

	return top && (strcmp(server_request_method(r), "POST") == 0 ||
		       (strcmp(server_request_method(r), "GET") == 0 && has_action(query_of(r))));
}

static int __attribute__((format(printf, 4, 5)))
refuse(struct api_request *q, int status, const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	AUTO_FREE char *message = xstrvfmt(fmt, ap);
	va_end(ap);
	api_error(&q->call, code, "%s", message);
	q->call.status = status;
	api_answer_error(q->http, &q->call);
	return -1;
}

static void refuse_login(struct api_request *q)
{
	api_answer_refusal(q->http, &q->call, q->refusal.problem, q->refusal.message);
}

/* By X-Amz-Target; false, and answered, when it names nobody. Without one it is a form's, which its body says. */
static bool find_target(struct api_request *q)
{
	const char *target = server_request_header(q->http, "X-Amz-Target");
	AUTO(strbuf) list = STRBUF_INIT;
	const char *operation = NULL;

	if (!target)
		return true;
	q->call.service = api_service_of_target(target, &operation);
	if (q->call.service) {
		q->action = xstrdup(operation);
		return true;
	}
	api_service_list(&list, NULL);
	refuse(q, 400, "UnknownOperationException",
	       "the local target has no service that X-Amz-Target \"%.100s\" names; it has %s",
	       target, list.buf);
	return false;
}

static int read_signature(struct api_request *q)
{
	const struct local *l = q->local;
	const struct auth_request request = auth_request_of(q->http);
	const struct auth_keys keys = {
		.access_key = l->access_key,
		.secret_key = l->secret_key,
		.account = q->call.account,
		.region = q->call.region,
		.service = q->call.service ? q->call.service->name : NULL,
		.now = time_now(),
	};

	/* A page in a browser can have a GET sent without a word of where it comes from, but no header of its own with it. */
	if (l->no_auth && strcmp(request.method, "GET") == 0 &&
	    !server_request_header(q->http, "Authorization")) {
		q->refusal.problem = AUTH_MISSING;
		q->refusal.message = xstrdup("a GET needs an Authorization header here as well");
		return -1;
	}
	if (l->no_auth)
		return 0;
	return auth_read(&q->auth, &request, &keys, &q->refusal);
}

static bool take_room(struct api_request *q, size_t n)
{
	size_t all = atomic_fetch_add(&q->local->api_bodies, n) + n;

	if (all <= LIMIT_API_BODIES)
		return true;
	atomic_fetch_sub(&q->local->api_bodies, n);
	refuse(q, 503, "ServiceUnavailable", "the local target reads too many requests at once");
	return false;
}

static void start(struct api_request *q)
{
	const char *encoding = server_request_header(q->http, "Content-Encoding");

	if (!find_target(q))
		return;
	if (encoding && strcasecmp(encoding, "identity") != 0) {
		refuse(q, 415, "UnsupportedMediaType",
		       "the local target reads bodies as they are, not Content-Encoding \"%.40s\"",
		       encoding);
		return;
	}
	q->limit = LIMIT_API_BODY;
	if (read_signature(q) < 0) {
		/* Some operations need none, and which is asked for stands in the body. */
		q->limit = UNSIGNED_BODY;
		if (q->call.service || q->refusal.problem != AUTH_MISSING) {
			/* A form has not said yet whose it is, but for this. */
			if (!q->call.service)
				q->call.service = api_service_named(q->auth.service);
			refuse_login(q);
			return;
		}
	}
	if (server_request_length(q->http) > (int64_t)q->limit)
		refuse(q, 413, "RequestEntityTooLarge",
		       "the body has more than %zu bytes, which is what the local target reads",
		       q->limit);
}

void *api_request_begin(void *arg, struct server_request *r)
{
	struct api_request *q = xcalloc(1, sizeof(*q));

	q->local = arg;
	q->http = r;
	strbuf_init(&q->body);
	q->call.local = arg;
	q->call.region = q->local->region;
	q->call.account = LOCAL_ACCOUNT;
	q->call.host = server_request_header(r, "Host");
	start(q);
	return q;
}

void api_request_body(void *call, struct server_request *r, const void *data, size_t len)
{
	struct api_request *q = call;

	(void)r;
	if (q->body.len + len > q->limit)
		refuse(q, 413, "RequestEntityTooLarge",
		       "the body has more than %zu bytes, which is what the local target reads",
		       q->limit);
	else if (take_room(q, len))
		strbuf_add(&q->body, data, len);
}

static int read_json(struct api_request *q)
{
	int (*parse)(json_t **, const char *, size_t, const char *, struct error *);
	AUTO(error) err = ERROR_INIT;

	if (!q->body.len) {
		q->call.input = json_object();
		return 0;
	}
	/* Lines of a log are whatever a program wrote; no other text may end where nobody sees it. */
	parse = strcmp(q->call.service->name, "logs") == 0 ? json_parse_with_nul : json_parse;
	if (parse(&q->call.input, q->body.buf, q->body.len, "body", &err) < 0)
		return refuse(q, 400, "SerializationException", "%s", err.message);
	if (!json_is_object(q->call.input))
		return refuse(q, 400, "SerializationException", "the body is to be an object");
	return 0;
}

/* Of a form's Version, which no service of ours has. */
static int refuse_version(struct api_request *q, const char *version)
{
	AUTO(strbuf) list = STRBUF_INIT;

	api_service_list(&list, NULL);
	return refuse(q, 400, "InvalidAction",
		      "Could not find operation %.100s for version %.40s: the local target has %s",
		      q->action, version, list.buf);
}

static int read_form(struct api_request *q)
{
	AUTO(error) err = ERROR_INIT;
	const char *query = query_of(q->http), *action, *version;

	q->call.input = json_object();
	if (api_form_read(q->call.input, query, strlen(query), &err) < 0 ||
	    api_form_read(q->call.input, q->body.buf, q->body.len, &err) < 0)
		return refuse(q, 400, "MalformedQueryString", "%s", err.message);
	action = json_string_value(json_object_get(q->call.input, "Action"));
	version = json_string_value(json_object_get(q->call.input, "Version"));
	if (!action && q->refusal.problem != AUTH_FINE) {
		refuse_login(q);
		return -1;
	}
	if (!action)
		return refuse(q, 400, "MissingAction",
			      "a request to the local target names its operation by X-Amz-Target, "
			      "or by Action and Version of a form");
	q->action = xstrdup(action);
	q->call.service = version ? api_service_of_version(version) : NULL;
	return q->call.service ? 0 : refuse_version(q, version ? version : "(none)");
}

static int check_signature(struct api_request *q, const struct api_operation *o)
{
	const struct auth_request request = auth_request_of(q->http);
	uint8_t raw[SHA256_SIZE];
	char hash[SHA256_HEX_SIZE];

	if ((q->local->no_auth && q->refusal.problem == AUTH_FINE) || (o && o->open)) {
		q->auth.caller = q->auth.caller ? q->auth.caller : auth_user_arn(LOCAL_ACCOUNT);
		return 0;
	}
	sha256_buf(q->body.buf, q->body.len, raw);
	sha256_hex(raw, hash);
	if (q->refusal.problem == AUTH_FINE &&
	    strcmp(q->auth.service, q->call.service->name) != 0) {
		q->refusal.problem = AUTH_MISMATCH;
		q->refusal.message = xstrfmt(
			"Credential should be scoped to correct service: '%s'.",
			q->call.service->name);
	}
	if (q->refusal.problem == AUTH_FINE)
		auth_verify(&q->auth, &request, hash, &q->refusal);
	if (q->refusal.problem == AUTH_FINE)
		return 0;
	refuse_login(q);
	return -1;
}

static int refuse_operation(struct api_request *q)
{
	const struct api_service *s = q->call.service;
	bool json = s->protocol == API_JSON;
	AUTO(strbuf) list = STRBUF_INIT;

	if (s->absent)
		return refuse(q, 400, json ? "UnsupportedOperationException" : "InvalidAction",
			      "%.100s of %s: %s", q->action, s->name, s->absent);
	api_service_list(&list, s);
	return refuse(q, 400, json ? "UnknownOperationException" : "InvalidAction",
		      "the local target does not know %.100s of %s; it knows %s", q->action,
		      s->name, list.buf);
}

/* What an operation hands out may be the state's own documents: the answer is written, and all is let go, before others may change them. */
static void run(struct api_request *q, const struct api_operation *o)
{
	AUTO(strbuf) text = STRBUF_INIT;
	struct api_call *c = &q->call;
	int r;

	c->caller = q->auth.caller;
	c->output = json_object();
	state_lock(q->local->state);
	r = o->run(c);
	if (r == 0)
		api_answer_write(&text, c, q->action);
	json_decref(c->output);
	c->output = NULL;
	/* Documents may hold parts of it. */
	json_decref(c->input);
	c->input = NULL;
	state_unlock(q->local->state);
	if (r == 0)
		api_answer(q->http, c, text.buf, text.len);
	else
		api_answer_error(q->http, c);
	if (text.cap)
		wipe(text.buf, text.cap);
}

void api_request_end(void *call, struct server_request *r)
{
	struct api_request *q = call;
	const struct api_operation *o;

	(void)r;
	if (!q->call.service && read_form(q) < 0)
		return;
	o = api_service_find(q->call.service, q->action);
	if (check_signature(q, o) < 0 || (!q->call.input && read_json(q) < 0))
		return;
	if (o)
		run(q, o);
	else
		refuse_operation(q);
}

void api_request_release(void *call)
{
	struct api_request *q = call;

	if (!q)
		return;
	atomic_fetch_sub(&q->local->api_bodies, q->body.len);
	if (q->body.cap)
		wipe(q->body.buf, q->body.cap);
	strbuf_release(&q->body);
	auth_release(&q->auth);
	json_decref(q->call.input);
	free(q->refusal.message);
	free(q->call.code);
	free(q->call.message);
	free(q->action);
	free(q);
}

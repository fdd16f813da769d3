#include "local/front.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/time.h"
#include "local/api_logs.h"
#include "local/api_answer.h"
#include "local/api_request.h"
#include "local/network_address.h"
#include "local/page.h"
#include "sandbox/space.h"
#include "server/registry_server.h"

#define HTTP "http://"
/* How often log events are looked at that have outlived their retention. */
#define EXPIRE_NS (3600ll * 1000000000)

/* One request, with the handler that took it; none has when it was answered here. */
struct visit {
	struct server_handler handler;
	void *call;
};

bool front_is_our_host(const char *host, int port)
{
	static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
	size_t n = strlen(SPACE_METADATA_ADDRESS);
	AUTO_FREE char *tail = xstrfmt(":%d", port);

	if (strncmp(host, SPACE_METADATA_ADDRESS, n) == 0)
		return !host[n] || (host[n] == ':' &&
				    strspn(host + n + 1, "0123456789") == strlen(host + n + 1));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		n = strlen(names[i]);
		if (strncasecmp(host, names[i], n) == 0 &&
		    (strcmp(host + n, tail) == 0 || (port == 80 && !host[n])))
			return true;
	}
	return false;
}

bool front_is_our_origin(const char *origin, int port)
{
	return str_starts(origin, HTTP) && front_is_our_host(origin + strlen(HTTP), port) &&
	       !str_starts(origin + strlen(HTTP), SPACE_METADATA_ADDRESS);
}

static void __attribute__((format(printf, 3, 4)))
refuse(struct server_request *r, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	AUTO_FREE char *text = xstrvfmt(fmt, ap);
	va_end(ap);
	server_add_header(r, "Content-Type", "text/plain; charset=utf-8");
	server_add_header(r, "X-Content-Type-Options", "nosniff");
	server_answer(r, status, text, strlen(text));
}

static bool may_come(const struct local *l, struct server_request *r)
{
	const char *host = server_request_header(r, "Host");
	const char *origin = server_request_header(r, "Origin");

	if (!l->ready) {
		refuse(r, 503, "the local target is starting\n");
		return false;
	}
	if (server_request_count_header(r, "Host") != 1 ||
	    server_request_count_header(r, "Origin") > 1) {
		refuse(r, 400, "a request has one Host header, and one Origin at most\n");
		return false;
	}
	if (!front_is_our_host(host, l->port)) {
		refuse(r, 403,
		       "this is slipway's local target, at 127.0.0.1:%d and localhost:%d alone; a "
		       "request for another host may come from a page that was led here by DNS\n",
		       l->port, l->port);
		return false;
	}
	if (origin && !front_is_our_origin(origin, l->port)) {
		refuse(r, 403, "pages of other places may not use slipway's local target\n");
		return false;
	}
	return true;
}

static bool is_registry(const char *target)
{
	return str_starts(target, "/v2/") || strcmp(target, "/v2") == 0 ||
	       str_starts(target, "/v2?");
}

static void *begin(void *arg, struct server_request *r)
{
	static const struct server_handler api = {.begin = api_request_begin,
						  .body = api_request_body,
						  .end = api_request_end,
						  .release = api_request_release};
	struct local *l = arg;
	struct visit *v = xcalloc(1, sizeof(*v));

	if (!may_come(l, r))
		return v;
	if (network_address_is_task(server_request_peer(r)) && !api_request_is_one(r)) {
		refuse(r, 403, "tasks reach AWS's API here, and nothing else\n");
		return v;
	}
	if (is_registry(server_request_target(r))) {
		v->handler = registry_server_handler(l->registry);
	} else if (api_request_is_one(r)) {
		v->handler = api;
		v->handler.arg = l;
	} else if (api_answer_is_foreign(r)) {
		api_answer_foreign(r);
		return v;
	} else {
		page_answer(l, r);
		return v;
	}
	v->call = v->handler.begin(v->handler.arg, r);
	return v;
}

static void body(void *call, struct server_request *r, const void *data, size_t len)
{
	struct visit *v = call;

	v->handler.body(v->call, r, data, len);
}

static void end(void *call, struct server_request *r)
{
	struct visit *v = call;

	v->handler.end(v->call, r);
}

static void release(void *call)
{
	struct visit *v = call;

	if (v->handler.release)
		v->handler.release(v->call);
	free(v);
}

static void look(void *arg)
{
	struct local *l = arg;
	struct server_handler registry;
	int64_t now;

	if (!l->ready)
		return;
	registry = registry_server_handler(l->registry);
	registry.look(registry.arg);
	now = time_monotonic_ns();
	if (now >= l->expire_logs_ns) {
		l->expire_logs_ns = now + EXPIRE_NS;
		logs_expire(l);
	}
}

struct server_handler front_handler(struct local *l)
{
	return (struct server_handler){.begin = begin,
				       .body = body,
				       .end = end,
				       .release = release,
				       .look = look,
				       .arg = l};
}

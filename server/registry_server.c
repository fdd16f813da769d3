#include "server/registry_server.h"

#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "server/call.h"
#include "server/ecr.h"
#include "server/guard.h"

#define MAX_UPLOADS 10000

static void base_get(struct call *c)
{
	server_add_header(c->request, "Content-Type", "application/json");
	server_answer(c->request, 200, "{}", 2);
}

const struct endpoint endpoints[] = {
	{ROUTE_BASE, "GET", base_get, NULL, NULL},
	{ROUTE_BASE, "HEAD", base_get, NULL, NULL},
	{ROUTE_CATALOG, "GET", api_catalog_get, NULL, NULL},
	{ROUTE_MANIFEST, "GET", api_manifest_get, NULL, NULL},
	{ROUTE_MANIFEST, "HEAD", api_manifest_get, NULL, NULL},
	{ROUTE_MANIFEST, "PUT", api_manifest_put, api_manifest_body, api_manifest_put_end},
	{ROUTE_MANIFEST, "DELETE", api_manifest_delete, NULL, NULL},
	{ROUTE_BLOB, "GET", api_blob_get, NULL, NULL},
	{ROUTE_BLOB, "HEAD", api_blob_get, NULL, NULL},
	{ROUTE_BLOB, "DELETE", api_blob_delete, NULL, NULL},
	{ROUTE_UPLOADS, "POST", api_upload_post, api_upload_body, api_upload_end},
	{ROUTE_UPLOAD, "GET", api_upload_get, NULL, NULL},
	{ROUTE_UPLOAD, "HEAD", api_upload_get, NULL, NULL},
	{ROUTE_UPLOAD, "PATCH", api_upload_patch, api_upload_body, api_upload_end},
	{ROUTE_UPLOAD, "PUT", api_upload_put, api_upload_body, api_upload_end},
	{ROUTE_UPLOAD, "DELETE", api_upload_delete, NULL, NULL},
	{ROUTE_TAGS, "GET", api_tags_get, NULL, NULL},
	{ROUTE_REFERRERS, "GET", api_referrers_get, NULL, NULL},
	{ROUTE_NONE, NULL, NULL, NULL, NULL},
};

/* The methods there are at an endpoint, for 405. */
static void refuse_method(struct call *c)
{
	AUTO(strlist) methods = STRLIST_INIT;

	for (const struct endpoint *e = endpoints; e->method; e++)
		if (e->kind == c->route.kind)
			strlist_add(&methods, e->method);
	AUTO_FREE char *allow = strlist_join(&methods, ", ");

	server_add_header(c->request, "Allow", allow);
	reply_error(c, 405, "UNSUPPORTED", "%.20s is not possible here; there is %s",
		    server_request_method(c->request), allow);
}

static bool is_read(const struct call *c)
{
	const char *method = server_request_method(c->request);

	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* False, and answered, when the target does not keep to the grammar. */
static bool check_route(struct call *c)
{
	switch (c->route.problem) {
	case ROUTE_FINE:
		return true;
	case ROUTE_BAD_NAME:
		reply_error(c, 400, "NAME_INVALID", "\"%.255s\" is no name of a repository",
			    c->route.repository);
		return false;
	case ROUTE_BAD_DIGEST:
		reply_error(c, 400, "DIGEST_INVALID",
			    "\"%.200s\" is no digest: sha256: or sha512: and hex digits",
			    c->route.reference);
		return false;
	case ROUTE_BAD_REFERENCE:
		if (c->route.kind == ROUTE_UPLOAD)
			reply_error(c, 404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload");
		else if (is_read(c))
			reply_error(c, 404, "MANIFEST_UNKNOWN", "\"%.200s\" is no tag",
				    c->route.reference);
		else
			reply_error(c, 400, "TAG_INVALID", "\"%.200s\" is no tag",
				    c->route.reference);
		return false;
	case ROUTE_TOO_LONG:
		reply_error(c, 414, "UNSUPPORTED", "the query has more than %d parameters",
			    ROUTE_PARAMETERS);
		return false;
	case ROUTE_BAD_TARGET:
		break;
	}
	reply_error(c, 400, "NAME_INVALID", "the path or query is malformed");
	return false;
}

static const struct endpoint *find_endpoint(const struct call *c)
{
	for (const struct endpoint *e = endpoints; e->method; e++)
		if (e->kind == c->route.kind &&
		    strcmp(e->method, server_request_method(c->request)) == 0)
			return e;
	return NULL;
}

static void start(struct call *c)
{
	server_add_header(c->request, "Docker-Distribution-API-Version", "registry/2.0");
	server_add_header(c->request, "X-Content-Type-Options", "nosniff");
	route_parse(&c->route, server_request_target(c->request));
	if (!guard_admits(c))
		return;
	if (c->route.kind == ROUTE_NONE && c->route.problem == ROUTE_FINE) {
		reply_error(c, 404, "UNSUPPORTED", "there is nothing here; the API is at /v2/");
		return;
	}
	c->endpoint = find_endpoint(c);
	if (c->route.kind != ROUTE_NONE && !c->endpoint) {
		refuse_method(c);
		return;
	}
	if (!check_route(c) || (c->route.repository && !ecr_has_repository(c)))
		return;
	if (c->endpoint->begin)
		c->endpoint->begin(c);
}

/*
 * An answered request gives back what it held before the client sees the answer: the next request may already need it. What came of a body
 * before its client went away stays in the session, if the client knows of it.
 */
static void give_back(struct call *c)
{
	if (c->is_known)
		uploads_park(c->server->uploads, take_ptr(c->upload));
	else
		uploads_end(c->server->uploads, take_ptr(c->upload));
	lease_free(take_ptr(c->lease));
}

static void give_back_if_answered(struct call *c)
{
	if (server_is_answered(c->request))
		give_back(c);
}

static void *begin_call(void *arg, struct server_request *request)
{
	struct call *c = xcalloc(1, sizeof(*c));

	c->server = arg;
	c->request = request;
	c->chunk_length = -1;
	strbuf_init(&c->body);
	start(c);
	give_back_if_answered(c);
	return c;
}

static void take_body(void *call, struct server_request *request, const void *data, size_t len)
{
	struct call *c = call;

	(void)request;
	if (c->endpoint->body)
		c->endpoint->body(c, data, len);
	give_back_if_answered(c);
}

static void end_body(void *call, struct server_request *request)
{
	struct call *c = call;

	if (c->endpoint->end)
		c->endpoint->end(c);
	if (!server_is_answered(request))
		reply_error(c, 500, "UNKNOWN", "the registry had nothing to say");
	give_back(c);
}

static void release_call(void *call)
{
	struct call *c = call;

	if (!c)
		return;
	give_back(c);
	route_release(&c->route);
	atomic_fetch_sub(&c->server->buffered, c->body.len);
	strbuf_release(&c->body);
	free(c);
}

static void look(void *arg)
{
	struct registry_server *s = arg;

	uploads_look(s->uploads, time_monotonic_ns(), time_now());
}

struct server_handler registry_server_handler(struct registry_server *s)
{
	return (struct server_handler){
		.begin = begin_call,
		.body = take_body,
		.end = end_body,
		.release = release_call,
		.look = look,
		.arg = s,
	};
}

int registry_server_new(struct registry_server **out, const struct registry_server_options *o,
			struct error *err)
{
	AUTO_PTR(registry_server) s = xcalloc(1, sizeof(*s));

	s->options = *o;
	s->ecr = ecr_new();
	s->serving = -1;
	pthread_mutex_init(&s->manifest_lock, NULL);
	if (repository_serve(o->store, &s->serving, err) < 0 ||
	    uploads_new(&s->uploads, o->store, MAX_UPLOADS, err) < 0)
		return error_wrap(err, "serve the store %s", store_root(o->store));
	*out = take_ptr(s);
	return 0;
}

void registry_server_free(struct registry_server *s)
{
	if (!s)
		return;
	uploads_free(s->uploads);
	ecr_free(s->ecr);
	pthread_mutex_destroy(&s->manifest_lock);
	if (s->serving >= 0)
		close(s->serving);
	free(s);
}

#include "registry/request.h"

#include <string.h>

#include "base/alloc.h"
#include "registry/policy.h"
#include "registry/remote_error.h"
#include "registry/retry.h"

#define MAX_REDIRECTS 5

static bool is_read(const struct registry_request *r)
{
	return strcmp(r->http.method, "GET") == 0 || strcmp(r->http.method, "HEAD") == 0;
}

static bool is_redirect(const struct registry_request *r, int status)
{
	if (status == 307 || status == 308)
		return true;
	/* These would turn a PUT into a GET of something else. */
	return is_read(r) && (status == 301 || status == 302 || status == 303);
}

/* With the credentials of the host, as often as its challenges give reason to. */
static int send_authorized(const struct registry_request *r, const struct url *at,
			   struct http_response *res, struct error *err)
{
	for (int round = 0;; round++) {
		AUTO(auth_grant) grant = {0};
		bool again = false;

		if (auth_authorize(r->host, at, &r->need, &grant, err) < 0 ||
		    host_send(r->host, at, grant.header, &r->http, res, err) < 0)
			return -1;
		if (res->status != 401 && res->status != 403)
			return 0;
		if (auth_refused(r->host, &r->need, &grant, res, round, &again, err) < 0)
			return -1;
		if (!again)
			return 0;
	}
}

static int send_at(const struct registry_request *r, const struct url *at,
		   struct http_response *res, struct error *err)
{
	AUTO(url) origin = {0};

	if (host_url(r->host, "/", &origin, err) < 0)
		return -1;
	/* A challenge from anywhere else is not for us to answer. */
	if (r->anonymous || !url_same_origin(&origin, at))
		return host_send(client_host_of_url(r->host->client, at), at, NULL, &r->http, res,
				 err);
	return send_authorized(r, at, res, err);
}

static int start_url(const struct registry_request *r, struct url *at, struct error *err)
{
	if (r->path)
		return host_url(r->host, r->path, at, err);
	url_copy(at, r->url);
	return 0;
}

/* The first request to a loopback host finds out whether it speaks TLS. */
static int send_first(const struct registry_request *r, struct url *at, struct http_response *res,
		      struct error *err)
{
	AUTO(error) why = ERROR_INIT;

	if (send_at(r, at, res, &why) == 0)
		return 0;
	if (!r->path || !host_fall_back(r->host, at, &why))
		return error_move(err, &why);
	report_log(r->host->client->o.reporter, LOG_DEBUG, "%s: plain HTTP, as %s", r->host->name,
		   why.message);
	url_release(at);
	if (start_url(r, at, err) < 0)
		return -1;
	return send_at(r, at, res, err);
}

static int follow(const struct registry_request *r, struct url *at, const char *location,
		  struct error *err)
{
	AUTO(url) next = {0};
	AUTO(url) origin = {0};

	if (url_resolve(&next, at, location, err) < 0)
		return error_wrap(err, "redirect by %s", at->host);
	if (host_url(r->host, "/", &origin, err) < 0 ||
	    policy_check(&origin, &next, "redirect", err) < 0 ||
	    policy_check(at, &next, "redirect", err) < 0)
		return -1;
	url_release(at);
	*at = next;
	next = (struct url){0};
	return 0;
}

int request_once(const struct registry_request *r, struct http_response *res, struct url *final,
		 struct error *err)
{
	AUTO(url) at = {0};

	if (start_url(r, &at, err) < 0)
		return -1;
	for (int hop = 0; hop <= MAX_REDIRECTS; hop++) {
		const char *location;
		int rc = hop == 0 ? send_first(r, &at, res, err) : send_at(r, &at, res, err);

		if (rc < 0)
			return -1;
		location = http_header_get(res, "Location", 0);
		if (!is_redirect(r, res->status) || !location) {
			if (final) {
				url_release(final);
				*final = at;
				at = (struct url){0};
			}
			return 0;
		}
		if (follow(r, &at, location, err) < 0)
			return -1;
	}
	return error_set(err, ERROR_REMOTE, "%s redirects more than %d times", r->host->login_name,
			 MAX_REDIRECTS);
}

int registry_send(const struct registry_request *r, struct http_response *res, struct url *final,
		  struct error *err)
{
	struct retry retry;

	retry_begin(&retry, r->host, r->step, r->what);
	for (;;) {
		AUTO(error) why = ERROR_INIT;
		int rc = request_once(r, res, final, &why);
		int again = retry_again(&retry, rc < 0 ? NULL : res, &why, 0, err);

		if (again < 0)
			return -1;
		if (again > 0)
			continue;
		if (rc < 0) {
			error_move(err, &why);
			return remote_unreachable(err, r->what, r->host->login_name);
		}
		return 0;
	}
}

void request_farewell(const struct registry_request *r)
{
	const struct cancel *user = r->host->client->stop.parent;
	AUTO(http_response) res = {0};
	AUTO(auth_grant) grant = {0};
	AUTO(url) origin = {0};
	AUTO(url) at = {0};

	if ((user && user->count > 1) || start_url(r, &at, NULL) < 0 ||
	    host_url(r->host, "/", &origin, NULL) < 0)
		return;
	if (!url_same_origin(&origin, &at)) {
		host_send_last(client_host_of_url(r->host->client, &at), &at, NULL, &r->http, &res);
		return;
	}
	if (auth_authorize(r->host, &at, &r->need, &grant, NULL) == 0)
		host_send_last(r->host, &at, grant.header, &r->http, &res);
}

struct registry_request request_to_pull(struct registry_client *c, const struct image_ref *ref,
					const char *method, const char *path, const char *what,
					struct strlist *scopes)
{
	auth_scope_pull(scopes, ref->path);
	return (struct registry_request){
		.host = client_host(c, ref),
		.what = what,
		.path = path,
		.need = {.repository = ref->path, .scopes = scopes},
		.http = {.method = method, .body_len = -1, .body_fd = -1},
	};
}

/*
 * One request to a registry with everything around it: authorization for the registry's own origin (and no other),
 * redirects that policy allows, plain HTTP for a loopback host that speaks no TLS. request_once() leaves retries to callers
 * whose body or answer has a state; registry_send() retries.
 */
#pragma once

#include "registry/auth.h"
#include "registry/client.h"

struct registry_request {
	struct registry_host *host;
	const char *what; /* "push blob sha256:.. to HOST/REPO": begins messages */
	const char *path; /* "/v2/..." on the host; NULL: url */
	const struct url
		*url;   /* where the registry told us to go: an upload session, a foreign layer */
	bool anonymous; /* no credentials whatever happens (foreign layers) */
	struct auth_need need;
	struct http_request http; /* method, headers, body, sink, callbacks; its url is not read */
	int step;                 /* for retries' reasons; 0: the log */
};

/*
 * Sends, answers challenges, follows redirects (GET and HEAD: 301, 302, 303, 307, 308; others: 307 and 308, the body sent
 * again). Any other status is a success of the call. *final (NULL allowed, released first) is the URL that answered.
 */
int request_once(const struct registry_request *r, struct http_response *res, struct url *final,
		 struct error *err);
/* The same with retries. A failure to get an answer is wrapped with what, and has a hint. */
int registry_send(const struct registry_request *r, struct http_response *res, struct url *final,
		  struct error *err);
/*
 * One last request without a body, of which nobody needs the answer: credentials that are at hand, no redirect, no retry, two
 * seconds. It goes out after a cancellation too, unless the user has asked twice to end.
 */
void request_farewell(const struct registry_request *r);
/* A request without a body that needs the right to pull from ref; scopes (empty) lives as long as the request. */
struct registry_request request_to_pull(struct registry_client *c, const struct image_ref *ref,
					const char *method, const char *path, const char *what,
					struct strlist *scopes);

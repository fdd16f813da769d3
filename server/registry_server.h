/*
 * The embedded registry (OCI distribution-spec 1.1 whole): answers requests under /v2/ from a store. It knows no sockets: net/server
 * brings the requests, and whoever has more to serve on the same port hands on those that are its.
 *
 *	registry_server_new(&registry, &options, err);
 *	o.handler = registry_server_handler(registry);      or calls its members
 *	server_listen(&server, &o, err);
 *	...
 *	server_stop(server, ...); server_free(server);
 *	registry_server_free(registry);
 *
 * All of it may be called from several threads.
 */
#pragma once

#include "net/server.h"
#include "oci/store.h"

struct registry_server;

struct registry_server_options {
	struct store *store; /* not owned */
	struct reporter *reporter;
	/* Is this Basic login right? NULL: everybody may read and write. */
	bool (*check_login)(void *arg, const char *user, const char *password);
	void *login_arg;
	/*
	 * Requests for other hosts than loopback's are refused unless set: with a login or TLS a page in a browser that was led here by DNS can
	 * do nothing.
	 */
	bool any_host;
	bool immutable_tags; /* a tag is never moved */
	bool ecr_quirks; /* what Amazon ECR does otherwise than the specification: server/ecr.h */
	int ecr_token_seconds; /* how long a token lives; 0: for ever */
	int ecr_throttle;      /* every so many requests one is refused with 429; 0: none */
};

/* ERROR_SYSTEM when the store cannot be written to. */
int registry_server_new(struct registry_server **out, const struct registry_server_options *o,
			struct error *err);
struct server_handler registry_server_handler(struct registry_server *s);
void registry_server_free(struct registry_server *s);

CLEANUP_FREE(registry_server)

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
	/* The same, asked for each repository and tag, no lock held; also the same image is then refused, as ECR does. NULL: none. */
	bool (*is_immutable)(void *arg, const char *repository, const char *tag);
	void *immutable_arg;
	bool only_made; /* a repository is not made by a push: 404 NAME_UNKNOWN in ECR's words */
	/*
	 * A mount without "from" takes every blob of the store, not those of repositories alone: who may push here owns the store, and uploads
	 * nothing that is in it.
	 */
	bool lends_store;
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

/*
 * What a registry client holds, for the files of this folder: hosts with their connections, TLS settings, pauses and
 * authorization. registry.h is for everybody else.
 *
 * A host is made once and lives as long as the client. Its lock covers the fields below it; it is never held while the
 * network is waited for.
 */
#pragma once

#include <pthread.h>

#include "net/url.h"
#include "registry/registry.h"

struct auth;

enum host_scheme { HOST_UNKNOWN, HOST_HTTPS, HOST_HTTP };

struct registry_host {
	struct registry_host *next;
	struct registry_client *client;
	char *name;        /* HOST[:PORT] that is spoken to: "registry-1.docker.io" */
	char *login_name;  /* as image names and logins have it: "docker.io" */
	bool is_here;      /* on this machine, as far as its name tells */
	bool may_be_plain; /* loopback or --insecure-registry: plain HTTP when TLS is not answered */
	struct http_options http;
	struct strlist ca_files;
	char *client_cert, *client_key;
	struct auth *auth;

	pthread_mutex_t lock;
	enum host_scheme scheme;
	bool answered; /* some answer came: a failure to connect is a passing one */
	int64_t paused_until_ns;
	int64_t chunk_bytes; /* 0: blobs go whole */
	struct http **idle;
	size_t n_idle, idle_cap;
};

struct registry_client {
	struct registry_options o;
	struct cancel stop;   /* o.cancel's child, and what o.cancel leads to from here on */
	pthread_mutex_t lock; /* hosts, warnings */
	struct registry_host *hosts;
	struct strlist warnings;     /* said once each */
	struct strlist mirrors_down; /* their hosts */
	bool warned_of_search_list;
	struct registry_client *for_mirrors; /* the same with less patience; NULL: there are none */
	pthread_mutex_t sources_lock;        /* mount sources: read-modify-write */
	struct pool *fetchers;               /* made when it is first needed */
};

/* The host of an image name, or of a URL that a registry sent us to. Never NULL. */
struct registry_host *client_host(struct registry_client *c, const struct image_ref *ref);
struct registry_host *client_host_of_url(struct registry_client *c, const struct url *u);
/* A host outside the list, for a login that is not to be remembered; free with registry_host_free(). */
struct registry_host *host_new(struct registry_client *c, const char *name, const char *login_name);
void registry_host_free(struct registry_host *h);

/* https://NAME/, or http: what has answered, https while nothing is known. */
int host_url(struct registry_host *h, const char *path, struct url *out, struct error *err);
/*
 * After a failed first request: true when plain HTTP is to be tried (once, only where the host may be plain and nothing
 * has answered over TLS).
 */
bool host_fall_back(struct registry_host *h, const struct url *tried, const struct error *why);
/* All requests to the host wait until delay_ns from now. */
void host_pause(struct registry_host *h, int64_t delay_ns);
/*
 * One request over a connection of the host, after its pause: no retry, no redirect. req->url is set from url; authorization
 * (a header line, NULL: none) is added to its headers. Says once what the registry warns of (Warning: 299).
 */
int host_send(struct registry_host *h, const struct url *url, const char *authorization,
	      const struct http_request *req, struct http_response *res, struct error *err);

/*
 * The same over a connection of its own, for two seconds at most, whatever was cancelled; what becomes of it is for the log
 * alone.
 */
void host_send_last(struct registry_host *h, const struct url *url, const char *authorization,
		    const struct http_request *req, struct http_response *res);

/* Largest body that the host is known to take; 0: not known to be limited. */
int64_t host_chunk_bytes(struct registry_host *h);
void host_set_chunk_bytes(struct registry_host *h, int64_t bytes);

/*
 * Threads for downloads that others wait for: in the pool of the options they might stand in line behind those who wait. They
 * themselves wait for nobody.
 */
struct pool *client_fetchers(struct registry_client *c);

/* Waits; ERROR_CANCELLED at a signal. */
int client_sleep(struct registry_client *c, int64_t ns, struct error *err);

CLEANUP_FREE(registry_host)

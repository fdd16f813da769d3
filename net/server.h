/*
 * An HTTP/1.1 server over libmicrohttpd (included only in net/server.c). Each connection has a thread of the library's
 * own, so a handler may block; bodies pass through it in pieces and are never held.
 *
 *	server_listen(&server, &options, err);       requests are answered from here on
 *	server_wait(server, cancel);                 until a signal; looks after slow clients meanwhile
 *	server_stop(server, 3000, cancel);           what is being answered may end
 *	server_free(server);
 *
 * A handler sees a request so: begin() when the headers are complete, body() for each piece, end() at the end of the
 * body, release() always and last, also when the client went away. It may answer in any of the first three; what is left
 * of the body is then read and dropped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

struct server;
struct server_request;

struct server_handler {
	/* Returns what the others are given as call; NULL is allowed. */
	void *(*begin)(void *arg, struct server_request *r);
	void (*body)(void *call, struct server_request *r, const void *data, size_t len);
	/* Not called when begin() or body() answered. Must answer. */
	void (*end)(void *call, struct server_request *r);
	void (*release)(void *call);
	/* Several times a second while server_wait() waits, for what is to be done without a request. NULL: nothing is. */
	void (*look)(void *arg);
	void *arg;
};

struct server_options {
	const char *address;           /* numeric, IPv4 or IPv6 without brackets */
	int port;                      /* 0: any free one */
	const char *certificate, *key; /* PEM text; NULL: plain HTTP */
	size_t max_connections;        /* 0: 256 */
	/*
	 * Of one address (of IPv6: one /64). Its connection that waits longest goes when another one comes, or, if all are at work, the new one. 0:
	 * half of max_connections; then loopback, where everybody behind a proxy comes from, has no limit of its own.
	 */
	size_t max_per_peer;
	/*
	 * A connection without a request in progress is closed after idle_ms (0: 60 s), the one that waits longest also when
	 * half of the places are taken; it may be one whose answer is known and whose body still comes. A request that moves less
	 * than 1 KiB in so long is ended too.
	 */
	int idle_ms;
	struct server_handler handler;
	struct reporter *reporter;
};

/* ERROR_UNSUPPORTED for a certificate when libmicrohttpd was built without TLS; ERROR_DENIED, ERROR_SYSTEM for the address. */
int server_listen(struct server **out, const struct server_options *o, struct error *err);
int server_port(const struct server *s);
void server_wait(struct server *s, const struct cancel *cancel);
/* No new connections; requests in progress have grace_ms to end, less when another signal comes. */
void server_stop(struct server *s, int grace_ms, const struct cancel *cancel);
void server_free(struct server *s); /* server_stop() without grace */

/* Views that live as long as the request. */
const char *server_request_method(const struct server_request *r);
const char *server_request_target(const struct server_request *r); /* as it came: nothing decoded */
const char *server_request_header(struct server_request *r, const char *name); /* NULL: absent */
size_t server_request_count_header(struct server_request *r, const char *name);
/* The values of all headers of the name, trimmed and joined by ","; free(). NULL: absent. */
char *server_request_join_header(struct server_request *r, const char *name);
/* Its IPv4 address as a number; 0: it has another one. */
uint32_t server_request_peer(struct server_request *r);
/* Content-Length; 0: no body; -1: chunked, not known. */
int64_t server_request_length(struct server_request *r);

bool server_is_answered(const struct server_request *r);
/* A header of the answer to come. */
void server_add_header(struct server_request *r, const char *name, const char *value);
void server_add_headerf(struct server_request *r, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The answer; the first one counts. To HEAD the same headers go without the body. */
void server_answer(struct server_request *r, int status, const void *body, size_t len);
/* len bytes of the file from offset; fd is closed by the server. */
void server_answer_file(struct server_request *r, int status, int fd, int64_t offset, int64_t len);
/* Nothing that came says a body is there: the connection is closed without an answer. */
void server_drop(struct server_request *r);

CLEANUP_FREE(server)

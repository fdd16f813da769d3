/*
 * HTTP/1.1 client over libcurl (included only in net/http.c; loaded when the first request is made). Redirects and
 * authorization are never followed or sent by libcurl itself: the caller sees 3xx and 401 and decides.
 *
 * One struct http per thread: it keeps connections alive. A request streams its body from a source or descriptor and
 * its answer into a sink.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/sink.h"
#include "base/strlist.h"

struct http;

struct http_options {
	const char *user_agent;    /* "slipway/0.1.0" */
	const char *ca_file;       /* SSL_CERT_FILE, or NULL for the system's */
	const char *ca_dir;        /* SSL_CERT_DIR or NULL */
	const char *extra_ca_file; /* certs.d: trusted besides the others */
	const char *client_cert, *client_key;
	bool skip_verify;       /* --insecure-registry */
	int connect_timeout_ms; /* 0: 15 s */
	int stall_timeout_ms; /* no byte moved: 0: 60 s; the answer to the last byte of an upload may take 10 min */
	const struct cancel *cancel;
};

struct http_header {
	char *name, *value;
};

struct http_request {
	const char *method; /* "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" */
	const char *url;
	const struct strlist *headers; /* "Name: value" */
	/* body: bytes, or a descriptor from an offset (rewound by the client when it must be sent again) */
	const void *body;
	int64_t body_len; /* -1: no body */
	int body_fd;      /* with body NULL and body_len >= 0 */
	int64_t body_offset;
	/* answer: the body of a 2xx goes to sink when given, else into response->body up to body_limit */
	struct sink *sink;
	size_t body_limit; /* 0: LIMIT_MANIFEST_BYTES; an answer beyond it is ERROR_CORRUPT */
	/* called with the headers of the answer before its body; -1 aborts */
	int (*on_headers)(void *arg, int status, struct error *err);
	void (*on_progress)(void *arg, int64_t sent, int64_t received);
	void *arg;
};

struct http_response {
	int status;
	struct http_header *headers;
	size_t n_headers;
	struct strbuf body;
	int64_t received; /* bytes of the body */
};

int http_new(struct http **out, const struct http_options *o, struct error *err);
void http_free(struct http *h);
/*
 * Any status is a success of the call. ERROR_NETWORK (connect, TLS, reset, stall: the message says which; error.number is
 * 1 when a retry is pointless, as for certificate errors), ERROR_CANCELLED, or the sink's error.
 */
int http_send(struct http *h, const struct http_request *req, struct http_response *res,
	      struct error *err);
/* First header of that name (any case) or NULL; nth >= 0 picks a further one. */
const char *http_header_get(const struct http_response *res, const char *name, int nth);
void http_response_release(struct http_response *res);

CLEANUP_FREE(http)
CLEANUP_RELEASE(http_response)

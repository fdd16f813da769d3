/*
 * HTTP/1.1 client over libcurl (included only in net/http.c; set up when the first struct http is made). Redirects and
 * authorization are never followed or sent by libcurl itself: the caller sees 3xx and 401 and decides.
 *
 * One struct http per thread: it keeps connections alive. A request streams its body from a source or descriptor and
 * its answer into a sink. The program ignores SIGPIPE (cli/main.c): TLS may raise it.
 *
 *	http_new(&http, &options, err);
 *	http_send(http, &request, &response, err);      any number of times
 *	http_response_release(&response);
 *	http_free(http);
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/sink.h"
#include "base/strlist.h"

struct http;

struct http_options {
	const char *user_agent; /* "slipway/0.1.0" */
	const char *ca_file;    /* SSL_CERT_FILE, or NULL for the system's */
	const char *ca_dir;     /* SSL_CERT_DIR or NULL */
	const struct strlist
		*connect_to; /* "HOST:PORT:OTHER:PORT": connect there instead; NULL: none */
	const struct strlist *extra_ca_files; /* certs.d: trusted besides the others; NULL: none */
	const char *client_cert, *client_key;
	bool skip_verify; /* --insecure-registry */
	const char
		*http_proxy; /* for http URLs, as HTTP_PROXY says; NULL: what the library finds */
	bool no_proxy;       /* metadata services: a proxy's neighbour is not ours */
	int connect_timeout_ms; /* TLS included; 0: 15 s */
	/*
	 * Less than 1 KiB moved for this long ends the request; 0: 60 s. The answer to the last byte of a PUT or
	 * PATCH may take answer_timeout_ms; 0: 10 min.
	 */
	int stall_timeout_ms;
	int answer_timeout_ms;
	const struct cancel *cancel;
};

struct http_header {
	char *name, *value;
};

struct http_response {
	int status;
	struct http_header *headers;
	size_t n_headers;
	struct strbuf body;
	int64_t received; /* bytes of the body */
};

struct http_request {
	const char *method;            /* "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" */
	const char *url;               /* http or https, as url_format() writes it */
	const struct strlist *headers; /* "Name: value" */
	/* body: bytes, or a descriptor from an offset (read with pread, its own offset stays) */
	const void *body;
	int64_t body_len; /* -1: no body */
	int body_fd;      /* with body NULL and body_len > 0 */
	int64_t body_offset;
	/*
	 * Instead of them: up to room bytes of the body from offset on. 0: not there yet, it is asked again at once, so it should wait a
	 * moment first (a tenth of a second); the wait counts for no stall.
	 */
	int64_t (*read_body)(void *arg, int64_t offset, void *buffer, size_t room,
			     struct error *err);
	/* sees each piece of the body before it is sent, from offset 0 on; -1 aborts */
	int (*on_body)(void *arg, int64_t offset, const void *data, size_t len, struct error *err);
	/* answer: the body of a 2xx goes to sink when given, else into response->body up to body_limit */
	struct sink *sink;
	size_t body_limit; /* 0: LIMIT_MANIFEST_BYTES; an answer beyond it is ERROR_CORRUPT */
	/* called when status and headers are complete in *res, before the body; -1 aborts */
	int (*on_headers)(void *arg, const struct http_response *res, struct error *err);
	/* often, at least once a second; -1 aborts */
	int (*on_progress)(void *arg, int64_t sent, int64_t received, struct error *err);
	void *arg;
};

/* Why a request got no answer: error.number of ERROR_NETWORK. */
enum http_failure {
	HTTP_FAILURE_BROKEN = 0,  /* lost, stalled or timed out: a retry may help */
	HTTP_FAILURE_FINAL = 1,   /* nothing a retry could change */
	HTTP_FAILURE_CERTIFICATE, /* not trusted, expired, for another name: final */
	HTTP_FAILURE_NOT_TLS,     /* the answer to the TLS hello was no TLS: final */
	HTTP_FAILURE_HANDSHAKE,   /* TLS ended before it began */
	HTTP_FAILURE_REFUSED,     /* no connection: nobody listens there, or no way leads there */
	HTTP_FAILURE_SILENT,      /* no connection in time: TCP has knocked several times */
	HTTP_FAILURE_NAME,        /* the host name has no address */
};
bool http_failure_is_final(const struct error *err);
/* What the library's words for a failed TLS handshake mean. */
enum http_failure http_handshake_failure(const char *reason);

int http_new(struct http **out, const struct http_options *o, struct error *err);
void http_free(struct http *h);
/*
 * Any status is a success of the call. Bodies of answers other than 2xx are kept up to LIMIT_HTTP_ERROR_BODY. ERROR_NETWORK
 * with an http_failure, ERROR_CANCELLED, ERROR_CORRUPT for an answer that is no HTTP or beyond a limit, or the error of the
 * sink or a callback. res is emptied first.
 */
int http_send(struct http *h, const struct http_request *req, struct http_response *res,
	      struct error *err);
/* First header of that name (any case) or NULL; nth > 0 picks a further one. */
const char *http_header_get(const struct http_response *res, const char *name, int nth);
/* Takes in a header line as it came, its end included; a line without a name is left out. */
void http_response_add(struct http_response *res, const char *line, size_t len);
/* "Not Found" for 404, "" for what no standard names. */
const char *http_status_text(int status);
/* Seconds since 1970 of "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7), -1 for anything else. */
int64_t http_parse_date(const char *text);
/* A header that is a number of bytes: digits, 15 at most; -1 for anything else, NULL included. */
int64_t http_parse_bytes(const char *text);
/* A status line: what was answered before it is forgotten (100, 417). */
void http_response_begin(struct http_response *res, const char *line, size_t len);
/* A released or zeroed response may be used again. */
void http_response_release(struct http_response *res);

CLEANUP_FREE(http)
CLEANUP_RELEASE(http_response)

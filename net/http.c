#include "net/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/time.h"
#include "net/http_body.h"
#include "net/stall.h"
#include "net/trust.h"
#include "net/url.h"

#define CONNECT_TIMEOUT_MS 15000
#define STALL_TIMEOUT_MS   60000
#define ANSWER_TIMEOUT_MS  600000
#define BUFFER_BYTES       (256L << 10)

struct http {
	CURL *curl;
	struct http_options o;
	struct strbuf trusted; /* PEM text that replaces curl's own file; empty: not needed */
	struct curl_slist *connect_to;
	char reason[CURL_ERROR_SIZE];
};

/* One request under way: what curl's callbacks share. */
struct exchange {
	struct http *h;
	const struct http_request *req;
	struct http_response *res;
	struct error err; /* the first error of ours: it explains why curl was told to stop */
	size_t header_bytes, body_limit;
	int64_t body_at; /* next byte of the request's body */
	bool has_headers, ended;
	bool waiting; /* for bytes to send */
	struct stall stall;
	bool stalled;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void set_up_curl(void)
{
	curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int stop(struct exchange *x, struct error *why)
{
	if (!x->err.kind)
		error_move(&x->err, why);
	error_release(why);
	return -1;
}

/* ---- the request's body -------------------------------------------------- */

static size_t on_read(char *buffer, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	struct error err = ERROR_INIT;
	int64_t got = http_body_read(x->req, x->body_at, buffer, size * n, &err);

	if (got >= 0) {
		x->body_at += got;
		return (size_t)got;
	}
	if (got == HTTP_BODY_LATER) {
		x->waiting = true;
		return CURL_READFUNC_PAUSE;
	}
	stop(x, &err);
	return CURL_READFUNC_ABORT;
}

/*
 * curl wants to send a body again when a kept connection turns out dead. But what was sent may have arrived: only the caller
 * can ask the other side.
 */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct exchange *x = arg;

	return origin == SEEK_SET && offset == x->body_at ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

/* ---- the answer ---------------------------------------------------------- */

static int end_headers(struct exchange *x, struct error *err)
{
	const struct http_request *req = x->req;

	if (x->res->status < 200)
		return 0;
	x->has_headers = true;
	x->body_limit = req->body_limit ? req->body_limit : LIMIT_MANIFEST_BYTES;
	if (x->res->status >= 300)
		x->body_limit = LIMIT_HTTP_ERROR_BODY;
	return req->on_headers ? req->on_headers(req->arg, x->res, err) : 0;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	size_t len = size * n;
	struct error err = ERROR_INIT;
	int rc = 0;

	x->header_bytes += len;
	if (x->header_bytes > LIMIT_HTTP_HEADER_BYTES) {
		rc = error_set(&err, ERROR_CORRUPT, "the answer has more than %u bytes of headers",
			       LIMIT_HTTP_HEADER_BYTES);
	} else if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		http_response_begin(x->res, line, len);
		x->has_headers = false;
	} else if (!x->has_headers) {
		/* Headers that come later are trailers: nothing here needs them. */
		if (len <= 2 && (line[0] == '\r' || line[0] == '\n'))
			rc = end_headers(x, &err);
		else
			http_response_add(x->res, line, len);
	}
	if (rc < 0)
		stop(x, &err);
	return rc < 0 ? 0 : len;
}

static int take_body(struct exchange *x, const char *data, size_t len, struct error *err)
{
	struct http_response *res = x->res;
	size_t room = x->body_limit - res->body.len;

	res->received += (int64_t)len;
	if (x->req->sink && res->status >= 200 && res->status < 300)
		return sink_write(x->req->sink, data, len, err);
	if (len > room && res->status < 300)
		return error_set(err, ERROR_CORRUPT,
				 "the answer has more than the %zu bytes allowed", x->body_limit);
	strbuf_add(&res->body, data, len < room ? len : room);
	/* Enough to explain an error: an endless one is cut without being one itself. */
	x->ended = len > room;
	return x->ended ? -1 : 0;
}

static size_t on_write(char *data, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	struct error err = ERROR_INIT;

	if (take_body(x, data, size * n, &err) == 0)
		return size * n;
	if (!x->ended)
		stop(x, &err);
	return 0;
}

/* ---- time ---------------------------------------------------------------- */

/* How long nothing may move: longer while the other side stores what was sent. */
static int64_t patience_ns(const struct exchange *x, bool answering)
{
	const struct http_options *o = &x->h->o;
	int ms = o->stall_timeout_ms > 0 ? o->stall_timeout_ms : STALL_TIMEOUT_MS;

	if (answering)
		ms = o->answer_timeout_ms > 0 ? o->answer_timeout_ms : ANSWER_TIMEOUT_MS;
	return (int64_t)ms * 1000000;
}

static bool is_stalled(struct exchange *x, int64_t sent, int64_t received)
{
	const struct http_request *req = x->req;
	bool upload = strcmp(req->method, "PUT") == 0 || strcmp(req->method, "PATCH") == 0;
	bool answering = upload && req->body_len > 0 && sent >= req->body_len && !x->has_headers;
	int64_t moved = sent + received + (int64_t)x->header_bytes;

	return stall_check(&x->stall, time_monotonic_ns(), moved, answering,
			   patience_ns(x, answering));
}

static int on_transfer(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
		       curl_off_t up)
{
	struct exchange *x = arg;
	struct error err = ERROR_INIT;

	(void)down_total;
	(void)up_total;
	if (cancel_check(x->h->o.cancel, &err) < 0)
		return stop(x, &err);
	if (x->waiting) {
		x->waiting = false;
		stall_begin(&x->stall, time_monotonic_ns());
		curl_easy_pause(x->h->curl, CURLPAUSE_CONT);
	}
	x->stalled = is_stalled(x, up, down);
	if (x->stalled)
		return -1;
	if (x->req->on_progress && x->req->on_progress(x->req->arg, up, down, &err) < 0)
		return stop(x, &err);
	return 0;
}

static void append_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer)
		*list = longer;
}

/* ---- one struct http ----------------------------------------------------- */

static int set_trust(struct http *h, struct error *err)
{
	const struct http_options *o = &h->o;
	const char *bundle = trust_system_file();
	bool extra = o->extra_ca_files && o->extra_ca_files->n > 0;

	if (o->skip_verify) {
		curl_easy_setopt(h->curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(h->curl, CURLOPT_SSL_VERIFYHOST, 0L);
		return 0;
	}
	/* Both are said: where curl itself looks is a matter of how it was built. */
	curl_easy_setopt(h->curl, CURLOPT_CAINFO, bundle);
	curl_easy_setopt(h->curl, CURLOPT_CAPATH, o->ca_dir ? o->ca_dir : trust_system_folder());
	if (!extra && !o->ca_file && bundle) {
		/* The system's file alone: curl keeps it parsed from one connection to the next (20 ms). */
		if (!o->ca_dir)
			curl_easy_setopt(h->curl, CURLOPT_CAPATH, NULL);
		return 0;
	}
	if (trust_read(&h->trusted, o->ca_file, o->extra_ca_files, err) < 0)
		return -1;
	if (h->trusted.len) {
		struct curl_blob blob = {.data = h->trusted.buf, .len = h->trusted.len};

		curl_easy_setopt(h->curl, CURLOPT_CAINFO_BLOB, &blob);
	}
	return 0;
}

static void set_options(struct http *h)
{
	const struct http_options *o = &h->o;
	CURL *c = h->curl;

	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(
		c, CURLOPT_CONNECTTIMEOUT_MS,
		(long)(o->connect_timeout_ms > 0 ? o->connect_timeout_ms : CONNECT_TIMEOUT_MS));
	curl_easy_setopt(c, CURLOPT_CONNECT_TO, h->connect_to);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->reason);
	curl_easy_setopt(c, CURLOPT_USERAGENT, o->user_agent ? o->user_agent : "slipway");
	curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_write);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_transfer);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	if (o->client_cert)
		curl_easy_setopt(c, CURLOPT_SSLCERT, o->client_cert);
	if (o->client_key)
		curl_easy_setopt(c, CURLOPT_SSLKEY, o->client_key);
}

int http_new(struct http **out, const struct http_options *o, struct error *err)
{
	AUTO_PTR(http) h = xcalloc(1, sizeof(*h));

	strbuf_init(&h->trusted);
	pthread_once(&curl_once, set_up_curl);
	if (curl_ready == CURLE_OK)
		h->curl = curl_easy_init();
	if (!h->curl)
		return error_set(err, ERROR_SYSTEM, "libcurl cannot be set up: %s",
				 curl_easy_strerror(curl_ready));
	h->o = *o;
	for (size_t i = 0; o->connect_to && i < o->connect_to->n; i++)
		append_line(&h->connect_to, o->connect_to->items[i]);
	set_options(h);
	if (set_trust(h, err) < 0)
		return -1;
	*out = take_ptr(h);
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	curl_slist_free_all(h->connect_to);
	strbuf_release(&h->trusted);
	free(h);
}

/* ---- one request --------------------------------------------------------- */

static void set_body(CURL *c, const struct http_request *req)
{
	bool has_body = req->body_len >= 0;

	/* Each of these sets the method too, POSTFIELDS to POST: the last one counts. */
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, NULL);
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
			 (curl_off_t)(has_body ? req->body_len : -1));
	curl_easy_setopt(c, CURLOPT_NOBODY, 0L);
	/* POST is how curl sends a body under any method: only then is Expect limited to large bodies. */
	curl_easy_setopt(c, has_body ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
	if (strcmp(req->method, "HEAD") == 0)
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, req->method);
}

static void set_request(struct exchange *x, const struct url *url, const struct curl_slist *headers)
{
	CURL *c = x->h->curl;

	set_body(c, x->req);
	curl_easy_setopt(c, CURLOPT_URL, x->req->url);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	/* A proxy's 127.0.0.1 is not ours. NULL: what no_proxy says. */
	curl_easy_setopt(c, CURLOPT_NOPROXY,
			 x->h->o.no_proxy || url_host_is_loopback(url->host) ? "*" : NULL);
	/* curl itself reads http_proxy in small letters only, since a CGI's client could set the other. */
	curl_easy_setopt(c, CURLOPT_PROXY,
			 strcmp(url->scheme, "http") == 0 ? x->h->o.http_proxy : NULL);
	curl_easy_setopt(c, CURLOPT_READDATA, x);
	curl_easy_setopt(c, CURLOPT_SEEKDATA, x);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, x);
}

static struct curl_slist *make_headers(const struct http_request *req, bool expect)
{
	struct curl_slist *list = NULL;
	bool typed = req->body_len < 0;

	for (size_t i = 0; req->headers && i < req->headers->n; i++) {
		append_line(&list, req->headers->items[i]);
		typed |= strncasecmp(req->headers->items[i], "Content-Type:", 13) == 0;
	}
	/* Else curl calls every body a web form. */
	if (!typed)
		append_line(&list, "Content-Type:");
	if (!expect)
		append_line(&list, "Expect:");
	return list;
}

static void wipe_headers(struct curl_slist *list)
{
	for (struct curl_slist *l = list; l; l = l->next)
		wipe(l->data, strlen(l->data));
	curl_slist_free_all(list);
}

static int fail(struct error *err, enum http_failure failure, const char *where, const char *reason)
{
	error_set(err, ERROR_NETWORK, "%s: %s", where, reason);
	if (err)
		err->number = (int)failure;
	return -1;
}

static int explain_timeout(struct exchange *x, const char *where, struct error *err)
{
	curl_off_t connected = 0;

	curl_easy_getinfo(x->h->curl, CURLINFO_CONNECT_TIME_T, &connected);
	if (connected > 0)
		return fail(err, HTTP_FAILURE_HANDSHAKE, where,
			    "the connection stands, but TLS did not begin in time");
	return fail(err, HTTP_FAILURE_SILENT, where, "no connection in time");
}

static int explain(struct exchange *x, CURLcode code, const char *where, struct error *err)
{
	const char *reason = *x->h->reason ? x->h->reason : curl_easy_strerror(code);
	long number = 0, proxy = 0;
	char text[128];

	curl_easy_getinfo(x->h->curl, CURLINFO_OS_ERRNO, &number);
	curl_easy_getinfo(x->h->curl, CURLINFO_HTTP_CONNECTCODE, &proxy);
	if (proxy >= 400) {
		snprintf(text, sizeof(text), "the proxy answered %ld %s", proxy,
			 http_status_text((int)proxy));
		return fail(err, HTTP_FAILURE_FINAL, where, text);
	}
	switch ((int)code) {
	case CURLE_COULDNT_CONNECT:
		if (number)
			reason = strerror_r((int)number, text, sizeof(text));
		return fail(err, HTTP_FAILURE_REFUSED, where, reason);
	case CURLE_COULDNT_RESOLVE_HOST:
		return fail(err, HTTP_FAILURE_NAME, where, "no address is known for this name");
	case CURLE_OPERATION_TIMEDOUT:
		return explain_timeout(x, where, err);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return fail(err, HTTP_FAILURE_CERTIFICATE, where, reason);
	case CURLE_SSL_CONNECT_ERROR:
		if (http_handshake_failure(reason) == HTTP_FAILURE_NOT_TLS)
			return fail(err, HTTP_FAILURE_NOT_TLS, where, "the answer is not TLS");
		return fail(err, http_handshake_failure(reason), where, reason);
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ENGINE_NOTFOUND:
		return fail(err, HTTP_FAILURE_FINAL, where, reason);
	case CURLE_SEND_FAIL_REWIND:
		return fail(err, HTTP_FAILURE_BROKEN, where,
			    "the connection was lost while sending");
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return error_set(err, ERROR_CORRUPT, "%s: the answer is no HTTP: %s", where,
				 reason);
	default:
		return fail(err, HTTP_FAILURE_BROKEN, where, reason);
	}
}

static int result(struct exchange *x, CURLcode code, const char *where, struct error *err)
{
	if (x->err.kind) {
		error_move(err, &x->err);
		return -1;
	}
	if (x->stalled) {
		char text[128];

		snprintf(text, sizeof(text), "stalled: less than %d bytes in %.3g s", STALL_BYTES,
			 (double)patience_ns(x, x->stall.answering) / 1e9);
		return fail(err, HTTP_FAILURE_BROKEN, where, text);
	}
	if (code != CURLE_OK && !x->ended)
		return explain(x, code, where, err);
	return 0;
}

static int send_once(struct http *h, const struct http_request *req, const struct url *url,
		     bool expect, struct http_response *res, struct error *err)
{
	struct exchange x = {.h = h, .req = req, .res = res, .err = ERROR_INIT};
	AUTO_FREE char *where = url_host_port(url);
	struct curl_slist *headers = make_headers(req, expect);
	CURLcode code;

	http_response_release(res);
	strbuf_init(&res->body);
	stall_begin(&x.stall, time_monotonic_ns());
	h->reason[0] = '\0';
	set_request(&x, url, headers);
	code = curl_easy_perform(h->curl);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	wipe_headers(headers);
	return result(&x, code, where, err);
}

int http_send(struct http *h, const struct http_request *req, struct http_response *res,
	      struct error *err)
{
	AUTO(url) url = {0};

	http_response_release(res);
	strbuf_init(&res->body);
	if (cancel_check(h->o.cancel, err) < 0 || url_parse(&url, req->url, err) < 0)
		return -1;
	if (!url_is_http(&url))
		return error_set(err, ERROR_UNSUPPORTED, "\"%s:\" is no scheme of the web",
				 url.scheme);
	if (send_once(h, req, &url, true, res, err) < 0)
		return -1;
	/* Old proxies know no Expect; curl itself tries again only where the connection stays. */
	if (res->status == 417 && req->body_len > 0)
		return send_once(h, req, &url, false, res, err);
	return 0;
}

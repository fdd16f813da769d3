#include "registry/client.h"

#include <signal.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/alloc.h"
#include "base/time.h"
#include "registry/auth.h"
#include "registry/certs.h"
#include "registry/parallel.h"

#define MAX_IDLE 8
/* A plain server may wait for more of a TLS hello: where plain HTTP is likely, do not wait as long. */
#define PLAIN_CONNECT_MS 5000
/* For what is only polite, while a user waits for the end. */
#define LAST_MS 2000
/* Somebody else has what a mirror does not give. */
#define MIRROR_RETRIES  1
#define MIRROR_PAUSE_MS 3000

int registry_client_new(struct registry_client **out, const struct registry_options *o,
			struct error *err)
{
	struct registry_client *c = xcalloc(1, sizeof(*c));

	(void)err;
	c->o = *o;
	c->stop = (struct cancel){.wake_fd = -1, .parent = o->cancel};
	c->o.cancel = &c->stop;
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->sources_lock, NULL);
	if (o->mirrors) {
		struct registry_options less = c->o;

		less.mirrors = NULL;
		less.max_retries = MIRROR_RETRIES;
		if (!less.max_pause_ms || less.max_pause_ms > MIRROR_PAUSE_MS)
			less.max_pause_ms = MIRROR_PAUSE_MS;
		registry_client_new(&c->for_mirrors, &less, NULL);
		c->for_mirrors->o.mirrors = o->mirrors;
	}
	*out = c;
	return 0;
}

void registry_client_stop(struct registry_client *c)
{
	cancel_note(&c->stop, SIGTERM);
}

void registry_client_free(struct registry_client *c)
{
	if (!c)
		return;
	while (c->hosts) {
		struct registry_host *next = c->hosts->next;

		registry_host_free(c->hosts);
		c->hosts = next;
	}
	registry_client_free(c->for_mirrors);
	pool_free(c->fetchers);
	strlist_release(&c->warnings);
	strlist_release(&c->mirrors_down);
	pthread_mutex_destroy(&c->lock);
	pthread_mutex_destroy(&c->sources_lock);
	free(c);
}

/* ---- hosts --------------------------------------------------------------- */

static bool is_insecure(const struct registry_client *c, const char *name, const char *bare)
{
	for (size_t i = 0; c->o.insecure && i < c->o.insecure->n; i++) {
		const char *listed = c->o.insecure->items[i];

		if (strcasecmp(listed, name) == 0 || strcasecmp(listed, bare) == 0)
			return true;
	}
	return false;
}

struct registry_host *host_new(struct registry_client *c, const char *name, const char *login_name)
{
	struct registry_host *h = xcalloc(1, sizeof(*h));
	AUTO_FREE char *text = xstrfmt("https://%s", name);
	AUTO(url) url = {0};
	const char *bare = name;

	if (url_parse(&url, text, NULL) == 0)
		bare = url.host;
	h->client = c;
	h->name = xstrdup(name);
	h->login_name = xstrdup(login_name);
	pthread_mutex_init(&h->lock, NULL);
	h->auth = auth_new();
	certs_find(c->o.certs_dirs, login_name, name, &h->ca_files, &h->client_cert,
		   &h->client_key);
	h->http = (struct http_options){
		.user_agent = "slipway/" SLIPWAY_VERSION,
		.ca_file = c->o.ca_file,
		.ca_dir = c->o.ca_dir,
		.connect_to = c->o.connect_to,
		.extra_ca_files = &h->ca_files,
		.client_cert = h->client_cert,
		.client_key = h->client_key,
		.skip_verify = is_insecure(c, name, bare) ||
			       mirrors_insecure(c->o.mirrors, login_name),
		.http_proxy = c->o.http_proxy,
		.stall_timeout_ms = c->o.stall_timeout_ms,
		.answer_timeout_ms = c->o.answer_timeout_ms,
		.cancel = c->o.cancel,
	};
	h->is_here = url_host_is_loopback(bare);
	h->may_be_plain = h->http.skip_verify || h->is_here;
	if (h->may_be_plain)
		h->http.connect_timeout_ms = PLAIN_CONNECT_MS;
	return h;
}

void registry_host_free(struct registry_host *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->n_idle; i++)
		http_free(h->idle[i]);
	free(h->idle);
	auth_free(h->auth);
	strlist_release(&h->ca_files);
	free(h->client_cert);
	free(h->client_key);
	free(h->name);
	free(h->login_name);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static struct registry_host *find_host(struct registry_client *c, const char *name,
				       const char *login_name)
{
	struct registry_host *h;

	pthread_mutex_lock(&c->lock);
	for (h = c->hosts; h && strcmp(h->name, name) != 0; h = h->next)
		;
	if (!h) {
		h = host_new(c, name, login_name);
		h->next = c->hosts;
		c->hosts = h;
	}
	pthread_mutex_unlock(&c->lock);
	return h;
}

struct registry_host *client_host(struct registry_client *c, const struct image_ref *ref)
{
	AUTO_FREE char *text = xstrfmt("https://%s", image_ref_api_host(ref));
	AUTO_FREE char *name = NULL;
	AUTO(url) url = {0};

	/* One spelling a host: letters' case, :443. What is no host name fails when it is spoken to. */
	name = url_parse(&url, text, NULL) == 0 ? url_host_port(&url)
						: xstrdup(image_ref_api_host(ref));
	return find_host(c, name, ref->host);
}

struct registry_host *client_host_of_url(struct registry_client *c, const struct url *u)
{
	AUTO_FREE char *name = url_host_port(u);

	return find_host(c, name, name);
}

int host_url(struct registry_host *h, const char *path, struct url *out, struct error *err)
{
	AUTO_FREE char *text = NULL;

	pthread_mutex_lock(&h->lock);
	text = xstrfmt("%s://%s%s", h->scheme == HOST_HTTP ? "http" : "https", h->name, path);
	pthread_mutex_unlock(&h->lock);
	if (url_parse(out, text, err) < 0)
		return error_wrap(err, "registry %s", h->name);
	return 0;
}

/* Did the other side fail to speak TLS, rather than fail in it? */
static bool speaks_no_tls(const struct registry_host *h, const struct error *why)
{
	if (why->kind != ERROR_NETWORK)
		return false;
	if (why->number == HTTP_FAILURE_NOT_TLS || why->number == HTTP_FAILURE_HANDSHAKE)
		return true;
	/* Port 80 may be served where 443 is not; with a port in the name both are the same. */
	return (why->number == HTTP_FAILURE_REFUSED || why->number == HTTP_FAILURE_SILENT) &&
	       !strchr(h->name, ':');
}

bool host_fall_back(struct registry_host *h, const struct url *tried, const struct error *why)
{
	bool https = strcmp(tried->scheme, "https") == 0;
	bool plain = h->may_be_plain && https && speaks_no_tls(h, why);

	pthread_mutex_lock(&h->lock);
	/* HOST_HTTP: another thread has found out already, and this one does as that one did. */
	plain = plain && h->scheme != HOST_HTTPS;
	if (plain)
		h->scheme = HOST_HTTP;
	else if (!https && !h->answered)
		h->scheme = HOST_UNKNOWN;
	pthread_mutex_unlock(&h->lock);
	return plain;
}

/* ---- requests ------------------------------------------------------------ */

struct pool *client_fetchers(struct registry_client *c)
{
	struct pool *pool;

	pthread_mutex_lock(&c->lock);
	if (!c->fetchers)
		c->fetchers = pool_new(PARALLEL_BLOBS);
	pool = c->fetchers;
	pthread_mutex_unlock(&c->lock);
	return pool;
}

int client_sleep(struct registry_client *c, int64_t ns, struct error *err)
{
	return cancel_sleep(c->o.cancel, ns, err);
}

void host_pause(struct registry_host *h, int64_t delay_ns)
{
	int64_t until = time_monotonic_ns() + delay_ns;

	pthread_mutex_lock(&h->lock);
	if (until > h->paused_until_ns)
		h->paused_until_ns = until;
	pthread_mutex_unlock(&h->lock);
}

static int wait_for_pause(struct registry_host *h, struct error *err)
{
	int64_t left;

	pthread_mutex_lock(&h->lock);
	left = h->paused_until_ns - time_monotonic_ns();
	pthread_mutex_unlock(&h->lock);
	return left > 0 ? client_sleep(h->client, left, err) : 0;
}

static int borrow(struct registry_host *h, struct http **out, struct error *err)
{
	pthread_mutex_lock(&h->lock);
	*out = h->n_idle ? h->idle[--h->n_idle] : NULL;
	pthread_mutex_unlock(&h->lock);
	return *out ? 0 : http_new(out, &h->http, err);
}

static void give_back(struct registry_host *h, struct http *http)
{
	pthread_mutex_lock(&h->lock);
	if (h->n_idle < MAX_IDLE) {
		GROW(h->idle, h->n_idle + 1, h->idle_cap);
		h->idle[h->n_idle++] = http;
		http = NULL;
	}
	pthread_mutex_unlock(&h->lock);
	http_free(http);
}

/* Warning: 299 - "text" (RFC 7234 5.5; distribution-spec, Warnings). */
static void say_warnings(struct registry_host *h, const struct http_response *res)
{
	struct registry_client *c = h->client;
	const char *value;

	for (int i = 0; (value = http_header_get(res, "Warning", i)); i++) {
		const char *text = strchr(value, '"');
		AUTO(strbuf) line = STRBUF_INIT;
		bool known;

		if (!str_starts(value, "299 ") || !text)
			continue;
		strbuf_printf(&line, "%s: ", h->name);
		strbuf_add_printable(&line, text + 1, strcspn(text + 1, "\""), false);
		pthread_mutex_lock(&c->lock);
		known = c->warnings.n >= 100 || strlist_has(&c->warnings, line.buf);
		if (!known)
			strlist_add(&c->warnings, line.buf);
		pthread_mutex_unlock(&c->lock);
		if (!known)
			report_log(c->o.reporter, LOG_WARNING, "%s", line.buf);
	}
}

static void note_answer(struct registry_host *h, const struct url *url)
{
	pthread_mutex_lock(&h->lock);
	h->answered = true;
	if (h->scheme == HOST_UNKNOWN)
		h->scheme = strcmp(url->scheme, "http") == 0 ? HOST_HTTP : HOST_HTTPS;
	pthread_mutex_unlock(&h->lock);
}

static void say_done(struct registry_host *h, const char *method, const struct url *url,
		     const struct http_response *res, int64_t began)
{
	AUTO_FREE char *shown = url_redact(url);

	report_log(h->client->o.reporter, LOG_DEBUG, "%s %s: %d %s in %.0f ms", method, shown,
		   res->status, http_status_text(res->status),
		   (double)(time_monotonic_ns() - began) / 1e6);
}

/* authorization, if any, as one more header, which leaves no copy behind. */
static int send_over(struct http *http, const struct url *url, const char *authorization,
		     const struct http_request *req, struct http_response *res, struct error *err)
{
	AUTO_FREE char *text = url_format(url);
	AUTO(strlist) headers = STRLIST_INIT;
	struct http_request full = *req;
	int rc;

	if (req->headers)
		strlist_copy(&headers, req->headers);
	if (authorization)
		strlist_add(&headers, authorization);
	full.url = text;
	full.headers = &headers;
	rc = http_send(http, &full, res, err);
	if (authorization)
		wipe(headers.items[headers.n - 1], strlen(authorization));
	return rc;
}

int host_send(struct registry_host *h, const struct url *url, const char *authorization,
	      const struct http_request *req, struct http_response *res, struct error *err)
{
	int64_t began;
	struct http *http;
	int rc;

	if (wait_for_pause(h, err) < 0 || borrow(h, &http, err) < 0)
		return -1;
	began = time_monotonic_ns();
	rc = send_over(http, url, authorization, req, res, err);
	give_back(h, http);
	if (rc < 0)
		return -1;
	note_answer(h, url);
	say_warnings(h, res);
	say_done(h, req->method, url, res, began);
	return 0;
}

void host_send_last(struct registry_host *h, const struct url *url, const char *authorization,
		    const struct http_request *req, struct http_response *res)
{
	const int64_t began = time_monotonic_ns();
	const struct cancel soon = {.wake_fd = -1, .deadline_ns = began + LAST_MS * 1000000ll};
	struct http_options o = h->http;
	AUTO_PTR(http) http = NULL;

	o.cancel = &soon;
	o.connect_timeout_ms = LAST_MS;
	if (http_new(&http, &o, NULL) == 0 &&
	    send_over(http, url, authorization, req, res, NULL) == 0)
		say_done(h, req->method, url, res, began);
}

int64_t host_chunk_bytes(struct registry_host *h)
{
	int64_t bytes;

	pthread_mutex_lock(&h->lock);
	bytes = h->chunk_bytes;
	pthread_mutex_unlock(&h->lock);
	return bytes;
}

void host_set_chunk_bytes(struct registry_host *h, int64_t bytes)
{
	pthread_mutex_lock(&h->lock);
	h->chunk_bytes = bytes;
	pthread_mutex_unlock(&h->lock);
}

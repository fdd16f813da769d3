#include "net/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "net/url.h"

#define MAX_REDIRECTS 10
#define MAX_VALIDATOR 4096 /* bytes of an ETag */

struct download {
	struct sink sink;
	struct fd_sink file;
};

static int check_size(int64_t size, struct error *err)
{
	if (size > LIMIT_DOWNLOAD_BYTES)
		return error_set(
			err, ERROR_UNSUPPORTED,
			"the file is larger than %lld GiB, which is the limit of a download",
			LIMIT_DOWNLOAD_BYTES >> 30);
	return 0;
}

static int write_body(struct sink *s, const void *data, size_t len, struct error *err)
{
	struct download *d = (struct download *)s;

	if (check_size((int64_t)(d->file.bytes + len), err) < 0)
		return -1;
	return sink_write(&d->file.sink, data, len, err);
}

static int check_redirect(const struct url *from, const struct url *to, struct error *err)
{
	AUTO_FREE char *shown = url_redact(to);

	if (!url_is_http(to))
		return error_set(err, ERROR_DENIED, "redirect to %s refused: only http and https",
				 shown);
	if (strcmp(from->scheme, "https") == 0 && strcmp(to->scheme, "https") != 0)
		return error_set(err, ERROR_DENIED, "redirect from https to %s refused", shown);
	if (url_host_is_internal(to->host) && !url_host_is_internal(from->host))
		return error_set(err, ERROR_DENIED, "redirect to the internal address %s refused",
				 shown);
	return 0;
}

/* What is too large is refused before it fills the disk. */
static int check_length(void *arg, const struct http_response *res, struct error *err)
{
	const char *length = http_header_get(res, "Content-Length", 0);

	(void)arg;
	return length ? check_size(strtoll(length, NULL, 10), err) : 0;
}

static void add_conditions(struct strlist *headers, const struct fetch_known *known)
{
	if (known && known->etag)
		strlist_addf(headers, "If-None-Match: %s", known->etag);
	else if (known && known->last_modified)
		strlist_addf(headers, "If-Modified-Since: %s", known->last_modified);
}

/* The server's words become a header of ours later: only what may be in one. */
static char *keep_header(const struct http_response *res, const char *name)
{
	const char *value = http_header_get(res, name, 0);

	for (const char *p = value; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return NULL;
	return value && *value && strlen(value) < MAX_VALIDATOR ? xstrdup(value) : NULL;
}

static void note_answer(struct fetched *out, const struct http_response *res)
{
	const char *modified = http_header_get(res, "Last-Modified", 0);

	out->mtime = modified ? http_parse_date(modified) : -1;
	out->etag = keep_header(res, "ETag");
	out->last_modified = keep_header(res, "Last-Modified");
}

struct wanted {
	const struct fetch_known *known;
	const char *authorization; /* NULL: none, or not for where the last redirect led */
	int fd;
};

static void add_headers(struct strlist *headers, const struct wanted *wanted)
{
	add_conditions(headers, wanted->known);
	if (wanted->authorization)
		strlist_addf(headers, "Authorization: %s", wanted->authorization);
}

static void wipe_headers(struct strlist *headers)
{
	for (size_t i = 0; i < headers->n; i++)
		wipe(headers->items[i], strlen(headers->items[i]));
}

/* One request; *next is where it redirects to (free()), or NULL when the body was written. */
static int request(struct http *h, const struct url *url, const struct wanted *wanted,
		   struct fetched *out, char **next, struct error *err)
{
	AUTO(strlist) headers = STRLIST_INIT;
	AUTO_FREE char *text = url_format(url);
	AUTO_FREE char *shown = url_redact(url);
	struct download body = {.sink = {.write = write_body}};
	struct http_response res = {0};
	struct http_request req = {
		.method = "GET",
		.url = text,
		.headers = &headers,
		.body_len = -1,
		.body_fd = -1,
		.sink = &body.sink,
		.on_headers = check_length,
	};
	const char *location;
	int result;

	add_headers(&headers, wanted);
	fd_sink_init(&body.file, wanted->fd, shown);
	result = http_send(h, &req, &res, err);
	wipe_headers(&headers);
	if (result < 0) {
		http_response_release(&res);
		return error_wrap(err, "download %s", shown);
	}
	location = http_header_get(&res, "Location", 0);
	if (res.status >= 300 && res.status < 400 && location) {
		*next = xstrdup(location);
	} else if (res.status == 304 && wanted->known) {
		out->unchanged = true;
	} else if (res.status < 200 || res.status >= 300) {
		result = error_set(err, ERROR_REMOTE, "download %s: the server answered %d%s%s",
				   shown, res.status, *http_status_text(res.status) ? " " : "",
				   http_status_text(res.status));
		if (err)
			err->status = res.status;
	} else {
		note_answer(out, &res);
		out->size = (int64_t)body.file.bytes;
	}
	http_response_release(&res);
	return result;
}

static int check_url(const struct url *url, const char *text, const char *authorization,
		     struct error *err)
{
	if (!url_is_http(url))
		return error_set(err, ERROR_UNSUPPORTED, "cannot download %s: only http and https",
				 text);
	if (url->userinfo)
		return error_set(
			err, ERROR_DENIED,
			"cannot download from %s: a password in an address is seen by all who see the "
			"address: shells, logs, the history of an image",
			url->host);
	if (authorization && strcmp(url->scheme, "https") != 0 && !url_host_is_loopback(url->host))
		return error_set(err, ERROR_DENIED,
				 "cannot download %s: a secret is not sent over http: use https",
				 text);
	return 0;
}

int fetch_url(struct http *h, const char *text, const struct fetch_known *known,
	      const char *authorization, int fd, struct fetched *out, struct error *err)
{
	struct wanted wanted = {.known = known, .authorization = authorization, .fd = fd};
	AUTO(url) url = {0};

	if (url_parse(&url, text, err) < 0 || check_url(&url, text, authorization, err) < 0)
		return -1;
	out->mtime = -1;
	for (int i = 0; i <= MAX_REDIRECTS; i++) {
		AUTO_FREE char *next = NULL;
		AUTO(url) target = {0};

		if (request(h, &url, &wanted, out, &next, err) < 0)
			return -1;
		if (!next)
			return 0;
		if (url_resolve(&target, &url, next, err) < 0 ||
		    check_redirect(&url, &target, err) < 0)
			return error_wrap(err, "download %s", text);
		/* Also when a later one leads back: whoever sent us there must not choose what we ask as ourselves. */
		if (!url_same_origin(&url, &target))
			wanted.authorization = NULL;
		url_release(&url);
		url = target;
		target = (struct url){0};
	}
	return error_set(err, ERROR_REMOTE, "download %s: more than %d redirects", text,
			 MAX_REDIRECTS);
}

void fetched_release(struct fetched *f)
{
	free(f->etag);
	free(f->last_modified);
	*f = (struct fetched){0};
}

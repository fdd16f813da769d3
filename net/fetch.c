#include "net/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "net/url.h"

#define MAX_REDIRECTS 10

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

static int64_t last_modified(const struct http_response *res)
{
	const char *text = http_header_get(res, "Last-Modified", 0);

	return text ? http_parse_date(text) : -1;
}

/* One request; *next is where it redirects to (free()), or NULL when the body was written. */
static int request(struct http *h, const struct url *url, int fd, int64_t *mtime, char **next,
		   struct error *err)
{
	AUTO_FREE char *text = url_format(url);
	AUTO_FREE char *shown = url_redact(url);
	struct download body = {.sink = {.write = write_body}};
	struct http_response res = {0};
	struct http_request req = {
		.method = "GET",
		.url = text,
		.body_len = -1,
		.body_fd = -1,
		.sink = &body.sink,
		.on_headers = check_length,
	};
	const char *location;
	int result = 0;

	fd_sink_init(&body.file, fd, shown);
	if (http_send(h, &req, &res, err) < 0) {
		http_response_release(&res);
		return error_wrap(err, "download %s", shown);
	}
	location = http_header_get(&res, "Location", 0);
	if (res.status >= 300 && res.status < 400 && location) {
		*next = xstrdup(location);
	} else if (res.status < 200 || res.status >= 300) {
		result = error_set(err, ERROR_REMOTE, "download %s: the server answered %d", shown,
				   res.status);
		if (err)
			err->status = res.status;
	} else {
		*mtime = last_modified(&res);
	}
	http_response_release(&res);
	return result;
}

int fetch_url(struct http *h, const char *text, int fd, int64_t *mtime, struct error *err)
{
	AUTO(url) url = {0};

	if (url_parse(&url, text, err) < 0)
		return -1;
	if (!url_is_http(&url))
		return error_set(err, ERROR_UNSUPPORTED, "cannot download %s: only http and https",
				 text);
	if (url.userinfo)
		return error_set(
			err, ERROR_DENIED,
			"cannot download from %s: a URL with a password would be recorded in the "
			"image's history",
			url.host);
	for (int i = 0; i <= MAX_REDIRECTS; i++) {
		AUTO_FREE char *next = NULL;
		AUTO(url) target = {0};

		if (request(h, &url, fd, mtime, &next, err) < 0)
			return -1;
		if (!next)
			return 0;
		if (url_resolve(&target, &url, next, err) < 0 ||
		    check_redirect(&url, &target, err) < 0)
			return error_wrap(err, "download %s", text);
		url_release(&url);
		url = target;
		target = (struct url){0};
	}
	return error_set(err, ERROR_REMOTE, "download %s: more than %d redirects", text,
			 MAX_REDIRECTS);
}

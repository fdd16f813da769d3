/*
 * Downloads one file over http or https, for ADD: redirects are followed (10 at most) to http and https only, never from
 * https to http, and never from a public host to an internal address; the URL's own userinfo is refused.
 */
#pragma once

#include "net/http.h"

struct fetched {
	char *name;    /* last element of the path of the URL asked for, "" when there is none */
	int64_t mtime; /* Last-Modified, or -1 */
	int64_t size;
};

/* Writes the body to fd, at most LIMIT_DOWNLOAD_BYTES (ERROR_UNSUPPORTED). ERROR_REMOTE with the status when it is not 2xx, ERROR_DENIED for a refused redirect. */
int fetch_url(struct http *h, const char *url, int fd, struct fetched *out, struct error *err);
void fetched_release(struct fetched *f);

CLEANUP_RELEASE(fetched)

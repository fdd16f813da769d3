/*
 * Downloads one file over http or https, for ADD: redirects are followed (10 at most) to http and https only, never from
 * https to http, and never from a public host to an internal address; the URL's own userinfo is refused.
 */
#pragma once

#include "net/http.h"

/*
 * Writes the body to fd, at most LIMIT_DOWNLOAD_BYTES (ERROR_UNSUPPORTED). *mtime: Last-Modified, or -1. ERROR_REMOTE with the status
 * when it is not 2xx, ERROR_DENIED for a refused redirect.
 */
int fetch_url(struct http *h, const char *url, int fd, int64_t *mtime, struct error *err);

/*
 * Downloads one file over http or https, for ADD and contexts: redirects are followed (10 at most) to http and https only, never
 * from https to http, and never from a public host to an internal address; the URL's own userinfo is refused.
 */
#pragma once

#include "net/http.h"

struct fetched {
	int64_t mtime; /* Last-Modified, or -1 */
	int64_t size;
	char *etag, *last_modified; /* as the server wrote them, or NULL */
	bool unchanged;             /* 304: nothing was written */
};

/* What an earlier answer said: with it the server may answer that nothing changed (RFC 9110, 13). */
struct fetch_known {
	const char *etag, *last_modified; /* each may be NULL */
};

/*
 * Writes the body to fd, at most LIMIT_DOWNLOAD_BYTES (ERROR_UNSUPPORTED); known may be NULL. authorization: value of that header,
 * a secret, or NULL; it goes to the URL's own origin, over TLS or to loopback alone, and no more once a redirect led elsewhere.
 * ERROR_REMOTE with the status when it is not 2xx, ERROR_DENIED for a refused redirect or an authorization in the clear.
 */
int fetch_url(struct http *h, const char *url, const struct fetch_known *known,
	      const char *authorization, int fd, struct fetched *out, struct error *err);
void fetched_release(struct fetched *f);

CLEANUP_RELEASE(fetched)

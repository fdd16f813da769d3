/* What a registry says when it refuses (distribution-spec 1.1, Error Codes), made fit to be shown. */
#pragma once

#include "net/http.h"

/* "ghcr.io answered 404 Not Found: NAME_UNKNOWN: repository name not known": no control characters, bounded. */
void remote_describe(struct strbuf *out, const char *host, const struct http_response *res);
/* Is there an error of that code ("BLOB_UPLOAD_UNKNOWN")? */
bool remote_has_code(const struct http_response *res, const char *code);
/*
 * Sets err for an answer that is no success: DENIED for 401 and 403, NOT_FOUND for 404, else REMOTE; err->status is the
 * status. what: "push blob sha256:.. to HOST/REPO". Adds what to try: login, a repository to create, a smaller layer.
 */
int remote_error(struct error *err, const char *what, const char *host,
		 const struct http_response *res);
/* Adds what to try to an ERROR_NETWORK of host (certificates, names, plain HTTP). Returns -1. */
int remote_unreachable(struct error *err, const char *what, const char *host);

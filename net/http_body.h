/* The next piece of a request's body. */
#pragma once

#include "net/http.h"

#define HTTP_BODY_LATER (-2)

/*
 * Up to room bytes from byte at of the body, shown to on_body; 0 at the end. -1: it cannot be read, is shorter than body_len
 * (ERROR_CORRUPT), or on_body refused it. HTTP_BODY_LATER: read_body has
 * none yet.
 */
int64_t http_body_read(const struct http_request *req, int64_t at, char *buffer, size_t room,
		       struct error *err);

/* The next piece of a request's body. */
#pragma once

#include "net/http.h"

/*
 * Up to room bytes from byte at of the body, shown to on_body; 0 at the end. -1: it cannot be read, is shorter than body_len
 * (ERROR_CORRUPT), or on_body refused it.
 */
int64_t http_body_read(const struct http_request *req, int64_t at, char *buffer, size_t room,
		       struct error *err);

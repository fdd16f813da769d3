/*
 * Who may ask: no page in a browser (Origin; a Host that is not ours, by which DNS rebinding shows), nobody without the login.
 * Answers a request that may not go on.
 */
#pragma once

#include "server/call.h"

/* True: the request may be served. */
bool guard_admits(struct call *c);
/* User and password of "Basic BASE64" (RFC 7617): free(), the password wiped by the caller. False for anything else. */
bool guard_parse_basic(const char *header, char **user, char **password);
/* Is it loopback's, with or without a port? */
bool guard_is_local_host(const char *host);

/*
 * What comes on the local target's port, and who answers: /v2/ the embedded registry, "/" and "/status" the status page, the rest the API.
 * First of all, whether it may come: a Host that is not ours shows DNS rebinding, an Origin that is not ours another page in a browser.
 */
#pragma once

#include "local/local.h"
#include "net/server.h"

/* arg is the struct local. */
struct server_handler front_handler(struct local *l);
/* "127.0.0.1:4599", "localhost:4599", "[::1]:4599", and 169.254.170.2 as tasks call us. */
bool front_is_our_host(const char *host, int port);
/* "http://" and such a host. */
bool front_is_our_origin(const char *origin, int port);

/*
 * Requests to the local target's API as net/server brings them: the signature is read when the headers are there, the operation runs when the
 * body is, and what is wrong is answered as the service would.
 */
#pragma once

#include "local/local.h"
#include "net/server.h"

/* A POST to "/", or a GET that names an action in its query. */
bool api_request_is_one(struct server_request *r);
/* Handler: arg is the struct local. */
void *api_request_begin(void *arg, struct server_request *r);
void api_request_body(void *call, struct server_request *r, const void *data, size_t len);
void api_request_end(void *call, struct server_request *r);
void api_request_release(void *call);

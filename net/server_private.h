/* What the files of the HTTP server share. */
#pragma once

#include <microhttpd.h>
#include <pthread.h>

#include "base/strlist.h"
#include "net/server.h"
#include "net/stall.h"

#define PEER_SIZE 16

/* One connection, as the watch sees it. */
struct watched {
	struct watched *next, *prev;
	int fd;
	uint8_t peer[PEER_SIZE]; /* its address, as far as it counts as one */
	bool busy;               /* a request is in progress */
	bool ended;              /* by us: its thread has not seen it yet */
	bool working;     /* and our own code is at it: the client waits for us, not we for it */
	int64_t since_ns; /* without a request; of work: its beginning */
	int64_t spare_ns; /* since when nobody would miss it: without a request, or its answer known and the rest of a body still coming; 0: not so */
	struct stall stall;             /* of a request */
	struct server_request *request; /* of which libmicrohttpd has not said that it is over */
};

struct server {
	struct server_options options;
	struct MHD_Daemon *daemon;
	int listen_fd, port;
	pthread_mutex_t lock;  /* of the list */
	struct watched *first; /* in no order */
	size_t n_connections;
};

/* Of one request: net/server_request.c says what came, net/server.c answers. */
struct server_request {
	struct server *server;
	struct MHD_Connection *connection;
	char *target;
	const char *method;
	bool begun, handled, dropped, queued;
	void *call;
	int64_t drained;
	int status;             /* of the answer; 0: none yet */
	struct strlist headers; /* of the answer: name, value, name, value ... */
	struct MHD_Response *response;
};

/* Connections come and go (libmicrohttpd's callback). */
void watch_connection(void *arg, struct MHD_Connection *connection, void **context,
		      enum MHD_ConnectionNotificationCode code);
/* NULL when libmicrohttpd has forgotten it. */
struct watched *watch_find(struct MHD_Connection *connection);
void watch_working(struct server *s, struct MHD_Connection *connection, bool working);
/* What still comes is dropped; or no more of it. */
void watch_dropping(struct server *s, struct MHD_Connection *connection, bool dropping);
void watch_idle(struct server *s, struct MHD_Connection *connection);
/* Ends what idles or crawls. */
void watch_look(struct server *s);
bool watch_is_busy(struct server *s);

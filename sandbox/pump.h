/* One forwarded connection: bytes both ways between two sockets, each direction closed on its own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUMP_BUFFER 16384

enum watched_kind { WATCHED_LISTENER, WATCHED_AGENT, WATCHED_PUMP };

/* What epoll hands back. */
struct watched {
	enum watched_kind kind;
	void *of;
};

struct pump_side {
	struct watched watched;
	int fd;          /* -1: not there yet */
	uint32_t events; /* watched for; 0: not watched */
	char *data; /* read from here, for the other side, which does not take it now; NULL: nothing */
	size_t at, len;
	bool ended; /* nothing more comes from here */
	bool shut;  /* and the other side was told so */
};

struct pump {
	int epoll_fd;
	bool connecting; /* the inner socket is there, its connection not yet */
	bool refused;    /* the connection did not come about; nothing of the client was read */
	bool done;       /* it is over */
	struct pump_side client, inner;
};

/* Takes client over. */
void pump_init(struct pump *p, int epoll_fd, int client);
/* Takes the inner socket over, which may still be connecting. */
int pump_connect(struct pump *p, int inner);
/* Moves what can be moved, through a buffer of PUMP_BUFFER bytes; may set refused or done. */
void pump_serve(struct pump *p, char *buffer);
/* After refused: another one may be connected. */
void pump_drop_inner(struct pump *p);
/* With reset the client is told that nobody was there, instead of an end like any other. */
void pump_release(struct pump *p, bool reset);

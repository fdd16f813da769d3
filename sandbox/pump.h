/* One forwarded connection: bytes both ways between two sockets, each direction closed on its own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUMP_BUFFER 16384

enum watched_kind { WATCHED_LISTENER, WATCHED_AGENT, WATCHED_PUMP };

struct pump;

/* What epoll hands back. */
struct watched {
	enum watched_kind kind;
	struct pump *pump;
};

struct pump_side {
	struct watched watched;
	int fd;          /* -1: not there yet */
	uint32_t events; /* watched for; 0: not watched */
	char *data;      /* read from here, to be written to the other side */
	size_t at, len;
	bool ended; /* nothing more comes from here */
	bool shut;  /* and the other side was told so */
};

struct pump {
	struct pump *next;
	int epoll_fd;
	uint64_t id;
	bool asked;      /* the inner socket is on its way */
	bool connecting; /* the inner socket is there, its connection not yet */
	bool done;       /* to be freed */
	struct pump_side client, inner;
};

/* Takes client over. */
struct pump *pump_new(int epoll_fd, int client, uint64_t id);
/* Takes the inner socket over, which may still be connecting. */
int pump_connect(struct pump *p, int inner);
void pump_serve(struct pump *p); /* moves what can be moved; may set done */
void pump_free(struct pump *p);

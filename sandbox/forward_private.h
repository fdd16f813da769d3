/* What forward.c (connections) and forward_routes.c (where they lead) share. */
#pragma once

#include "sandbox/forward.h"
#include "sandbox/pump.h"

#define FORWARD_BACKLOG 1024

struct connection {
	struct pump pump; /* first: epoll's pointer is to it */
	struct connection *next, *prev;
	struct connection *next_asked; /* of the same agent */
	struct connection *next_ended;
	struct forward_listener *listener; /* NULL: removed meanwhile */
	struct forward_agent *agent;       /* that it leads to; NULL: this machine, or none yet */
	size_t at, tried;                  /* targets */
	uint64_t id;
	bool ended;                      /* in the list */
	int64_t came, again;             /* monotonic, ns; again: when its targets are tried anew */
	struct connection *next_waiting; /* for that */
};

struct forward_agent {
	struct watched watched;
	struct forward_agent *next;
	int fd; /* -1: not there yet, or gone */
	bool gone;
	struct connection *asked, **asked_end; /* in the order of answers */
	size_t n_asked, n_connections;
};

struct forward_listener {
	struct watched watched;
	struct forward_listener *next;
	int fd;
	bool listening, accepting;
	int64_t patience; /* ns */
	struct forward_target *targets;
	size_t n_targets, turn, n_connections;
};

struct forward {
	int epoll_fd;
	struct forward_agent *agents;
	struct forward_listener *listeners;
	struct connection *connections;
	size_t n_connections;
	struct connection *ended;   /* to be looked at when all events of a round are through */
	struct connection *waiting; /* whose targets all refused, to be tried again */
	size_t n_waiting;
	uint64_t last_id;
	bool finishing;
	int64_t starved_until; /* no descriptor was left: when it is tried again, unless a connection ends before; 0: there are some */
	char buffer[PUMP_BUFFER];
};

void forward_connection_free(struct forward *f, struct connection *c, bool reset);
/* Leads it to the next target that has not been tried; when there is none, the client waits or is told. */
void forward_lead_on(struct forward *f, struct connection *c);
/* Those that it was asked for go elsewhere, or end. */
void forward_agent_is_gone(struct forward *f, struct forward_agent *a);
void forward_listener_free(struct forward_listener *l);
/* After any change of targets, agents or connections. */
void forward_update_accepting(struct forward *f);

/*
 * Passes connections on: listens on this machine and leads each connection to one of the targets of its listener, in turn; one that refuses is
 * not the end while there are others. Targets inside a network namespace are reached through a process that sits there
 * (slipway-init's first one of a step, or that of a space), which makes the connected socket and hands it out: no
 * interface, no address translation, no privilege.
 *
 *	forward_open(&f, err);
 *	agent = forward_add_agent(f, fd);
 *	forward_listen(f, "127.0.0.1", &port, &listener, err);
 *	forward_set_targets(f, listener, targets, n);
 *	poll(forward_fd(f)); forward_serve(f);
 *
 * For one thread at a time. forward_fd() alone may be polled while another thread changes what is forwarded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct forward;
struct forward_agent;
struct forward_listener;

struct forward_target {
	struct forward_agent *agent; /* NULL: on this machine itself */
	uint32_t address;            /* IPv4, as s_addr */
	uint16_t port;
	uint32_t
		source; /* on this machine itself: which address the connection comes from; 0: any */
};

int forward_open(struct forward **out, struct error *err);
/*
 * A socket that takes struct request with REQUEST_CONNECT (sandbox/orders.h); it stays the caller's, and open until forward_remove_agent() or
 * forward_free(). -1: it comes later, until then connections to its targets wait.
 */
struct forward_agent *forward_add_agent(struct forward *f, int fd);
void forward_start_agent(struct forward *f, struct forward_agent *a, int fd);
/* Its connections end; no listener leads to it any more. */
void forward_remove_agent(struct forward *f, struct forward_agent *a);
/* Connections that are led to it now. */
size_t forward_agent_connections(const struct forward_agent *a);

/* As host_socket_listen(). Connections wait until there are targets. */
int forward_listen(struct forward *f, const char *ip, uint16_t *port, struct forward_listener **out,
		   struct error *err);
/* A listening socket, taken over. */
struct forward_listener *forward_add_listener(struct forward *f, int fd);
/*
 * Copies them. n 0: connections are refused until there are targets again; the port stays ours when it was asked for by number. Connections that stand stay as they are. ERROR_SYSTEM: somebody else
 * took the port while there were none; try again later.
 */
int forward_set_targets(struct forward *f, struct forward_listener *l,
			const struct forward_target *targets, size_t n, struct error *err);
/*
 * Connections that all targets refuse are led on again until so long after they came: an app that has just been started does not
 * listen yet. 0, as at first: the client is told at once.
 */
void forward_set_patience(struct forward_listener *l, int ms);
/* Its connections stay. */
void forward_remove_listener(struct forward *f, struct forward_listener *l);

/* Readable when forward_serve() has something to do. */
int forward_fd(const struct forward *f);
/* After how many ms it is to be called though nothing is readable; -1: only then. Listeners with patience wait so, and who has no descriptor left. */
int forward_timeout(const struct forward *f);
void forward_serve(struct forward *f); /* never waits */
/*
 * Takes no more connections, and waits until what the other end has sent is with the clients: for those that read on, 10 s at most; for
 * those that do not, 1 s.
 */
void forward_finish(struct forward *f);
void forward_free(struct forward *f);

CLEANUP_FREE(forward)

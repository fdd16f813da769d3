/*
 * Published ports of a step with its own network namespace: listens on the host, asks the process that sits in the
 * namespace (slipway-init's first one) for a socket connected to the port there, and passes bytes both ways. No
 * interface, no address translation, no privilege.
 *
 *	forward_open(&f, ports, n, err);     before the step starts: a port in use is an error
 *	forward_start(f, agent_fd);          from now on connections are taken
 *	poll(forward_fd(f)); forward_serve(f);
 *	forward_finish(f);                   after the step's end: what it had sent still arrives
 */
#pragma once

#include "sandbox/rootfs.h"

struct forward;
/* Sets host_port of ports that asked for any free one. */
int forward_open(struct forward **out, struct sandbox_port *ports, size_t n, struct error *err);
/* agent_fd stays the caller's, and open as long as f is. */
void forward_start(struct forward *f, int agent_fd);
/* Readable when forward_serve() has something to do. */
int forward_fd(const struct forward *f);
void forward_serve(struct forward *f); /* never waits */
/*
 * Takes no more connections, and waits until what the other end has sent is with the clients: for those that read on, 10 s at most; for
 * those that do not, 1 s.
 */
void forward_finish(struct forward *f);
void forward_free(struct forward *f);

CLEANUP_FREE(forward)

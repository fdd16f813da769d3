/*
 * Published ports of a step with its own network namespace: listens on the host, asks the process that sits in the
 * namespace (slipway-init's first one) for a socket connected to the port there, and passes bytes both ways. No
 * interface, no address translation, no privilege.
 *
 *	forward_open(&f, ports, n, err);     before the step starts: a port in use is an error
 *	forward_start(f, agent_fd);          from now on connections are taken
 *	poll(forward_fd(f)); forward_serve(f);
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
void forward_free(struct forward *f);

CLEANUP_FREE(forward)

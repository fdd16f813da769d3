/*
 * The namespaces that the containers of one task share: network, IPC and host name. A process of slipway-init sits in them and answers; loopback is
 * up, the address of task metadata can be reached, and nothing else is there unless a way out was opened. Sockets are made inside and handed out, so that
 * who is outside can listen and connect there without address translation or privilege.
 *
 *	struct space_options o = {.hostname = "web", .ports = {80, 4599}, .n_ports = 2};
 *	space_open(&space, sb, &o, err);
 *	accept4(space_listener(space, 0), ..)                   what came to 169.254.170.2:80
 *	spec.space = space; rootfs_run(fs, &spec, ...)          as often as there are containers
 *	send(space_agent(space), &request, ..)                  a socket connected to a container's port
 *	space_free(space);
 *
 * The process ends with slipway, however that ends. What runs in a container sees neither the process nor its socket to slipway: it
 * shares an empty network with it, and no process ids.
 */
#pragma once

#include <stdint.h>

#include "sandbox/orders.h"
#include "sandbox/sandbox.h"

#define SPACE_MAX_PORTS 4

struct space;

struct space_options {
	const char *hostname;
	uint16_t ports
		[SPACE_MAX_PORTS]; /* to listen on at SPACE_METADATA_ADDRESS; containers may use the same at their own addresses */
	size_t n_ports;
};

/* Any thread. ERROR_UNSUPPORTED where the sandbox's mode has no namespaces. */
int space_open(struct space **out, struct sandbox *sb, const struct space_options *o,
	       struct error *err);
/*
 * Opens the way to other machines and to this one's addresses but loopback and link-local ones (outbound.h). Before the first container. ERROR_NOT_FOUND,
 * ERROR_UNSUPPORTED: there is none here; the space is as good as before.
 */
int space_open_outbound(struct space *s, struct sandbox *sb, struct error *err);
/* A listening socket, not blocking; a view. -1 where the kernel cannot make the address: it was said by a warning. */
int space_listener(const struct space *s, size_t i);
/*
 * A socket of packets: takes struct request with REQUEST_CONNECT, answers each by a struct answer with its id, in the same order, and with
 * a socket (fd_message_receive()), which does not block and is connected or being connected. A view; for one thread at a time.
 */
int space_agent(const struct space *s);
/* The process; -1 when it has died. */
pid_t space_pid(const struct space *s);
/* Containers that still run in there keep their namespaces, but cannot be reached any more. */
void space_free(struct space *s);

CLEANUP_FREE(space)

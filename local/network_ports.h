/*
 * The ports of a task or of a service: those that its definition maps, as listeners at one address of this machine. A port is its own
 * number here too; below 1024, where that may not be listened at, it is found 8000 higher.
 */
#pragma once

#include "base/json.h"
#include "sandbox/forward.h"

struct network_port {
	uint16_t container_port, host_port;
	struct forward_listener *listener; /* NULL: not open */
};

struct network_ports {
	struct network_port *items;
	size_t n, cap;
};

void network_ports_release(struct network_ports *p);
/*
 * Adds the port mappings of all containers of a task definition, each once, those below 1024 last; nothing is open yet. ERROR_UNSUPPORTED for what is not
 * TCP, and for ranges.
 */
int network_ports_read(struct network_ports *p, const json_t *definition, struct error *err);
/* Opens those that are not. On failure those that are open stay so; the message names the address and port. */
int network_ports_open(struct network_ports *p, struct forward *f, const char *address,
		       struct error *err);
void network_ports_close(struct network_ports *p, struct forward *f);
/* A port that is found elsewhere than at its own number; NULL: none. */
const struct network_port *network_ports_moved(const struct network_ports *p);
/* [{"containerPort", "hostPort"}] of those that are open; a new reference. */
json_t *network_ports_to_json(const struct network_ports *p);

CLEANUP_RELEASE(network_ports)

/* Published ports of a step with its own network namespace (slipway run -p): a forwarder that leads to 127.0.0.1 in there. */
#pragma once

#include "sandbox/forward.h"
#include "sandbox/rootfs.h"

/*
 * Before the step starts: a port in use is an error. Sets host_port of ports that asked for any free one. forward_start_agent() of *agent begins
 * to take connections.
 */
int publish_open(struct forward **out, struct forward_agent **agent, struct sandbox_port *ports,
		 size_t n, struct error *err);

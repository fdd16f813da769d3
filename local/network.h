/*
 * How tasks are reached, and what they reach. Every task has a space of its own (sandbox/space.h) and a loopback address of its own on
 * this machine, 127.64.x.y, on which its ports are its real ports; a service has an address too, 127.65.x.y, that balances over its healthy tasks. Ports below
 * 1024 that may not be bound here are found 8000 higher. Inside, 169.254.170.2 answers metadata (version 4) and credentials, and the local
 * target itself is reachable.
 *
 *	network_open(&n, &options, err);
 *	network_add_task(n, task_id, err);            addresses are written to the task's document: see network_addresses()
 *	network_task_space(n, task_id)                for its containers
 *	network_look(n);                              after changes of the state: which tasks a service's address leads to
 *	network_remove_task(n, task_id);
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "local/state.h"
#include "sandbox/space.h"

struct network;

struct network_options {
	struct state *state;
	struct sandbox *sandbox;
	struct reporter *reporter;
	int api_port; /* of the local target, on 127.0.0.1 */
	/*
	 * GET of 169.254.170.2 from the inside of a task: path is "/v4/..." or "/v2/credentials/...". Fills an HTTP status and a JSON text
	 * (free()). Called by a thread of the network's, which holds no lock; it must not wait long.
	 */
	void (*metadata)(void *arg, const char *task_id, const char *path, int *status,
			 char **json);
	void *arg;
};

int network_open(struct network **out, const struct network_options *o, struct error *err);
/*
 * Makes the space and opens the task's ports (portMappings of its definition). Its document gets "slipway": {"address": "127.64.0.2", "ports":
 * [{"containerPort": 80, "hostPort": 8080}]}. Takes the state's lock by itself. ERROR_SYSTEM with what cannot be bound.
 */
int network_add_task(struct network *n, const char *task_id, struct error *err);
/* NULL: no such task. Valid until network_remove_task(). */
struct space *network_task_space(struct network *n, const char *task_id);
/*
 * Before a task is told to stop: its service's address leads nobody there any more, and this waits until the connections to it have ended, at most
 * timeout_ms. A task of no service is not waited for. Without the state's lock.
 */
void network_drain_task(struct network *n, const char *task_id, int timeout_ms);
/* Its connections end. */
void network_remove_task(struct network *n, const char *task_id);
/*
 * Makes services' listeners and tells them their tasks: those RUNNING whose health is not UNHEALTHY and that are not to stop. Documents of services get
 * "slipway": {"address", "ports"} as tasks do. Called by one thread, without the state's lock.
 */
void network_look(struct network *n);
void network_free(struct network *n);

CLEANUP_FREE(network)

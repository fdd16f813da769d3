/* What network.c (tasks, the thread) and network_services.c (addresses that balance) share. */
#pragma once

#include <pthread.h>

#include "base/pool.h"
#include "local/metadata_server.h"
#include "local/network.h"
#include "local/network_address.h"
#include "local/network_ports.h"

struct network_task {
	struct network_task *next;
	char *id;
	unsigned int number; /* of its address */
	char address[NETWORK_ADDRESS_SIZE];
	struct space *space; /* NULL: being made */
	struct forward_agent *agent;
	struct forward_listener *api; /* leads from inside to the local target */
	struct network_ports ports;
	bool of_service;
	bool draining; /* no more connections by its service */
};

struct network_service {
	struct network_service *next;
	char *key; /* CLUSTER/NAME */
	char address[NETWORK_ADDRESS_SIZE];
	struct network_ports ports;
	struct strlist tasks; /* ids of those that are fit to be led to */
	bool seen;            /* in the look that goes on */
	bool failed;          /* its ports could not be opened, and it was said */
};

struct network {
	struct network_options o;
	pthread_mutex_t
		lock; /* guards everything below; the state's lock is not taken while it is held */
	pthread_cond_t served;
	struct forward *forward;
	struct network_task *tasks;
	struct network_service *services;
	struct network_slot slot;
	unsigned int last_number;
	bool said_moved, said_outbound;

	struct metadata_server *metadata; /* has a lock of its own */
	struct pool *pool;
	struct group group;
	bool started;
	int stop[2]; /* a pipe */
};

struct network_task *network_task_find(struct network *n, const char *task_id);
/* Says once where ports are found that could not keep their numbers. With the lock held. */
void network_say_moved(struct network *n, const char *address, const struct network_ports *p);
/* Leads the service's listeners to its tasks as they are now. With the lock held. */
void network_lead_services(struct network *n);
void network_services_free(struct network *n);
/* A copy of the task definition that a task or service names; NULL: there is none. With the state's lock held. */
json_t *network_definition(struct state *s, const char *arn);

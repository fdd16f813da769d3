/* Where a task is reached. */
#pragma once

#include "base/strlist.h"
#include "deploy/target.h"

struct task_address {
	char *public_ip;  /* NULL: none */
	char *private_ip; /* NULL: none */
	struct strlist
		ports; /* "3000": TCP ports as the outside sees them, in the task definition's order */
};

/* A detail of the task's network interface ("networkInterfaceId"), a view; "" when it has none of its own. */
const char *task_interface_detail(const json_t *task, const char *name);
void task_address_release(struct task_address *a);
/*
 * Of a running task: the public address of its network interface (EC2 DescribeNetworkInterfaces), else of the instance it runs on.
 * What may not be asked stays NULL; a refusal is a warning, not an error.
 */
int task_address_find(struct task_address *out, const struct deploy_target *t, const json_t *task,
		      const json_t *definition, struct error *err);

/*
 * Of what the local target describes (a task, or a service with its stable address): it tells the address itself, with the ports as
 * they were bound. False: this is not of a local target.
 */
bool task_address_local(struct task_address *out, const json_t *described);

CLEANUP_RELEASE(task_address)

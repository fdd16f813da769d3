/* Where a load balancer stands, from where the tasks do: subnets that the internet reaches, one in each of their zones. */
#pragma once

#include "deploy/security_group.h"

#define BALANCER_SUFFIX "lb" /* of its security group's name */

struct balancer_network {
	char *vpc;
	struct strlist subnets;      /* public ones, of different zones, two at least */
	struct security_group group; /* the load balancer's own: open on its ports */
	char *task_group; /* the tasks' group, which lets it in; NULL: they have none of their own */
};

void balancer_network_release(struct balancer_network *n);
/*
 * network: networkConfiguration of the service. ports: those of the load balancer ("80/tcp"). ERROR_NOT_FOUND when a zone of the
 * tasks has no public subnet, or there is only one zone, with what to try.
 */
int balancer_network_find(const struct deploy_target *t, const json_t *network,
			  const struct strlist *ports, struct balancer_network *out,
			  struct error *err);
/* The load balancer's group, and the tasks' group opened to it on the port. */
int balancer_network_make(const struct deploy_target *t, struct balancer_network *n, int64_t port,
			  struct error *err);
/* After the load balancer has gone: closes what was opened to its group, and deletes that; *removed: its name, NULL: there was none. */
int balancer_network_destroy(const struct deploy_target *t, char **removed, struct error *err);

CLEANUP_RELEASE(balancer_network)

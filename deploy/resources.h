/*
 * What an app needs at AWS besides its task definition: looked up first, so that a plan can be shown, then made where it is missing.
 * What is there is used as it is.
 *
 *	resources_find(&target, &wanted, &resources, err)      asks, changes nothing
 *	resources_plan(&resources, &lines)                     "+ create log group /ecs/web (30 days)", "= cluster default"
 *	resources_make(&target, &wanted, &resources, err)      makes what find found missing; again: nothing to do
 *
 * After find the names and ARNs of what is missing are known already, but for security groups and a default VPC.
 */
#pragma once

#include "deploy/cluster.h"
#include "deploy/ecr_repository.h"
#include "deploy/log_group.h"
#include "deploy/network.h"
#include "deploy/roles.h"

/* Views, as in struct deploy_target. */
struct resources_wanted {
	const char *repository; /* NULL: none is needed */
	const char *log_group;  /* NULL: none is needed */
	int64_t retention_days; /* of a log group that is made; 0: for ever */
	bool insights;          /* of a cluster that is made */
	bool on_instances;      /* launch type EC2: the cluster has to have container instances */
	bool no_execution_role; /* the task needs none */
	const char *execution_role, *task_role; /* ARN or name; NULL: found or made */
	const struct strlist *task_policies;    /* ARNs and files; NULL: none */
	const struct strlist *secrets;          /* valueFrom of the task's secrets; NULL: none */
	bool no_network;                        /* network mode bridge or host */
	struct network_wanted network;          /* its secrets is set from the above */
};

struct resources {
	struct cluster cluster;
	struct ecr_repository repository; /* .uri */
	struct log_group log_group;       /* .name */
	struct task_role execution_role;  /* .arn, NULL: none */
	struct task_role task_role;       /* .arn, NULL: none */
	struct network network;           /* .subnets, .security_groups, .public_ip */
	bool has_repository, has_log_group, has_network;
	bool made_role; /* by make: IAM may need half a minute until ECS may take it */
};

void resources_release(struct resources *r);
/*
 * ERROR_NOT_FOUND for what is named and does not exist, for a cluster without instances and a network without a route; ERROR_DENIED;
 * ERROR_USAGE for names that AWS would refuse.
 */
int resources_find(const struct deploy_target *t, const struct resources_wanted *w,
		   struct resources *out, struct error *err);
/* The network alone again, after w->network changed. Errors as above. */
int resources_find_network(const struct deploy_target *t, const struct resources_wanted *w,
			   struct resources *out, struct error *err);
/* A line each: "+ " will be made, "= " is there, "- " will go, "! " is remarkable. */
void resources_plan(const struct resources *r, const struct resources_wanted *w,
		    struct strlist *lines);
/* Has make nothing to do? */
bool resources_are_ready(const struct resources *r);
/* --no-create: ERROR_NOT_FOUND naming all that is missing. */
int resources_refuse_missing(const struct resources *r, const struct resources_wanted *w,
			     struct error *err);
/* In order: repository, cluster, log group, roles, network. What was made before a failure is found the next time. */
int resources_make(const struct deploy_target *t, const struct resources_wanted *w,
		   struct resources *r, struct error *err);

CLEANUP_RELEASE(resources)

/* Services: what there is, create or update, and taking a step back. */
#pragma once

#include "deploy/target.h"

/* Views of the caller's. */
struct service_change {
	const char *name;
	const char *definition;  /* ARN */
	const char *launch_type; /* "FARGATE", "EC2" */
	json_t *network;        /* networkConfiguration; NULL: none, or the service keeps its own */
	json_t *load_balancers; /* loadBalancers; NULL: none, or the service keeps its own */
	int64_t desired_count;  /* -1: not asked for: 1 for a new service, else as it is */
	bool scaled_by_itself;  /* Application Auto Scaling decides the count: it is never sent */
	int64_t grace_seconds; /* health check grace period with a load balancer; -1: not asked for */
	int64_t max_failures; /* of tasks, before ECS takes the deployment back */
	bool enable_exec;
	bool force; /* a new deployment even when nothing differs */
};

/* A deployment of a service under way. */
struct service_rollout {
	char *service, *arn; /* name; ARN */
	char *deployment; /* "ecs-svc/0123": ECS's id of the PRIMARY deployment that the change made */
	char *service_deployment; /* ARN for DescribeServiceDeployments; NULL: not known (yet) */
	char *definition;         /* ARN that is deployed */
	char *previous;           /* ARN of the task definition that ran before; NULL: none did */
	char *seen_before; /* the service deployment that was current before the change; NULL: none */
	int64_t count;     /* tasks that are wanted */
	bool unchanged;
	double started; /* seconds since 1970, by ECS's clock: events before it are old */
};

void service_rollout_release(struct service_rollout *r);
/* Fills deployment and started from what a change of the service was answered with. */
void service_rollout_begin(struct service_rollout *out, const json_t *service);

/* One that can be changed (ACTIVE); *service NULL: there is none. An object of DescribeServices, with tags; a new reference. */
int service_find(const struct deploy_target *t, const char *name, json_t **service,
		 struct error *err);
/*
 * CreateService, or UpdateService where current (from service_find(), may be NULL) is one: with the circuit breaker and rollback on,
 * while its percentages, alarms and strategy stay.
 * One that drains is waited for. Roles that were just made are tried again for 60 s.
 */
int service_apply(const struct deploy_target *t, const struct service_change *change,
		  const json_t *current, struct service_rollout *out, struct error *err);
/*
 * Takes the deployment back: StopServiceDeployment where ECS knows it, else UpdateService to the task definition before. A service
 * of which nothing ran yet has nothing to go back to: it is scaled to 0 so that it does not start and die on, and the count is noted in a
 * tag, by which the next service_apply() brings it back. *back: what happens now, a sentence; free().
 */
int service_take_back(const struct deploy_target *t, const struct service_rollout *r, char **back,
		      struct error *err);

/* The deployment with status PRIMARY of DescribeServices' answer, or the one with that id; NULL: not there. A view. */
json_t *service_primary(const json_t *service);
json_t *service_deployment(const json_t *service, const char *id);

CLEANUP_RELEASE(service_rollout)

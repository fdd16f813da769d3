/*
 * Watching one deployment of a service to its end, by its id: never "the service is stable", which a service that was rolled back
 * is too.
 */
#pragma once

#include "deploy/outcome.h"
#include "deploy/service.h"

struct follow_options {
	int64_t deadline; /* of time_monotonic_ns() */
	/* After so many tasks of the deployment died alike slipway takes it back itself; 0: leave that to ECS. */
	int64_t max_failures;
};

/*
 * The first task of the deployment that dies is reported (LOG_WARNING, explain_task()'s report) at the look that finds it. *summary: how
 * it ended in a line or a few, free(). Errors: as aws_call(), ERROR_NOT_FOUND when the service vanishes, ERROR_CANCELLED: everything
 * runs on as it is. r: service_deployment is filled when ECS tells it.
 */
int service_follow(const struct deploy_target *t, struct service_rollout *r,
		   const struct follow_options *o, enum deploy_outcome *outcome, char **summary,
		   struct error *err);

/* A running task of the deployment; *task NULL: none. A new reference. */
int service_running_task(const struct deploy_target *t, const struct service_rollout *r,
			 json_t **task, struct error *err);

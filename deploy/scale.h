/* How many tasks a service runs: asking for another number, and watching it come true. */
#pragma once

#include "deploy/outcome.h"
#include "deploy/target.h"

/* UpdateService with that desired count and nothing else. */
int service_scale(const struct deploy_target *t, const char *service, int64_t count,
		  struct error *err);
/*
 * Until the service runs as many tasks as it is to, and none of an older deployment; deadline of time_monotonic_ns(). The first task that
 * dies meanwhile is reported (LOG_WARNING). *outcome: DEPLOY_RUNNING, or DEPLOY_TIMED_OUT with *counts as in "1 of 3 running".
 * since: seconds by ECS's clock; tasks that were made before are not looked at. The target is identified.
 */
int service_settle(const struct deploy_target *t, const char *service, double since,
		   int64_t deadline, enum deploy_outcome *outcome, char **counts,
		   struct error *err);

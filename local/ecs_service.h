/*
 * A service's document (DescribeServices) and its deployments, as CreateService, UpdateService and the reconciler write them. Besides what ECS shows, "slipway" holds
 *
 *	service      "cluster", "records" (its service deployments, newest first), "revisions", "tasks": what was noticed of each task (by id), "steady",
 *	             "token", "address" and "ports" (network.h)
 *	deployment   "revision" and "record" (ARNs), "completed", "given_up", "backoff" and "not_before" (seconds), "rolls_back" (a record's ARN)
 *
 * All times are seconds since 1970, as AWS writes them.
 */
#pragma once

#include "local/state.h"

/* The object "slipway" of a service or deployment. */
json_t *ecs_own(const json_t *document);
bool ecs_flag(const json_t *object, const char *key);
double ecs_time(const json_t *object, const char *key);

/* A newest event of the service (at most 100 are kept). */
void ecs_service_say(json_t *service, double now, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * A new PRIMARY deployment of the service as it is now, with its revision and service deployment; the one before becomes ACTIVE, and when it was on its way it is
 * given up. A view. definition: the inner object.
 */
json_t *ecs_service_deploy(json_t *service, const json_t *definition, double now);
json_t *ecs_service_primary(const json_t *service);
/* The deployment that tasks are started of: the primary or, when that was given up, the newest that was completed; NULL: none was. */
json_t *ecs_service_source(const json_t *service);
/* A service deployment by its ARN, in the service; NULL: there is none. */
json_t *ecs_service_record(const json_t *service, const char *arn);
/* The service that has the service deployment or revision, by the ARN's cluster and name; NULL: there is none. */
json_t *ecs_service_of(struct state *s, const char *arn);
json_t *ecs_service_revision(const json_t *service, const char *arn);
void ecs_record_end(json_t *record, const char *status, const char *reason, double now);
/*
 * The PRIMARY deployment failed: what ran before takes its place again when roll_back and there is something (a completed deployment), else nothing more
 * of it starts.
 */
void ecs_service_give_up(json_t *service, const char *reason, bool roll_back, double now);

/* The circuit breaker's settings; NULL: it is off. */
const json_t *ecs_service_breaker(const json_t *service);
/* How many tasks may fail (ECS API Reference, ThresholdConfiguration). */
int64_t ecs_service_threshold(const json_t *service);
int64_t ecs_service_percent(const json_t *service, const char *key, int64_t usual);

/* runningCount, pendingCount and desiredCount of the service, its deployments, revisions and records, by the tasks there are. */
void ecs_service_count(json_t *service, struct state *s);

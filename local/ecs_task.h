/*
 * Tasks as documents: made in one place for RunTask and the reconciler, and what is to be known of them. The runner (runner.h) moves them on.
 */
#pragma once

#include "local/state.h"

/* Stopped tasks are kept for so long, and so many of them (DescribeTasks). */
#define ECS_STOPPED_SECONDS 3600
#define ECS_STOPPED_TASKS   1000

/* Views. */
struct ecs_task_order {
	const json_t *cluster;    /* its document */
	const json_t *definition; /* {"taskDefinition", "tags"} */
	const json_t *
		settings; /* launchType, capacityProviderStrategy, networkConfiguration, platformVersion, overrides, enableExecuteCommand */
	const char *group;      /* "family:web", "service:web" */
	const char *started_by; /* NULL: nobody said */
	const json_t *tags;     /* NULL: none */
	const char *service;    /* NULL: of none */
	double now;
};

/* PROVISIONING, its containers PENDING; *id is its key in STATE_TASKS (free()). A new reference. */
json_t *ecs_task_new(const struct ecs_task_order *o, char **id);
/* Those that RunTask or a service gives: its own, the definition's or service's when they are propagated (either may be NULL), and aws:ecs:* when managed. A new reference. */
json_t *ecs_task_tags(const json_t *own, const json_t *propagated, const char *cluster,
		      const char *service, bool managed);
/* Asks the runner to stop it: sets desiredStatus, stopCode, stoppedReason and stoppingAt. No effect on one that is to stop already: false. */
bool ecs_task_stop(json_t *task, const char *code, const char *reason, double now);

/* It is to run: not stopped, and not asked to. */
bool ecs_task_is_live(const json_t *task);
/* RUNNING, and no health check says otherwise. */
bool ecs_task_is_healthy(const json_t *task);
bool ecs_task_is_stopped(const json_t *task);
/* It stopped, or is about to, by itself or for its health, and not because somebody wanted fewer. */
bool ecs_task_has_failed(const json_t *task);
/* Since when it runs; 0: it does not. */
double ecs_task_started(const json_t *task);
/* The service of the cluster that it belongs to. */
bool ecs_task_is_of(const json_t *task, const char *cluster, const char *service);
/* The deployment's id; "" of a task on its own. */
const char *ecs_task_deployment(const json_t *task);
/* Its cluster's name. */
const char *ecs_task_cluster(const json_t *task);

#define ECS_SCALING_REASON "Scaling activity initiated by"
#define ECS_HEALTH_REASON  "Task failed container health checks"

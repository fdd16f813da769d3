/* A cluster "main" with a service "web" in memory, a clock, and a runner that is the test: it moves tasks on. Times are seconds. */
#pragma once

#include <math.h>

#include "aws/ask.h"
#include "local/ecs_service.h"
#include "local/ecs_task.h"
#include "local/reconcile.h"
#include "tests/unit/base/testing.h"
#include "tests/unit/local/memory_state.h"

#define KEY    "main/web"
#define PREFIX "arn:aws:ecs:us-east-1:000000000000:"

struct world {
	struct state *state;
	double now;
	double next;  /* what the last look said */
	bool failing; /* tasks die as soon as they run */
};

static inline void world_put(struct world *w, const char *kind, const char *key, json_t *document)
{
	assert_non_null(document);
	assert_int_equal(state_put(w->state, kind, key, document, NULL), 0);
}

/* Revision n of the family app; with a health check or without. */
static inline void world_define(struct world *w, int revision, bool health_check)
{
	AUTO_FREE char *key = xstrfmt("app:%d", revision);
	AUTO_FREE char *arn = xstrfmt(PREFIX "task-definition/%s", key);
	json_t *d = json_pack("{s:{s:s, s:s, s:i, s:s, s:s, s:s, s:[{s:s, s:s}]}, s:[]}",
			      "taskDefinition", "taskDefinitionArn", arn, "family", "app",
			      "revision", revision, "status", "ACTIVE", "cpu", "256", "memory",
			      "512", "containerDefinitions", "name", "app", "image", "app", "tags");

	if (health_check)
		json_object_set_new(
			json_array_get(json_object_get(json_object_get(d, "taskDefinition"),
						       "containerDefinitions"),
				       0),
			"healthCheck", json_pack("{s:[s, s]}", "command", "CMD", "true"));
	world_put(w, STATE_TASK_DEFINITIONS, key, d);
}

static inline void world_init(struct world *w)
{
	*w = (struct world){.state = memory_state_new(), .now = 1000};
	world_put(w, STATE_CLUSTERS, "main",
		  json_pack("{s:s, s:s, s:s}", "clusterName", "main", "clusterArn",
			    PREFIX "cluster/main", "status", "ACTIVE"));
	for (int i = 1; i <= 3; i++)
		world_define(w, i, false);
}

static inline json_t *world_service(struct world *w)
{
	json_t *service = state_get(w->state, STATE_SERVICES, KEY);

	assert_non_null(service);
	return service;
}

static inline const json_t *world_definition(struct world *w, int revision)
{
	AUTO_FREE char *key = xstrfmt("app:%d", revision);

	return json_object_get(state_get(w->state, STATE_TASK_DEFINITIONS, key), "taskDefinition");
}

/* As CreateService makes it. breaker: NULL is off. */
static inline void world_create(struct world *w, int count, const char *breaker)
{
	json_t *service = json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:s, s:[], s:[], s:{s:i, s:i}, s:s, s:{s:s, s:[], "
		"s:[], s:{}}}",
		"serviceName", "web", "serviceArn", PREFIX "service/main/web", "clusterArn",
		PREFIX "cluster/main", "status", "ACTIVE", "desiredCount", count, "launchType",
		"FARGATE", "deployments", "events", "deploymentConfiguration", "maximumPercent",
		200, "minimumHealthyPercent", 100, "propagateTags", "NONE", "slipway", "cluster",
		"main", "records", "revisions", "tasks");

	if (breaker) {
		json_t *parsed = json_loads(breaker, 0, NULL);

		assert_non_null(parsed);
		json_object_set_new(json_object_get(service, "deploymentConfiguration"),
				    "deploymentCircuitBreaker", parsed);
	}
	ecs_service_deploy(service, world_definition(w, 1), w->now);
	world_put(w, STATE_SERVICES, KEY, service);
}

/* As UpdateService with another task definition, or force, does. */
static inline void world_deploy(struct world *w, int revision)
{
	json_t *service = json_deep_copy(world_service(w));

	ecs_service_deploy(service, world_definition(w, revision), w->now);
	world_put(w, STATE_SERVICES, KEY, service);
}

static inline void world_set(struct world *w, const char *key, json_t *value)
{
	json_t *service = json_deep_copy(world_service(w));

	json_object_set_new(service, key, value);
	world_put(w, STATE_SERVICES, KEY, service);
}

static inline void world_percents(struct world *w, int least, int most)
{
	json_t *c = json_deep_copy(json_object_get(world_service(w), "deploymentConfiguration"));

	json_object_set_new(c, "minimumHealthyPercent", json_integer(least));
	json_object_set_new(c, "maximumPercent", json_integer(most));
	world_set(w, "deploymentConfiguration", c);
}

static inline struct reconcile world_reconcile(struct world *w)
{
	return (struct reconcile){.state = w->state, .now = w->now, .settle = 3, .retry = 1};
}

/* Looks until nothing changes any more; -1 when the state died. */
static inline int world_try_look(struct world *w)
{
	for (int i = 0; i < 50; i++) {
		struct reconcile r = world_reconcile(w);
		uint64_t before = w->state->version;

		if (reconcile_services(&r, NULL) < 0 || reconcile_forget(&r, NULL) < 0)
			return -1;
		w->next = r.next;
		if (w->state->version == before)
			return 0;
	}
	fail_msg("it never comes to rest");
	return -1;
}

static inline void world_look(struct world *w)
{
	assert_int_equal(world_try_look(w), 0);
}

/* ---- the runner ---- */

static inline void world_change_task(struct world *w, const char *id, json_t *changes)
{
	json_t *task = json_deep_copy(state_get(w->state, STATE_TASKS, id));

	assert_non_null(task);
	json_object_update(task, changes);
	json_decref(changes);
	world_put(w, STATE_TASKS, id, task);
}

static inline void world_run_task(struct world *w, const char *id)
{
	world_change_task(w, id,
			  json_pack("{s:s, s:f}", "lastStatus", "RUNNING", "startedAt", w->now));
}

/* It ended by itself. */
static inline void world_kill_task(struct world *w, const char *id)
{
	world_change_task(w, id,
			  json_pack("{s:s, s:s, s:s, s:s, s:f, s:f}", "lastStatus", "STOPPED",
				    "desiredStatus", "STOPPED", "stopCode",
				    "EssentialContainerExited", "stoppedReason",
				    "Essential container in task exited", "stoppingAt", w->now,
				    "stoppedAt", w->now));
}

/* What is to stop has stopped. */
static inline void world_stop_task(struct world *w, const char *id)
{
	world_change_task(w, id,
			  json_pack("{s:s, s:f}", "lastStatus", "STOPPED", "stoppedAt", w->now));
}

/* One round: everything does what it is to do. Tasks of revision 2 die when failing. */
static inline void world_run(struct world *w)
{
	const char *id;
	json_t *task;
	void *next;

	json_object_foreach_safe(state_all(w->state, STATE_TASKS), next, id, task)
	{
		bool broken = w->failing && str_ends(aws_text(task, "taskDefinitionArn"), ":2");

		if (ecs_task_is_stopped(task))
			continue;
		if (!ecs_task_is_live(task))
			world_stop_task(w, id);
		else if (broken)
			world_kill_task(w, id);
		else if (strcmp(aws_text(task, "lastStatus"), "RUNNING") != 0)
			world_run_task(w, id);
	}
}

/* Time passes until nothing is left to wait for, or so many seconds have gone by. */
static inline void world_pass(struct world *w, double seconds)
{
	double end = w->now + seconds;

	for (int i = 0; i < 1000; i++) {
		uint64_t before = w->state->version;

		world_look(w);
		world_run(w);
		if (w->state->version != before)
			continue;
		if (w->next == 0 || w->next > end)
			break;
		w->now = w->next;
	}
	w->now = end;
	world_look(w);
}

/* ---- what there is ---- */

/* Live tasks of the revision, 0: of any. */
static inline int world_live(struct world *w, int revision)
{
	AUTO_FREE char *end = xstrfmt(":%d", revision);
	const char *id;
	json_t *task;
	int n = 0;

	json_object_foreach (state_all(w->state, STATE_TASKS), id, task)
		n += ecs_task_is_live(task) &&
		     (!revision || str_ends(aws_text(task, "taskDefinitionArn"), end));
	return n;
}

/* The id of some live task. */
static inline const char *world_live_task(struct world *w)
{
	const char *id;
	json_t *task;

	json_object_foreach (state_all(w->state, STATE_TASKS), id, task)
		if (ecs_task_is_live(task))
			return id;
	fail_msg("no task is live");
	return NULL;
}

static inline int world_events(struct world *w, const char *text)
{
	json_t *event;
	size_t i;
	int n = 0;

	json_array_foreach (json_object_get(world_service(w), "events"), i, event)
		n += strstr(aws_text(event, "message"), text) != NULL;
	return n;
}

static inline const char *world_newest_event(struct world *w)
{
	return aws_text(json_array_get(json_object_get(world_service(w), "events"), 0), "message");
}

static inline const json_t *world_record(struct world *w, size_t index)
{
	return json_array_get(json_object_get(ecs_own(world_service(w)), "records"), index);
}

#define assert_text(object, key, wanted)   assert_string_equal(aws_text(object, key), wanted)
#define assert_number(object, key, wanted) assert_int_equal(aws_int(object, key), wanted)

/* ---- fixtures ---- */

static inline int world_setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	world_init(w);
	*state = w;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;

	state_free(w->state);
	free(w);
	return 0;
}

static inline const json_t *primary(struct world *w)
{
	return ecs_service_primary(world_service(w));
}

static inline size_t n_deployments(struct world *w)
{
	return json_array_size(json_object_get(world_service(w), "deployments"));
}

/* Runs revision 1 until it is steady. */
static inline void steady(struct world *w, int count, const char *breaker)
{
	world_create(w, count, breaker);
	world_pass(w, 10);
	assert_text(primary(w), "rolloutState", "COMPLETED");
	assert_int_equal(world_live(w, 1), count);
}

#include <stdlib.h>
#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "base/path.h"
#include "base/strlist.h"
#include "local/ecs_service.h"
#include "local/ecs_task.h"
#include "local/reconcile_private.h"

#define BREAKER_REASON "ECS deployment circuit breaker: tasks failed to start."
#define USER_REASON    "Service deployment was stopped by the user."

static void service_look_release(struct service_look *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->tasks[i].id);
		json_decref(l->tasks[i].task);
	}
	free(l->tasks);
	json_decref(l->service);
}
CLEANUP_RELEASE(service_look)

void reconcile_at(struct reconcile *r, double moment)
{
	if (moment > r->now && (r->next == 0 || moment < r->next))
		r->next = moment;
}

static bool has_health_check(struct state *s, const json_t *task)
{
	const json_t *document = state_get(s, STATE_TASK_DEFINITIONS,
					   path_base(aws_text(task, "taskDefinitionArn")));
	const json_t *definition = json_object_get(document, "taskDefinition"), *c;
	size_t i;

	json_array_foreach (json_object_get(definition, "containerDefinitions"), i, c)
		if (json_object_get(c, "healthCheck") &&
		    !json_is_false(json_object_get(c, "essential")))
			return true;
	return false;
}

/*
 * A health check says it at once; else only time tells that a task does not die of how it starts. One that began in the future did so before
 * the clock was set back.
 */
static bool is_settled(struct reconcile *r, const json_t *task)
{
	double started = ecs_task_started(task), since = started + r->settle;

	if (!ecs_task_is_healthy(task))
		return false;
	if (has_health_check(r->state, task))
		return strcmp(aws_text(task, "healthStatus"), "HEALTHY") == 0;
	if (r->now >= since || started > r->now + r->settle)
		return true;
	reconcile_at(r, since);
	return false;
}

static json_t *deployment_of(const json_t *service, const json_t *task)
{
	json_t *d;
	size_t i;

	json_array_foreach (json_object_get(service, "deployments"), i, d)
		if (strcmp(aws_text(d, "id"), ecs_task_deployment(task)) == 0)
			return d;
	return NULL;
}

static void collect(struct service_look *l)
{
	const char *id;
	json_t *task;

	json_object_foreach (state_all(l->r->state, STATE_TASKS), id, task) {
		if (!ecs_task_is_of(task, l->cluster, l->name))
			continue;
		GROW(l->tasks, l->n + 1, l->cap);
		l->tasks[l->n++] = (struct service_task){
			.id = xstrdup(id),
			.task = json_incref(task),
			.deployment = deployment_of(l->service, task),
			.live = ecs_task_is_live(task),
			.settled = is_settled(l->r, task),
		};
	}
}

/* The record of a change begins, ends when somebody asked for that, and fails by the circuit breaker. */
static void move_record(struct service_look *l)
{
	json_t *record = service_open_record(l);
	const json_t *breaker = json_object_get(record, "deploymentCircuitBreaker");
	const char *status = aws_text(record, "status");
	double now = l->r->now;

	if (strcmp(status, "PENDING") == 0) {
		json_object_set_new(record, "status", json_string("IN_PROGRESS"));
		json_object_set_new(record, "startedAt", json_real(now));
		json_object_set_new(record, "updatedAt", json_real(now));
	} else if (strcmp(status, "ROLLBACK_REQUESTED") == 0) {
		ecs_service_give_up(l->service, USER_REASON, true, now);
	} else if (strcmp(status, "STOP_REQUESTED") == 0) {
		ecs_service_give_up(l->service, USER_REASON, false, now);
	} else if (strcmp(status, "IN_PROGRESS") == 0 &&
		   strcmp(aws_text(breaker, "status"), "MONITORING") == 0 &&
		   aws_int(breaker, "failureCount") >= aws_int(breaker, "threshold")) {
		json_object_set_new(json_object_get(record, "deploymentCircuitBreaker"), "status",
				    json_string("TRIGGERED"));
		ecs_service_give_up(l->service, BREAKER_REASON,
				    ecs_flag(ecs_service_breaker(l->service), "rollback"), now);
	}
	l->primary = ecs_service_primary(l->service);
}

/* ---- what was planned is done ---- */

static json_t *task_settings(const struct service_look *l)
{
	json_t *out = json_copy(l->source);
	json_t *exec = json_object_get(l->service, "enableExecuteCommand");

	json_object_del(out, "slipway");
	if (exec)
		json_object_set(out, "enableExecuteCommand", exec);
	return out;
}

static json_t *tags_of_tasks(const struct service_look *l, const json_t *definition)
{
	const char *from = aws_text(l->service, "propagateTags");
	const json_t *propagated = strcmp(from, "SERVICE") == 0
					   ? json_object_get(l->service, "tags")
				   : strcmp(from, "TASK_DEFINITION") == 0
					   ? json_object_get(definition, "tags")
					   : NULL;

	return ecs_task_tags(NULL, propagated, l->cluster, l->name,
			     ecs_flag(l->service, "enableECSManagedTags"));
}

static int start_tasks(struct service_look *l, struct error *err)
{
	struct state *s = l->r->state;
	const json_t *definition = state_get(s, STATE_TASK_DEFINITIONS,
					     path_base(aws_text(l->source, "taskDefinition")));
	AUTO_JSON *settings = task_settings(l);
	AUTO_JSON *tags = tags_of_tasks(l, definition);
	AUTO_FREE char *group = xstrfmt("service:%s", l->name);
	const struct ecs_task_order order = {
		.cluster = state_get(s, STATE_CLUSTERS, l->cluster),
		.definition = definition,
		.settings = settings,
		.group = group,
		.started_by = aws_text(l->source, "id"),
		.tags = tags,
		.service = l->name,
		.now = l->r->now,
	};

	if (!order.cluster || !definition)
		return 0;
	for (int64_t i = 0; i < l->starts; i++) {
		AUTO_FREE char *id = NULL;
		json_t *task = ecs_task_new(&order, &id);

		if (state_put(s, STATE_TASKS, id, task, err) < 0)
			return -1;
	}
	return 0;
}

static int stop_tasks(struct service_look *l, struct error *err)
{
	AUTO_FREE char *scaling = xstrfmt(ECS_SCALING_REASON " (deployment %s)",
					  aws_text(l->primary, "id"));

	for (size_t i = 0; i < l->n; i++) {
		const struct service_task *t = &l->tasks[i];
		json_t *changed;

		if (!t->stop)
			continue;
		changed = json_deep_copy(t->task);
		ecs_task_stop(changed, "ServiceSchedulerInitiated", t->reason ? t->reason : scaling,
			      l->r->now);
		if (state_put(l->r->state, STATE_TASKS, t->id, changed, err) < 0)
			return -1;
	}
	return 0;
}

static int reconcile_service(struct reconcile *r, const char *key, struct error *err)
{
	json_t *before = state_get(r->state, STATE_SERVICES, key);
	AUTO(service_look) l = {.r = r};

	if (strcmp(aws_text(before, "status"), "INACTIVE") == 0)
		return 0;
	l.service = json_deep_copy(before);
	l.cluster = aws_text(ecs_own(l.service), "cluster");
	l.name = aws_text(l.service, "serviceName");
	l.primary = ecs_service_primary(l.service);
	if (!l.primary)
		return 0;
	collect(&l);
	service_notice(&l);
	move_record(&l);
	l.source = ecs_service_source(l.service);
	service_plan(&l);
	ecs_service_count(l.service, r->state);
	/* First what was noticed: an event or a failure that is not written down would be noticed again. */
	if (!json_equal(before, l.service) &&
	    state_put(r->state, STATE_SERVICES, key, json_incref(l.service), err) < 0)
		return -1;
	if (l.stops && stop_tasks(&l, err) < 0)
		return -1;
	return l.starts ? start_tasks(&l, err) : 0;
}

static void keys_of(struct state *s, const char *kind, struct strlist *out)
{
	const char *key;
	json_t *document;

	json_object_foreach (state_all(s, kind), key, document)
		strlist_add(out, key);
}

int reconcile_services(struct reconcile *r, struct error *err)
{
	AUTO(strlist) keys = {0};

	keys_of(r->state, STATE_SERVICES, &keys);
	for (size_t i = 0; i < keys.n; i++)
		if (reconcile_service(r, keys.items[i], err) < 0)
			return error_wrap(err, "look after the service %s", keys.items[i]);
	return 0;
}

/* ---- what is over ---- */

struct stopped {
	const char *id;
	double at;
};

static int by_time(const void *a, const void *b)
{
	const struct stopped *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static int forget_tasks(struct reconcile *r, struct error *err)
{
	AUTO_FREE struct stopped *found = NULL;
	size_t n = 0, cap = 0;
	const char *id;
	json_t *task;

	json_object_foreach (state_all(r->state, STATE_TASKS), id, task) {
		if (!ecs_task_is_stopped(task))
			continue;
		GROW(found, n + 1, cap);
		found[n++] = (struct stopped){id, ecs_time(task, "stoppedAt")};
	}
	if (n)
		qsort(found, n, sizeof(*found), by_time);
	for (size_t i = 0; i < n; i++) {
		double end = found[i].at + ECS_STOPPED_SECONDS;

		if (r->now < end && n - i <= ECS_STOPPED_TASKS) {
			reconcile_at(r, end);
			break;
		}
		if (state_remove(r->state, STATE_TASKS, found[i].id, err) < 0)
			return -1;
	}
	return 0;
}

int reconcile_forget(struct reconcile *r, struct error *err)
{
	AUTO(strlist) keys = {0};

	if (forget_tasks(r, err) < 0)
		return error_wrap(err, "forget stopped tasks");
	keys_of(r->state, STATE_SERVICES, &keys);
	for (size_t i = 0; i < keys.n; i++) {
		const json_t *own = ecs_own(state_get(r->state, STATE_SERVICES, keys.items[i]));
		double end = ecs_time(own, "inactive_at") + ECS_STOPPED_SECONDS;

		if (!json_object_get(own, "inactive_at"))
			continue;
		reconcile_at(r, end);
		if (r->now >= end && state_remove(r->state, STATE_SERVICES, keys.items[i], err) < 0)
			return error_wrap(err, "forget the service %s", keys.items[i]);
	}
	return 0;
}

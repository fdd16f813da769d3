/* What happened to a service's tasks since the last look: events, failures and their counts. */
#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "deploy/task_json.h"
#include "local/ecs_service.h"
#include "local/ecs_task.h"
#include "local/reconcile_private.h"

/* After so many deaths without a success between them it is told. */
#define INCONSISTENT 3
/* A task that ran that many times as long as it takes to settle did not die of how it starts. */
#define CALM 10

/* "tasks" of the service: what was noticed of each, so that nothing counts twice. */
#define STARTED "started"
#define SETTLED "settled"
#define ENDED   "ended"

static json_t *seen_of(const struct service_look *l)
{
	return json_object_get(ecs_own(l->service), "tasks");
}

static void mark(struct service_look *l, const struct service_task *t, const char *as)
{
	json_object_set_new(seen_of(l), t->id, json_string(as));
}

static bool is_marked(const struct service_look *l, const struct service_task *t, const char *as)
{
	return strcmp(aws_text(seen_of(l), t->id), as) == 0;
}

static void forget_gone(struct service_look *l)
{
	json_t *kept = json_object(), *seen = seen_of(l);

	for (size_t i = 0; i < l->n; i++) {
		json_t *mark_of = json_object_get(seen, l->tasks[i].id);

		if (mark_of)
			json_object_set(kept, l->tasks[i].id, mark_of);
	}
	json_object_set_new(ecs_own(l->service), "tasks", kept);
}

/* "has started 2 tasks: (task a) (task b)." for those of the deployment that are new. */
static void notice_started(struct service_look *l, const json_t *deployment)
{
	AUTO(strbuf) names = STRBUF_INIT;
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct service_task *t = &l->tasks[i];

		if (t->deployment != deployment || json_object_get(seen_of(l), t->id))
			continue;
		mark(l, t, STARTED);
		strbuf_printf(&names, "%s(task %s)", n++ ? " " : "", t->id);
	}
	if (n)
		ecs_service_say(l->service, l->r->now, "(service %s) has started %zu tasks: %s.",
				l->name, n, names.buf);
}

static bool was_scaled_in(const json_t *task)
{
	return str_starts(aws_text(task, "stoppedReason"), ECS_SCALING_REASON);
}

static void notice_scaled_in(struct service_look *l)
{
	AUTO(strbuf) names = STRBUF_INIT;
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct service_task *t = &l->tasks[i];

		if (t->live || is_marked(l, t, ENDED) || !was_scaled_in(t->task))
			continue;
		mark(l, t, ENDED);
		strbuf_printf(&names, "%s(task %s)", n++ ? " " : "", t->id);
	}
	if (n)
		ecs_service_say(l->service, l->r->now,
				"(service %s) has stopped %zu running tasks: %s.", l->name, n,
				names.buf);
}

static double ran_for(const json_t *task)
{
	double started = ecs_time(task, "startedAt"), stopping = ecs_time(task, "stoppingAt");

	return started > 0 && stopping > started ? stopping - started : 0;
}

/* Tasks that die together are one reason to wait longer, not several. */
static void back_off(struct service_look *l, json_t *own, const json_t *task)
{
	double now = l->r->now, last = ecs_time(own, "backoff"), next;
	double waits = ecs_time(own, "not_before") - now;

	if (waits > 0 && waits <= RECONCILE_MAX_RETRY)
		return;
	if (ran_for(task) >= CALM * l->r->settle)
		last = 0;
	next = last > 0 ? 2 * last : l->r->retry;
	if (next > RECONCILE_MAX_RETRY)
		next = RECONCILE_MAX_RETRY;
	json_object_set_new(own, "backoff", json_real(next));
	json_object_set_new(own, "not_before", json_real(now + next));
}

static void count_in_record(struct service_look *l, const json_t *deployment)
{
	json_t *record = ecs_service_record(l->service, aws_text(ecs_own(deployment), "record"));
	json_t *breaker = json_object_get(record, "deploymentCircuitBreaker");

	if (deployment == l->primary && breaker &&
	    strcmp(aws_text(breaker, "status"), "MONITORING") == 0)
		json_object_set_new(breaker, "failureCount",
				    json_integer(aws_int(breaker, "failureCount") + 1));
}

static void notice_failure(struct service_look *l, const struct service_task *t)
{
	json_t *d = t->deployment, *own = ecs_own(d);
	int64_t failed = aws_int(d, "failedTasks") + 1;

	if (strcmp(aws_text(t->task, "stoppedReason"), ECS_HEALTH_REASON) == 0)
		ecs_service_say(l->service, l->r->now,
				"(service %s) (task %s) failed container health checks.", l->name,
				t->id);
	if (!d)
		return;
	json_object_set_new(d, "failedTasks", json_integer(failed));
	json_object_set_new(d, "updatedAt", json_real(l->r->now));
	count_in_record(l, d);
	back_off(l, own, t->task);
	if (failed >= INCONSISTENT && !ecs_flag(own, "told")) {
		json_object_set_new(own, "told", json_true());
		ecs_service_say(l->service, l->r->now,
				"(service %s) is unable to consistently start tasks successfully. "
				"For more information, see the Troubleshooting section of the "
				"Amazon ECS Developer Guide.",
				l->name);
	}
}

/* A success ends the row of failures, unless the service wants them all counted. */
static void notice_settled(struct service_look *l, const struct service_task *t)
{
	const json_t *reset = json_object_get(ecs_service_breaker(l->service),
					      "resetOnHealthyTask");
	json_t *own = ecs_own(t->deployment);
	json_t *record = ecs_service_record(l->service, aws_text(own, "record"));
	json_t *breaker = json_object_get(record, "deploymentCircuitBreaker");

	mark(l, t, SETTLED);
	if (!t->deployment || json_is_false(reset))
		return;
	json_object_set_new(t->deployment, "failedTasks", json_integer(0));
	json_object_del(own, "told");
	if (strcmp(aws_text(breaker, "status"), "MONITORING") == 0)
		json_object_set_new(breaker, "failureCount", json_integer(0));
}

void service_notice(struct service_look *l)
{
	json_t *deployments = json_object_get(l->service, "deployments");

	forget_gone(l);
	for (size_t i = json_array_size(deployments); i-- > 0;)
		notice_started(l, json_array_get(deployments, i));
	notice_scaled_in(l);
	for (size_t i = 0; i < l->n; i++) {
		struct service_task *t = &l->tasks[i];

		if (t->live && t->settled && is_marked(l, t, STARTED))
			notice_settled(l, t);
		if (t->live || is_marked(l, t, ENDED))
			continue;
		/* One that is known of no more, from before the service was made anew, is no failure of it. */
		if (json_object_get(seen_of(l), t->id) && ecs_task_has_failed(t->task))
			notice_failure(l, t);
		mark(l, t, ENDED);
	}
}

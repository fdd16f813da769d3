/*
 * Which tasks of a service start and stop (ECS Developer Guide, rolling update): at most maximumPercent of the desired count live, at least
 * minimumHealthyPercent healthy; then whether the deployment is complete.
 */
#include <stdlib.h>
#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "local/ecs_service.h"
#include "local/ecs_task.h"
#include "local/reconcile_private.h"

struct tally {
	int64_t wanted;        /* desired count */
	int64_t live, settled; /* of the primary */
	int64_t old_live, old_settled;
};

static bool is(const json_t *object, const char *key, const char *text)
{
	return strcmp(aws_text(object, key), text) == 0;
}

static bool given_up(const json_t *deployment)
{
	return ecs_flag(ecs_own(deployment), "given_up");
}

static void stop(struct service_look *l, struct service_task *t, const char *reason)
{
	t->stop = l->stops = true;
	t->reason = reason;
}

static struct tally count(const struct service_look *l)
{
	struct tally n = {.wanted = is(l->service, "status", "ACTIVE")
					    ? aws_int(l->service, "desiredCount")
					    : 0};

	for (size_t i = 0; i < l->n; i++) {
		const struct service_task *t = &l->tasks[i];

		if (!t->live || t->stop)
			continue;
		if (t->deployment == l->primary) {
			n.live++;
			n.settled += t->settled;
		} else {
			n.old_live++;
			n.old_settled += t->settled;
		}
	}
	return n;
}

/* Those of deployments that came to nothing, and those whose health check failed, which are replaced. */
static void stop_the_unwanted(struct service_look *l)
{
	double grace = (double)aws_int(l->service, "healthCheckGracePeriodSeconds");

	for (size_t i = 0; i < l->n; i++) {
		struct service_task *t = &l->tasks[i];
		double after_grace = ecs_time(t->task, "startedAt") + grace;

		if (!t->live)
			continue;
		if (!t->deployment || given_up(t->deployment))
			stop(l, t, NULL);
		else if (!is(t->task, "healthStatus", "UNHEALTHY"))
			continue;
		else if (l->r->now >= after_grace)
			stop(l, t, ECS_HEALTH_REASON);
		else
			reconcile_at(l->r, after_grace);
	}
}

/* Who goes first when fewer are wanted: what does not run yet, then what is not settled, then the youngest. */
static int by_worth(const void *a, const void *b)
{
	const struct service_task *x = *(struct service_task *const *)a;
	const struct service_task *y = *(struct service_task *const *)b;
	bool x_runs = is(x->task, "lastStatus", "RUNNING"),
	     y_runs = is(y->task, "lastStatus", "RUNNING");
	double x_age = ecs_time(x->task, "createdAt"), y_age = ecs_time(y->task, "createdAt");

	if (x_runs != y_runs)
		return x_runs - y_runs;
	if (x->settled != y->settled)
		return x->settled - y->settled;
	return (x_age < y_age) - (x_age > y_age);
}

/* n of the primary's tasks, or of the older ones. */
static void stop_some(struct service_look *l, bool of_primary, int64_t n)
{
	AUTO_FREE struct service_task **found = NULL;
	size_t n_found = 0, cap = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct service_task *t = &l->tasks[i];

		if (!t->live || t->stop || (t->deployment == l->primary) != of_primary)
			continue;
		GROW(found, n_found + 1, cap);
		found[n_found++] = t;
	}
	if (n_found)
		qsort((void *)found, n_found, sizeof(*found), by_worth);
	for (size_t i = 0; i < n_found && (int64_t)i < n; i++)
		stop(l, found[i], NULL);
}

static int64_t at_most(int64_t n, int64_t most)
{
	return n < most ? n : most;
}

static int64_t at_least(int64_t n, int64_t least)
{
	return n > least ? n : least;
}

/* Once, until something moves again. */
static void tell_blocked(struct service_look *l, bool blocked)
{
	json_t *own = ecs_own(l->service);

	if (!blocked) {
		json_object_del(own, "blocked");
		return;
	}
	if (ecs_flag(own, "blocked"))
		return;
	json_object_set_new(own, "blocked", json_true());
	ecs_service_say(l->service, l->r->now,
			"(service %s) was unable to stop or start tasks during a deployment "
			"because of the service deployment configuration. Update the "
			"minimumHealthyPercent or maximumPercent value and try again.",
			l->name);
}

/* How many older tasks may go: as many as were replaced, or stand in the way of new ones, as long as enough healthy ones stay. */
static int64_t old_to_stop(const struct service_look *l, const struct tally *n, int64_t missing,
			   int64_t room)
{
	int64_t percent = ecs_service_percent(l->service, "minimumHealthyPercent", 100);
	int64_t least = (n->wanted * percent + 99) / 100;
	int64_t replaced = n->old_live - at_least(n->wanted - n->settled, 0);
	int64_t in_the_way = missing - room;
	int64_t may = n->old_live - n->old_settled +
		      at_least(n->settled + n->old_settled - least, 0);

	return at_most(at_most(at_least(replaced, in_the_way), may), n->old_live);
}

static bool failing(const struct service_look *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->tasks[i].reason)
			return true;
	return false;
}

/* Missing tasks of the source, unless its last ones died a moment ago. */
static bool start_some(struct service_look *l, int64_t missing, int64_t room)
{
	double waits = ecs_time(ecs_own(l->source), "not_before") - l->r->now;
	/* A longer wait than there is comes from a clock that was set back. */
	bool waiting = waits > 0 && waits <= RECONCILE_MAX_RETRY;

	if (missing > 0 && waiting)
		reconcile_at(l->r, l->r->now + waits);
	else
		l->starts = at_most(missing, room);
	return waiting;
}

/* The primary was given up and nothing rolls back: what ran before it is kept in number. */
static void keep_older(struct service_look *l)
{
	struct tally n = count(l);

	if (n.old_live > n.wanted)
		stop_some(l, false, n.old_live - n.wanted);
	else if (l->source && !failing(l))
		start_some(l, n.wanted - n.old_live, n.wanted - n.old_live);
}

static void roll(struct service_look *l)
{
	struct tally n = count(l);
	int64_t percent = ecs_service_percent(l->service, "maximumPercent", 200);
	int64_t missing = at_least(n.wanted - n.live, 0);
	int64_t room = at_least(n.wanted * percent / 100 - n.live - n.old_live, 0);
	int64_t going;
	bool waiting;

	if (n.live > n.wanted)
		stop_some(l, true, n.live - n.wanted);
	going = old_to_stop(l, &n, missing, room);
	if (going > 0)
		stop_some(l, false, going);
	/* A death that is to come is noticed first: how long to wait depends on it. */
	if (failing(l))
		return;
	waiting = start_some(l, missing, room);
	tell_blocked(l, missing > 0 && room == 0 && going <= 0 && n.live == n.settled &&
				n.old_live == n.old_settled && !waiting);
}

json_t *service_open_record(const struct service_look *l)
{
	const json_t *own = ecs_own(l->primary);
	const char *arn = aws_text(own, "rolls_back");

	return ecs_service_record(l->service, *arn ? arn : aws_text(own, "record"));
}

static void complete(struct service_look *l)
{
	json_t *own = ecs_own(l->primary), *record = service_open_record(l);
	AUTO_FREE char *reason = xstrfmt("ECS deployment %s completed.",
					 aws_text(l->primary, "id"));
	bool rolled_back = *aws_text(own, "rolls_back");

	json_object_set_new(own, "completed", json_true());
	json_object_del(own, "rolls_back");
	json_object_set_new(l->primary, "rolloutState", json_string("COMPLETED"));
	json_object_set_new(l->primary, "rolloutStateReason", json_string(reason));
	json_object_set_new(l->primary, "updatedAt", json_real(l->r->now));
	ecs_record_end(record, rolled_back ? "ROLLBACK_SUCCESSFUL" : "SUCCESSFUL", NULL, l->r->now);
	ecs_service_say(l->service, l->r->now, "(service %s) (deployment %s) deployment completed.",
			l->name, aws_text(l->primary, "id"));
}

static bool has_live_tasks(const struct service_look *l, const json_t *deployment)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->tasks[i].live && l->tasks[i].deployment == deployment)
			return true;
	return false;
}

/* Older ones without tasks: at once when they were replaced on their way, else when the primary is complete. */
static void drop_old(struct service_look *l)
{
	json_t *deployments = json_object_get(l->service, "deployments");
	bool completed = is(l->primary, "rolloutState", "COMPLETED");

	for (size_t i = json_array_size(deployments); i-- > 1;) {
		json_t *d = json_array_get(deployments, i);
		bool replaced = given_up(d) && !is(d, "rolloutState", "FAILED");

		if (!(completed || replaced) || has_live_tasks(l, d))
			continue;
		for (size_t t = 0; t < l->n; t++)
			if (l->tasks[t].deployment == d)
				l->tasks[t].deployment = NULL;
		json_array_remove(deployments, i);
	}
}

static void tell_steady(struct service_look *l, bool steady)
{
	json_t *own = ecs_own(l->service);

	if (!steady)
		json_object_del(own, "steady");
	if (!steady || ecs_flag(own, "steady"))
		return;
	json_object_set_new(own, "steady", json_true());
	ecs_service_say(l->service, l->r->now, "(service %s) has reached a steady state.", l->name);
}

static void end_drained(struct service_look *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!ecs_task_is_stopped(l->tasks[i].task))
			return;
	json_object_set_new(l->service, "status", json_string("INACTIVE"));
	json_object_set_new(ecs_own(l->service), "inactive_at", json_real(l->r->now));
	json_object_set_new(l->service, "deployments", json_array());
}

void service_plan(struct service_look *l)
{
	struct tally n;
	bool done;

	stop_the_unwanted(l);
	if (!given_up(l->primary))
		roll(l);
	else
		keep_older(l);
	n = count(l);
	done = !l->starts && !l->stops && !given_up(l->primary) && n.live == n.wanted &&
	       n.settled == n.wanted && n.old_live == 0;
	if (done && is(l->primary, "rolloutState", "IN_PROGRESS") &&
	    is(l->service, "status", "ACTIVE"))
		complete(l);
	drop_old(l);
	tell_steady(l, done);
	if (is(l->service, "status", "DRAINING") && !l->stops)
		end_drained(l);
}

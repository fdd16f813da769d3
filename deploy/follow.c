#include "deploy/follow.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "deploy/ecs.h"
#include "deploy/explain.h"
#include "deploy/hints.h"
#include "deploy/lookup.h"
#include "deploy/task_run.h"

#define MAX_SEEN_EVENTS 1000

struct follow {
	const struct deploy_target *t;
	struct service_rollout *r;
	const struct follow_options *o;
	int step;
	struct strlist events; /* ids of those that were told */
	struct strlist dead;   /* ARNs of tasks that were looked at */
	struct task_end first; /* of the first that died; cause NULL: none yet */
	size_t n_alike;        /* that died as it did */
	bool looked;           /* at the tasks, once at least */
	char *counts;          /* as last told */
	char *status;          /* of DescribeServiceDeployments; NULL: not known */
	char *status_reason;
	bool no_deployments; /* the API has no service deployments, or we may not ask */
	json_t *service;     /* the last look */
};

static void follow_release(struct follow *f)
{
	strlist_release(&f->events);
	strlist_release(&f->dead);
	task_end_release(&f->first);
	free(f->counts);
	free(f->status);
	free(f->status_reason);
	json_decref(f->service);
}
CLEANUP_RELEASE(follow)

static int look_at_service(struct follow *f, struct error *err)
{
	json_t *now;
	const char *arn;

	if (service_find(f->t, f->r->service, &now, err) < 0)
		return -1;
	if (!now)
		return error_set(err, ERROR_NOT_FOUND, "the service %s was deleted meanwhile",
				 f->r->service);
	json_decref(f->service);
	f->service = now;
	arn = aws_text(now, "currentServiceDeployment");
	if (!f->r->service_deployment && *arn &&
	    (!f->r->seen_before || strcmp(arn, f->r->seen_before) != 0))
		f->r->service_deployment = xstrdup(arn);
	return 0;
}

static void tell_counts(struct follow *f, const json_t *ours)
{
	char *now;

	if (!ours)
		return;
	now = xstrfmt(
		"%lld of %lld running, %lld pending", (long long)aws_int(ours, "runningCount"),
		(long long)aws_int(ours, "desiredCount"), (long long)aws_int(ours, "pendingCount"));
	if (f->counts && strcmp(f->counts, now) == 0) {
		free(now);
		return;
	}
	free(f->counts);
	f->counts = now;
	report_step_note(f->t->reporter, f->step, "%s", now);
}

/* New ones, oldest first: they come newest first. */
static void tell_events(struct follow *f)
{
	json_t *events = json_object_get(f->service, "events");

	for (size_t i = json_array_size(events); i-- > 0;) {
		json_t *event = json_array_get(events, i);
		const char *id = aws_text(event, "id");

		if (json_number_value(json_object_get(event, "createdAt")) < f->r->started ||
		    strlist_has(&f->events, id) || f->events.n >= MAX_SEEN_EVENTS)
			continue;
		strlist_add(&f->events, id);
		report_step_note(f->t->reporter, f->step, "%s", aws_text(event, "message"));
	}
}

/* The deployment ended it, not the task itself. */
static bool was_asked_to_stop(const json_t *task)
{
	return str_starts(aws_text(task, "stoppedReason"), "Scaling activity initiated") ||
	       strcmp(aws_text(task, "stopCode"), "UserInitiated") == 0;
}

static int take_dead(struct follow *f, const json_t *task, struct error *err)
{
	const char *arn = aws_text(task, "taskArn");
	AUTO(strbuf) report = STRBUF_INIT;
	AUTO(task_end) end = {.exit_code = -1};

	if (strcmp(aws_text(task, "startedBy"), f->r->deployment) != 0 || !task_is_stopped(task) ||
	    strlist_has(&f->dead, arn) || was_asked_to_stop(task))
		return 0;
	strlist_add(&f->dead, arn);
	if (f->first.cause) {
		task_end_read(&end, task, NULL);
		f->n_alike += task_end_equal(&end, &f->first);
		report_step_note(f->t->reporter, f->step, "another task died: %s", end.cause);
		return 0;
	}
	if (explain_task(f->t, task, json_object_get(f->service, "events"), &f->first, &report,
			 err) < 0)
		return -1;
	f->n_alike = 1;
	report_log(f->t->reporter, LOG_WARNING, "%.*s", (int)report.len - 1, report.buf);
	return 0;
}

/*
 * Those of the deployment that stopped, the first to die first. A deployment that was there before has had its deaths: they say nothing
 * of what happens from now on, while it is under way.
 */
static int look_at_tasks(struct follow *f, bool under_way, struct error *err)
{
	bool old = f->r->unchanged && under_way && !f->looked;

	const struct task_filter stopped = {.service = f->r->service, .state = TASKS_STOPPED};
	AUTO_JSON *tasks = NULL;

	if (lookup_tasks(f->t, &stopped, &tasks, err) < 0)
		return -1;
	f->looked = true;
	for (size_t i = json_array_size(tasks); i-- > 0;) {
		const json_t *task = json_array_get(tasks, i);

		if (old)
			strlist_add(&f->dead, aws_text(task, "taskArn"));
		else if (take_dead(f, task, err) < 0)
			return -1;
	}
	return 0;
}

static int look_at_deployment(struct follow *f, struct error *err)
{
	AUTO_JSON *params = NULL;
	AUTO(aws_reply) reply = {0};
	AUTO(error) local = ERROR_INIT;
	json_t *found;

	if (!f->r->service_deployment || f->no_deployments)
		return 0;
	params = json_pack("{s:[s]}", "serviceDeploymentArns", f->r->service_deployment);
	if (ecs_look(f->t, "DescribeServiceDeployments", params, &reply, &local) < 0) {
		if (local.kind == ERROR_CANCELLED)
			return error_move(err, &local);
		/* An older partition, or a policy without it: the service itself tells enough. */
		report_log(f->t->reporter, LOG_DEBUG, "%s", local.message);
		f->no_deployments = true;
		return 0;
	}
	found = json_array_get(json_object_get(reply.json, "serviceDeployments"), 0);
	free(f->status);
	free(f->status_reason);
	f->status = *aws_text(found, "status") ? xstrdup(aws_text(found, "status")) : NULL;
	f->status_reason = xstrdup(aws_text(found, "statusReason"));
	return 0;
}

/* What the deployment's own status says; DEPLOY_UNCHANGED: it goes on. */
static enum deploy_outcome judge_status(const struct follow *f)
{
	static const struct {
		const char *status;
		enum deploy_outcome outcome;
	} table[] = {
		{"SUCCESSFUL", DEPLOY_RUNNING},
		{"ROLLBACK_FAILED", DEPLOY_FAILED},
		{"STOPPED", DEPLOY_ROLLED_BACK},
		{"STOP_REQUESTED", DEPLOY_ROLLED_BACK},
		{"ROLLBACK_REQUESTED", DEPLOY_ROLLED_BACK},
		{"ROLLBACK_IN_PROGRESS", DEPLOY_ROLLED_BACK},
		{"ROLLBACK_SUCCESSFUL", DEPLOY_ROLLED_BACK},
	};

	for (size_t i = 0; f->status && i < ARRAY_SIZE(table); i++)
		if (strcmp(f->status, table[i].status) == 0)
			return table[i].outcome;
	return DEPLOY_UNCHANGED;
}

/* What the list of deployments says of ours. */
static enum deploy_outcome judge_rollout(const struct follow *f, const json_t *ours)
{
	const char *state = aws_text(ours, "rolloutState");
	bool all_run = aws_int(ours, "runningCount") == aws_int(ours, "desiredCount");

	/* Replaced: by the one before (rolled back), or by somebody else's. */
	if (!ours || strcmp(aws_text(ours, "status"), "PRIMARY") != 0)
		return DEPLOY_ROLLED_BACK;
	if (strcmp(state, "FAILED") == 0)
		return DEPLOY_ROLLED_BACK;
	if (strcmp(state, "COMPLETED") == 0)
		return all_run ? DEPLOY_RUNNING : DEPLOY_UNCHANGED;
	if (!*state && all_run && json_array_size(json_object_get(f->service, "deployments")) == 1)
		return DEPLOY_RUNNING;
	return DEPLOY_UNCHANGED;
}

/* "it went back to web:3", "it failed", "somebody deployed web:9 meanwhile". */
static int what_now(const struct follow *f, enum deploy_outcome *outcome, char **now,
		    struct error *err)
{
	const json_t *primary = service_primary(f->service);
	const char *runs = aws_text(primary, "taskDefinition");
	bool ours = strcmp(aws_text(primary, "id"), f->r->deployment) == 0;

	if (!ours && (!f->r->previous || strcmp(runs, f->r->previous) != 0)) {
		*outcome = DEPLOY_FAILED;
		*now = xstrfmt("%s was deployed meanwhile", path_base(runs));
		return 0;
	}
	if (!f->r->previous) {
		*outcome = DEPLOY_FAILED;
		return service_take_back(f->t, f->r, now, err);
	}
	*now = *outcome == DEPLOY_FAILED ? xstrdup("the rollback failed too")
					 : xstrfmt("rolled back to %s", path_base(f->r->previous));
	return 0;
}

static const char *why_failed(const struct follow *f)
{
	const json_t *ours = service_deployment(f->service, f->r->deployment);
	const char *reason = aws_text(ours, "rolloutStateReason");

	if (f->first.cause)
		return f->first.cause;
	if (f->status_reason && *f->status_reason)
		return f->status_reason;
	return *reason ? reason : "ECS gives no reason";
}

/* Without a dead task to show, the events are all there is. */
static void add_evidence(const struct follow *f, struct strbuf *out)
{
	json_t *events = json_object_get(f->service, "events");
	const struct failure_facts facts = {
		.reason = aws_text(json_array_get(events, 0), "message"), .exit_code = -1};
	const char *hint = failure_hint(&facts);

	if (f->first.cause)
		return;
	explain_events(events, f->r->started, out);
	if (hint)
		strbuf_printf(out, "  hint       %s\n", hint);
}

static int summarize_failure(const struct follow *f, enum deploy_outcome *outcome, char **summary,
			     struct error *err)
{
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO_FREE char *now = NULL;

	if (what_now(f, outcome, &now, err) < 0)
		return -1;
	strbuf_printf(&out, "the deployment of %s to %s failed: %s\n", path_base(f->r->definition),
		      f->r->service, why_failed(f));
	strbuf_printf(&out, "  now        %s\n", now);
	add_evidence(f, &out);
	*summary = strbuf_detach(&out, NULL);
	return 1;
}

static char *summarize_timeout(const struct follow *f)
{
	AUTO(strbuf) out = STRBUF_INIT;

	strbuf_printf(&out, "the deployment of %s to %s is not done in time: %s\n",
		      path_base(f->r->definition), f->r->service,
		      f->counts ? f->counts : "nothing is known of it");
	strbuf_puts(&out, "  now        left as it is: ECS goes on\n");
	add_evidence(f, &out);
	return strbuf_detach(&out, NULL);
}

static int take_back(struct follow *f, enum deploy_outcome *outcome, char **summary,
		     struct error *err)
{
	AUTO_FREE char *back = NULL;

	if (f->r->unchanged)
		back = xstrdup("it ran like this before, and is left as it is");
	else if (service_take_back(f->t, f->r, &back, err) < 0)
		return -1;
	*outcome = f->r->previous && !f->r->unchanged ? DEPLOY_ROLLED_BACK : DEPLOY_FAILED;
	*summary = xstrfmt("the deployment of %s to %s was ended after %zu tasks died alike: %s\n"
			   "  now        %s\n",
			   path_base(f->r->definition), f->r->service, f->n_alike, f->first.cause,
			   back);
	return 1;
}

/* 1: it is over. */
static int look(struct follow *f, enum deploy_outcome *outcome, char **summary, struct error *err)
{
	const json_t *ours;

	if (look_at_service(f, err) < 0)
		return -1;
	ours = service_deployment(f->service, f->r->deployment);
	tell_counts(f, ours);
	tell_events(f);
	if (look_at_deployment(f, err) < 0)
		return -1;
	*outcome = judge_status(f);
	if (*outcome == DEPLOY_UNCHANGED && (!f->status || !ours))
		*outcome = judge_rollout(f, ours);
	if (*outcome == DEPLOY_RUNNING)
		return 1;
	if (look_at_tasks(f, *outcome == DEPLOY_UNCHANGED, err) < 0)
		return -1;
	if (*outcome == DEPLOY_ROLLED_BACK || *outcome == DEPLOY_FAILED)
		return summarize_failure(f, outcome, summary, err);
	if (f->o->max_failures > 0 && f->n_alike >= (size_t)f->o->max_failures)
		return take_back(f, outcome, summary, err);
	if (time_monotonic_ns() < f->o->deadline)
		return 0;
	*outcome = DEPLOY_TIMED_OUT;
	*summary = summarize_timeout(f);
	return 1;
}

int service_follow(const struct deploy_target *t, struct service_rollout *r,
		   const struct follow_options *o, enum deploy_outcome *outcome, char **summary,
		   struct error *err)
{
	AUTO(follow) f = {.t = t, .r = r, .o = o, .first = {.exit_code = -1}};
	int over = 0;

	*summary = NULL;
	f.step = report_step_begin(t->reporter, "deploying %s to the service %s",
				   path_base(r->definition), r->service);
	for (int i = 0; over == 0; i++) {
		over = look(&f, outcome, summary, err);
		if (over == 0 && deploy_target_pause_until(t, i, o->deadline, err) < 0)
			over = -1;
	}
	report_step_end(t->reporter, f.step,
			over < 0                     ? STEP_STATUS_CANCELLED
			: *outcome == DEPLOY_RUNNING ? STEP_STATUS_DONE
						     : STEP_STATUS_FAILED,
			NULL);
	if (over < 0)
		return -1;
	if (!*summary)
		*summary = xstrfmt("%s runs %s\n", r->service, path_base(r->definition));
	return 0;
}

int service_running_task(const struct deploy_target *t, const struct service_rollout *r,
			 json_t **task, struct error *err)
{
	const struct task_filter running = {.service = r->service, .state = TASKS_RUNNING};
	AUTO_JSON *tasks = NULL;
	json_t *one;
	size_t i;

	*task = NULL;
	if (lookup_tasks(t, &running, &tasks, err) < 0)
		return -1;
	json_array_foreach (tasks, i, one)
		if (strcmp(aws_text(one, "startedBy"), r->deployment) == 0 &&
		    strcmp(aws_text(one, "lastStatus"), "RUNNING") == 0) {
			*task = json_incref(one);
			break;
		}
	return 0;
}

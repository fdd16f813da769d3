#include "deploy/scale.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "deploy/explain.h"
#include "deploy/lookup.h"
#include "deploy/service.h"
#include "deploy/task_run.h"

int service_scale(const struct deploy_target *t, const char *service, int64_t count,
		  struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s, s:s, s:I}", "cluster", t->cluster, "service", service,
				      "desiredCount", (json_int_t)count);
	const struct aws_question q = {
		.service = AWS_ECS, .operation = "UpdateService", .params = params};
	AUTO(aws_reply) reply = {0};

	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "scale the service %s to %lld", service, (long long)count);
	return 0;
}

struct settling {
	const struct deploy_target *t;
	const char *service;
	double since;
	int step;
	char *counts; /* as last told */
	bool told;    /* of a task that died */
};

static void tell_counts(struct settling *s, const json_t *service)
{
	AUTO_FREE char *now = xstrfmt("%lld of %lld running, %lld pending",
				      (long long)aws_int(service, "runningCount"),
				      (long long)aws_int(service, "desiredCount"),
				      (long long)aws_int(service, "pendingCount"));

	if (s->counts && strcmp(s->counts, now) == 0)
		return;
	report_step_note(s->t->reporter, s->step, "%s", now);
	free(s->counts);
	s->counts = take_ptr(now);
}

static int tell_dead(struct settling *s, const json_t *service, struct error *err)
{
	const struct task_filter filter = {.service = s->service, .state = TASKS_STOPPED};
	AUTO_JSON *tasks = NULL;
	AUTO(strbuf) report = STRBUF_INIT;
	const json_t *task;
	size_t i;

	if (s->told)
		return 0;
	if (lookup_tasks(s->t, &filter, &tasks, err) < 0)
		return -1;
	json_array_foreach (tasks, i, task) {
		if (json_number_value(json_object_get(task, "createdAt")) < s->since ||
		    !task_is_stopped(task) ||
		    str_starts(aws_text(task, "stoppedReason"), "Scaling activity") ||
		    strcmp(aws_text(task, "stopCode"), "UserInitiated") == 0)
			continue;
		s->told = true;
		if (explain_task(s->t, task, json_object_get(service, "events"), NULL, &report,
				 err) < 0)
			return -1;
		report_log(s->t->reporter, LOG_WARNING, "%s", report.buf);
		break;
	}
	return 0;
}

/* 1: it is as wanted. */
static int look(struct settling *s, struct error *err)
{
	AUTO_JSON *service = NULL;
	int64_t wanted;

	if (lookup_need_service(s->t, s->service, &service, err) < 0)
		return -1;
	tell_counts(s, service);
	wanted = aws_int(service, "desiredCount");
	if (aws_int(service, "runningCount") == wanted && aws_int(service, "pendingCount") == 0 &&
	    aws_int(service_primary(service), "runningCount") == wanted)
		return 1;
	return tell_dead(s, service, err);
}

int service_settle(const struct deploy_target *t, const char *service, double since,
		   int64_t deadline, enum deploy_outcome *outcome, char **counts, struct error *err)
{
	struct settling s = {.t = t, .service = service, .since = since};
	int r = 0;

	*counts = NULL;
	*outcome = DEPLOY_TIMED_OUT;
	s.step = report_step_begin(t->reporter, "scaling the service %s", service);
	for (int i = 0; r == 0; i++) {
		r = look(&s, err);
		if (r == 0 && time_monotonic_ns() >= deadline)
			break;
		if (r == 0 && deploy_target_pause(t, i, err) < 0)
			r = -1;
	}
	report_step_end(t->reporter, s.step, r > 0 ? STEP_STATUS_DONE : STEP_STATUS_FAILED, NULL);
	if (r > 0)
		*outcome = DEPLOY_RUNNING;
	*counts = s.counts;
	return r < 0 ? -1 : 0;
}

/* One task: RunTask, and watching it. */
#pragma once

#include "deploy/outcome.h"
#include "deploy/target.h"

/* Views of the caller's. */
struct task_run {
	const char *definition;  /* ARN, or FAMILY[:REVISION] */
	const char *launch_type; /* "FARGATE", "EC2" */
	json_t *network;         /* networkConfiguration; NULL: none */
	json_t *overrides;       /* NULL: none */
	bool enable_exec;
};

/*
 * Starts it, with the app's tags; *task: what RunTask says, a new reference. A role that was made a moment ago is not known
 * everywhere: such a refusal is tried again for 30 s. ERROR_REMOTE also for what RunTask tells as failures[] without an error.
 */
int task_run(const struct deploy_target *t, const struct task_run *run, json_t **task,
	     struct error *err);
/* What DescribeTasks says now; *task NULL: no such task (it is listed a moment after its start, and gone an hour after its end). */
int task_describe(const struct deploy_target *t, const char *arn, json_t **task, struct error *err);

enum task_until {
	TASK_UNTIL_RUNNING, /* and healthy, where it has a health check */
	TASK_UNTIL_STOPPED,
};
/* Called at each look. */
struct task_watcher {
	int (*look)(void *arg, const json_t *task, struct error *err);
	void *arg;
};
/*
 * Watches until that, its stop, or the deadline (of time_monotonic_ns()). *task: the last look, a new reference. *outcome:
 * DEPLOY_RUNNING, DEPLOY_ENDED or DEPLOY_FAILED for a task that stopped (task_end_read() tells why), DEPLOY_TIMED_OUT.
 */
int task_wait(const struct deploy_target *t, const char *arn, enum task_until until,
	      int64_t deadline, const struct task_watcher *watcher, json_t **task,
	      enum deploy_outcome *outcome, struct error *err);
bool task_is_stopped(const json_t *task);

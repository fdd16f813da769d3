/* slipway stop: ends a task. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "cli/verb.h"
#include "deploy/lookup.h"
#include "deploy/task_run.h"

#define DEFAULT_REASON "stopped by slipway stop"
#define MAX_REASON     255 /* StopTask, reason */

static const struct command_usage usage = {
	.name = "stop",
	.args = "[OPTIONS] TASK|NAME...",
	.summary = "Stop tasks",
	.min_args = 1,
	.max_args = SIZE_MAX,
};

struct stop {
	struct verb verb;
	const char *reason, *timeout;
	int64_t timeout_ns;
	bool detach;
};

/* ECS would start another task in the place of each that is stopped. */
static int refuse_service(const struct deploy_target *t, const char *word, const json_t *service,
			  struct error *err)
{
	error_set(err, ERROR_USAGE,
		  "%s is a service with %lld tasks: it would start new ones in their place", word,
		  (long long)aws_int(service, "runningCount"));
	return error_hint(
		err,
		"'slipway scale%s %s 0' ends them; 'slipway ps%s %s' lists them, and a task by "
		"its ID can be stopped",
		deploy_target_flag(t), word, deploy_target_flag(t), word);
}

static int wait_for(const struct stop *s, const char *arn, struct error *err)
{
	AUTO_JSON *task = NULL;
	enum deploy_outcome outcome = DEPLOY_TIMED_OUT;

	if (task_wait(&s->verb.target, arn, TASK_UNTIL_STOPPED, time_monotonic_ns() + s->timeout_ns,
		      NULL, &task, &outcome, err) < 0)
		return -1;
	if (outcome != DEPLOY_TIMED_OUT)
		return 0;
	return error_set(err, ERROR_REMOTE, "task %s is still %s", path_base(arn),
			 aws_text(task, "lastStatus"));
}

static int stop_task(struct app *a, const struct stop *s, const json_t *task, struct error *err)
{
	const char *arn = aws_text(task, "taskArn"), *group = aws_text(task, "group");
	AUTO_JSON *params = json_pack("{s:s, s:s, s:s}", "cluster", s->verb.target.cluster, "task",
				      arn, "reason", s->reason);
	const struct aws_question q = {
		.service = AWS_ECS, .operation = "StopTask", .params = params};
	AUTO(aws_reply) reply = {0};

	if (str_starts(group, "service:"))
		report_log(a->reporter, LOG_WARNING,
			   "the task is one of the service %s, which starts another in its place",
			   group + strlen("service:"));
	if (aws_ask(s->verb.target.aws, &q, &reply, err) < 0)
		return error_wrap(err, "stop task %s", path_base(arn));
	if (!s->detach && wait_for(s, arn, err) < 0)
		return -1;
	printf("%s\n", path_base(arn));
	return 0;
}

static int stop_named(struct app *a, struct stop *s, const char *word, struct error *err)
{
	AUTO_JSON *service = NULL;
	AUTO_JSON *task = NULL;

	if (verb_begin(&s->verb, a, word, err) < 0)
		return -1;
	if (lookup_any(&s->verb.target, word, TASKS_RUNNING, &service, &task, err) < 0)
		return -1;
	return service ? refuse_service(&s->verb.target, word, service, err)
		       : stop_task(a, s, task, err);
}

int cmd_stop(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	struct stop s = {.reason = DEFAULT_REASON, .timeout = "5m"};
	struct option options[] = {
		OPTION_ROWS_VERB(a, s.verb),
		{0, "reason", OPTION_STRING, "TEXT", "What ECS shows as the reason", &s.reason},
		{'d', "detach", OPTION_FLAG, NULL, "Do not wait for its end", &s.detach},
		OPTION_ROW_TIMEOUT(s.timeout, "5m"),
	};
	int r = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (verb_parse_timeout(s.timeout, &s.timeout_ns, err) < 0)
		return -1;
	if (strlen(s.reason) > MAX_REASON)
		return error_set(err, ERROR_USAGE, "--reason: at most %d characters", MAX_REASON);
	for (size_t i = 0; i < args.n && r == 0; i++) {
		r = stop_named(a, &s, args.items[i], err);
		verb_release(&s.verb);
	}
	return verb_end(a, r, err);
}

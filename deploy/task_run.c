#include "deploy/task_run.h"

#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "deploy/ecs.h"
#include "deploy/explain.h"
#include "deploy/task_json.h"

#define ROLE_SECONDS    30
#define UNKNOWN_SECONDS 30 /* between RunTask and DescribeTasks that knows of it */

/* The same request, sent twice, starts one task. */
static char *make_token(void)
{
	uint8_t raw[16];
	char *text = xmalloc(2 * sizeof(raw) + 1);

	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		memset(raw, 0, sizeof(raw));
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(text + 2 * i, 3, "%02x", raw[i]);
	return text;
}

static json_t *make_params(const struct deploy_target *t, const struct task_run *run)
{
	AUTO_FREE char *token = make_token();
	json_t *p = json_pack("{s:s, s:s, s:i, s:s, s:b, s:s, s:s, s:o}", "cluster", t->cluster,
			      "taskDefinition", run->definition, "count", 1, "launchType",
			      run->launch_type, "enableECSManagedTags", 1, "propagateTags",
			      "TASK_DEFINITION", "clientToken", token, "tags",
			      deploy_target_tags(t, "key", "value"));

	if (run->network)
		json_object_set(p, "networkConfiguration", run->network);
	if (run->overrides)
		json_object_set(p, "overrides", run->overrides);
	if (run->enable_exec)
		json_object_set_new(p, "enableExecuteCommand", json_true());
	return p;
}

/* A 200 may hold no task and say why beside it. */
static int read_started(const json_t *answer, json_t **task, struct error *err)
{
	json_t *started = json_array_get(json_object_get(answer, "tasks"), 0);
	json_t *failure = json_array_get(json_object_get(answer, "failures"), 0);

	if (started) {
		*task = json_incref(started);
		return 0;
	}
	return error_set(err, ERROR_REMOTE, "ECS RunTask started nothing: %s%s%s",
			 failure ? aws_text(failure, "reason") : "no reason is given",
			 *aws_text(failure, "detail") ? ": " : "", aws_text(failure, "detail"));
}

static bool is_young_role(const struct aws_reply *reply)
{
	return reply->message && (strstr(reply->message, "assume the role") ||
				  strstr(reply->message, "assume role") ||
				  strstr(reply->message, "service linked role"));
}

int task_run(const struct deploy_target *t, const struct task_run *run, json_t **task,
	     struct error *err)
{
	AUTO_JSON *params = make_params(t, run);
	const struct aws_question q = {
		.service = AWS_ECS, .operation = "RunTask", .params = params};
	int64_t end = time_monotonic_ns() + (int64_t)ROLE_SECONDS * 1000000000;

	for (int i = 0;; i++) {
		AUTO(aws_reply) reply = {0};
		AUTO(error) local = ERROR_INIT;

		if (aws_ask(t->aws, &q, &reply, &local) == 0)
			return read_started(reply.json, task, err);
		if (!is_young_role(&reply) || time_monotonic_ns() >= end)
			return error_move(err, &local);
		report_log(t->reporter, LOG_INFO, "a role is not known to ECS yet: trying again");
		if (deploy_target_pause(t, i, err) < 0)
			return -1;
	}
}

int task_describe(const struct deploy_target *t, const char *arn, json_t **task, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s, s:[s], s:[s]}", "cluster", t->cluster, "tasks", arn,
				      "include", "TAGS");
	AUTO(aws_reply) reply = {0};
	json_t *found;

	*task = NULL;
	if (ecs_look(t, "DescribeTasks", params, &reply, err) < 0)
		return -1;
	found = json_array_get(json_object_get(reply.json, "tasks"), 0);
	if (found)
		*task = json_incref(found);
	return 0;
}

bool task_is_stopped(const json_t *task)
{
	return strcmp(aws_text(task, "lastStatus"), "STOPPED") == 0;
}

/* RUNNING, and where a container has a health check, HEALTHY by it. ECS says UNKNOWN where there is none. */
static bool is_running(const json_t *task, const json_t *definition)
{
	json_t *c;
	size_t i;

	if (strcmp(aws_text(task, "lastStatus"), "RUNNING") != 0)
		return false;
	json_array_foreach (json_object_get(task, "containers"), i, c) {
		json_t *own = container_named(json_object_get(definition, "containerDefinitions"),
					      aws_text(c, "name"));
		json_t *check = json_object_get(own, "healthCheck");
		json_t *command = json_object_get(check, "command");
		const char *form = json_string_value(json_array_get(command, 0));

		if (form && strcmp(form, "NONE") != 0 &&
		    strcmp(aws_text(c, "healthStatus"), "HEALTHY") != 0)
			return false;
	}
	return true;
}

static void note_state(const struct deploy_target *t, int step, const json_t *task, char *last,
		       size_t size)
{
	const char *health = aws_text(task, "healthStatus");
	AUTO_FREE char *now = xstrfmt("%s%s%s", aws_text(task, "lastStatus"),
				      *health && strcmp(health, "UNKNOWN") != 0 ? ", " : "",
				      *health && strcmp(health, "UNKNOWN") != 0 ? health : "");

	if (strcmp(now, last) == 0)
		return;
	snprintf(last, size, "%s", now);
	report_step_note(t->reporter, step, "%s", now);
}

struct watch {
	const char *arn;
	enum task_until until;
	int64_t started, deadline;
	const struct task_watcher *watcher;
	json_t *definition; /* owned; NULL: not read yet, or not readable */
	int step;
	char state[64];
};

/* 1: it is over, with *outcome. */
static int look(const struct deploy_target *t, struct watch *w, json_t **task,
		enum deploy_outcome *outcome, struct error *err)
{
	json_t *now;

	if (task_describe(t, w->arn, &now, err) < 0)
		return -1;
	if (!now) {
		if (time_monotonic_ns() - w->started > (int64_t)UNKNOWN_SECONDS * 1000000000)
			return error_set(err, ERROR_NOT_FOUND, "ECS knows no task %s in %s",
					 path_base(w->arn), t->cluster);
		return 0;
	}
	json_decref(*task);
	*task = now;
	note_state(t, w->step, now, w->state, sizeof(w->state));
	if (!w->definition)
		describe_definition(t, aws_text(now, "taskDefinitionArn"), &w->definition, NULL);
	if (w->watcher && w->watcher->look(w->watcher->arg, now, err) < 0)
		return -1;
	if (task_is_stopped(now)) {
		AUTO(task_end) end = {.exit_code = -1};

		task_end_read(&end, now, w->definition);
		*outcome = end.succeeded ? DEPLOY_ENDED : DEPLOY_FAILED;
		return 1;
	}
	if (w->until == TASK_UNTIL_RUNNING && is_running(now, w->definition)) {
		*outcome = DEPLOY_RUNNING;
		return 1;
	}
	return 0;
}

int task_wait(const struct deploy_target *t, const char *arn, enum task_until until,
	      int64_t deadline, const struct task_watcher *watcher, json_t **task,
	      enum deploy_outcome *outcome, struct error *err)
{
	struct watch w = {
		.arn = arn,
		.until = until,
		.started = time_monotonic_ns(),
		.deadline = deadline,
		.watcher = watcher,
	};
	int over = 0;

	*task = NULL;
	w.step = report_step_begin(t->reporter, "waiting for task %s to %s", path_base(arn),
				   until == TASK_UNTIL_RUNNING ? "run" : "end");
	for (int i = 0; over == 0; i++) {
		over = look(t, &w, task, outcome, err);
		if (over == 0 && time_monotonic_ns() >= deadline) {
			*outcome = DEPLOY_TIMED_OUT;
			over = 1;
		}
		if (over == 0 && deploy_target_pause_until(t, i, deadline, err) < 0)
			over = -1;
	}
	json_decref(w.definition);
	report_step_end(t->reporter, w.step,
			over < 0 ? STEP_STATUS_CANCELLED
			: *outcome == DEPLOY_FAILED || *outcome == DEPLOY_TIMED_OUT
				? STEP_STATUS_FAILED
				: STEP_STATUS_DONE,
			NULL);
	if (over < 0) {
		json_decref(*task);
		*task = NULL;
		return -1;
	}
	return 0;
}

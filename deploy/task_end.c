#include "deploy/task_end.h"

#include <stdlib.h>
#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "deploy/hints.h"
#include "deploy/task_json.h"

void task_end_release(struct task_end *e)
{
	if (!e)
		return;
	free(e->cause);
	free(e->reason);
	free(e->culprit);
	memset(e, 0, sizeof(*e));
	e->exit_code = -1;
}

int container_exit_code(const json_t *container)
{
	const json_t *code = json_object_get(container, "exitCode");

	return json_is_integer(code) ? (int)json_integer_value(code) : -1;
}

static bool is_essential(const json_t *definition, const char *name)
{
	json_t *c = container_named(json_object_get(definition, "containerDefinitions"), name);

	return !c || !json_is_false(json_object_get(c, "essential"));
}

/* 137 and 143 are what the others get when the first has ended. */
static bool was_stopped(int code)
{
	return code == 137 || code == 143;
}

/*
 * The container to name is the most suspicious one: one that says why it failed, one that failed by itself, one that is not healthy,
 * one that never ran, one that ended well, one that was killed.
 */
static int suspicion(const json_t *container, const json_t *definition)
{
	int code = container_exit_code(container);

	if (!is_essential(definition, aws_text(container, "name")))
		return 0;
	if (*aws_text(container, "reason"))
		return 6;
	if (code > 0 && !was_stopped(code))
		return 5;
	if (strcmp(aws_text(container, "healthStatus"), "UNHEALTHY") == 0)
		return 4;
	if (code < 0)
		return 3;
	return code == 0 ? 2 : 1;
}

static const json_t *find_culprit(const json_t *task, const json_t *definition)
{
	const json_t *found = NULL;
	json_t *c;
	size_t i;
	int most = 0;

	json_array_foreach (json_object_get(task, "containers"), i, c) {
		int s = suspicion(c, definition);

		if (s > most) {
			most = s;
			found = c;
		}
	}
	return found;
}

/* All essential containers that ran ended with 0, or were stopped because the first had. */
static bool ended_well(const json_t *task, const json_t *definition)
{
	bool any = false;
	json_t *c;
	size_t i;

	if (strcmp(aws_text(task, "stopCode"), "EssentialContainerExited") != 0)
		return false;
	json_array_foreach (json_object_get(task, "containers"), i, c) {
		int code = container_exit_code(c);

		if (!is_essential(definition, aws_text(c, "name")))
			continue;
		if (code < 0 || *aws_text(c, "reason") || (code > 0 && !was_stopped(code)))
			return false;
		any = any || code == 0;
	}
	return any;
}

static char *cause_of_exit(const json_t *container, int code)
{
	const char *meaning = exit_code_meaning(code), *reason = aws_text(container, "reason");

	if (strstr(reason, "OutOfMemory"))
		meaning = "out of memory";
	return xstrfmt("container \"%s\" exited with code %d%s%s%s", aws_text(container, "name"),
		       code, meaning ? " (" : "", meaning ? meaning : "", meaning ? ")" : "");
}

static char *find_cause(const json_t *task, const json_t *culprit, const struct task_end *e)
{
	const char *code = aws_text(task, "stopCode");

	if (strcmp(code, "EssentialContainerExited") == 0 && culprit && e->exit_code >= 0)
		return cause_of_exit(culprit, e->exit_code);
	if (strcmp(code, "TaskFailedToStart") == 0)
		return xstrfmt("the task could not start: %s", e->reason ? e->reason : "no reason");
	if (strcmp(code, "UserInitiated") == 0)
		return xstrfmt("the task was stopped: %s", e->reason ? e->reason : "by a user");
	if (strcmp(code, "SpotInterruption") == 0)
		return xstrdup("the task lost its Spot capacity");
	if (e->reason)
		return xstrfmt("the task was stopped: %s", e->reason);
	return culprit && e->exit_code >= 0 ? cause_of_exit(culprit, e->exit_code)
					    : xstrdup("the task stopped without saying why");
}

void task_end_read(struct task_end *out, const json_t *task, const json_t *definition)
{
	const json_t *culprit = find_culprit(task, definition);
	const char *stopped = aws_text(task, "stoppedReason");
	const char *own = culprit ? aws_text(culprit, "reason") : "";
	/* These say less than the container's own words. */
	bool plain = str_starts(stopped, "Essential container") ||
		     strcmp(stopped, "Task failed to start") == 0;

	task_end_release(out);
	out->exit_code = culprit ? container_exit_code(culprit) : -1;
	if (culprit && strcmp(aws_text(task, "stopCode"), "TaskFailedToStart") != 0)
		out->culprit = xstrdup(aws_text(culprit, "name"));
	if (*own && (plain || !*stopped))
		out->reason = xstrdup(own);
	else if (*stopped)
		out->reason = xstrdup(stopped);
	out->succeeded = ended_well(task, definition);
	out->cause = find_cause(task, culprit, out);
}

int task_end_code(const struct task_end *e)
{
	/* runc's words behind ECS's own. */
	static const struct {
		const char *words;
		int code;
	} table[] = {
		{"executable file not found", 127},
		{"no such file or directory", 127},
		{"permission denied", 126},
		{"exec format error", 126},
	};

	if (e->exit_code >= 0)
		return e->exit_code;
	if (e->reason && strstr(e->reason, "CannotStartContainerError"))
		for (size_t i = 0; i < ARRAY_SIZE(table); i++)
			if (strstr(e->reason, table[i].words))
				return table[i].code;
	return 125;
}

bool task_end_equal(const struct task_end *a, const struct task_end *b)
{
	const char *one = a->culprit ? a->culprit : "", *other = b->culprit ? b->culprit : "";

	return a->exit_code == b->exit_code && strcmp(one, other) == 0 &&
	       (a->exit_code >= 0 || (a->reason && b->reason &&
				      strncmp(a->reason, b->reason, strcspn(a->reason, ":")) == 0));
}

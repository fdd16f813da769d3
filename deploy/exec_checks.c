#include "deploy/exec_checks.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "deploy/task_json.h"

static const char *const ACTIONS[] = {
	"ssmmessages:CreateControlChannel",
	"ssmmessages:CreateDataChannel",
	"ssmmessages:OpenControlChannel",
	"ssmmessages:OpenDataChannel",
};

void exec_findings_release(struct exec_findings *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++) {
		free(f->items[i].text);
		free(f->items[i].help);
	}
	free(f->items);
	*f = (struct exec_findings){0};
}

void exec_findings_add(struct exec_findings *f, enum exec_verdict verdict, const char *help,
		       const char *fmt, ...)
{
	struct exec_finding one = {.verdict = verdict, .help = xstrdup_null(help)};
	va_list ap;

	va_start(ap, fmt);
	one.text = xstrvfmt(fmt, ap);
	va_end(ap);
	GROW(f->items, f->n + 1, f->cap);
	f->items[f->n++] = one;
}

bool exec_findings_are_fine(const struct exec_findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->items[i].verdict == EXEC_WRONG)
			return false;
	return true;
}

int exec_container(const json_t *task, const json_t *definition, const char *name,
		   const json_t **out, struct error *err)
{
	const json_t *containers = json_object_get(task, "containers"), *c;
	AUTO(strlist) names = STRLIST_INIT;
	AUTO_FREE char *joined = NULL;
	size_t i;

	*out = NULL;
	json_array_foreach (json_object_get(definition, "containerDefinitions"), i, c) {
		const char *own = aws_text(c, "name");
		bool essential = !json_is_false(json_object_get(c, "essential"));

		strlist_add(&names, own);
		if (!*out && (name ? strcmp(own, name) == 0 : essential))
			*out = container_named(containers, own);
	}
	if (*out)
		return 0;
	joined = strlist_join(&names, ", ");
	return error_set(err, ERROR_USAGE, "the task has no container %s; there are: %s",
			 name ? name : "that is essential", joined);
}

static void check_task(const json_t *task, struct exec_findings *out)
{
	const char *status = aws_text(task, "lastStatus");
	bool runs = strcmp(status, "RUNNING") == 0;
	bool enabled = json_is_true(json_object_get(task, "enableExecuteCommand"));

	exec_findings_add(out, runs ? EXEC_FINE : EXEC_WRONG, NULL, "the task is %s", status);
	exec_findings_add(
		out, enabled ? EXEC_FINE : EXEC_WRONG,
		enabled ? NULL
			: "deploy again with --enable-execute-command: running tasks cannot be "
			  "given it",
		"ECS Exec is %s for the task", enabled ? "enabled" : "not enabled");
}

static void check_agent(const json_t *container, struct exec_findings *out)
{
	const json_t *agent, *found = NULL;
	const char *status, *reason;
	size_t i;

	json_array_foreach (json_object_get(container, "managedAgents"), i, agent) {
		if (strcmp(aws_text(agent, "name"), "ExecuteCommandAgent") == 0)
			found = agent;
	}
	status = aws_text(found, "lastStatus");
	reason = aws_text(found, "reason");
	if (strcmp(status, "RUNNING") == 0)
		exec_findings_add(out, EXEC_FINE, NULL, "the agent in %s is RUNNING",
				  aws_text(container, "name"));
	else
		exec_findings_add(
			out, EXEC_WRONG,
			"a new task needs some seconds; one without the role's permissions or a "
			"route to ssmmessages never gets there",
			"the agent in %s is %s%s%s", aws_text(container, "name"),
			*status ? status : "not there", *reason ? ": " : "", reason);
}

static json_t *action_list(void)
{
	json_t *out = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(ACTIONS); i++)
		json_array_append_new(out, json_string(ACTIONS[i]));
	return out;
}

/* The actions of an answer of SimulatePrincipalPolicy that are not allowed, with commas; "" for none. */
static char *refused_actions(const json_t *answer)
{
	AUTO(strlist) refused = STRLIST_INIT;
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(answer, "EvaluationResults"), i, one) {
		if (strcmp(aws_text(one, "EvalDecision"), "allowed") != 0)
			strlist_add(&refused, aws_text(one, "EvalActionName"));
	}
	return strlist_join(&refused, ", ");
}

static int check_role(const struct deploy_target *t, const json_t *task, const json_t *definition,
		      struct exec_findings *out, struct error *err)
{
	const char *own = aws_text(json_object_get(task, "overrides"), "taskRoleArn");
	const char *role = *own ? own : aws_text(definition, "taskRoleArn");
	AUTO_JSON *params = NULL;
	AUTO(aws_reply) reply = {0};
	AUTO(error) local = ERROR_INIT;
	AUTO_FREE char *refused = NULL;

	if (!*role) {
		exec_findings_add(out, EXEC_WRONG,
				  "deploy with --task-role: a role with the four ssmmessages "
				  "permissions (the execution role is not used here)",
				  "the task has no task role");
		return 0;
	}
	params = json_pack("{s:s, s:o}", "PolicySourceArn", role, "ActionNames", action_list());
	const struct aws_question q = {
		.service = AWS_IAM, .operation = "SimulatePrincipalPolicy", .params = params};

	if (aws_ask(t->aws, &q, &reply, &local) < 0) {
		if (local.kind == ERROR_CANCELLED || local.kind == ERROR_NETWORK)
			return error_move(err, &local);
		exec_findings_add(out, EXEC_UNKNOWN, NULL,
				  "whether %s may use ssmmessages could not be read: %s",
				  path_base(role), local.message);
		return 0;
	}
	refused = refused_actions(reply.json);
	if (*refused)
		exec_findings_add(out, EXEC_WRONG, "add a policy that allows them on *",
				  "the task role %s lacks %s", path_base(role), refused);
	else
		exec_findings_add(out, EXEC_FINE, NULL, "the task role %s may use ssmmessages",
				  path_base(role));
	return 0;
}

int exec_check(const struct deploy_target *t, const json_t *task, const json_t *definition,
	       const json_t *container, struct exec_findings *out, struct error *err)
{
	check_task(task, out);
	check_agent(container, out);
	return check_role(t, task, definition, out, err);
}

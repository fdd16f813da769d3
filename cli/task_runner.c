#include "cli/task_runner.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "cli/log_print.h"
#include "cli/verb.h"
#include "deploy/explain.h"
#include "deploy/network.h"
#include "deploy/task_definition.h"
#include "deploy/task_run.h"

static const struct command_usage usage = {
	.name = "task run",
	.args = "[OPTIONS] FAMILY[:REVISION] [--] [COMMAND [ARG...]]",
	.summary = "Run a task of a registered task definition",
	.min_args = 1,
	.max_args = SIZE_MAX,
	.stop_at_first = true,
};

struct runner {
	const struct app *app;
	struct verb verb;
	const char *container, *launch_type, *subnets, *groups, *public_ip, *timeout;
	const char *task_role, *execution_role;
	struct strlist env;
	int64_t timeout_ns;
	bool wait, detach, exec;
	struct task_definition definition;
	char *family;
	char *arn; /* of the task definition */
	json_t *network, *overrides, *task;
	struct log_places places;
	struct log_reader *reader;
	struct log_printer printer;
};

static void runner_release(struct runner *r)
{
	verb_release(&r->verb);
	strlist_release(&r->env);
	task_definition_release(&r->definition);
	free(r->family);
	free(r->arn);
	json_decref(r->network);
	json_decref(r->overrides);
	json_decref(r->task);
	log_reader_free(r->reader);
	log_places_release(&r->places);
	log_printer_release(&r->printer);
}
CLEANUP_RELEASE(runner)

static int find_definition(struct runner *r, const char *name, struct error *err)
{
	AUTO_JSON *found = NULL;

	if (describe_definition(&r->verb.target, name, &found, err) < 0)
		return error_wrap(err, "look for the task definition %s", name);
	r->arn = xstrdup(aws_text(found, "taskDefinitionArn"));
	task_definition_from_json(&r->definition, found);
	task_definition_strip(r->definition.json);
	r->family = xstrdup(task_definition_family(&r->definition));
	r->verb.target.app = r->family;
	return 0;
}

static int find_network(struct runner *r, struct error *err)
{
	AUTO(strlist) subnets = STRLIST_INIT;
	AUTO(strlist) groups = STRLIST_INIT;
	AUTO(strlist) ports = STRLIST_INIT;
	struct network_wanted w = {
		.subnets = &subnets, .security_groups = &groups, .ports = &ports};
	AUTO(network) n = {0};

	if (public_ip_parse(r->public_ip, &w.public_ip, err) < 0)
		return -1;
	if (strcmp(aws_text(r->definition.json, "networkMode"), "awsvpc") != 0)
		return 0;
	if (r->subnets)
		strlist_split(&subnets, r->subnets, ',');
	if (r->groups)
		strlist_split(&groups, r->groups, ',');
	task_definition_ports(&r->definition, &ports);
	if (network_find(&r->verb.target, &w, &n, err) < 0 ||
	    (!network_is_ready(&n) && network_make(&r->verb.target, &w, &n, err) < 0))
		return -1;
	r->network = network_configuration(&n);
	return 0;
}

static json_t *environment_of(const struct app *a, const struct strlist *env)
{
	json_t *out = json_array();

	for (size_t i = 0; i < env->n; i++) {
		const char *equal = strchr(env->items[i], '=');
		AUTO_FREE char *name = equal ? xstrndup(env->items[i],
							(size_t)(equal - env->items[i]))
					     : xstrdup(env->items[i]);
		const char *value = equal ? equal + 1 : environment_get(&a->env, name);

		/* as docker: a name without a value that is not set here is left away */
		if (value)
			json_array_append_new(out, json_pack("{s:s, s:o}", "name", name, "value",
							     json_text(value)));
	}
	return out;
}

static int make_overrides(const struct app *a, struct runner *r, const struct strlist *args,
			  struct error *err)
{
	AUTO_JSON *command = json_array();
	AUTO_JSON *environment = environment_of(a, &r->env);
	json_t *container = NULL, *one;
	size_t first = args->n > 1 && strcmp(args->items[1], "--") == 0 ? 2 : 1;

	for (size_t i = first; i < args->n; i++)
		json_array_append_new(command, json_text(args->items[i]));
	r->overrides = json_object();
	if (r->task_role)
		json_object_set_new(r->overrides, "taskRoleArn", json_string(r->task_role));
	if (r->execution_role)
		json_object_set_new(r->overrides, "executionRoleArn",
				    json_string(r->execution_role));
	if (!json_array_size(command) && !json_array_size(environment) && !r->container)
		return 0;
	if (task_definition_choose(&r->definition, r->container, r->family, &container, err) < 0)
		return -1;
	one = json_pack("{s:s}", "name", aws_text(container, "name"));
	if (json_array_size(command))
		json_object_set(one, "command", command);
	if (json_array_size(environment))
		json_object_set(one, "environment", environment);
	json_object_set_new(r->overrides, "containerOverrides", json_pack("[o]", one));
	return 0;
}

static int start(struct runner *r, struct error *err)
{
	const struct task_run run = {
		.definition = r->arn,
		.launch_type = r->launch_type,
		.network = r->network,
		.overrides = json_object_size(r->overrides) ? r->overrides : NULL,
		.enable_exec = r->exec,
	};

	return task_run(&r->verb.target, &run, &r->task, err);
}

/* What it wrote since the last look. Lines that may not be read are no reason to stop waiting. */
static int tell_lines(struct runner *r, const json_t *task, struct error *err)
{
	AUTO(error) why = ERROR_INIT;

	if (!r->wait)
		return 0;
	if (!r->reader) {
		log_places_read(&r->places, r->definition.json, task);
		log_printer_init(&r->printer, r->app, &r->places, false);
		r->reader = log_reader_new(&r->verb.target, &r->places, &(struct log_range){0});
	}
	if (log_reader_poll(r->reader, log_printer_line, &r->printer, NULL, &why) < 0) {
		if (why.kind == ERROR_CANCELLED || why.kind == ERROR_SYSTEM)
			return error_move(err, &why);
		report_log(r->verb.target.reporter, LOG_DEBUG, "%s", why.message);
	}
	fflush(stdout);
	return 0;
}

static int look(void *arg, const json_t *task, struct error *err)
{
	return tell_lines(arg, task, err);
}

/* The report of a task that did not end well: on standard error. */
static int explain(struct app *a, struct runner *r, struct task_end *end, struct error *err)
{
	AUTO(strbuf) report = STRBUF_INIT;

	if (explain_task(&r->verb.target, r->task, NULL, end, &report, err) < 0)
		return -1;
	terminal_finish(a->terminal);
	fprintf(stderr, "slipway: %s", report.buf);
	return 0;
}

static int end_code(struct app *a, struct runner *r, enum deploy_outcome outcome, struct error *err)
{
	AUTO(task_end) end = {.exit_code = -1};
	int code;

	if (outcome == DEPLOY_RUNNING || outcome == DEPLOY_ENDED)
		return 0;
	if (outcome == DEPLOY_TIMED_OUT) {
		report_log(a->reporter, LOG_WARNING,
			   "the task is still %s; 'slipway stop%s %s' ends it",
			   aws_text(r->task, "lastStatus"), deploy_target_flag(&r->verb.target),
			   path_base(aws_text(r->task, "taskArn")));
		return EXIT_TIMED_OUT;
	}
	if (explain(a, r, &end, err) < 0)
		return -1;
	if (!r->wait)
		return 1;
	code = task_end_code(&end);
	return code > 0 ? code : EXIT_SLIPWAY;
}

static int wait_for(struct app *a, struct runner *r, struct error *err)
{
	AUTO_FREE char *arn = xstrdup(aws_text(r->task, "taskArn"));
	const struct task_watcher watcher = {.look = look, .arg = r};
	enum deploy_outcome outcome = DEPLOY_TIMED_OUT;
	json_t *last = NULL;
	int code;

	if (task_wait(&r->verb.target, arn, r->wait ? TASK_UNTIL_STOPPED : TASK_UNTIL_RUNNING,
		      time_monotonic_ns() + r->timeout_ns, &watcher, &last, &outcome, err) < 0) {
		if (err && err->kind == ERROR_CANCELLED)
			error_hint(err, "the task runs on: 'slipway stop%s %s' ends it",
				   deploy_target_flag(&r->verb.target), path_base(arn));
		return -1;
	}
	if (last) {
		json_decref(r->task);
		r->task = last;
	}
	/* Its last lines come a moment after its end. */
	if (outcome != DEPLOY_TIMED_OUT && r->wait &&
	    (deploy_target_pause(&r->verb.target, 0, err) < 0 || tell_lines(r, r->task, err) < 0))
		return -1;
	code = end_code(a, r, outcome, err);
	if (code == 0 && !r->wait)
		printf("%s\n", arn);
	return code;
}

static int run(struct app *a, struct runner *r, const struct strlist *args, struct error *err)
{
	if (deploy_target_identify(&r->verb.target, err) < 0 ||
	    find_definition(r, args->items[0], err) < 0 || make_overrides(a, r, args, err) < 0 ||
	    find_network(r, err) < 0 || start(r, err) < 0)
		return -1;
	report_log(a->reporter, LOG_INFO, "task %s of %s", path_base(aws_text(r->task, "taskArn")),
		   path_base(r->arn));
	if (!r->detach)
		return wait_for(a, r, err);
	printf("%s\n", aws_text(r->task, "taskArn"));
	return 0;
}

static int check(const struct runner *r, struct error *err)
{
	if (r->wait && r->detach)
		return error_set(err, ERROR_USAGE, "--wait and --detach exclude each other");
	if (strcmp(r->launch_type, "FARGATE") != 0 && strcmp(r->launch_type, "EC2") != 0)
		return error_set(err, ERROR_USAGE, "invalid --launch-type \"%s\": FARGATE or EC2",
				 r->launch_type);
	return 0;
}

int task_runner_main(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(runner)
	r = {.app = a,
	     .launch_type = "FARGATE",
	     .public_ip = "auto",
	     .timeout = "15m",
	     .printer = {.out = STRBUF_INIT}};
	struct option options[] = {
		OPTION_ROWS_VERB(a, r.verb),
		{'e', "env", OPTION_LIST, "NAME[=VALUE]", "Set an environment variable", &r.env},
		{0, "container", OPTION_STRING, "NAME", "Which one gets command and environment",
		 &r.container},
		{0, "task-role", OPTION_STRING, "ARN", "Another role for the app's own AWS calls",
		 &r.task_role},
		{0, "execution-role", OPTION_STRING, "ARN", "Another role for ECS itself",
		 &r.execution_role},
		{0, "launch-type", OPTION_STRING, "TYPE", "FARGATE (default) or EC2",
		 &r.launch_type},
		{0, "subnets", OPTION_STRING, "ID,...", "Subnets (default: the default VPC's)",
		 &r.subnets},
		{0, "security-groups", OPTION_STRING, "ID,...",
		 "Security groups (default: the family's own, made when missing)", &r.groups},
		{0, "assign-public-ip", OPTION_STRING, "HOW", "auto (default), enabled, disabled",
		 &r.public_ip},
		{0, "enable-execute-command", OPTION_FLAG, NULL, "Allow ECS Exec", &r.exec},
		{0, "wait", OPTION_FLAG, NULL,
		 "Show its lines until it ends, and exit with its code", &r.wait},
		{'d', "detach", OPTION_FLAG, NULL, "Do not wait until it runs", &r.detach},
		OPTION_ROW_TIMEOUT(r.timeout, "15m"),
	};
	int result = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (result != 0)
		return result < 0 ? -1 : 0;
	if (check(&r, err) < 0 || verb_parse_timeout(r.timeout, &r.timeout_ns, err) < 0)
		return -1;
	if (verb_begin(&r.verb, a, NULL, err) < 0)
		return -1;
	result = run(a, &r, &args, err);
	return verb_end(a, result, err);
}

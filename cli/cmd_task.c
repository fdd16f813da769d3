/* slipway task run|describe: one task of a task definition that is registered. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/json_print.h"
#include "cli/subcommand.h"
#include "cli/task_runner.h"
#include "cli/verb.h"
#include "deploy/address.h"
#include "deploy/explain.h"
#include "deploy/lookup.h"
#include "deploy/task_run.h"
#include "deploy/task_summary.h"

static void print_field(const char *name, const char *value)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (!*value)
		return;
	strbuf_add_printable(&text, value, strlen(value), false);
	printf("%-16s %s\n", name, text.buf);
}

static void print_container(const json_t *c)
{
	AUTO(strbuf) line = STRBUF_INIT;
	const char *health = aws_text(c, "health");

	strbuf_printf(&line, "%s: %s", aws_text(c, "name"), aws_text(c, "status"));
	if (json_object_get(c, "exitCode"))
		strbuf_printf(&line, ", exit code %lld", (long long)aws_int(c, "exitCode"));
	if (*health && strcmp(health, "UNKNOWN") != 0)
		strbuf_printf(&line, ", %s", health);
	if (*aws_text(c, "reason"))
		strbuf_printf(&line, ", %s", aws_text(c, "reason"));
	strbuf_printf(&line, " (%s)", aws_text(c, "image"));
	print_field("container", line.buf);
}

static int print_addresses(const struct deploy_target *t, const json_t *task, struct error *err)
{
	AUTO(task_address) address = {0};
	AUTO_JSON *definition = NULL;

	if (task_is_stopped(task))
		return 0;
	if (describe_definition(t, aws_text(task, "taskDefinitionArn"), &definition, err) < 0 ||
	    task_address_find(&address, t, task, definition, err) < 0)
		return -1;
	for (size_t i = 0; i < address.ports.n; i++) {
		const char *ip = address.public_ip ? address.public_ip : address.private_ip;
		AUTO_FREE char *text = xstrfmt("%s:%s", ip ? ip : "?", address.ports.items[i]);

		print_field(address.public_ip ? "address" : "private address", text);
	}
	return 0;
}

static int print_task(const struct deploy_target *t, const json_t *task, bool as_json,
		      struct error *err)
{
	static const struct {
		const char *name, *key;
	} fields[] = {
		{"task", "arn"},
		{"name", "name"},
		{"task definition", "taskDefinition"},
		{"status", "status"},
		{"health", "health"},
		{"launch type", "launchType"},
		{"created", "created"},
		{"started", "started"},
		{"stopped", "stopped"},
		{"stop code", "stopCode"},
		{"reason", "reason"},
	};
	AUTO_JSON *one = json_pack("[O]", task);
	AUTO_JSON *summaries = NULL;
	const json_t *shown, *c;
	size_t i;

	if (task_summaries(t, one, &summaries, err) < 0)
		return -1;
	shown = json_array_get(summaries, 0);
	if (as_json) {
		json_print(shown);
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(fields); i++)
		print_field(fields[i].name, aws_text(shown, fields[i].key));
	json_array_foreach (json_object_get(shown, "containers"), i, c)
		print_container(c);
	return print_addresses(t, task, err);
}

static int describe(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct command_usage usage = {
		.name = "task describe",
		.args = "[OPTIONS] TASK|NAME",
		.summary = "Show a task: its state, why it ended, its containers and addresses",
		.min_args = 1,
		.max_args = 1,
	};
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(verb) v = {0};
	AUTO_JSON *task = NULL;
	bool as_json = false;
	struct option options[] = {
		OPTION_ROWS_VERB(a, v),
		{0, "json", OPTION_FLAG, NULL, "Print a JSON object", &as_json},
	};
	int r = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (verb_begin(&v, a, args.items[0], err) < 0)
		return -1;
	r = lookup_task(&v.target, args.items[0], TASKS_ALL, &task, err);
	if (r == 0)
		r = print_task(&v.target, task, as_json, err);
	return verb_end(a, r, err);
}

int cmd_task(struct app *a, int argc, char **argv, struct error *err)
{
	static const struct subcommand list[] = {
		{"describe", "Show a task", describe},
		{"run", "Run a task of a registered task definition", task_runner_main},
		{NULL, NULL, NULL},
	};

	return subcommand_run(a, "task", "Run and show single tasks", list, argc, argv, err);
}

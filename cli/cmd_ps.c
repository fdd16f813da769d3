/* slipway ps: the tasks of a cluster, a service or an app. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "cli/json_print.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "deploy/lookup.h"
#include "deploy/task_summary.h"

static const struct command_usage usage = {
	.name = "ps",
	.args = "[OPTIONS] [SERVICE|TASK|NAME]",
	.summary = "List tasks",
	.min_args = 0,
	.max_args = 1,
};

static int find(const struct deploy_target *t, const char *word, bool all, json_t **tasks,
		struct error *err)
{
	struct task_filter filter = {.state = all ? TASKS_ALL : TASKS_RUNNING};
	AUTO_JSON *service = NULL;
	AUTO_JSON *task = NULL;

	if (word && lookup_any(t, word, TASKS_ALL, &service, &task, err) < 0)
		return -1;
	if (service)
		filter.service = aws_text(service, "serviceName");
	if (lookup_is_family(task, word))
		filter.family = word;
	if (!task || filter.family)
		return lookup_tasks(t, &filter, tasks, err);
	/* Who names one task wants to see it, whatever became of it. */
	*tasks = json_pack("[O]", task);
	return 0;
}

/* "STOPPED (exit 1)": what the first container that ended with an error says. */
static char *status_text(const json_t *task)
{
	const char *status = aws_text(task, "status");
	json_t *containers = json_object_get(task, "containers"), *c;
	int64_t code = -1;
	size_t i;

	json_array_foreach (containers, i, c) {
		if (json_object_get(c, "exitCode") && code <= 0)
			code = aws_int(c, "exitCode");
	}
	if (strcmp(status, "STOPPED") != 0)
		return xstrdup(status);
	return code >= 0                    ? xstrfmt("STOPPED (exit %lld)", (long long)code)
	       : *aws_text(task, "started") ? xstrdup("STOPPED (no exit code)")
					    : xstrdup("STOPPED (never ran)");
}

/* "UNKNOWN" is what ECS says of a task without a health check. */
static const char *health_text(const json_t *task)
{
	const char *health = aws_text(task, "health");

	return strcmp(health, "UNKNOWN") == 0 || !*health ? "-" : health;
}

static char *started_text(const json_t *task)
{
	char ago[TIME_TEXT_SIZE];
	int64_t then;

	if (time_parse(aws_text(task, "started"), &then, NULL) < 0)
		return xstrdup("-");
	time_format_ago(time_now() - then, ago);
	return xstrdup(ago);
}

static char *images_text(const json_t *task)
{
	AUTO(strlist) images = STRLIST_INIT;
	json_t *c;
	size_t i;

	json_array_foreach (json_object_get(task, "containers"), i, c)
		strlist_add(&images, aws_text(c, "image"));
	return strlist_join(&images, ", ");
}

static void add_row(struct table *table, const json_t *task)
{
	AUTO_FREE char *id = xstrfmt("%.*s", TASK_ID_SHOWN, aws_text(task, "id"));
	AUTO_FREE char *status = status_text(task);
	AUTO_FREE char *started = started_text(task);
	AUTO_FREE char *images = images_text(task);
	const char *public = aws_text(task, "publicIp");
	const char *address = *public ? public : aws_text(task, "privateIp");
	const char *cells[] = {id,
			       aws_text(task, "name"),
			       aws_text(task, "taskDefinition"),
			       status,
			       health_text(task),
			       started,
			       *address ? address : "-",
			       images};

	table_add(table, cells);
}

static void print_table(const json_t *summaries)
{
	static const char *const head[] = {"TASK ID", "NAME",    "DEFINITION", "STATUS",
					   "HEALTH",  "STARTED", "ADDRESS",    "IMAGE"};
	AUTO(table) table = {.columns = ARRAY_SIZE(head)};
	const json_t *task;
	size_t i;

	table_add(&table, head);
	json_array_foreach (summaries, i, task)
		add_row(&table, task);
	table_print(&table);
}

static int show(const struct verb *v, const char *word, bool all, bool quiet, bool as_json,
		struct error *err)
{
	AUTO_JSON *tasks = NULL;
	AUTO_JSON *summaries = NULL;
	const json_t *task;
	size_t i;

	if (find(&v->target, word, all, &tasks, err) < 0)
		return -1;
	if (quiet) {
		json_array_foreach (tasks, i, task)
			printf("%s\n", lookup_task_id(task));
		return 0;
	}
	if (task_summaries(&v->target, tasks, &summaries, err) < 0)
		return -1;
	if (as_json)
		json_print(summaries);
	else
		print_table(summaries);
	return 0;
}

int cmd_ps(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(verb) v = {0};
	bool all = false, quiet = false, as_json = false;
	struct option options[] = {
		OPTION_ROWS_VERB(a, v),
		{'a', "all", OPTION_FLAG, NULL, "Stopped tasks too, for an hour after their end",
		 &all},
		{'q', "quiet", OPTION_FLAG, NULL, "Print only the IDs", &quiet},
		{0, "json", OPTION_FLAG, NULL, "Print a JSON array", &as_json},
	};
	int r = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (verb_begin(&v, a, args.n ? args.items[0] : NULL, err) < 0)
		return -1;
	r = show(&v, args.n ? args.items[0] : NULL, all, quiet, as_json, err);
	return verb_end(a, r, err);
}

/*
 * slipway exec: a command in a container of a task of the local target; of ECS, the aws command that does it, and whether it can
 * work.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/local_exec.h"
#include "cli/verb.h"
#include "deploy/exec_checks.h"
#include "deploy/explain.h"
#include "deploy/lookup.h"

#define DEFAULT_COMMAND "/bin/sh"
#define PLUGIN          "session-manager-plugin"

static const struct command_usage usage = {
	.name = "exec",
	.args = "[OPTIONS] SERVICE|TASK|NAME [--] [COMMAND [ARG...]]",
	.summary = "Run a command in a container of a local task; of ECS, print what does it",
	.min_args = 1,
	.max_args = SIZE_MAX,
	.stop_at_first = true,
};

/* As a POSIX shell reads it back. */
static void add_quoted(struct strbuf *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "@%+=:,./_-";

	if (*word && !word[strspn(word, plain)]) {
		strbuf_puts(out, word);
		return;
	}
	strbuf_putc(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			strbuf_puts(out, "'\\''");
		else
			strbuf_putc(out, *word);
	}
	strbuf_putc(out, '\'');
}

static void add_option(struct strbuf *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	strbuf_printf(out, " %s ", name);
	add_quoted(out, value);
}

/* ECS takes one text and parts it as a shell does; words that need it are quoted inside. */
static char *command_text(const struct strlist *args)
{
	AUTO(strbuf) out = STRBUF_INIT;
	size_t i = 1;

	if (i < args->n && strcmp(args->items[i], "--") == 0)
		i++;
	if (i == args->n)
		return xstrdup(DEFAULT_COMMAND);
	/* one word is a command line already, as "sh -c ..." is typed for docker */
	if (i + 1 == args->n)
		return xstrdup(args->items[i]);
	for (size_t first = i; i < args->n; i++) {
		if (i > first)
			strbuf_putc(&out, ' ');
		add_quoted(&out, args->items[i]);
	}
	return strbuf_detach(&out, NULL);
}

static void print_command(const struct app *a, const struct deploy_target *t, const json_t *task,
			  const json_t *container, const char *command)
{
	AUTO(strbuf) out = STRBUF_INIT;

	strbuf_puts(&out, "aws ecs execute-command");
	add_option(&out, "--profile", a->aws_flags.profile);
	add_option(&out, "--region", t->region);
	add_option(&out, "--endpoint-url", a->aws_flags.endpoint_url);
	add_option(&out, "--cluster", t->cluster);
	add_option(&out, "--task", lookup_task_id(task));
	add_option(&out, "--container", aws_text(container, "name"));
	strbuf_puts(&out, " --interactive");
	add_option(&out, "--command", command);
	printf("%s\n", out.buf);
}

static bool is_in_path(const struct app *a, const char *program)
{
	const char *path = environment_get(&a->env, "PATH");
	AUTO(strlist) folders = STRLIST_INIT;

	strlist_split(&folders, path ? path : "", ':');
	for (size_t i = 0; i < folders.n; i++) {
		AUTO_FREE char *file = xstrfmt("%s/%s", folders.items[i], program);

		if (*folders.items[i] && access(file, X_OK) == 0)
			return true;
	}
	return false;
}

static void check_here(const struct app *a, struct exec_findings *found)
{
	static const struct {
		const char *program, *help;
	} needed[] = {
		{"aws", "install the AWS CLI, version 2"},
		{PLUGIN, "install the Session Manager plugin of the AWS CLI"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		bool there = is_in_path(a, needed[i].program);

		exec_findings_add(found, there ? EXEC_FINE : EXEC_WRONG,
				  there ? NULL : needed[i].help, "%s is %sin PATH",
				  needed[i].program, there ? "" : "not ");
	}
}

static void print_findings(struct app *a, const struct exec_findings *found)
{
	static const char *const marks[] = {
		[EXEC_FINE] = "ok", [EXEC_UNKNOWN] = "??", [EXEC_WRONG] = "NO"};

	terminal_finish(a->terminal);
	for (size_t i = 0; i < found->n; i++) {
		AUTO(strbuf) text = STRBUF_INIT;
		const struct exec_finding *f = &found->items[i];

		strbuf_add_printable(&text, f->text, strlen(f->text), false);
		fprintf(stderr, "%s  %s\n", marks[f->verdict], text.buf);
		if (f->help)
			fprintf(stderr, "    %s\n", f->help);
	}
}

/* Of a service any running task: they are alike. */
static int find_task(const struct deploy_target *t, const char *word, json_t **task,
		     struct error *err)
{
	AUTO_JSON *service = NULL;
	AUTO_JSON *tasks = NULL;
	json_t *first;

	if (lookup_any(t, word, TASKS_RUNNING, &service, task, err) < 0)
		return -1;
	if (*task)
		return 0;
	if (lookup_tasks(t,
			 &(struct task_filter){.service = aws_text(service, "serviceName"),
					       .state = TASKS_RUNNING},
			 &tasks, err) < 0)
		return -1;
	first = json_array_get(tasks, 0);
	if (!first)
		return error_set(err, ERROR_NOT_FOUND, "no task of the service %s runs", word);
	*task = json_incref(first);
	return 0;
}

static int run(struct app *a, const struct verb *v, const struct strlist *args,
	       const char *container_name, struct error *err)
{
	const struct deploy_target *t = &v->target;
	AUTO(exec_findings) found = {0};
	AUTO_FREE char *command = command_text(args);
	AUTO_JSON *task = NULL;
	AUTO_JSON *definition = NULL;
	const json_t *container;

	if (find_task(t, args->items[0], &task, err) < 0 ||
	    describe_definition(t, aws_text(task, "taskDefinitionArn"), &definition, err) < 0 ||
	    exec_container(task, definition, container_name, &container, err) < 0 ||
	    exec_check(t, task, definition, container, &found, err) < 0)
		return -1;
	check_here(a, &found);
	print_findings(a, &found);
	print_command(a, t, task, container, command);
	return exec_findings_are_fine(&found) ? 0 : 1;
}

/* As docker exec: the words as they are; a shell when there are none. */
static int run_local(struct app *a, const struct verb *v, const struct strlist *args,
		     const struct local_exec *options, struct error *err)
{
	struct local_exec e = *options;
	AUTO(strlist) command = STRLIST_INIT;
	AUTO_JSON *task = NULL;
	AUTO_JSON *definition = NULL;
	const json_t *container;
	int status = 0;

	if (find_task(&v->target, args->items[0], &task, err) < 0 ||
	    describe_definition(&v->target, aws_text(task, "taskDefinitionArn"), &definition, err) <
		    0 ||
	    exec_container(task, definition, e.container, &container, err) < 0)
		return -1;
	for (size_t i = 1; i < args->n; i++)
		if (i > 1 || strcmp(args->items[i], "--") != 0)
			strlist_add(&command, args->items[i]);
	if (!command.n)
		strlist_add(&command, DEFAULT_COMMAND);
	e.task = lookup_task_id(task);
	e.container = aws_text(container, "name");
	e.command = &command;
	return local_exec_run(a, &e, &status, err) < 0 ? -1 : status;
}

int cmd_exec(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(verb) v = {0};
	struct local_exec e = {0};
	struct option options[] = {
		OPTION_ROWS_VERB(a, v),
		{0, "container", OPTION_STRING, "NAME",
		 "Its container (default: the essential one)", &e.container},
		{'i', "interactive", OPTION_FLAG, NULL,
		 "With --local: pass standard input on (at ECS it always is)", &e.interactive},
		{'t', "tty", OPTION_FLAG, NULL,
		 "With --local: give the command a terminal (at ECS it always has one)", &e.tty},
	};
	int r = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (verb_begin(&v, a, args.items[0], err) < 0)
		return -1;
	if (deploy_target_identify(&v.target, err) < 0)
		return verb_end(a, -1, err);
	r = a->aws_flags.local ? run_local(a, &v, &args, &e, err)
			       : run(a, &v, &args, e.container, err);
	return verb_end(a, r, err);
}

/*
 * The options that say what a task is: for deploy and for the task-definition commands.
 *
 *	AUTO(task_flags) f = {0};
 *	struct option options[] = {OPTION_ROWS_TASK(f), ...};
 *	task_flags_read(&f, a, err)          then f.options is what deploy/task_make.h takes
 */
#pragma once

#include <stdio.h>

#include "cli/app.h"
#include "cli/options.h"
#include "deploy/lint.h"
#include "deploy/task_make.h"

struct task_flags {
	const char *file, *container; /* --task-definition, --container; NULL: not given */
	const char *launch_type, *entrypoint, *command;
	struct strlist env, env_files, secrets;
	struct task_options
		options; /* name, cpu, ports ... go here directly, the rest by task_flags_read() */
};

void task_flags_release(struct task_flags *f);
/*
 * Reads what is more than a text: environment, secrets, words of commands, launch type, region (the configured one; none is no error).
 * ERROR_USAGE.
 */
int task_flags_read(struct task_flags *f, struct app *a, struct error *err);
/* A JSON array of strings, or words as a shell parts them (quotes and \ taken off, nothing expanded). ERROR_USAGE names the option. */
int task_words_parse(struct strlist *out, const char *option, const char *text, struct error *err);
/*
 * The task definition that flags and image ask for: the file with the image and the flags put in, or a new one. image: what the task
 * pulls, NULL: the file's own stays. config: of the image, NULL: not known. Notes are printed.
 */
int task_flags_make(const struct task_flags *f, struct app *a, const struct image_config *config,
		    const char *image, struct task_definition *out, struct error *err);
/* A file of AWS's own JSON; "-" is standard input. */
int task_read_file(struct task_definition *out, const char *path, struct error *err);
/* With a newline; control characters, which a file or an image may hold, as \xNN. */
void task_print_line(FILE *to, const char *line);
/* Prints each finding to standard error; ERROR_USAGE when there are errors among them. */
int task_print_findings(const struct lint_findings *found, const struct task_definition *td,
			struct error *err);

CLEANUP_RELEASE(task_flags)

/* clang-format off */
#define OPTION_ROWS_TASK(f) \
	{0, "name", OPTION_STRING, "NAME", "Name of family and container", &(f).options.name}, \
	{0, "task-definition", OPTION_STRING, "FILE", \
	 "Take this task definition, AWS's own JSON, and put the image in", &(f).file}, \
	{0, "container", OPTION_STRING, "NAME", "The container of FILE that gets the image", \
	 &(f).container}, \
	{0, "cpu", OPTION_STRING, "UNITS", "256 (default), 512, 1024 ... or \".25 vCPU\"", \
	 &(f).options.cpu}, \
	{0, "memory", OPTION_STRING, "MIB", "512 (default), 1024 ... or \"1 GB\"", \
	 &(f).options.memory}, \
	{'p', "port", OPTION_LIST, "PORT[/udp]", \
	 "Port the container listens on (default: what the image exposes)", &(f).options.ports}, \
	{'e', "env", OPTION_LIST, "NAME[=VALUE]", "Set an environment variable", &(f).env}, \
	{0, "env-file", OPTION_LIST, "FILE", "Read NAME=VALUE lines from a file", &(f).env_files}, \
	{0, "secret", OPTION_LIST, "NAME=ARN", \
	 "A variable from SSM or Secrets Manager", &(f).secrets}, \
	{0, "entrypoint", OPTION_STRING, "COMMAND", "Replace the image's ENTRYPOINT", \
	 &(f).entrypoint}, \
	{0, "command", OPTION_STRING, "COMMAND", "Replace the image's CMD", &(f).command}, \
	{0, "task-role", OPTION_STRING, "ROLE", "Role of the app's own calls to AWS", \
	 &(f).options.task_role}, \
	{0, "execution-role", OPTION_STRING, "ROLE", \
	 "Role that pulls the image and writes the logs", &(f).options.execution_role}, \
	{0, "launch-type", OPTION_STRING, "TYPE", "FARGATE (default) or EC2", &(f).launch_type}, \
	{0, "log-group", OPTION_STRING, "NAME", "CloudWatch log group (default: /ecs/NAME)", \
	 &(f).options.log_group}, \
	{0, "ephemeral-storage", OPTION_INT, "GIB", "Disk of a task on Fargate (default: 20)", \
	 &(f).options.ephemeral_storage}
/* clang-format on */

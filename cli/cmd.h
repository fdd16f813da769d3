/*
 * The commands. Each parses its options, makes one library call or a few, prints the result and returns the exit code; -1 means err
 * is set. One file each: cmd_NAME.c.
 */
#pragma once

#include "cli/app.h"
#include "cli/options.h"

struct command {
	const char *name;
	const char *summary;
	int (*run)(struct app *a, int argc, char **argv, struct error *err);
};

extern const struct command commands[]; /* sorted by name; ends with a NULL name */

int cmd_build(struct app *a, int argc, char **argv, struct error *err);
int cmd_cluster(struct app *a, int argc, char **argv, struct error *err);
int cmd_copy(struct app *a, int argc, char **argv, struct error *err);
int cmd_delete(struct app *a, int argc, char **argv, struct error *err);
int cmd_deploy(struct app *a, int argc, char **argv, struct error *err);
int cmd_destroy(struct app *a, int argc, char **argv, struct error *err);
int cmd_df(struct app *a, int argc, char **argv, struct error *err);
int cmd_doctor(struct app *a, int argc, char **argv, struct error *err);
int cmd_exec(struct app *a, int argc, char **argv, struct error *err);
int cmd_fsck(struct app *a, int argc, char **argv, struct error *err);
int cmd_history(struct app *a, int argc, char **argv, struct error *err);
int cmd_iam_policy(struct app *a, int argc, char **argv, struct error *err);
int cmd_images(struct app *a, int argc, char **argv, struct error *err);
int cmd_index(struct app *a, int argc, char **argv, struct error *err);
int cmd_inspect(struct app *a, int argc, char **argv, struct error *err);
int cmd_load(struct app *a, int argc, char **argv, struct error *err);
int cmd_local(struct app *a, int argc, char **argv, struct error *err);
int cmd_login(struct app *a, int argc, char **argv, struct error *err);
int cmd_logout(struct app *a, int argc, char **argv, struct error *err);
int cmd_logs(struct app *a, int argc, char **argv, struct error *err);
int cmd_prune(struct app *a, int argc, char **argv, struct error *err);
int cmd_ps(struct app *a, int argc, char **argv, struct error *err);
int cmd_pull(struct app *a, int argc, char **argv, struct error *err);
int cmd_push(struct app *a, int argc, char **argv, struct error *err);
int cmd_registry(struct app *a, int argc, char **argv, struct error *err);
int cmd_repo(struct app *a, int argc, char **argv, struct error *err);
int cmd_rmi(struct app *a, int argc, char **argv, struct error *err);
int cmd_run(struct app *a, int argc, char **argv, struct error *err);
int cmd_rollback(struct app *a, int argc, char **argv, struct error *err);
int cmd_save(struct app *a, int argc, char **argv, struct error *err);
int cmd_scale(struct app *a, int argc, char **argv, struct error *err);
int cmd_stop(struct app *a, int argc, char **argv, struct error *err);
int cmd_tag(struct app *a, int argc, char **argv, struct error *err);
int cmd_tags(struct app *a, int argc, char **argv, struct error *err);
int cmd_task(struct app *a, int argc, char **argv, struct error *err);
int cmd_task_definition(struct app *a, int argc, char **argv, struct error *err);
int cmd_version(struct app *a, int argc, char **argv, struct error *err);

/* Rows of the option tables that several commands have. */
#define OPTION_ROW_INSECURE(app)                                                                  \
	{                                                                                         \
		0, "insecure-registry", OPTION_LIST, "HOST[:PORT]",                               \
			"Allow plain HTTP and unverified TLS for this registry", &(app)->insecure \
	}
#define OPTION_ROW_MIRROR(app)                                                                 \
	{                                                                                      \
		0, "mirror", OPTION_LIST, "NAME=HOST[/PREFIX]",                                \
			"Pull what is below NAME (docker.io) from there first", &(app)->mirror \
	}
#define OPTION_ROW_NO_CREATE_REPO(app)                                                             \
	{                                                                                          \
		0, "no-create-repo", OPTION_FLAG, NULL, "Do not make a repository that ECR lacks", \
			&(app)->no_create_repo                                                     \
	}
/* Four rows: who asks AWS, and where. */
#define OPTION_ROWS_AWS(app)                                                          \
	{0,                                                                           \
	 "region",                                                                    \
	 OPTION_STRING,                                                               \
	 "REGION",                                                                    \
	 "AWS region (default: AWS_REGION, the profile's)",                           \
	 &(app)->aws_flags.region},                                                   \
		{0,                                                                   \
		 "profile",                                                           \
		 OPTION_STRING,                                                       \
		 "NAME",                                                              \
		 "Profile of the AWS configuration",                                  \
		 &(app)->aws_flags.profile},                                          \
		{0,                                                                   \
		 "endpoint-url",                                                      \
		 OPTION_STRING,                                                       \
		 "URL",                                                               \
		 "Ask this address instead of AWS",                                   \
		 &(app)->aws_flags.endpoint_url},                                     \
	{                                                                             \
		0, "local", OPTION_FLAG, NULL, "Ask the local target instead of AWS", \
			&(app)->aws_flags.local                                       \
	}
#define OPTION_ROW_ONLY_DIGEST(quiet)                                              \
	{                                                                          \
		'q', "quiet", OPTION_FLAG, NULL, "Print only the digest", &(quiet) \
	}
#define OPTION_ROW_PROGRESS(kind)                                                                \
	{                                                                                        \
		0, "progress", OPTION_STRING, "KIND", "auto, tty, plain, json or quiet", &(kind) \
	}

/* Pushes one image and prints the line docker's users expect: for push and build --push. */
int push_image(struct app *a, const struct image_ref *ref, const struct descriptor *d, bool quiet,
	       struct error *err);
/* To an error of a push: which names were pushed before it. */
void push_hint_done(const struct strlist *done, struct error *err);

/* Exit code for an error that reached main(): 2 usage, 130 or 143 cancelled, else 1. */
int error_exit_code(const struct error *err, const struct cancel *cancel);

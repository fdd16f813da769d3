/*
 * What a deploy leaves for the jobs and people after it, in the CI's own way: the step's outputs and summary of GitHub Actions
 * (GITHUB_OUTPUT, GITHUB_STEP_SUMMARY), and a file of variables (--output-env) for GitLab's dotenv reports and CodeBuild's exported
 * variables.
 */
#pragma once

#include "cli/app.h"

/* Views; NULL or "": not known. */
struct ci_result {
	const char *app;
	const char *image;           /* HOST/PATH@DIGEST: output "image" */
	const char *digest;          /* "digest" */
	const char *task_definition; /* ARN: "task-definition-arn" */
	const char *url;             /* "url" */
	const char *running;         /* ARN of service or task, for the summary alone */
	const char *outcome;         /* "running", "rolled back" */
	const char *failure;         /* the report of a failure; NULL: there is none */
};

/* env_file: of --output-env, NULL: none. Nothing is written that is not known. */
int ci_output_write(struct app *a, const struct ci_result *r, const char *env_file,
		    struct error *err);

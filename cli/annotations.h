/*
 * Workflow commands of GitHub Actions, on standard error: with GITHUB_ACTIONS=true findings and errors are shown at their
 * lines of the file in the pull request. Silent elsewhere, and when standard error is for programs (--progress json).
 */
#pragma once

#include "cli/app.h"
#include "dockerfile/check.h"

/* file: the Dockerfile as named on the command line, NULL: it is none of the repository's. */
/* Those of at least this level. */
void annotate_checks(struct app *a, const char *file, const struct check_list *list,
		     enum check_level lowest);
void annotate_error(struct app *a, const char *file, const struct error *err);
/* A failure that is none of a file's: title "slipway deploy". */
void annotate_failure(struct app *a, const char *title, const char *message);

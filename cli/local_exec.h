/* slipway exec of a task of the local target: the program runs on this command's own descriptors, or on a terminal of its own. */
#pragma once

#include "cli/app.h"

struct local_exec {
	const char *task, *container; /* the task's id; the container's name */
	const struct strlist *command;
	bool interactive, tty;
};

/* Waits for its end; *status is the program's exit code, or docker's for what could not start (125, 126, 127), which was then told. */
int local_exec_run(struct app *a, const struct local_exec *e, int *status, struct error *err);

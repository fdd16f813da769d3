/* slipway task run: a registered task definition, with overrides, to its start or to its end. */
#pragma once

#include "cli/app.h"

/* As a command's run. */
int task_runner_main(struct app *a, int argc, char **argv, struct error *err);

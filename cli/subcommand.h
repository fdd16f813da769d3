/* Commands of two words: "slipway cluster create". */
#pragma once

#include "cli/app.h"

struct subcommand {
	const char *name;
	const char *summary;
	/* argv[0]: its name */
	int (*run)(struct app *a, int argc, char **argv, struct error *err);
};

/* Runs the one that argv[1] names; --help lists them. list ends with a NULL name. Returns what it returned; ERROR_USAGE. */
int subcommand_run(struct app *a, const char *command, const char *summary,
		   const struct subcommand *list, int argc, char **argv, struct error *err);

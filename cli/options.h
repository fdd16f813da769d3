/*
 * Command lines. Parsing, usage and --help come from one table, whose rows point at the variables to fill:
 *
 *	struct option options[] = {
 *		{'t', "tag", OPTION_LIST, "NAME", "Name the image", &tags},
 *		{'q', "quiet", OPTION_FLAG, NULL, "Print only the image ID", &quiet},
 *	};
 *	options_parse(&cmd, options, ARRAY_SIZE(options), argc, argv, &args, err)
 *
 * As docker reads them: --name value, --name=value, -n value, -nvalue, -it, --flag=false, "--" ends options.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strlist.h"

enum option_type {
	OPTION_FLAG,   /* bool */
	OPTION_STRING, /* const char *: the last one wins; a view into argv */
	OPTION_LIST,   /* struct strlist: each use adds */
	OPTION_INT,    /* int64_t, decimal */
	/* docker has it and slipway has not: help is the answer, and --help does not show it */
	OPTION_REFUSED,
};

struct option {
	char letter; /* 0: none */
	const char *name;
	enum option_type type;
	const char *value_name; /* "NAME" in help */
	const char *help;
	void *target;
};

struct command_usage {
	const char *name;          /* "build" */
	const char *args;          /* "[OPTIONS] CONTEXT" */
	const char *summary;       /* one sentence */
	size_t min_args, max_args; /* of positional arguments; SIZE_MAX: any number */
	bool stop_at_first;        /* options end at the first positional argument (run) */
};

/* 0: parsed, positional arguments are in args; 1: --help was printed; -1: ERROR_USAGE. argv[0] is the command's name. */
int options_parse(const struct command_usage *u, const struct option *options, size_t n, int argc,
		  char **argv, struct strlist *args, struct error *err);
/* "did you mean": the nearest of names (NULL-terminated) or NULL. */
const char *options_nearest(const char *word, const char *const *names);

/*
 * What the commands about clusters, services and tasks share: where they ask, and their exit codes.
 *
 *	AUTO(verb) v = {0};
 *	struct option options[] = {OPTION_ROWS_VERB(a, v), ...};
 *	verb_begin(&v, a, args.items[0], err); ... v.target ...; return verb_end(a, r, err);
 */
#pragma once

#include "cli/cmd.h"
#include "deploy/target.h"

/* Beside 1 and 2; docs/deploy.md lists them. */
enum {
	EXIT_ROLLED_BACK = 3,
	EXIT_TIMED_OUT = 4,
	EXIT_NOT_PERMITTED = 5,
	EXIT_SLIPWAY = 125, /* a container that is waited for has no exit code of its own */
};

struct verb {
	const char *cluster; /* --cluster; a name or an ARN */
	struct deploy_target target;
	char *named; /* the cluster that an ARN of the command line names */
};

#define OPTION_ROWS_VERB(app, verb)                                                        \
	OPTION_ROWS_AWS(app),                                                              \
	{                                                                                  \
		0, "cluster", OPTION_STRING, "NAME", "ECS cluster (default: \"default\")", \
			&(verb).cluster                                                    \
	}

#define OPTION_ROW_TIMEOUT(text, preset)                                                     \
	{                                                                                    \
		0, "timeout", OPTION_STRING, "DURATION",                                     \
			"How long to wait, such as 90s or 15m (default " preset ")", &(text) \
	}

/* Fills the target; asks nothing yet, but --local needs one that runs. word: a task's or service's name, whose ARN says its cluster; NULL: there is none. */
int verb_begin(struct verb *v, struct app *a, const char *word, struct error *err);
void verb_release(struct verb *v);
/* What the command returns for r: a refusal by AWS is printed, and is the exit code 5. */
int verb_end(struct app *a, int r, const struct error *err);

/* The app that a service was made for, by its tags, else its name; a view into either. */
const char *verb_app_of(const json_t *service, const char *name);
/* A duration above 0, in nanoseconds: ERROR_USAGE. */
int verb_parse_timeout(const char *text, int64_t *ns, struct error *err);

CLEANUP_RELEASE(verb)

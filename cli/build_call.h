/* build --check and --call: what is asked about a Dockerfile instead of building it, answered in docker's forms. */
#pragma once

#include "builder/check.h"
#include "cli/app.h"

enum call_kind { CALL_BUILD, CALL_CHECK, CALL_OUTLINE, CALL_TARGETS };

struct build_call {
	enum call_kind kind;
	bool json;
	bool ignore_status; /* warnings do not make the command fail */
};

/* "--call=NAME[,format=json|text][,ignorestatus=true]", --check and --format; text and format may be NULL. ERROR_USAGE. */
int build_call_parse(struct build_call *out, const char *text, bool check, const char *format,
		     struct error *err);
/*
 * Answers on standard output; file: the Dockerfile for annotations, or NULL. Returns the exit code, -1: an error, what was
 * found in front of it is printed.
 */
int build_call_run(struct app *a, const struct build_call *call, const struct build_options *o,
		   const char *file, struct error *err);

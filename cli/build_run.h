/* From the flags of a build to the builder's options: for build, and for deploy, which builds first. */
#pragma once

#include "cli/build_flags.h"
#include "cli/build_inputs.h"
#include "cli/build_outputs.h"

/* What is done with the options, while everything they point at lives. */
typedef int build_action(void *arg, struct build_options *o, struct error *err);

/*
 * Reads flags, context and Dockerfile into in (initialised; it outlives the action), then calls the action and returns what it
 * returned. only_asks: nothing is going to run, so no sandbox is looked for.
 */
int build_with_options(struct app *a, const struct build_flags *f, const char *context,
		       struct build_inputs *in, const struct output_list *outputs, bool only_asks,
		       build_action *action, void *arg, struct error *err);

/*
 * "build --check": everything of a build but its steps, for what the rules have to say. The stages are walked through
 * with their variables and the configuration of their base images; nothing runs, nothing is copied, no layer is fetched.
 */
#pragma once

#include "builder/build.h"

/*
 * What is found goes to out (initialised by the caller), sorted and without what is silenced, also when this fails: the
 * error is then one that a build ends with before its first step, or that "check=error=true" makes of warnings. Without
 * o->target every stage is looked at.
 */
int build_check(struct check_list *out, struct store *s, const struct build_options *o,
		struct error *err);

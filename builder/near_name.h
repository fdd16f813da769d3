/* "Did you mean": what the name of an image that is not found may have been meant to be. */
#pragma once

#include "builder/build_state.h"

/*
 * Adds a hint to err when name is nearly that of a stage in front of stage `at`, of a named context, or of a well-known
 * image. Returns -1.
 */
int near_name_hint(struct build_target *t, int at, const char *name, struct error *err);

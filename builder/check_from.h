/* The rules about FROM that need the values of global ARGs: names, defaults, --platform. */
#pragma once

#include "builder/build_state.h"

/* Once t->file and t->globals are there; a FROM that does not expand is left to the build to report. */
void check_from(struct build_target *t);

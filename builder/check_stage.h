/* The walk through the stages of a build for the rules that need variables, base images and the context. */
#pragma once

#include "builder/build_state.h"

/*
 * After build_plan(). Adds to t->file->warnings, and then drops what is silenced. all: also stages that are not needed. An
 * instruction that does not expand is the error that its step would end with: ERROR_SYNTAX, with its place.
 */
int check_stages(struct build_target *t, bool all, struct error *err);

/* The walk through the stages of a build for the rules that need variables, base images and the context. */
#pragma once

#include "builder/build_state.h"
#include "builder/scope.h"

/* Sees every instruction of the stages that are walked through, after its effect on their variables. */
struct stage_visitor {
	/* ready: expanded; ins itself for ARG. */
	void (*instruction)(void *ctx, int stage, const struct instruction *ins,
			    const struct instruction *ready, const struct scope *scope);
	void *ctx;
};

/*
 * After build_plan(). Adds to t->file->warnings, and then drops what is silenced. all: also stages that are not needed. An
 * instruction that does not expand is the error that its step would end with: ERROR_SYNTAX, with its place. visitor may
 * be NULL.
 */
int check_stages(struct build_target *t, bool all, const struct stage_visitor *visitor,
		 struct error *err);

/*
 * What a task definition, with the overrides of RunTask, asks for: typed, so that the runner never looks at JSON. A definition was
 * checked when it was registered; what a local task cannot do is refused here, by name (ERROR_UNSUPPORTED).
 *
 *	task_plan_make(&plan, definition, overrides, err);
 *	task_plan_release(&plan);
 */
#pragma once

#include <stdint.h>

#include "local/container_plan.h"

struct task_plan {
	json_t *definition, *overrides; /* copies that are its own */
	const char *family, *task_role; /* NULL: none */
	int64_t revision;
	int64_t cpu, memory;      /* units of 1/1024, bytes; 0: none given */
	const char *architecture; /* "amd64", "arm64"; NULL: this machine's */
	struct strlist volumes;
	struct container_plan *containers;
	size_t n_containers;
};

int task_plan_make(struct task_plan *out, const json_t *definition, const json_t *overrides,
		   struct error *err);
void task_plan_release(struct task_plan *p);

CLEANUP_RELEASE(task_plan)

/*
 * Which stages of a Dockerfile a target needs, and what each needs.
 *
 *	AUTO_PTR(dockerfile) file = NULL;
 *	dockerfile_parse(&file, "Dockerfile", text, len, err);
 *	graph_eval_globals(&globals, file, &build_args, "linux/amd64", "linux/amd64", target, err);
 *	graph_expand_bases(&bases, file, &globals, err);
 *	graph_plan(&plan, file, target, &bases, err);
 *	for each i of plan.order: build stage file->stages[i]
 *
 * When a base image turns out to have triggers: dockerfile_add_triggers(), then
 * graph_plan() again, since they may need further stages.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strlist.h"
#include "base/strmap.h"
#include "dockerfile/check.h"
#include "dockerfile/dockerfile.h"
#include "dockerfile/instruction.h"
#include "dockerfile/scope.h"

#define STAGE_NONE (-1)

enum dependency_kind { DEPENDENCY_FROM, DEPENDENCY_COPY, DEPENDENCY_MOUNT };
struct stage_dependency {
	enum dependency_kind kind;
	int stage;       /* STAGE_NONE: an image or named context */
	bool by_context; /* --build-context NAME=target:STAGE: the stage may come later in the file */
	const char *name; /* as written; points into the instruction or the bases */
	const struct instruction *instruction; /* that needs it */
};

struct plan_stage {
	bool needed;
	int base; /* stage index; STAGE_NONE: image, context or scratch, named in the bases */
	struct stage_dependency *dependencies;
	size_t n_dependencies, cap_dependencies;
};

struct graph_plan {
	int target;
	struct plan_stage *stages; /* one a stage of the file */
	int n_stages;
	int *sequence; /* all stages, each after those it depends on, else as in the file */
	int *order;    /* the needed ones of them, the target last */
	int n_order;
	struct strlist
		externals; /* names of images and contexts of the needed stages; not scratch */
};

#define GRAPH_PLAN_INIT \
	{               \
		0       \
	}

/*
 * target: a stage name (case ignored), or NULL for the last stage. ERROR_NOT_FOUND: no such
 * target, with a suggestion. ERROR_SYNTAX: a cycle, or a COPY from a stage that comes later.
 * Adds to the file the triggers that come from ONBUILD in the file's own stages (once).
 */
int graph_plan(struct graph_plan *out, struct dockerfile *file, const char *target,
	       const struct stage_bases *bases, struct error *err);
void graph_plan_release(struct graph_plan *plan);
CLEANUP_RELEASE(graph_plan)

/*
 * The stage that --from=NAME means in stage `at`: by name (the last such stage
 * before `at`), by index, or by a context target:STAGE, which may come later;
 * STAGE_NONE when it is an image or another context.
 */
int graph_find_stage(const struct dockerfile *file, int at, const char *name);

/*
 * A whole Dockerfile: its stages, and which of them a target needs.
 *
 *	AUTO_PTR(dockerfile) file = NULL;
 *	dockerfile_parse(&file, "Dockerfile", text, len, err);
 *	graph_eval_globals(&globals, file, &build_args, "linux/amd64", "linux/amd64", target, ...);
 *	graph_expand_bases(&bases, file, &globals, ...);
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
#include "dockerfile/instruction.h"

struct dockerfile_stage {
	char *name; /* lower case; NULL without AS */
	int index;
	struct instruction from;
	struct instruction *instructions; /* after FROM; triggers first */
	size_t n_instructions, cap_instructions;
	bool has_stage_triggers; /* those of the stage it is FROM were added */
};

struct dockerfile {
	struct dockerfile_source source;
	char escape;
	char *syntax;                /* "# syntax=", or NULL: accepted, never fetched */
	struct instruction *globals; /* ARG before the first FROM */
	size_t n_globals;
	struct dockerfile_stage *stages; /* at least one */
	int n_stages;
	struct check_list warnings;
	struct dockerfile_source **trigger_sources; /* of dockerfile_add_triggers */
	size_t n_trigger_sources;
};

/* Parses and checks everything, unused stages too. name is for messages. */
int dockerfile_parse(struct dockerfile **out, const char *name, const char *text, size_t len,
		     struct error *err);
void dockerfile_free(struct dockerfile *file);
CLEANUP_FREE(dockerfile)

/*
 * Puts ONBUILD triggers in front of the instructions of a stage, in their
 * order, marked as such. origin names the image in messages.
 */
int dockerfile_add_triggers(struct dockerfile *file, int stage, const struct strlist *texts,
			    const char *origin, struct error *err);

/* HTTP_PROXY and kin, both cases: usable as --build-arg without ARG. */
bool arg_is_predefined(const char *name);
/* TARGETPLATFORM and kin: set in the global scope without ARG. */
bool arg_is_platform(const char *name);

/*
 * The global scope: platform arguments and the ARGs before the first FROM,
 * each overridden by build_args (name to value; a NULL value is "not set").
 * Platforms are "os/arch[/variant]"; target is the --target, or NULL. An ARG without any
 * value is absent from out.
 */
int graph_eval_globals(struct strmap *out, const struct dockerfile *file,
		       const struct strmap *build_args, const char *target_platform,
		       const char *build_platform, const char *target, struct error *err);

struct stage_base {
	char *name;     /* stage, context, image or "scratch" */
	char *platform; /* NULL: the target's */
};
struct stage_bases {
	struct stage_base *items; /* one a stage */
	int n;
};
#define STAGE_BASES_INIT \
	{                \
		0        \
	}
void stage_bases_release(struct stage_bases *bases);
CLEANUP_RELEASE(stage_bases)
/*
 * Expands every FROM with the global scope. A name or platform that comes out
 * empty is ERROR_SYNTAX ("base name ($B) should not be blank").
 */
int graph_expand_bases(struct stage_bases *out, const struct dockerfile *file,
		       const struct strmap *globals, struct error *err);

#define STAGE_NONE (-1)

enum dependency_kind { DEPENDENCY_FROM, DEPENDENCY_COPY, DEPENDENCY_MOUNT };
struct stage_dependency {
	enum dependency_kind kind;
	int stage;        /* STAGE_NONE: an image or named context */
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
	int *order; /* the needed stages, each after those it depends on */
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
 * before `at`), or by index; STAGE_NONE when it is an image or a context.
 */
int graph_find_stage(const struct dockerfile *file, int at, const char *name);

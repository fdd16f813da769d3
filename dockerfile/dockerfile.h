/*
 * A whole Dockerfile: global ARGs and stages, checked but not expanded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strlist.h"
#include "dockerfile/check.h"
#include "dockerfile/instruction.h"

struct dockerfile_stage {
	char *name; /* lower case; NULL without AS */
	int index;
	struct instruction from;
	struct instruction *instructions; /* after FROM; triggers first */
	size_t n_instructions, cap_instructions;
	bool has_stage_triggers; /* those of the stage it is FROM were added */
	bool replaced; /* a context of its name takes its place: nothing of the stage is carried out */
};

/* How many of its instructions are carried out. */
static inline size_t dockerfile_stage_steps(const struct dockerfile_stage *s)
{
	return s->replaced ? 0 : s->n_instructions;
}

/* What --build-context says of names (dockerfile.md 6). */
struct context_names {
	/*
	 * The stage of target:STAGE that the name stands for in FROM of stage from, or when that is negative
	 * anywhere else; NULL: it stands for something else.
	 */
	const char *(*target)(void *arg, int from, const char *name);
	void *arg;
};

struct dockerfile {
	struct dockerfile_source source;
	char escape;
	char *syntax; /* "# syntax=", or NULL: accepted, never fetched */
	int syntax_line;
	struct instruction *globals; /* ARG before the first FROM */
	size_t n_globals, cap_globals;
	struct dockerfile_stage *stages; /* at least one */
	int n_stages;
	size_t cap_stages;
	struct check_list warnings;    /* as found; check_finish() drops what is silenced */
	struct context_names contexts; /* set before graph_plan(); zeroed: there are none */
	struct dockerfile_source **trigger_sources; /* of dockerfile_add_triggers */
	size_t n_trigger_sources, cap_trigger_sources;
};

/* Parses and checks everything, unused stages too. name is for messages. */
int dockerfile_parse(struct dockerfile **out, const char *name, const char *text, size_t len,
		     struct error *err);
void dockerfile_free(struct dockerfile *file);
CLEANUP_FREE(dockerfile)

/*
 * Warns of a frontend other than docker's own: the directive's or, when it is
 * not NULL, instead, the build argument that stands for it.
 */
void dockerfile_check_syntax(struct dockerfile *file, const char *instead);

/*
 * Puts ONBUILD triggers in front of the instructions of a stage, in their
 * order, marked as such. origin names the image in messages. Pointers to the
 * stage's instructions (a plan's) are stale afterwards.
 */
int dockerfile_add_triggers(struct dockerfile *file, int stage, const struct strlist *texts,
			    const char *origin, struct error *err);

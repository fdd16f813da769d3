/*
 * The state of one stage while its instructions are carried out: configuration, layers, variables. A stage runs on one
 * thread; when it is done, others read it.
 */
#pragma once

#include "builder/build_state.h"
#include "builder/scope.h"
#include "builder/step_log.h"

/* Of an image without one. */
#define STAGE_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct stage {
	struct build *build;
	struct build_target *target; /* whose file it is part of */
	struct dockerfile_stage *source;
	char *label; /* "build ", "stage-1 ", or "" when the file has one stage */
	char *where; /* "linux/amd64->arm64 ": its platform and the target's, when there are several; else "" */
	struct platform platform;
	struct image_config config; /* entries of its history without a time get the image's */
	struct scope scope;
	struct stack stack;
	struct base_image *base; /* at the root of the chain of FROMs; NULL: scratch */
	size_t n_base_history;   /* entries that came with it */
	bool cmd_set;            /* in this stage: ENTRYPOINT leaves Cmd alone */
	bool on_target;          /* its layers are the result's */
	size_t announced;        /* how many of them the layer_sink has seen */
	int number, total;       /* of the steps that are shown */
	bool no_cache;           /* --no-cache, or --no-cache-filter names it */
	struct step_log log;     /* of its steps, for --explain */
	int made; /* number of the last step below that was not cached; 0: none ... */
	const struct stage *made_in; /* ... and whose step it is */
	size_t waiting;              /* stages not yet done that it needs; under build->lock */
};

/* Is the stage FROM an image, and not another stage, nothing (scratch), or the files of a context? */
bool stage_base_is_image(const struct build_target *t, int index);
/* What the FROM of a stage asks for. */
int stage_platform(struct platform *out, const struct build_target *t, int index,
		   struct error *err);
/*
 * The context that a name means in FROM of the stage, whose platform counts, or at STAGE_NONE in --from and mounts, where the
 * target's does (dockerfile.md 6). NULL: none.
 */
struct named_context *build_context_find(const struct build_target *t, int index, const char *name);
/* After the stage that it is FROM. */
int stage_new(struct stage **out, struct build_target *t, int index, struct error *err);
void stage_free(struct stage *st);
/* Carries out everything. Errors have their place in the Dockerfile. */
int stage_build(struct stage *st, struct error *err);

/* The place of ins; what is wrong in a file is no wrong use of the command. Returns -1. */
int stage_error_place(struct error *err, const struct instruction *ins);
/* "/" when unset. */
const char *stage_working_dir(const struct stage *st);
/* "[build 2/5] ", or of several platforms "[linux/arm64 build 2/5] ", counting on. */
char *stage_next_prefix(struct stage *st);
/* An entry for an instruction that makes no layer. */
void stage_add_history(struct stage *st, const char *created_by);
/* A layer on top, with its entry. */
void stage_add_layer(struct stage *st, const struct layer *layer, int64_t created,
		     const char *created_by);
/* Tells the layer_sink of the layers that are ready, in order. */
void stage_announce(struct stage *st);

CLEANUP_FREE(stage)

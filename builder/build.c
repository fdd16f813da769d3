#include "builder/build.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/time.h"
#include "builder/build_finish.h"
#include "builder/check_stage.h"
#include "builder/prepare.h"
#include "builder/stage.h"
#include "builder/stop.h"
#include "dockerfile/scope.h"

#define MIN_JOBS 4

static int make_stages(struct build *b, struct error *err)
{
	b->stages = xcalloc((size_t)b->file->n_stages, sizeof(struct stage *));
	for (int i = 0; i < b->plan.n_order; i++) {
		int index = b->plan.order[i];
		const struct plan_stage *planned = &b->plan.stages[index];
		struct stage *st;

		if (stage_new(&b->stages[index], b, index, err) < 0)
			return -1;
		st = b->stages[index];
		for (size_t d = 0; d < planned->n_dependencies; d++)
			st->waiting += planned->dependencies[d].stage != STAGE_NONE;
	}
	for (int i = b->plan.target; i != STAGE_NONE; i = b->plan.stages[i].base)
		b->stages[i]->on_target = true;
	return 0;
}

static int stage_job(void *arg, struct error *err);

/* Starts the stages that waited for nothing but this one. */
static void stage_done(struct build *b, int done)
{
	for (int i = 0; i < b->plan.n_order; i++) {
		int index = b->plan.order[i];
		const struct plan_stage *planned = &b->plan.stages[index];
		size_t met = 0;
		bool ready;

		for (size_t d = 0; d < planned->n_dependencies; d++)
			met += planned->dependencies[d].stage == done;
		if (!met)
			continue;
		pthread_mutex_lock(&b->lock);
		b->stages[index]->waiting -= met;
		ready = b->stages[index]->waiting == 0;
		pthread_mutex_unlock(&b->lock);
		if (ready)
			group_run(b->group, stage_job, b->stages[index]);
	}
}

static int stage_job(void *arg, struct error *err)
{
	struct stage *st = arg;
	AUTO(error) local = ERROR_INIT;

	if (stage_build(st, &local) < 0) {
		build_stop(st->build, &local);
		return error_set(err, ERROR_CANCELLED, "a stage failed");
	}
	stage_done(st->build, st->source->index);
	return 0;
}

static int run_in_turn(struct build *b, struct error *err)
{
	for (int i = 0; i < b->plan.n_order; i++)
		if (stage_build(b->stages[b->plan.order[i]], err) < 0)
			return -1;
	return 0;
}

/* Steps wait for networks and for each other more than for a CPU. */
static size_t default_jobs(const struct build *b)
{
	size_t jobs = pool_cpus() > MIN_JOBS ? pool_cpus() : MIN_JOBS;

	return jobs < (size_t)b->plan.n_order ? jobs : (size_t)b->plan.n_order;
}

/* No job ever waits for another one: a stage is queued when all it needs is done. */
static int run_stages(struct build *b, struct error *err)
{
	size_t jobs = b->options->jobs ? b->options->jobs : default_jobs(b);
	AUTO_PTR(pool) pool = NULL;

	if (b->plan.n_order == 1 || jobs == 1)
		return run_in_turn(b, err);
	pool = pool_new(jobs);
	group_init(&b->own_group, pool);
	b->group = &b->own_group;
	for (int i = 0; i < b->plan.n_order; i++) {
		int index = b->plan.order[i];
		const struct plan_stage *planned = &b->plan.stages[index];
		size_t needs = 0;

		for (size_t d = 0; d < planned->n_dependencies; d++)
			needs += planned->dependencies[d].stage != STAGE_NONE;
		if (!needs)
			group_run(b->group, stage_job, b->stages[index]);
	}
	/* Jobs end in any order; the failure is the one that came first. */
	if (group_wait(b->group, NULL) < 0)
		return error_move(err, &b->failure);
	return 0;
}

static bool declares(const struct instruction *instructions, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0;
		     instructions[i].kind == INSTRUCTION_ARG && k < instructions[i].pairs.n; k++)
			if (strcmp(instructions[i].pairs.items[k].key, name) == 0)
				return true;
	return false;
}

static bool is_declared(const struct dockerfile *file, const char *name)
{
	if (arg_is_predefined(name) || arg_is_platform(name) || str_starts(name, "BUILDKIT_") ||
	    strcmp(name, "SOURCE_DATE_EPOCH") == 0 ||
	    declares(file->globals, file->n_globals, name))
		return true;
	for (int i = 0; i < file->n_stages; i++)
		if (declares(file->stages[i].instructions, file->stages[i].n_instructions, name))
			return true;
	return false;
}

/* A name that is mistyped would go unnoticed. */
static void report_unused_args(const struct build *b)
{
	const struct strmap *args = b->options->build_args;

	for (size_t i = 0; args && i < args->n; i++)
		if (!is_declared(b->file, args->entries[i].key))
			report_log(b->options->reporter, LOG_WARNING,
				   "--build-arg %s: %s has no ARG of this name",
				   args->entries[i].key, b->file->source.name);
}

static bool has_stage(const struct dockerfile *file, const char *name)
{
	for (int i = 0; i < file->n_stages; i++)
		if (file->stages[i].name && strcasecmp(file->stages[i].name, name) == 0)
			return true;
	return false;
}

static void report_unknown_stages(const struct build *b)
{
	const struct strlist *names = b->options->no_cache_stages;

	for (size_t i = 0; names && i < names->n; i++)
		if (!has_stage(b->file, names->items[i]))
			report_log(b->options->reporter, LOG_WARNING,
				   "--no-cache-filter %s: %s has no stage of this name",
				   names->items[i], b->file->source.name);
}

/* Last, where people look; suggestions are --check's. */
static void report_warnings(const struct build *b)
{
	const struct check_list *list = &b->file->warnings;

	report_unused_args(b);
	report_unknown_stages(b);
	for (size_t i = 0; i < list->n; i++) {
		const struct check_warning *w = &list->items[i];
		const struct check_rule_info *rule = check_rule_info(w->rule);

		if (rule->level == CHECK_WARNING)
			report_log(b->options->reporter, LOG_WARNING, "%s:%d: %s: %s",
				   b->file->source.name, w->line_first, rule->name, w->message);
	}
}

/* Everything that can be wrong without a step being made, before the first one is. */
static int prepare(struct build *b, struct error *err)
{
	int result;

	if (build_read(b, err) < 0)
		return -1;
	result = build_plan(b, false, err);
	if (result == 0)
		result = check_stages(b, false, err);
	check_finish(&b->file->warnings);
	return result == 0 ? check_enforce(&b->file->warnings, err) : -1;
}

static int carry_out(struct build *b, struct build_result *out, struct error *err)
{
	if (prepare(b, err) < 0 || make_stages(b, err) < 0 || run_stages(b, err) < 0)
		return -1;
	return build_finish(b, &out->image, err);
}

int build_run(struct build_result *out, struct store *s, const struct build_options *o,
	      struct error *err)
{
	AUTO(build) b;
	int result;

	build_init(&b, s, o);
	result = carry_out(&b, out, err);
	if (b.file) {
		report_warnings(&b);
		out->checks = b.file->warnings;
		b.file->warnings = (struct check_list)CHECK_LIST_INIT;
	}
	out->steps = b.steps;
	out->cached = b.cached;
	return result;
}

void build_result_release(struct build_result *r)
{
	if (!r)
		return;
	image_free(r->image);
	check_list_release(&r->checks);
	*r = (struct build_result){.image = NULL};
}

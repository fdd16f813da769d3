#include "builder/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/time.h"
#include "builder/build_finish.h"
#include "builder/stage.h"
#include "builder/stop.h"
#include "dockerfile/scope.h"

/* 1980-01-01T00:00:00Z: the first time that every archive format can hold. */
#define FOLDER_MTIME 315532800
#define MIN_JOBS     4

static void build_init(struct build *b, struct store *s, const struct build_options *o)
{
	*b = (struct build){.options = o, .store = s, .epoch = -1};
	pthread_mutex_init(&b->lock, NULL);
	strbuf_init(&b->certificates);
	pthread_cond_init(&b->key_done, NULL);
}

static void build_release(struct build *b)
{
	for (int i = 0; b->stages && i < b->file->n_stages; i++)
		stage_free(b->stages[i]);
	free(b->stages);
	base_images_release(&b->images);
	named_contexts_release(&b->contexts);
	graph_plan_release(&b->plan);
	stage_bases_release(&b->bases);
	strmap_release(&b->globals);
	strlist_release(&b->keys);
	platform_release(&b->target_platform);
	platform_release(&b->host_platform);
	dockerfile_free(b->file);
	error_release(&b->failure);
	free(b->processes);
	pthread_cond_destroy(&b->key_done);
	pthread_mutex_destroy(&b->lock);
	strbuf_release(&b->certificates);
}

CLEANUP_RELEASE(build)

/* The option, else --build-arg, else the default of a global ARG (dockerfile.md 14). */
static int find_epoch(struct build *b, struct error *err)
{
	const struct build_options *o = b->options;
	const char *text = o->build_args ? strmap_get(o->build_args, "SOURCE_DATE_EPOCH") : NULL;
	char *end;

	b->epoch = o->source_date_epoch;
	if (b->epoch >= 0)
		return 0;
	if (!text)
		text = strmap_get(&b->globals, "SOURCE_DATE_EPOCH");
	if (!text || !*text)
		return 0;
	errno = 0;
	b->epoch = strtoll(text, &end, 10);
	if (errno || *end || end == text || b->epoch < 0) {
		error_set(err, ERROR_USAGE, "invalid SOURCE_DATE_EPOCH: %s", text);
		return error_hint(err, "it is a number of seconds since 1970");
	}
	return 0;
}

static int read_file(struct build *b, struct error *err)
{
	const struct build_options *o = b->options;
	AUTO_FREE char *target = NULL, *host = NULL;

	platform_host(&b->host_platform);
	platform_copy(&b->target_platform, o->platform ? o->platform : &b->host_platform);
	target = platform_format(&b->target_platform);
	host = platform_format(&b->host_platform);
	if (dockerfile_parse(&b->file, o->dockerfile_name, o->dockerfile, o->dockerfile_len, err) <
		    0 ||
	    graph_eval_globals(&b->globals, b->file, o->build_args, target, host, o->target, err) <
		    0 ||
	    graph_expand_bases(&b->bases, b->file, &b->globals, err) < 0 ||
	    find_epoch(b, err) < 0 || named_contexts_init(&b->contexts, b->store, o, err) < 0)
		return -1;
	base_images_init(&b->images, &b->contexts);
	b->folder_mtime = b->epoch >= 0 ? b->epoch : FOLDER_MTIME;
	b->layer_options = (struct layer_options){
		.compression = o->compression,
		.level = o->compression_level,
		.pool = o->pool,
		.mtime_limit = o->rewrite_timestamp ? b->epoch : -1,
	};
	return 0;
}

/* Looks at the image a stage is FROM. *more: it has triggers, which may need further stages. */
static int read_base(struct build *b, int index, bool *more, struct error *err)
{
	const char *name = b->bases.items[index].name;
	AUTO(platform) platform = {.os = NULL};
	struct base_image *base;
	const struct strlist *triggers;

	if (b->plan.stages[index].base != STAGE_NONE || strcmp(name, "scratch") == 0)
		return 0;
	if (stage_platform(&platform, b, index, err) < 0)
		return -1;
	if (base_image_get(&b->images, name, &platform, &base, err) < 0)
		return stage_error_place(err, &b->file->stages[index].from);
	triggers = &base->image->config.on_build;
	if (!triggers->n)
		return 0;
	*more = true;
	return dockerfile_add_triggers(b->file, index, triggers, base->name, err);
}

/* Which stages are needed, until no base image adds anything. */
static int make_plan(struct build *b, struct error *err)
{
	AUTO_FREE bool *read = xcalloc((size_t)b->file->n_stages, sizeof(*read));
	bool more = true;

	while (more) {
		more = false;
		graph_plan_release(&b->plan);
		if (graph_plan(&b->plan, b->file, b->options->target, &b->bases, err) < 0)
			return -1;
		for (int i = 0; i < b->plan.n_order; i++) {
			int index = b->plan.order[i];

			if (!read[index] && read_base(b, index, &more, err) < 0)
				return -1;
			read[index] = true;
		}
	}
	return 0;
}

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

static void report_warnings(struct build *b)
{
	struct check_list *list = &b->file->warnings;

	report_unused_args(b);
	report_unknown_stages(b);
	check_sort(list);
	for (size_t i = 0; i < list->n; i++)
		report_log(b->options->reporter, LOG_WARNING, "%s:%d: %s: %s", b->file->source.name,
			   list->items[i].line, list->items[i].rule, list->items[i].message);
}

int build_run(struct build_result *out, struct store *s, const struct build_options *o,
	      struct error *err)
{
	AUTO(build) b;

	build_init(&b, s, o);
	if (read_file(&b, err) < 0 || make_plan(&b, err) < 0 || make_stages(&b, err) < 0 ||
	    run_stages(&b, err) < 0 || build_finish(&b, &out->image, err) < 0)
		return -1;
	report_warnings(&b);
	out->steps = b.steps;
	out->cached = b.cached;
	return 0;
}

void build_result_release(struct build_result *r)
{
	if (!r)
		return;
	image_free(r->image);
	*r = (struct build_result){.image = NULL};
}

#include "builder/build.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/time.h"
#include "builder/build_finish.h"
#include "builder/cache_export.h"
#include "builder/check_stage.h"
#include "builder/prepare.h"
#include "builder/stage.h"
#include "builder/steps.h"
#include "builder/stop.h"
#include "dockerfile/scope.h"

#define MIN_JOBS 4

static int make_stages(struct build_target *t, struct error *err)
{
	t->stages = xcalloc((size_t)t->file->n_stages, sizeof(*t->stages));
	for (int i = 0; i < t->plan.n_order; i++) {
		int index = t->plan.order[i];
		const struct plan_stage *planned = &t->plan.stages[index];
		struct stage *st;

		if (stage_new(&t->stages[index], t, index, err) < 0)
			return -1;
		st = t->stages[index];
		for (size_t d = 0; d < planned->n_dependencies; d++)
			st->waiting += planned->dependencies[d].stage != STAGE_NONE;
	}
	for (int i = t->plan.target; i != STAGE_NONE; i = t->plan.stages[i].base)
		t->stages[i]->on_target = true;
	return 0;
}

static int stage_job(void *arg, struct error *err);

/* Starts the stages that waited for nothing but this one. */
static void stage_done(struct build_target *t, int done)
{
	struct build *b = t->build;

	for (int i = 0; i < t->plan.n_order; i++) {
		int index = t->plan.order[i];
		const struct plan_stage *planned = &t->plan.stages[index];
		size_t met = 0;
		bool ready;

		for (size_t d = 0; d < planned->n_dependencies; d++)
			met += planned->dependencies[d].stage == done;
		if (!met)
			continue;
		pthread_mutex_lock(&b->lock);
		t->stages[index]->waiting -= met;
		ready = t->stages[index]->waiting == 0;
		pthread_mutex_unlock(&b->lock);
		if (ready)
			group_run(b->group, stage_job, t->stages[index]);
	}
}

/* Of several platforms the message tells which one it was. */
static int build_stage(struct stage *st, struct error *err)
{
	AUTO_FREE char *where = xstrndup(st->where, strcspn(st->where, " "));

	if (stage_build(st, err) < 0)
		return *where ? error_wrap(err, "%s", where) : -1;
	return 0;
}

static int stage_job(void *arg, struct error *err)
{
	struct stage *st = arg;
	AUTO(error) local = ERROR_INIT;

	if (build_stage(st, &local) < 0) {
		build_stop(st->build, &local);
		return error_set(err, ERROR_CANCELLED, "a stage failed");
	}
	stage_done(st->target, st->source->index);
	return 0;
}

static int run_in_turn(struct build *b, struct error *err)
{
	for (size_t k = 0; k < b->n_targets; k++) {
		const struct build_target *t = &b->targets[k];

		for (int i = 0; i < t->plan.n_order; i++)
			if (build_stage(t->stages[t->plan.order[i]], err) < 0)
				return -1;
	}
	return 0;
}

static size_t count_stages(const struct build *b)
{
	size_t n = 0;

	for (size_t k = 0; k < b->n_targets; k++)
		n += (size_t)b->targets[k].plan.n_order;
	return n;
}

/* Steps wait for networks and for each other more than for a CPU. */
static size_t default_jobs(const struct build *b)
{
	size_t jobs = pool_cpus() > MIN_JOBS ? pool_cpus() : MIN_JOBS;
	size_t stages = count_stages(b);

	return jobs < stages ? jobs : stages;
}

static void start_ready(struct build *b, const struct build_target *t)
{
	for (int i = 0; i < t->plan.n_order; i++) {
		int index = t->plan.order[i];
		const struct plan_stage *planned = &t->plan.stages[index];
		size_t needs = 0;

		for (size_t d = 0; d < planned->n_dependencies; d++)
			needs += planned->dependencies[d].stage != STAGE_NONE;
		if (!needs)
			group_run(b->group, stage_job, t->stages[index]);
	}
}

/* No job ever waits for another one: a stage is queued when all it needs is done. */
static int run_stages(struct build *b, struct error *err)
{
	size_t jobs = b->options->jobs ? b->options->jobs : default_jobs(b);
	AUTO_PTR(pool) pool = NULL;

	if (count_stages(b) == 1 || jobs == 1)
		return run_in_turn(b, err);
	pool = pool_new(jobs);
	group_init(&b->own_group, pool);
	b->group = &b->own_group;
	for (size_t k = 0; k < b->n_targets; k++)
		start_ready(b, &b->targets[k]);
	/* Jobs end in any order; the failure is the one that came first. */
	if (group_wait(b->group, NULL) < 0)
		return error_move(err, &b->failure);
	return 0;
}

static const char *no_value(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return NULL;
}

/* The name of an ARG in a stage may have quotes, and variables: then it may be any. */
static bool may_be(const struct instruction *arg, const char *key, const char *name)
{
	const struct expand_scope scope = {.lookup = no_value, .escape = arg->escape};
	AUTO(strbuf) plain = STRBUF_INIT;

	if (strcmp(key, name) == 0 || strchr(key, '$'))
		return true;
	return expand_word(&plain, key, &scope, NULL) == 0 && strcmp(plain.buf, name) == 0;
}

static bool declares(const struct dockerfile_stage *stage, const char *name)
{
	for (size_t i = 0; i < stage->n_instructions; i++) {
		const struct instruction *ins = &stage->instructions[i];

		for (size_t k = 0; ins->kind == INSTRUCTION_ARG && k < ins->pairs.n; k++)
			if (may_be(ins, ins->pairs.items[k].key, name))
				return true;
	}
	return false;
}

/* Above the first FROM a name is as it stands. */
static bool declares_globally(const struct dockerfile *file, const char *name)
{
	for (size_t i = 0; i < file->n_globals; i++)
		for (size_t k = 0; k < file->globals[i].pairs.n; k++)
			if (strcmp(file->globals[i].pairs.items[k].key, name) == 0)
				return true;
	return false;
}

static bool is_declared(const struct dockerfile *file, const char *name)
{
	if (arg_is_predefined(name) || arg_is_platform(name) || str_starts(name, "BUILDKIT_") ||
	    strcmp(name, "SOURCE_DATE_EPOCH") == 0 || declares_globally(file, name))
		return true;
	for (int i = 0; i < file->n_stages; i++)
		if (declares(&file->stages[i], name))
			return true;
	return false;
}

/* A name that is mistyped would go unnoticed. */
static void report_unused_args(const struct build *b)
{
	const struct strmap *args = b->options->build_args;
	const struct dockerfile *file = b->targets[0].file;

	for (size_t i = 0; args && i < args->n; i++)
		if (!is_declared(file, args->entries[i].key))
			report_log(b->options->reporter, LOG_WARNING,
				   "--build-arg %s: %s has no ARG of this name",
				   args->entries[i].key, file->source.name);
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
	const struct dockerfile *file = b->targets[0].file;

	for (size_t i = 0; names && i < names->n; i++)
		if (!has_stage(file, names->items[i]))
			report_log(b->options->reporter, LOG_WARNING,
				   "--no-cache-filter %s: %s has no stage of this name",
				   names->items[i], file->source.name);
}

/* Last, where people look; suggestions are --check's. */
static void report_warnings(const struct build *b, const struct check_list *list)
{
	const char *name = b->targets[0].file->source.name;

	report_unused_args(b);
	report_unknown_stages(b);
	for (size_t i = 0; i < list->n; i++) {
		const struct check_warning *w = &list->items[i];
		const struct check_rule_info *rule = check_rule_info(w->rule);

		if (rule->level == CHECK_WARNING)
			report_log(b->options->reporter, LOG_WARNING, "%s:%d: %s: %s", name,
				   w->line_first, rule->name, w->message);
	}
}

/* Nothing runs of a build that asks for more than it was allowed. */
static int check_allowed(const struct build_target *t, struct error *err)
{
	for (int i = 0; i < t->plan.n_order; i++) {
		const struct dockerfile_stage *stage = &t->file->stages[t->plan.order[i]];

		for (size_t k = 0; k < stage->n_instructions; k++)
			if (step_run_allowed(t->build, &stage->instructions[k], err) < 0)
				return -1;
	}
	return 0;
}

static int prepare_target(struct build_target *t, struct error *err)
{
	if (check_allowed(t, err) < 0)
		return -1;
	if (check_stages(t, false, NULL, err) < 0)
		return -1;
	check_finish(&t->file->warnings);
	return check_enforce(&t->file->warnings, err);
}

/* Everything that can be wrong without a step being made, before the first one is. */
static int prepare(struct build *b, struct error *err)
{
	if (build_read(b, err) < 0 || build_plan(b, false, err) < 0)
		return -1;
	for (size_t i = 0; i < b->n_targets; i++)
		if (prepare_target(&b->targets[i], err) < 0 || make_stages(&b->targets[i], err) < 0)
			return -1;
	return 0;
}

/* What a list of images says of this one (dockerfile.md 14), unless --annotation says it. */
static void note_epoch(const struct build *b, struct descriptor *d)
{
	static const char created[] = "org.opencontainers.image.created";
	char text[TIME_TEXT_SIZE];

	if (b->epoch < 0 || strmap_has(&d->annotations, created))
		return;
	time_format(b->epoch, 0, text);
	strmap_set(&d->annotations, created, text);
}

static int finish(struct build *b, struct build_result *out, struct error *err)
{
	AUTO(build_result) done = {.n_images = 0};

	done.images = xcalloc(b->n_targets, sizeof(struct image *));
	for (size_t i = 0; i < b->n_targets; i++, done.n_images++)
		if (build_finish(&b->targets[i], &done.images[i], err) < 0)
			return -1;
	done.image = done.images[0];
	if (b->n_targets > 1 || b->options->index) {
		if (build_finish_index(b, &done, err) < 0)
			return -1;
	} else {
		descriptor_copy(&done.descriptor, &done.image->descriptor);
	}
	note_epoch(b, &done.descriptor);
	*out = done;
	done = (struct build_result){.n_images = 0};
	return 0;
}

/* *again: a cached layer that steps counted on is lost. */
static int build_once(struct build_result *out, struct store *s, const struct build_options *o,
		      struct remote_caches *remote, bool *again, struct error *err)
{
	AUTO(build) b;
	int result;

	build_init(&b, s, o);
	b.remote = remote;
	result = prepare(&b, err);
	if (result == 0)
		result = run_stages(&b, err);
	if (result == 0)
		result = finish(&b, out, err);
	*again = result < 0 && !cancel_requested(o->cancel) && remote_caches_start_over(remote);
	if (*again)
		return -1;
	if (b.targets[0].file) {
		build_take_checks(&b, &out->checks);
		report_warnings(&b, &out->checks);
	}
	out->steps = b.steps;
	out->cached = b.cached;
	return result;
}

int build_run(struct build_result *out, struct store *s, const struct build_options *o,
	      struct error *err)
{
	AUTO_PTR(remote_caches) remote = remote_caches_new(s, o);

	for (;;) {
		AUTO(error) why = ERROR_INIT;
		bool again;

		if (build_once(out, s, o, remote, &again, &why) == 0)
			return 0;
		if (!again)
			return error_move(err, &why);
		/* What was done meanwhile is in the store's own cache. */
		cache_export_clear(o->cache_export);
	}
}

void build_result_release(struct build_result *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_images; i++)
		image_free(r->images[i]);
	free(r->images);
	descriptor_release(&r->descriptor);
	check_list_release(&r->checks);
	*r = (struct build_result){.images = NULL};
}

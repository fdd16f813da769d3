#include "builder/prepare.h"

#include <string.h>

#include "base/alloc.h"
#include "builder/check_from.h"
#include "builder/epoch.h"
#include "builder/near_name.h"
#include "builder/stage.h"
#include "dockerfile/scope.h"
#include "dockerfile/value.h"

/* 1980-01-01T00:00:00Z: the first time that every archive format can hold. */
#define FOLDER_MTIME 315532800

void build_init(struct build *b, struct store *s, const struct build_options *o)
{
	*b = (struct build){.options = o, .store = s, .epoch = -1, .build_args = o->build_args};
	platform_host(&b->host_platform);
	b->n_targets = o->n_platforms ? o->n_platforms : 1;
	b->targets = xcalloc(b->n_targets, sizeof(*b->targets));
	for (size_t i = 0; i < b->n_targets; i++) {
		b->targets[i].build = b;
		platform_copy(&b->targets[i].platform,
			      o->n_platforms ? &o->platforms[i] : &b->host_platform);
	}
	pthread_mutex_init(&b->lock, NULL);
	strbuf_init(&b->certificates);
	pthread_cond_init(&b->key_done, NULL);
}

/* Everything that was read of the file. */
static void forget_file(struct build_target *t)
{
	stage_bases_release(&t->bases);
	strmap_clear(&t->globals);
	dockerfile_free(take_ptr(t->file));
}

static void release_target(struct build_target *t)
{
	for (int i = 0; t->stages && i < t->file->n_stages; i++)
		stage_free(t->stages[i]);
	free(t->stages);
	graph_plan_release(&t->plan);
	forget_file(t);
	platform_release(&t->platform);
}

void build_release(struct build *b)
{
	for (size_t i = 0; i < b->n_targets; i++)
		release_target(&b->targets[i]);
	free(b->targets);
	base_images_release(&b->images);
	named_contexts_release(&b->contexts);
	strlist_release(&b->keys);
	strmap_release(&b->made);
	strmap_release(&b->own_args);
	platform_release(&b->host_platform);
	error_release(&b->failure);
	free(b->processes);
	pthread_cond_destroy(&b->key_done);
	pthread_mutex_destroy(&b->lock);
	strbuf_release(&b->certificates);
}

/* The build arguments that stand for the directives "syntax" and "check". */
static int override_directives(struct build_target *t, struct error *err)
{
	const struct strmap *args = t->build->build_args;
	const char *options = args ? strmap_get(args, "BUILDKIT_DOCKERFILE_CHECK") : NULL;

	dockerfile_check_syntax(t->file, args ? strmap_get(args, "BUILDKIT_SYNTAX") : NULL);
	return options ? check_override(&t->file->warnings, options, err) : 0;
}

static int read_target(struct build_target *t, struct error *err)
{
	const struct build_options *o = t->build->options;
	AUTO_FREE char *target = platform_format(&t->platform);
	AUTO_FREE char *host = platform_format(&t->build->host_platform);

	if (dockerfile_parse(&t->file, o->dockerfile_name, o->dockerfile, o->dockerfile_len, err) <
		    0 ||
	    override_directives(t, err) < 0 ||
	    graph_eval_globals(&t->globals, t->file, t->build->build_args, target, host, o->target,
			       err) < 0)
		return -1;
	check_from(t);
	return graph_expand_bases(&t->bases, t->file, &t->globals, err);
}

static const char *target_of(void *arg, int from, const char *name)
{
	const struct named_context *nc = build_context_find(arg, from, name);

	return nc && nc->kind == NAMED_TARGET ? nc->path : NULL;
}

/* A context of a stage's name takes the stage's place. */
static void use_contexts(struct build_target *t)
{
	t->file->contexts = (struct context_names){.target = target_of, .arg = t};
	for (int i = 0; i < t->file->n_stages; i++) {
		struct dockerfile_stage *stage = &t->file->stages[i];

		if (!stage->name || !build_context_find(t, i, stage->name))
			continue;
		stage->replaced = true;
		free(t->bases.items[i].name);
		t->bases.items[i].name = xstrdup(stage->name);
	}
}

static int read_targets(struct build *b, struct error *err)
{
	for (size_t i = 0; i < b->n_targets; i++) {
		forget_file(&b->targets[i]);
		if (read_target(&b->targets[i], err) < 0)
			return -1;
	}
	return 0;
}

/* --build-arg, else the default of a global ARG (dockerfile.md 14); NULL: it is not set. */
static const char *epoch_text(const struct build *b)
{
	const char *text = b->build_args ? strmap_get(b->build_args, "SOURCE_DATE_EPOCH") : NULL;

	if (!text)
		text = strmap_get(&b->targets[0].globals, "SOURCE_DATE_EPOCH");
	return text && *text ? text : NULL;
}

/* What a name stands for takes its place everywhere: the file is read once more with the number. */
static int find_epoch(struct build *b, struct error *err)
{
	const char *text = epoch_text(b);
	AUTO_FREE char *number = NULL;
	uint64_t value;
	int64_t epoch = -1;

	if (text && value_number(&value, text, 10, INT64_MAX)) {
		epoch = (int64_t)value;
	} else if (text) {
		if (epoch_resolve(b, text, &epoch, err) < 0)
			return -1;
		if (b->options->build_args)
			strmap_copy(&b->own_args, b->options->build_args);
		number = epoch < 0 ? xstrdup("") : xstrfmt("%lld", (long long)epoch);
		strmap_set(&b->own_args, "SOURCE_DATE_EPOCH", number);
		b->build_args = &b->own_args;
		if (read_targets(b, err) < 0)
			return -1;
	}
	b->epoch = b->options->source_date_epoch >= 0 ? b->options->source_date_epoch : epoch;
	return 0;
}

int build_read(struct build *b, struct error *err)
{
	const struct build_options *o = b->options;

	if (read_targets(b, err) < 0 || named_contexts_init(&b->contexts, b->store, o, err) < 0 ||
	    find_epoch(b, err) < 0)
		return -1;
	for (size_t i = 0; i < b->n_targets; i++)
		use_contexts(&b->targets[i]);
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

/* What a stage copies from an image goes into the result: it is the target's, whatever the stage runs on. */
static int look_up(struct build_target *t, int index, const struct stage_dependency *d,
		   struct base_image **out, struct error *err)
{
	struct build *b = t->build;
	AUTO(platform) platform = {.os = NULL};
	const struct named_context *nc = build_context_find(
		t, d->kind == DEPENDENCY_FROM ? index : STAGE_NONE, d->name);

	*out = NULL;
	/* That scratch may not be copied from is told by the step. */
	if (!nc ? strcmp(d->name, "scratch") == 0
		: nc->kind == NAMED_SCRATCH || named_context_is_files(nc))
		return 0;
	if (d->kind != DEPENDENCY_FROM)
		platform_copy(&platform, &t->platform);
	else if (stage_platform(&platform, t, index, err) < 0)
		return -1;
	if (base_image_get(&b->images, d->name, &platform, out, err) == 0)
		return 0;
	if (err && err->kind == ERROR_USAGE)
		err->kind = ERROR_SYNTAX;
	instruction_error_at(err, d->instruction, d->name);
	return near_name_hint(t, index, d->name, err);
}

/* Looks at the images that a stage names. *more: its base has triggers, which may need further stages. */
static int read_images(struct build_target *t, int index, bool *more, struct error *err)
{
	const struct plan_stage *planned = &t->plan.stages[index];
	struct base_image *base = NULL, *image;

	for (size_t i = 0; i < planned->n_dependencies; i++) {
		const struct stage_dependency *d = &planned->dependencies[i];

		if (d->stage != STAGE_NONE)
			continue;
		if (look_up(t, index, d, &image, err) < 0)
			return -1;
		if (d->kind == DEPENDENCY_FROM)
			base = image;
	}
	/* A stage that a context replaces is an image to those that are FROM it. */
	if (planned->base != STAGE_NONE && t->file->stages[planned->base].replaced &&
	    look_up(t, planned->base, &t->plan.stages[planned->base].dependencies[0], &base, err) <
		    0)
		return -1;
	if (!base || !base->image->config.on_build.n || t->file->stages[index].replaced)
		return 0;
	*more = true;
	return dockerfile_add_triggers(t->file, index, &base->image->config.on_build, base->name,
				       err);
}

static int plan_target(struct build_target *t, bool all, struct error *err)
{
	AUTO_FREE bool *read = xcalloc((size_t)t->file->n_stages, sizeof(*read));
	bool more = true;

	while (more) {
		more = false;
		graph_plan_release(&t->plan);
		if (graph_plan(&t->plan, t->file, t->build->options->target, &t->bases, err) < 0)
			return -1;
		for (int i = 0; i < t->file->n_stages; i++) {
			if (read[i] || (!all && !t->plan.stages[i].needed))
				continue;
			if (read_images(t, i, &more, err) < 0)
				return -1;
			read[i] = true;
		}
	}
	return 0;
}

int build_plan(struct build *b, bool all, struct error *err)
{
	for (size_t i = 0; i < b->n_targets; i++)
		if (plan_target(&b->targets[i], all, err) < 0)
			return -1;
	return 0;
}

void build_take_checks(struct build *b, struct check_list *out)
{
	check_list_release(out);
	for (size_t i = 0; i < b->n_targets && b->targets[i].file; i++) {
		struct check_list *list = &b->targets[i].file->warnings;

		check_finish(list);
		if (i == 0) {
			*out = *list;
			*list = (struct check_list)CHECK_LIST_INIT;
		} else {
			check_list_merge(out, list);
		}
	}
}

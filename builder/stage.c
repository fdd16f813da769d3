#include "builder/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/time.h"
#include "builder/cache_document.h"
#include "builder/history.h"
#include "builder/steps.h"
#include "builder/stop.h"

struct named_context *build_context_find(const struct build_target *t, int index, const char *name)
{
	const char *given = index == STAGE_NONE ? NULL : t->bases.items[index].platform;
	AUTO(platform) parsed = {.os = NULL};

	/* One that cannot be parsed is an error of its own: stage_platform() */
	if (given && platform_parse(&parsed, given, NULL) < 0)
		given = NULL;
	return named_context_find(&t->build->contexts, name, given ? &parsed : &t->platform);
}

/* Of the stage's base; NULL when that is no context. */
static struct named_context *base_context(const struct build_target *t, int index)
{
	return t->plan.stages[index].base == STAGE_NONE
		       ? build_context_find(t, index, t->bases.items[index].name)
		       : NULL;
}

/* FROM a context that is files: they are the one layer of an image without a configuration. */
static struct named_context *base_files(const struct build_target *t, int index)
{
	struct named_context *nc = base_context(t, index);

	return named_context_is_files(nc) ? nc : NULL;
}

bool stage_base_is_image(const struct build_target *t, int index)
{
	const struct named_context *nc = base_context(t, index);

	if (t->plan.stages[index].base != STAGE_NONE || named_context_is_files(nc))
		return false;
	return nc ? nc->kind != NAMED_SCRATCH : strcmp(t->bases.items[index].name, "scratch") != 0;
}

static char *make_label(const struct build_target *t, const struct dockerfile_stage *source)
{
	if (t->file->n_stages == 1)
		return xstrdup("");
	if (source->name)
		return xstrfmt("%s ", source->name);
	return xstrfmt("stage-%d ", source->index);
}

/* As buildx shows it. */
static char *make_where(const struct build_target *t, const struct platform *platform)
{
	AUTO_FREE char *here = platform_format(platform);
	AUTO_FREE char *there = platform_format(&t->platform);
	const char *rest = there;

	if (t->build->n_targets < 2)
		return xstrdup("");
	if (strcmp(here, there) == 0)
		return xstrfmt("%s ", here);
	if (strcmp(platform->os, t->platform.os) == 0)
		rest = strchr(there, '/') + 1;
	return xstrfmt("%s->%s ", here, rest);
}

/* As docker counts: the FROM of an image, and what makes layers. */
static int count_steps(const struct build_target *t, const struct dockerfile_stage *source)
{
	int n = stage_base_is_image(t, source->index) || base_files(t, source->index) != NULL;

	for (size_t i = 0; i < dockerfile_stage_steps(source); i++)
		n += step_is_shown(&source->instructions[i]);
	return n;
}

static bool is_without_cache(const struct build_options *o, const struct dockerfile_stage *source)
{
	for (size_t i = 0; o->no_cache_stages && source->name && i < o->no_cache_stages->n; i++)
		if (strcasecmp(o->no_cache_stages->items[i], source->name) == 0)
			return true;
	return o->no_cache;
}

int stage_error_place(struct error *err, const struct instruction *ins)
{
	if (err && err->kind == ERROR_USAGE)
		err->kind = ERROR_SYNTAX;
	return instruction_error_place(err, ins);
}

int stage_platform(struct platform *out, const struct build_target *t, int index, struct error *err)
{
	const char *given = t->bases.items[index].platform;
	AUTO(platform) parsed = {.os = NULL};

	if (given && platform_parse(&parsed, given, err) < 0) {
		const struct instruction *from = &t->file->stages[index].from;

		instruction_error_at(err, from, from->from.platform);
		return stage_error_place(err, from);
	}
	/* scratch and files are of no platform but the target's, whatever their FROM says. */
	platform_copy(out, given && (t->plan.stages[index].base != STAGE_NONE ||
				     stage_base_is_image(t, index))
				   ? &parsed
				   : &t->platform);
	return 0;
}

static bool runs_something(const struct dockerfile_stage *source)
{
	for (size_t i = 0; i < dockerfile_stage_steps(source); i++)
		if (source->instructions[i].kind == INSTRUCTION_RUN)
			return true;
	return false;
}

int stage_new(struct stage **out, struct build_target *t, int index, struct error *err)
{
	AUTO_PTR(stage) st = xcalloc(1, sizeof(*st));
	const struct build *b = t->build;

	st->build = t->build;
	st->target = t;
	st->source = &t->file->stages[index];
	st->label = make_label(t, st->source);
	image_config_init(&st->config);
	stack_init(&st->stack, b->store);
	st->stack.remote = b->remote;
	if (runs_something(st->source))
		st->stack.sandbox = b->options->sandbox;
	st->total = count_steps(t, st->source);
	st->no_cache = is_without_cache(b->options, st->source);
	if (t->plan.stages[index].base != STAGE_NONE)
		platform_copy(&st->platform, &t->stages[t->plan.stages[index].base]->platform);
	else if (stage_platform(&st->platform, t, index, err) < 0)
		return -1;
	st->where = make_where(t, &st->platform);
	*out = take_ptr(st);
	return 0;
}

void stage_free(struct stage *st)
{
	if (!st)
		return;
	free(st->label);
	free(st->where);
	platform_release(&st->platform);
	image_config_release(&st->config);
	scope_release(&st->scope);
	stack_release(&st->stack);
	step_log_release(&st->log);
	free(st);
}

const char *stage_working_dir(const struct stage *st)
{
	const char *dir = st->config.working_dir;

	return dir && *dir ? dir : "/";
}

char *stage_next_prefix(struct stage *st)
{
	int width = snprintf(NULL, 0, "%d", st->total);

	st->number++;
	return xstrfmt("[%s%s%*d/%d] ", st->where, st->label, width, st->number, st->total);
}

void stage_add_history(struct stage *st, const char *created_by)
{
	image_config_add_history(&st->config, NULL, created_by, HISTORY_COMMENT, true);
}

void stage_add_layer(struct stage *st, const struct layer *layer, int64_t created,
		     const char *created_by)
{
	char text[TIME_TEXT_SIZE];

	time_format(st->build->epoch >= 0 ? st->build->epoch : created, 0, text);
	stack_push(&st->stack, &layer->descriptor, &layer->diff_id);
	image_config_add_layer(&st->config, &layer->diff_id);
	image_config_add_history(&st->config, text, created_by, HISTORY_COMMENT, false);
}

void stage_announce(struct stage *st)
{
	const struct layer_sink *sink = &st->build->options->layers;

	if (!sink->ready || !st->on_target)
		return;
	for (; st->announced < st->stack.n; st->announced++) {
		const struct descriptor *layer = &st->stack.layers[st->announced];

		/* A base layer that nobody needed here: whoever pushes knows where it is. */
		if (store_has(st->build->store, &layer->digest, layer->size))
			sink->ready(sink->arg, layer);
	}
}

/* Entries and layers must match; an image without a history gets an entry a layer. */
static void complete_history(struct image_config *config, const char *created)
{
	for (size_t i = 0; !config->n_history && i < config->n_diff_ids; i++)
		image_config_add_history(config, created, NULL,
					 "layer of a base image without history", false);
}

static int start_from_image(struct stage *st, struct error *err)
{
	struct build *b = st->build;
	const struct image_config *config;
	AUTO_FREE char *prefix = NULL;
	int id;

	if (base_image_get(&b->images, st->target->bases.items[st->source->index].name,
			   &st->platform, &st->base, err) < 0)
		return stage_error_place(err, &st->source->from);
	config = &st->base->image->config;
	image_config_copy(&st->config, config);
	cache_document_detach(&st->config);
	free(take_ptr(st->config.created));
	complete_history(&st->config, config->created);
	st->n_base_history = st->config.n_history;
	strlist_clear(&st->config.on_build); /* they are in front of the stage's instructions */
	stack_copy(&st->stack, &st->base->stack);

	prefix = stage_next_prefix(st);
	id = report_step_begin(b->options->reporter, "%sFROM %s", prefix, st->base->name);
	report_step_end(b->options->reporter, id,
			base_image_is_complete(st->base) ? STEP_STATUS_CACHED : STEP_STATUS_DONE,
			NULL);
	return 0;
}

static void start_from_stage(struct stage *st, const struct stage *parent)
{
	image_config_copy(&st->config, &parent->config);
	strlist_clear(&st->config.on_build);
	stack_copy(&st->stack, &parent->stack);
	st->base = parent->base;
	st->n_base_history = parent->n_base_history;
	st->announced = parent->announced;
	st->made = parent->made;
	st->made_in = parent->made_in;
}

static int start(struct stage *st, struct error *err)
{
	const struct build_target *t = st->target;
	int from = t->plan.stages[st->source->index].base;
	const struct stage *parent = from == STAGE_NONE ? NULL : t->stages[from];

	if (parent)
		start_from_stage(st, parent);
	else if (!stage_base_is_image(t, st->source->index))
		st->config.working_dir = xstrdup("/");
	else if (start_from_image(st, err) < 0)
		return -1;
	if (!st->config.platform.os)
		platform_copy(&st->config.platform, &st->platform);
	if (!image_config_get_env(&st->config, "PATH"))
		image_config_set_env(&st->config, "PATH", STAGE_DEFAULT_PATH);
	scope_start(&st->scope, parent ? &parent->scope : NULL, &st->config.env, t->file->escape);
	return 0;
}

static int carry_out(struct stage *st, const struct instruction *ins, struct error *err)
{
	switch (ins->kind) {
	case INSTRUCTION_RUN:
		return step_run(st, ins, err);
	case INSTRUCTION_COPY:
	case INSTRUCTION_ADD:
		return step_copy(st, ins, err);
	case INSTRUCTION_WORKDIR:
		return step_workdir(st, ins, err);
	case INSTRUCTION_FROM:
	case INSTRUCTION_ARG:
	case INSTRUCTION_ENV:
	case INSTRUCTION_USER:
	case INSTRUCTION_LABEL:
	case INSTRUCTION_EXPOSE:
	case INSTRUCTION_VOLUME:
	case INSTRUCTION_ENTRYPOINT:
	case INSTRUCTION_CMD:
	case INSTRUCTION_SHELL:
	case INSTRUCTION_STOPSIGNAL:
	case INSTRUCTION_HEALTHCHECK:
	case INSTRUCTION_ONBUILD:
	case INSTRUCTION_MAINTAINER:
		break;
	}
	if (step_config(st, ins, err) < 0)
		return stage_error_place(err, ins);
	return 0;
}

static int execute(struct stage *st, const struct instruction *ins, struct error *err)
{
	AUTO(instruction) ready = INSTRUCTION_INIT;
	struct expand_scope scope = scope_expand(&st->scope);

	if (instruction_expand(&ready, ins, &scope, err) < 0 || carry_out(st, &ready, err) < 0)
		return instruction_hint_json(err, ins);
	return 0;
}

/* A context that was unpacked has another path each time. */
static void open_log(struct stage *st)
{
	const struct build *b = st->build;
	const struct context *context = b->options->context;
	AUTO_FREE char *own = platform_format(&st->config.platform);
	AUTO_FREE char *platform = xstrfmt("%s%s%s", own, *st->where ? " of " : "", st->where);
	const struct step_log_place place = {
		.context = context && !context->temporary ? context->path : "-",
		.dockerfile = st->target->file->source.name,
		.stage = st->label,
		.platform = platform,
	};

	step_log_open(&st->log, b->store, &place);
}

static int carry_out_all(struct stage *st, struct error *err)
{
	struct build *b = st->build;
	struct named_context *files = base_files(st->target, st->source->index);

	if (files && step_base_files(st, files, err) < 0)
		return -1;
	for (size_t i = 0; i < dockerfile_stage_steps(st->source); i++) {
		if (cancel_check(b->options->cancel, err) < 0)
			return -1;
		if (build_is_stopping(b))
			return error_set(err, ERROR_CANCELLED, "another stage failed");
		if (execute(st, &st->source->instructions[i], err) < 0)
			return -1;
	}
	return 0;
}

int stage_build(struct stage *st, struct error *err)
{
	int result;

	if (start(st, err) < 0)
		return -1;
	stage_announce(st);
	open_log(st);
	result = carry_out_all(st, err);
	step_log_close(&st->log, result == 0);
	return result;
}

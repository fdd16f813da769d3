#include "builder/check_stage.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "builder/check_copy.h"
#include "builder/stage.h"
#include "dockerfile/check_file.h"
#include "dockerfile/check_run.h"
#include "dockerfile/words.h"

/* A stage as far as rules see it. */
struct checked {
	struct image_config config; /* Env and Shell count */
	struct scope scope;
	struct platform platform;
	struct check_stage rules;
	bool done;
};

struct walk {
	struct build_target *t;
	struct checked *stages; /* one a stage of the file */
	struct checked *at;
	const struct dockerfile_stage *source;
	const struct stage_visitor *visitor; /* or NULL */
};

static void walk_release(struct walk *w)
{
	for (int i = 0; w->stages && i < w->t->file->n_stages; i++) {
		image_config_release(&w->stages[i].config);
		scope_release(&w->stages[i].scope);
		platform_release(&w->stages[i].platform);
	}
	free(w->stages);
}

CLEANUP_RELEASE(walk)

/* An image of one platform is taken whatever is asked for, as docker does; its programs may not run there. */
static void check_platform(struct walk *w, const char *name, const struct image_config *config)
{
	if (!config->platform.os || platform_match(&w->at->platform, &config->platform) > 0)
		return;
	AUTO_FREE char *is = platform_format(&config->platform);
	AUTO_FREE char *asked = platform_format(&w->at->platform);

	check_add(
		&w->t->file->warnings, CHECK_BASE_IMAGE_PLATFORM, &w->source->from,
		"Base image %s was pulled with platform \"%s\", expected \"%s\" for current build",
		name, is, asked);
}

static int begin_from_image(struct walk *w, const char *name, struct error *err)
{
	struct base_image *image;

	if (base_image_get(&w->t->build->images, name, &w->at->platform, &image, err) < 0)
		return stage_error_place(err, &w->source->from);
	check_platform(w, name, &image->image->config);
	image_config_copy(&w->at->config, &image->image->config);
	return 0;
}

static int begin(struct walk *w, int index, struct error *err)
{
	const char *name = w->t->bases.items[index].name;
	int base = w->t->plan.stages[index].base;
	const struct checked *parent = base == STAGE_NONE ? NULL : &w->stages[base];

	w->at = &w->stages[index];
	w->source = &w->t->file->stages[index];
	image_config_init(&w->at->config);
	if (stage_platform(&w->at->platform, w->t, index, err) < 0)
		return -1;
	if (parent) {
		image_config_copy(&w->at->config, &parent->config);
		w->at->rules.workdir_set = parent->rules.workdir_set;
	} else if (stage_base_is_image(w->t, index) && begin_from_image(w, name, err) < 0) {
		return -1;
	}
	if (!image_config_get_env(&w->at->config, "PATH"))
		image_config_set_env(&w->at->config, "PATH", STAGE_DEFAULT_PATH);
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): xcalloc() never gives NULL */
	w->at->rules.has_shell = w->at->config.shell.n > 0 || (parent && parent->rules.has_shell);
	scope_start(&w->at->scope, parent ? &parent->scope : NULL, &w->at->config.env,
		    w->t->file->escape);
	return 0;
}

static void check_undefined(struct walk *w, const struct instruction *at)
{
	struct scope *scope = &w->at->scope;
	const struct strmap *env = &scope->env;
	AUTO_FREE const char **names = xcalloc(env->n + 1, sizeof(*names));

	for (size_t i = 0; i < env->n; i++)
		names[i] = env->entries[i].key;
	for (size_t i = 0; i < scope->undefined.n; i++) {
		const char *name = scope->undefined.items[i];
		const char *near = word_suggest(name, names, env->n);

		check_add(&w->t->file->warnings, CHECK_UNDEFINED_VAR, at,
			  "Usage of undefined variable '$%s'%s%s%s", name,
			  near ? " (did you mean $" : "", near ? near : "", near ? "?)" : "");
	}
	strlist_clear(&scope->undefined);
}

/* The ARGs of one line see each other: they are declared one by one. */
static int declare(struct walk *w, const struct instruction *ready, struct error *err)
{
	const struct build_target *t = w->t;
	const char *value;

	for (size_t i = 0; i < ready->pairs.n; i++)
		if (scope_declare(&w->at->scope, ready, i, t->build->build_args, &t->globals,
				  &value, err) < 0)
			return stage_error_place(err, ready);
	return 0;
}

static void set_env(struct walk *w, const struct instruction *ready)
{
	for (size_t i = 0; i < ready->pairs.n; i++) {
		const struct key_value *item = &ready->pairs.items[i];

		scope_set_env(&w->at->scope, item->key, item->value);
		image_config_set_env(&w->at->config, item->key, item->value);
	}
}

static int visit(struct walk *w, const struct instruction *ins, struct error *err)
{
	const struct instruction *at = ins->trigger ? &w->source->from : ins;
	struct expand_scope scope = scope_expand(&w->at->scope);
	AUTO(instruction) ready = INSTRUCTION_INIT;

	if (instruction_expand(&ready, ins, &scope, err) < 0 ||
	    (ins->kind == INSTRUCTION_ARG && declare(w, &ready, err) < 0))
		return instruction_hint_json(err, ins);
	check_instruction(&w->t->file->warnings, &w->at->rules, at, ins, &ready, &scope);
	check_undefined(w, at);
	if (ins->kind == INSTRUCTION_ENV)
		set_env(w, &ready);
	if (ins->kind == INSTRUCTION_COPY || ins->kind == INSTRUCTION_ADD)
		check_copy(w->t, at, &ready);
	if (ins->kind == INSTRUCTION_RUN)
		check_run(&w->t->file->warnings, at, &ready.run);
	if (w->visitor)
		w->visitor->instruction(w->visitor->ctx, w->source->index, ins, &ready,
					&w->at->scope);
	return 0;
}

static int walk_all(struct walk *w, bool all, struct error *err)
{
	for (int i = 0; i < w->t->file->n_stages; i++) {
		int index = w->t->plan.sequence[i];

		if (!all && !w->t->plan.stages[index].needed)
			continue;
		if (begin(w, index, err) < 0)
			return -1;
		for (size_t k = 0; k < dockerfile_stage_steps(w->source); k++)
			if (visit(w, &w->source->instructions[k], err) < 0)
				return -1;
	}
	return 0;
}

int check_stages(struct build_target *t, bool all, const struct stage_visitor *visitor,
		 struct error *err)
{
	AUTO(walk)
	w = {
		.t = t,
		.visitor = visitor,
		.stages = xcalloc((size_t)t->file->n_stages, sizeof(*w.stages)),
	};

	return walk_all(&w, all, err);
}

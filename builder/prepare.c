#include "builder/prepare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "builder/check_from.h"
#include "builder/near_name.h"
#include "builder/stage.h"
#include "dockerfile/scope.h"

/* 1980-01-01T00:00:00Z: the first time that every archive format can hold. */
#define FOLDER_MTIME 315532800

void build_init(struct build *b, struct store *s, const struct build_options *o)
{
	*b = (struct build){.options = o, .store = s, .epoch = -1};
	pthread_mutex_init(&b->lock, NULL);
	strbuf_init(&b->certificates);
	pthread_cond_init(&b->key_done, NULL);
}

void build_release(struct build *b)
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

static int override_checks(struct build *b, struct error *err)
{
	const struct strmap *args = b->options->build_args;
	const char *options = args ? strmap_get(args, "BUILDKIT_DOCKERFILE_CHECK") : NULL;

	return options ? check_override(&b->file->warnings, options, err) : 0;
}

int build_read(struct build *b, struct error *err)
{
	const struct build_options *o = b->options;
	AUTO_FREE char *target = NULL, *host = NULL;

	platform_host(&b->host_platform);
	platform_copy(&b->target_platform, o->platform ? o->platform : &b->host_platform);
	target = platform_format(&b->target_platform);
	host = platform_format(&b->host_platform);
	if (dockerfile_parse(&b->file, o->dockerfile_name, o->dockerfile, o->dockerfile_len, err) <
		    0 ||
	    override_checks(b, err) < 0 ||
	    graph_eval_globals(&b->globals, b->file, o->build_args, target, host, o->target, err) <
		    0)
		return -1;
	check_from(b);
	if (graph_expand_bases(&b->bases, b->file, &b->globals, err) < 0 ||
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

static int look_up(struct build *b, int index, const struct stage_dependency *d,
		   const struct platform *platform, struct base_image **out, struct error *err)
{
	const struct named_context *nc = named_context_find(&b->contexts, d->name);

	*out = NULL;
	/* A folder may be copied from; that scratch may not is told by the step. */
	if (d->kind == DEPENDENCY_FROM ? strcmp(d->name, "scratch") == 0
	    : nc                       ? nc->kind == NAMED_FOLDER
				       : strcmp(d->name, "scratch") == 0)
		return 0;
	if (base_image_get(&b->images, d->name, platform, out, err) == 0)
		return 0;
	if (err && err->kind == ERROR_USAGE)
		err->kind = ERROR_SYNTAX;
	instruction_error_at(err, d->instruction, d->name);
	return near_name_hint(b, index, d->name, err);
}

/* Looks at the images that a stage names. *more: its base has triggers, which may need further stages. */
static int read_images(struct build *b, int index, bool *more, struct error *err)
{
	const struct plan_stage *planned = &b->plan.stages[index];
	AUTO(platform) platform = {.os = NULL};
	const struct strlist *triggers = NULL;
	const char *origin = NULL;

	if (stage_platform(&platform, b, index, err) < 0)
		return -1;
	for (size_t i = 0; i < planned->n_dependencies; i++) {
		const struct stage_dependency *d = &planned->dependencies[i];
		struct base_image *image;

		if (d->stage != STAGE_NONE)
			continue;
		if (look_up(b, index, d, &platform, &image, err) < 0)
			return -1;
		if (image && d->kind == DEPENDENCY_FROM) {
			triggers = &image->image->config.on_build;
			origin = image->name;
		}
	}
	if (!triggers || !triggers->n)
		return 0;
	*more = true;
	return dockerfile_add_triggers(b->file, index, triggers, origin, err);
}

int build_plan(struct build *b, bool all, struct error *err)
{
	AUTO_FREE bool *read = xcalloc((size_t)b->file->n_stages, sizeof(*read));
	bool more = true;

	while (more) {
		more = false;
		graph_plan_release(&b->plan);
		if (graph_plan(&b->plan, b->file, b->options->target, &b->bases, err) < 0)
			return -1;
		for (int i = 0; i < b->file->n_stages; i++) {
			if (read[i] || (!all && !b->plan.stages[i].needed))
				continue;
			if (read_images(b, i, &more, err) < 0)
				return -1;
			read[i] = true;
		}
	}
	return 0;
}

#include "cli/build_run.h"

#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "cli/fetching.h"

static int read_annotations(const struct build_flags *f, const struct output_list *outputs,
			    struct annotation_list *out, struct error *err)
{
	for (size_t i = 0; i < f->annotations.n; i++)
		if (annotation_list_add(out, f->annotations.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < outputs->n; i++)
		for (size_t k = 0; k < outputs->items[i].annotations.n; k++)
			if (annotation_list_add(out, outputs->items[i].annotations.items[k], err) <
			    0)
				return -1;
	return 0;
}

static int read_inputs(struct app *a, const struct build_flags *f, const char *context,
		       const struct output_list *outputs, struct build_inputs *in,
		       struct error *err)
{
	for (size_t i = 0; i < f->args.n; i++)
		if (build_inputs_add_arg(a, in, f->args.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < f->secrets.n; i++)
		if (build_inputs_add_secret(a, in, f->secrets.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < f->contexts.n; i++)
		if (build_inputs_add_context(in, f->contexts.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < f->labels.n; i++)
		if (build_inputs_add_pair(&in->labels, "--label", f->labels.items[i], err) < 0)
			return -1;
	if (read_annotations(f, outputs, &in->annotations, err) < 0)
		return -1;
	return build_inputs_read(a, in, context, f->file, err);
}

/* The environment's SOURCE_DATE_EPOCH is a build argument like one that was given. */
static void take_epoch(const struct app *a, struct build_inputs *in)
{
	const char *text = a->env.source_date_epoch;

	if (text && *text && !strmap_has(&in->build_args, "SOURCE_DATE_EPOCH"))
		strmap_set(&in->build_args, "SOURCE_DATE_EPOCH", text);
}

static int find_compression(const struct build_flags *f, const struct output_list *outputs,
			    struct build_options *o, struct error *err)
{
	const char *text = f->compression;

	o->compression = COMPRESSION_GZIP;
	for (size_t i = 0; i < outputs->n; i++) {
		if (outputs->items[i].compression)
			text = outputs->items[i].compression;
		o->rewrite_timestamp = o->rewrite_timestamp || outputs->items[i].rewrite_timestamp;
	}
	return text ? compression_parse(text, &o->compression, &o->compression_level, err) : 0;
}

/* --platform, else DOCKER_DEFAULT_PLATFORM as docker reads it, else the host's. */
static int find_platforms(struct app *a, const struct build_flags *f, const struct build_inputs *in,
			  struct platform_list *out, struct build_options *o, struct error *err)
{
	const char *index = strmap_get(&in->build_args, "BUILDKIT_MULTI_PLATFORM");

	for (size_t i = 0; i < f->platforms.n; i++)
		if (platform_list_add(out, f->platforms.items[i], err) < 0)
			return -1;
	if (!f->platforms.n && a->env.default_platform &&
	    platform_list_add(out, a->env.default_platform, err) < 0)
		return error_wrap(err, "DOCKER_DEFAULT_PLATFORM");
	o->platforms = out->items;
	o->n_platforms = out->n;
	o->index = index && (strcmp(index, "1") == 0 || strcasecmp(index, "true") == 0);
	return annotation_list_check(&in->annotations, out->items, out->n, out->n > 1 || o->index,
				     err);
}

/* docker's older way to ask for --cache-to type=inline. */
static bool wants_inline_cache(const struct build_inputs *in)
{
	const char *value = strmap_get(&in->build_args, "BUILDKIT_INLINE_CACHE");

	return value && (strcmp(value, "1") == 0 || strcmp(value, "true") == 0);
}

/* The agent of --ssh ID; NULL: not given. */
static const char *find_agent(const struct build_options *o, const char *id)
{
	for (size_t i = 0; i < o->n_ssh; i++)
		if (strcmp(o->ssh[i].id, id) == 0)
			return o->ssh[i].socket;
	return NULL;
}

int build_with_options(struct app *a, const struct build_flags *f, const char *context,
		       struct build_inputs *in, const struct output_list *outputs, bool only_asks,
		       build_action *action, void *arg, struct error *err)
{
	AUTO(step_inputs) steps = {.limits = NULL};
	AUTO(platform_list) platforms = {0};
	AUTO(strlist) no_cache_stages = STRLIST_INIT;
	struct fetching fetching = {.app = a, .inputs = in};
	struct build_options o = {
		.target = f->target,
		.no_cache = f->no_cache,
		.no_cache_stages = &no_cache_stages,
		.pull = f->pull,
		.explain = f->explain,
		.no_stat_cache = f->no_stat_cache,
		.proxy = &a->env.proxy,
		.source_date_epoch = f->timestamp,
		.rewrite_timestamp = f->timestamp >= 0,
		.now = time_now(),
		.reporter = a->reporter,
		.cancel = a->cancel,
	};

	for (size_t i = 0; i < f->no_cache_filter.n; i++)
		strlist_split(&no_cache_stages, f->no_cache_filter.items[i], ',');
	if (step_inputs_read(&steps, a, &f->steps, &o, err) < 0)
		return -1;
	in->ssh_socket = find_agent(&o, "default");
	if (read_inputs(a, f, context, outputs, in, err) < 0 ||
	    find_compression(f, outputs, &o, err) < 0 ||
	    find_platforms(a, f, in, &platforms, &o, err) < 0 ||
	    output_list_check(outputs, &platforms, err) < 0)
		return -1;
	take_epoch(a, in);
	build_inputs_find_ca(a, in);
	if (app_store(a, err) < 0 || (!only_asks && app_sandbox(a, err) < 0))
		return -1;
	o.dockerfile_name = in->dockerfile_name;
	o.dockerfile = in->dockerfile.buf;
	o.dockerfile_len = in->dockerfile.len;
	o.context = in->context;
	o.build_args = &in->build_args;
	o.labels = &in->labels;
	o.annotations = in->annotations.items;
	o.n_annotations = in->annotations.n;
	o.named_contexts = in->named_contexts;
	o.n_named_contexts = in->n_named_contexts;
	o.secrets = in->secrets;
	o.n_secrets = in->n_secrets;
	o.ca_bundle = in->ca_bundle;
	o.sandbox = a->sandbox;
	o.images = app_image_source(a);
	o.fetch = fetching_source(&fetching);
	o.pool = app_pool(a);
	o.inline_cache = wants_inline_cache(in);
	return action(arg, &o, err);
}

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/time.h"
#include "cli/annotations.h"
#include "cli/build_caches.h"
#include "cli/build_call.h"
#include "cli/build_flags.h"
#include "cli/build_inputs.h"
#include "cli/build_outputs.h"
#include "cli/cmd.h"
#include "cli/fetching.h"
#include "cli/push_ahead.h"
#include "oci/layout.h"

struct build_refs {
	struct image_ref *items;
	size_t n;
};

static void build_refs_release(struct build_refs *r)
{
	for (size_t i = 0; i < r->n; i++)
		image_ref_release(&r->items[i]);
	free(r->items);
}
CLEANUP_RELEASE(build_refs)

static int add_ref(struct build_refs *refs, const char *text, struct error *err)
{
	struct image_ref ref = {0};

	if (image_ref_parse(&ref, text, err) < 0)
		return -1;
	refs->items = xreallocarray(refs->items, refs->n + 1, sizeof(*refs->items));
	refs->items[refs->n++] = ref;
	if (digest_is_set(&ref.digest))
		return error_set(err, ERROR_USAGE,
				 "invalid tag \"%s\": a name with a digest is not a tag", text);
	return 0;
}

/* What docker build has and this version has not: named, never ignored. */
static int refuse_unsupported(const struct build_flags *f, struct error *err)
{
	if (f->provenance && strcmp(f->provenance, "false") != 0)
		return error_set(err, ERROR_UNSUPPORTED,
				 "--provenance=%s: attestations are not supported; only false",
				 f->provenance);
	if (f->sbom && strcmp(f->sbom, "false") != 0)
		return error_set(err, ERROR_UNSUPPORTED,
				 "--sbom=%s: attestations are not supported; only false", f->sbom);
	return 0;
}

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

/* What --iidfile and -q tell: the ID of an image is its configuration's digest, several have the index's. */
static const struct digest *result_id(const struct build_result *r)
{
	return media_is_index(r->descriptor.media_type) ? &r->descriptor.digest
							: &r->image->manifest.config.digest;
}

static int write_id_file(const char *path, const struct build_result *result, struct error *err)
{
	const char *id = result_id(result)->text;

	if (fs_write_file_atomic(path, id, strlen(id), 0644, err) < 0)
		return error_wrap(err, "--iidfile");
	return 0;
}

static int write_metadata(const char *path, const struct build_result *result,
			  const struct build_refs *refs, struct error *err)
{
	AUTO(strlist) names = STRLIST_INIT;
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_JSON *out = json_object();
	AUTO_FREE char *joined = NULL;

	for (size_t i = 0; i < refs->n; i++)
		strlist_take(&names, image_ref_full(&refs->items[i]));
	joined = strlist_join(&names, ",");
	if (!media_is_index(result->descriptor.media_type))
		json_object_set_new(out, "containerimage.config.digest",
				    json_string(result_id(result)->text));
	json_object_set_new(out, "containerimage.descriptor",
			    descriptor_to_json(&result->descriptor));
	json_object_set_new(out, "containerimage.digest",
			    json_string(result->descriptor.digest.text));
	if (names.n)
		json_object_set_new(out, "image.name", json_text(joined));
	json_write_pretty(out, &text);
	if (fs_write_file_atomic(path, text.buf, text.len, 0644, err) < 0)
		return error_wrap(err, "--metadata-file");
	return 0;
}

static int name_image(struct app *a, const struct descriptor *image, const struct build_refs *refs,
		      struct error *err)
{
	if (!refs->n)
		return layout_add(a->store, image, err);
	for (size_t i = 0; i < refs->n; i++) {
		AUTO_FREE char *name = image_ref_full(&refs->items[i]);
		int step = report_step_begin(a->reporter, "naming to %s", name);

		if (layout_tag(a->store, &refs->items[i], image, err) < 0) {
			report_step_end(a->reporter, step, STEP_STATUS_FAILED, err);
			return -1;
		}
		report_step_end(a->reporter, step, STEP_STATUS_DONE, NULL);
	}
	return 0;
}

static bool wants_push(const struct build_flags *f, const struct output_list *outputs)
{
	bool push = f->push;

	for (size_t i = 0; i < outputs->n; i++)
		push = push || outputs->items[i].push;
	return push;
}

static int push_names(struct app *a, const struct build_refs *refs, const struct descriptor *d,
		      bool quiet, struct error *err)
{
	AUTO(strlist) done = STRLIST_INIT;

	for (size_t i = 0; i < refs->n; i++) {
		AUTO_FREE char *name = image_ref_familiar(&refs->items[i]);

		if (push_image(a, &refs->items[i], d, quiet, err) < 0)
			return push_hint_done(&done, err), -1;
		strlist_add(&done, name);
	}
	return 0;
}

/* Names, files, archives, push: everything after the image exists. */
static int finish(struct app *a, const struct build_flags *f, const struct output_list *outputs,
		  const struct build_refs *refs, const struct build_result *result,
		  struct error *err)
{
	bool push = wants_push(f, outputs);

	if ((f->load || push || output_list_wants_image(outputs)) &&
	    name_image(a, &result->descriptor, refs, err) < 0)
		return -1;
	if (output_list_write(a, outputs, result, refs->items, refs->n, err) < 0)
		return -1;
	if (push && push_names(a, refs, &result->descriptor, f->quiet, err) < 0)
		return -1;
	if (f->iidfile && write_id_file(f->iidfile, result, err) < 0)
		return -1;
	return f->metadata_file ? write_metadata(f->metadata_file, result, refs, err) : 0;
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

/* The build, with the layers on their way to the registry while it goes on. */
static int run_build(struct app *a, const struct build_flags *f, const struct build_inputs *in,
		     const struct output_list *outputs, const struct build_refs *refs,
		     struct build_options *o, struct build_result *result, struct error *err)
{
	struct push_ahead *ahead = NULL;
	int r;

	if (wants_push(f, outputs)) {
		if (!refs->n)
			return error_set(err, ERROR_USAGE, "--push needs a name: add -t NAME");
		ahead = push_ahead_start(a, refs->items, refs->n);
		o->layers = push_ahead_sink(ahead);
	}
	r = build_run(result, a->store, o, err);
	push_ahead_end(ahead, r < 0);
	annotate_checks(a, in->dockerfile_path, &result->checks, CHECK_WARNING);
	return r;
}

static int build(struct app *a, const struct build_flags *f, const char *context,
		 const struct build_call *call, struct build_inputs *in,
		 const struct build_refs *refs, const struct output_list *outputs,
		 struct build_caches *caches, struct error *err)
{
	AUTO(step_inputs) steps = {.limits = NULL};
	AUTO(platform_list) platforms = {0};
	AUTO(build_result) result = {0};
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
	if (app_store(a, err) < 0 || (call->kind == CALL_BUILD && app_sandbox(a, err) < 0))
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
	if (call->kind != CALL_BUILD)
		return build_call_run(a, call, &o, in->dockerfile_path, err);
	if (build_caches_start(caches, a, &o, f->load || output_list_wants_files(outputs),
			       refs->items, wants_push(f, outputs) ? refs->n : 0, err) < 0 ||
	    run_build(a, f, in, outputs, refs, &o, &result, err) < 0 ||
	    finish(a, f, outputs, refs, &result, err) < 0 ||
	    build_caches_write(caches, &result.image->config.platform, err) < 0)
		return -1;
	terminal_finish(a->terminal);
	if (f->quiet)
		printf("%s\n", result_id(&result)->text);
	else
		report_log(a->reporter, LOG_INFO, "image %s", result_id(&result)->text);
	return 0;
}

static int run(struct app *a, const struct build_flags *f, const char *context,
	       struct build_inputs *in, struct error *err)
{
	AUTO(build_refs) refs = {0};
	AUTO(output_list) outputs = {0};
	AUTO(build_caches) caches = {0};
	struct build_call call;

	if (refuse_unsupported(f, err) < 0 ||
	    build_call_parse(&call, f->call, f->check, f->format, err) < 0 ||
	    build_caches_parse(&caches, &f->cache_from, &f->cache_to, err) < 0)
		return -1;
	for (size_t i = 0; i < f->outputs.n; i++)
		if (output_list_add(&outputs, f->outputs.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < f->tags.n; i++)
		if (add_ref(&refs, f->tags.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < outputs.n; i++)
		for (size_t k = 0; k < outputs.items[i].names.n; k++)
			if (add_ref(&refs, outputs.items[i].names.items[k], err) < 0)
				return -1;
	if (app_progress(a, f->progress, f->quiet, err) < 0)
		return -1;
	return build(a, f, context, &call, in, &refs, &outputs, &caches, err);
}

int cmd_build(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(build_flags) f = {.timestamp = -1};
	AUTO(build_inputs) in = {.dockerfile_name = NULL};
	int parsed = build_flags_parse(&f, a, argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	build_inputs_init(&in);
	parsed = run(a, &f, args.items[0], &in, err);
	if (parsed < 0)
		annotate_error(a, in.dockerfile_path, err);
	return parsed;
}

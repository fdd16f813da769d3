#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"
#include "cli/annotations.h"
#include "cli/build_caches.h"
#include "cli/build_call.h"
#include "cli/build_run.h"
#include "cli/cmd.h"
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

struct building {
	struct app *app;
	const struct build_flags *flags;
	const struct build_call *call;
	const struct build_inputs *inputs;
	const struct output_list *outputs;
	const struct build_refs *refs;
	struct build_caches *caches;
};

static int build(void *arg, struct build_options *o, struct error *err)
{
	struct building *b = arg;
	struct app *a = b->app;
	const struct build_flags *f = b->flags;
	AUTO(build_result) result = {0};

	if (b->call->kind != CALL_BUILD)
		return build_call_run(a, b->call, o, b->inputs->dockerfile_path, err);
	if (build_caches_start(b->caches, a, o, f->load || output_list_wants_files(b->outputs),
			       b->refs->items, wants_push(f, b->outputs) ? b->refs->n : 0,
			       err) < 0 ||
	    run_build(a, f, b->inputs, b->outputs, b->refs, o, &result, err) < 0 ||
	    finish(a, f, b->outputs, b->refs, &result, err) < 0 ||
	    build_caches_write(b->caches, &result.image->config.platform, err) < 0)
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
	struct building building = {a, f, &call, in, &outputs, &refs, &caches};

	return build_with_options(a, f, context, in, &outputs, call.kind != CALL_BUILD, build,
				  &building, err);
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

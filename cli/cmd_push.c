#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "cli/cmd.h"
#include "oci/layout.h"

static const struct command_usage usage = {
	.name = "push",
	.args = "[OPTIONS] NAME[:TAG]...",
	.summary = "Upload an image to a registry",
	.min_args = 1,
	.max_args = SIZE_MAX,
};

int push_image(struct app *a, const struct image_ref *ref, const struct descriptor *d, bool quiet,
	       struct error *err)
{
	struct push_result result = {0};
	AUTO_FREE char *name = image_ref_familiar(ref);
	AUTO(strbuf) size = STRBUF_INIT;

	if (app_registry(a, err) < 0)
		return -1;
	if (registry_push(a->registry, a->store, ref, d, &result, err) < 0)
		return error_wrap(err, "push %s", name);
	strbuf_add_size(&size, (int64_t)result.bytes);
	terminal_finish(a->terminal);
	if (quiet)
		printf("%s\n", name);
	else
		printf("%s: digest: %s size: %" PRId64 " (uploaded %" PRIu64 " blobs, %s; %" PRIu64
		       " already there, %" PRIu64 " mounted)\n",
		       ref->tag ? ref->tag : name, result.digest.text, result.size, result.uploaded,
		       size.buf, result.present, result.mounted);
	return 0;
}

void push_hint_done(const struct strlist *done, struct error *err)
{
	AUTO_FREE char *names = strlist_join(done, ", ");

	if (done->n)
		error_hint(err, "pushed before it, and there now: %s", names);
}

static int push_one(struct app *a, const char *name, const char *platform, bool quiet,
		    struct error *err)
{
	AUTO(image_ref) ref = {0};
	AUTO(descriptor) found = {0};
	AUTO_PTR(image) image = NULL;

	if (image_ref_parse(&ref, name, err) < 0 || app_store(a, err) < 0)
		return -1;
	if (layout_find(a->store, &ref, &found, err) < 0) {
		error_hint(err, "Build it with: slipway build -t %s CONTEXT", name);
		return error_hint(err, "'slipway images' lists what is here.");
	}
	if (platform && app_load_image(a, name, platform, NULL, &image, err) < 0)
		return -1;
	return push_image(a, &ref, image ? &image->descriptor : &found, quiet, err);
}

int cmd_push(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(strlist) done = STRLIST_INIT;
	const char *progress = NULL, *platform = NULL;
	bool quiet = false;
	struct option options[] = {
		OPTION_ROW_INSECURE(a),
		OPTION_ROW_NO_CREATE_REPO(a),
		{0, "platform", OPTION_STRING, "OS/ARCH",
		 "Push only this platform of a multi-platform image", &platform},
		OPTION_ROW_PROGRESS(progress),
		{'q', "quiet", OPTION_FLAG, NULL, "Print only the name", &quiet},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (app_progress(a, progress, quiet, err) < 0)
		return -1;
	for (size_t i = 0; i < args.n; i++) {
		if (push_one(a, args.items[i], platform, quiet, err) < 0)
			return push_hint_done(&done, err), -1;
		strlist_add(&done, args.items[i]);
	}
	return 0;
}

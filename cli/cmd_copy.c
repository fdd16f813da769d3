#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "cli/cmd.h"

static const struct command_usage usage = {
	.name = "copy",
	.args = "[OPTIONS] SOURCE[:TAG|@DIGEST] DESTINATION[:TAG]",
	.summary = "Copy an image from registry to registry",
	.min_args = 2,
	.max_args = 2,
};

int cmd_copy(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(image_ref) from = {0};
	AUTO(image_ref) to = {0};
	AUTO(strbuf) size = STRBUF_INIT;
	struct push_result result = {0};
	const char *progress = NULL;
	bool quiet = false;
	struct option options[] = {
		OPTION_ROW_INSECURE(a),        OPTION_ROW_MIRROR(a),
		OPTION_ROW_NO_CREATE_REPO(a),  OPTION_ROW_PROGRESS(progress),
		OPTION_ROW_ONLY_DIGEST(quiet),
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (image_ref_parse(&from, args.items[0], err) < 0 ||
	    image_ref_parse(&to, args.items[1], err) < 0 || app_store(a, err) < 0 ||
	    app_progress(a, progress, quiet, err) < 0 || app_registry(a, err) < 0)
		return -1;
	if (registry_copy(a->registry, a->store, &from, &to, &result, err) < 0)
		return error_wrap(err, "copy %s to %s", args.items[0], args.items[1]);
	terminal_finish(a->terminal);
	strbuf_add_size(&size, (int64_t)result.bytes);
	if (quiet)
		printf("%s\n", result.digest.text);
	else
		printf("%s: digest: %s size: %" PRId64 " (copied %" PRIu64 " blobs, %s; %" PRIu64
		       " already there, %" PRIu64 " mounted)\n",
		       args.items[1], result.digest.text, result.size, result.uploaded, size.buf,
		       result.present, result.mounted);
	return 0;
}

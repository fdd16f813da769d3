#include <stdio.h>

#include "base/alloc.h"
#include "cli/cmd.h"

static const struct command_usage usage = {
	.name = "pull",
	.args = "[OPTIONS] NAME[:TAG|@DIGEST]...",
	.summary = "Download an image from a registry",
	.min_args = 1,
	.max_args = SIZE_MAX,
};

static int pull_one(struct app *a, const char *name, const struct platform *platform, bool quiet,
		    struct error *err)
{
	AUTO(image_ref) ref = {0};
	AUTO(descriptor) got = {0};
	AUTO_FREE char *full = NULL;
	bool changed = false;

	if (image_ref_parse(&ref, name, err) < 0 || app_registry(a, err) < 0)
		return -1;
	full = image_ref_full(&ref);
	if (registry_pull(a->registry, a->store, &ref, platform, &got, &changed, err) < 0)
		return -1;
	terminal_finish(a->terminal);
	if (!quiet) {
		printf("Digest: %s\nStatus: %s %s\n", got.digest.text,
		       changed ? "Downloaded newer image for" : "Image is up to date for", name);
	}
	printf("%s\n", full);
	return 0;
}

int cmd_pull(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(platform) platform = {0};
	const char *platform_text = NULL, *progress = NULL;
	bool quiet = false;
	struct option options[] = {
		{0, "platform", OPTION_STRING, "OS/ARCH",
		 "Choose this platform of a multi-platform image", &platform_text},
		OPTION_ROW_INSECURE(a),
		OPTION_ROW_MIRROR(a),
		OPTION_ROW_PROGRESS(progress),
		{'q', "quiet", OPTION_FLAG, NULL, "Print only the name", &quiet},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (platform_text && platform_parse(&platform, platform_text, err) < 0)
		return -1;
	if (app_store(a, err) < 0 || app_progress(a, progress, quiet, err) < 0)
		return -1;
	for (size_t i = 0; i < args.n; i++)
		if (pull_one(a, args.items[i], platform_text ? &platform : NULL, quiet, err) < 0)
			return -1;
	return 0;
}

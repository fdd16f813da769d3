#include <stdio.h>

#include "base/alloc.h"
#include "cli/cmd.h"

static const struct command_usage usage = {
	.name = "tags",
	.args = "[OPTIONS] REPOSITORY",
	.summary = "List the tags of a repository in its registry",
	.min_args = 1,
	.max_args = 1,
};

int cmd_tags(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(strlist) tags = STRLIST_INIT;
	AUTO(image_ref) ref = {0};
	struct option options[] = {
		OPTION_ROW_INSECURE(a),
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (image_ref_parse(&ref, args.items[0], err) < 0 || app_registry(a, err) < 0 ||
	    registry_tags(a->registry, &ref, &tags, err) < 0)
		return -1;
	for (size_t i = 0; i < tags.n; i++)
		printf("%s\n", tags.items[i]);
	return 0;
}

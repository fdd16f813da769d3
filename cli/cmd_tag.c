#include "cli/cmd.h"
#include "oci/layout.h"

static const struct command_usage usage = {
	.name = "tag",
	.args = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
	.summary = "Give an image a further name",
	.min_args = 2,
	.max_args = 2,
};

int cmd_tag(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(image_ref) target = {0};
	AUTO(descriptor) found = {0};
	int parsed = options_parse(&usage, NULL, 0, argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (image_ref_parse(&target, args.items[1], err) < 0)
		return -1;
	if (digest_is_set(&target.digest))
		return error_set(err, ERROR_USAGE,
				 "cannot tag \"%s\": a name with a digest is not a tag",
				 args.items[1]);
	if (app_store(a, err) < 0 || layout_find_text(a->store, args.items[0], &found, err) < 0)
		return -1;
	return layout_tag(a->store, &target, &found, err);
}

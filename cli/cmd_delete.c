#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cmd.h"

static const struct command_usage usage = {
	.name = "delete",
	.args = "[OPTIONS] NAME:TAG|NAME@DIGEST...",
	.summary = "Delete tags or images in their registry",
	.min_args = 1,
	.max_args = SIZE_MAX,
};

/* "app" alone would mean its tag latest: too easy a slip for what cannot be undone. */
static int check_name(const char *name, struct error *err)
{
	const char *last = strrchr(name, '/');
	AUTO(image_ref) ref = {0};

	if (image_ref_parse(&ref, name, err) < 0)
		return -1;
	if (strchr(last ? last : name, ':') || strchr(name, '@'))
		return 0;
	return error_set(err, ERROR_USAGE, "delete %s: say which tag or digest (%s:latest)", name,
			 name);
}

static int delete_one(struct app *a, const char *name, struct error *err)
{
	AUTO(image_ref) ref = {0};

	if (image_ref_parse(&ref, name, err) < 0 || app_registry(a, err) < 0 ||
	    registry_delete(a->registry, &ref, err) < 0)
		return -1;
	printf("Deleted: %s\n", name);
	return 0;
}

int cmd_delete(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	struct option options[] = {
		OPTION_ROW_INSECURE(a),
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	for (size_t i = 0; i < args.n; i++)
		if (check_name(args.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < args.n; i++)
		if (delete_one(a, args.items[i], err) < 0)
			return -1;
	return 0;
}

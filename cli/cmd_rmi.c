#include <stdio.h>

#include "base/alloc.h"
#include "cli/cmd.h"
#include "oci/layout.h"
#include "oci/prune.h"

static const struct command_usage usage = {
	.name = "rmi",
	.args = "[OPTIONS] IMAGE...",
	.summary = "Remove images",
	.min_args = 1,
	.max_args = SIZE_MAX,
};

/* A name removes that name; the image goes with its last name. An ID removes the image when it has at most one name. */
static int remove_one(struct app *a, const char *text, bool force, struct error *err)
{
	AUTO(image_ref) ref = {0};
	AUTO(descriptor) found = {0};
	AUTO(image_index) index = {0};
	struct digest target;
	size_t names = 0;
	bool gone;

	if (image_ref_parse(&ref, text, NULL) == 0 &&
	    layout_find(a->store, &ref, &found, NULL) == 0 && !digest_is_set(&ref.digest)) {
		AUTO_FREE char *familiar = image_ref_familiar(&ref);

		if (layout_untag(a->store, &ref, &target, &gone, err) < 0)
			return -1;
		printf("Untagged: %s\n", familiar);
		if (gone)
			printf("Deleted: %s\n", target.text);
		return 0;
	}
	if (layout_find_text(a->store, text, &found, err) < 0 ||
	    layout_read(a->store, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index.n_manifests; i++)
		names += digest_equal(&index.manifests[i].digest, &found.digest) &&
			 strmap_has(&index.manifests[i].annotations,
				    "org.opencontainers.image.ref.name");
	if (names > 1 && !force)
		return error_set(
			err, ERROR_DENIED,
			"cannot remove %s: %zu names point at it; remove them by name, or use -f",
			text, names);
	if (layout_remove(a->store, &found.digest, err) < 0)
		return -1;
	printf("Deleted: %s\n", found.digest.text);
	return 0;
}

int cmd_rmi(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	bool force = false, failed = false;
	struct option options[] = {
		{'f', "force", OPTION_FLAG, NULL, "Remove an image by ID with all its names",
		 &force},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (app_store(a, err) < 0)
		return -1;
	for (size_t i = 0; i < args.n; i++) {
		AUTO(error) why = ERROR_INIT;

		if (remove_one(a, args.items[i], force, &why) == 0)
			continue;
		fflush(stdout);
		app_print_error(a, &why);
		failed = true;
	}
	return failed;
}

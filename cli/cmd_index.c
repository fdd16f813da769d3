#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "cli/cmd.h"
#include "oci/layout.h"

static const struct command_usage usage = {
	.name = "index",
	.args = "create|add [OPTIONS] NAME:TAG IMAGE...",
	.summary = "Make images of several platforms one name in a registry",
	.min_args = 3,
	.max_args = SIZE_MAX,
};

/* Are all that an index lists here? Of a pulled one often a single platform is. */
static bool is_whole(struct app *a, const struct descriptor *d)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(image_index) index = {0};

	if (!media_is_index(d->media_type))
		return true;
	if (store_read_blob(a->store, &d->digest, d->size, &text, LIMIT_MANIFEST_BYTES, NULL) < 0 ||
	    image_index_parse(&index, text.buf, text.len, d->media_type, d->digest.text, NULL) < 0)
		return false;
	for (size_t i = 0; i < index.n_manifests; i++)
		if (!store_has(a->store, &index.manifests[i].digest, index.manifests[i].size))
			return false;
	return true;
}

/* An image of the store by its name; else of its registry. */
static int find_image(struct app *a, const char *name, struct descriptor *out, struct error *err)
{
	AUTO(image_ref) ref = {0};

	if (image_ref_parse(&ref, name, err) < 0)
		return -1;
	if (layout_find(a->store, &ref, out, NULL) == 0 && is_whole(a, out))
		return 0;
	if (registry_fetch_tree(a->registry, a->store, &ref, out, err) < 0)
		return error_wrap(err, "image %s, which is not in the store", name);
	return 0;
}

static void print_result(const char *name, const struct descriptor *d,
			 const struct image_index *index, bool quiet)
{
	AUTO(strlist) platforms = STRLIST_INIT;
	AUTO_FREE char *list = NULL;

	for (size_t i = 0; i < index->n_manifests; i++)
		strlist_take(&platforms, platform_format(&index->manifests[i].platform));
	list = strlist_join(&platforms, ", ");
	if (quiet)
		printf("%s\n", d->digest.text);
	else
		printf("%s: digest: %s size: %" PRId64 " (%s)\n", name, d->digest.text, d->size,
		       list);
}

/* args: the verb, the index, its images. */
static int make_index(struct app *a, const struct strlist *args, bool quiet, struct error *err)
{
	bool create = strcmp(args->items[0], "create") == 0;
	AUTO_FREE struct descriptor *images = xcalloc(args->n, sizeof(*images));
	AUTO(image_ref) ref = {0};
	AUTO(image_index) index = {0};
	AUTO(descriptor) made = {0};
	size_t n = 0;
	int rc = 0;

	if (image_ref_parse(&ref, args->items[1], err) < 0)
		return -1;
	if (!ref.tag || digest_is_set(&ref.digest))
		return error_set(err, ERROR_USAGE, "%s: an index is put under a tag",
				 args->items[1]);
	while (rc == 0 && n + 2 < args->n) {
		rc = find_image(a, args->items[n + 2], &images[n], err);
		n++;
	}
	if (rc == 0)
		rc = registry_index(a->registry, a->store, &ref, images, n, create, &made, &index,
				    err);
	for (size_t i = 0; i < n; i++)
		descriptor_release(&images[i]);
	if (rc < 0)
		return error_wrap(err, "index %s", args->items[1]);
	terminal_finish(a->terminal);
	print_result(args->items[1], &made, &index, quiet);
	return 0;
}

int cmd_index(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
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
	if (strcmp(args.items[0], "create") != 0 && strcmp(args.items[0], "add") != 0)
		return error_set(err, ERROR_USAGE, "\"slipway index %s\": create or add",
				 args.items[0]);
	if (app_store(a, err) < 0 || app_progress(a, progress, quiet, err) < 0 ||
	    app_registry(a, err) < 0)
		return -1;
	return make_index(a, &args, quiet, err);
}

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "cli/cmd.h"
#include "cli/output_file.h"
#include "oci/archive.h"
#include "oci/layout.h"

static const struct command_usage usage = {
	.name = "save",
	.args = "[OPTIONS] IMAGE...",
	.summary = "Write images to an archive that docker, podman and skopeo load",
	.min_args = 1,
	.max_args = SIZE_MAX,
};

struct save_list {
	struct archive_item *items;
	size_t n;
};

static void save_list_release(struct save_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		descriptor_release(&l->items[i].descriptor);
		for (size_t k = 0; k < l->items[i].n_refs; k++)
			image_ref_release(&l->items[i].refs[k]);
		free(l->items[i].refs);
	}
	free(l->items);
}
CLEANUP_RELEASE(save_list)

static int fetch_layers(struct app *a, const struct descriptor *d, struct error *err);

/* The images that were built; those of an index that were never pulled are left out. */
static int fetch_members(struct app *a, const struct descriptor *d, struct error *err)
{
	AUTO(image_index) index = {0};
	AUTO(strbuf) text = STRBUF_INIT;

	if (store_read_blob(a->store, &d->digest, d->size, &text, LIMIT_MANIFEST_BYTES, err) < 0 ||
	    image_index_parse(&index, text.buf, text.len, d->media_type, d->digest.text, err) < 0)
		return -1;
	for (size_t i = 0; i < index.n_manifests; i++) {
		const struct descriptor *m = &index.manifests[i];

		if (media_is_manifest(m->media_type) && !m->artifact_type &&
		    store_has(a->store, &m->digest, m->size) && fetch_layers(a, m, err) < 0)
			return -1;
	}
	return 0;
}

/* What a build left in a registry has to come now. */
static int fetch_layers(struct app *a, const struct descriptor *d, struct error *err)
{
	AUTO_PTR(image) image = NULL;

	if (media_is_index(d->media_type))
		return fetch_members(a, d, err);
	/* What is no image, or half of one, is archive_save()'s to judge. */
	if (image_load(&image, a->store, d, NULL, NULL) < 0)
		return 0;
	return app_fetch_layers(a, image, err);
}

static int add_image(struct app *a, struct save_list *list, const char *text, const char *platform,
		     struct error *err)
{
	struct archive_item item = {0};
	AUTO(image_ref) ref = {0};
	AUTO_PTR(image) image = NULL;

	if (platform && app_load_image(a, text, platform, NULL, &image, err) < 0)
		return -1;
	if (image)
		descriptor_copy(&item.descriptor, &image->descriptor);
	else if (layout_find_text(a->store, text, &item.descriptor, err) < 0)
		return -1;
	if (fetch_layers(a, &item.descriptor, err) < 0) {
		descriptor_release(&item.descriptor);
		return -1;
	}
	if (image_ref_parse(&ref, text, NULL) == 0 && !digest_is_set(&ref.digest)) {
		AUTO(descriptor) named = {0};

		if (layout_find(a->store, &ref, &named, NULL) == 0) {
			item.refs = xcalloc(1, sizeof(*item.refs));
			image_ref_copy(&item.refs[item.n_refs++], &ref);
		}
	}
	list->items[list->n++] = item;
	return 0;
}

int cmd_save(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(save_list) list = {0};
	const char *output = NULL, *format = "docker", *platform = NULL;
	struct option options[] = {
		{'o', "output", OPTION_STRING, "FILE", "Write to a file instead of standard output",
		 &output},
		{0, "format", OPTION_STRING, "FORMAT",
		 "docker (an OCI layout that docker load reads too) or oci", &format},
		{0, "platform", OPTION_STRING, "OS/ARCH",
		 "Save only this platform of a multi-platform image", &platform},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);
	enum archive_kind kind = ARCHIVE_HYBRID;

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (strcmp(format, "oci") == 0)
		kind = ARCHIVE_OCI;
	else if (strcmp(format, "docker") != 0)
		return error_set(err, ERROR_USAGE, "invalid --format \"%s\": docker or oci",
				 format);
	if (!output && isatty(STDOUT_FILENO))
		return error_set(
			err, ERROR_USAGE,
			"cowardly refusing to save to a terminal: use -o FILE or redirect");
	if (app_store(a, err) < 0)
		return -1;
	list.items = xcalloc(args.n, sizeof(*list.items));
	for (size_t i = 0; i < args.n; i++)
		if (add_image(a, &list, args.items[i], platform, err) < 0)
			return -1;
	if (!output || strcmp(output, "-") == 0)
		return archive_save(a->store, list.items, list.n, kind, STDOUT_FILENO, err);
	AUTO(output_file) file = OUTPUT_FILE_INIT;

	if (output_file_open(&file, output, 0666 & ~a->env.umask, err) < 0)
		return -1;
	if (archive_save(a->store, list.items, list.n, kind, file.fd, err) < 0)
		return error_wrap(err, "%s", output);
	return output_file_commit(&file, err);
}

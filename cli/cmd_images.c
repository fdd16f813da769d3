#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "cli/cmd.h"
#include "cli/table.h"
#include "oci/layout.h"

static const struct command_usage usage = {
	.name = "images",
	.args = "[OPTIONS] [NAME[:TAG]]",
	.summary = "List images",
	.max_args = 1,
};

struct row {
	char *repository, *tag;
	struct digest digest, id;
	int64_t created, size;
};

static void row_release(struct row *r)
{
	free(r->repository);
	free(r->tag);
}

CLEANUP_RELEASE(row)

/* The name split as docker shows it: "127.0.0.1:5000/app" and "demo". */
static void split_name(struct row *r, const char *name)
{
	AUTO(image_ref) ref = {0};
	AUTO_FREE char *familiar = NULL;

	if (!name || image_ref_parse(&ref, name, NULL) < 0) {
		r->repository = xstrdup("<none>");
		r->tag = xstrdup("<none>");
		return;
	}
	r->tag = xstrdup(ref.tag ? ref.tag : "<none>");
	free(ref.tag);
	ref.tag = NULL;
	ref.digest = (struct digest){0};
	familiar = image_ref_familiar(&ref);
	r->repository = xstrdup(familiar);
}

/* The image ID as docker shows it: twelve digits, or the whole digest. free() */
static char *short_id(const struct digest *id, bool no_trunc)
{
	if (!digest_is_set(id))
		return xstrdup("");
	return no_trunc ? xstrdup(id->text) : xstrndup(digest_hex(id), 12);
}

static void fill_image(struct app *a, struct row *r, const struct descriptor *d)
{
	AUTO_PTR(image) image = NULL;

	if (image_load_any(&image, a->store, d, NULL) < 0)
		return;
	r->id = image->manifest.config.digest;
	for (size_t i = 0; i < image->manifest.n_layers; i++)
		r->size += image->manifest.layers[i].size;
	if (!image->config.created || time_parse(image->config.created, &r->created, NULL) < 0)
		r->created = 0;
}

static int newest_first(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	int by_name;

	if (a->created != b->created)
		return a->created < b->created ? 1 : -1;
	by_name = strcmp(a->repository, b->repository);
	return by_name ? by_name : strcmp(a->tag, b->tag);
}

static void print_table(const struct row *rows, size_t n, bool digests, bool no_trunc)
{
	AUTO(table) t = {.columns = digests ? 6 : 5};
	const char *heads[] = {"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", NULL};
	const char *heads_digests[] = {"REPOSITORY", "TAG",     "DIGEST",
				       "IMAGE ID",   "CREATED", "SIZE"};

	table_add(&t, digests ? heads_digests : heads);
	for (size_t i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		AUTO(strbuf) size = STRBUF_INIT;
		AUTO_FREE char *id = short_id(&r->id, no_trunc);
		char ago[TIME_TEXT_SIZE] = "N/A";

		strbuf_add_size(&size, r->size);
		if (r->created)
			time_format_ago(time_now() - r->created, ago);
		if (digests)
			table_add(&t, (const char *[]){r->repository, r->tag, r->digest.text, id,
						       ago, size.buf});
		else
			table_add(&t, (const char *[]){r->repository, r->tag, id, ago, size.buf});
	}
	table_print(&t);
}

/* A filter matches the repository, or repository and tag. */
static bool wanted(const struct row *r, const char *filter)
{
	AUTO(row) want = {0};

	if (!filter)
		return true;
	split_name(&want, filter);
	if (strcmp(want.repository, r->repository) != 0)
		return false;
	return !strrchr(path_base(filter), ':') || strcmp(want.tag, r->tag) == 0;
}

int cmd_images(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(image_index) index = {0};
	bool quiet = false, digests = false, no_trunc = false, all = false;
	struct option options[] = {
		{0, "format", OPTION_REFUSED, NULL, "there are no templates; -q prints IDs alone",
		 NULL},
		{'f', "filter", OPTION_REFUSED, NULL, "give a name, as in: slipway images app",
		 NULL},
		{'a', "all", OPTION_FLAG, NULL,
		 "Accepted for docker's sake: there are no hidden images", &all},
		{0, "digests", OPTION_FLAG, NULL, "Show the manifest digests", &digests},
		{0, "no-trunc", OPTION_FLAG, NULL, "Do not shorten IDs", &no_trunc},
		{'q', "quiet", OPTION_FLAG, NULL, "Print only IDs", &quiet},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);
	struct row *rows;
	size_t n = 0;

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (app_store(a, err) < 0 || layout_read(a->store, &index, err) < 0)
		return -1;
	rows = xcalloc(index.n_manifests + 1, sizeof(*rows));
	for (size_t i = 0; i < index.n_manifests; i++) {
		const struct descriptor *d = &index.manifests[i];
		const char *name = strmap_get(&d->annotations, "org.opencontainers.image.ref.name");
		struct row *r = &rows[n];

		split_name(r, name);
		if (!wanted(r, args.n ? args.items[0] : NULL)) {
			row_release(r);
			*r = (struct row){0};
			continue;
		}
		r->digest = d->digest;
		fill_image(a, r, d);
		n++;
	}
	qsort(rows, n, sizeof(*rows), newest_first);
	for (size_t i = 0; quiet && i < n; i++) {
		AUTO_FREE char *id = short_id(&rows[i].id, no_trunc);

		printf("%s\n", id);
	}
	if (!quiet)
		print_table(rows, n, digests, no_trunc);
	for (size_t i = 0; i < n; i++)
		row_release(&rows[i]);
	free(rows);
	return 0;
}

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "cli/cmd.h"
#include "oci/prune.h"

static const struct command_usage usage = {
	.name = "df",
	.args = "",
	.summary = "Show what the state folder holds",
};

static void print_row(const char *name, uint64_t count, uint64_t bytes)
{
	AUTO(strbuf) size = STRBUF_INIT;

	strbuf_add_size(&size, (int64_t)bytes);
	printf("%-20s %8" PRIu64 "   %s\n", name, count, size.buf);
}

int cmd_df(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(strbuf) reclaimable = STRBUF_INIT;
	struct disk_usage usage_now = {0};
	int parsed = options_parse(&usage, NULL, 0, argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (app_store(a, err) < 0 || store_usage(a->store, &usage_now, err) < 0)
		return -1;
	printf("%-20s %8s   SIZE\n", "TYPE", "COUNT");
	print_row("Images", usage_now.images, usage_now.image_bytes);
	print_row("Blobs", usage_now.blobs, usage_now.blob_bytes);
	print_row("Extracted layers", usage_now.layers, usage_now.layer_bytes);
	print_row("Build cache", usage_now.cache_entries, usage_now.cache_bytes);
	print_row("Unfinished", usage_now.unfinished, usage_now.ingest_bytes);
	strbuf_add_size(&reclaimable, (int64_t)usage_now.reclaimable_bytes);
	printf("\n%s can be freed by 'slipway prune -a'. State folder: %s\n", reclaimable.buf,
	       store_root(a->store));
	return 0;
}

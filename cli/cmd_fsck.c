#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "cli/cmd.h"
#include "oci/prune.h"

static const struct command_usage usage = {
	.name = "fsck",
	.args = "[OPTIONS]",
	.summary = "Verify every blob and reference of the store",
};

int cmd_fsck(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(strbuf) size = STRBUF_INIT;
	struct fsck_result result = {0};
	bool repair = false;
	struct option options[] = {
		{0, "repair", OPTION_FLAG, NULL,
		 "Set corrupt blobs aside, remove names that point nowhere, rebuild the rest",
		 &repair},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (app_store(a, err) < 0 || store_fsck(a->store, repair, a->reporter, &result, err) < 0)
		return -1;
	strbuf_add_size(&size, (int64_t)result.bytes);
	printf("%" PRIu64 " blobs checked (%s), %" PRIu64 " problems", result.checked, size.buf,
	       result.problems);
	if (repair)
		printf(", %" PRIu64 " repaired", result.repaired);
	printf("\n");
	if (result.problems > result.repaired)
		return error_set(err, ERROR_CORRUPT, "the store has problems%s",
				 repair ? " that could not be repaired"
					: ": run 'slipway fsck --repair'");
	return 0;
}

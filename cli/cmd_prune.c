#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/time.h"
#include "cli/cmd.h"
#include "oci/prune.h"

static const struct command_usage usage = {
	.name = "prune",
	.args = "[OPTIONS]",
	.summary = "Remove what no image needs",
};

/* Asks as docker does; without a terminal the answer is no, so scripts say -f. */
static bool confirmed(bool all)
{
	char answer[16];

	printf("WARNING! This will remove:\n  - all blobs that no image or cache record needs\n"
	       "  - all images without a name\n%s\nAre you sure you want to continue? [y/N] ",
	       all ? "  - the build cache: records, extracted layers, mount caches\n" : "");
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int remove_tree(void *arg, const char *path, struct error *err)
{
	struct app *a = arg;

	if (app_sandbox(a, err) < 0)
		return -1;
	return sandbox_remove_tree(a->sandbox, path, err);
}

int cmd_prune(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	AUTO(strbuf) size = STRBUF_INIT;
	const char *grace = NULL;
	bool all = false, force = false;
	struct option options[] = {
		{'a', "all", OPTION_FLAG, NULL, "Also the build cache", &all},
		{'f', "force", OPTION_FLAG, NULL, "Do not ask", &force},
		{0, "grace", OPTION_STRING, "DURATION", "Keep blobs younger than this (default 1h)",
		 &grace},
	};
	struct prune_options o = {
		.grace = 3600,
		.remove_tree = remove_tree,
		.remove_arg = a,
		.reporter = a->reporter,
	};
	struct prune_result result = {0};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (grace) {
		int64_t ns;

		if (time_parse_duration(grace, &ns, err) < 0 || ns < 0)
			return error_set(err, ERROR_USAGE,
					 "invalid --grace \"%s\": a duration like 30m", grace);
		o.grace = ns / 1000000000;
	}
	if (!force && !confirmed(all))
		return error_set(err, ERROR_CANCELLED, "nothing was removed");
	o.all = true;
	o.build_cache = all;
	if (app_store(a, err) < 0)
		return -1;
	/* our own lease must not protect what we are here to remove */
	lease_free(a->lease);
	a->lease = NULL;
	if (store_prune(a->store, &o, &result, err) < 0)
		return -1;
	strbuf_add_size(&size, (int64_t)result.bytes);
	printf("Deleted %" PRIu64 " images without a name, %" PRIu64 " blobs, %" PRIu64
	       " cache records, %" PRIu64 " extracted layers\n",
	       result.images, result.blobs, result.records, result.layers);
	if (result.young)
		printf("Kept %" PRIu64
		       " blobs for being younger than %s; --grace 0s removes them too\n",
		       result.young, grace ? grace : "1h");
	if (result.in_use)
		printf("Kept what %" PRIu64 " running commands may need\n", result.in_use);
	printf("Total reclaimed space: %s\n", size.buf);
	if (result.failed)
		return error_set(err, ERROR_SYSTEM, "%" PRIu64 " folders could not be removed",
				 result.failed);
	return 0;
}

/* The options of build: one table for parsing, usage and help. */
#pragma once

#include "cli/build_steps.h"

struct build_flags {
	struct strlist tags, args, contexts, secrets, labels, annotations, outputs;
	struct strlist cache_from, cache_to, no_cache_filter, platforms;
	struct step_flags steps;
	const char *file, *target, *iidfile, *metadata_file, *progress;
	const char *compression, *provenance, *sbom, *call, *format;
	int64_t timestamp;
	bool no_cache, pull, push, load, quiet, explain, no_stat_cache, check, rm;
};

void build_flags_release(struct build_flags *f);
/* As options_parse(); args: the context. f is initialised to zero. */
int build_flags_parse(struct build_flags *f, struct app *a, int argc, char **argv,
		      struct strlist *args, struct error *err);

CLEANUP_RELEASE(build_flags)

/*
 * What the stages of one build share. build.c fills it before the first stage starts; after that only what is under
 * the lock changes.
 */
#pragma once

#include <pthread.h>

#include "builder/base_image.h"
#include "builder/build.h"
#include "builder/cache_remote.h"
#include "dockerfile/graph.h"

struct stage;

/* The file as one platform of the result reads it: variables and images differ, and with them what is needed. */
struct build_target {
	struct build *build;
	struct platform platform;
	struct dockerfile *file;
	struct strmap globals;
	struct stage_bases bases;
	struct graph_plan plan;
	struct stage **stages; /* one a stage of the file; NULL: not needed */
};

struct build {
	const struct build_options *options;
	struct store *store;
	struct build_target *targets; /* one a platform of the result */
	size_t n_targets;
	struct platform host_platform;
	const struct strmap *build_args; /* the options', or own_args; may be NULL */
	struct strmap own_args;          /* with SOURCE_DATE_EPOCH as the number that was meant */
	int64_t epoch;                   /* SOURCE_DATE_EPOCH, < 0: not set */
	int64_t folder_mtime;            /* of folders that slipway makes */
	struct layer_options layer_options;
	struct named_contexts contexts;
	struct base_images images;
	struct remote_caches *remote; /* NULL: none */
	struct group *group;          /* of stages at work (own_group); NULL: one after the other */
	struct group own_group;

	pthread_mutex_t lock;
	pthread_cond_t key_done;
	struct strbuf certificates; /* the host's for RUN, once a step needed them: fixed then */
	struct strlist keys; /* of steps being made: a second stage waits for the same step */
	struct strmap
		made; /* keys of the steps that this build made: not made twice, whatever no_cache says */
	size_t steps, cached;
	bool stopping; /* a stage failed: failure is why (stop.h) ... */
	bool killing;  /* ... and the processes of others are ended */
	struct error failure;
	int *processes; /* pidfds of steps that run */
	size_t n_processes, cap_processes;
};

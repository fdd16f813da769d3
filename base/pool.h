/*
 * The only place where slipway makes threads. A pool runs jobs on up to n
 * threads, started lazily; a group collects jobs, keeps the first error and
 * waits. Workers live until pool_free(), so a worker may start children that
 * die with their parent thread.
 *
 *	struct group g;
 *	group_init(&g, pool);
 *	group_run(&g, fn, arg);           fn(arg, err) on some thread
 *	if (group_wait(&g, err) < 0) ...  after all jobs ended
 *
 * Jobs that wait for other jobs of the same pool can deadlock it: use a pool of their own.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct pool;

struct pool *pool_new(size_t n_threads);
void pool_free(struct pool *p); /* waits for running jobs */
size_t pool_threads(const struct pool *p);
/* CPUs this process may use (sched_getaffinity), at least 1. */
size_t pool_cpus(void);

struct group {
	struct pool *pool;
	pthread_mutex_t lock;
	pthread_cond_t done;
	size_t running;
	bool failed; /* a job failed: jobs not yet started are skipped */
	struct error err;
};

void group_init(struct group *g, struct pool *p);
void group_run(struct group *g, int (*fn)(void *arg, struct error *err), void *arg);
/*
 * The same, on a thread that begins with it at once: for jobs that last long, or that others wait for. ERROR_SYSTEM, and
 * nothing runs, when no thread is idle and none can be made.
 */
int group_run_now(struct group *g, int (*fn)(void *arg, struct error *err), void *arg,
		  struct error *err);
bool group_failed(struct group *g);
/* Waits for all jobs, releases the group, returns the first error. */
int group_wait(struct group *g, struct error *err);

CLEANUP_FREE(pool)

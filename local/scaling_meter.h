/*
 * Target tracking (Application Auto Scaling User Guide): how busy the tasks of a service are is measured every few seconds, and its desired count
 * follows its policies: out at once, in slowly. What was measured is in memory alone; what was decided is in the documents of targets
 * (STATE_SCALABLE_TARGETS) and policies (STATE_SCALING_POLICIES), whose "slipway" holds
 *
 *	target    "activities" (newest first), "unclamped": its bounds changed and the count has not followed yet
 *	policy    "out_at" and "in_at", seconds since 1970
 *
 *	scaling_tasks(m, state, now, &ids)       with the state's lock: which tasks to measure
 *	runner_task_usage()                      without
 *	scaling_add(m, id, cpu_ns, memory, now)
 *	scaling_decide(m, &reconcile, err)       with the lock again
 */
#pragma once

#include <stdint.h>

#include "base/strlist.h"
#include "local/reconcile.h"

/* Seconds between two measurements; so many make an average. */
#define SCALING_PERIOD  5.0
#define SCALING_SAMPLES 3
/* So many averages in a row under nine tenths of the target before a task goes. */
#define SCALING_CALM 6

struct scaling_meter;

struct scaling_meter *scaling_meter_new(double period);
void scaling_meter_free(struct scaling_meter *m);
/* Ids of running tasks of services with a policy; none before the period is over. Sets r->next when there is a policy at all. */
void scaling_tasks(struct scaling_meter *m, struct reconcile *r, struct strlist *ids);
/* What a task has used since it started. units: of CPU that are its share, 1024 a core; memory_mib: likewise; both > 0. */
void scaling_add(struct scaling_meter *m, const char *task_id, int64_t cpu_ns, int64_t memory_bytes,
		 double now);
/* Changes desired counts. ERROR_SYSTEM when the state cannot be written. */
int scaling_decide(struct scaling_meter *m, struct reconcile *r, struct error *err);

/* A count of which a policy's average asks: as many as bring it to the target. */
int64_t scaling_wanted(int64_t count, double average, double target);

CLEANUP_FREE(scaling_meter)

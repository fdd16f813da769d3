/*
 * Control groups, as far as this machine lets us: a limit on processes for a step that asks for one, and whether the
 * kernel killed something for memory while a step ran.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "sandbox/order_block.h"

#define CGROUP_FDS 2

struct cgroup;
/* Never fails: without a way to set the limit *out is NULL and a warning says so. */
void cgroup_open(struct cgroup **out, int64_t pids_max, struct reporter *r);
/* Orders slipway-init to enter it; fills fds (CGROUP_FDS of them), returns their number. NULL: 0. */
size_t cgroup_orders(struct cgroup *c, struct order_block *orders, int *fds);
/* Ends what is left in it and removes it. */
void cgroup_free(struct cgroup *c);

struct oom_watch {
	uint64_t before;
};
void oom_watch_start(struct oom_watch *w);
bool oom_watch_hit(const struct oom_watch *w); /* the kernel killed for memory since the start */

CLEANUP_FREE(cgroup)

/* Control groups, as far as this machine lets us: a limit on processes for a step that asks for one. */
#pragma once

#include <stdint.h>

#include "base/log.h"
#include "sandbox/order_block.h"

#define CGROUP_FDS 2

struct cgroup;
/* Never fails: without a way to set the limit *out is NULL and a warning says so. */
void cgroup_open(struct cgroup **out, int64_t pids_max, struct reporter *r);
/* Orders slipway-init to enter it; fills fds (CGROUP_FDS of them), returns their number. NULL: 0. */
size_t cgroup_orders(struct cgroup *c, struct order_block *orders, int *fds);
/* The file that counts what the kernel killed in it for want of memory; NULL: there is none. free() */
char *cgroup_memory_events(const struct cgroup *c);
/* The same of the group that slipway is in. top: "", or a folder that stands for "/". */
char *cgroup_own_memory_events(const char *top);
/* Ends what is left in it and removes it. */
void cgroup_free(struct cgroup *c);

CLEANUP_FREE(cgroup)

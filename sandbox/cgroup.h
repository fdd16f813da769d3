/*
 * Control groups, as far as this machine lets us: limits for a step, or for several steps together.
 *
 *	unmet = cgroup_open(&all, NULL, &limits);      a group for others
 *	unmet = cgroup_open(&one, all, &limits);       one in it, which processes enter
 *	cgroup_free(one); cgroup_free(all);
 *
 * Version 1 (a tree for each controller) as root, version 2 where the group above ours, or one further up, was delegated.
 */
#pragma once

#include <stdint.h>

#include "base/log.h"
#include "sandbox/order_block.h"

#define CGROUP_FDS 4

/* Each 0: none. */
struct cgroup_limits {
	int64_t pids;   /* processes */
	int64_t memory; /* bytes */
	int64_t cpu;    /* units of 1/1024 CPU, at most */
};

enum cgroup_limit { CGROUP_PIDS = 1, CGROUP_MEMORY = 2, CGROUP_CPU = 4 };

struct cgroup;
/*
 * Never fails: gives the limits that are not enforced, a set of enum cgroup_limit. *out is NULL when there is no group at all. within: one that
 * was opened before and outlives it, or NULL.
 */
unsigned int cgroup_open(struct cgroup **out, const struct cgroup *within,
			 const struct cgroup_limits *limits);
/* Orders slipway-init to enter it; fills fds (CGROUP_FDS of them), returns their number. NULL: 0. */
size_t cgroup_orders(struct cgroup *c, struct order_block *orders, int *fds);
/* The file that counts what the kernel killed in it for want of memory; NULL: there is none. free() */
char *cgroup_memory_events(const struct cgroup *c);
/* The same of the group that slipway is in. top: "", or a folder that stands for "/". */
char *cgroup_own_memory_events(const char *top);
/* Ends what is left in it and removes it. */
void cgroup_free(struct cgroup *c);
/* Removes groups of processes of slipway that are dead. */
void cgroup_sweep(void);

CLEANUP_FREE(cgroup)

/* A run without mounts: what rootfs_run.c does then instead of giving orders to mount. */
#pragma once

#include "sandbox/placement.h"
#include "sandbox/rootfs_private.h"

struct agent_proxy;

/* ERROR_UNSUPPORTED for what a step cannot have without namespaces and mounts. */
int rootfs_place_open(struct rootfs *fs, const struct run_spec *spec, struct placement **out,
		      struct error *err);
/* i: number of the mount in this run. filled: the folder of a cache was made just now. */
int rootfs_place_mount(struct rootfs *fs, struct placement *p, struct agent_proxy *agents,
		       const struct sandbox_mount *m, size_t i, bool filled, struct error *err);
/* When everything is in its place. */
int rootfs_place_orders(struct rootfs *fs, struct placement *p, struct order_block *orders,
			struct error *err);
/* When no process of the step is left. */
int rootfs_place_end(struct rootfs *fs, struct placement *p, struct error *err);

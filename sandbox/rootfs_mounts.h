/* The mounts of one run as orders: what each shows, and what has to be made for that first. */
#pragma once

#include "sandbox/rootfs_private.h"

struct agent_proxy;
struct placement;

struct rootfs_mounts {
	struct rootfs *fs;
	struct order_block *orders;
	unsigned int number;         /* of the run in this root */
	struct placement *placement; /* without mounts: they go there instead */
	struct agent_proxy *agents;
};

/* i: which mount of the run it is. */
int rootfs_mounts_add(const struct rootfs_mounts *r, const struct sandbox_mount *m, size_t i,
		      struct error *err);
/* The folders of extracted layers, topmost first, as repeated records. */
void rootfs_lowers_add(struct rootfs *fs, struct order_block *orders, uint32_t tag,
		       const struct rootfs_layer *layers, const struct digest *chains, size_t n);

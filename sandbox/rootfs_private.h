/* A root file system, as rootfs.c makes it and run.c runs in it. */
#pragma once

#include "sandbox/rootfs.h"
#include "sandbox/sandbox_private.h"

struct rootfs {
	struct sandbox *sb;
	enum sandbox_mode mode;
	struct descriptor *descriptors;
	struct digest *diff_ids, *chains;
	struct rootfs_layer *layers; /* views of the two above */
	size_t n, cap;

	struct run_folder folder; /* of what is written; none until the first run */
	char *upper;              /* the change set, in there; NULL until the first run */
	bool fresh;               /* nothing ran in it yet */
};

/* The folder of the topmost layer that is mounted; NULL without layers. free() */
char *rootfs_top_folder(const struct rootfs *fs);
/* Makes the writable folder unless there is one. */
int rootfs_prepare(struct rootfs *fs, struct error *err);

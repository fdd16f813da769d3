/*
 * The folder of one root file system under ingest/: what it writes to, what its overlays work in, and "mnt", the
 * anchor of its mounts. Locked as long as its owner lives; one of a dead owner is swept. A folder that was emptied
 * serves the sandbox's next root: making and removing folders is much of what a short step costs.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct sandbox;

struct run_folder {
	char *path; /* NULL: none */
	int fd;     /* locked: its owner is alive */
	unsigned int n_runs;
	/* runs so far: each has names of its own, for the mounts of the one before may still be on their way out */
};
#define RUN_FOLDER_INIT  \
	{                \
		.fd = -1 \
	}

/* A new empty folder of a random name under ingest/, scattered (fs_scatter()); swept as theirs are. *path is free()d by the caller. */
int run_folder_new(struct sandbox *sb, char **path, struct error *err);
/* Makes one, or takes the one that was kept. A full disk is ERROR_SYSTEM. */
int run_folder_open(struct run_folder *f, struct sandbox *sb, struct error *err);
/* Removes what is in it; keep: the folder itself stays for the next one. What cannot be removed is swept by a later process. */
void run_folder_close(struct run_folder *f, struct sandbox *sb, bool keep);
/* Removes those of processes that were killed. */
void run_folder_sweep(struct sandbox *sb);

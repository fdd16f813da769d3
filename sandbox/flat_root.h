/*
 * A whole root file system in a folder of its own, for where no overlay can be mounted: layers are extracted onto each
 * other, and a record tells what each file was, so that what a step changed can be told. Between the steps of a
 * stage it is kept: the next step goes on with it instead of having its own made.
 *
 *	flat_root_open(&root, sb, mode, layers, n, chains, err);    made, or taken over from a step before
 *	...run in root->path...
 *	flat_root_commit(root, &job, &layer, notes, err);
 *	flat_root_keep(root, &chain);                               or flat_root_free(root)
 */
#pragma once

#include "sandbox/sandbox_private.h"
#include "sandbox/work.h"

struct flat_root {
	struct flat_root *next;
	struct sandbox *sb;
	enum sandbox_mode mode;
	struct run_folder folder;
	char *path;          /* "FOLDER/root" */
	char *record;        /* what is in it by the layers alone */
	struct digest chain; /* of those layers; empty: none */
};

/* chains[i] is the chain ID of the first i + 1 layers. */
int flat_root_open(struct flat_root **out, struct sandbox *sb, enum sandbox_mode mode,
		   const struct rootfs_layer *layers, size_t n, const struct digest *chains,
		   struct error *err);
/* Somebody may go on with it: it is what the layers of chain make. Takes it over. */
void flat_root_keep(struct flat_root *root, const struct digest *chain);
void flat_root_free(struct flat_root *root);
/* Frees the kept ones. */
void flat_roots_end(struct sandbox *sb);

CLEANUP_FREE(flat_root)

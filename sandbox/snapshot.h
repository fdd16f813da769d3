/*
 * The change set of a RUN as layer entries. The writable folder of an overlay mount is the change set: what is in it
 * was made or changed, character devices 0:0 and certain attributes say what was removed (kernel documentation,
 * filesystems/overlayfs; OCI image-spec 1.1, layer.md).
 *
 * Memory is one list of names a folder on the way down, and one path a file with several links.
 */
#pragma once

#include <sys/stat.h>

#include "base/strlist.h"
#include "oci/layer_writer.h"
#include "oci/tree.h"

struct snapshot_options {
	bool userns; /* overlay marks are user.overlay.*, not trusted.overlay.* */
	bool single; /* owners are those of the layers below, 0:0 for what is new */
	const struct stat *lower_root; /* NULL: there is no layer below */
	/* The merged view of the layers below, asked for only when needed. NULL: none, as with no layers. */
	int (*below)(void *arg, struct tree **out, struct error *err);
	void *arg;
	struct strlist *notes; /* sentences about what cannot be in a layer; may be NULL */
};

/* Adds the entries to w in their order. Sockets are removed from the folder and noted. */
int snapshot_overlay(int upperfd, const struct snapshot_options *o, struct layer_writer *w,
		     struct error *err);

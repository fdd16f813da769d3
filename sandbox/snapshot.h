/*
 * The change set of a RUN as layer entries. Over an overlay mount the writable folder of an overlay mount is the change set: what is in it
 * was made or changed, character devices 0:0 and certain attributes say what was removed (kernel documentation,
 * filesystems/overlayfs; OCI image-spec 1.1, layer.md). In a plain folder it is the difference between what the folder
 * was, which a record of every file's status tells, and what it is.
 *
 * Memory is one list of names a folder on the way down, and one path a file with several links.
 */
#pragma once

#include <sys/stat.h>

#include "base/strlist.h"
#include "oci/layer_writer.h"
#include "oci/tree.h"
#include "sandbox/snapshot_owners.h"

struct snapshot_options {
	bool userns; /* overlay marks are user.overlay.*, not trusted.overlay.* */
	bool single; /* owners are those noted, else those of the layers below, 0:0 for what is new */
	struct owners
		*owners; /* with single: of files that cannot note it themselves; may be NULL */
	const struct stat *lower_root; /* NULL: there is no layer below */
	/* The merged view of the layers below, asked for only when needed. NULL: none, as with no layers. */
	int (*below)(void *arg, struct tree **out, struct error *err);
	void *arg;
	struct strlist *notes; /* sentences about what cannot be in a layer; may be NULL */
	/* snapshot_copy(): paths whose change of status alone (ctime) was slipway's doing; NULL: none */
	const struct strmap *pardoned;
};

/* Adds the entries to w in their order. Sockets are removed from the folder and noted. */
int snapshot_overlay(int upperfd, const struct snapshot_options *o, struct layer_writer *w,
		     struct error *err);

/* Writes the status of every file below rootfd to a new file: what snapshot_copy() compares with later. */
int snapshot_record(int rootfd, const char *file, struct error *err);
/*
 * Adds what differs from the record before to w, and writes the record after. A file counts as unchanged when mode, owner, size, device
 * number, inode, mtime and ctime are what they were; whoever starts a change within the clock tick of the record must
 * wait for the next one (snapshot_settle()). Sockets are removed from the folder and noted.
 */
int snapshot_copy(int rootfd, const struct snapshot_options *o, const char *before,
		  const char *after, struct layer_writer *w, struct error *err);
/* Returns when changes get another time than those made so far: within one tick of the kernel's clock. */
void snapshot_settle(void);

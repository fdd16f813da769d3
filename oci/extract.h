/*
 * Extracts one layer into a folder that will be a lower folder of an overlay mount: whiteouts become character
 * devices 0:0, opaque markers the overlay's xattr, parents that the layer does not carry take their metadata from
 * the layers below. Every path is opened below the folder's descriptor; parents resolve through symbolic links
 * inside the root of the merged view, never outside.
 */
#pragma once

#include "oci/tree.h"

enum extract_owner {
	EXTRACT_OWNER_REAL, /* chown to the entry's ids (root, or root of a user namespace) */
	EXTRACT_OWNER_NONE, /* single-uid: everything is ours, owners are noted with the files (owner_mark.h) */
};

struct extract_options {
	enum extract_owner owner;
	bool user_xattr; /* user.overlay.opaque instead of trusted.overlay.opaque */
	bool no_devices; /* device nodes become empty files (no CAP_MKNOD, or no mount to forbid their use) */
	bool flat; /* no overlay: apply whiteouts by removing (for a plain root folder) */
	/* With EXTRACT_OWNER_NONE: the file for owners of what takes no attribute; NULL: nowhere. */
	const char *records;
};

/*
 * below: the merged view of the layers under this one (may be an empty tree). Also writes the layer's path index when
 * it is missing. Verifies digest and diff ID; on error the folder's content is undefined (the caller removes it).
 */
int layer_extract(struct store *s, const struct descriptor *blob, const struct digest *diff_id,
		  int dirfd, struct tree *below, const struct extract_options *o,
		  struct error *err);

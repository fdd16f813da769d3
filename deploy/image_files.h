/* Which files differ between the merged views of two images, gathered into as few lines as are asked for. */
#pragma once

#include "base/strlist.h"
#include "oci/tree.h"

struct image_files {
	struct strlist lines;
	size_t n_more; /* lines that were left out */
	size_t added, removed, changed;
};

/* Types, bytes, modes, owners, links and xattrs count, times do not. */
void image_files_compare(struct image_files *out, struct tree *old, struct tree *now, size_t lines);
void image_files_release(struct image_files *f);

CLEANUP_RELEASE(image_files)

/* What a context's tar said of a folder or file, where the unpacked one differs: no rights for us, times that unpacking changes. */
#pragma once

#include "builder/context.h"

struct context_kept {
	char *path;   /* as the walk sees it, links resolved */
	size_t order; /* in the tar: the last member of a path decides */
	bool is_dir;
	mode_t mode;
	int64_t mtime;
};

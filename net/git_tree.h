/* A checked-out working tree, made fit for a layer: without git's own files, with times that only depend on the commit. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct git_tree_options {
	bool keep_git_dir; /* else .git of the repository and of each submodule goes */
	bool has_mtime;
	int64_t mtime; /* of every file, link and folder, .git left out */
};

int git_tree_finish(const char *folder, const struct git_tree_options *o, struct error *err);

/*
 * Copies of files and folders with their metadata: content by reflink where the file system has it, else by the kernel's copy.
 * Never by hard link, since what is written to a copy must not show in its source.
 */
#pragma once

#include "base/error.h"

/*
 * Copies what is open as from (O_PATH is enough), a folder with all below it, to the new name dirfd/name. Mode, owner, times,
 * extended attributes and hard links among the files are kept; sockets are left out.
 */
int copy_tree(int from, int dirfd, const char *name, struct error *err);

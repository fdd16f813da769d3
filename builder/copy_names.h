/* What names there are where COPY and ADD look for their sources: in the context, or in an image. */
#pragma once

#include "builder/copy.h"

/* Adds the names in a folder ("" is the root), sorted; none when it is not a folder. */
void copy_list_names(const struct copy_request *r, const char *dir, struct strlist *names);
/* The links of the path's folders are followed inside the root, one at its end is not. */
bool copy_is_folder(const struct copy_request *r, const char *path);
/*
 * The path that a missing one was meant to be: one whose first wrong name has a near one beside it that is not ignored, or the
 * same path one folder down. NULL: nothing is near; free().
 */
char *copy_near_path(const struct copy_request *r, const char *path);

/* A program that exists only in memory: nobody can change it on its way, and no folder is needed that allows programs. */
#pragma once

#include "base/error.h"

/* A sealed file with these bytes, close-on-exec, for exec through /proc/self/fd. -1 on error; the caller closes it. */
int memory_program_make(const char *name, const void *bytes, size_t len, struct error *err);

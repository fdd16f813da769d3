/* Linux capabilities by their names, as sets of bits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Adds "SYS_PTRACE", "CAP_SYS_PTRACE" or "ALL" to the set; false: there is none of that name. */
bool capability_add(uint64_t *set, const char *name);

/* Resource limits by the names that docker and ECS give them. */
#pragma once

#include "sandbox/rootfs.h"

/* Fills name (static) and resource for "nofile" and the like; false: there is none of that name. */
bool resource_limit_find(struct sandbox_limit *out, const char *name);
/* Up to NULL, sorted. */
extern const char *const resource_limit_names[];

/* The last part of a build: the image of the target stage. */
#pragma once

#include "builder/build_state.h"

/* Brings the layers that are still missing, then writes config and manifest. */
int build_finish(struct build *b, struct image **out, struct error *err);

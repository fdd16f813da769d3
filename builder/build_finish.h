/* The end of a build: from the target's stage to an image in the store, and from several images to an index. */
#pragma once

#include "builder/build_state.h"

/* Brings the layers that are still missing, then writes config and manifest. */
int build_finish(struct build_target *t, struct image **out, struct error *err);
/* Writes the index of the result's images, in their order (OCI image-spec 1.1, image-index.md), and fills its descriptor. */
int build_finish_index(const struct build *b, struct build_result *r, struct error *err);

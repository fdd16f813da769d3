/* Looking into images whose layers may be absent from the store. */
#pragma once

#include "oci/image.h"
#include "oci/tree.h"

/* An inflated layer of this size takes about a second to go through. */
#define LOOK_CHEAP_LAYER (256ll << 20)

/* 1: the layer's path index is there now, 0: neither index nor blob is in the store, -1: damaged. */
int image_look_layer(struct store *s, const struct image *image, size_t layer, struct error *err);
/* Stacks the layers from..n-1; *out NULL, and 0 returned, when one of them is not here. */
int image_look_tree(struct tree **out, struct store *s, const struct image *image, size_t from,
		    struct error *err);
/*
 * A small file: 1 read, 0 when it does not exist, is longer than limit, or its layer is not here or not cheap to go through; -1.
 * first: the image's layer that is the tree's first.
 */
int image_look_file(struct store *s, struct tree *t, const struct image *image, size_t first,
		    const char *path, size_t limit, struct strbuf *out, struct error *err);

/* The merged view of a whole image. */
#pragma once

#include "oci/image.h"
#include "oci/tree.h"

/* Layers must be in the store; their path indexes are made where they are missing. */
int image_tree(struct tree **out, struct store *s, const struct image *image, struct error *err);

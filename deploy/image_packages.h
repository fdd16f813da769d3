/* Which packages an image has, as far as files that are read fast say so: dpkg's, apk's, and Python's dist-info folders. */
#pragma once

#include "oci/image.h"
#include "oci/tree.h"

/*
 * Adds NAME -> VERSION. first: the image's layer that is the tree's first. What is not readable here (its layer is absent or very large)
 * adds nothing. ERROR_CORRUPT of a damaged layer.
 */
int image_packages_read(struct strmap *out, struct store *s, struct tree *t,
			const struct image *image, size_t first, struct error *err);
/* "+ NAME VERSION", "- NAME VERSION", "~ NAME OLD -> NEW", by name. */
void image_packages_compare(const struct strmap *old, const struct strmap *now,
			    struct strlist *out);

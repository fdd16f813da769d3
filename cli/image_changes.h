/* What changes in an image by a deploy: the image that a task definition names, compared with another one. */
#pragma once

#include "cli/app.h"

/*
 * The image that a task definition calls so, when the store has it: by its digest, under whatever name. fetch: else its manifest and
 * configuration come from the registry, no layer. platform: NULL: the host's, else any. *out NULL: it is not here.
 */
int image_changes_find(struct app *a, const char *name, const struct platform *platform, bool fetch,
		       struct image **out, struct error *err);
/* Lines as deploy/image_diff.h has them, few enough to read. */
int image_changes_list(struct app *a, const struct image *old, const struct image *now,
		       struct strlist *out, struct error *err);

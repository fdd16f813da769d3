/* What the repositories of the local target hold, for the status page. */
#pragma once

#include "base/json.h"
#include "oci/store.h"

#define STATUS_IMAGES 50 /* of a repository: the newest */

/* An HTTP entity tag of what the repositories hold, which reads none of it; free(). */
char *status_images_tag(struct store *s, const struct strlist *repositories);
/*
 * {"repositories": [{"name", "images": [{"digest", "tags", "size", "pushedAt"}], "leftOut"}]}, the newest first. size is in bytes: the config and
 * layers, of an index those of all it names; what an index names is no image of its own unless it has a tag. A new reference; NULL: ERROR_SYSTEM.
 */
json_t *status_images(struct store *s, const struct strlist *repositories, struct error *err);

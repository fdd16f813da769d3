/*
 * An index under a tag that several clients write at the same time: read, change, put, and read again until nothing is left to
 * change. Where the registry tells an ETag the put is conditional, and nobody's change is lost in between.
 */
#pragma once

#include "registry/manifests.h"

/* Makes of the index (empty: nothing has the tag yet) what it should be. *changed: it has to be put. */
typedef int tag_index_fn(void *arg, struct image_index *index, bool *changed, struct error *err);

/* Is the tag an index, or free? ERROR_REMOTE when it is an image. */
int tag_index_check(struct registry_client *c, const struct image_ref *ref, const char *tag,
		    struct error *err);
/* *out: what the tag names in the end, which fn had nothing to change of. ERROR_REMOTE when it never comes to rest. */
int tag_index_edit(struct registry_client *c, const struct image_ref *ref, const char *tag,
		   tag_index_fn *fn, void *arg, struct descriptor *out, struct error *err);
/* Puts the index under the tag in the place of whatever is there. */
int tag_index_put(struct registry_client *c, const struct image_ref *ref, const char *tag,
		  struct image_index *index, struct descriptor *out, struct error *err);

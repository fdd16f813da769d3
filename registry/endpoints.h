/* One read at each place that may have it, the mirrors first. */
#pragma once

#include "registry/client.h"

/* The read at one place: client has few retries for a mirror, since somebody else can be asked. */
typedef int endpoint_fn(void *arg, struct registry_client *client, const struct image_ref *at,
			struct error *err);
/*
 * Until fn succeeds. What a mirror lacks, or has wrong, is said and asked of the next; a mirror that cannot be reached is not
 * asked again. The error is that of the image's own registry.
 */
int endpoints_try(struct registry_client *c, const struct image_ref *ref, bool by_digest,
		  endpoint_fn *fn, void *arg, struct error *err);

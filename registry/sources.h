/*
 * In which repositories a blob was seen: lines "HOST/REPO" in the store's meta/from/HEX, newest first. A push mounts from
 * them what the registry has already, and fetches from them what a build did not need to have here.
 */
#pragma once

#include "registry/client.h"

/* A memory aid: what cannot be written is only logged. */
void sources_add(struct registry_client *c, struct store *s, const struct digest *d,
		 const struct image_ref *repository);
/* Parsed; lines that are no names are left out. */
struct sources {
	struct image_ref *refs;
	size_t n;
};
void sources_get(struct store *s, const struct digest *d, struct sources *out);
void sources_release(struct sources *s);

CLEANUP_RELEASE(sources)

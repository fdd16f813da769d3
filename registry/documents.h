/* Manifests and indexes on their way from a registry into the store. */
#pragma once

#include "registry/client.h"

/* What the name means now: its digest costs one HEAD, a digest in the name nothing. */
int documents_find(struct registry_client *c, const struct image_ref *ref, struct digest *out,
		   struct error *err);
/* A manifest or index by digest, from the store where it is there already; text has its bytes. */
int documents_fetch(struct registry_client *c, struct store *s, const struct image_ref *ref,
		    const struct digest *d, struct descriptor *out, struct strbuf *text,
		    struct error *err);

/* What refers to another manifest, where a registry keeps no list of it (distribution-spec 1.1, Referrers Tag Schema). */
#pragma once

#include "registry/manifests.h"

/* After a PUT of text that the registry did not note itself: into the index under the subject's own tag. Nothing without a subject. */
int referrers_note(struct registry_client *c, const struct image_ref *ref,
		   const struct descriptor *d, const struct strbuf *text, struct error *err);

/* An image in the store: manifest and config, parsed and checked against each other; its layers may be absent. */
#pragma once

#include "oci/config.h"
#include "oci/manifest.h"
#include "oci/store.h"

struct image {
	struct descriptor descriptor; /* of the manifest */
	struct manifest manifest;
	struct image_config config;
};

struct image *image_new(void);
void image_free(struct image *i);
/* d may be an index: the manifest for the platform (NULL: the host's) is taken, depth LIMIT_INDEX_DEPTH. */
int image_load(struct image **out, struct store *s, const struct descriptor *d,
	       const struct platform *platform, struct error *err);
/* The host's platform, or of an index that lists none for it the first image that is here: to look at, not to run. */
int image_load_any(struct image **out, struct store *s, const struct descriptor *d,
		   struct error *err);
/*
 * The first half of image_load: walks from d through indexes to the manifest for the platform; *out describes it, text
 * holds its verified bytes.
 */
int image_find_manifest(struct store *s, const struct descriptor *d,
			const struct platform *platform, struct descriptor *out,
			struct strbuf *text, struct error *err);
/* Writes config and manifest (OCI media types) of layers that are in the store; fills image->descriptor. */
int image_save(struct image *i, struct store *s, struct error *err);
/* All layers in the store with the right sizes? First missing one in *missing. */
bool image_complete(const struct image *i, struct store *s, size_t *missing);

CLEANUP_FREE(image)

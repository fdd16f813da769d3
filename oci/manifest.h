/* Image manifests and indexes, OCI and Docker (image-spec 1.1, manifest.md, image-index.md). */
#pragma once

#include "base/strbuf.h"
#include "oci/descriptor.h"

struct manifest {
	char *media_type;
	struct descriptor config;
	struct descriptor *layers;
	size_t n_layers;
	struct strmap annotations;
};

struct image_index {
	char *media_type;
	struct descriptor *manifests;
	size_t n_manifests;
	struct strmap annotations;
};

void manifest_release(struct manifest *m);
void image_index_release(struct image_index *i);
void manifest_add_layer(struct manifest *m, const struct descriptor *d); /* copies */
void image_index_add(struct image_index *i, const struct descriptor *d); /* copies */
void image_index_remove(struct image_index *i, size_t at);
/*
 * Parses exact bytes. media_type: what the registry or descriptor said (NULL: not known); it must agree
 * with the document. A document with both "manifests" and "layers" or "config", duplicate keys, trailing
 * bytes, schema 1, or more than LIMIT_MANIFEST_LAYERS layers is refused: ERROR_CORRUPT, schema 1
 * ERROR_UNSUPPORTED.
 */
int manifest_parse(struct manifest *out, const char *text, size_t len, const char *media_type,
		   const char *where, struct error *err);
int image_index_parse(struct image_index *out, const char *text, size_t len, const char *media_type,
		      const char *where, struct error *err);
/* The same with another limit than LIMIT_INDEX_MANIFESTS: our own index.json lists every image there is. */
int image_index_parse_limit(struct image_index *out, const char *text, size_t len,
			    const char *media_type, size_t limit, const char *where,
			    struct error *err);
/* Is the document an index? Decided by mediaType, else by its fields. */
bool manifest_is_index(const char *text, size_t len, const char *media_type);
void manifest_write(const struct manifest *m, struct strbuf *out); /* stable bytes */
void image_index_write(const struct image_index *i, struct strbuf *out);
/*
 * The best manifest for the platform; skips artifacts, unknown/unknown and non-image media types; the first
 * without a platform when no other fits. *out is a view into i.
 * ERROR_NOT_FOUND lists the platforms there are.
 */
int image_index_choose(const struct image_index *i, const struct platform *want,
		       const struct descriptor **out, struct error *err);

CLEANUP_RELEASE(manifest)
CLEANUP_RELEASE(image_index)

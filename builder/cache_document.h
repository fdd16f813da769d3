/*
 * The records of a cache that travels (--cache-to, --cache-from): a field of an ordinary image configuration (image-spec 1.1,
 * config.md: fields that a reader does not know are ignored), whose image has the layers.
 *
 *	"slipway.cache": {
 *		"version": 1,
 *		"records": [{"key": HEX, "quick": HEX, "kind": "run", "layer": N, "uncompressed": BYTES, "created": SECONDS,
 *			     "one_owner": true}],
 *		"images": [{"key": HEX, "created": SECONDS}]
 *	}
 *
 * key and quick are step keys (plan.h), each may be absent but not both; one_owner is absent where it is false; layer counts from 0 in the manifest's layers. images
 * tells when the image of a configuration was first made. Texts of instructions, variables and files are not in it.
 */
#pragma once

#include "base/json.h"
#include "base/sha256.h"
#include "oci/config.h"

struct cache_entry {
	char key[SHA256_HEX_SIZE], quick[SHA256_HEX_SIZE]; /* "": not known */
	char kind[16];
	size_t layer;
	int64_t uncompressed, created;
	bool one_owner; /* cache.h */
};

struct cache_created {
	char key[SHA256_HEX_SIZE];
	int64_t created;
};

struct cache_document {
	struct cache_entry *entries;
	size_t n, cap;
	struct cache_created *images;
	size_t n_images, cap_images;
};

void cache_document_release(struct cache_document *d);
void cache_document_add(struct cache_document *d, const struct cache_entry *e);
void cache_document_add_image(struct cache_document *d, const char *key, int64_t created);
/* Foreign bytes: everything is checked. ERROR_CORRUPT, ERROR_UNSUPPORTED for another version. out is empty. */
int cache_document_parse(struct cache_document *out, const json_t *j, size_t n_layers,
			 const char *where, struct error *err);
json_t *cache_document_to_json(const struct cache_document *d);

/* The field of a configuration. ERROR_NOT_FOUND: it has none. */
int cache_document_read(struct cache_document *out, const struct image_config *c, const char *where,
			struct error *err);
void cache_document_attach(const struct cache_document *d, struct image_config *c);
/* An image built on another does not hand on the other's records. */
void cache_document_detach(struct image_config *c);

CLEANUP_RELEASE(cache_document)

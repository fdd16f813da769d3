/*
 * COPY and ADD in two passes over the same selection of source files:
 *
 *	copy_hash()   what the cache key needs: names in the tree, types, modes, links, xattrs, contents
 *	copy_layer()  the layer, streamed; destinations resolve in the merged view of the image below
 *
 * Nothing is extracted and no sandbox is needed. dockerfile.md's rules for sources and destinations are this file's.
 */
#pragma once

#include "builder/context.h"
#include "builder/stat_cache.h"
#include "dockerfile/instruction.h"
#include "oci/layer_writer.h"
#include "oci/spool.h"
#include "oci/tree.h"

/* An image as a source or destination: its merged view, and where the bytes are. */
struct copy_image {
	struct tree *tree;
	const struct descriptor *layers;
	const struct digest *diff_ids;
	size_t n_layers;
};

/* What the caller fetched for a source beforehand; both NULL for one that is a path. */
struct copy_fetched {
	const char *file;        /* of a URL */
	struct context *context; /* of git: its contents are copied */
};

struct copy_request {
	const struct instruction *instruction; /* expanded COPY or ADD */
	bool is_add;
	const char *working_dir; /* of the stage: "/" when unset */
	struct store *store;
	struct reporter *reporter;
	int step;
	const struct cancel *cancel;
	struct pool *pool; /* hashing of many files */
	/* where the sources are: exactly one */
	struct context *context;
	struct stat_cache *stat_cache; /* with context; may be NULL */
	const struct copy_image *from;
	const struct copy_fetched *fetched; /* ADD from URL or git: one a source, else NULL */
	int64_t folder_mtime;               /* of folders that slipway makes */
};

/* Appends framed input to h. The instruction's own parameters are the caller's; the order of files in a folder never counts. */
int copy_hash(const struct copy_request *r, struct sha256 *h, struct error *err);
/* Adds a line for each selected file (explain_add_file()), for --explain. */
int copy_manifest(const struct copy_request *r, struct strbuf *out, struct error *err);
/* Both in one pass. */
int copy_hash_and_manifest(const struct copy_request *r, struct sha256 *h, struct strbuf *out,
			   struct error *err);
/* below: the image the layer will lie on (NULL tree: scratch). */
int copy_layer(const struct copy_request *r, const struct copy_image *below,
	       const struct layer_options *o, struct layer *out, struct error *err);

/*
 * Makes a layer in one pass with fixed memory: entries -> tar -> SHA-256 (diff ID) -> compression -> SHA-256
 * (digest) -> ingest file -> blob. The path index of the layer is written on the way (oci/layer_index.h).
 * Tar headers: libarchive's pax-restricted writer, names beyond ASCII as bytes marked hdrcharset=BINARY in every
 * locale, whole-second mtimes, numeric ids, no names of owners, SCHILY.xattr, two zero blocks at the end.
 *
 *	layer_writer_open(&w, store, &options, err);
 *	layer_writer_add(w, &entry, content, err);     in the order of entry_compare()
 *	layer_writer_finish(w, &layer, err);
 */
#pragma once

#include "base/pool.h"
#include "oci/compress.h"
#include "oci/entry.h"
#include "oci/store.h"

struct layer {
	struct descriptor descriptor;
	struct digest diff_id;
	int64_t uncompressed; /* bytes of the tar */
};
void layer_release(struct layer *l);

struct layer_options {
	enum compression compression; /* COMPRESSION_GZIP unless asked otherwise */
	int level;
	struct pool *pool;   /* NULL: one thread */
	int64_t mtime_limit; /* later mtimes become this; < 0: none */
};

/* The OCI media type of a layer compressed like that. */
const char *layer_media_type(enum compression kind);

struct layer_writer;
int layer_writer_open(struct layer_writer **out, struct store *s, const struct layer_options *o,
		      struct error *err);
/*
 * content: exactly entry->size bytes for an ENTRY_FILE, else NULL; fewer bytes is ERROR_CORRUPT ("file
 * shrank while it was read"). When entry->has_content is not set the writer hashes the bytes itself.
 * A path that is or contains a component starting with ".wh." is refused. Sockets cannot be expressed: callers skip them.
 */
int layer_writer_add(struct layer_writer *w, const struct entry *e, struct source *content,
		     struct error *err);
/* Commits the blob, its index, and meta (diff ID by digest). An empty layer is legal. */
int layer_writer_finish(struct layer_writer *w, struct layer *out, struct error *err);
void layer_writer_free(struct layer_writer *w);

/* The tar half alone, to any sink (for --output type=tar and archives). */
struct tar_writer;
int tar_writer_open(struct tar_writer **out, struct sink *to, struct error *err);
int tar_writer_add(struct tar_writer *w, const struct entry *e, struct source *content,
		   struct error *err);
int tar_writer_finish(struct tar_writer *w,
		      struct error *err); /* writes the end; does not close the sink */
void tar_writer_free(struct tar_writer *w);

/* What is known of a layer blob: meta/diff/HEX. ERROR_NOT_FOUND when it never streamed here. */
int layer_meta_get(struct store *s, const struct digest *blob, struct digest *diff_id,
		   int64_t *uncompressed, struct error *err);
int layer_meta_put(struct store *s, const struct digest *blob, const struct digest *diff_id,
		   int64_t uncompressed, struct error *err);

CLEANUP_RELEASE(layer)
CLEANUP_FREE(layer_writer)
CLEANUP_FREE(tar_writer)

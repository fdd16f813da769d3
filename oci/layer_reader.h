/*
 * Reads a layer: entries in order, names checked (no "..", no NUL, lengths), whiteouts recognised, xattrs
 * reduced to what is kept, limits of base/limits.h enforced, digest and diff ID verified at the end.
 */
#pragma once

#include "oci/compress.h"
#include "oci/entry.h"
#include "oci/store.h"

struct layer_reader;
/* diff_id may be NULL (then only computed). Reads the blob of desc from the store. */
int layer_reader_open(struct layer_reader **out, struct store *s, const struct descriptor *desc,
		      const struct digest *diff_id, struct error *err);
/* From any source of tar bytes, plain or gzip, zstd, bzip2, xz (ADD of archives, contexts on stdin). whiteouts false: ".wh." names are ordinary files. */
int layer_reader_open_source(struct layer_reader **out, struct source *in, const char *name,
			     bool whiteouts, struct error *err);
/* 1: *e is the next entry (a view valid until the next call), 0: end (verified), -1: error. AUFS leftovers and PAX globals are skipped. */
int layer_reader_next(struct layer_reader *r, const struct entry **e, struct error *err);
/* The bytes of the present ENTRY_FILE. */
int64_t layer_reader_read(struct layer_reader *r, void *data, size_t len, struct error *err);
struct source *layer_reader_source(struct layer_reader *r);       /* the same as a source */
struct digest layer_reader_diff_id(const struct layer_reader *r); /* after the end */
int64_t layer_reader_bytes(const struct layer_reader *r);         /* of the tar, so far */
bool layer_reader_is_tar(
	const struct layer_reader *r); /* it had at least one entry, if a refused one */
void layer_reader_free(struct layer_reader *r);

CLEANUP_FREE(layer_reader)

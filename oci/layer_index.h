/*
 * The path index of a layer: every entry with the SHA-256 of a file's bytes, under meta/index/DIFFID, so that
 * the merged view of an image needs no extraction and no second inflate.
 */
#pragma once

#include "oci/entry.h"
#include "oci/store.h"

struct index_writer;
int index_writer_open(struct index_writer **out, struct store *s, struct error *err);
int index_writer_add(struct index_writer *w, const struct entry *e, struct error *err);
int index_writer_commit(struct index_writer *w, const struct digest *diff_id, struct error *err);
void index_writer_free(struct index_writer *w);

/* Maps the file: link, content and the bytes of xattrs are views until index_reader_free(), path and the array of xattrs until the next call. */
struct index_reader;
/* ERROR_NOT_FOUND when there is none, ERROR_CORRUPT (and the file removed) when damaged: its trailing checksum is verified. */
int index_reader_open(struct index_reader **out, struct store *s, const struct digest *diff_id,
		      struct error *err);
/* 1: filled *e, 0: end, -1: error. */
int index_reader_next(struct index_reader *r, struct entry *e, struct error *err);
void index_reader_free(struct index_reader *r);

/* Makes the index of a layer blob that is in the store when it is missing: one pass over the blob, diff ID verified. */
int layer_index_ensure(struct store *s, const struct descriptor *blob, const struct digest *diff_id,
		       struct error *err);

CLEANUP_FREE(index_writer)
CLEANUP_FREE(index_reader)

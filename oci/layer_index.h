/*
 * The path index of a layer: every entry with the SHA-256 of a file's bytes, under meta/index/DIFFID, so that
 * the merged view of an image needs no extraction and no second inflate.
 */
#pragma once

#include "oci/entry.h"
#include "oci/store.h"

struct index_writer;
struct index_writer *index_writer_new(struct store *s); /* of index_writer_free() */
int index_writer_add(struct index_writer *w, const struct entry *e, struct error *err);
int index_writer_commit(struct index_writer *w, const struct digest *diff_id, struct error *err);
void index_writer_free(struct index_writer *w);

/* Maps the file: link, content and the bytes of xattrs are views until index_reader_free(), path and the array of xattrs until the next call. */
struct index_reader;
/* ERROR_NOT_FOUND when there is none, ERROR_CORRUPT (and the file removed, see store_only_look) when damaged: its trailing checksum is verified. */
int index_reader_open(struct index_reader **out, struct store *s, const struct digest *diff_id,
		      struct error *err);
/* 1: filled *e, 0: end, -1: error. Every path, link and number is checked as a layer's are. */
int index_reader_next(struct index_reader *r, struct entry *e, struct error *err);
/* The last component of the present entry's path, a view until index_reader_free(). */
const char *index_reader_name(const struct index_reader *r);
/* Its 32 bytes of SHA-256, a view too; NULL when it has none. */
const uint8_t *index_reader_content(const struct index_reader *r);
/* Reads an index from memory, which stays the caller's. */
int index_reader_open_memory(struct index_reader **out, const void *data, size_t len,
			     struct error *err);
void index_reader_free(struct index_reader *r);

/* Is there one, whole or not? */
bool layer_index_exists(struct store *s, const struct digest *diff_id);
/* Makes the index of a layer blob that is in the store when it is missing: one pass over the blob, diff ID verified. */
int layer_index_ensure(struct store *s, const struct descriptor *blob, const struct digest *diff_id,
		       struct error *err);

CLEANUP_FREE(index_writer)
CLEANUP_FREE(index_reader)

/*
 * The bytes of chosen files of a merged view, as plain files owned by us in a temporary folder: one pass over each
 * layer that holds a wanted file. Serves COPY --from, ADD, passwd look-ups, --output type=local and tar.
 *
 *	spool_open(&sp, store, err);
 *	spool_want(sp, node);            any number
 *	spool_fill(sp, layers, n, err);  the image's layer descriptors and diff IDs
 *	fd = spool_file(sp, node, err);
 */
#pragma once

#include "oci/tree.h"

struct spool;
int spool_open(struct spool **out, struct store *s, struct error *err);
void spool_want(struct spool *sp, const struct tree_node *n); /* files only; twice is once */
int spool_fill(struct spool *sp, const struct descriptor *layers, const struct digest *diff_ids,
	       size_t n, struct error *err);
/* A fresh descriptor at byte 0. */
int spool_file(struct spool *sp, const struct tree_node *n, int *fd, struct error *err);
void spool_free(struct spool *sp); /* removes the temporary files */
/* One small file of an image by path (links followed): ERROR_NOT_FOUND, or ERROR_CORRUPT beyond limit. */
int spool_read_small(struct store *s, struct tree *t, const struct descriptor *layers,
		     const struct digest *diff_ids, size_t n, const char *path, size_t limit,
		     struct strbuf *out, struct error *err);

CLEANUP_FREE(spool)

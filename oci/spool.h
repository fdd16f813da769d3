/*
 * The bytes of chosen files of a merged view, one after the other in one unnamed file: one pass over each layer that
 * holds a wanted file. Serves COPY --from, passwd look-ups, --output type=local and tar.
 *
 *	spool_open(&sp, store, err);
 *	spool_want(sp, node);            any number
 *	spool_fill(sp, layers, n, err);  the image's layer descriptors and diff IDs
 *	spool_source(&in, sp, node, err);
 */
#pragma once

#include "base/sink.h"
#include "oci/tree.h"

struct spool;
int spool_open(struct spool **out, struct store *s, struct error *err);
void spool_want(struct spool *sp, const struct tree_node *n); /* files only; twice is once */
int spool_fill(struct spool *sp, const struct descriptor *layers, const struct digest *diff_ids,
	       size_t n, struct error *err);
/* The node->size bytes of a file; any number may be read at a time, while the spool lives. */
struct spool_source {
	struct source source;
	int fd;
	int64_t at, end;
};
int spool_source(struct spool_source *out, const struct spool *sp, const struct tree_node *n,
		 struct error *err);
/* Appends them to fd; name is for messages. */
int spool_copy(const struct spool *sp, const struct tree_node *n, int fd, const char *name,
	       struct error *err);
void spool_free(struct spool *sp);
/* One small file of an image by path (links followed): ERROR_NOT_FOUND, or ERROR_CORRUPT beyond limit. */
int spool_read_small(struct store *s, struct tree *t, const struct descriptor *layers,
		     const struct digest *diff_ids, size_t n, const char *path, size_t limit,
		     struct strbuf *out, struct error *err);

CLEANUP_FREE(spool)

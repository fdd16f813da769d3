/*
 * The content store: blobs of an OCI image layout, and what slipway keeps
 * beside them (design of the state folder: ARCHITECTURE.md).
 *
 *	store_open(&store, root, err);
 *	ingest_begin(&in, store, &digest, err);    or NULL when the digest is not known yet
 *	sink_write(ingest_sink(in), ...);
 *	ingest_commit(in, &descriptor_digest, size, err);
 *
 * A blob under blobs/ is complete: written to ingest/, fsynced, verified, renamed, folder fsynced.
 * Its size is checked at every use, its digest whenever it is read whole; a blob that fails is
 * quarantined (renamed to ingest/corrupt-*) and counts as absent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/sink.h"
#include "oci/descriptor.h"

struct store;
struct ingest;

/*
 * Creates the folder (0700) and layout file where missing. A folder owned by another user, or writable
 * by others, is refused (ERROR_DENIED), a layout version other than 1.0.0 too.
 */
int store_open(struct store **out, const char *root, struct error *err);
void store_free(struct store *s);
const char *store_root(const struct store *s);
int store_dirfd(const struct store *s);
/* ROOT/NAME..., free() */
char *store_path(const struct store *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Present with this size? (size < 0: any) A file of another size is not there. */
bool store_has(struct store *s, const struct digest *d, int64_t size);
/* Descriptor for reading, and its size. ERROR_NOT_FOUND; a wrong size quarantines: ERROR_CORRUPT. */
int store_open_blob(struct store *s, const struct digest *d, int64_t size, int *fd, int64_t *found,
		    struct error *err);
/* The whole blob, digest verified. */
int store_read_blob(struct store *s, const struct digest *d, int64_t size, struct strbuf *out,
		    size_t limit, struct error *err);
/* Hashes the blob again; corrupt ones are quarantined and reported. */
int store_verify_blob(struct store *s, const struct digest *d, int64_t size, struct error *err);
void store_quarantine(struct store *s, const struct digest *d);
int store_delete_blob(struct store *s, const struct digest *d, struct error *err);
/* Writes a small blob; fills desc (media type, digest, size). */
int store_put(struct store *s, const char *media_type, const void *data, size_t len,
	      struct descriptor *desc, struct error *err);
/* Calls fn for each blob (stops and returns its value when not 0). */
int store_each_blob(struct store *s,
		    int (*fn)(void *arg, const struct digest *d, int64_t size, int64_t mtime,
			      struct error *err),
		    void *arg, struct error *err);

/*
 * ingest_begin takes expected NULL for a blob whose digest comes out at the end. With a digest, the
 * partial file is kept after ingest_free() without commit, and the next ingest_begin of the digest
 * continues it: ingest_size() is where (the kept bytes were hashed again). One process at a time works
 * on a digest: another waits for its lock (cancel ends the wait).
 */
int ingest_begin(struct ingest **out, struct store *s, const struct digest *expected,
		 struct error *err);
struct sink *ingest_sink(struct ingest *in);
int64_t ingest_size(const struct ingest *in);
int ingest_restart(struct ingest *in, struct error *err); /* from byte 0 */
/* Verifies size (>= 0) and expected digest, fsyncs, renames into place. *digest (may be NULL) is set. Mismatch: ERROR_CORRUPT, partial file removed. */
int ingest_commit(struct ingest *in, struct digest *digest, int64_t size, struct error *err);
void ingest_free(struct ingest *in);

/* Small facts under meta/KIND/NAME, rebuilt when lost. get: ERROR_NOT_FOUND. */
int store_meta_get(struct store *s, const char *kind, const char *name, struct strbuf *out,
		   struct error *err);
int store_meta_put(struct store *s, const char *kind, const char *name, const void *data,
		   size_t len, struct error *err);

CLEANUP_FREE(store)
CLEANUP_FREE(ingest)

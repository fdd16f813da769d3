/*
 * Blobs in the making: a file under ingest/ that becomes a blob of the store when it is complete and right.
 * With a digest the file is HEX.part, locked by its owner and kept when the work ends early, so that the next
 * ingest of the digest, in any process, continues it. Without one it is tmp-PID-N and goes away with its owner;
 * it has no file before it is larger than a page or known to be missing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/sink.h"
#include "oci/digest.h"

struct store;
struct ingest;

/*
 * expected NULL: a blob whose digest comes out at the end. With a digest, the partial file is kept after
 * ingest_free() without commit, and the next ingest_begin of the digest continues it: ingest_size() is where (the
 * kept bytes were hashed again). One process at a time works on a digest: another waits for its lock (see
 * store_set_wait()).
 */
int ingest_begin(struct ingest **out, struct store *s, const struct digest *expected,
		 struct error *err);
/* The blob is in the store already, verified (it came while this process waited for the lock): nothing to write or commit. */
bool ingest_is_present(const struct ingest *in);
/* A write failed: it takes no more bytes. */
bool ingest_has_failed(const struct ingest *in);
struct sink *ingest_sink(struct ingest *in);
int64_t ingest_size(const struct ingest *in);
int ingest_restart(struct ingest *in, struct error *err); /* from byte 0 */
/* All of a file from its present offset: shares its extents where the file system can, else copies; hashed either way. Only into an empty ingest. */
int ingest_copy(struct ingest *in, int fd, const char *name, struct error *err);
/*
 * Verifies size (>= 0) and expected digest, fsyncs, renames into place. *digest (may be NULL) is set. Mismatch:
 * ERROR_CORRUPT, partial file removed. A failed fsync is final: the file is removed.
 */
int ingest_commit(struct ingest *in, struct digest *digest, int64_t size, struct error *err);
/* Verifies as ingest_commit() does, and leaves the file where it is, for who reads it and then discards it: it takes no more bytes. */
int ingest_check(struct ingest *in, int64_t size, struct error *err);
/* The partial file of a digest, to be read while it grows; the caller closes *fd. */
int ingest_reader(const struct ingest *in, int *fd, struct error *err);
void ingest_free(struct ingest *in);
/*
 * Of a blob that is not wanted here any more: removes its partial file where that has all its bytes and nobody is at work on it. One
 * with fewer may be a pull's, which goes on there.
 */
void ingest_forget_whole(struct store *s, const struct digest *d, int64_t size);

/*
 * A blob that comes in several requests to a registry: the file ingest/upload-ID, which stays until it is committed or
 * discarded, and outlives its process. make: it must be new, else it must be there (ERROR_NOT_FOUND). ERROR_SYSTEM with number
 * EWOULDBLOCK while another ingest has it. ID: letters, digits and '-'.
 */
#define INGEST_UPLOAD "ingest/upload-"
int ingest_upload(struct ingest **out, struct store *s, const char *id, bool make,
		  struct error *err);
/* How much of it is there; -1: no such upload. */
int64_t ingest_upload_size(struct store *s, const char *id);
/* What an upload must turn out to be; said before its last bytes or after. Reads the file again where it was not hashed yet. */
int ingest_expect(struct ingest *in, const struct digest *expected, struct error *err);
/* Forgets what is beyond size. */
int ingest_cut(struct ingest *in, int64_t size, struct error *err);
void ingest_discard(struct ingest *in); /* removes the file too */

/*
 * A new file "ingest/tmp-PID-N", locked while *fd is open so that prune leaves it alone. The caller renames or
 * unlinks it.
 */
#define INGEST_NAME_SIZE 160
int ingest_temp_file(struct store *s, char name[INGEST_NAME_SIZE], int *fd, struct error *err);

CLEANUP_FREE(ingest)

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
 * quarantined (renamed to ingest/corrupt-*) and counts as absent. A struct store is safe to use from
 * several threads.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/sink.h"
#include "oci/descriptor.h"
#include "oci/ingest.h"

struct store;

/*
 * Creates the folder (0700) and layout file where missing. A folder owned by another user, or writable
 * by others, is refused (ERROR_DENIED), a layout version other than 1.0.0 too.
 */
int store_open(struct store **out, const char *root, struct error *err);
void store_free(struct store *s);
/*
 * How to wait for locks of other processes: cancel ends a wait, reporter hears of one that takes longer than a
 * second, timeout_ms (0: none) gives up. Each may be NULL. Call it before the store is shared among threads.
 */
void store_set_wait(struct store *s, const struct cancel *cancel, struct reporter *reporter,
		    int timeout_ms);
const char *store_root(const struct store *s); /* absolute */
int store_dirfd(const struct store *s);
/* ROOT/NAME..., free() */
char *store_path(const struct store *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* on: what is found damaged is reported and stays where it is (fsck without repair). */
void store_only_look(struct store *s, bool on);
bool store_only_looks(const struct store *s);

/* Present with this size? (size < 0: any) A file of another size is not there. */
bool store_has(struct store *s, const struct digest *d, int64_t size);
/* store_has, and the blob counts as new for prune's grace: what found it may come to need it. */
bool store_touch(struct store *s, const struct digest *d, int64_t size);
/*
 * Descriptor for reading, and its size. ERROR_NOT_FOUND. A size other than the expected one is ERROR_CORRUPT;
 * the blob is quarantined unless its own digest holds, for then the expectation is wrong.
 */
int store_open_blob(struct store *s, const struct digest *d, int64_t size, int *fd, int64_t *found,
		    struct error *err);
/* The whole blob, digest verified. out is emptied first; its own limit is ignored. */
int store_read_blob(struct store *s, const struct digest *d, int64_t size, struct strbuf *out,
		    size_t limit, struct error *err);
/* Hashes the blob again; corrupt ones are quarantined and reported. */
int store_verify_blob(struct store *s, const struct digest *d, int64_t size, struct error *err);
/* The same, and a corrupt blob stays where it is in any case. */
int store_check_blob(struct store *s, const struct digest *d, int64_t size, struct error *err);
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
/* "blobs/sha256/HEX", below the root. */
#define STORE_BLOB_PATH 160
void store_blob_path(const struct digest *d, char out[STORE_BLOB_PATH]);

/* Small facts under meta/KIND/NAME, rebuilt when lost (not fsynced). get: ERROR_NOT_FOUND. */
int store_meta_get(struct store *s, const char *kind, const char *name, struct strbuf *out,
		   struct error *err);
int store_meta_put(struct store *s, const char *kind, const char *name, const void *data,
		   size_t len, struct error *err);
/*
 * ROOT/NAME gets new content as a whole: temporary file in ingest/, rename. durable: fsync of file and folder too.
 * A missing folder is created (one level).
 */
int store_write_file(struct store *s, const char *name, const void *data, size_t len, bool durable,
		     struct error *err);
/*
 * Exclusive lock on ROOT/NAME, which is created; ends when *fd is closed. what completes "waiting for another
 * slipway that ...". ERROR_CANCELLED, or ERROR_SYSTEM after the timeout of store_set_wait().
 */
int store_lock(struct store *s, const char *name, const char *what, int *fd, struct error *err);
/* flock(2) with the same waiting, on a descriptor of the caller; how: LOCK_SH or LOCK_EX. */
int store_lock_fd(struct store *s, int fd, int how, const char *what, struct error *err);
/* Error of a failed write below the root, from errno: says what, where, and what to do about a full disk. */
int store_write_failed(const struct store *s, const char *what, const char *name,
		       struct error *err);
/* For the error of a program that wrote there: the same hint where less than 1 MiB is free, since few programs say what failed. */
void store_hint_if_full(const struct store *s, struct error *err);

CLEANUP_FREE(store)

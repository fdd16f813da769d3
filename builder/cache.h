/*
 * What earlier builds left behind, under ROOT/cache:
 *
 *	steps/KEY     which layer a step's key gave (JSON)
 *	created/KEY   when the image with this configuration was first made, so that a build whose steps all hit gives the
 *	              same image again
 *	bases/IMAGE   the images that stages were FROM, which no name may lead to: prune reads it (JSON)
 *	parts/KEY     what went into that key (explain.h)
 *	last/PLACE    the keys that the steps of a stage had last (step_log.h)
 *
 * A damaged or stale record is a miss, never an error, and no record is worth an fsync.
 */
#pragma once

#include "oci/layer_writer.h"
#include "sandbox/sandbox.h"

struct cache_record {
	struct layer layer;
	int64_t created;
	char key[SHA256_HEX_SIZE]; /* the key whose parts are kept; "" when there is none */
	bool one_owner; /* made in a sandbox with one user id: what the step chowned is root's */
};

void cache_record_release(struct cache_record *r);
/* False: no such record, a damaged one, or its layer is not in the store. */
bool cache_get(struct store *s, const char *key, struct cache_record *out);
/* Failure to write is logged by nobody: the step just misses next time. */
void cache_put(struct store *s, const char *key, const char *kind, const struct cache_record *r);
/* False: a step of one owner, where the sandbox would do better. */
bool cache_fits(bool one_owner, struct sandbox *sb);

bool cache_get_created(struct store *s, const char *key, int64_t *created);
void cache_put_created(struct store *s, const char *key, int64_t created);

void cache_put_base(struct store *s, const struct digest *image);

/* A small file of ours, replaced as a whole; without fsync. */
void cache_write_file(struct store *s, const char *folder, const char *name, const void *data,
		      size_t len);
/* False: it does not exist or cannot be read. */
bool cache_read_file(struct store *s, const char *folder, const char *name, struct strbuf *out);
/* Is it there, and does it begin with this text? */
bool cache_file_begins(struct store *s, const char *folder, const char *name, const char *text);

CLEANUP_RELEASE(cache_record)

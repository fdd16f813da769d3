/* Bytes that are in no source file: heredocs, members of archives, downloads. One unnamed file in the store's ingest folder. */
#pragma once

#include "base/sink.h"
#include "oci/store.h"

struct copy_temp {
	int fd; /* -1 until something is written */
	int64_t size;
	struct store *store;
	const struct cancel *cancel; /* or NULL */
};

/* Appends all of source; *offset and *size tell where. */
int copy_temp_add(struct copy_temp *t, struct source *source, int64_t *offset, int64_t *size,
		  struct error *err);
int copy_temp_add_bytes(struct copy_temp *t, const void *data, size_t len, int64_t *offset,
			struct error *err);
void copy_temp_release(struct copy_temp *t);

/* Reads a part of the file; several may be open, but only one is read at a time. */
struct temp_source {
	struct source source;
	const struct copy_temp *temp;
	int64_t at, end;
};
void temp_source_init(struct temp_source *s, const struct copy_temp *t, int64_t offset,
		      int64_t size);

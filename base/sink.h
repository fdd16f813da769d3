/*
 * A sink takes bytes and hands them on: tar -> digest -> gzip -> digest ->
 * file. Each remembers its first error; after an error every write fails.
 * sink_close() flushes what is buffered and closes the sinks below; it is
 * called once, on success or failure, by the owner of the first sink. After a
 * failed write it still closes, and fails.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sha256.h"
#include "base/strbuf.h"

struct sink {
	int (*write)(struct sink *s, const void *data, size_t len, struct error *err);
	int (*close)(struct sink *s, struct error *err); /* NULL: nothing to flush */
	/* Kept by sink_write(); start zeroed. */
	enum error_kind failed; /* kind of the first error, ERROR_NONE before */
	int failed_number;
};

int sink_write(struct sink *s, const void *data, size_t len, struct error *err);
int sink_close(struct sink *s, struct error *err);

/* Writes to a descriptor (not owned); counts bytes. close does not close it. */
struct fd_sink {
	struct sink sink;
	int fd;
	uint64_t bytes;
	const char *name; /* for messages; not owned */
};
void fd_sink_init(struct fd_sink *s, int fd, const char *name);

/* Appends to a strbuf (not owned); fails with ERROR_CORRUPT beyond its limit. */
struct strbuf_sink {
	struct sink sink;
	struct strbuf *buf;
};
void strbuf_sink_init(struct strbuf_sink *s, struct strbuf *buf);

/* Hashes and counts, then passes on to next (NULL: drops); closing closes next. */
struct hash_sink {
	struct sink sink;
	struct sink *next;
	struct sha256 hash;
	uint64_t bytes;
};
void hash_sink_init(struct hash_sink *s, struct sink *next);
void hash_sink_release(struct hash_sink *s);

/* A source of bytes: read() gives up to len bytes, 0 at the end. */
struct source {
	int64_t (*read)(struct source *s, void *data, size_t len, struct error *err);
};
int64_t source_read(struct source *s, void *data, size_t len, struct error *err);

/* Reads from a descriptor (not owned). */
struct fd_source {
	struct source source;
	int fd;
	const char *name;
};
void fd_source_init(struct fd_source *s, int fd, const char *name);

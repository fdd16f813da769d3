/*
 * The file of one log stream: a head with its names, and behind it one record an event, which can be read in both directions through a
 * window of fixed size.
 *
 *	head    "slwlog1\n", length of group and stream (4 bytes each), when it was made, position of the first record (8 bytes each), names
 *	record  length of the text, check (4 bytes each), time, time it came (8 bytes each), text, length once more
 *
 * Numbers are little-endian. A position is that of a byte of the first file there was of the stream: what was dropped at the front keeps
 * its positions.
 */
#pragma once

#include "base/strbuf.h"
#include "local/log_store.h"

#define LOG_FILE_SUFFIX ".log"
/* "FOLDER/HEX" + suffix; free() */
char *log_file_path(const char *folder, const char *name, const char *suffix);

struct log_head {
	char *group, *stream;
	int64_t made_ms;
	int64_t base; /* position of the first record */
	int64_t size; /* bytes of the head */
};

/* ERROR_CORRUPT when the file does not begin with a head. */
int log_head_read(struct log_head *out, int fd, const char *path, struct error *err);
void log_head_write(const struct log_head *h, struct strbuf *out);
void log_head_release(struct log_head *h);

/* The text is cut to LIMIT_LOG_EVENT bytes. Returns the bytes that were added. */
size_t log_record_write(const struct log_event *e, struct strbuf *out);

struct log_reader {
	int fd;     /* not owned */
	char *path; /* for messages */
	int64_t base, first,
		end; /* the first record's position; offsets in the file of the first byte of a record, and behind the last */
	int64_t at;  /* offset that the next call begins or ends at */
	char *window;
	int64_t window_at;
	size_t window_len;
};

/* From h's first record on; end: the size of the file, or less. */
void log_reader_init(struct log_reader *r, int fd, const char *path, const struct log_head *h,
		     int64_t end);
/* The next call of log_reader_next() gives the first event at or behind the position. */
void log_reader_seek(struct log_reader *r, int64_t position);
/*
 * 1: an event, whose text is a view until the next call; 0: there is none; -1: ERROR_CORRUPT where the record is none, r->at then stands
 * before it.
 */
int log_reader_next(struct log_reader *r, struct log_event *e, struct error *err);
/* The event that ends where r->at stands. */
int log_reader_previous(struct log_reader *r, struct log_event *e, struct error *err);
void log_reader_release(struct log_reader *r);

CLEANUP_RELEASE(log_head)
CLEANUP_RELEASE(log_reader)

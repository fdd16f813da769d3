/*
 * The log events of the local target: an append-only file a stream, read in pieces, so that memory does not grow with a log.
 * Several threads may write and read at once. Groups and their settings are documents of the state (STATE_LOG_GROUPS); streams are
 * files (local/log_file.h):
 *
 *	FOLDER/HEX-OF-GROUP/HEX-OF-STREAM.log     SHA-256 of the names, which the file's head holds
 *
 * CloudWatch Logs API: an event has a time (ms since 1970), the time it came, and a text of at most 256 KiB (what is longer is cut there).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strlist.h"

struct log_store;

struct log_event {
	int64_t time_ms, came_ms;
	int64_t position; /* where it stands in its stream: grows, and is never used twice */
	int64_t next;     /* the position behind it */
	const char *text; /* a view during the call */
	size_t len;
};

/* What is known of a stream without reading it. */
struct log_stream_facts {
	const char *name; /* a view during the call */
	int64_t made_ms;
	int64_t n_events;
	int64_t first_ms, last_ms; /* the least and greatest time; of none: 0 */
	int64_t came_ms;           /* of the event that came last */
	int64_t bytes;
};

typedef int log_event_fn(void *arg, const struct log_event *e, struct error *err);

int log_store_open(struct log_store **out, const char *folder, struct error *err);
void log_store_free(struct log_store *l);

/* *made: it was not there yet; else nothing happens. */
int log_store_make_stream(struct log_store *l, const char *group, const char *stream, bool *made,
			  struct error *err);
/* The stream is made when it is missing. What a crash cut off is dropped when the stream is next opened. */
int log_store_append(struct log_store *l, const char *group, const char *stream,
		     const struct log_event *events, size_t n, struct error *err);
/*
 * Calls fn for the events from position on (0: the first), in the order in which they came, until it returns other than 0 (the result). ERROR_NOT_FOUND:
 * no such stream; ERROR_CORRUPT: no event begins at the position. Events that come meanwhile are left for the next call.
 */
int log_store_read(struct log_store *l, const char *group, const char *stream, int64_t position,
		   log_event_fn *fn, void *arg, struct error *err);
/* The same backwards: the events before position (INT64_MAX: the last one first). */
int log_store_read_back(struct log_store *l, const char *group, const char *stream,
			int64_t position, log_event_fn *fn, void *arg, struct error *err);
bool log_store_has(struct log_store *l, const char *group, const char *stream);
/* Names, sorted. */
int log_store_streams(struct log_store *l, const char *group, struct strlist *out,
		      struct error *err);
/* Calls fn for each stream in the order of names; with the lock held: fn does not call the store. */
int log_store_each_stream(struct log_store *l, const char *group,
			  int (*fn)(void *arg, const struct log_stream_facts *f, struct error *err),
			  void *arg, struct error *err);
/* How many bytes its streams have. */
int64_t log_store_group_bytes(struct log_store *l, const char *group);
int log_store_remove_group(struct log_store *l, const char *group, struct error *err);
int log_store_remove_stream(struct log_store *l, const char *group, const char *stream,
			    struct error *err);
/*
 * Drops the group's events with a time before this (ms since 1970); of events that did not come in the order of their times, one
 * stays as long as one that came before it.
 */
int log_store_expire(struct log_store *l, const char *group, int64_t before_ms, struct error *err);

CLEANUP_FREE(log_store)

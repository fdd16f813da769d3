/*
 * One stream of the log store and its file (local/log_file.h). Who calls holds the store's lock.
 */
#pragma once

#include "local/log_file.h"

struct log_stream {
	char *path;
	struct log_head head;
	bool scanned; /* what follows is known */
	int64_t end;  /* size of the file, as far as it holds events */
	struct log_stream_facts facts;
};

/* A new file in the folder, which is made when it is missing. */
int log_stream_make(struct log_stream **out, const char *folder, const char *group,
		    const char *name, struct error *err);
/* That of the open file, whose name is entry. ERROR_CORRUPT when it is none. */
int log_stream_open(struct log_stream **out, const char *folder, const char *entry, int fd,
		    int64_t size, struct error *err);
void log_stream_free(struct log_stream *s);
/* Reads the whole file once, and cuts off what is no event at its end. Others do it when it is needed. */
int log_stream_scan(struct log_stream *s, struct error *err);
/* All of the events or none. */
int log_stream_append(struct log_stream *s, const struct log_event *events, size_t n,
		      struct error *err);
/* The file as it is now, to be read without the lock: it is not disturbed by what is appended, dropped or removed. *fd is the caller's. */
int log_stream_reader(struct log_stream *s, struct log_reader *out, int *fd, struct error *err);
/* Drops the events before the first that has this time or a later one. */
int log_stream_expire(struct log_stream *s, int64_t before_ms, struct error *err);

CLEANUP_FREE(log_stream)

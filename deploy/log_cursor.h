/*
 * One place of CloudWatch Logs, read forward: a page in memory, and where the next one begins. A cursor of a stream goes on with the
 * token of the last page; one of many streams (FilterLogEvents) asks again from 10 s before the newest line that it saw, since
 * streams do not arrive in order, and leaves out what it told already; of streams that are silent it does not look back for ever.
 */
#pragma once

#include "deploy/logs.h"

struct log_cursor {
	const struct log_place *place;
	json_t *page; /* an array of events; NULL: ask */
	size_t at;
	bool ended;   /* nothing further is there now */
	bool missing; /* the group or the stream is not there */
	bool begun;
	char *token;       /* of the next page; NULL: the first */
	int64_t from_ms;   /* lines before this are not wanted */
	int64_t newest_ms; /* of the lines of this round */
	struct strmap seen, seen_before;
	size_t prune_at;
};

void log_cursor_init(struct log_cursor *c, const struct log_place *place, int64_t since_ms);
void log_cursor_release(struct log_cursor *c);
/* Begins another round: what has come since the last one. now_ms: AWS's time, since 1970. */
void log_cursor_rewind(struct log_cursor *c, int64_t now_ms);
/* The next event, a view until the next call; NULL: none now. */
int log_cursor_peek(struct log_cursor *c, const struct deploy_target *t, const json_t **event,
		    struct error *err);
void log_cursor_advance(struct log_cursor *c);
/* Goes to the last lines of what is there. Before the first peek. */
int log_cursor_seek_tail(struct log_cursor *c, const struct deploy_target *t, size_t lines,
			 struct error *err);

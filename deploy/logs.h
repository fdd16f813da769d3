/*
 * Lines that containers wrote, read back from CloudWatch Logs.
 *
 *	struct log_reader *r = log_reader_new(target, &places, &(struct log_range){.since_ms = 0});
 *	log_reader_poll(r, print_line, arg, &n, err)     what is there; again: what has come since
 *	log_reader_free(r)
 *
 * Memory is bounded by a page of each place, and by the lines of the tail that is asked for.
 */
#pragma once

#include "deploy/log_places.h"

struct log_line {
	int64_t time_ms; /* since 1970 */
	const char *container;
	const char *task; /* its id; "" when the stream does not say it */
	const char *
		text; /* len bytes, any (NUL and escapes too); mostly one line, without the newline */
	size_t len;
};

struct log_range {
	int64_t since_ms; /* 0: from the beginning */
	size_t tail;      /* begin with so many lines before the end; 0: with all since since_ms */
};

/* At most so many lines can be asked for as a tail. */
#define LOG_TAIL_MAX 10000

struct log_reader;

/*
 * A reader of all the places; those with a stream are read by GetLogEvents, those of many tasks by FilterLogEvents. target and
 * places must outlive it.
 */
struct log_reader *log_reader_new(const struct deploy_target *t, const struct log_places *places,
				  const struct log_range *range);
void log_reader_free(struct log_reader *r);
/*
 * Calls line for all lines that are there and were not told before, in the order of their times; n (may be NULL): how many. A
 * stream or group that does not exist has no lines (yet): it is made with the first. Errors of aws_ask(), and -1 with the error of
 * line when that fails.
 */
int log_reader_poll(struct log_reader *r,
		    int (*line)(void *arg, const struct log_line *l, struct error *err), void *arg,
		    size_t *n, struct error *err);
/* Whether a log group of the places was not there at the last poll: its name, or NULL. */
const char *log_reader_missing_group(const struct log_reader *r);

/*
 * Appends the last lines (1 to LOG_TAIL_MAX) of one stream, each with a newline; none when the group or the stream is not there
 * (yet). A line is cut at a NUL byte; what else controls a terminal is the printer's matter. Errors as aws_call().
 */
int logs_tail(const struct deploy_target *t, const struct log_place *place, size_t lines,
	      struct strbuf *out, struct error *err);

CLEANUP_FREE(log_reader)

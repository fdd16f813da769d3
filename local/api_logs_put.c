/* PutLogEvents of the local target, with CloudWatch Logs' rules of what a batch may be. */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/time.h"
#include "local/api_logs.h"

#define MOST_EVENTS     10000
#define MOST_BYTES      1048576
#define EVENT_OVERHEAD  26
#define TOO_NEW_MS      (2 * 3600000ll)
#define TOO_OLD_MS      (14 * LOGS_DAY_MS)
#define SEQUENCE_DIGITS 56

struct batch {
	struct log_event *events;
	size_t n;
	size_t first, end; /* what is taken */
};

/* An event of the input: -1 after api_error(). */
static int read_event(struct api_call *c, const json_t *j, struct log_event *out, int64_t now)
{
	const json_t *time = json_object_get(j, "timestamp");
	const json_t *text = json_object_get(j, "message");

	if (!json_is_integer(time) || json_integer_value(time) < 0)
		return logs_invalid(c, "logEvents.member.timestamp", "null",
				    "Member must be a number of milliseconds since 1970");
	if (!json_is_string(text) || json_string_length(text) == 0)
		return logs_invalid(c, "logEvents.member.message", "",
				    "Member must have length greater than or equal to 1");
	if (json_string_length(text) > LIMIT_LOG_EVENT)
		return api_error(c, "InvalidParameterException",
				 "Log event too large: %zu bytes exceeds limit of %u",
				 json_string_length(text), LIMIT_LOG_EVENT);
	*out = (struct log_event){.time_ms = json_integer_value(time),
				  .came_ms = now,
				  .text = json_string_value(text),
				  .len = json_string_length(text)};
	return 0;
}

static int read_batch(struct api_call *c, struct batch *b, int64_t now)
{
	const json_t *events = json_object_get(c->input, "logEvents"), *event;
	size_t bytes = 0, i;

	b->n = json_array_size(events);
	if (b->n < 1 || b->n > MOST_EVENTS)
		return logs_invalid(c, "logEvents", "[...]",
				    "Member must have length between 1 and 10000");
	b->events = xcalloc(b->n, sizeof(*b->events));
	json_array_foreach (events, i, event) {
		if (read_event(c, event, &b->events[i], now) < 0)
			return -1;
		bytes += b->events[i].len + EVENT_OVERHEAD;
		if (i > 0 && b->events[i].time_ms < b->events[i - 1].time_ms)
			return api_error(c, "InvalidParameterException",
					 "Log events in a single PutLogEvents request must be in "
					 "chronological order.");
	}
	if (bytes > MOST_BYTES)
		return api_error(c, "InvalidParameterException",
				 "Upload too large: %zu bytes exceeds limit of %d", bytes,
				 MOST_BYTES);
	return 0;
}

/* They are in the order of their times: what is too old is at the front, what is too new at the end. */
static size_t count_before(const struct batch *b, int64_t time_ms)
{
	size_t n = 0;

	while (n < b->n && b->events[n].time_ms < time_ms)
		n++;
	return n;
}

static int choose(struct api_call *c, struct batch *b, int64_t now, int64_t floor)
{
	size_t old = count_before(b, now - TOO_OLD_MS), expired = count_before(b, floor);
	json_t *rejected = json_object();

	b->first = old > expired ? old : expired;
	b->end = count_before(b, now + TOO_NEW_MS + 1);
	if (old)
		json_object_set_new(rejected, "tooOldLogEventEndIndex",
				    json_integer((json_int_t)old));
	if (expired > old)
		json_object_set_new(rejected, "expiredLogEventEndIndex",
				    json_integer((json_int_t)expired));
	if (b->end < b->n)
		json_object_set_new(rejected, "tooNewLogEventStartIndex",
				    json_integer((json_int_t)b->end));
	if (json_object_size(rejected))
		json_object_set(c->output, "rejectedLogEventsInfo", rejected);
	json_decref(rejected);
	if (b->end > b->first &&
	    b->events[b->end - 1].time_ms - b->events[b->first].time_ms > LOGS_DAY_MS)
		return api_error(c, "InvalidParameterException",
				 "The batch of log events in a single PutLogEvents request cannot "
				 "span more than 24 hours.");
	return 0;
}

static int put_batch(struct api_call *c, struct batch *b)
{
	int64_t now = time_now_ns() / 1000000;
	const char *group, *stream;
	const json_t *document = logs_group(c, &group);
	char sequence[SEQUENCE_DIGITS + 1];
	AUTO(error) err = ERROR_INIT;

	if (!document || logs_stream_name(c, &stream) < 0)
		return -1;
	if (!log_store_has(c->local->logs, group, stream))
		return logs_no_stream(c);
	if (read_batch(c, b, now) < 0 || choose(c, b, now, logs_floor(document)) < 0)
		return -1;
	if (b->end > b->first &&
	    log_store_append(c->local->logs, group, stream, b->events + b->first, b->end - b->first,
			     &err) < 0)
		return api_failure(c, &err);
	/* Nobody needs it any more, and clients of old days read it. */
	snprintf(sequence, sizeof(sequence), "%056lld", (long long)now);
	json_object_set_new(c->output, "nextSequenceToken", json_text(sequence));
	return 0;
}

int logs_put_events(struct api_call *c)
{
	struct batch b = {0};
	int r = put_batch(c, &b);

	free(b.events);
	return r;
}

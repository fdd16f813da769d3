#include "deploy/log_cursor.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define NOT_THERE   "ResourceNotFoundException"
#define PAGE_EVENTS 10000 /* the most that AWS gives at once */
#define OVERLAP_MS  10000
/* Later than that a line is not expected any more; more than clocks may differ without being refused by AWS. */
#define LATE_MS (15 * 60 * 1000)
/* Empty pages come in the middle of a stream; so many in a row are taken for its end until the next round. */
#define MAX_EMPTY_PAGES 1000
#define PRUNE_FIRST     4096

void log_cursor_init(struct log_cursor *c, const struct log_place *place, int64_t since_ms)
{
	*c = (struct log_cursor){.place = place, .from_ms = since_ms, .prune_at = PRUNE_FIRST};
}

void log_cursor_release(struct log_cursor *c)
{
	json_decref(c->page);
	free(c->token);
	strmap_release(&c->seen);
	strmap_release(&c->seen_before);
}

static void set_token(struct log_cursor *c, const char *token)
{
	free(c->token);
	c->token = token && *token ? xstrdup(token) : NULL;
}

static void set_page(struct log_cursor *c, json_t *page)
{
	json_decref(c->page);
	c->page = page;
	c->at = 0;
}

static int ask(struct log_cursor *c, const struct deploy_target *t, const char *operation,
	       json_t *params, struct aws_reply *reply, struct error *err)
{
	const struct aws_question q = {
		.service = AWS_LOGS,
		.operation = operation,
		.params = params,
		.fine = {NOT_THERE},
		.waiting = true,
		.region = c->place->region,
	};

	json_object_set_new(params, "logGroupName", json_string(c->place->group));
	if (c->from_ms > 0)
		json_object_set_new(params, "startTime", json_integer(c->from_ms));
	if (aws_ask(t->aws, &q, reply, err) < 0)
		return error_wrap(err, "read the log group %s", c->place->group);
	c->missing = aws_reply_is(reply, NOT_THERE);
	return 0;
}

static int ask_stream(struct log_cursor *c, const struct deploy_target *t, bool forward,
		      const char *token, size_t limit, struct aws_reply *reply, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s, s:b, s:I}", "logStreamName", c->place->stream,
				      "startFromHead", forward, "limit", (json_int_t)limit);

	if (token)
		json_object_set_new(params, "nextToken", json_string(token));
	return ask(c, t, "GetLogEvents", params, reply, err);
}

/* A page of the stream that is not empty, or the end: the token that was sent comes back. */
static int next_of_stream(struct log_cursor *c, const struct deploy_target *t, struct error *err)
{
	for (int empty = 0; empty < MAX_EMPTY_PAGES; empty++) {
		AUTO(aws_reply) reply = {0};
		const char *token;
		bool same;
		json_t *events;

		if (ask_stream(c, t, true, c->token, PAGE_EVENTS, &reply, err) < 0)
			return -1;
		if (c->missing)
			break;
		token = aws_text(reply.json, "nextForwardToken");
		same = !*token || (c->token && strcmp(token, c->token) == 0);
		events = json_object_get(reply.json, "events");
		set_token(c, token);
		if (json_array_size(events)) {
			set_page(c, json_incref(events));
			return 0;
		}
		if (same)
			break;
	}
	c->ended = true;
	return 0;
}

static bool is_seen(const struct log_cursor *c, const char *id)
{
	return strmap_has(&c->seen, id) || strmap_has(&c->seen_before, id);
}

/* Only what can come again is kept: the next round begins OVERLAP_MS before the newest line. */
static void prune(struct log_cursor *c)
{
	struct strmap kept = STRMAP_INIT;

	if (c->seen.n < c->prune_at)
		return;
	for (size_t i = 0; i < c->seen.n; i++)
		if (strtoll(c->seen.entries[i].value, NULL, 10) >= c->newest_ms - OVERLAP_MS)
			strmap_set(&kept, c->seen.entries[i].key, c->seen.entries[i].value);
	strmap_release(&c->seen);
	c->seen = kept;
	c->prune_at = kept.n * 2 > PRUNE_FIRST ? kept.n * 2 : PRUNE_FIRST;
}

/* The events that were not told before, as a new array. */
static json_t *take_new(struct log_cursor *c, const json_t *events)
{
	json_t *fresh = json_array(), *event;
	size_t i;

	json_array_foreach (events, i, event) {
		const char *id = aws_text(event, "eventId");
		int64_t time = aws_int(event, "timestamp");
		AUTO_FREE char *text = xstrfmt("%lld", (long long)time);

		if (time > c->newest_ms)
			c->newest_ms = time;
		if (!*id || !is_seen(c, id))
			json_array_append(fresh, event);
		if (*id)
			strmap_set(&c->seen, id, text);
	}
	prune(c);
	return fresh;
}

static int next_of_many(struct log_cursor *c, const struct deploy_target *t, struct error *err)
{
	for (int empty = 0; empty < MAX_EMPTY_PAGES && !c->ended; empty++) {
		AUTO(aws_reply) reply = {0};
		AUTO_JSON *params = json_pack("{s:s}", "logStreamNamePrefix", c->place->prefix);
		json_t *fresh;

		if (c->token)
			json_object_set_new(params, "nextToken", json_string(c->token));
		if (ask(c, t, "FilterLogEvents", params, &reply, err) < 0)
			return -1;
		set_token(c, aws_text(reply.json, "nextToken"));
		c->ended = !c->token;
		fresh = take_new(c, json_object_get(reply.json, "events"));
		if (json_array_size(fresh)) {
			set_page(c, fresh);
			return 0;
		}
		json_decref(fresh);
	}
	c->ended = true;
	return 0;
}

void log_cursor_rewind(struct log_cursor *c, int64_t now_ms)
{
	if (!c->begun) {
		c->begun = true;
		return;
	}
	c->ended = false;
	if (c->place->stream)
		return;
	set_token(c, NULL);
	if (c->newest_ms - OVERLAP_MS > c->from_ms)
		c->from_ms = c->newest_ms - OVERLAP_MS;
	else if (now_ms - LATE_MS > c->from_ms)
		c->from_ms = now_ms - LATE_MS;
	strmap_release(&c->seen_before);
	c->seen_before = c->seen;
	c->seen = (struct strmap)STRMAP_INIT;
	c->prune_at = PRUNE_FIRST;
}

int log_cursor_peek(struct log_cursor *c, const struct deploy_target *t, const json_t **event,
		    struct error *err)
{
	*event = NULL;
	while (c->at >= json_array_size(c->page)) {
		set_page(c, NULL);
		if (c->ended)
			return 0;
		if ((c->place->stream ? next_of_stream(c, t, err) : next_of_many(c, t, err)) < 0)
			return -1;
	}
	*event = json_array_get(c->page, c->at);
	return 0;
}

void log_cursor_advance(struct log_cursor *c)
{
	c->at++;
}

static void keep_last(json_t **events, size_t lines)
{
	size_t n = json_array_size(*events);
	json_t *kept;

	if (n <= lines)
		return;
	kept = json_array();
	for (size_t i = n - lines; i < n; i++)
		json_array_append(kept, json_array_get(*events, i));
	json_decref(*events);
	*events = kept;
}

/* Backward, page by page: AWS fills pages by size too, so that one may not be enough. */
static int seek_in_stream(struct log_cursor *c, const struct deploy_target *t, size_t lines,
			  struct error *err)
{
	AUTO_JSON *tail = json_array();
	AUTO_FREE char *back = NULL;

	for (int page = 0; page < MAX_EMPTY_PAGES && json_array_size(tail) < lines; page++) {
		AUTO(aws_reply) reply = {0};
		AUTO_JSON *joined = json_array();
		const char *token;

		if (ask_stream(c, t, false, back, lines, &reply, err) < 0)
			return -1;
		if (c->missing)
			break;
		if (!back)
			set_token(c, aws_text(reply.json, "nextForwardToken"));
		json_array_extend(joined, json_object_get(reply.json, "events"));
		json_array_extend(joined, tail);
		json_decref(tail);
		tail = take_ptr(joined);
		token = aws_text(reply.json, "nextBackwardToken");
		if (!*token || (back && strcmp(back, token) == 0))
			break;
		free(back);
		back = xstrdup(token);
	}
	keep_last(&tail, lines);
	set_page(c, take_ptr(tail));
	return 0;
}

static int seek_in_many(struct log_cursor *c, const struct deploy_target *t, size_t lines,
			struct error *err)
{
	AUTO_JSON *tail = json_array();

	while (!c->ended) {
		if (next_of_many(c, t, err) < 0)
			return -1;
		json_array_extend(tail, c->page);
		set_page(c, NULL);
		keep_last(&tail, lines);
	}
	set_page(c, take_ptr(tail));
	return 0;
}

int log_cursor_seek_tail(struct log_cursor *c, const struct deploy_target *t, size_t lines,
			 struct error *err)
{
	return c->place->stream ? seek_in_stream(c, t, lines, err) : seek_in_many(c, t, lines, err);
}

/* CloudWatch Logs of the local target: events of a stream in both directions, and of a group's streams by time. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "local/api_logs.h"
#include "local/log_page.h"
#include "local/log_pattern.h"

#define MOST_STREAMS 100

struct query {
	struct api_call *call;
	char *group; /* its own, since the state's lock is given away while files are read */
	int64_t from_ms, to_ms; /* [from, to) */
	struct log_page page;
};

static void query_release(struct query *q)
{
	log_page_release(&q->page);
	free(q->group);
}
static int bad_token(struct api_call *c)
{
	return api_error(c, "InvalidParameterException", "The specified nextToken is invalid.");
}

/* What both operations ask of a group. */
static int read_query(struct api_call *c, struct query *q)
{
	const char *name;
	const json_t *document = logs_group(c, &name);
	int64_t floor, limit;

	q->call = c;
	if (!document || api_int(c, "startTime", &q->from_ms, 0) < 0 ||
	    api_int(c, "endTime", &q->to_ms, INT64_MAX) < 0 ||
	    api_int(c, "limit", &limit, LOG_PAGE_EVENTS) < 0)
		return -1;
	if (limit < 1 || limit > LOG_PAGE_EVENTS) {
		AUTO_FREE char *text = xstrfmt("%lld", (long long)limit);

		return logs_invalid(c, "limit", text, "Member must have value between 1 and 10000");
	}
	if (q->from_ms > q->to_ms)
		return api_error(c, "InvalidParameterException",
				 "startTime must be less than or equal to endTime");
	floor = logs_floor(document);
	if (q->from_ms < floor)
		q->from_ms = floor;
	q->group = xstrdup(name);
	q->page.limit = (size_t)limit;
	return 0;
}

static json_t *event_json(const struct log_found *f)
{
	return json_pack("{s:I, s:o, s:I}", "timestamp", (json_int_t)f->key.time_ms, "message",
			 json_textn(f->text, f->len), "ingestionTime", (json_int_t)f->came_ms);
}

static bool is_in_time(const struct query *q, const struct log_event *e)
{
	return e->time_ms >= q->from_ms && e->time_ms < q->to_ms;
}

/* ---- GetLogEvents ---- */

/* Tokens are "f/POSITION" and "b/POSITION": where the next page begins, and before what it ends. */
struct stream_query {
	struct query q;
	const char *stream;
	bool forward;
	int64_t at;        /* that of the token; INT64_MAX: the end */
	bool looked;       /* at one event at least */
	int64_t low, high; /* the positions of what was looked at, and of what is behind it */
};

static void stream_query_release(struct stream_query *s)
{
	query_release(&s->q);
}
CLEANUP_RELEASE(stream_query)

static bool read_position(const char *text, int64_t *out)
{
	size_t digits = strspn(text, "0123456789");

	*out = strtoll(text, NULL, 10);
	return digits > 0 && digits < 19 && !text[digits];
}

static int read_stream_query(struct api_call *c, struct stream_query *s)
{
	const char *token;
	bool from_head;

	if (read_query(c, &s->q) < 0 || logs_stream_name(c, &s->stream) < 0 ||
	    api_text(c, "nextToken", &token) < 0 ||
	    api_flag(c, "startFromHead", &from_head, false) < 0)
		return -1;
	s->forward = token ? *token == 'f' : from_head;
	s->at = s->forward ? 0 : INT64_MAX;
	if (token && ((*token != 'f' && *token != 'b') || token[1] != '/' ||
		      !read_position(token + 2, &s->at)))
		return bad_token(c);
	return 0;
}

static int add_event(void *arg, const struct log_event *e, struct error *err)
{
	struct stream_query *s = arg;

	(void)err;
	if (is_in_time(&s->q, e) && !log_page_add(&s->q.page, s->stream, e))
		return 1;
	if (!s->looked || e->position < s->low)
		s->low = e->position;
	if (!s->looked || e->next > s->high)
		s->high = e->next;
	s->looked = true;
	return 0;
}

static int read_stream(struct stream_query *s)
{
	struct api_call *c = s->q.call;
	AUTO(error) err = ERROR_INIT;
	int r;

	/* An operation must not keep others waiting for files. */
	state_unlock(c->local->state);
	r = (s->forward ? log_store_read : log_store_read_back)(
		c->local->logs, s->q.group, s->stream, s->at, add_event, s, &err);
	state_lock(c->local->state);
	if (r >= 0)
		return 0;
	if (err.kind == ERROR_NOT_FOUND)
		return logs_no_stream(c);
	return err.kind == ERROR_CORRUPT ? bad_token(c) : api_failure(c, &err);
}

static int get_log_events(struct api_call *c)
{
	AUTO(stream_query) s = {0};
	json_t *events = json_array();

	json_object_set_new(c->output, "events", events);
	if (read_stream_query(c, &s) < 0 || read_stream(&s) < 0)
		return -1;
	if (!s.looked)
		s.low = s.high = s.at == INT64_MAX ? 0 : s.at;
	log_page_sort(&s.q.page);
	for (size_t i = 0; i < s.q.page.n; i++)
		json_array_append_new(events, event_json(&s.q.page.list[i]));
	json_object_set_new(c->output, "nextForwardToken",
			    json_sprintf("f/%018lld", (long long)s.high));
	json_object_set_new(c->output, "nextBackwardToken",
			    json_sprintf("b/%018lld", (long long)s.low));
	return 0;
}

/* ---- FilterLogEvents ---- */

struct group_query {
	struct query q;
	struct log_pattern pattern;
	struct strlist streams;
	const char *stream; /* that is being looked at */
	char *after_stream; /* with after: the last event of the page before; NULL: there was none */
	struct log_key after;
};

static void group_query_release(struct group_query *g)
{
	query_release(&g->q);
	log_pattern_release(&g->pattern);
	strlist_release(&g->streams);
	free(g->after_stream);
}
CLEANUP_RELEASE(group_query)

/* Base64 of "o TIME POSITION STREAM", n for newest first. */
static json_t *make_token(const struct log_key *last, bool newest)
{
	AUTO(strbuf) token = STRBUF_INIT;
	AUTO_FREE char *text = xstrfmt("%c %lld %lld %s", newest ? 'n' : 'o',
				       (long long)last->time_ms, (long long)last->position,
				       last->stream);

	base64_encode(&token, text, strlen(text));
	return json_text(token.buf);
}

static int read_token(struct group_query *g, const char *token)
{
	AUTO(strbuf) text = STRBUF_INIT;
	long long time_ms, position;
	int at = 0;
	char order;

	if (!base64_decode(&text, token, strlen(token)) ||
	    sscanf(text.buf, "%c %18lld %18lld %n", &order, &time_ms, &position, &at) != 3 || !at ||
	    (order != 'o' && order != 'n'))
		return bad_token(g->q.call);
	g->q.page.newest = order == 'n';
	g->after_stream = xstrdup(text.buf + at);
	g->after = (struct log_key){time_ms, g->after_stream, position};
	return 0;
}

struct choosing {
	struct group_query *g;
	const char *prefix;
	const json_t *names; /* NULL: all */
};

static bool is_named(const json_t *names, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach (names, i, one) {
		if (json_is_string(one) && strcmp(json_string_value(one), name) == 0)
			return true;
	}
	return !names;
}

/* Only those that have events of the time that is asked for. */
static int choose_stream(void *arg, const struct log_stream_facts *f, struct error *err)
{
	const struct choosing *choice = arg;
	struct group_query *g = choice->g;

	(void)err;
	if (f->n_events && f->last_ms >= g->q.from_ms && f->first_ms < g->q.to_ms &&
	    (!choice->prefix || str_starts(f->name, choice->prefix)) &&
	    is_named(choice->names, f->name))
		strlist_add(&g->streams, f->name);
	return 0;
}

static int choose_streams(struct group_query *g)
{
	struct api_call *c = g->q.call;
	struct choosing choice = {.g = g};
	AUTO(error) err = ERROR_INIT;
	const json_t *name;
	size_t i;

	if (api_text(c, "logStreamNamePrefix", &choice.prefix) < 0)
		return -1;
	choice.names = json_object_get(c->input, "logStreamNames");
	if (choice.prefix && choice.names)
		return api_error(c, "InvalidParameterException",
				 "logStreamNamePrefix and logStreamNames cannot be used together");
	if (json_array_size(choice.names) > MOST_STREAMS)
		return logs_invalid(c, "logStreamNames", "[...]",
				    "Member must have length less than or equal to 100");
	json_array_foreach (choice.names, i, name) {
		if (!json_is_string(name) ||
		    !log_store_has(c->local->logs, g->q.group, json_string_value(name)))
			return logs_no_stream(c);
	}
	if (log_store_each_stream(c->local->logs, g->q.group, choose_stream, &choice, &err) < 0)
		return api_failure(c, &err);
	return 0;
}

static int read_group_query(struct api_call *c, struct group_query *g)
{
	const char *token, *pattern;
	AUTO(error) err = ERROR_INIT;
	bool from_head;

	if (read_query(c, &g->q) < 0 || api_text(c, "nextToken", &token) < 0 ||
	    api_text(c, "filterPattern", &pattern) < 0 ||
	    api_flag(c, "startFromHead", &from_head, true) < 0)
		return -1;
	if (log_pattern_parse(&g->pattern, pattern, &err) < 0)
		return api_error(c, "InvalidParameterException", "%s", err.message);
	g->q.page.newest = !from_head;
	if (token && read_token(g, token) < 0)
		return -1;
	return choose_streams(g);
}

static int offer_event(void *arg, const struct log_event *e, struct error *err)
{
	struct group_query *g = arg;
	const struct log_key key = {e->time_ms, g->stream, e->position};
	int order = g->after_stream ? log_key_compare(&key, &g->after) : 0;

	(void)err;
	if (is_in_time(&g->q, e) &&
	    (!g->after_stream || (g->q.page.newest ? order < 0 : order > 0)) &&
	    log_pattern_fits(&g->pattern, e->text, e->len))
		log_page_offer(&g->q.page, g->stream, e);
	return 0;
}

static int read_streams(struct group_query *g)
{
	struct api_call *c = g->q.call;
	AUTO(error) err = ERROR_INIT;
	int r = 0;

	state_unlock(c->local->state);
	for (size_t i = 0; r == 0 && i < g->streams.n; i++) {
		g->stream = g->streams.items[i];
		r = log_store_read(c->local->logs, g->q.group, g->stream, 0, offer_event, g, &err);
		/* Removed since it was listed. */
		if (r < 0 && err.kind == ERROR_NOT_FOUND) {
			error_clear(&err);
			r = 0;
		}
	}
	state_lock(c->local->state);
	return r < 0 ? api_failure(c, &err) : 0;
}

/* 56 digits, as CloudWatch Logs has them, and the same whenever the event is seen. */
static json_t *event_id(const struct log_found *f)
{
	uint64_t hash = 14695981039346656037u;

	for (const char *s = f->key.stream; *s; s++)
		hash = (hash ^ (uint8_t)*s) * 1099511628211u;
	return json_sprintf("%016lld%020llu%020lld", (long long)f->key.time_ms,
			    (unsigned long long)hash, (long long)f->key.position);
}

static int filter_log_events(struct api_call *c)
{
	AUTO(group_query) g = {0};
	json_t *events = json_array();

	json_object_set_new(c->output, "events", events);
	json_object_set_new(c->output, "searchedLogStreams", json_array());
	if (read_group_query(c, &g) < 0 || read_streams(&g) < 0)
		return -1;
	log_page_sort(&g.q.page);
	for (size_t i = 0; i < g.q.page.n; i++) {
		json_t *event = event_json(&g.q.page.list[i]);

		json_object_set_new(event, "logStreamName", json_text(g.q.page.list[i].key.stream));
		json_object_set_new(event, "eventId", event_id(&g.q.page.list[i]));
		json_array_append_new(events, event);
	}
	if (g.q.page.more)
		json_object_set_new(
			c->output, "nextToken",
			make_token(&g.q.page.list[g.q.page.n - 1].key, g.q.page.newest));
	return 0;
}

const struct api_operation api_logs_events[] = {
	{.name = "PutLogEvents", .run = logs_put_events},
	{.name = "GetLogEvents", .run = get_log_events},
	{.name = "FilterLogEvents", .run = filter_log_events},
	{0},
};

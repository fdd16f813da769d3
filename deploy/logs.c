#include "deploy/logs.h"

#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "deploy/log_cursor.h"

struct log_reader {
	const struct deploy_target *target;
	struct log_range range;
	struct log_cursor *cursors;
	size_t n;
	bool begun;
};

struct log_reader *log_reader_new(const struct deploy_target *t, const struct log_places *places,
				  const struct log_range *range)
{
	struct log_reader *r = xcalloc(1, sizeof(*r));

	r->target = t;
	r->range = *range;
	r->cursors = xcalloc(places->n ? places->n : 1, sizeof(*r->cursors));
	for (size_t i = 0; i < places->n; i++)
		if (!places->items[i].other)
			log_cursor_init(&r->cursors[r->n++], &places->items[i], range->since_ms);
	return r;
}

void log_reader_free(struct log_reader *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		log_cursor_release(&r->cursors[i]);
	free(r->cursors);
	free(r);
}

static int begin(struct log_reader *r, struct error *err)
{
	bool seek = r->range.tail > 0 && !r->begun;

	r->begun = true;
	for (size_t i = 0; i < r->n; i++) {
		log_cursor_rewind(&r->cursors[i], aws_now(r->target->aws) * 1000);
		if (seek && log_cursor_seek_tail(&r->cursors[i], r->target, r->range.tail, err) < 0)
			return -1;
	}
	return 0;
}

/* The cursor whose next line is the oldest; NULL: all are at their end. */
static int oldest(struct log_reader *r, struct log_cursor **out, const json_t **event,
		  struct error *err)
{
	*out = NULL;
	for (size_t i = 0; i < r->n; i++) {
		const json_t *next;

		if (log_cursor_peek(&r->cursors[i], r->target, &next, err) < 0)
			return -1;
		if (next && (!*out || aws_int(next, "timestamp") < aws_int(*event, "timestamp"))) {
			*out = &r->cursors[i];
			*event = next;
		}
	}
	return 0;
}

static struct log_line line_of(const struct log_cursor *c, const json_t *event)
{
	const json_t *message = json_object_get(event, "message");
	const char *stream = c->place->stream ? c->place->stream : aws_text(event, "logStreamName");
	const char *text = json_string_value(message);

	return (struct log_line){
		.time_ms = aws_int(event, "timestamp"),
		.container = c->place->container,
		.task = c->place->prefix ? path_base(stream) : "",
		.text = text ? text : "",
		.len = json_string_length(message),
	};
}

int log_reader_poll(struct log_reader *r,
		    int (*line)(void *arg, const struct log_line *l, struct error *err), void *arg,
		    size_t *n, struct error *err)
{
	size_t told = 0;

	if (begin(r, err) < 0)
		return -1;
	for (;;) {
		struct log_cursor *c;
		const json_t *event = NULL;
		struct log_line l;

		if (cancel_check(r->target->cancel, err) < 0 || oldest(r, &c, &event, err) < 0)
			return -1;
		if (!c)
			break;
		l = line_of(c, event);
		if (line(arg, &l, err) < 0)
			return -1;
		log_cursor_advance(c);
		told++;
	}
	if (n)
		*n = told;
	return 0;
}

const char *log_reader_missing_group(const struct log_reader *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->cursors[i].missing && !r->cursors[i].place->stream)
			return r->cursors[i].place->group;
	return NULL;
}

int logs_tail(const struct deploy_target *t, const struct log_place *place, size_t lines,
	      struct strbuf *out, struct error *err)
{
	struct log_cursor c;
	json_t *event;
	size_t i;
	int r;

	log_cursor_init(&c, place, 0);
	r = log_cursor_seek_tail(&c, t, lines, err);
	json_array_foreach (c.page, i, event) {
		strbuf_puts(out, aws_text(event, "message"));
		if (out->len && out->buf[out->len - 1] != '\n')
			strbuf_putc(out, '\n');
	}
	log_cursor_release(&c);
	return r;
}

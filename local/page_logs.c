#include "local/page_logs.h"

struct piece {
	json_t *events; /* NULL: only counted */
	size_t n, bytes;
	int64_t position; /* of the last event that was seen */
	int64_t next;
};

static bool is_full(const struct piece *p)
{
	return p->n >= PAGE_LOG_LINES || p->bytes >= PAGE_LOG_BYTES;
}

static int add_event(void *arg, const struct log_event *e, struct error *err)
{
	struct piece *p = arg;

	(void)err;
	p->n++;
	p->bytes += e->len;
	p->position = e->position;
	p->next = e->next;
	if (p->events)
		json_array_append_new(p->events,
				      json_pack("{s:I, s:o}", "time", (json_int_t)e->time_ms,
						"text", json_textn(e->text, e->len)));
	return is_full(p);
}

/* 0 when the stream is not there. */
static int find_tail(struct log_store *logs, const char *group, const char *stream,
		     int64_t *position, struct error *err)
{
	struct piece p = {0};

	if (log_store_read_back(logs, group, stream, INT64_MAX, add_event, &p, err) < 0)
		return -1;
	*position = p.position;
	return 0;
}

json_t *page_log_piece(struct log_store *logs, const char *group, const char *stream,
		       int64_t position, struct error *err)
{
	struct piece p = {.events = json_array()};
	AUTO(error) why = ERROR_INIT;
	int r = 0;

	if (position == PAGE_LOG_TAIL) {
		position = 0;
		r = find_tail(logs, group, stream, &position, &why);
	}
	p.next = position;
	if (r == 0)
		r = log_store_read(logs, group, stream, position, add_event, &p, &why);
	if (r < 0 && why.kind != ERROR_NOT_FOUND) {
		json_decref(p.events);
		error_move(err, &why);
		return NULL;
	}
	return json_pack("{s:o, s:I, s:b}", "events", p.events, "next", (json_int_t)p.next, "more",
			 r > 0);
}

#include "local/container_log.h"

#include <string.h>

#include "base/alloc.h"
#include "base/time.h"

#define BATCH 256 /* events of one append */

struct batch {
	struct log_event events[BATCH];
	size_t n;
	int64_t now_ms;
};

char *container_log_stream(const char *prefix, const char *container, const char *task_id,
			   const char *container_id)
{
	return prefix ? xstrfmt("%s/%s/%s", prefix, container, task_id) : xstrdup(container_id);
}

int container_log_open(struct container_log *l, struct log_store *store, const char *group,
		       const char *stream, struct error *err)
{
	if (log_store_append(store, group, stream, NULL, 0, err) < 0)
		return -1;
	l->store = store;
	l->group = xstrdup(group);
	l->stream = xstrdup(stream);
	for (int i = 0; i < 2; i++)
		strbuf_init(&l->parts[i]);
	return 0;
}

static int flush(struct container_log *l, struct batch *b, struct error *err)
{
	AUTO(error) why = ERROR_INIT;
	size_t n = b->n;

	b->n = 0;
	if (n == 0 || log_store_append(l->store, l->group, l->stream, b->events, n, &why) == 0 ||
	    l->failed)
		return 0;
	l->failed = true;
	return error_move(err, &why);
}

static int add(struct container_log *l, struct batch *b, const char *text, size_t len,
	       struct error *err)
{
	/* CloudWatch Logs takes no event without text. */
	if (len == 0)
		return 0;
	b->events[b->n++] = (struct log_event){
		.time_ms = b->now_ms, .came_ms = b->now_ms, .text = text, .len = len};
	return b->n == BATCH ? flush(l, b, err) : 0;
}

static struct batch *batch_new(void)
{
	struct batch *b = xcalloc(1, sizeof(*b));

	b->now_ms = time_now_ns() / 1000000;
	return b;
}

/* The part is the text of an event: it must be written before it changes. */
static int add_part(struct container_log *l, struct batch *b, struct strbuf *part,
		    struct error *err)
{
	int r = add(l, b, part->buf, part->len, err);

	if (flush(l, b, err) < 0)
		r = -1;
	strbuf_reset(part);
	return r;
}

int container_log_write(struct container_log *l, int fd, const char *data, size_t len,
			struct error *err)
{
	struct strbuf *part = &l->parts[fd == 2];
	AUTO_FREE struct batch *b = NULL;
	int r = 0;

	if (!l->store)
		return 0;
	b = batch_new();
	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) : len;
		size_t room = CONTAINER_LOG_LINE - part->len;

		if (part->len == 0 && end && n <= room) {
			r |= add(l, b, data, n, err);
		} else {
			size_t taken = n < room ? n : room;

			strbuf_add(part, data, taken);
			if (taken < n || end || part->len == CONTAINER_LOG_LINE)
				r |= add_part(l, b, part, err);
			if (taken < n) {
				data += taken;
				len -= taken;
				continue;
			}
		}
		data += n + (end != NULL);
		len -= n + (end != NULL);
	}
	return flush(l, b, err) < 0 || r < 0 ? -1 : 0;
}

int container_log_finish(struct container_log *l, struct error *err)
{
	AUTO_FREE struct batch *b = NULL;
	int r = 0;

	if (!l->store)
		return 0;
	b = batch_new();
	for (int i = 0; i < 2; i++)
		r |= add_part(l, b, &l->parts[i], err);
	return r;
}

void container_log_release(struct container_log *l)
{
	free(l->group);
	free(l->stream);
	if (l->store)
		for (int i = 0; i < 2; i++)
			strbuf_release(&l->parts[i]);
}

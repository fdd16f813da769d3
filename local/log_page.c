#include "local/log_page.h"

#include <string.h>

#include "base/alloc.h"

void log_page_release(struct log_page *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->list[i].text);
	free(p->list);
	p->list = NULL;
	p->n = p->cap = 0;
}

int log_key_compare(const struct log_key *a, const struct log_key *b)
{
	int streams;

	if (a->time_ms != b->time_ms)
		return a->time_ms < b->time_ms ? -1 : 1;
	streams = strcmp(a->stream, b->stream);
	if (streams)
		return streams;
	return a->position < b->position ? -1 : a->position > b->position;
}

/* Does a come behind b in the page? */
static bool is_behind(const struct log_page *p, const struct log_key *a, const struct log_key *b)
{
	int order = log_key_compare(a, b);

	return p->newest ? order < 0 : order > 0;
}

static void append(struct log_page *p, const char *stream, const struct log_event *e)
{
	struct log_found *f;

	GROW(p->list, p->n + 1, p->cap);
	f = &p->list[p->n++];
	*f = (struct log_found){.key = {e->time_ms, stream, e->position},
				.came_ms = e->came_ms,
				.text = xmemdup(e->len ? e->text : "", e->len ? e->len : 1),
				.len = e->len};
	p->bytes += e->len;
}

static bool fits(const struct log_page *p, size_t len)
{
	return p->n < p->limit && (p->n == 0 || p->bytes + len <= LOG_PAGE_BYTES);
}

bool log_page_add(struct log_page *p, const char *stream, const struct log_event *e)
{
	if (!fits(p, e->len)) {
		p->more = true;
		return false;
	}
	append(p, stream, e);
	return true;
}

static void swap(struct log_page *p, size_t a, size_t b)
{
	struct log_found between = p->list[a];

	p->list[a] = p->list[b];
	p->list[b] = between;
}

/* The list is a heap: that which comes last in the page is first. */
static void rise(struct log_page *p, size_t at)
{
	while (at > 0 && is_behind(p, &p->list[at].key, &p->list[(at - 1) / 2].key)) {
		swap(p, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
}

static void drop_last(struct log_page *p)
{
	size_t at = 0;

	p->bytes -= p->list[0].len;
	free(p->list[0].text);
	p->list[0] = p->list[--p->n];
	for (;;) {
		size_t left = 2 * at + 1, right = left + 1, most = at;

		if (left < p->n && is_behind(p, &p->list[left].key, &p->list[most].key))
			most = left;
		if (right < p->n && is_behind(p, &p->list[right].key, &p->list[most].key))
			most = right;
		if (most == at)
			return;
		swap(p, at, most);
		at = most;
	}
}

void log_page_offer(struct log_page *p, const char *stream, const struct log_event *e)
{
	const struct log_key key = {e->time_ms, stream, e->position};

	/* What was let go once stands behind everything that may still come in. */
	if ((p->more || !fits(p, e->len)) && p->n && is_behind(p, &key, &p->list[0].key)) {
		p->more = true;
		return;
	}
	append(p, stream, e);
	rise(p, p->n - 1);
	while (p->n > p->limit || (p->n > 1 && p->bytes > LOG_PAGE_BYTES)) {
		drop_last(p);
		p->more = true;
	}
}

static int oldest_first(const void *a, const void *b)
{
	const struct log_found *x = a, *y = b;

	return log_key_compare(&x->key, &y->key);
}

static int newest_first(const void *a, const void *b)
{
	return oldest_first(b, a);
}

void log_page_sort(struct log_page *p)
{
	if (p->n)
		qsort(p->list, p->n, sizeof(*p->list), p->newest ? newest_first : oldest_first);
}

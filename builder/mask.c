#include "builder/mask.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Shorter ones would blot out words of the output without hiding anything. */
#define SHORTEST_VALUE 4
#define SHORTEST_LINE  8

void mask_release(struct mask *m)
{
	for (size_t i = 0; i < m->n; i++) {
		wipe(m->values[i], m->lens[i]);
		free(m->values[i]);
	}
	free(m->values);
	free(m->lens);
	memset(m, 0, sizeof(*m));
}

static void add(struct mask *m, const char *text, size_t len)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 8;
		m->values = xreallocarray(m->values, m->cap, sizeof(*m->values));
		m->lens = xreallocarray(m->lens, m->cap, sizeof(*m->lens));
	}
	m->values[m->n] = xmemdup(text, len);
	m->lens[m->n++] = len;
	m->first[(unsigned char)*text] = true;
}

void mask_add(struct mask *m, const void *data, size_t len)
{
	const char *text = data;

	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	while (len && (*text == '\n' || *text == '\r')) {
		text++;
		len--;
	}
	if (len >= SHORTEST_VALUE)
		add(m, text, len);
	if (!memchr(text, '\n', len))
		return;
	for (const char *end = text + len; text < end;) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((stop ? stop : end) - text);

		if (n && text[n - 1] == '\r')
			n--;
		if (n >= SHORTEST_LINE)
			add(m, text, n);
		text = stop ? stop + 1 : end;
	}
}

/* The longest value at text; 0: none. *partial: text may be the beginning of one. */
static size_t match(const struct mask *m, const char *text, size_t len, bool *partial)
{
	size_t longest = 0;

	*partial = false;
	for (size_t i = 0; i < m->n; i++) {
		size_t n = m->lens[i] < len ? m->lens[i] : len;

		if (memcmp(m->values[i], text, n) != 0)
			continue;
		if (n < m->lens[i])
			*partial = true;
		else if (n > longest)
			longest = n;
	}
	return longest;
}

/* How many bytes were dealt with. */
static size_t scan(const struct mask *m, const char *text, size_t len, bool end, struct strbuf *out)
{
	size_t done = 0, shown = 0;

	while (done < len) {
		bool partial = false;
		size_t n;

		if (!m->first[(unsigned char)text[done]]) {
			done++;
			continue;
		}
		n = match(m, text + done, len - done, &partial);
		if (partial && !end)
			break;
		if (!n) {
			done++;
			continue;
		}
		strbuf_add(out, text + shown, done - shown);
		strbuf_puts(out, "***");
		done += n;
		shown = done;
	}
	strbuf_add(out, text + shown, done - shown);
	return done;
}

void mask_feed(struct mask_stream *s, const void *data, size_t len, bool end, struct strbuf *out)
{
	size_t done;

	if (!s->held.len) {
		done = scan(s->mask, data, len, end, out);
		strbuf_add(&s->held, (const char *)data + done, len - done);
		return;
	}
	strbuf_add(&s->held, data, len);
	done = scan(s->mask, s->held.buf, s->held.len, end, out);
	strbuf_remove(&s->held, 0, done);
}

void mask_stream_release(struct mask_stream *s)
{
	wipe(s->held.buf, s->held.len);
	strbuf_release(&s->held);
}

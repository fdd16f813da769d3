#include "builder/output.h"

#include <string.h>

#define LINE_KEPT 4096 /* bytes of one line that a message repeats */

void output_init(struct output *o, struct reporter *r)
{
	*o = (struct output){.reporter = r};
	for (size_t i = 0; i < 2; i++) {
		o->streams[i].mask = &o->mask;
		strbuf_init(&o->streams[i].held);
	}
	for (size_t i = 0; i < LIMIT_STEP_TAIL_LINES; i++)
		strbuf_init(&o->lines[i].text);
}

void output_release(struct output *o)
{
	for (size_t i = 0; i < 2; i++)
		mask_stream_release(&o->streams[i]);
	for (size_t i = 0; i < LIMIT_STEP_TAIL_LINES; i++)
		strbuf_release(&o->lines[i].text);
	mask_release(&o->mask);
}

static void add_to_line(struct output *o, const char *text, size_t len)
{
	struct output_line *line;
	size_t room;

	if (!o->open) {
		o->n_lines++;
		o->open = true;
		line = &o->lines[o->n_lines % LIMIT_STEP_TAIL_LINES];
		strbuf_reset(&line->text);
		line->dropped = 0;
	}
	line = &o->lines[o->n_lines % LIMIT_STEP_TAIL_LINES];
	room = line->text.len < LINE_KEPT ? LINE_KEPT - line->text.len : 0;
	strbuf_add(&line->text, text, len < room ? len : room);
	line->dropped += len < room ? 0 : len - room;
}

static void keep(struct output *o, const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		add_to_line(o, text, n);
		if (end) {
			o->open = false;
			n++;
		}
		text += n;
		len -= n;
	}
}

static void show(struct output *o, int fd, const struct strbuf *text)
{
	if (!text->len)
		return;
	report_step_output(o->reporter, o->step, fd, text->buf, text->len);
	keep(o, text->buf, text->len);
}

void output_write(struct output *o, int fd, const void *data, size_t len)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (!o->mask.n) {
		report_step_output(o->reporter, o->step, fd, data, len);
		keep(o, data, len);
		return;
	}
	mask_feed(&o->streams[fd == 2], data, len, false, &text);
	show(o, fd, &text);
}

void output_end(struct output *o)
{
	for (int fd = 1; fd <= 2; fd++) {
		AUTO(strbuf) text = STRBUF_INIT;

		mask_feed(&o->streams[fd == 2], "", 0, true, &text);
		show(o, fd, &text);
	}
}

/* A progress bar that redraws itself counts as what it showed last. */
static void add_line(const struct output_line *line, struct strbuf *out)
{
	const char *start = line->text.buf;
	size_t len = line->text.len;
	const char *cr;

	while (len && start[len - 1] == '\r')
		len--;
	cr = memrchr(start, '\r', len);
	if (cr && !line->dropped) {
		len -= (size_t)(cr + 1 - start);
		start = cr + 1;
	}
	strbuf_puts(out, "\n  ");
	strbuf_add_printable(out, start, len, true);
	if (line->dropped)
		strbuf_printf(out, " ... and %zu more bytes", line->dropped);
}

void output_tail(const struct output *o, struct strbuf *out)
{
	size_t n = o->n_lines < LIMIT_STEP_TAIL_LINES ? o->n_lines : LIMIT_STEP_TAIL_LINES;

	if (!n)
		return;
	strbuf_printf(out, n < o->n_lines ? "The last %zu lines of its output:" : "Its output:", n);
	for (size_t i = o->n_lines - n + 1; i <= o->n_lines; i++)
		add_line(&o->lines[i % LIMIT_STEP_TAIL_LINES], out);
}

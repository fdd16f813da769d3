#include "cli/terminal_view.h"

#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <fcntl.h>

#define TICK_MS 250

static int ticker(void *arg, struct error *err)
{
	struct live_view *v = arg;
	struct pollfd p = {.fd = v->wake[0], .events = POLLIN};

	(void)err;
	while (poll(&p, 1, TICK_MS) == 0)
		v->tick(v->arg);
	return 0;
}

void live_view_start(struct live_view *v, void (*tick)(void *arg), void *arg)
{
	if (v->pool || pipe2(v->wake, O_CLOEXEC) < 0)
		return;
	v->tick = tick;
	v->arg = arg;
	v->pool = pool_new(1);
	group_init(&v->group, v->pool);
	group_run(&v->group, ticker, v);
}

void live_view_stop(struct live_view *v)
{
	if (!v->pool)
		return;
	close(v->wake[1]);
	group_wait(&v->group, NULL);
	pool_free(v->pool);
	close(v->wake[0]);
	v->pool = NULL;
}

void live_view_release(struct live_view *v)
{
	live_view_stop(v);
	strbuf_release(&v->lines);
}

void live_view_begin(struct live_view *v, int fd)
{
	struct winsize size;

	v->columns = 80;
	v->rows = 24;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
		v->columns = size.ws_col;
		v->rows = size.ws_row;
	}
	if (!v->lines.buf)
		strbuf_init(&v->lines);
	strbuf_reset(&v->lines);
	v->n_lines = 0;
	v->hidden = 0;
}

void live_view_add(struct live_view *v, const char *name, int64_t elapsed_ns, int64_t done,
		   int64_t total)
{
	AUTO(strbuf) line = STRBUF_INIT;
	AUTO(strbuf) tail = STRBUF_INIT;
	size_t room;

	if (v->n_lines + 2 >= v->rows) {
		v->hidden++;
		return;
	}
	if (done > 0 || total > 0) {
		strbuf_putc(&tail, ' ');
		live_view_bytes(&tail, done, total, elapsed_ns);
	}
	strbuf_printf(&tail, " %.1fs", (double)elapsed_ns / 1e9);
	room = v->columns > tail.len + 6 ? v->columns - tail.len - 6 : 1;
	strbuf_add_printable(&line, name, strlen(name), false);
	if (line.len > room) {
		/* cut before a character, never inside one */
		while (room > 0 && ((unsigned char)line.buf[room] & 0xc0) == 0x80)
			room--;
		strbuf_truncate(&line, room);
		strbuf_puts(&line, "..");
	}
	strbuf_printf(&v->lines, " => %s%s\n", line.buf, tail.buf);
	v->n_lines++;
}

void live_view_end(struct live_view *v, struct strbuf *out, bool color)
{
	if (v->hidden) {
		strbuf_printf(&v->lines, " => and %zu more\n", v->hidden);
		v->n_lines++;
	}
	if (!v->n_lines)
		return;
	if (color)
		strbuf_puts(out, "\033[36m");
	strbuf_add(out, v->lines.buf, v->lines.len);
	if (color)
		strbuf_puts(out, "\033[0m");
	v->drawn = v->n_lines;
}

void live_view_clear(struct live_view *v, struct strbuf *out)
{
	if (v->drawn)
		strbuf_printf(out, "\033[%zuA\r\033[J", v->drawn);
	v->drawn = 0;
}

void live_view_bytes(struct strbuf *out, int64_t done, int64_t total, int64_t elapsed_ns)
{
	double seconds = (double)elapsed_ns / 1e9;
	double rate = seconds > 0.1 ? (double)done / seconds : 0;

	strbuf_add_size(out, done);
	if (total >= 0) {
		strbuf_puts(out, " / ");
		strbuf_add_size(out, total);
	}
	if (rate >= 1) {
		strbuf_putc(out, ' ');
		strbuf_add_size(out, (int64_t)rate);
		strbuf_puts(out, "/s");
		if (total > done)
			strbuf_printf(out, " eta %.0fs", (double)(total - done) / rate);
	}
}

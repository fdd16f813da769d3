#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/strbuf.h"
#include "base/time.h"
#include "cli/terminal_json.h"
#include "cli/terminal_view.h"

int progress_parse(enum progress_kind *out, const char *text, struct error *err)
{
	static const struct {
		const char *name;
		enum progress_kind kind;
	} kinds[] = {
		{"auto", PROGRESS_AUTO}, {"tty", PROGRESS_TTY},      {"plain", PROGRESS_PLAIN},
		{"json", PROGRESS_JSON}, {"rawjson", PROGRESS_JSON}, {"quiet", PROGRESS_QUIET},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(text, kinds[i].name) == 0) {
			*out = kinds[i].kind;
			return 0;
		}
	}
	return error_set(err, ERROR_USAGE,
			 "invalid --progress \"%s\": auto, tty, plain, json or quiet", text);
}

/* Bytes of one stream that do not end in a newline yet: shown when a line is whole or this long. */
#define LINE_CHUNK 4096

struct step {
	int id;
	char *name;
	int64_t started, done_bytes, total_bytes;
	int64_t shown; /* when a progress line was last printed */
	struct strbuf partial[2];
	bool running;
};

struct terminal {
	struct reporter reporter;
	pthread_mutex_t lock;
	int fd;
	bool is_tty, color, verbose;
	enum progress_kind kind;
	struct step **steps;
	size_t n_steps, cap_steps;
	int next_id;
	int64_t began;
	struct strbuf out;
	struct live_view view;
};

static void flush_out(struct terminal *t)
{
	struct pollfd ready = {.fd = t->fd, .events = POLLOUT};
	size_t done = 0;

	while (done < t->out.len) {
		ssize_t n = write(t->fd, t->out.buf + done, t->out.len - done);

		/* Others may have made the terminal we share with them non-blocking. */
		if (n < 0 && errno == EAGAIN && poll(&ready, 1, 10000) > 0)
			continue;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	strbuf_reset(&t->out);
}

static struct step *find_step(struct terminal *t, int id)
{
	for (size_t i = t->n_steps; i-- > 0;)
		if (t->steps[i]->id == id)
			return t->steps[i];
	return NULL;
}

/* The bottom lines of the tty view: what runs now. */
static void draw_live(struct terminal *t)
{
	int64_t now = time_monotonic_ns();

	if (t->kind != PROGRESS_TTY)
		return;
	live_view_begin(&t->view, t->fd);
	for (size_t i = 0; i < t->n_steps; i++) {
		const struct step *s = t->steps[i];

		live_view_add(&t->view, s->name, now - s->started, s->done_bytes, s->total_bytes);
	}
	live_view_end(&t->view, &t->out, t->color);
}

/* Everything that is printed goes between these two. */
static void begin(struct terminal *t)
{
	pthread_mutex_lock(&t->lock);
	if (t->kind == PROGRESS_TTY)
		live_view_clear(&t->view, &t->out);
}

static void end(struct terminal *t)
{
	draw_live(t);
	flush_out(t);
	pthread_mutex_unlock(&t->lock);
}

static void add_clock(struct terminal *t, const struct step *s)
{
	double seconds = (double)(time_monotonic_ns() - s->started) / 1e9;

	if (t->kind == PROGRESS_PLAIN)
		strbuf_printf(&t->out, "#%d %.3f ", s->id, seconds);
	else
		strbuf_printf(&t->out, "#%d ", s->id);
}

/* Length of a colour or erase sequence (CSI ... m, CSI ... K) at the start of s, or 0. */
static size_t decoration(const char *s, size_t len)
{
	size_t i = 2;

	if (len < 3 || s[0] != '\033' || s[1] != '[')
		return 0;
	while (i < len && (s[i] == ';' || (s[i] >= '0' && s[i] <= '9')))
		i++;
	return i < len && (s[i] == 'm' || s[i] == 'K') ? i + 1 : 0;
}

/*
 * A line of a step as the terminal would have shown it: what a carriage return overwrote is gone, and so are colours;
 * any other control character but a tab is made visible.
 */
static void add_shown(struct strbuf *out, const char *line, size_t len)
{
	const char *cr;
	size_t plain = 0;

	while (len && line[len - 1] == '\r')
		len--;
	cr = memrchr(line, '\r', len);
	if (cr) {
		len -= (size_t)(cr + 1 - line);
		line = cr + 1;
	}
	for (size_t i = 0; i < len;) {
		size_t skip = decoration(line + i, len - i);

		if (!skip) {
			i++;
			continue;
		}
		strbuf_add_printable(out, line + plain, i - plain, true);
		i += skip;
		plain = i;
	}
	strbuf_add_printable(out, line + plain, len - plain, true);
}

static void print_line(struct terminal *t, const struct step *s, const char *line, size_t len)
{
	add_clock(t, s);
	if (t->is_tty)
		add_shown(&t->out, line, len);
	else
		strbuf_add(&t->out, line, len);
	strbuf_putc(&t->out, '\n');
}

static void flush_partial(struct terminal *t, struct step *s)
{
	for (int i = 0; i < 2; i++) {
		if (s->partial[i].len)
			print_line(t, s, s->partial[i].buf, s->partial[i].len);
		strbuf_reset(&s->partial[i]);
	}
}

bool terminal_is_for_programs(const struct terminal *t)
{
	return t->kind == PROGRESS_JSON;
}

static void on_log(struct reporter *r, enum log_level level, const char *text)
{
	struct terminal *t = (struct terminal *)r;

	if (level == LOG_DEBUG && !t->verbose)
		return;
	if (level == LOG_INFO && t->kind == PROGRESS_QUIET)
		return;
	begin(t);
	if (t->kind == PROGRESS_JSON) {
		json_event_log(&t->out, level, text);
	} else {
		if (level == LOG_WARNING)
			strbuf_puts(&t->out, t->color ? "\033[33mWARNING:\033[0m " : "WARNING: ");
		strbuf_add_printable(&t->out, text, strlen(text), true);
		strbuf_putc(&t->out, '\n');
	}
	end(t);
}

static int on_begin(struct reporter *r, const char *name)
{
	struct terminal *t = (struct terminal *)r;
	struct step *s = xcalloc(1, sizeof(*s));

	begin(t);
	s->id = ++t->next_id;
	s->name = xstrdup(name);
	s->started = time_monotonic_ns();
	s->total_bytes = -1;
	s->running = true;
	strbuf_init(&s->partial[0]);
	strbuf_init(&s->partial[1]);
	GROW(t->steps, t->n_steps + 1, t->cap_steps);
	t->steps[t->n_steps++] = s;
	if (t->kind == PROGRESS_PLAIN) {
		strbuf_printf(&t->out, "#%d ", s->id);
		strbuf_add_printable(&t->out, name, strlen(name), false);
		strbuf_putc(&t->out, '\n');
	} else if (t->kind == PROGRESS_JSON) {
		json_event_begin(&t->out, s->id, name);
	}
	end(t);
	return s->id;
}

static void add_output(struct terminal *t, struct step *s, int fd, const char *data, size_t len)
{
	struct strbuf *partial = &s->partial[fd == 2];

	while (len) {
		const char *newline = memchr(data, '\n', len);
		size_t n = newline ? (size_t)(newline - data) : len;

		strbuf_add(partial, data, n);
		if (newline || partial->len >= LINE_CHUNK) {
			print_line(t, s, partial->buf, partial->len);
			strbuf_reset(partial);
		}
		n += newline != NULL;
		data += n;
		len -= n;
	}
}

static void on_output(struct reporter *r, int id, int fd, const void *data, size_t len)
{
	struct terminal *t = (struct terminal *)r;
	struct step *s;

	if (t->kind == PROGRESS_QUIET)
		return;
	begin(t);
	s = find_step(t, id);
	if (s && t->kind == PROGRESS_JSON)
		json_event_output(&t->out, id, fd, data, len);
	else if (s)
		add_output(t, s, fd, data, len);
	end(t);
}

static void on_progress(struct reporter *r, int id, int64_t done, int64_t total)
{
	struct terminal *t = (struct terminal *)r;
	int64_t now = time_monotonic_ns();
	bool due = false;
	struct step *s;

	pthread_mutex_lock(&t->lock);
	s = find_step(t, id);
	if (s) {
		s->done_bytes = done;
		s->total_bytes = total;
		/* a line every 5 s in logs, ten frames a second on a terminal */
		due = now - (s->shown ? s->shown : s->started) >
		      (t->kind == PROGRESS_TTY ? 100000000 : 5000000000);
		if (due)
			s->shown = now;
	}
	pthread_mutex_unlock(&t->lock);
	if (!due || t->kind == PROGRESS_QUIET)
		return;
	begin(t);
	s = find_step(t, id);
	if (s && t->kind == PROGRESS_JSON) {
		json_event_progress(&t->out, id, done, total);
	} else if (s && t->kind == PROGRESS_PLAIN) {
		add_clock(t, s);
		live_view_bytes(&t->out, done, total, now - s->started);
		strbuf_putc(&t->out, '\n');
	}
	end(t);
}

static void on_note(struct reporter *r, int id, const char *text)
{
	struct terminal *t = (struct terminal *)r;
	const struct step *s;

	if (t->kind == PROGRESS_QUIET)
		return;
	begin(t);
	s = find_step(t, id);
	if (s && t->kind == PROGRESS_JSON) {
		json_event_note(&t->out, id, text);
	} else if (s) {
		strbuf_printf(&t->out, "#%d ", id);
		strbuf_add_printable(&t->out, text, strlen(text), true);
		strbuf_putc(&t->out, '\n');
	}
	end(t);
}

static const char *status_word(enum step_status status)
{
	switch (status) {
	case STEP_STATUS_CACHED:
		return "CACHED";
	case STEP_STATUS_FAILED:
		return "ERROR";
	case STEP_STATUS_CANCELLED:
		return "CANCELED";
	case STEP_STATUS_DONE:
		break;
	}
	return "DONE";
}

static void print_end(struct terminal *t, const struct step *s, enum step_status status,
		      const struct error *err)
{
	double seconds = (double)(time_monotonic_ns() - s->started) / 1e9;

	if (t->kind == PROGRESS_TTY) {
		strbuf_printf(&t->out, "#%d ", s->id);
		strbuf_add_printable(&t->out, s->name, strlen(s->name), false);
		strbuf_putc(&t->out, ' ');
	} else {
		strbuf_printf(&t->out, "#%d ", s->id);
	}
	if (t->color && status == STEP_STATUS_FAILED)
		strbuf_puts(&t->out, "\033[31m");
	strbuf_puts(&t->out, status_word(status));
	if (status == STEP_STATUS_DONE)
		strbuf_printf(&t->out, " %.1fs", seconds);
	if (status == STEP_STATUS_FAILED && err && err->message) {
		size_t line = strcspn(err->message, "\n");

		strbuf_puts(&t->out, ": ");
		strbuf_add_printable(&t->out, err->message, line, false);
	}
	if (t->color && status == STEP_STATUS_FAILED)
		strbuf_puts(&t->out, "\033[0m");
	strbuf_putc(&t->out, '\n');
}

static void step_free(struct step *s)
{
	strbuf_release(&s->partial[0]);
	strbuf_release(&s->partial[1]);
	free(s->name);
	free(s);
}

static void on_end(struct reporter *r, int id, enum step_status status, const struct error *err)
{
	struct terminal *t = (struct terminal *)r;

	begin(t);
	for (size_t i = 0; i < t->n_steps; i++) {
		struct step *s = t->steps[i];

		if (s->id != id)
			continue;
		if (t->kind == PROGRESS_JSON) {
			json_event_end(&t->out, id, status_word(status),
				       time_monotonic_ns() - s->started, err);
		} else if (t->kind != PROGRESS_QUIET) {
			flush_partial(t, s);
			print_end(t, s, status, err);
		}
		memmove(t->steps + i, t->steps + i + 1,
			(t->n_steps - i - 1) * sizeof(struct step *));
		t->n_steps--;
		step_free(s);
		break;
	}
	end(t);
}

struct terminal *terminal_new(int fd, bool is_tty, bool color, bool verbose)
{
	struct terminal *t = xcalloc(1, sizeof(*t));

	t->reporter = (struct reporter){
		.log = on_log,
		.step_begin = on_begin,
		.step_output = on_output,
		.step_progress = on_progress,
		.step_note = on_note,
		.step_end = on_end,
	};
	pthread_mutex_init(&t->lock, NULL);
	t->fd = fd;
	t->is_tty = is_tty;
	t->color = color && is_tty;
	t->verbose = verbose;
	t->kind = PROGRESS_PLAIN;
	t->began = time_monotonic_ns();
	strbuf_init(&t->out);
	return t;
}

/* Redraws while nothing is reported, so that the elapsed time of a silent step moves. */
static void on_tick(void *arg)
{
	struct terminal *t = arg;

	begin(t);
	end(t);
}

void terminal_set_progress(struct terminal *t, enum progress_kind kind)
{
	if (kind == PROGRESS_AUTO)
		kind = t->is_tty ? PROGRESS_TTY : PROGRESS_PLAIN;
	t->kind = kind;
	if (kind == PROGRESS_TTY)
		live_view_start(&t->view, on_tick, t);
}

struct reporter *terminal_reporter(struct terminal *t)
{
	return &t->reporter;
}

void terminal_finish(struct terminal *t)
{
	live_view_stop(&t->view);
	pthread_mutex_lock(&t->lock);
	if (t->kind == PROGRESS_TTY) {
		live_view_clear(&t->view, &t->out);
		t->kind = PROGRESS_PLAIN;
	}
	flush_out(t);
	pthread_mutex_unlock(&t->lock);
}

void terminal_free(struct terminal *t)
{
	if (!t)
		return;
	terminal_finish(t);
	for (size_t i = 0; i < t->n_steps; i++)
		step_free(t->steps[i]);
	free(t->steps);
	strbuf_release(&t->out);
	live_view_release(&t->view);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

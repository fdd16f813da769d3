#include "cli/log_print.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/time.h"
#include "cli/log_text.h"
#include "deploy/lookup.h"

void log_printer_init(struct log_printer *p, const struct app *a, const struct log_places *places,
		      bool tasks)
{
	const char *actions = environment_get(&a->env, "GITHUB_ACTIONS");

	*p = (struct log_printer){
		.out = STRBUF_INIT,
		.tasks = tasks,
		.terminal = isatty(STDOUT_FILENO),
		.runner = actions && strcmp(actions, "true") == 0,
	};
	if (!tasks && places->n == 1)
		return;
	for (size_t i = 0; i < places->n; i++) {
		int width = (int)strlen(places->items[i].container);

		p->width = width > p->width ? width : p->width;
	}
	/* "web/0123456789ab" */
	p->width += tasks ? 1 + TASK_ID_SHOWN : 0;
}

void log_printer_release(struct log_printer *p)
{
	strbuf_release(&p->out);
}

static void add_prefix(struct log_printer *p, const struct log_line *line)
{
	AUTO_FREE char *name = xstrfmt("%s%s%.*s", line->container, p->tasks ? "/" : "",
				       p->tasks ? TASK_ID_SHOWN : 0, line->task);
	char time[TIME_TEXT_SIZE];

	if (p->width)
		strbuf_printf(&p->out, "%-*s | ", p->width, name);
	if (p->timestamps) {
		time_format(line->time_ms / 1000, line->time_ms % 1000 * 1000000, time);
		strbuf_printf(&p->out, "%s ", time);
	}
}

/* The runner obeys lines that begin so, blanks before them or not. */
static bool is_command(const char *text, size_t len)
{
	while (len && (*text == ' ' || *text == '\t')) {
		text++;
		len--;
	}
	return len >= 2 && (memcmp(text, "::", 2) == 0 || memcmp(text, "##", 2) == 0);
}

static void add_text(struct log_printer *p, const char *text, size_t len)
{
	if (!p->terminal && !p->runner) {
		strbuf_add(&p->out, text, len);
		return;
	}
	if (p->runner && is_command(text, len))
		strbuf_puts(&p->out, "| ");
	log_text_add_safe(&p->out, text, len);
}

int log_printer_line(void *arg, const struct log_line *line, struct error *err)
{
	struct log_printer *p = arg;
	const char *text = line->text;
	size_t len = line->len;

	if (len && text[len - 1] == '\n')
		len--;
	strbuf_reset(&p->out);
	for (;;) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		add_prefix(p, line);
		add_text(p, text, n);
		strbuf_putc(&p->out, '\n');
		if (!end)
			break;
		text += n + 1;
		len -= n + 1;
	}
	if (fwrite(p->out.buf, 1, p->out.len, stdout) != p->out.len)
		return error_errno(err, "write to standard output");
	return 0;
}

#include "cli/annotations.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/strbuf.h"

static bool is_wanted(const struct app *a)
{
	const char *set = environment_get(&a->env, "GITHUB_ACTIONS");

	return set && strcmp(set, "true") == 0 && !terminal_is_for_programs(a->terminal);
}

/* The characters that end a message, and in properties those that end one of them. */
static void add_escaped(struct strbuf *out, const char *text, bool property)
{
	for (; *text; text++) {
		if (strchr("%\r\n", *text) || (property && strchr(":,", *text)))
			strbuf_printf(out, "%%%02X", (unsigned char)*text);
		else
			strbuf_putc(out, *text);
	}
}

/* Paths count from the root of the repository, wherever the command is run. */
static char *repository_path(const struct app *a, const char *file)
{
	const char *workspace = environment_get(&a->env, "GITHUB_WORKSPACE");
	AUTO_FREE char *cwd = getcwd(NULL, 0);
	AUTO_FREE char *top = NULL, *absolute = NULL;
	size_t n;

	if (!workspace || !*workspace || !cwd)
		return path_clean(file);
	top = path_resolve(cwd, workspace);
	absolute = path_resolve(cwd, file);
	n = strlen(top);
	if (strncmp(absolute, top, n) == 0 && absolute[n] == '/')
		return xstrdup(absolute + n + 1);
	return take_ptr(absolute);
}

struct annotation {
	const char *kind; /* "warning" */
	const char *file;
	int line_first, line_last, column; /* 0: none */
	const char *title, *message;
};

static void annotate(const struct app *a, const struct annotation *n)
{
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO_FREE char *path = n->file ? repository_path(a, n->file) : NULL;

	strbuf_printf(&out, "::%s ", n->kind);
	if (path && n->line_first > 0) {
		strbuf_puts(&out, "file=");
		add_escaped(&out, path, true);
		strbuf_printf(&out, ",line=%d,", n->line_first);
		if (n->line_last > n->line_first)
			strbuf_printf(&out, "endLine=%d,", n->line_last);
		if (n->column > 0)
			strbuf_printf(&out, "col=%d,", n->column);
	}
	strbuf_puts(&out, "title=");
	add_escaped(&out, n->title, true);
	strbuf_puts(&out, "::");
	add_escaped(&out, n->message, false);
	strbuf_putc(&out, '\n');
	terminal_finish(a->terminal);
	fwrite(out.buf, 1, out.len, stderr);
}

void annotate_checks(struct app *a, const char *file, const struct check_list *list,
		     enum check_level lowest)
{
	for (size_t i = 0; is_wanted(a) && i < list->n; i++) {
		const struct check_warning *w = &list->items[i];
		const struct check_rule_info *rule = check_rule_info(w->rule);
		const struct annotation n = {
			.kind = rule->level == CHECK_WARNING ? "warning" : "notice",
			.file = file,
			.line_first = w->line_first,
			.line_last = w->line_last,
			.column = w->column,
			.title = rule->name,
			.message = w->message,
		};

		if (rule->level >= lowest)
			annotate(a, &n);
	}
}

void annotate_error(struct app *a, const char *file, const struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	struct annotation n = {
		.kind = "error",
		.file = file,
		.line_first = err->line,
		.line_last = err->line,
		.column = err->column,
		.title = "slipway build",
	};

	if (!is_wanted(a) || err->kind == ERROR_CANCELLED)
		return;
	strbuf_add_printable(&text, err->message, strlen(err->message), true);
	n.message = text.buf;
	annotate(a, &n);
}

void annotate_failure(struct app *a, const char *title, const char *message)
{
	AUTO(strbuf) text = STRBUF_INIT;
	struct annotation n = {.kind = "error", .title = title};

	if (!is_wanted(a))
		return;
	strbuf_add_printable(&text, message, strlen(message), true);
	strbuf_trim(&text);
	n.message = text.buf;
	annotate(a, &n);
}

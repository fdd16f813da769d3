#include "cli/check_output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "cli/json_print.h"
#include "dockerfile/source.h"

#define RULER "--------------------\n"

/* Lines around first..last, as many as docker shows: two on each side of one line, else one. */
static void widen(int *first, int *last, int n_lines)
{
	int wanted = *first == *last ? 4 : 2, shown = 0;

	while (shown < wanted) {
		if (*first > 1) {
			--*first;
			shown++;
		}
		if (*last != n_lines) {
			++*last;
			shown++;
		}
		shown++;
	}
}

static void add_excerpt(struct strbuf *out, const struct dockerfile_source *src,
			const struct check_warning *w)
{
	/* docker counts what follows the last line end as a line */
	int n_lines = src->n_lines + (src->len > 0 && src->text[src->len - 1] == '\n');
	int first = w->line_first, last = w->line_last < n_lines ? w->line_last : n_lines;

	if (first < 1 || first > n_lines)
		return;
	widen(&first, &last, n_lines);
	strbuf_printf(out, "%s:%d\n" RULER, src->name, w->line_first);
	for (int i = first; i <= last; i++) {
		size_t len = 0;
		const char *text = source_line(src, i, &len);

		strbuf_printf(out, " %3d | %s ", i,
			      i >= w->line_first && i <= w->line_last ? ">>>" : "   ");
		strbuf_add_printable(out, text ? text : "", len, true);
		strbuf_putc(out, '\n');
	}
	strbuf_puts(out, RULER);
}

static void add_finding(struct strbuf *out, const struct dockerfile_source *src,
			const struct check_warning *w)
{
	const struct check_rule_info *rule = check_rule_info(w->rule);
	AUTO_FREE char *url = check_rule_url(w->rule);

	strbuf_printf(out, "\n%s: %s%s%s\n%s\n",
		      rule->level == CHECK_WARNING ? "WARNING" : "SUGGESTION", rule->name,
		      url ? " - " : "", url ? url : "", w->message);
	add_excerpt(out, src, w);
}

static void add_count(struct strbuf *out, size_t n)
{
	if (n == 0)
		strbuf_puts(out, "Check complete, no warnings found.\n");
	else if (n == 1)
		strbuf_puts(out, "Check complete, 1 warning has been found!\n");
	else
		strbuf_printf(out, "Check complete, %zu warnings have been found!\n", n);
}

void check_print_text(const struct check_list *list, const struct build_options *o, bool failed)
{
	AUTO(dockerfile_source) src = DOCKERFILE_SOURCE_INIT;
	AUTO(strbuf) out = STRBUF_INIT;
	size_t n = check_count(list, CHECK_WARNING);

	/* a text that is no source has no findings either */
	if (source_init(&src, o->dockerfile_name, o->dockerfile, o->dockerfile_len, NULL) == 0)
		for (size_t i = 0; i < list->n; i++)
			add_finding(&out, &src, &list->items[i]);
	if (list->n)
		strbuf_putc(&out, '\n');
	if (n || !failed)
		add_count(&out, n);
	fwrite(out.buf, 1, out.len, stdout);
}

static json_t *position(int line, int column)
{
	json_t *j = json_object();

	json_object_set_new(j, "line", json_integer(line));
	if (column > 1)
		json_object_set_new(j, "character", json_integer(column - 1));
	return j;
}

json_t *check_location_json(int line_first, int line_last, int column)
{
	json_t *j = json_object(), *ranges = json_array(), *range = json_object();

	json_object_set_new(range, "start", position(line_first, column));
	json_object_set_new(range, "end", position(line_last, 0));
	json_array_append_new(ranges, range);
	json_object_set_new(j, "ranges", ranges);
	return j;
}

static json_t *finding_json(const struct check_warning *w)
{
	const struct check_rule_info *rule = check_rule_info(w->rule);
	AUTO_FREE char *url = check_rule_url(w->rule);
	json_t *j = json_object();

	json_object_set_new(j, "ruleName", json_string(rule->name));
	json_object_set_new(j, "description", json_string(rule->description));
	if (url)
		json_object_set_new(j, "url", json_string(url));
	json_object_set_new(j, "detail", json_text(w->message));
	json_object_set_new(j, "level",
			    json_string(rule->level == CHECK_WARNING ? "warning" : "suggestion"));
	json_object_set_new(j, "location",
			    check_location_json(w->line_first, w->line_last, w->column));
	return j;
}

static json_t *sources_json(const struct build_options *o)
{
	AUTO(strbuf) data = STRBUF_INIT;
	json_t *list = json_array(), *source = json_object();

	base64_encode(&data, o->dockerfile, o->dockerfile_len);
	json_object_set_new(source, "filename", json_text(o->dockerfile_name));
	json_object_set_new(source, "data", json_string(data.buf));
	json_object_set_new(source, "language", json_string("Dockerfile"));
	json_array_append_new(list, source);
	return list;
}

static json_t *problem_json(const struct error *problem)
{
	json_t *j = json_object();

	json_object_set_new(j, "message", json_text(problem->message));
	json_object_set_new(j, "location",
			    problem->line > 0 ? check_location_json(problem->line, problem->line,
								    problem->column)
					      : json_object());
	return j;
}

void check_print_json(const struct check_list *list, const struct build_options *o,
		      const struct error *problem)
{
	AUTO_JSON *out = json_object();
	json_t *warnings = json_array();

	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(warnings, finding_json(&list->items[i]));
	json_object_set_new(out, "warnings", warnings);
	json_object_set_new(out, "sources", sources_json(o));
	if (problem)
		json_object_set_new(out, "buildError", problem_json(problem));
	json_print(out);
}

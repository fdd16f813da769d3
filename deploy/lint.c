#include "deploy/lint.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/lint_private.h"
#include "deploy/task_json.h"

static const struct lint_rule *const all_rules[] = {
	lint_rules_shape,     lint_rules_task,  lint_rules_fargate,
	lint_rules_container, lint_rules_links,
};

void lint_findings_release(struct lint_findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->items[i].place);
		free(f->items[i].message);
	}
	free(f->items);
	*f = (struct lint_findings){.items = NULL};
}

static void add(struct lint *l, enum lint_level level, const struct lint_place *at, char *message)
{
	struct lint_findings *out = l->out;
	size_t *same = level == LINT_ERROR ? &out->n_errors : &out->n_warnings;

	if (++*same > LINT_MOST_FINDINGS) {
		out->n_more++;
		free(message);
		return;
	}
	GROW(out->items, out->n + 1, out->cap);
	out->items[out->n++] = (struct lint_finding){
		.level = level,
		.rule = l->rule->id,
		.place = lint_place_text(at),
		.line = lint_place_line(at, l->td->text),
		.message = message,
	};
}

void lint_say(struct lint *l, const struct lint_place *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(l, l->rule->level, at, xstrvfmt(fmt, ap));
	va_end(ap);
}

void lint_say_as(struct lint *l, enum lint_level level, const struct lint_place *at,
		 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(l, level, at, xstrvfmt(fmt, ap));
	va_end(ap);
}

static void run_rule(struct lint *l)
{
	size_t i;
	json_t *c;

	if (l->rule->task)
		l->rule->task(l);
	if (!l->rule->container)
		return;
	json_array_foreach (task_definition_containers(l->td), i, c)
		l->rule->container(l, c, LINT_CONTAINER(i, aws_text(c, "name")));
}

void lint_definition(const struct task_definition *td, const struct lint_options *options,
		     struct lint_findings *out)
{
	struct lint l = {
		.td = td,
		.options = options,
		.out = out,
		.network_mode = aws_text(td->json, "networkMode"),
		.fargate = task_definition_is_fargate(td),
	};

	l.own_network = strcmp(l.network_mode, "awsvpc") == 0;
	for (size_t i = 0; i < ARRAY_SIZE(all_rules); i++)
		for (l.rule = all_rules[i]; l.rule->id; l.rule++)
			run_rule(&l);
}

char *lint_format(const struct lint_finding *f, const struct task_definition *td)
{
	struct strbuf out = STRBUF_INIT;

	if (td->where)
		strbuf_printf(&out, "%s:", td->where);
	if (f->line)
		strbuf_printf(&out, "%d:", f->line);
	strbuf_printf(&out, "%s%s: ", out.len ? " " : "",
		      f->level == LINT_ERROR ? "error" : "warning");
	if (*f->place)
		strbuf_printf(&out, "%s: ", f->place);
	strbuf_printf(&out, "%s [%s]", f->message, f->rule);
	return strbuf_detach(&out, NULL);
}

int lint_fail(const struct lint_findings *f, const struct task_definition *td, struct error *err)
{
	if (!f->n_errors)
		return 0;
	return error_set(err, ERROR_USAGE,
			 "%s: %zu error%s: ECS would refuse it, or its tasks would fail",
			 td->where ? td->where : "the task definition", f->n_errors,
			 f->n_errors == 1 ? "" : "s");
}

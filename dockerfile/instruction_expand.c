/* What an instruction looks like when it is carried out: variables replaced, values checked. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "dockerfile/instruction_parts.h"
#include "dockerfile/port.h"
#include "dockerfile/value.h"

struct expander {
	const struct instruction *ins;
	const struct expand_scope *scope;
	struct error *err;
};

static int place(const struct expander *e, const char *piece)
{
	return instruction_error_at(e->err, e->ins, piece);
}

static int expand_text(const struct expander *e, char **out, const char *text)
{
	AUTO(strbuf) value = STRBUF_INIT;

	*out = NULL;
	if (!text)
		return 0;
	if (expand_word(&value, text, e->scope, e->err) < 0)
		return place(e, text);
	*out = strbuf_detach(&value, NULL);
	return 0;
}

static int expand_list(const struct expander *e, struct strlist *out, const struct strlist *in)
{
	size_t i;
	char *value;

	for (i = 0; i < in->n; i++) {
		if (expand_text(e, &value, in->items[i]) < 0)
			return -1;
		strlist_take(out, value);
	}
	return 0;
}

static int expand_from(const struct expander *e, struct from_instruction *out)
{
	const struct from_instruction *in = &e->ins->from;

	out->stage = xstrdup_null(in->stage);
	if (expand_text(e, &out->image, in->image) < 0)
		return -1;
	return expand_text(e, &out->platform, in->platform);
}

/* ARG: the names alone, since a default is expanded when it is wanted. */
static int expand_pairs(const struct expander *e, struct pairs_instruction *out)
{
	const struct pairs_instruction *in = &e->ins->pairs;
	bool arg = e->ins->kind == INSTRUCTION_ARG;
	size_t i;

	out->legacy = in->legacy;
	out->items = xcalloc(in->n, sizeof(*out->items));
	for (i = 0; i < in->n; i++) {
		out->n = i + 1;
		if (expand_text(e, &out->items[i].key, in->items[i].key) < 0)
			return -1;
		if (arg)
			out->items[i].value = xstrdup_null(in->items[i].value);
		else if (expand_text(e, &out->items[i].value, in->items[i].value) < 0)
			return -1;
		if (!out->items[i].key || !*out->items[i].key) {
			error_set(e->err, ERROR_SYNTAX, "%s names can not be blank",
				  instruction_name(e->ins->kind));
			return place(e, in->items[i].key);
		}
	}
	return 0;
}

static int expand_run(const struct expander *e, struct run_instruction *out)
{
	const struct run_instruction *in = &e->ins->run;
	size_t i;

	command_copy(&out->command, &in->command);
	out->script = xstrdup_null(in->script);
	out->script_path = xstrdup_null(in->script_path);
	out->network = in->network;
	out->insecure = in->insecure;
	if (in->n_mounts)
		out->mounts = xcalloc(in->n_mounts, sizeof(*out->mounts));
	for (i = 0; i < in->n_mounts; i++) {
		size_t at = 0;

		if (mount_parse(&out->mounts[i], in->mounts[i].text, e->scope, &at, e->err) < 0)
			return place(e, in->mounts[i].text + at);
		out->n_mounts = i + 1;
	}
	return 0;
}

static int expand_heredocs(const struct expander *e, struct copy_instruction *out)
{
	const struct copy_instruction *in = &e->ins->copy;
	size_t i;

	if (in->n_heredocs)
		out->heredocs = xcalloc(in->n_heredocs, sizeof(*out->heredocs));
	for (i = 0; i < in->n_heredocs; i++) {
		const struct heredoc *from = &in->heredocs[i];
		struct heredoc *to = &out->heredocs[i];
		AUTO(strbuf) content = STRBUF_INIT;
		AUTO_FREE char *body = heredoc_body(from);

		*to = *from;
		to->name = xstrdup(from->name);
		to->content = NULL;
		to->chomp = false;
		out->n_heredocs = i + 1;
		if (!from->expand) {
			to->content = take_ptr(body);
			continue;
		}
		if (expand_heredoc(&content, body, e->scope, e->err) < 0)
			return source_error_place(e->err, e->ins->source, from->line_first, 0);
		to->content = strbuf_detach(&content, NULL);
	}
	return 0;
}

static int expand_copy(const struct expander *e, struct copy_instruction *out)
{
	const struct copy_instruction *in = &e->ins->copy;

	out->from = xstrdup_null(in->from);
	out->link = in->link;
	out->parents = in->parents;
	out->keep_git_dir = in->keep_git_dir;
	out->has_keep_git_dir = in->has_keep_git_dir;
	out->unpack = in->unpack;
	out->has_unpack = in->has_unpack;
	strlist_copy(&out->excludes, &in->excludes);
	if (expand_list(e, &out->sources, &in->sources) < 0 ||
	    expand_text(e, &out->dest, in->dest) < 0 ||
	    expand_text(e, &out->chown, in->chown) < 0 ||
	    expand_text(e, &out->chmod_text, in->chmod_text) < 0 ||
	    expand_text(e, &out->checksum, in->checksum) < 0 || expand_heredocs(e, out) < 0)
		return -1;
	if (out->chown && !*out->chown) {
		free(out->chown);
		out->chown = NULL;
	}
	if (out->chmod_text && *out->chmod_text &&
	    chmod_parse(&out->chmod, out->chmod_text, e->err) < 0)
		return place(e, in->chmod_text);
	return 0;
}

static int expand_ports(const struct expander *e, struct strlist *out)
{
	const struct strlist *in = &e->ins->words;
	AUTO_PTR(port_map) map = port_map_new();
	size_t i, j;

	for (i = 0; i < in->n; i++) {
		AUTO(strlist) specs = STRLIST_INIT;

		if (expand_words(&specs, in->items[i], e->scope, e->err) < 0)
			return place(e, in->items[i]);
		for (j = 0; j < specs.n; j++)
			if (port_map_add(map, specs.items[j], out, e->err) < 0)
				return place(e, in->items[i]);
	}
	return 0;
}

static int expand_volumes(const struct expander *e, struct strlist *out)
{
	size_t i;

	if (expand_list(e, out, &e->ins->words) < 0)
		return -1;
	for (i = 0; i < out->n; i++) {
		if (*out->items[i])
			continue;
		error_set(e->err, ERROR_SYNTAX, "VOLUME specified can not be an empty string");
		return place(e, e->ins->words.items[i]);
	}
	return 0;
}

static int expand_value(const struct expander *e, struct instruction *out)
{
	if (e->ins->kind == INSTRUCTION_MAINTAINER) {
		out->value = xstrdup(e->ins->value);
		return 0;
	}
	if (expand_text(e, &out->value, e->ins->value) < 0)
		return -1;
	if (e->ins->kind == INSTRUCTION_STOPSIGNAL && value_signal(out->value, e->err) < 0)
		return place(e, e->ins->value);
	return 0;
}

static void copy_healthcheck(struct healthcheck_instruction *out,
			     const struct healthcheck_instruction *in)
{
	*out = *in;
	command_copy(&out->command, &in->command);
}

static int expand_kind(const struct expander *e, struct instruction *out)
{
	switch (out->kind) {
	case INSTRUCTION_FROM:
		return expand_from(e, &out->from);
	case INSTRUCTION_ARG:
	case INSTRUCTION_ENV:
	case INSTRUCTION_LABEL:
		return expand_pairs(e, &out->pairs);
	case INSTRUCTION_RUN:
		return expand_run(e, &out->run);
	case INSTRUCTION_COPY:
	case INSTRUCTION_ADD:
		return expand_copy(e, &out->copy);
	case INSTRUCTION_WORKDIR:
	case INSTRUCTION_USER:
	case INSTRUCTION_STOPSIGNAL:
	case INSTRUCTION_MAINTAINER:
		return expand_value(e, out);
	case INSTRUCTION_EXPOSE:
		return expand_ports(e, &out->words);
	case INSTRUCTION_VOLUME:
		return expand_volumes(e, &out->words);
	case INSTRUCTION_ENTRYPOINT:
	case INSTRUCTION_CMD:
	case INSTRUCTION_SHELL:
		command_copy(&out->command, &e->ins->command);
		return 0;
	case INSTRUCTION_HEALTHCHECK:
		copy_healthcheck(&out->healthcheck, &e->ins->healthcheck);
		return 0;
	case INSTRUCTION_ONBUILD:
		out->onbuild = xstrdup(e->ins->onbuild);
		return 0;
	}
	return 0;
}

int instruction_expand(struct instruction *out, const struct instruction *ins,
		       const struct expand_scope *scope, struct error *err)
{
	struct expander e = {.ins = ins, .scope = scope, .err = err};

	memset(out, 0, sizeof(*out));
	out->kind = ins->kind;
	out->source = ins->source;
	out->line_first = ins->line_first;
	out->line_last = ins->line_last;
	out->column = ins->column;
	out->text = xstrdup(ins->text);
	out->pieces = xmemdup(ins->pieces, ins->n_pieces * sizeof(*ins->pieces));
	out->n_pieces = ins->n_pieces;
	out->trigger = ins->trigger;
	out->escape = ins->escape;
	if (expand_kind(&e, out) < 0) {
		instruction_release(out);
		return -1;
	}
	return 0;
}

int instruction_expand_arg(char **value, const struct instruction *ins, size_t i,
			   const struct expand_scope *scope, struct error *err)
{
	struct expander e = {.ins = ins, .scope = scope, .err = err};

	return expand_text(&e, value, ins->pairs.items[i].value);
}

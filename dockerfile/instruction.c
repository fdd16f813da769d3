#include "dockerfile/instruction.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "dockerfile/instruction_parts.h"
#include "dockerfile/parse.h"
#include "dockerfile/words.h"

static const char *const names[N_INSTRUCTIONS] = {
	[INSTRUCTION_FROM] = "FROM",
	[INSTRUCTION_ARG] = "ARG",
	[INSTRUCTION_ENV] = "ENV",
	[INSTRUCTION_RUN] = "RUN",
	[INSTRUCTION_COPY] = "COPY",
	[INSTRUCTION_ADD] = "ADD",
	[INSTRUCTION_WORKDIR] = "WORKDIR",
	[INSTRUCTION_USER] = "USER",
	[INSTRUCTION_LABEL] = "LABEL",
	[INSTRUCTION_EXPOSE] = "EXPOSE",
	[INSTRUCTION_VOLUME] = "VOLUME",
	[INSTRUCTION_ENTRYPOINT] = "ENTRYPOINT",
	[INSTRUCTION_CMD] = "CMD",
	[INSTRUCTION_SHELL] = "SHELL",
	[INSTRUCTION_STOPSIGNAL] = "STOPSIGNAL",
	[INSTRUCTION_HEALTHCHECK] = "HEALTHCHECK",
	[INSTRUCTION_ONBUILD] = "ONBUILD",
	[INSTRUCTION_MAINTAINER] = "MAINTAINER",
};

static int (*const readers[N_INSTRUCTIONS])(struct instruction *out, const struct reader *r) = {
	[INSTRUCTION_FROM] = read_from,       [INSTRUCTION_ARG] = read_arg,
	[INSTRUCTION_ENV] = read_pairs,       [INSTRUCTION_RUN] = read_run,
	[INSTRUCTION_COPY] = read_copy,       [INSTRUCTION_ADD] = read_copy,
	[INSTRUCTION_WORKDIR] = read_text,    [INSTRUCTION_USER] = read_text,
	[INSTRUCTION_LABEL] = read_pairs,     [INSTRUCTION_EXPOSE] = read_expose,
	[INSTRUCTION_VOLUME] = read_volume,   [INSTRUCTION_ENTRYPOINT] = read_command,
	[INSTRUCTION_CMD] = read_command,     [INSTRUCTION_SHELL] = read_shell,
	[INSTRUCTION_STOPSIGNAL] = read_text, [INSTRUCTION_HEALTHCHECK] = read_healthcheck,
	[INSTRUCTION_ONBUILD] = read_onbuild, [INSTRUCTION_MAINTAINER] = read_text,
};

const char *instruction_name(enum instruction_kind kind)
{
	return names[kind];
}

bool instruction_kind_find(enum instruction_kind *out, const char *name)
{
	int i;

	for (i = 0; i < N_INSTRUCTIONS; i++) {
		if (strcasecmp(name, names[i]) == 0) {
			*out = (enum instruction_kind)i;
			return true;
		}
	}
	return false;
}

const char *instruction_description(const struct instruction *ins, const char *name)
{
	size_t i, n = strlen(name);

	for (i = 0; i < ins->comments.n; i++) {
		const char *line = ins->comments.items[i];

		if (strncmp(line, name, n) == 0 && line[n] == ' ')
			return line + n + 1;
	}
	return NULL;
}

int reader_error_place(const struct reader *r, size_t at)
{
	int line, column;

	ast_position(r->node->pieces, r->node->n_pieces, at, &line, &column);
	return source_error_place(r->err, r->src, line, column);
}

static int reader_verror(const struct reader *r, enum error_kind kind, size_t at, const char *fmt,
			 va_list ap) __attribute__((format(printf, 4, 0)));
static int reader_verror(const struct reader *r, enum error_kind kind, size_t at, const char *fmt,
			 va_list ap)
{
	int line, column;

	ast_position(r->node->pieces, r->node->n_pieces, at, &line, &column);
	return source_verror(r->err, kind, r->src, line, column, fmt, ap);
}

int reader_error(const struct reader *r, size_t at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reader_verror(r, ERROR_SYNTAX, at, fmt, ap);
	va_end(ap);
	return -1;
}

int reader_rest_error(const struct reader *r, size_t at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reader_verror(r, ERROR_SYNTAX, r->node->rest + at, fmt, ap);
	va_end(ap);
	return -1;
}

int reader_unsupported(const struct reader *r, size_t at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reader_verror(r, ERROR_UNSUPPORTED, at, fmt, ap);
	va_end(ap);
	return -1;
}

static int unknown_instruction(const struct reader *r)
{
	const char *near = word_suggest(r->node->name, names, N_INSTRUCTIONS);

	if (near)
		return reader_error(r, 0, "unknown instruction: %s (did you mean %s?)",
				    r->node->name, near);
	return reader_error(r, 0, "unknown instruction: %s", r->node->name);
}

int instruction_parse(struct instruction *out, const struct ast_node *node,
		      const struct dockerfile_source *src, char escape, struct check_list *warnings,
		      struct error *err)
{
	AUTO_FREE char *rest = xstrndup(node->text + node->rest, node->end - node->rest);
	struct reader r = {
		.node = node,
		.src = src,
		.escape = escape,
		.rest = rest,
		.warnings = warnings,
		.err = err,
	};

	memset(out, 0, sizeof(*out));
	if (!instruction_kind_find(&out->kind, node->name))
		return unknown_instruction(&r);
	out->source = src;
	out->line_first = node->line_first;
	out->line_last = node->line_last;
	out->column = node->pieces[0].column;
	out->text = xstrndup(node->text, node->end);
	out->pieces = xmemdup(node->pieces, node->n_pieces * sizeof(*node->pieces));
	out->n_pieces = node->n_pieces;
	strlist_copy(&out->comments, &node->comments);
	out->escape = escape;
	if (readers[out->kind](out, &r) < 0) {
		instruction_release(out);
		return -1;
	}
	return 0;
}

int instruction_parse_text(struct instruction *out, const struct dockerfile_source *src,
			   struct error *err)
{
	AUTO(ast) ast = AST_INIT;

	if (parse_source(&ast, src, err) < 0)
		return -1;
	if (ast.n_nodes != 1)
		return source_error(err, src, ast.nodes[1].line_first, 0,
				    "onbuild trigger should be a single expression");
	if (instruction_parse(out, &ast.nodes[0], src, '\\', NULL, err) < 0)
		return -1;
	if (out->kind == INSTRUCTION_FROM || out->kind == INSTRUCTION_MAINTAINER ||
	    out->kind == INSTRUCTION_ONBUILD) {
		instruction_error(err, ERROR_SYNTAX, out, "%s isn't allowed as an ONBUILD trigger",
				  names[out->kind]);
		instruction_release(out);
		return -1;
	}
	out->trigger = true;
	return 0;
}

static void run_release(struct run_instruction *run)
{
	size_t i;

	command_release(&run->command);
	free(run->script);
	free(run->script_path);
	for (i = 0; i < run->n_mounts; i++)
		run_mount_release(&run->mounts[i]);
	free(run->mounts);
}

static void copy_release(struct copy_instruction *copy)
{
	size_t i;

	strlist_release(&copy->sources);
	for (i = 0; i < copy->n_heredocs; i++)
		heredoc_release(&copy->heredocs[i]);
	free(copy->heredocs);
	free(copy->dest);
	free(copy->from);
	free(copy->chown);
	free(copy->chmod_text);
	strlist_release(&copy->excludes);
	free(copy->checksum);
}

static void pairs_release(struct pairs_instruction *pairs)
{
	size_t i;

	for (i = 0; i < pairs->n; i++) {
		free(pairs->items[i].key);
		free(pairs->items[i].value);
	}
	free(pairs->items);
}

void instruction_release(struct instruction *ins)
{
	if (!ins)
		return;
	switch (ins->kind) {
	case INSTRUCTION_FROM:
		free(ins->from.image);
		free(ins->from.platform);
		free(ins->from.stage);
		break;
	case INSTRUCTION_ARG:
	case INSTRUCTION_ENV:
	case INSTRUCTION_LABEL:
		pairs_release(&ins->pairs);
		break;
	case INSTRUCTION_RUN:
		run_release(&ins->run);
		break;
	case INSTRUCTION_COPY:
	case INSTRUCTION_ADD:
		copy_release(&ins->copy);
		break;
	case INSTRUCTION_WORKDIR:
	case INSTRUCTION_USER:
	case INSTRUCTION_STOPSIGNAL:
	case INSTRUCTION_MAINTAINER:
		free(ins->value);
		break;
	case INSTRUCTION_EXPOSE:
	case INSTRUCTION_VOLUME:
		strlist_release(&ins->words);
		break;
	case INSTRUCTION_ENTRYPOINT:
	case INSTRUCTION_CMD:
	case INSTRUCTION_SHELL:
		command_release(&ins->command);
		break;
	case INSTRUCTION_HEALTHCHECK:
		command_release(&ins->healthcheck.command);
		break;
	case INSTRUCTION_ONBUILD:
		free(ins->onbuild);
		break;
	}
	free(ins->text);
	free(ins->pieces);
	strlist_release(&ins->comments);
	memset(ins, 0, sizeof(*ins));
}

int instruction_error(struct error *err, enum error_kind kind, const struct instruction *ins,
		      const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	source_verror(err, kind, ins->source, ins->line_first, ins->column, fmt, ap);
	va_end(ap);
	return -1;
}

int instruction_error_place(struct error *err, const struct instruction *ins)
{
	return source_error_place(err, ins->source, ins->line_first, ins->column);
}

static int error_at(struct error *err, const struct instruction *ins, size_t at)
{
	int line, column;

	ast_position(ins->pieces, ins->n_pieces, at, &line, &column);
	return source_error_place(err, ins->source, line, column);
}

/* Where piece stands as a word or a value, else where its letters do; NULL: nowhere. */
static const char *find_piece(const char *text, const char *piece)
{
	const char *first = strstr(text, piece), *at = first;
	size_t len = strlen(piece);

	for (; at; at = strstr(at + 1, piece))
		if ((at == text || strchr(" \t=\"'[,", at[-1])) && strchr(" \t\"'],", at[len]))
			return at;
	return first;
}

int instruction_error_at(struct error *err, const struct instruction *ins, const char *piece)
{
	const char *found;

	/* What is made in place of an instruction has no text. */
	if (!ins->text)
		return -1;
	found = *piece ? find_piece(ins->text + strcspn(ins->text, " \t"), piece) : NULL;
	return error_at(err, ins, found ? (size_t)(found - ins->text) : 0);
}

/* Where the words behind name and flags begin that are no heredocs; false in JSON form, which splits otherwise. */
static bool find_operands(const struct instruction *ins, struct words *out)
{
	AUTO(words) words = WORDS_INIT;
	size_t i = 1;

	words_split(&words, ins->text);
	while (i < words.n && strncmp(words.items[i].text, "--", 2) == 0)
		i++;
	if (i < words.n && words.items[i].text[0] == '[')
		return false;
	for (; i < words.n; i++)
		if (!ins->copy.n_heredocs || !str_starts(words.items[i].text, "<<"))
			words_add(out, words.items[i].text, strlen(words.items[i].text),
				  words.items[i].at);
	return true;
}

int instruction_error_at_source(struct error *err, const struct instruction *ins, size_t i)
{
	AUTO(words) words = WORDS_INIT;

	if (!ins->text)
		return -1;
	if (find_operands(ins, &words))
		return error_at(err, ins, i < words.n ? words.items[i].at : 0);
	return instruction_error_at(err, ins, ins->copy.sources.items[i]);
}

int instruction_error_at_dest(struct error *err, const struct instruction *ins)
{
	AUTO(words) words = WORDS_INIT;

	if (!ins->text)
		return -1;
	if (find_operands(ins, &words) && words.n)
		return error_at(err, ins, words.items[words.n - 1].at);
	return instruction_error_at(err, ins, ins->copy.dest);
}

int instruction_hint_json(struct error *err, const struct instruction *ins)
{
	AUTO(words) flags = WORDS_INIT;
	const char *text;
	size_t rest;

	if (!err || err->kind == ERROR_CANCELLED || !ins->text ||
	    (ins->kind != INSTRUCTION_RUN && ins->kind != INSTRUCTION_COPY &&
	     ins->kind != INSTRUCTION_ADD))
		return -1;
	text = ins->text + strcspn(ins->text, " \t");
	words_flags(&flags, text, ins->escape, &rest);
	return words_json_is_meant(text + rest) ? error_hint(err, INSTRUCTION_JSON_HINT) : -1;
}

#include "dockerfile/dockerfile.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "dockerfile/check_file.h"
#include "dockerfile/parse.h"

static void stage_release(struct dockerfile_stage *stage)
{
	size_t i;

	free(stage->name);
	instruction_release(&stage->from);
	for (i = 0; i < stage->n_instructions; i++)
		instruction_release(&stage->instructions[i]);
	free(stage->instructions);
}

void dockerfile_free(struct dockerfile *file)
{
	size_t i;
	int stage;

	if (!file)
		return;
	for (i = 0; i < file->n_globals; i++)
		instruction_release(&file->globals[i]);
	free(file->globals);
	for (stage = 0; stage < file->n_stages; stage++)
		stage_release(&file->stages[stage]);
	free(file->stages);
	for (i = 0; i < file->n_trigger_sources; i++) {
		dockerfile_source_release(file->trigger_sources[i]);
		free(file->trigger_sources[i]);
	}
	free(file->trigger_sources);
	free(file->syntax);
	check_list_release(&file->warnings);
	dockerfile_source_release(&file->source);
	free(file);
}

static void add_stage(struct dockerfile *file, const struct instruction *from)
{
	struct dockerfile_stage *stage;

	GROW(file->stages, (size_t)file->n_stages + 1, file->cap_stages);
	stage = &file->stages[file->n_stages];
	memset(stage, 0, sizeof(*stage));
	stage->index = file->n_stages++;
	stage->name = xstrdup_null(from->from.stage);
	stage->from = *from;
}

/* Takes ins over. */
static int add_instruction(struct dockerfile *file, struct instruction *ins, struct error *err)
{
	struct dockerfile_stage *stage;

	if (ins->kind == INSTRUCTION_FROM) {
		add_stage(file, ins);
		return 0;
	}
	if (file->n_stages == 0 && ins->kind == INSTRUCTION_ARG) {
		GROW(file->globals, file->n_globals + 1, file->cap_globals);
		file->globals[file->n_globals++] = *ins;
		return 0;
	}
	if (file->n_stages == 0) {
		instruction_error(err, ERROR_SYNTAX, ins,
				  "no build stage in current context: %s stands before the first "
				  "FROM, where only ARG may",
				  instruction_name(ins->kind));
		instruction_release(ins);
		return -1;
	}
	stage = &file->stages[file->n_stages - 1];
	GROW(stage->instructions, stage->n_instructions + 1, stage->cap_instructions);
	stage->instructions[stage->n_instructions++] = *ins;
	return 0;
}

static int read_instructions(struct dockerfile *file, const struct ast *ast, struct error *err)
{
	struct instruction ins;
	size_t i;

	for (i = 0; i < ast->n_nodes; i++)
		if (instruction_parse(&ins, &ast->nodes[i], &file->source, ast->escape,
				      &file->warnings, err) < 0 ||
		    add_instruction(file, &ins, err) < 0)
			return -1;
	if (file->n_stages == 0)
		return source_error(err, &file->source, ast->nodes[ast->n_nodes - 1].line_last, 0,
				    "dockerfile contains no stages to build: there is no FROM");
	return 0;
}

void dockerfile_check_syntax(struct dockerfile *file, const char *instead)
{
	const char *syntax = instead ? instead : file->syntax;
	const char *known = syntax;

	if (!syntax)
		return;
	if (str_starts(known, "docker.io/"))
		known += strlen("docker.io/");
	if (!str_starts(known, "docker/dockerfile"))
		check_add_line(&file->warnings, CHECK_SYNTAX_IGNORED,
			       instead ? 1 : file->syntax_line,
			       "The frontend \"%s\" is not used: the file is read as a Dockerfile",
			       syntax);
}

int dockerfile_parse(struct dockerfile **out, const char *name, const char *text, size_t len,
		     struct error *err)
{
	AUTO_PTR(dockerfile) file = xcalloc(1, sizeof(*file));
	AUTO(ast) ast = AST_INIT;

	if (source_init(&file->source, name, text, len, err) < 0 ||
	    parse_source(&ast, &file->source, err) < 0)
		return -1;
	file->escape = ast.escape;
	if (ast.check && check_config_parse(&file->warnings.config, ast.check, err) < 0)
		return source_error_place(err, &file->source, ast.check_line, 1);
	if (read_instructions(file, &ast, err) < 0)
		return -1;
	check_file(file, &ast);
	file->syntax = take_ptr(ast.syntax);
	file->syntax_line = ast.syntax_line;
	*out = take_ptr(file);
	return 0;
}

static const struct dockerfile_source *add_trigger_source(struct dockerfile *file, const char *name,
							  const char *text, struct error *err)
{
	struct dockerfile_source *source = xcalloc(1, sizeof(*source));

	if (source_init(source, name, text, strlen(text), err) < 0) {
		free(source);
		return NULL;
	}
	source->inner = true;
	GROW(file->trigger_sources, file->n_trigger_sources + 1, file->cap_trigger_sources);
	file->trigger_sources[file->n_trigger_sources++] = source;
	return source;
}

int dockerfile_add_triggers(struct dockerfile *file, int stage, const struct strlist *texts,
			    const char *origin, struct error *err)
{
	struct dockerfile_stage *s = &file->stages[stage];
	AUTO_FREE char *name = xstrfmt("ONBUILD of %s", origin);
	size_t i, n = s->n_instructions;

	if (texts->n == 0)
		return 0;
	GROW(s->instructions, n + texts->n, s->cap_instructions);
	for (i = 0; i < texts->n; i++) {
		const struct dockerfile_source *source = add_trigger_source(file, name,
									    texts->items[i], err);

		if (!source || instruction_parse_text(&s->instructions[n + i], source, err) < 0) {
			while (i-- > 0)
				instruction_release(&s->instructions[n + i]);
			return -1;
		}
	}
	/* They were parsed behind the stage's own; bring them to the front. */
	{
		size_t size = sizeof(*s->instructions);
		AUTO_FREE struct instruction *added = xmemdup(s->instructions + n, texts->n * size);

		memmove(s->instructions + texts->n, s->instructions, n * size);
		memcpy(s->instructions, added, texts->n * size);
	}
	s->n_instructions = n + texts->n;
	return 0;
}

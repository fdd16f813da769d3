#include "dockerfile/check_file.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/strmap.h"

static bool has_upper(const char *text)
{
	for (; *text; text++)
		if (isupper((unsigned char)*text))
			return true;
	return false;
}

static bool has_lower(const char *text)
{
	for (; *text; text++)
		if (islower((unsigned char)*text))
			return true;
	return false;
}

void check_from_names(struct check_list *list, const struct instruction *at, const char *from,
		      const char *as, const char *stage)
{
	if (has_upper(stage))
		check_add(list, CHECK_STAGE_NAME_CASING, at, "Stage name '%s' should be lowercase",
			  stage);
	/* A mixed "From" is ConsistentInstructionCasing's business. */
	if ((!has_upper(from) && has_upper(as)) || (!has_lower(from) && has_lower(as)))
		check_add(list, CHECK_FROM_AS_CASING, at,
			  "'%s' and '%s' keywords' casing do not match", as, from);
}

/* The name as written, in a buffer that any instruction's name fits in. */
struct written_name {
	char text[32];
};

static struct written_name written_name(const struct instruction *ins)
{
	struct written_name out = {.text = ""};
	size_t n = strcspn(ins->text, " \t\v\f\r\n");

	if (n >= sizeof(out.text))
		n = sizeof(out.text) - 1;
	memcpy(out.text, ins->text, n);
	return out;
}

/* As docker counts: FROM and what follows it; a mixed name is on no side. */
static void count_case(const struct instruction *ins, size_t *n_lower, size_t *n_upper)
{
	const struct written_name name = written_name(ins);

	*n_lower += !has_upper(name.text);
	*n_upper += !has_lower(name.text);
}

static void check_case(struct check_list *list, const struct instruction *ins, bool lower)
{
	const struct written_name name = written_name(ins);

	if (lower ? has_upper(name.text) : has_lower(name.text))
		check_add(list, CHECK_INSTRUCTION_CASING, ins,
			  "Command '%s' should match the case of the command majority (%s)",
			  name.text, lower ? "lowercase" : "uppercase");
}

static void check_casing(struct check_list *list, const struct dockerfile *file)
{
	size_t k, n_lower = 0, n_upper = 0;
	int i;

	for (i = 0; i < file->n_stages; i++) {
		count_case(&file->stages[i].from, &n_lower, &n_upper);
		for (k = 0; k < file->stages[i].n_instructions; k++)
			count_case(&file->stages[i].instructions[k], &n_lower, &n_upper);
	}
	for (i = 0; i < file->n_stages; i++) {
		check_case(list, &file->stages[i].from, n_lower > n_upper);
		for (k = 0; k < file->stages[i].n_instructions; k++)
			check_case(list, &file->stages[i].instructions[k], n_lower > n_upper);
	}
}

static void check_stage_names(struct check_list *list, const struct dockerfile *file)
{
	AUTO(strmap) seen = STRMAP_INIT;
	int i;

	for (i = 0; i < file->n_stages; i++) {
		const struct dockerfile_stage *stage = &file->stages[i];

		if (!stage->name)
			continue;
		if (strcmp(stage->name, "context") == 0 || strcmp(stage->name, "scratch") == 0)
			check_add(list, CHECK_RESERVED_STAGE_NAME, &stage->from,
				  "Stage name should not use the same name as reserved stage "
				  "\"%s\"",
				  stage->name);
		if (strmap_has(&seen, stage->name))
			check_add(list, CHECK_DUPLICATE_STAGE_NAME, &stage->from,
				  "Duplicate stage name \"%s\", stage names should be unique",
				  stage->name);
		strmap_set(&seen, stage->name, NULL);
	}
}

static bool begins_with_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	return strncmp(text, word, n) == 0 && (text[n] == ' ' || text[n] == '\0');
}

/* The last comment line above FROM ... AS NAME or ARG NAME speaks of the name, or is no description. */
static void check_description(struct check_list *list, const struct instruction *ins)
{
	const struct strlist *comments = &ins->comments;
	const char *last = comments->n ? comments->items[comments->n - 1] : NULL;
	const char *example;
	size_t i;

	if (!last)
		return;
	if (ins->kind == INSTRUCTION_FROM) {
		example = ins->from.stage;
		if (!example || begins_with_word(last, example))
			return;
	} else {
		example = ins->pairs.n > 1 ? "<arg_key>" : ins->pairs.items[0].key;
		for (i = 0; i < ins->pairs.n; i++)
			if (begins_with_word(last, ins->pairs.items[i].key))
				return;
	}
	check_add(list, CHECK_DEFINITION_DESCRIPTION, ins,
		  "Comment for %s should follow the format: `# %s <description>`",
		  instruction_name(ins->kind), example);
}

static void check_descriptions(struct check_list *list, const struct dockerfile *file)
{
	size_t k;
	int i;

	for (k = 0; k < file->n_globals; k++)
		check_description(list, &file->globals[k]);
	for (i = 0; i < file->n_stages; i++) {
		check_description(list, &file->stages[i].from);
		for (k = 0; k < file->stages[i].n_instructions; k++)
			if (file->stages[i].instructions[k].kind == INSTRUCTION_ARG)
				check_description(list, &file->stages[i].instructions[k]);
	}
}

void check_file(struct dockerfile *file, const struct ast *ast)
{
	struct check_list *list = &file->warnings;
	size_t i;

	for (i = 0; i < ast->n_nodes; i++)
		if (ast->nodes[i].check)
			check_add_comment(list, ast->nodes[i].line_first, ast->nodes[i].line_last,
					  ast->nodes[i].check);
	for (i = 0; i < ast->n_empty_lines; i++)
		check_add_line(list, CHECK_NO_EMPTY_CONTINUATION, ast->empty_lines[i],
			       "Empty continuation line");
	check_casing(list, file);
	check_stage_names(list, file);
	check_descriptions(list, file);
}

/* Whether one of the words stands in name between underscores or at an end, in any case. */
static bool has_word(const char *name, const char *const *words, size_t n)
{
	size_t i;

	while (*name) {
		size_t len = strcspn(name, "_");

		for (i = 0; i < n; i++)
			if (strlen(words[i]) == len && strncasecmp(name, words[i], len) == 0)
				return true;
		name += len;
		name += *name == '_';
	}
	return false;
}

static void check_secret_name(struct check_list *list, const struct instruction *at,
			      const char *instruction, const char *key)
{
	static const char *const secret[] = {
		"apikey",   "auth",  "credential", "credentials", "key",
		"password", "pword", "passwd",     "secret",      "token",
	};
	static const char *const harmless[] = {"public", "file", "version"};

	if (has_word(key, secret, ARRAY_SIZE(secret)) &&
	    !has_word(key, harmless, ARRAY_SIZE(harmless)))
		check_add(list, CHECK_SECRETS, at,
			  "Do not use ARG or ENV instructions for sensitive data (%s \"%s\")",
			  instruction, key);
}

static void check_pairs(struct check_list *list, const struct instruction *at,
			const struct instruction *ready)
{
	const struct written_name name = written_name(ready);
	size_t i;

	if (ready->pairs.legacy)
		check_add(list, CHECK_LEGACY_KEY_VALUE, at,
			  "\"%s key=value\" should be used instead of legacy \"%s key value\" "
			  "format",
			  name.text, name.text);
	for (i = 0; ready->kind != INSTRUCTION_LABEL && i < ready->pairs.n; i++)
		check_secret_name(list, at, instruction_name(ready->kind),
				  ready->pairs.items[i].key);
}

/* Of CMD, ENTRYPOINT and HEALTHCHECK only the last in a stage counts. */
static void check_repeated(struct check_list *list, const struct instruction *ins,
			   const struct instruction **last, const struct instruction *at)
{
	const struct written_name name = written_name(ins);

	if (*last)
		check_add(list, CHECK_MULTIPLE_INSTRUCTIONS, *last,
			  "Multiple %s instructions should not be used in the same stage because "
			  "only the last one will be used",
			  name.text);
	*last = at;
}

static void check_shell_form(struct check_list *list, const struct check_stage *s,
			     const struct instruction *at, const struct instruction *ins)
{
	const struct written_name name = written_name(ins);

	if (ins->command.shell && !s->has_shell)
		check_add(
			list, CHECK_JSON_ARGS, at,
			"JSON arguments recommended for %s to prevent unintended behavior related "
			"to OS signals",
			name.text);
}

static void check_port(struct check_list *list, const struct instruction *at, const char *text)
{
	const char *slash = strchr(text, '/');

	if (slash && has_upper(slash))
		check_add(list, CHECK_EXPOSE_PROTO_CASING, at,
			  "Defined protocol '%s' in EXPOSE instruction should be lowercase", text);
	if (strchr(text, ':'))
		check_add(list, CHECK_EXPOSE_FORMAT, at,
			  "EXPOSE instruction should not define an IP address or host-port "
			  "mapping, found '%s'",
			  text);
}

/* The expanded instruction holds plain ports; the rules are about what was written. */
static void check_ports(struct check_list *list, const struct instruction *at,
			const struct instruction *ins, const struct expand_scope *scope)
{
	size_t i, k;

	for (i = 0; i < ins->words.n; i++) {
		AUTO(strlist) specs = STRLIST_INIT;

		if (expand_words(&specs, ins->words.items[i], scope, NULL) < 0)
			continue;
		for (k = 0; k < specs.n; k++)
			check_port(list, at, specs.items[k]);
	}
}

void check_instruction(struct check_list *list, struct check_stage *s, const struct instruction *at,
		       const struct instruction *ins, const struct instruction *ready,
		       const struct expand_scope *scope)
{
	if (ins->kind == INSTRUCTION_ENV || ins->kind == INSTRUCTION_LABEL ||
	    ins->kind == INSTRUCTION_ARG)
		check_pairs(list, at, ready);
	if (ins->kind == INSTRUCTION_EXPOSE)
		check_ports(list, at, ins, scope);
	if (ins->kind == INSTRUCTION_CMD)
		check_repeated(list, ins, &s->cmd, at);
	if (ins->kind == INSTRUCTION_ENTRYPOINT)
		check_repeated(list, ins, &s->entrypoint, at);
	if (ins->kind == INSTRUCTION_HEALTHCHECK)
		check_repeated(list, ins, &s->healthcheck, at);
	if (ins->kind == INSTRUCTION_CMD || ins->kind == INSTRUCTION_ENTRYPOINT)
		check_shell_form(list, s, at, ins);
	if (ins->kind == INSTRUCTION_SHELL)
		s->has_shell = true;
	/* Only the first of a file: when it is fixed the others are. */
	if (ins->kind == INSTRUCTION_WORKDIR) {
		if (!s->workdir_set && *ready->value != '/')
			check_add(list, CHECK_WORKDIR_RELATIVE, at,
				  "Relative workdir \"%s\" can have unexpected results if the base "
				  "image changes",
				  ready->value);
		s->workdir_set = true;
	}
}

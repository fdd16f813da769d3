#include "dockerfile/check.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/strmap.h"
#include "dockerfile/ast.h"
#include "dockerfile/dockerfile.h"

/* Nobody reads more of them. */
#define MAX_WARNINGS 1000

void check_list_release(struct check_list *list)
{
	size_t i;

	if (!list)
		return;
	for (i = 0; i < list->n; i++)
		free(list->items[i].message);
	free(list->items);
	memset(list, 0, sizeof(*list));
}

void check_add(struct check_list *list, const char *rule, int line, const char *fmt, ...)
{
	va_list ap;

	if (!list || list->n == MAX_WARNINGS)
		return;
	GROW(list->items, list->n + 1, list->cap);
	va_start(ap, fmt);
	list->items[list->n].message = xstrvfmt(fmt, ap);
	va_end(ap);
	list->items[list->n].rule = rule;
	list->items[list->n].line = line;
	list->n++;
}

static int by_line(const void *a, const void *b)
{
	const struct check_warning *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return strcmp(x->rule, y->rule);
}

void check_sort(struct check_list *list)
{
	if (list->n)
		qsort(list->items, list->n, sizeof(*list->items), by_line);
}

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

void check_from_names(struct check_list *list, int line, const char *from, const char *as,
		      const char *stage)
{
	static const char *const reserved[] = {"context", "scratch"};
	size_t i;

	if (has_upper(stage))
		check_add(list, "StageNameCasing", line, "Stage name '%s' should be lowercase",
			  stage);
	/* A mixed "From" is ConsistentInstructionCasing's business. */
	if ((!has_upper(from) && has_upper(as)) || (!has_lower(from) && has_lower(as)))
		check_add(list, "FromAsCasing", line, "'%s' and '%s' keywords' casing do not match",
			  as, from);
	for (i = 0; i < ARRAY_SIZE(reserved); i++)
		if (strcasecmp(stage, reserved[i]) == 0)
			check_add(list, "ReservedStageName", line,
				  "Stage name should not use the same name as reserved stage "
				  "\"%s\"",
				  reserved[i]);
}

void check_legacy_pair(struct check_list *list, int line, const char *instruction)
{
	check_add(list, "LegacyKeyValueFormat", line,
		  "\"%s key=value\" should be used instead of legacy \"%s key value\" format",
		  instruction, instruction);
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

void check_secret_name(struct check_list *list, int line, const char *instruction, const char *key)
{
	static const char *const secret[] = {
		"apikey",   "auth",  "credential", "credentials", "key",
		"password", "pword", "passwd",     "secret",      "token",
	};
	static const char *const harmless[] = {"public", "file", "version"};

	if (has_word(key, secret, ARRAY_SIZE(secret)) &&
	    !has_word(key, harmless, ARRAY_SIZE(harmless)))
		check_add(list, "SecretsUsedInArgOrEnv", line,
			  "Do not use ARG or ENV instructions for sensitive data (%s \"%s\")",
			  instruction, key);
}

void check_port(struct check_list *list, int line, const char *text)
{
	const char *slash = strchr(text, '/');

	if (strchr(text, ':'))
		check_add(list, "ExposeInvalidFormat", line,
			  "EXPOSE instruction should not define an IP address or host-port "
			  "mapping, found '%s'",
			  text);
	if (slash && has_upper(slash))
		check_add(list, "ExposeProtoCasing", line,
			  "Defined protocol '%s' in EXPOSE instruction should be lowercase", text);
}

static void check_casing(struct check_list *list, const struct ast *ast)
{
	size_t i, n_lower = 0, n_upper = 0;
	bool lower;

	for (i = 0; i < ast->n_nodes; i++) {
		n_lower += !has_upper(ast->nodes[i].name);
		n_upper += !has_lower(ast->nodes[i].name);
	}
	lower = n_lower > n_upper;
	for (i = 0; i < ast->n_nodes; i++)
		if (lower ? has_upper(ast->nodes[i].name) : has_lower(ast->nodes[i].name))
			check_add(list, "ConsistentInstructionCasing", ast->nodes[i].line_first,
				  "Command '%s' should match the case of the command majority "
				  "(%s)",
				  ast->nodes[i].name, lower ? "lowercase" : "uppercase");
}

static void check_duplicate_names(struct check_list *list, const struct dockerfile *file)
{
	AUTO(strmap) seen = STRMAP_INIT;
	int i;

	for (i = 0; i < file->n_stages; i++) {
		const char *name = file->stages[i].name;

		if (!name)
			continue;
		if (strmap_has(&seen, name))
			check_add(list, "DuplicateStageName", file->stages[i].from.line_first,
				  "Duplicate stage name \"%s\", stage names should be unique",
				  name);
		strmap_set(&seen, name, NULL);
	}
}

/* Of CMD, ENTRYPOINT and HEALTHCHECK only the last in a stage counts. */
static void check_repeated(struct check_list *list, const struct instruction *ins, int *last)
{
	if (*last)
		check_add(list, "MultipleInstructionsDisallowed", *last,
			  "Multiple %s instructions should not be used in the same stage because "
			  "only the last one will be used",
			  instruction_name(ins->kind));
	*last = ins->line_first;
}

static void check_stage(struct check_list *list, const struct dockerfile_stage *stage)
{
	int last_cmd = 0, last_entrypoint = 0, last_healthcheck = 0;
	bool shell = false;
	size_t i;

	for (i = 0; i < stage->n_instructions; i++) {
		const struct instruction *ins = &stage->instructions[i];

		if (ins->kind == INSTRUCTION_SHELL)
			shell = true;
		if (ins->kind == INSTRUCTION_CMD)
			check_repeated(list, ins, &last_cmd);
		if (ins->kind == INSTRUCTION_ENTRYPOINT)
			check_repeated(list, ins, &last_entrypoint);
		if (ins->kind == INSTRUCTION_HEALTHCHECK)
			check_repeated(list, ins, &last_healthcheck);
		if ((ins->kind == INSTRUCTION_CMD || ins->kind == INSTRUCTION_ENTRYPOINT) &&
		    ins->command.shell && !shell)
			check_add(list, "JSONArgsRecommended", ins->line_first,
				  "JSON arguments recommended for %s to prevent unintended "
				  "behavior related to OS signals",
				  instruction_name(ins->kind));
	}
}

/* The value of option in "a=x;b=y", and its length; NULL when it is missing. */
static const char *find_option(const char *options, const char *option, size_t *len)
{
	size_t n = strlen(option);

	while (options && *options) {
		options += strspn(options, " \t;");
		*len = strcspn(options, ";");
		if (strncasecmp(options, option, n) == 0 && options[n] == '=') {
			*len -= n + 1;
			return options + n + 1;
		}
		options += *len;
	}
	return NULL;
}

static bool word_is(const char *text, size_t len, const char *word)
{
	while (len > 0 && strchr(" \t\r", *text)) {
		text++;
		len--;
	}
	while (len > 0 && strchr(" \t\r", text[len - 1]))
		len--;
	return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

bool check_skips(const char *options, const char *rule)
{
	size_t len;
	const char *at = find_option(options, "skip", &len);
	const char *end = at ? at + len : NULL;

	while (at && at < end) {
		size_t n = strcspn(at, ",;");

		if (word_is(at, n, rule) || word_is(at, n, "all"))
			return true;
		at += n + 1;
	}
	return false;
}

bool check_is_error(const char *options)
{
	size_t len;
	const char *value = find_option(options, "error", &len);

	return value && (word_is(value, len, "true") || word_is(value, len, "1"));
}

/* The instruction that a warning's line lies in may have a comment that silences it. */
static const char *options_at(const struct ast *ast, int line)
{
	size_t low = 0, high = ast->n_nodes;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (ast->nodes[middle].line_first <= line)
			low = middle;
		else
			high = middle;
	}
	return ast->nodes[low].check;
}

static void drop_skipped(struct check_list *list, const struct ast *ast)
{
	size_t i, kept = 0;

	for (i = 0; i < list->n; i++) {
		struct check_warning *w = &list->items[i];

		if (check_skips(ast->check, w->rule) ||
		    check_skips(options_at(ast, w->line), w->rule))
			free(w->message);
		else
			list->items[kept++] = *w;
	}
	list->n = kept;
}

void check_file(struct dockerfile *file, const struct ast *ast)
{
	struct check_list *list = &file->warnings;
	size_t i;
	int stage;

	for (i = 0; i < ast->n_empty_lines; i++)
		check_add(list, "NoEmptyContinuation", ast->empty_lines[i],
			  "Empty continuation line");
	check_casing(list, ast);
	check_duplicate_names(list, file);
	for (stage = 0; stage < file->n_stages; stage++)
		check_stage(list, &file->stages[stage]);
	drop_skipped(list, ast);
	check_sort(list);
}

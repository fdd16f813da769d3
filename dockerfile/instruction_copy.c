/* COPY and ADD. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "dockerfile/instruction_parts.h"
#include "dockerfile/words.h"

static int read_list(struct words *out, const struct reader *r, bool *json)
{
	AUTO(strlist) items = STRLIST_INIT;
	size_t i;

	switch (words_json(&items, r->rest)) {
	case WORDS_JSON_BAD:
		return reader_rest_error(
			r, 0,
			"when using JSON array syntax, arrays must be comprised of strings only");
	case WORDS_JSON_NO:
		*json = false;
		words_split(out, r->rest);
		return 0;
	case WORDS_JSON_YES:
		*json = true;
		for (i = 0; i < items.n; i++)
			words_add(out, items.items[i], strlen(items.items[i]), 0);
	}
	return 0;
}

/* Moves the body that the parser read for this word to the instruction. */
static void take_heredoc(struct copy_instruction *copy, const struct ast_node *node,
			 struct heredoc *h, size_t *next)
{
	copy->heredocs = xreallocarray(copy->heredocs, copy->n_heredocs + 1,
				       sizeof(*copy->heredocs));
	if (*next < node->n_heredocs) {
		heredoc_release(h);
		heredoc_copy(h, &node->heredocs[(*next)++]);
	}
	copy->heredocs[copy->n_heredocs++] = *h;
}

static int read_operands(struct copy_instruction *copy, const struct reader *r, const char *name)
{
	AUTO(words) words = WORDS_INIT;
	AUTO(heredoc) dest = {0};
	size_t i, next = 0;
	bool json = false;

	if (read_list(&words, r, &json) < 0)
		return -1;
	if (words.n < 2) {
		reader_error(r, 0,
			     "%s requires at least two arguments, but only one was "
			     "provided. Destination could not be determined",
			     name);
		return words_json_is_meant(r->rest) ? error_hint(r->err, INSTRUCTION_JSON_HINT)
						    : -1;
	}
	if (!json && heredoc_parse(&dest, words.items[words.n - 1].text))
		return reader_rest_error(r, words.items[words.n - 1].at,
					 "%s cannot accept a heredoc as a destination", name);
	for (i = 0; i + 1 < words.n; i++) {
		struct heredoc h;

		if (!json && r->node->n_heredocs && heredoc_parse(&h, words.items[i].text))
			take_heredoc(copy, r->node, &h, &next);
		else
			strlist_add(&copy->sources, words.items[i].text);
	}
	copy->dest = xstrdup(words.items[words.n - 1].text);
	return 0;
}

static char *given(const struct flag *flag)
{
	return flag->given && *flag->value ? xstrdup(flag->value) : NULL;
}

/* Stages and images are known before anything is expanded. */
static int check_from(const struct reader *r, const struct flag *from)
{
	const char *dollar = from->given ? strchr(from->value, '$') : NULL;

	if (!dollar || !dollar[1])
		return 0;
	return reader_error(r, from->at,
			    "variable expansion is not supported for --from, define a new stage "
			    "with FROM using ARG from global scope as a workaround");
}

int read_copy(struct instruction *out, const struct reader *r)
{
	/* The last three belong to COPY alone (from, parents) or ADD alone. */
	struct flag copy_flags[] = {
		{.name = "chown"},
		{.name = "chmod"},
		{.name = "link", .type = FLAG_BOOL},
		{.name = "exclude", .type = FLAG_LIST},
		{.name = "from"},
		{.name = "parents", .type = FLAG_BOOL},
	};
	struct flag add_flags[] = {
		{.name = "chown"},
		{.name = "chmod"},
		{.name = "link", .type = FLAG_BOOL},
		{.name = "exclude", .type = FLAG_LIST},
		{.name = "checksum"},
		{.name = "keep-git-dir", .type = FLAG_BOOL},
		{.name = "unpack", .type = FLAG_BOOL},
	};
	bool add = out->kind == INSTRUCTION_ADD;
	struct flag *flags = add ? add_flags : copy_flags;
	struct copy_instruction *copy = &out->copy;
	size_t i;

	if (flags_read(r, flags, add ? ARRAY_SIZE(add_flags) : ARRAY_SIZE(copy_flags)) < 0)
		return -1;
	copy->chown = given(&flags[0]);
	copy->chmod_text = given(&flags[1]);
	copy->link = flags[2].on;
	for (i = 0; i < r->node->flags.n; i++) {
		const char *value = flag_value(&r->node->flags.items[i], "exclude");

		if (value)
			strlist_add(&copy->excludes, value);
	}
	if (add) {
		copy->checksum = given(&flags[4]);
		copy->has_keep_git_dir = flags[5].given;
		copy->keep_git_dir = flags[5].on;
		copy->has_unpack = flags[6].given;
		copy->unpack = flags[6].on;
	} else {
		if (check_from(r, &flags[4]) < 0)
			return -1;
		copy->from = given(&flags[4]);
		copy->parents = flags[5].on;
	}
	return read_operands(copy, r, instruction_name(out->kind));
}

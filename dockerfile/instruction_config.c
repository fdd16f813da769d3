/* FROM, and the instructions that only set something: ENV, LABEL, ARG, EXPOSE, USER, ... */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "dockerfile/check_file.h"
#include "dockerfile/instruction_parts.h"
#include "dockerfile/port.h"
#include "dockerfile/value.h"
#include "dockerfile/words.h"

static bool stage_name_valid(const char *name)
{
	const char *at;

	if (!islower((unsigned char)*name))
		return false;
	for (at = name; *at; at++)
		if (!islower((unsigned char)*at) && !isdigit((unsigned char)*at) &&
		    !strchr("-_.", *at))
			return false;
	return true;
}

static char *lower(const char *text)
{
	char *out = xstrdup(text), *at;

	for (at = out; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return out;
}

int read_from(struct instruction *out, const struct reader *r)
{
	struct flag platform = {.name = "platform"};
	AUTO(words) words = WORDS_INIT;

	if (flags_read(r, &platform, 1) < 0)
		return -1;
	words_split(&words, r->rest);
	if (words.n != 1 && !(words.n == 3 && strcasecmp(words.items[1].text, "as") == 0))
		return reader_error(r, 0,
				    "FROM requires either one or three arguments: FROM IMAGE [AS "
				    "NAME]");
	out->from.image = xstrdup(words.items[0].text);
	out->from.platform = platform.given && *platform.value ? xstrdup(platform.value) : NULL;
	if (words.n == 1)
		return 0;
	out->from.stage = lower(words.items[2].text);
	if (!stage_name_valid(out->from.stage))
		return reader_rest_error(r, words.items[2].at,
					 "invalid name for build stage: \"%s\", name can't start "
					 "with a number or contain symbols",
					 words.items[2].text);
	check_from_names(r->warnings, out, r->node->name, words.items[1].text, words.items[2].text);
	return 0;
}

static void pairs_add(struct pairs_instruction *pairs, size_t *cap, char *key, char *value)
{
	GROW(pairs->items, pairs->n + 1, *cap);
	pairs->items[pairs->n].key = key;
	pairs->items[pairs->n].value = value;
	pairs->n++;
}

/* "ENV key value with blanks": the form without "=". */
static int read_legacy_pair(struct instruction *out, const struct reader *r, const char *name)
{
	size_t len = strcspn(r->rest, " \t\v\f\r");
	size_t at = len, cap = 0;

	while (r->rest[at] && strchr(" \t\v\f\r", r->rest[at]))
		at++;
	if (!r->rest[at])
		return reader_error(r, 0, "%s must have two arguments: %s KEY=VALUE", name, name);
	out->pairs.legacy = true;
	pairs_add(&out->pairs, &cap, xstrndup(r->rest, len), xstrdup(r->rest + at));
	return 0;
}

int read_pairs(struct instruction *out, const struct reader *r)
{
	const char *name = instruction_name(out->kind);
	AUTO(words) words = WORDS_INIT;
	size_t i, cap = 0;

	if (flags_refuse(r) < 0)
		return -1;
	words_split_quoted(&words, r->rest, r->escape);
	if (words.n == 0)
		return reader_error(r, 0, "%s requires at least one argument", name);
	if (!strchr(words.items[0].text, '='))
		return read_legacy_pair(out, r, name);
	for (i = 0; i < words.n; i++) {
		const char *text = words.items[i].text;
		const char *equals = strchr(text, '=');

		if (!equals)
			return reader_rest_error(r, words.items[i].at,
						 "can't find = in \"%s\". Must be of the form: "
						 "name=value",
						 text);
		if (equals == text)
			return reader_rest_error(r, words.items[i].at, "%s names can not be blank",
						 name);
		pairs_add(&out->pairs, &cap, xstrndup(text, (size_t)(equals - text)),
			  xstrdup(equals + 1));
	}
	return 0;
}

int read_arg(struct instruction *out, const struct reader *r)
{
	AUTO(words) words = WORDS_INIT;
	size_t i, cap = 0;

	if (flags_refuse(r) < 0)
		return -1;
	words_split_quoted(&words, r->rest, r->escape);
	if (words.n == 0)
		return reader_error(r, 0, "ARG requires at least one argument");
	for (i = 0; i < words.n; i++) {
		const char *text = words.items[i].text;
		const char *equals = strchr(text, '=');
		char *key;

		if (equals == text)
			return reader_rest_error(r, words.items[i].at,
						 "ARG names can not be blank");
		key = equals ? xstrndup(text, (size_t)(equals - text)) : xstrdup(text);
		pairs_add(&out->pairs, &cap, key, equals ? xstrdup(equals + 1) : NULL);
	}
	return 0;
}

int read_text(struct instruction *out, const struct reader *r)
{
	if (flags_refuse(r) < 0)
		return -1;
	if (!*r->rest)
		return reader_error(r, 0, "%s requires exactly one argument",
				    instruction_name(out->kind));
	/* Without variables and quotes the signal can be judged at once. */
	if (out->kind == INSTRUCTION_STOPSIGNAL && !strpbrk(r->rest, "$'\"\\`") &&
	    value_signal(r->rest, r->err) < 0)
		return reader_error_place(r, r->node->rest);
	if (out->kind == INSTRUCTION_MAINTAINER)
		check_add(r->warnings, CHECK_MAINTAINER, out,
			  "Maintainer instruction is deprecated in favor of using label");
	out->value = xstrdup(r->rest);
	return 0;
}

int read_expose(struct instruction *out, const struct reader *r)
{
	AUTO(words) words = WORDS_INIT;
	AUTO_PTR(port_map) map = NULL;
	size_t i;

	if (flags_refuse(r) < 0)
		return -1;
	words_split(&words, r->rest);
	if (words.n == 0)
		return reader_error(r, 0, "EXPOSE requires at least one argument");
	map = port_map_new();
	for (i = 0; i < words.n; i++) {
		const char *text = words.items[i].text;

		strlist_add(&out->words, text);
		if (strpbrk(text, "$'\"\\`"))
			continue;
		if (port_map_add(map, text, NULL, r->err) < 0)
			return reader_error_place(r, r->node->rest + words.items[i].at);
	}
	strlist_sort(&out->words);
	return 0;
}

int read_volume(struct instruction *out, const struct reader *r)
{
	AUTO(strlist) json = STRLIST_INIT;
	AUTO(words) words = WORDS_INIT;
	size_t i;

	if (flags_refuse(r) < 0)
		return -1;
	switch (words_json(&json, r->rest)) {
	case WORDS_JSON_BAD:
		return reader_rest_error(
			r, 0,
			"when using JSON array syntax, arrays must be comprised of strings only");
	case WORDS_JSON_NO:
		words_split(&words, r->rest);
		for (i = 0; i < words.n; i++)
			strlist_add(&out->words, words.items[i].text);
		break;
	case WORDS_JSON_YES:
		for (i = 0; i < json.n; i++) {
			AUTO(strbuf) path = STRBUF_INIT;

			strbuf_puts(&path, json.items[i]);
			strbuf_trim(&path);
			if (path.len == 0)
				return reader_rest_error(
					r, 0, "VOLUME specified can not be an empty string");
			strlist_add(&out->words, path.buf);
		}
	}
	if (out->words.n == 0)
		return reader_error(r, 0, "VOLUME requires at least one argument");
	return 0;
}

/* Parses the trigger as if it stood alone, so that a mistake is found where it was made. */
static int check_trigger(const struct reader *r)
{
	AUTO(ast_node) node = {0};
	AUTO(instruction) trigger = INSTRUCTION_INIT;

	ast_node_inner(&node, r->node, r->escape);
	return instruction_parse(&trigger, &node, r->src, r->escape, NULL, r->err);
}

/* The text as the image's config holds it: blanks at its end and heredocs belong to it. */
int read_onbuild(struct instruction *out, const struct reader *r)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_FREE char *first = xstrndup(r->rest, strcspn(r->rest, " \t\v\f\r\n"));
	size_t i;

	if (flags_refuse(r) < 0)
		return -1;
	if (!*r->rest)
		return reader_error(r, 0, "ONBUILD requires at least one argument");
	if (strcasecmp(first, "ONBUILD") == 0)
		return reader_rest_error(r, 0,
					 "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if (strcasecmp(first, "FROM") == 0 || strcasecmp(first, "MAINTAINER") == 0)
		return reader_rest_error(r, 0, "%s isn't allowed as an ONBUILD trigger", first);
	if (check_trigger(r) < 0)
		return -1;
	strbuf_puts(&text, r->node->text + r->node->rest);
	for (i = 0; i < r->node->n_heredocs; i++)
		strbuf_printf(&text, "\n%s%s", r->node->heredocs[i].content,
			      r->node->heredocs[i].name);
	out->onbuild = strbuf_detach(&text, NULL);
	return 0;
}

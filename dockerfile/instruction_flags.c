#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "dockerfile/instruction_parts.h"
#include "dockerfile/words.h"

const char *flag_value(const struct word *word, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(word->text, "--", 2) != 0 || strncmp(word->text + 2, name, len) != 0 ||
	    word->text[2 + len] != '=')
		return NULL;
	return word->text + 2 + len + 1;
}

static struct flag *find(struct flag *flags, size_t n, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strlen(flags[i].name) == len && strncmp(flags[i].name, name, len) == 0)
			return &flags[i];
	return NULL;
}

static int unknown_flag(const struct reader *r, const struct word *word, const char *name,
			const struct flag *flags, size_t n)
{
	const char *names[16];
	const char *near;
	size_t i;

	for (i = 0; i < n && i < ARRAY_SIZE(names); i++)
		names[i] = flags[i].name;
	near = word_suggest(name, names, i);
	if (near)
		return reader_error(r, word->at, "unknown flag: --%s (did you mean --%s?)", name,
				    near);
	return reader_error(r, word->at, "unknown flag: --%s", name);
}

static int flag_read(const struct reader *r, const struct word *word, struct flag *flags, size_t n)
{
	const char *name = word->text + 2;
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	AUTO_FREE char *copy = xstrndup(name, len);
	struct flag *flag = find(flags, n, name, len);

	if (!flag)
		return unknown_flag(r, word, copy, flags, n);
	if (flag->given && flag->type != FLAG_LIST)
		return reader_error(r, word->at, "duplicate flag specified: --%s", copy);
	flag->given = true;
	flag->at = word->at;
	flag->value = equals ? equals + 1 : NULL;
	if (flag->type != FLAG_BOOL && !equals)
		return reader_error(r, word->at, "missing a value on flag: --%s", copy);
	if (flag->type != FLAG_BOOL)
		return 0;
	if (equals && !equals[1])
		return reader_error(r, word->at, "missing a value on flag: --%s", copy);
	flag->on = !equals || strcasecmp(equals + 1, "true") == 0;
	if (equals && !flag->on && strcasecmp(equals + 1, "false") != 0)
		return reader_error(r, word->at, "expecting boolean value for flag --%s, not: %s",
				    copy, equals + 1);
	return 0;
}

int flags_read(const struct reader *r, struct flag *flags, size_t n)
{
	size_t i;

	for (i = 0; i < r->node->flags.n; i++) {
		const struct word *word = &r->node->flags.items[i];

		/* Quotes may have hidden what the word really is: ""--x. */
		if (strncmp(word->text, "--", 2) != 0)
			return reader_error(r, word->at, "unknown flag: %s", word->text);
		if (flag_read(r, word, flags, n) < 0)
			return -1;
	}
	return 0;
}

int flags_refuse(const struct reader *r)
{
	return flags_read(r, NULL, 0);
}

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/lint_private.h"

const struct lint_place lint_top = {NULL, NULL, 0, NULL};

static void put_place(struct strbuf *out, const struct lint_place *at)
{
	if (!at->up)
		return;
	put_place(out, at->up);
	if (at->key)
		strbuf_printf(out, "%s%s", out->len ? "." : "", at->key);
	else if (at->label && *at->label)
		strbuf_printf(out, "[%s]", at->label);
	else
		strbuf_printf(out, "[%zu]", at->index);
}

char *lint_place_text(const struct lint_place *at)
{
	struct strbuf out = STRBUF_INIT;

	put_place(&out, at);
	return strbuf_detach(&out, NULL);
}

/* The text was parsed before, so it is JSON from end to end. */
static const char *skip_blanks(const char *s)
{
	while (isspace((unsigned char)*s) || *s == ',' || *s == ':')
		s++;
	return s;
}

static const char *skip_string(const char *s)
{
	for (s++; *s && *s != '"'; s++)
		if (*s == '\\' && s[1])
			s++;
	return *s ? s + 1 : s;
}

static const char *skip_value(const char *s)
{
	size_t depth = 0;

	do {
		s = skip_blanks(s);
		if (*s == '"') {
			s = skip_string(s);
		} else if (*s == '{' || *s == '[') {
			depth++;
			s++;
		} else if (*s == '}' || *s == ']') {
			depth--;
			s++;
		} else {
			s += strcspn(s, ",]} \t\r\n");
		}
	} while (depth && *s);
	return s;
}

/* The key's first letter in the object at s; NULL when it has no such member. */
static const char *find_key(const char *s, const char *key)
{
	if (*s != '{')
		return NULL;
	for (s = skip_blanks(s + 1); *s == '"'; s = skip_blanks(skip_value(s))) {
		const char *name = s + 1, *end = skip_string(s);

		if ((size_t)(end - name) == strlen(key) + 1 && strncmp(name, key, strlen(key)) == 0)
			return s;
		s = skip_blanks(end);
	}
	return NULL;
}

static const char *find_element(const char *s, size_t index)
{
	if (*s != '[')
		return NULL;
	for (s = skip_blanks(s + 1); *s && *s != ']'; s = skip_blanks(skip_value(s)))
		if (index-- == 0)
			return s;
	return NULL;
}

/* Where the value begins; *shown is where people look for it: at its key. */
static const char *find_value(const struct lint_place *at, const char *text, const char **shown)
{
	const char *s, *found;

	if (!at->up) {
		*shown = skip_blanks(text);
		return *shown;
	}
	s = find_value(at->up, text, shown);
	if (!s)
		return NULL;
	found = at->key ? find_key(s, at->key) : find_element(s, at->index);
	if (!found && at->key && !at->up->up && (found = find_key(s, "taskDefinition")))
		found = find_key(skip_blanks(skip_string(found)), at->key);
	if (!found)
		return NULL;
	*shown = found;
	return at->key ? skip_blanks(skip_string(found)) : found;
}

int lint_place_line(const struct lint_place *at, const char *text)
{
	const char *shown = NULL;
	int line = 1;

	if (!text)
		return 0;
	/* What is missing is told at the line of what lacks it. */
	while (!find_value(at, text, &shown) && at->up)
		at = at->up;
	for (const char *s = text; s < shown; s++)
		line += *s == '\n';
	return line;
}

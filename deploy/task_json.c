#include "deploy/task_json.h"

#include <ctype.h>
#include <string.h>

const char *task_json_string(const json_t *value)
{
	const char *text = json_string_value(value);

	return text ? text : "";
}

int64_t task_json_int(const json_t *object, const char *key, int64_t fallback)
{
	json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? (int64_t)json_integer_value(value) : fallback;
}

json_t *container_named(const json_t *containers, const char *name)
{
	json_t *c;
	size_t i;

	json_array_foreach (containers, i, c)
		if (strcmp(aws_text(c, "name"), name) == 0)
			return c;
	return NULL;
}

void task_json_add_once(struct strlist *list, const char *text)
{
	if (!strlist_has(list, text))
		strlist_add(list, text);
}

static const char *skip_blanks(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

/* "N", or "N.N UNIT" times 1024; -1 when it is neither, or no whole number comes out. */
static int64_t read_units(const char *s, const char *unit)
{
	int64_t whole = 0, part = 0, scale = 1;
	size_t digits = 0;

	s = skip_blanks(s);
	for (; isdigit((unsigned char)*s); s++, digits++) {
		if (whole > INT32_MAX)
			return -1;
		whole = whole * 10 + (*s - '0');
	}
	if (*s == '.')
		for (s++; isdigit((unsigned char)*s); s++, digits++) {
			if (scale > INT32_MAX)
				return -1;
			part = part * 10 + (*s - '0');
			scale *= 10;
		}
	if (!digits)
		return -1;
	s = skip_blanks(s);
	if (!*s)
		return scale == 1 ? whole : -1;
	if (strncasecmp(s, unit, strlen(unit)) != 0 || *skip_blanks(s + strlen(unit)))
		return -1;
	return part * 1024 % scale ? -1 : whole * 1024 + part * 1024 / scale;
}

int64_t task_json_cpu(const char *text)
{
	return read_units(text, "vcpu");
}

int64_t task_json_memory(const char *text)
{
	return read_units(text, "gb");
}

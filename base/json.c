#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/utf8.h"

struct shape {
	size_t deepest, deepest_at;
	size_t containers, values;
};

/*
 * Counted without parsing: jansson recurses, with a limit of its own that is too generous, and three bytes of text become
 * hundreds of memory. Text that is no JSON may be counted wrongly, and is refused anyway.
 */
static struct shape shape_of(const char *text, size_t len)
{
	struct shape s = {.values = 1};
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			s.containers++;
			s.values++;
			if (++depth > s.deepest) {
				s.deepest = depth;
				if (s.deepest <= LIMIT_JSON_DEPTH + 1)
					s.deepest_at = i;
			}
		} else if ((c == ']' || c == '}') && depth) {
			depth--;
		} else if (c == ',') {
			s.values++;
		}
	}
	return s;
}

static void locate(const char *text, size_t at, int *line, int *column)
{
	*line = *column = 1;
	for (size_t i = 0; i < at; i++) {
		if (text[i] == '\n') {
			++*line;
			*column = 0;
		}
		++*column;
	}
}

static int check_shape(const char *text, size_t len, const char *where, struct error *err)
{
	struct shape s = shape_of(text, len);
	int line, column;

	if (s.deepest > LIMIT_JSON_DEPTH) {
		locate(text, s.deepest_at, &line, &column);
		return error_set(err, ERROR_SYNTAX,
				 "%s:%d:%d: JSON nested more than %d levels deep", where, line,
				 column, LIMIT_JSON_DEPTH);
	}
	if (s.containers > LIMIT_JSON_CONTAINERS)
		return error_set(err, ERROR_SYNTAX, "%s: JSON of more than %u objects and arrays",
				 where, LIMIT_JSON_CONTAINERS);
	if (s.values > LIMIT_JSON_VALUES)
		return error_set(err, ERROR_SYNTAX, "%s: JSON of more than %u values", where,
				 LIMIT_JSON_VALUES);
	return 0;
}

static int parse(json_t **out, const char *text, size_t len, size_t flags, const char *where,
		 struct error *err)
{
	json_error_t problem;
	json_t *parsed;
	char *near;

	if (check_shape(text, len, where, err) < 0)
		return -1;
	parsed = json_loadb(text, len, flags, &problem);
	if (!parsed) {
		/* What stands near may be a secret. */
		near = strstr(problem.text, " near ");
		if (near)
			*near = '\0';
		return error_set(err, ERROR_SYNTAX, "%s:%d:%d: not valid JSON: %s", where,
				 problem.line > 0 ? problem.line : 1,
				 problem.column > 0 ? problem.column : 1, problem.text);
	}
	*out = parsed;
	return 0;
}

int json_parse(json_t **out, const char *text, size_t len, const char *where, struct error *err)
{
	return parse(out, text, len, JSON_REJECT_DUPLICATES, where, err);
}

int json_parse_with_nul(json_t **out, const char *text, size_t len, const char *where,
			struct error *err)
{
	return parse(out, text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, where, err);
}

int json_parse_file(json_t **out, const char *path, size_t limit, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	int result;

	if (fs_read_file(path, &text, limit, err) < 0)
		return -1;
	result = json_parse(out, text.buf, text.len, path, err);
	/* Files with logins are read through here. */
	wipe(text.buf, text.len);
	return result;
}

static const char *type_name(const json_t *j)
{
	if (!j)
		return "nothing";
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a fraction";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		return "null";
	}
	return "of unknown type";
}

static int wrong_type(const json_t *j, const char *key, const char *wanted, const char *where,
		      struct error *err)
{
	return error_set(err, ERROR_CORRUPT, "%s: field \"%s\" is %s, not %s", where, key,
			 type_name(j), wanted);
}

/* The field, or NULL when it is missing or null; obj must be an object. */
static int get_field(const json_t *obj, const char *key, json_t **field, const char *where,
		     struct error *err)
{
	if (!json_is_object(obj))
		return error_set(err, ERROR_CORRUPT, "%s: is %s, not an object with a field \"%s\"",
				 where, type_name(obj), key);
	*field = json_object_get(obj, key);
	if (json_is_null(*field))
		*field = NULL;
	return 0;
}

static int need_field(const json_t *obj, const char *key, json_t **field, const char *where,
		      struct error *err)
{
	if (get_field(obj, key, field, where, err) < 0)
		return -1;
	if (!*field)
		return error_set(err, ERROR_CORRUPT, "%s: field \"%s\" is missing", where, key);
	return 0;
}

int json_get_string(const json_t *obj, const char *key, const char **out, const char *where,
		    struct error *err)
{
	json_t *field = NULL;

	if (need_field(obj, key, &field, where, err) < 0)
		return -1;
	return json_opt_string(obj, key, out, where, err);
}

int json_get_int(const json_t *obj, const char *key, int64_t *out, const char *where,
		 struct error *err)
{
	json_t *field = NULL;

	if (need_field(obj, key, &field, where, err) < 0)
		return -1;
	return json_opt_int(obj, key, out, 0, where, err);
}

int json_get_object(const json_t *obj, const char *key, json_t **out, const char *where,
		    struct error *err)
{
	json_t *field = NULL;

	if (need_field(obj, key, &field, where, err) < 0)
		return -1;
	if (!json_is_object(field))
		return wrong_type(field, key, "an object", where, err);
	*out = field;
	return 0;
}

int json_get_array(const json_t *obj, const char *key, json_t **out, const char *where,
		   struct error *err)
{
	json_t *field = NULL;

	if (need_field(obj, key, &field, where, err) < 0)
		return -1;
	if (!json_is_array(field))
		return wrong_type(field, key, "an array", where, err);
	*out = field;
	return 0;
}

int json_opt_string(const json_t *obj, const char *key, const char **out, const char *where,
		    struct error *err)
{
	json_t *field = NULL;

	if (get_field(obj, key, &field, where, err) < 0)
		return -1;
	if (field && !json_is_string(field))
		return wrong_type(field, key, "a string", where, err);
	*out = json_string_value(field);
	return 0;
}

int json_opt_text(const json_t *obj, const char *key, char **out, const char *where,
		  struct error *err)
{
	const char *text;

	if (json_opt_string(obj, key, &text, where, err) < 0)
		return -1;
	*out = text && *text ? xstrdup(text) : NULL;
	return 0;
}

int json_opt_int(const json_t *obj, const char *key, int64_t *out, int64_t fallback,
		 const char *where, struct error *err)
{
	json_t *field = NULL;

	if (get_field(obj, key, &field, where, err) < 0)
		return -1;
	if (field && !json_is_integer(field))
		return wrong_type(field, key, "an integer", where, err);
	*out = field ? (int64_t)json_integer_value(field) : fallback;
	return 0;
}

int json_opt_bool(const json_t *obj, const char *key, bool *out, bool fallback, const char *where,
		  struct error *err)
{
	json_t *field = NULL;

	if (get_field(obj, key, &field, where, err) < 0)
		return -1;
	if (field && !json_is_boolean(field))
		return wrong_type(field, key, "a boolean", where, err);
	*out = field ? json_is_true(field) : fallback;
	return 0;
}

int json_opt_strlist(const json_t *obj, const char *key, struct strlist *out, const char *where,
		     struct error *err)
{
	AUTO(strlist) list = STRLIST_INIT;
	json_t *field, *item;
	size_t i;

	if (get_field(obj, key, &field, where, err) < 0)
		return -1;
	if (field && !json_is_array(field))
		return wrong_type(field, key, "an array of strings", where, err);
	json_array_foreach (field, i, item) {
		if (!json_is_string(item))
			return error_set(err, ERROR_CORRUPT,
					 "%s: field \"%s\": item %zu is %s, not a string", where,
					 key, i, type_name(item));
		strlist_add(&list, json_string_value(item));
	}
	strlist_release(out);
	*out = list;
	list = (struct strlist)STRLIST_INIT;
	return 0;
}

int json_opt_strmap(const json_t *obj, const char *key, struct strmap *out, const char *where,
		    struct error *err)
{
	AUTO(strmap) map = STRMAP_INIT;
	json_t *field, *item;
	const char *name;

	if (get_field(obj, key, &field, where, err) < 0)
		return -1;
	if (field && !json_is_object(field))
		return wrong_type(field, key, "an object of strings", where, err);
	json_object_foreach (field, name, item) {
		if (!json_is_string(item))
			return error_set(err, ERROR_CORRUPT,
					 "%s: field \"%s\": \"%s\" is %s, not a string", where, key,
					 name, type_name(item));
		strmap_set(&map, name, json_string_value(item));
	}
	strmap_release(out);
	*out = map;
	map = (struct strmap)STRMAP_INIT;
	return 0;
}

/* A value that cannot be made or put in its place means that there is no memory left. */
static void must(int result)
{
	if (result < 0)
		abort();
}

json_t *json_from_strlist(const struct strlist *l)
{
	json_t *array = json_array();

	for (size_t i = 0; i < l->n; i++)
		must(json_array_append_new(array, json_text(l->items[i])));
	return array;
}

json_t *json_from_strmap(const struct strmap *m, bool sorted)
{
	AUTO_FREE size_t *order = xreallocarray(NULL, m->n, sizeof(*order));
	json_t *object = json_object();

	strmap_sorted(m, order);
	for (size_t i = 0; i < m->n; i++) {
		const struct strmap_entry *e = &m->entries[sorted ? order[i] : i];
		json_t *key = json_text(e->key);
		json_t *value = e->value ? json_text(e->value) : json_null();

		must(json_object_set_new(object, json_string_value(key), value));
		json_decref(key);
	}
	return object;
}

json_t *json_textn(const char *s, size_t len)
{
	AUTO(strbuf) clean = STRBUF_INIT;
	json_t *text;
	uint32_t code;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_decode(s + i, len - i, &code);

		if (n)
			strbuf_add(&clean, s + i, n);
		else
			strbuf_puts(&clean, "\xef\xbf\xbd"); /* U+FFFD */
		i += n ? n : 1;
	}
	text = json_stringn_nocheck(clean.buf, clean.len);
	must(text ? 0 : -1);
	return text;
}

json_t *json_text(const char *s)
{
	return json_textn(s, strlen(s));
}

static int append(const char *data, size_t len, void *out)
{
	strbuf_add(out, data, len);
	return 0;
}

void json_write(const json_t *j, struct strbuf *out)
{
	must(json_dump_callback(j, append, out, JSON_COMPACT | JSON_ENCODE_ANY));
}

void json_write_pretty(const json_t *j, struct strbuf *out)
{
	must(json_dump_callback(j, append, out, JSON_INDENT(2) | JSON_ENCODE_ANY));
	strbuf_putc(out, '\n');
}

#include "local/api_form.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False for a bad escape or a NUL. */
static bool decode(struct strbuf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i] == '+' ? ' ' : text[i];

		if (c == '%') {
			int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
			int low = i + 2 < len ? hex_value(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (!c)
			return false;
		strbuf_putc(out, c);
	}
	return true;
}

/* The place of a name's last part, with all before it made: structures and lists alike are objects until the end. */
static json_t *walk(json_t *object, char *name, char **last, struct error *err)
{
	size_t depth = 0;

	for (char *dot; (dot = strchr(name, '.')); name = dot + 1) {
		json_t *next;

		*dot = '\0';
		if (++depth > LIMIT_FORM_DEPTH) {
			error_set(err, ERROR_SYNTAX, "a member is more than %d levels deep",
				  LIMIT_FORM_DEPTH);
			return NULL;
		}
		next = json_object_get(object, name);
		if (!next) {
			next = json_object();
			json_object_set_new(object, name, next);
		} else if (!json_is_object(next)) {
			error_set(err, ERROR_SYNTAX,
				  "member %.100s is a text and a structure at once", name);
			return NULL;
		}
		object = next;
	}
	*last = name;
	return object;
}

static int add_member(json_t *object, const char *text, size_t len, struct error *err)
{
	const char *equal = memchr(text, '=', len);
	size_t n = equal ? (size_t)(equal - text) : len;
	AUTO(strbuf) name = STRBUF_INIT;
	AUTO(strbuf) value = STRBUF_INIT;
	AUTO_JSON *scalar = NULL;
	json_t *place;
	char *last;
	int r = -1;

	if (!decode(&name, text, n) || (equal && !decode(&value, equal + 1, len - n - 1)))
		return error_set(err, ERROR_SYNTAX, "a member has a bad escape or a NUL");
	scalar = json_stringn(value.buf, value.len);
	if (value.len)
		wipe(value.buf, value.len);
	AUTO_JSON *label = json_stringn(name.buf, name.len);

	if (!scalar || !label)
		return error_set(err, ERROR_SYNTAX, "a member is not valid UTF-8");
	place = walk(object, name.buf, &last, err);
	if (!place)
		return -1;
	if (json_object_get(place, last))
		error_set(err, ERROR_SYNTAX, "member %.100s is there twice",
			  json_string_value(label));
	else
		r = json_object_set(place, last, scalar);
	return r;
}

/* "12": a place in a list. */
static bool is_place(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	return digits > 0 && digits <= 6 && !name[digits];
}

static bool is_list(json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value)
		if (!is_place(key))
			return false;
	return json_object_size(object) > 0;
}

struct place {
	long n;
	json_t *value;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->n < y->n ? -1 : x->n > y->n;
}

static json_t *fold(json_t *value);

/* Places come in any order, from 0 or 1; only their order counts. */
static json_t *fold_list(json_t *object)
{
	AUTO_FREE struct place *places = xcalloc(json_object_size(object), sizeof(*places));
	json_t *list = json_array(), *value;
	const char *key;
	size_t n = 0;

	json_object_foreach (object, key, value)
		places[n++] = (struct place){strtol(key, NULL, 10), value};
	qsort(places, n, sizeof(*places), compare_places);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, fold(places[i].value));
	return list;
}

static json_t *fold_members(json_t *object)
{
	json_t *folded = json_object(), *value;
	const char *key;

	json_object_foreach (object, key, value)
		json_object_set_new(folded, key, fold(value));
	return folded;
}

/* A new reference: the value, its lists made arrays. */
static json_t *fold(json_t *value)
{
	json_t *members = json_object_get(value, "member");

	if (!json_is_object(value))
		return json_incref(value);
	if (json_object_size(value) == 1 && json_is_object(members) && is_list(members))
		return fold_list(members);
	return is_list(value) ? fold_list(value) : fold_members(value);
}

int api_form_read(json_t *object, const char *text, size_t len, struct error *err)
{
	AUTO_JSON *tree = json_object();
	AUTO_JSON *folded = NULL;
	size_t n = 0;

	for (const char *end = text + len; text < end;) {
		const char *amp = memchr(text, '&', (size_t)(end - text));
		size_t part = amp ? (size_t)(amp - text) : (size_t)(end - text);

		if (part && ++n > LIMIT_FORM_MEMBERS)
			return error_set(err, ERROR_SYNTAX, "there are more than %d members",
					 LIMIT_FORM_MEMBERS);
		if (part && add_member(tree, text, part, err) < 0)
			return -1;
		text += part + (amp != NULL);
	}
	folded = fold_members(tree);
	json_object_update(object, folded);
	return 0;
}

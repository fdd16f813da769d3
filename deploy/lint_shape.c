/* Fields that do not exist, have another type, are missing or hold a word that ECS does not know. */
#include <stdint.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/typo.h"
#include "deploy/lint_fields.h"
#include "deploy/lint_private.h"
#include "deploy/task_json.h"

static const char *type_name(enum field_type type)
{
	static const char *const names[] = {
		[FIELD_TEXT] = "a text",
		[FIELD_NUMBER] = "a whole number",
		[FIELD_FLAG] = "true or false",
		[FIELD_OBJECT] = "an object",
		[FIELD_MAP] = "an object of texts",
		[FIELD_TEXTS] = "a list of texts",
		[FIELD_NUMBERS] = "a list of whole numbers",
		[FIELD_OBJECTS] = "a list of objects",
	};

	return names[type];
}

static bool is_list(enum field_type type)
{
	return type == FIELD_TEXTS || type == FIELD_NUMBERS || type == FIELD_OBJECTS;
}

/* The type of a list's elements. */
static enum field_type element_type(enum field_type type)
{
	return type == FIELD_TEXTS     ? FIELD_TEXT
	       : type == FIELD_NUMBERS ? FIELD_NUMBER
				       : FIELD_OBJECT;
}

/* Numbers of a task definition are of the type Integer of AWS's model, which has 32 bits. */
static bool is_number(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= INT32_MIN &&
	       json_integer_value(value) <= INT32_MAX;
}

static bool has_type(const json_t *value, enum field_type type)
{
	if (type == FIELD_TEXT)
		return json_is_string(value);
	if (type == FIELD_NUMBER)
		return is_number(value);
	if (type == FIELD_FLAG)
		return json_is_boolean(value);
	if (is_list(type))
		return json_is_array(value);
	return json_is_object(value);
}

/* How people call an element: its name, else its number. */
static const char *label_of(const json_t *element)
{
	return aws_text(element, "name");
}

/* A visitor of every value with a known field: called before what is inside. */
typedef void visit_fn(struct lint *l, const struct lint_field *f, const json_t *value,
		      const struct lint_place *at);

struct visitor {
	visit_fn *value;
	/* Told of each object, once per object. */
	void (*object)(struct lint *l, const char *shape, const json_t *object,
		       const struct lint_place *at);
};

static void walk_object(struct lint *l, const struct visitor *v, const char *shape,
			const json_t *object, const struct lint_place *at)
{
	const struct lint_field *f = NULL;

	if (v->object)
		v->object(l, shape, object, at);
	while ((f = lint_field_next(shape, f))) {
		const json_t *value = json_object_get(object, f->name), *element;
		const struct lint_place *here = LINT_AT(at, f->name);
		size_t i;

		if (!value || json_is_null(value))
			continue;
		if (v->value)
			v->value(l, f, value, here);
		if (f->type == FIELD_OBJECT && json_is_object(value))
			walk_object(l, v, f->of, value, here);
		if (f->type == FIELD_OBJECTS)
			json_array_foreach (value, i, element)
				if (json_is_object(element))
					walk_object(l, v, f->of, element,
						    LINT_IN(here, i, label_of(element)));
	}
}

static void unknown_in(struct lint *l, const char *shape, const json_t *object,
		       const struct lint_place *at)
{
	const char *key, *near;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		if (lint_field_find(shape, key))
			continue;
		near = lint_field_nearest(shape, key);
		if (near)
			lint_say(l, LINT_AT(at, key), "there is no such field: did you mean %s?",
				 near);
		else
			lint_say(l, LINT_AT(at, key),
				 "this field is not known; it is passed on as it is");
	}
}

static void unknown_fields(struct lint *l)
{
	walk_object(l, &(struct visitor){.object = unknown_in}, "", l->td->json, &lint_top);
}

static void check_type(struct lint *l, const struct lint_field *f, const json_t *value,
		       const struct lint_place *at)
{
	json_t *element;
	const char *key;
	size_t i;

	if (!has_type(value, f->type)) {
		lint_say(l, at, "%s is expected here%s", type_name(f->type),
			 json_is_integer(value) && f->type == FIELD_NUMBER
				 ? ", of 32 bits: this one is out of range"
				 : "");
		return;
	}
	if (is_list(f->type))
		json_array_foreach (value, i, element)
			if (!has_type(element, element_type(f->type)))
				lint_say(l, LINT_IN(at, i, NULL), "%s is expected here",
					 type_name(element_type(f->type)));
	if (f->type == FIELD_MAP)
		json_object_foreach ((json_t *)(uintptr_t)value, key, element)
			if (!json_is_string(element))
				lint_say(l, LINT_AT(at, key),
					 "a text is expected here: put it in quotation marks");
}

static void types(struct lint *l)
{
	walk_object(l, &(struct visitor){.value = check_type}, "", l->td->json, &lint_top);
}

static void missing_in(struct lint *l, const char *shape, const json_t *object,
		       const struct lint_place *at)
{
	const struct lint_field *f = NULL;

	while ((f = lint_field_next(shape, f))) {
		const json_t *value = json_object_get(object, f->name);

		if (f->required && (!value || json_is_null(value)))
			lint_say(l, at, "%s is missing", f->name);
	}
}

static void missing_fields(struct lint *l)
{
	walk_object(l, &(struct visitor){.object = missing_in}, "", l->td->json, &lint_top);
}

/* The word of the list that is the text (exactly), or the nearest one within two letters; NULL: neither. */
static bool find_word(const char *text, const char *words, char near[64])
{
	size_t best = 3;

	near[0] = '\0';
	for (const char *w = words; *w; w += strspn(w, " ")) {
		size_t len = strcspn(w, " "), distance;
		char word[64];

		(void)snprintf(word, sizeof(word), "%.*s", (int)len, w);
		w += len;
		if (strcmp(word, text) == 0)
			return true;
		distance = typo_distance(word, text);
		if (distance < best) {
			best = distance;
			memcpy(near, word, sizeof(word));
		}
	}
	return false;
}

static void check_word(struct lint *l, const char *text, const char *words,
		       const struct lint_place *at)
{
	char near[64];

	if (find_word(text, words, near))
		return;
	if (*near)
		lint_say(l, at, "\"%s\" is not known: did you mean %s?", text, near);
	else
		lint_say_as(l, LINT_WARNING, at, "\"%s\" is not known; there are: %s", text, words);
}

static void check_value(struct lint *l, const struct lint_field *f, const json_t *value,
			const struct lint_place *at)
{
	json_t *element;
	size_t i;

	if (!f->of || f->type == FIELD_OBJECT || f->type == FIELD_OBJECTS)
		return;
	if (f->type == FIELD_TEXT && json_is_string(value))
		check_word(l, json_string_value(value), f->of, at);
	if (f->type == FIELD_TEXTS)
		json_array_foreach (value, i, element)
			check_word(l, task_json_string(element), f->of, LINT_IN(at, i, NULL));
}

static void values(struct lint *l)
{
	walk_object(l, &(struct visitor){.value = check_value}, "", l->td->json, &lint_top);
}

const struct lint_rule lint_rules_shape[] = {
	{"unknown-field", LINT_WARNING, unknown_fields, NULL},
	{"type", LINT_ERROR, types, NULL},
	{"missing", LINT_ERROR, missing_fields, NULL},
	{"value", LINT_ERROR, values, NULL},
	{NULL, LINT_ERROR, NULL, NULL},
};

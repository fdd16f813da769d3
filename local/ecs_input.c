#include "local/ecs_input.h"

#include <stdlib.h>
#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "base/path.h"
#include "local/ecs_name.h"

#define MAX_TAGS    50
#define MAX_TAG_KEY 128

struct member {
	const char *name;
	size_t len;
	char type;
	bool required;
};

/* The next of the list; false: there is none. */
static bool next_member(const char **at, struct member *m)
{
	const char *s = *at + strspn(*at, " ");

	if (!*s)
		return false;
	m->name = s;
	m->len = strcspn(s, ":");
	m->type = s[m->len + 1];
	m->required = s[m->len + 2] == '!';
	*at = s + m->len + 2 + m->required;
	return true;
}

static bool find_member(const char *members, const char *key, struct member *m)
{
	while (next_member(&members, m))
		if (strlen(key) == m->len && memcmp(key, m->name, m->len) == 0)
			return true;
	return false;
}

static bool are_texts(const json_t *array)
{
	json_t *one;
	size_t i;

	json_array_foreach (array, i, one)
		if (!json_is_string(one))
			return false;
	return json_is_array(array);
}

static bool has_type(const json_t *v, char type)
{
	switch (type) {
	case 's':
		return json_is_string(v);
	case 'i':
		return json_is_integer(v) && json_integer_value(v) >= INT32_MIN &&
		       json_integer_value(v) <= INT32_MAX;
	case 'n':
		return json_is_number(v);
	case 'b':
		return json_is_boolean(v);
	case 'a':
		return json_is_array(v);
	case 't':
		return are_texts(v);
	default:
		return json_is_object(v);
	}
}

static bool is_blank(const json_t *v)
{
	return !v || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0) ||
	       (json_is_array(v) && json_array_size(v) == 0);
}

static char *known_names(const char *members)
{
	struct strbuf out = STRBUF_INIT;
	struct member m;

	while (next_member(&members, &m))
		strbuf_printf(&out, "%s%.*s", out.len ? ", " : "", (int)m.len, m.name);
	return strbuf_detach(&out, NULL);
}

int ecs_check_object(struct api_call *c, const json_t *object, const char *where,
		     const char *members)
{
	const char *key, *rest = members;
	struct member m;
	json_t *v;

	if (!object || json_is_null(object))
		return 0;
	if (!json_is_object(object))
		return api_error(c, "SerializationException", "%s: an object is expected", where);
	json_object_foreach ((json_t *)(uintptr_t)object, key, v) {
		if (!find_member(members, key, &m)) {
			AUTO_FREE char *known = known_names(members);

			return api_error(c, "InvalidParameterException",
					 "Unknown parameter in %s: \"%s\", must be one of: %s",
					 where, key, known);
		}
		if (!json_is_null(v) && !has_type(v, m.type))
			return api_error(c, "SerializationException",
					 "%s: \"%s\" is of the wrong type", where, key);
	}
	while (next_member(&rest, &m)) {
		AUTO_FREE char *name = xstrndup(m.name, m.len);

		if (m.required && is_blank(json_object_get(object, name)))
			return api_error(c, "InvalidParameterException", "%s can not be blank.",
					 name);
	}
	return 0;
}

int ecs_check_input(struct api_call *c, const char *members)
{
	return ecs_check_object(c, c->input, "input", members);
}

int ecs_check_objects(struct api_call *c, const json_t *array, const char *where,
		      const char *members)
{
	json_t *one;
	size_t i;

	json_array_foreach (array, i, one) {
		if (!json_is_object(one))
			return api_error(c, "SerializationException", "%s: objects are expected",
					 where);
		if (ecs_check_object(c, one, where, members) < 0)
			return -1;
	}
	return 0;
}

const char *ecs_text(const json_t *object, const char *key)
{
	return aws_text(object, key);
}

bool ecs_is(const json_t *object, const char *key, const char *text)
{
	return strcmp(aws_text(object, key), text) == 0;
}

bool ecs_has_text(const json_t *array, const char *text)
{
	json_t *one;
	size_t i;

	json_array_foreach (array, i, one)
		if (json_is_string(one) && strcmp(json_string_value(one), text) == 0)
			return true;
	return false;
}

bool ecs_includes(const struct api_call *c, const char *what)
{
	return ecs_has_text(json_object_get(c->input, "include"), what);
}

int ecs_check_tag_count(struct api_call *c, const json_t *tags)
{
	if (json_array_size(tags) > MAX_TAGS)
		return api_error(c, "InvalidParameterException", "Tags can have at most 50 items.");
	return 0;
}

int ecs_check_tags(struct api_call *c, const json_t *tags)
{
	json_t *tag;
	size_t i;

	if (ecs_check_objects(c, tags, "tags", "key:s value:s") < 0)
		return -1;
	if (ecs_check_tag_count(c, tags) < 0)
		return -1;
	json_array_foreach (tags, i, tag) {
		const char *key = aws_text(tag, "key");

		if (!*key || strlen(key) > MAX_TAG_KEY)
			return api_error(c, "InvalidParameterException",
					 "Tag keys must have 1 to 128 characters.");
		if (str_starts(key, "aws:"))
			return api_error(c, "InvalidParameterException",
					 "Some tags contain invalid characters. Tag keys may not "
					 "begin with \"aws:\": \"%s\"",
					 key);
	}
	return 0;
}

int ecs_check_word(struct api_call *c, const char *where, const char *text, const char *words)
{
	size_t len = text ? strlen(text) : 0;

	if (len == 0)
		return 0;
	for (const char *w = words; *w; w += strspn(w, " ")) {
		size_t word = strcspn(w, " ");

		if (word == len && memcmp(w, text, len) == 0)
			return 0;
		w += word;
	}
	return api_error(c, "InvalidParameterException",
			 "%s: \"%s\" is not valid; the values are: %s", where, text, words);
}

int ecs_find_cluster(struct api_call *c, json_t **cluster)
{
	const char *name = aws_text(c->input, "cluster");

	*cluster = state_get(c->local->state, STATE_CLUSTERS, *name ? path_base(name) : "default");
	if (*cluster && ecs_is(*cluster, "status", "ACTIVE"))
		return 0;
	return api_error(c, "ClusterNotFoundException", "Cluster not found.");
}

json_t *ecs_find_definition(struct state *s, const char *name)
{
	const char *base = path_base(name), *colon = strchr(base, ':'), *key;
	json_t *document, *best = NULL;
	json_int_t most = 0;

	if (colon)
		return state_get(s, STATE_TASK_DEFINITIONS, base);
	json_object_foreach (state_all(s, STATE_TASK_DEFINITIONS), key, document) {
		const json_t *definition = json_object_get(document, "taskDefinition");

		if (ecs_is(definition, "family", base) && ecs_is(definition, "status", "ACTIVE") &&
		    aws_int(definition, "revision") > most) {
			best = document;
			most = aws_int(definition, "revision");
		}
	}
	return best;
}

/* Of deployments, records and whatever else is nested. */
static void strip_nested(json_t *value)
{
	const char *key;
	json_t *one;
	size_t i;

	if (json_is_object(value)) {
		json_object_del(value, "slipway");
		json_object_foreach (value, key, one)
			strip_nested(one);
	}
	json_array_foreach (value, i, one)
		strip_nested(one);
}

json_t *ecs_shown(const json_t *document)
{
	json_t *out = json_deep_copy(document), *one;
	json_t *own = json_object_get(document, "slipway");
	json_t *address = json_object_get(own, "address");
	json_t *ports = json_object_get(own, "ports");
	const char *key;

	json_object_del(out, "slipway");
	/* Free words of users (labels, options) may be called like ours: only what we nest is looked into. */
	json_object_foreach (out, key, one)
		if (strcmp(key, "deployments") == 0)
			strip_nested(one);
	if (address)
		json_object_set_new(out, "slipway",
				    json_pack("{s:O, s:O*}", "address", address, "ports", ports));
	return out;
}

void ecs_add_failure(json_t *failures, const char *arn, const char *reason)
{
	json_array_append_new(failures, json_pack("{s:s, s:s}", "arn", arn, "reason", reason));
}

const char *ecs_task_id(const char *name)
{
	return path_base(name);
}

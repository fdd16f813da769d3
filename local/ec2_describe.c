/* Which things a Describe call of EC2 means: by their ids and by filters. */
#include <fnmatch.h>
#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "local/api_ec2.h"

#define LIMIT     1000
#define MOST_TAGS 50

/* EC2's wildcards are '*' and '?' alone. */
static bool matches(const char *pattern, const char *text)
{
	AUTO(strbuf) plain = STRBUF_INIT;

	for (; *pattern; pattern++) {
		if (*pattern == '[')
			strbuf_putc(&plain, '\\');
		strbuf_putc(&plain, *pattern);
	}
	return fnmatch(plain.buf, text, 0) == 0;
}

static bool value_matches(const json_t *value, const char *pattern)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (json_is_string(value))
		return matches(pattern, json_string_value(value));
	json_write(value, &text);
	return matches(pattern, text.buf);
}

/* Does a value at path ("a.b") match? Of a list, one is enough. */
static bool member_matches(const json_t *value, const char *path, const char *pattern)
{
	size_t n = strcspn(path, "."), i;
	const json_t *each;

	if (json_is_array(value)) {
		json_array_foreach (value, i, each)
			if (member_matches(each, path, pattern))
				return true;
		return false;
	}
	if (!*path)
		return value && value_matches(value, pattern);
	AUTO_FREE char *name = xstrndup(path, n);

	value = json_object_get(value, name);
	return value && member_matches(value, path + n + (path[n] == '.'), pattern);
}

static bool tag_matches(const json_t *thing, const char *key, const char *pattern)
{
	const json_t *tag;
	size_t i;

	json_array_foreach (json_object_get(thing, "tagSet"), i, tag)
		if (strcmp(aws_text(tag, "key"), key) == 0 &&
		    matches(pattern, aws_text(tag, "value")))
			return true;
	return false;
}

static bool thing_matches(const json_t *thing, const char *name, const char *member,
			  const json_t *values)
{
	const json_t *value;
	size_t i;

	json_array_foreach (values, i, value) {
		const char *pattern = json_string_value(value);

		if (pattern && (member ? member_matches(thing, member, pattern)
				       : tag_matches(thing, name + strlen("tag:"), pattern)))
			return true;
	}
	return false;
}

/* *member: NULL for "tag:KEY". */
static int find_filter(struct api_call *c, const struct ec2_kind *kind, const char *name,
		       const char **member)
{
	*member = NULL;
	if (str_starts(name, "tag:"))
		return 0;
	if (strcmp(name, "tag-key") == 0) {
		*member = "tagSet.key";
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kind->filters) && kind->filters[i].name; i++) {
		if (strcmp(kind->filters[i].name, name) == 0) {
			*member = kind->filters[i].member;
			return 0;
		}
	}
	return api_error(c, "InvalidParameterValue", "The filter '%.100s' is invalid", name);
}

static int apply_filters(struct api_call *c, const struct ec2_kind *kind, json_t *things)
{
	const json_t *filter;
	const char *member;
	size_t i;

	json_array_foreach (json_object_get(c->input, "Filter"), i, filter) {
		const char *name = aws_text(filter, "Name");
		const json_t *values = json_object_get(filter, "Value");

		if (find_filter(c, kind, name, &member) < 0)
			return -1;
		if (!json_array_size(values))
			return api_error(c, "InvalidParameterValue",
					 "The filter '%.100s' has no values", name);
		for (size_t k = json_array_size(things); k-- > 0;)
			if (!thing_matches(json_array_get(things, k), name, member, values))
				json_array_remove(things, k);
	}
	return 0;
}

static bool has_id(const json_t *ids, const char *id)
{
	const json_t *each;
	size_t i;

	json_array_foreach (ids, i, each)
		if (json_is_string(each) && strcmp(json_string_value(each), id) == 0)
			return true;
	return false;
}

static int apply_ids(struct api_call *c, const struct ec2_kind *kind, json_t *things)
{
	const json_t *ids = json_object_get(c->input, kind->ids), *id;
	size_t i, k;

	if (!json_array_size(ids))
		return 0;
	json_array_foreach (ids, i, id) {
		const char *text = json_string_value(id);
		bool found = false;

		for (k = 0; text && k < json_array_size(things); k++)
			found = found ||
				strcmp(aws_text(json_array_get(things, k), kind->id), text) == 0;
		if (!found)
			return api_error(c, kind->code, "The %s '%.100s' does not exist",
					 kind->what, text ? text : "");
	}
	for (k = json_array_size(things); k-- > 0;)
		if (!has_id(ids, aws_text(json_array_get(things, k), kind->id)))
			json_array_remove(things, k);
	return 0;
}

int ec2_describe(struct api_call *c, const struct ec2_kind *kind, json_t *things)
{
	json_object_set_new(c->output, kind->output, things);
	if (apply_ids(c, kind, things) < 0 || apply_filters(c, kind, things) < 0)
		return -1;
	return api_page(c, things, LIMIT);
}

int ec2_merge_tags(struct api_call *c, const json_t *given, json_t *set)
{
	const json_t *tag;
	json_t *old;
	size_t i, k;

	json_array_foreach (given, i, tag) {
		const char *key = aws_text(tag, "Key"), *value = aws_text(tag, "Value");

		if (!*key || strlen(key) > 127 || strlen(value) > 255 || str_starts(key, "aws:"))
			return api_error(c, "InvalidParameterValue",
					 "Tag keys have 1 to 127 characters and do not begin with "
					 "aws:, values have at most 255");
		json_array_foreach (set, k, old)
			if (strcmp(aws_text(old, "key"), key) == 0)
				break;
		if (k < json_array_size(set))
			json_array_remove(set, k);
		json_array_append_new(set, json_pack("{s:s, s:s}", "key", key, "value", value));
	}
	if (json_array_size(set) > MOST_TAGS)
		return api_error(c, "TagLimitExceeded",
				 "The maximum number of Tags for a resource has been reached.");
	return 0;
}

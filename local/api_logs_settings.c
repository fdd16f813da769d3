/* CloudWatch Logs of the local target: how long a group keeps its events, and its tags. */
#include <string.h>

#include "base/alloc.h"
#include "base/strmap.h"
#include "base/time.h"
#include "local/api_logs.h"

#define MOST_TAGS 50

static bool is_retention(int64_t days)
{
	static const int64_t known[] = {1,    3,    5,    7,    14,   30,  60,  90,
					120,  150,  180,  365,  400,  545, 731, 1096,
					1827, 2192, 2557, 2922, 3288, 3653};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i] == days)
			return true;
	return false;
}

/* Groups that keep their events for a time, and until when: "NAME", "MS". */
static void find_floors(struct local *l, struct strmap *out)
{
	json_t *document;
	const char *name;

	state_lock(l->state);
	json_object_foreach (state_all(l->state, STATE_LOG_GROUPS), name, document) {
		int64_t floor = logs_floor(document);
		AUTO_FREE char *text = xstrfmt("%lld", (long long)floor);

		if (floor)
			strmap_set(out, name, text);
	}
	state_unlock(l->state);
}

void logs_expire(struct local *l)
{
	AUTO(strmap) floors = STRMAP_INIT;

	find_floors(l, &floors);
	for (size_t i = 0; i < floors.n; i++) {
		AUTO(error) err = ERROR_INIT;

		if (log_store_expire(l->logs, floors.entries[i].key,
				     strtoll(floors.entries[i].value, NULL, 10), &err) < 0)
			report_log(l->reporter, LOG_WARNING, "remove old log events: %s",
				   err.message);
	}
}

static int put_retention_policy(struct api_call *c)
{
	const char *name;
	json_t *document = logs_group(c, &name);
	int64_t days;

	if (!document || api_int(c, "retentionInDays", &days, 0) < 0)
		return -1;
	if (!is_retention(days)) {
		AUTO_FREE char *text = xstrfmt("%lld", (long long)days);

		return logs_invalid(c, "retentionInDays", text,
				    "Member must satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, "
				    "90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, "
				    "2557, 2922, 3288, 3653]");
	}
	json_object_set_new(json_object_get(document, "logGroup"), "retentionInDays",
			    json_integer(days));
	if (logs_save(c, name, document) < 0)
		return -1;
	/* Files are read and written: others need not wait for that. */
	state_unlock(c->local->state);
	logs_expire(c->local);
	state_lock(c->local->state);
	return 0;
}

static int delete_retention_policy(struct api_call *c)
{
	const char *name;
	json_t *document = logs_group(c, &name);

	if (!document)
		return -1;
	json_object_del(json_object_get(document, "logGroup"), "retentionInDays");
	return logs_save(c, name, document);
}

int logs_add_tags(struct api_call *c, json_t *tags)
{
	json_t *given = json_object_get(c->input, "tags"), *value;
	const char *key;

	json_object_foreach (given, key, value) {
		const char *text = json_string_value(value);

		if (!*key || strlen(key) > 128 || !text || strlen(text) > 256)
			return logs_invalid(c, "tags", key,
					    "a tag has a key of 1 to 128 bytes and a value of at "
					    "most 256");
		json_object_set(tags, key, value);
	}
	if (json_object_size(tags) > MOST_TAGS)
		return api_error(c, "TooManyTagsException", "a log group has at most %d tags",
				 MOST_TAGS);
	return 0;
}

static int add_tags(struct api_call *c, json_t *document, const char *name)
{
	AUTO_JSON *tags = NULL;

	if (!document)
		return -1;
	tags = json_copy(json_object_get(document, "tags"));
	if (logs_add_tags(c, tags) < 0)
		return -1;
	json_object_set(document, "tags", tags);
	return logs_save(c, name, document);
}

static int remove_tags(struct api_call *c, json_t *document, const char *name, const char *member)
{
	const json_t *key;
	size_t i;

	if (!document)
		return -1;
	json_array_foreach (json_object_get(c->input, member), i, key) {
		if (json_is_string(key))
			json_object_del(json_object_get(document, "tags"), json_string_value(key));
	}
	return logs_save(c, name, document);
}

static int list_tags(struct api_call *c, const json_t *document)
{
	if (!document)
		return -1;
	json_object_set(c->output, "tags", json_object_get(document, "tags"));
	return 0;
}

static int tag_resource(struct api_call *c)
{
	const char *name = NULL;
	json_t *document = logs_group_of_arn(c, "resourceArn", &name);

	return add_tags(c, document, name);
}

static int untag_resource(struct api_call *c)
{
	const char *name = NULL;
	json_t *document = logs_group_of_arn(c, "resourceArn", &name);

	return remove_tags(c, document, name, "tagKeys");
}

static int list_tags_for_resource(struct api_call *c)
{
	const char *name;

	return list_tags(c, logs_group_of_arn(c, "resourceArn", &name));
}

static int tag_log_group(struct api_call *c)
{
	const char *name = NULL;
	json_t *document = logs_group(c, &name);

	return add_tags(c, document, name);
}

static int untag_log_group(struct api_call *c)
{
	const char *name = NULL;
	json_t *document = logs_group(c, &name);

	return remove_tags(c, document, name, "tags");
}

static int list_tags_log_group(struct api_call *c)
{
	const char *name;

	return list_tags(c, logs_group(c, &name));
}

const struct api_operation api_logs_settings[] = {
	{.name = "PutRetentionPolicy", .run = put_retention_policy},
	{.name = "DeleteRetentionPolicy", .run = delete_retention_policy},
	{.name = "TagResource", .run = tag_resource},
	{.name = "UntagResource", .run = untag_resource},
	{.name = "ListTagsForResource", .run = list_tags_for_resource},
	{.name = "TagLogGroup", .run = tag_log_group},
	{.name = "UntagLogGroup", .run = untag_log_group},
	{.name = "ListTagsLogGroup", .run = list_tags_log_group},
	{0},
};

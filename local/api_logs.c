/* CloudWatch Logs of the local target: groups and streams (Amazon CloudWatch Logs API, 2014-03-28). */
#include "local/api_logs.h"

#include <string.h>

#include "base/alloc.h"
#include "base/time.h"
#include "local/log_group.h"

#define GROUP_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/#"
#define NAME_LIMIT    512
#define PAGE          50

int(logs_invalid)(struct api_call *c, const char *name, const char *value, const char *why)
{
	return api_error(c, "InvalidParameterException",
			 "1 validation error detected: Value '%.200s' at '%s' failed to satisfy "
			 "constraint: %s",
			 value, name, why);
}

static int check_group_name(struct api_call *c, const char *member, const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_LIMIT)
		return logs_invalid(c, member, name, "Member must have length between 1 and 512");
	if (strspn(name, GROUP_LETTERS) != len)
		return logs_invalid(
			c, member, name,
			"Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+");
	return 0;
}

static json_t *find_group(struct api_call *c, const char *name)
{
	json_t *document = state_get(c->local->state, STATE_LOG_GROUPS, name);

	if (!document)
		api_error(c, "ResourceNotFoundException",
			  "The specified log group does not exist.");
	return document;
}

/* The document holds the name for as long as the lock is held. */
static const char *name_of(const json_t *document)
{
	return json_string_value(
		json_object_get(json_object_get(document, "logGroup"), "logGroupName"));
}

json_t *logs_group_of_arn(struct api_call *c, const char *member, const char **name)
{
	AUTO_FREE char *prefix = api_arn(c, "logs", "log-group:");
	AUTO_FREE char *group = NULL;
	const char *arn;
	json_t *document;

	if (api_text(c, member, &arn) < 0)
		return NULL;
	if (!arn) {
		logs_invalid(c, member, "null", "Member must not be null");
		return NULL;
	}
	if (str_starts(arn, "arn:") && !str_starts(arn, prefix)) {
		api_error(c, "ResourceNotFoundException",
			  "The specified log group does not exist.");
		return NULL;
	}
	group = xstrdup(str_starts(arn, prefix) ? arn + strlen(prefix) : arn);
	if (str_ends(group, ":*"))
		group[strlen(group) - 2] = '\0';
	document = find_group(c, group);
	if (document)
		*name = name_of(document);
	return document;
}

json_t *logs_group(struct api_call *c, const char **name)
{
	const char *identifier;
	json_t *document;

	if (api_text(c, "logGroupName", name) < 0 ||
	    api_text(c, "logGroupIdentifier", &identifier) < 0)
		return NULL;
	if (*name && identifier) {
		api_error(c, "InvalidParameterException",
			  "LogGroup name and LogGroup identifier cannot be provided together");
		return NULL;
	}
	if (identifier)
		return logs_group_of_arn(c, "logGroupIdentifier", name);
	if (!*name) {
		logs_invalid(c, "logGroupName", "null", "Member must not be null");
		return NULL;
	}
	if (check_group_name(c, "logGroupName", *name) < 0)
		return NULL;
	document = find_group(c, *name);
	if (document)
		*name = name_of(document);
	return document;
}

int logs_stream_name(struct api_call *c, const char **name)
{
	size_t len;

	if (api_text(c, "logStreamName", name) < 0)
		return -1;
	len = *name ? strlen(*name) : 0;
	if (len == 0 || len > NAME_LIMIT)
		return logs_invalid(c, "logStreamName", *name ? *name : "null",
				    "Member must have length between 1 and 512");
	if (strpbrk(*name, ":*"))
		return logs_invalid(c, "logStreamName", *name,
				    "Member must satisfy regular expression pattern: [^:*]*");
	return 0;
}

int logs_no_stream(struct api_call *c)
{
	return api_error(c, "ResourceNotFoundException",
			 "The specified log stream does not exist.");
}

int logs_save(struct api_call *c, const char *name, json_t *document)
{
	return api_put(c, STATE_LOG_GROUPS, name, json_incref(document));
}

static json_int_t now_ms(void)
{
	return time_now_ns() / 1000000;
}

int64_t logs_floor(const json_t *document)
{
	json_int_t days = json_integer_value(
		json_object_get(json_object_get(document, "logGroup"), "retentionInDays"));

	return days > 0 ? now_ms() - days * LOGS_DAY_MS : 0;
}

static int check_group_options(struct api_call *c, const char **class)
{
	static const char *const classes[] = {"STANDARD", "INFREQUENT_ACCESS", "DELIVERY"};
	const char *key;
	bool protect;

	if (api_text(c, "kmsKeyId", &key) < 0 || api_text(c, "logGroupClass", class) < 0 ||
	    api_flag(c, "deletionProtectionEnabled", &protect, false) < 0)
		return -1;
	if (key)
		return api_error(c, "InvalidParameterException",
				 "the local target has no KMS keys: leave kmsKeyId out");
	if (protect)
		return api_error(c, "InvalidParameterException",
				 "the local target has no deletion protection of log groups");
	if (!*class)
		*class = classes[0];
	if (!str_in(*class, classes, ARRAY_SIZE(classes)))
		return logs_invalid(c, "logGroupClass", *class,
				    "Member must satisfy enum value set: [STANDARD, "
				    "INFREQUENT_ACCESS, DELIVERY]");
	return 0;
}

static int create_log_group(struct api_call *c)
{
	AUTO_JSON *document = NULL, *tags = json_object();
	const char *name, *class;

	if (api_text(c, "logGroupName", &name) < 0 ||
	    check_group_name(c, "logGroupName", name ? name : "") < 0 ||
	    check_group_options(c, &class) < 0 || logs_add_tags(c, tags) < 0)
		return -1;
	if (state_get(c->local->state, STATE_LOG_GROUPS, name))
		return api_error(c, "ResourceAlreadyExistsException",
				 "The specified log group already exists");
	document = log_group_new(c->region, name, class, json_incref(tags));
	return logs_save(c, name, document);
}

static int delete_log_group(struct api_call *c)
{
	AUTO(error) err = ERROR_INIT;
	AUTO_FREE char *key = NULL;
	const char *name;

	if (!logs_group(c, &name))
		return -1;
	key = xstrdup(name);
	if (log_store_remove_group(c->local->logs, key, &err) < 0 ||
	    state_remove(c->local->state, STATE_LOG_GROUPS, key, &err) < 0)
		return api_failure(c, &err);
	return 0;
}

static bool is_chosen(const char *name, const char *prefix, const char *pattern)
{
	return (!prefix || str_starts(name, prefix)) && (!pattern || strstr(name, pattern));
}

static int describe_log_groups(struct api_call *c)
{
	json_t *out = json_array(), *all = state_all(c->local->state, STATE_LOG_GROUPS);
	AUTO(strlist) names = STRLIST_INIT;
	const char *prefix, *pattern, *name;
	json_t *document;

	json_object_set_new(c->output, "logGroups", out);
	if (api_text(c, "logGroupNamePrefix", &prefix) < 0 ||
	    api_text(c, "logGroupNamePattern", &pattern) < 0)
		return -1;
	if (prefix && pattern)
		return api_error(c, "InvalidParameterException",
				 "LogGroup name prefix and LogGroup name pattern are mutually "
				 "exclusive parameters.");
	json_object_foreach (all, name, document) {
		if (is_chosen(name, prefix, pattern))
			strlist_add(&names, name);
	}
	strlist_sort(&names);
	for (size_t i = 0; i < names.n; i++) {
		json_t *group = json_copy(
			json_object_get(json_object_get(all, names.items[i]), "logGroup"));

		json_object_set_new(
			group, "storedBytes",
			json_integer(log_store_group_bytes(c->local->logs, names.items[i])));
		json_array_append_new(out, group);
	}
	return api_page(c, out, PAGE);
}

static int create_log_stream(struct api_call *c)
{
	AUTO(error) err = ERROR_INIT;
	const char *group, *name;
	bool made;

	if (!logs_group(c, &group) || logs_stream_name(c, &name) < 0)
		return -1;
	if (log_store_make_stream(c->local->logs, group, name, &made, &err) < 0)
		return api_failure(c, &err);
	return made ? 0
		    : api_error(c, "ResourceAlreadyExistsException",
				"The specified log stream already exists");
}

static int delete_log_stream(struct api_call *c)
{
	AUTO(error) err = ERROR_INIT;
	const char *group, *name;

	if (!logs_group(c, &group) || logs_stream_name(c, &name) < 0)
		return -1;
	if (log_store_remove_stream(c->local->logs, group, name, &err) == 0)
		return 0;
	return err.kind == ERROR_NOT_FOUND ? logs_no_stream(c) : api_failure(c, &err);
}

struct describing {
	const char *prefix, *group_arn;
	json_t *out;
};

static int describe_stream(void *arg, const struct log_stream_facts *f, struct error *err)
{
	const struct describing *d = arg;
	AUTO_FREE char *arn = xstrfmt("%s:log-stream:%s", d->group_arn, f->name);
	json_t *stream;

	(void)err;
	if (d->prefix && !str_starts(f->name, d->prefix))
		return 0;
	stream = json_pack("{s:o, s:I, s:o, s:i}", "logStreamName", json_text(f->name),
			   "creationTime", (json_int_t)f->made_ms, "arn", json_text(arn),
			   "storedBytes", 0);
	if (f->n_events) {
		json_object_set_new(stream, "firstEventTimestamp", json_integer(f->first_ms));
		json_object_set_new(stream, "lastEventTimestamp", json_integer(f->last_ms));
		json_object_set_new(stream, "lastIngestionTime", json_integer(f->came_ms));
	}
	json_array_append_new(d->out, stream);
	return 0;
}

static json_int_t last_event(const json_t *stream)
{
	return json_integer_value(json_object_get(stream, "lastEventTimestamp"));
}

static int by_last_event(const void *a, const void *b)
{
	json_t *const *x = a, *const *y = b;

	return last_event(*x) < last_event(*y) ? -1 : last_event(*x) > last_event(*y);
}

/* From names, in whose order they stand, to the one that is asked for. */
static void order(json_t *streams, bool by_time, bool descending)
{
	size_t n = json_array_size(streams);
	AUTO_FREE json_t **list = xmalloc((n + 1) * sizeof(*list));

	for (size_t i = 0; i < n; i++)
		list[i] = json_incref(json_array_get(streams, i));
	if (by_time)
		qsort(list, n, sizeof(*list), by_last_event);
	json_array_clear(streams);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(streams, list[descending ? n - 1 - i : i]);
}

static int describe_log_streams(struct api_call *c)
{
	struct describing d = {.out = json_array()};
	AUTO(error) err = ERROR_INIT;
	const char *group, *by;
	const json_t *document;
	bool descending, by_time;

	json_object_set_new(c->output, "logStreams", d.out);
	document = logs_group(c, &group);
	if (!document || api_text(c, "logStreamNamePrefix", &d.prefix) < 0 ||
	    api_text(c, "orderBy", &by) < 0 || api_flag(c, "descending", &descending, false) < 0)
		return -1;
	by_time = by && strcmp(by, "LastEventTime") == 0;
	if (by && !by_time && strcmp(by, "LogStreamName") != 0)
		return logs_invalid(c, "orderBy", by,
				    "Member must satisfy enum value set: [LogStreamName, "
				    "LastEventTime]");
	if (by_time && d.prefix)
		return api_error(c, "InvalidParameterException",
				 "Cannot order by LastEventTime with a logStreamNamePrefix.");
	d.group_arn = json_string_value(
		json_object_get(json_object_get(document, "logGroup"), "logGroupArn"));
	if (log_store_each_stream(c->local->logs, group, describe_stream, &d, &err) < 0)
		return api_failure(c, &err);
	order(d.out, by_time, descending);
	return api_page(c, d.out, PAGE);
}

const struct api_operation api_logs[] = {
	{.name = "CreateLogGroup", .run = create_log_group},
	{.name = "DeleteLogGroup", .run = delete_log_group},
	{.name = "DescribeLogGroups", .run = describe_log_groups},
	{.name = "CreateLogStream", .run = create_log_stream},
	{.name = "DeleteLogStream", .run = delete_log_stream},
	{.name = "DescribeLogStreams", .run = describe_log_streams},
	{0},
};

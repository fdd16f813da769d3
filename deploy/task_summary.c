#include "deploy/task_summary.h"

#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"
#include "deploy/address.h"
#include "deploy/task_end.h"

#define INTERFACES_AT_ONCE 100

static int ask_interfaces(const struct deploy_target *t, const json_t *ids, json_t *addresses,
			  struct error *err)
{
	AUTO_JSON *params = json_pack("{s:[{s:s, s:O}]}", "Filter", "Name", "network-interface-id",
				      "Value", ids);
	const struct aws_question q = {
		.service = AWS_EC2, .operation = "DescribeNetworkInterfaces", .params = params};
	AUTO(error) local = ERROR_INIT;
	AUTO_JSON *found = NULL;
	const json_t *one;
	size_t i;

	if (aws_ask_all(t->aws, &q, "networkInterfaceSet", &found, &local) < 0) {
		if (local.kind == ERROR_CANCELLED)
			return error_move(err, &local);
		report_log(t->reporter, LOG_WARNING, "public addresses are not known: %s",
			   local.message);
		return 1;
	}
	json_array_foreach (found, i, one) {
		const char *address = aws_text(json_object_get(one, "association"), "publicIp");

		if (*address)
			json_object_set_new(addresses, aws_text(one, "networkInterfaceId"),
					    json_string(address));
	}
	return 0;
}

/* Public addresses by network interface, for all tasks in a few questions. */
static int find_addresses(const struct deploy_target *t, const json_t *tasks, json_t *addresses,
			  struct error *err)
{
	AUTO_JSON *ids = json_array();
	const json_t *task;
	size_t i, n = json_array_size(tasks);
	int r = 0;

	json_array_foreach (tasks, i, task) {
		const char *id = task_interface_detail(task, "networkInterfaceId");

		if (*id && strcmp(aws_text(task, "lastStatus"), "STOPPED") != 0)
			json_array_append_new(ids, json_string(id));
		if (json_array_size(ids) < INTERFACES_AT_ONCE && i + 1 < n)
			continue;
		r = json_array_size(ids) ? ask_interfaces(t, ids, addresses, err) : 0;
		if (r != 0)
			break;
		json_array_clear(ids);
	}
	return r < 0 ? -1 : 0;
}

static void add_text(json_t *out, const char *key, const char *text)
{
	if (*text)
		json_object_set_new(out, key, json_string(text));
}

static void add_time(json_t *out, const char *key, const json_t *seconds)
{
	char text[TIME_TEXT_SIZE];

	if (!json_is_number(seconds))
		return;
	time_format((int64_t)json_number_value(seconds), 0, text);
	json_object_set_new(out, key, json_string(text));
}

static json_t *containers_of(const json_t *task)
{
	json_t *out = json_array();
	const json_t *c;
	size_t i;

	json_array_foreach (json_object_get(task, "containers"), i, c) {
		json_t *one = json_object();

		add_text(one, "name", aws_text(c, "name"));
		add_text(one, "image", aws_text(c, "image"));
		add_text(one, "status", aws_text(c, "lastStatus"));
		if (container_exit_code(c) >= 0)
			json_object_set_new(one, "exitCode", json_integer(container_exit_code(c)));
		add_text(one, "reason", aws_text(c, "reason"));
		add_text(one, "health", aws_text(c, "healthStatus"));
		json_array_append_new(out, one);
	}
	return out;
}

/* "service:web" is web; a task on its own is called by its family. */
static char *name_of(const json_t *task)
{
	const char *group = aws_text(task, "group");
	const char *definition = path_base(aws_text(task, "taskDefinitionArn"));

	if (str_starts(group, "service:"))
		return xstrdup(group + strlen("service:"));
	return xstrndup(definition, strcspn(definition, ":"));
}

static json_t *summarize(const json_t *task, const json_t *addresses)
{
	AUTO_FREE char *name = name_of(task);
	json_t *out = json_object();

	add_text(out, "id", path_base(aws_text(task, "taskArn")));
	add_text(out, "arn", aws_text(task, "taskArn"));
	add_text(out, "name", name);
	add_text(out, "taskDefinition", path_base(aws_text(task, "taskDefinitionArn")));
	add_text(out, "status", aws_text(task, "lastStatus"));
	add_text(out, "desiredStatus", aws_text(task, "desiredStatus"));
	add_text(out, "health", aws_text(task, "healthStatus"));
	add_text(out, "launchType", aws_text(task, "launchType"));
	add_time(out, "created", json_object_get(task, "createdAt"));
	add_time(out, "started", json_object_get(task, "startedAt"));
	add_time(out, "stopped", json_object_get(task, "stoppedAt"));
	add_text(out, "stopCode", aws_text(task, "stopCode"));
	add_text(out, "reason", aws_text(task, "stoppedReason"));
	add_text(out, "publicIp",
		 aws_text(addresses, task_interface_detail(task, "networkInterfaceId")));
	add_text(out, "privateIp", task_interface_detail(task, "privateIPv4Address"));
	json_object_set_new(
		out, "execute",
		json_boolean(json_is_true(json_object_get(task, "enableExecuteCommand"))));
	json_object_set_new(out, "containers", containers_of(task));
	return out;
}

int task_summaries(const struct deploy_target *t, const json_t *tasks, json_t **out,
		   struct error *err)
{
	AUTO_JSON *addresses = json_object();
	const json_t *task;
	size_t i;

	if (find_addresses(t, tasks, addresses, err) < 0)
		return -1;
	*out = json_array();
	json_array_foreach (tasks, i, task) {
		json_array_append_new(*out, summarize(task, addresses));
	}
	return 0;
}

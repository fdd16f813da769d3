#include "local/status_task.h"

#include "base/path.h"
#include "local/container_log.h"
#include "local/ecs_input.h"

json_t *status_pick(const json_t *document, const char *const *names)
{
	json_t *out = json_object();

	for (; *names; names++) {
		json_t *value = json_object_get(document, *names);

		if (value && !json_is_null(value))
			json_object_set(out, *names, value);
	}
	return out;
}

void status_set_definition(json_t *out, const json_t *document, const char *name)
{
	const char *arn = json_string_value(json_object_get(document, name));

	if (arn)
		json_object_set_new(out, "definition", json_text(path_base(arn)));
}

void status_set_address(json_t *out, const json_t *document)
{
	const json_t *own = json_object_get(document, "slipway");
	json_t *address = json_object_get(own, "address"), *ports = json_object_get(own, "ports");

	if (json_is_string(address))
		json_object_set(out, "address", address);
	if (json_is_array(ports))
		json_object_set(out, "ports", ports);
}

static const json_t *find_definition(struct state *s, const json_t *task, const char *container)
{
	const char *name = path_base(ecs_text(task, "taskDefinitionArn"));
	const json_t *document = state_get(s, STATE_TASK_DEFINITIONS, name);
	const json_t *list = json_object_get(json_object_get(document, "taskDefinition"),
					     "containerDefinitions");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (ecs_is(json_array_get(list, i), "name", container))
			return json_array_get(list, i);
	return NULL;
}

static json_t *log_of(const json_t *definition, const json_t *container, const char *id)
{
	const json_t *log = json_object_get(definition, "logConfiguration");
	const json_t *options = json_object_get(log, "options");
	const char *group = json_string_value(json_object_get(options, "awslogs-group"));
	const char *prefix = json_string_value(json_object_get(options, "awslogs-stream-prefix"));

	const char *own_id = ecs_text(container, "runtimeId");

	if (!ecs_is(log, "logDriver", "awslogs") || !group || (!prefix && !*own_id))
		return NULL;
	AUTO_FREE char *stream = container_log_stream(prefix, ecs_text(container, "name"), id,
						      own_id);

	return json_pack("{s:s, s:o}", "group", group, "stream", json_text(stream));
}

static json_t *pick_container(struct state *s, const json_t *container, const json_t *task,
			      const char *id)
{
	static const char *const names[] = {"name",     "image",  "imageDigest",  "lastStatus",
					    "exitCode", "reason", "healthStatus", NULL};
	json_t *out = status_pick(container, names), *log;

	log = log_of(find_definition(s, task, ecs_text(container, "name")), container, id);
	if (log)
		json_object_set_new(out, "log", log);
	return out;
}

json_t *status_task(struct state *s, const json_t *task)
{
	static const char *const names[] = {"group",         "lastStatus", "desiredStatus",
					    "healthStatus",  "launchType", "cpu",
					    "memory",        "createdAt",  "startedAt",
					    "stoppingAt",    "stoppedAt",  "stopCode",
					    "stoppedReason", NULL};
	static const char *const own_names[] = {"service", "notes", NULL};
	const char *id = path_base(ecs_text(task, "taskArn"));
	const json_t *containers = json_object_get(task, "containers");
	json_t *out = status_pick(task, names), *list = json_array();
	AUTO_JSON *own = status_pick(json_object_get(task, "slipway"), own_names);

	json_object_set_new(out, "id", json_text(id));
	json_object_update(out, own);
	status_set_definition(out, task, "taskDefinitionArn");
	status_set_address(out, task);
	for (size_t i = 0; i < json_array_size(containers); i++)
		json_array_append_new(list,
				      pick_container(s, json_array_get(containers, i), task, id));
	json_object_set_new(out, "containers", list);
	return out;
}

/* ECS: tasks (ECS API Reference, RunTask, StopTask, DescribeTasks, ListTasks). */
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/sha256.h"
#include "deploy/task_json.h"
#include "local/ecs_definition.h"
#include "local/ecs_input.h"
#include "local/ecs_name.h"
#include "local/ecs_task.h"

#define PAGE           100
#define MAX_COUNT      10
#define MAX_DESCRIBED  100
#define MAX_STARTED_BY 128
#define MAX_REASON     1024

static int check_container_override(struct api_call *c, const json_t *override,
				    const json_t *containers)
{
	const char *name = ecs_text(override, "name");

	if (ecs_check_object(c, override, "containerOverrides",
			     "name:s command:t environment:a environmentFiles:a cpu:i memory:i "
			     "memoryReservation:i resourceRequirements:a") < 0 ||
	    ecs_check_objects(c, json_object_get(override, "environment"), "environment",
			      "name:s! value:s") < 0)
		return -1;
	if (!*name)
		return api_error(c, "InvalidParameterException",
				 "Container override name can not be blank.");
	if (!container_named(containers, name))
		return api_error(c, "InvalidParameterException",
				 "Override for container named %s is not a container in the "
				 "TaskDefinition.",
				 name);
	return 0;
}

static int check_overrides(struct api_call *c, const json_t *definition)
{
	const json_t *overrides = json_object_get(c->input, "overrides");
	const json_t *containers = json_object_get(definition, "containerDefinitions");
	json_t *one;
	size_t i;

	if (ecs_check_object(c, overrides, "overrides",
			     "containerOverrides:a cpu:s memory:s taskRoleArn:s "
			     "executionRoleArn:s inferenceAcceleratorOverrides:a "
			     "ephemeralStorage:o") < 0)
		return -1;
	if ((*ecs_text(overrides, "cpu") && task_json_cpu(ecs_text(overrides, "cpu")) <= 0) ||
	    (*ecs_text(overrides, "memory") &&
	     task_json_memory(ecs_text(overrides, "memory")) <= 0))
		return api_error(c, "ClientException",
				 "Invalid 'cpu' or 'memory' setting for task overrides.");
	json_array_foreach (json_object_get(overrides, "containerOverrides"), i, one)
		if (check_container_override(c, one, containers) < 0)
			return -1;
	return 0;
}

static int check_run(struct api_call *c, int64_t *count)
{
	if (ecs_check_input(c,
			    "capacityProviderStrategy:a cluster:s count:i enableECSManagedTags:b "
			    "enableExecuteCommand:b group:s launchType:s networkConfiguration:o "
			    "overrides:o placementConstraints:a placementStrategy:a "
			    "platformVersion:s propagateTags:s referenceId:s startedBy:s tags:a "
			    "taskDefinition:s! clientToken:s volumeConfigurations:a") < 0 ||
	    ecs_check_tags(c, json_object_get(c->input, "tags")) < 0 ||
	    ecs_check_word(c, "propagateTags", ecs_text(c->input, "propagateTags"),
			   "TASK_DEFINITION SERVICE NONE") < 0 ||
	    api_int(c, "count", count, 1) < 0)
		return -1;
	if (*count < 1 || *count > MAX_COUNT)
		return api_error(c, "InvalidParameterException",
				 "Tasks count must be between 1 and 10.");
	if (strlen(ecs_text(c->input, "startedBy")) > MAX_STARTED_BY)
		return api_error(c, "InvalidParameterException",
				 "startedBy can have at most 128 characters.");
	if (str_starts(ecs_text(c->input, "group"), "service:"))
		return api_error(c, "InvalidParameterException",
				 "Invalid namespace for group. Groups named \"service:\" are the "
				 "services' own.");
	if (json_array_size(json_object_get(c->input, "volumeConfigurations")) ||
	    json_array_size(json_object_get(c->input, "placementConstraints")) ||
	    json_array_size(json_object_get(c->input, "placementStrategy")))
		return api_error(c, "UnsupportedFeatureException",
				 "Placement and managed EBS volumes are not there in the local "
				 "target: there is one machine, this one.");
	return 0;
}

/* What a token was given with: the same token with another request is a mistake. */
static void request_digest(const json_t *input, char hex[SHA256_HEX_SIZE])
{
	AUTO(strbuf) text = STRBUF_INIT;
	uint8_t digest[SHA256_SIZE];

	json_write(input, &text);
	sha256_buf(text.buf, text.len, digest);
	sha256_hex(digest, hex);
}

/* Tasks that an earlier call with the same token made are the answer. */
static int find_by_token(struct api_call *c, const char *token, const char *digest, json_t *tasks)
{
	json_t *task;
	const char *key;

	json_object_foreach (state_all(c->local->state, STATE_TASKS), key, task) {
		const json_t *own = json_object_get(task, "slipway");

		if (!*token || !ecs_is(own, "token", token))
			continue;
		if (!ecs_is(own, "request", digest))
			return api_error(c, "ConflictException",
					 "The clientToken was used with other parameters before.");
		json_array_append_new(tasks, ecs_shown(task));
	}
	return 0;
}

static int start(struct api_call *c, const json_t *cluster, const json_t *definition,
		 const char *token, const char *digest, json_t *tasks)
{
	const json_t *inner = json_object_get(definition, "taskDefinition");
	const char *own_group = ecs_text(c->input, "group");
	const char *started_by = ecs_text(c->input, "startedBy");
	AUTO_FREE char *family = xstrfmt("family:%s", ecs_text(inner, "family"));
	AUTO_JSON *tags = ecs_task_tags(
		json_object_get(c->input, "tags"),
		ecs_is(c->input, "propagateTags", "TASK_DEFINITION")
			? json_object_get(definition, "tags")
			: NULL,
		ecs_text(cluster, "clusterName"), NULL,
		json_is_true(json_object_get(c->input, "enableECSManagedTags")));
	const struct ecs_task_order order = {
		.cluster = cluster,
		.definition = definition,
		.settings = c->input,
		.group = *own_group ? own_group : family,
		.started_by = *started_by ? started_by : NULL,
		.tags = tags,
		.now = ecs_now(),
	};
	AUTO_FREE char *id = NULL;
	json_t *task = ecs_task_new(&order, &id);
	json_t *own = json_object_get(task, "slipway");

	if (*token) {
		json_object_set_new(own, "token", json_string(token));
		json_object_set_new(own, "request", json_string(digest));
	}
	json_array_append_new(tasks, ecs_shown(task));
	return api_put(c, STATE_TASKS, id, task);
}

static int run_task(struct api_call *c)
{
	const char *token = ecs_text(c->input, "clientToken");
	char digest[SHA256_HEX_SIZE];
	json_t *tasks = json_array(), *cluster, *definition, *inner;
	int64_t count;

	json_object_set_new(c->output, "tasks", tasks);
	json_object_set_new(c->output, "failures", json_array());
	if (check_run(c, &count) < 0 || ecs_find_cluster(c, &cluster) < 0)
		return -1;
	definition = ecs_find_definition(c->local->state, ecs_text(c->input, "taskDefinition"));
	inner = json_object_get(definition, "taskDefinition");
	if (!definition || ecs_is(inner, "status", "DELETE_IN_PROGRESS"))
		return api_error(c, "ClientException", "TaskDefinition not found.");
	request_digest(c->input, digest);
	if (find_by_token(c, token, digest, tasks) < 0)
		return -1;
	if (!json_array_size(tasks) && !ecs_is(inner, "status", "ACTIVE"))
		return api_error(c, "ClientException", "TaskDefinition is inactive");
	if (check_overrides(c, inner) < 0 || ecs_definition_check_use(c, inner, c->input) < 0)
		return -1;
	/* What a process that died in the middle of the first call left to do is done by the second. */
	while ((int64_t)json_array_size(tasks) < count)
		if (start(c, cluster, definition, token, digest, tasks) < 0)
			return -1;
	return 0;
}

/* A task of that cluster; NULL: there is none. */
static json_t *find(struct api_call *c, const json_t *cluster, const char *name)
{
	json_t *task = state_get(c->local->state, STATE_TASKS, ecs_task_id(name));

	return task && strcmp(ecs_task_cluster(task), ecs_text(cluster, "clusterName")) == 0 ? task
											     : NULL;
}

static int stop_task(struct api_call *c)
{
	const char *reason = ecs_text(c->input, "reason");
	json_t *cluster, *task, *changed;

	if (ecs_check_input(c, "cluster:s task:s! reason:s") < 0 ||
	    ecs_find_cluster(c, &cluster) < 0)
		return -1;
	if (strlen(reason) > MAX_REASON)
		return api_error(c, "InvalidParameterException",
				 "reason can have at most 1024 characters.");
	task = find(c, cluster, ecs_text(c->input, "task"));
	if (!task)
		return api_error(c, "InvalidParameterException",
				 "The referenced task was not found.");
	changed = json_deep_copy(task);
	if (!ecs_task_stop(changed, "UserInitiated", *reason ? reason : "Task stopped by user",
			   ecs_now())) {
		json_object_set_new(c->output, "task", ecs_shown(changed));
		json_decref(changed);
		return 0;
	}
	json_object_set_new(c->output, "task", ecs_shown(changed));
	return api_put(c, STATE_TASKS, ecs_task_id(ecs_text(c->input, "task")), changed);
}

static int describe(struct api_call *c)
{
	json_t *names = json_object_get(c->input, "tasks"), *name, *cluster;
	json_t *found = json_array(), *failures = json_array();
	bool tags = ecs_includes(c, "TAGS");
	size_t i;

	json_object_set_new(c->output, "tasks", found);
	json_object_set_new(c->output, "failures", failures);
	if (ecs_check_input(c, "cluster:s tasks:t! include:t") < 0 ||
	    ecs_find_cluster(c, &cluster) < 0)
		return -1;
	if (json_array_size(names) > MAX_DESCRIBED)
		return api_error(c, "InvalidParameterException",
				 "tasks can have at most 100 items.");
	json_array_foreach (names, i, name) {
		const char *text = json_string_value(name);
		const json_t *task = find(c, cluster, text);
		json_t *copy = task ? ecs_shown(task) : NULL;

		if (copy && !tags)
			json_object_set_new(copy, "tags", json_array());
		if (copy) {
			json_array_append_new(found, copy);
		} else {
			AUTO_FREE char *what = xstrfmt(
				"task/%s/%s", ecs_text(cluster, "clusterName"), ecs_task_id(text));
			AUTO_FREE char *arn = api_arn(c, "ecs", what);

			ecs_add_failure(failures, arn, "MISSING");
		}
	}
	return 0;
}

/* What ListTasks asks for; "": anything. */
struct filter {
	const char *cluster, *family, *service, *started_by, *desired, *launch_type;
};

static bool matches(const struct filter *f, const json_t *task)
{
	const char *definition = path_base(ecs_text(task, "taskDefinitionArn"));
	size_t family = strcspn(definition, ":");

	return strcmp(ecs_task_cluster(task), f->cluster) == 0 &&
	       ecs_is(task, "desiredStatus", f->desired) &&
	       (!*f->family ||
		(strlen(f->family) == family && memcmp(definition, f->family, family) == 0)) &&
	       (!*f->service || ecs_task_is_of(task, f->cluster, f->service)) &&
	       (!*f->started_by || ecs_is(task, "startedBy", f->started_by)) &&
	       (!*f->launch_type || ecs_is(task, "launchType", f->launch_type));
}

static int check_list(struct api_call *c, struct filter *f)
{
	json_t *cluster;

	if (ecs_check_input(c, "cluster:s containerInstance:s family:s nextToken:s maxResults:i "
			       "startedBy:s serviceName:s desiredStatus:s launchType:s") < 0 ||
	    ecs_find_cluster(c, &cluster) < 0 ||
	    ecs_check_word(c, "desiredStatus", ecs_text(c->input, "desiredStatus"),
			   "RUNNING PENDING STOPPED") < 0 ||
	    ecs_check_word(c, "launchType", ecs_text(c->input, "launchType"),
			   "EC2 FARGATE EXTERNAL MANAGED_INSTANCES") < 0)
		return -1;
	*f = (struct filter){
		.cluster = ecs_text(cluster, "clusterName"),
		.family = ecs_text(c->input, "family"),
		.service = path_base(ecs_text(c->input, "serviceName")),
		.started_by = ecs_text(c->input, "startedBy"),
		.desired = ecs_text(c->input, "desiredStatus"),
		.launch_type = ecs_text(c->input, "launchType"),
	};
	if (!*f->desired)
		f->desired = "RUNNING";
	return 0;
}

static int list(struct api_call *c)
{
	json_t *out = json_array(), *task;
	struct filter f;
	const char *key;

	json_object_set_new(c->output, "taskArns", out);
	if (check_list(c, &f) < 0)
		return -1;
	if (*f.service) {
		AUTO_FREE char *service = ecs_service_key(f.cluster, f.service);

		if (!state_get(c->local->state, STATE_SERVICES, service))
			return api_error(c, "ServiceNotFoundException", "Service not found.");
	}
	json_object_foreach (state_all(c->local->state, STATE_TASKS), key, task)
		if (matches(&f, task))
			json_array_append(out, json_object_get(task, "taskArn"));
	return api_page(c, out, PAGE);
}

const struct api_operation api_ecs_tasks[] = {
	{"RunTask", run_task, false},
	{"StopTask", stop_task, false},
	{"DescribeTasks", describe, false},
	{"ListTasks", list, false},
	{0},
};

#include "local/ecs_task.h"

#include <stdio.h>
#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "deploy/task_json.h"
#include "local/ecs_name.h"

#define EPHEMERAL_GIB 20
/* A network interface's id: eni- and 17 digits. */
#define INTERFACE_DIGITS 17

static json_t *new_container(const json_t *defined, const json_t *override, const char *task_arn,
			     const char *cluster, const char *id)
{
	char uuid[ECS_ID_SIZE];
	AUTO_FREE char *arn = NULL, *cpu = NULL;
	json_t *out;
	const json_t *memory = json_object_get(override, "memory");

	ecs_uuid(uuid);
	arn = ecs_arn_beside(task_arn, "container/%s/%s/%s", cluster, id, uuid);
	cpu = xstrfmt("%lld",
		      (long long)task_json_int(override, "cpu", task_json_int(defined, "cpu", 0)));
	out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:[], s:[], s:s, s:s}", "containerArn", arn,
			"taskArn", task_arn, "name", aws_text(defined, "name"), "image",
			aws_text(defined, "image"), "lastStatus", "PENDING", "networkBindings",
			"networkInterfaces", "healthStatus", "UNKNOWN", "cpu", cpu);
	if (!memory)
		memory = json_object_get(defined, "memory");
	if (json_is_integer(memory)) {
		AUTO_FREE char *text = xstrfmt("%lld", (long long)json_integer_value(memory));

		json_object_set_new(out, "memory", json_string(text));
	}
	return out;
}

/* As DescribeTasks shows them: one for each container, whether something is overridden or not. */
static json_t *new_overrides(const json_t *containers, const json_t *asked)
{
	json_t *out = asked ? json_deep_copy(asked) : json_object(), *list = json_array(), *c;
	size_t i;

	json_array_foreach (containers, i, c) {
		const json_t *own = container_named(json_object_get(asked, "containerOverrides"),
						    aws_text(c, "name"));

		json_array_append_new(list,
				      own ? json_deep_copy(own)
					  : json_pack("{s:O}", "name", json_object_get(c, "name")));
	}
	json_object_set_new(out, "containerOverrides", list);
	json_object_set_new(out, "inferenceAcceleratorOverrides", json_array());
	return out;
}

static json_t *detail(const char *name, const char *value)
{
	return json_pack("{s:s, s:s}", "name", name, "value", value);
}

/* awsvpc: the interface is there before the task is. */
static json_t *new_attachments(const json_t *settings)
{
	const json_t *network = json_object_get(json_object_get(settings, "networkConfiguration"),
						"awsvpcConfiguration");
	const char *subnet = task_json_string(
		json_array_get(json_object_get(network, "subnets"), 0));
	char hex[ECS_ID_SIZE], uuid[ECS_ID_SIZE], mac[18];
	AUTO_FREE char *interface = NULL;

	ecs_hex_id(hex);
	ecs_uuid(uuid);
	interface = xstrfmt("eni-%.*s", INTERFACE_DIGITS, hex);
	/* locally administered: first octet 0x0a, as EC2's are */
	(void)snprintf(mac, sizeof(mac), "0a:%.2s:%.2s:%.2s:%.2s:%.2s", hex + 20, hex + 22,
		       hex + 24, hex + 26, hex + 28);
	return json_pack("[{s:s, s:s, s:s, s:[o, o, o]}]", "id", uuid, "type",
			 "ElasticNetworkInterface", "status", "PRECREATED", "details",
			 detail("subnetId", subnet), detail("networkInterfaceId", interface),
			 detail("macAddress", mac));
}

/* "FARGATE" and "EC2" as asked; a capacity provider's tasks are Fargate's, and so is what nobody asked otherwise. */
static void set_launch_type(json_t *task, const json_t *settings)
{
	const json_t *provider = json_array_get(
		json_object_get(settings, "capacityProviderStrategy"), 0);
	bool ec2 = strcmp(aws_text(settings, "launchType"), "EC2") == 0;
	const char *version = aws_text(settings, "platformVersion");

	json_object_set_new(task, "launchType", json_string(ec2 ? "EC2" : "FARGATE"));
	if (provider)
		json_object_set_new(task, "capacityProviderName",
				    json_string(aws_text(provider, "capacityProvider")));
	if (ec2)
		return;
	json_object_set_new(
		task, "platformVersion",
		json_string(*version && strcmp(version, "LATEST") != 0 ? version : "1.4.0"));
	json_object_set_new(task, "platformFamily", json_string("Linux"));
}

static const char *architecture(const json_t *definition)
{
	const char *asked = aws_text(json_object_get(definition, "runtimePlatform"),
				     "cpuArchitecture");

	return strcmp(asked, "ARM64") == 0 ? "arm64" : "x86_64";
}

/* cpu and memory: the task's override, else the definition's. */
static void set_size(json_t *task, const json_t *definition, const json_t *overrides)
{
	static const char *const keys[] = {"cpu", "memory"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *own = aws_text(overrides, keys[i]);
		const char *usual = aws_text(definition, keys[i]);

		json_object_set_new(task, keys[i], json_string(*own ? own : *usual ? usual : "0"));
	}
	json_object_set_new(
		task, "ephemeralStorage",
		json_pack("{s:I}", "sizeInGiB",
			  (json_int_t)task_json_int(json_object_get(definition, "ephemeralStorage"),
						    "sizeInGiB", EPHEMERAL_GIB)));
}

static json_t *new_containers(const struct ecs_task_order *o, const char *arn, const char *id)
{
	json_t *containers = json_object_get(json_object_get(o->definition, "taskDefinition"),
					     "containerDefinitions");
	json_t *overrides = json_object_get(json_object_get(o->settings, "overrides"),
					    "containerOverrides");
	json_t *out = json_array(), *c;
	size_t i;

	json_array_foreach (containers, i, c)
		json_array_append_new(
			out, new_container(c, container_named(overrides, aws_text(c, "name")), arn,
					   aws_text(o->cluster, "clusterName"), id));
	return out;
}

json_t *ecs_task_new(const struct ecs_task_order *o, char **id)
{
	const json_t *definition = json_object_get(o->definition, "taskDefinition");
	const json_t *overrides = json_object_get(o->settings, "overrides");
	const char *cluster = aws_text(o->cluster, "clusterName"),
		   *cluster_arn = aws_text(o->cluster, "clusterArn");
	AUTO_FREE char *arn = NULL, *zone = NULL;
	char hex[ECS_ID_SIZE];
	json_t *task;

	ecs_hex_id(hex);
	arn = ecs_arn_beside(cluster_arn, "task/%s/%s", cluster, hex);
	/* arn:aws:ecs:REGION:.. */
	zone = strlen(cluster_arn) > 12
		       ? xstrfmt("%.*sa", (int)strcspn(cluster_arn + 12, ":"), cluster_arn + 12)
		       : xstrdup("");
	task = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:[{s:s, s:s}], s:f, s:s, s:I, s:o, "
		"s:s, s:b, s:{s:s, s:s*, s:s*}}",
		"taskArn", arn, "clusterArn", cluster_arn, "taskDefinitionArn",
		aws_text(definition, "taskDefinitionArn"), "group", o->group, "desiredStatus",
		"RUNNING", "lastStatus", "PROVISIONING", "containers", new_containers(o, arn, hex),
		"overrides",
		new_overrides(json_object_get(definition, "containerDefinitions"), overrides),
		"attachments", new_attachments(o->settings), "attributes", "name",
		"ecs.cpu-architecture", "value", architecture(definition), "createdAt", o->now,
		"healthStatus", "UNKNOWN", "version", (json_int_t)1, "tags",
		o->tags ? json_deep_copy(o->tags) : json_array(), "availabilityZone", zone,
		"enableExecuteCommand",
		json_is_true(json_object_get(o->settings, "enableExecuteCommand")), "slipway",
		"cluster", cluster, "service", o->service, "deployment",
		o->service ? o->started_by : NULL);
	/* Of its interface, as EC2 shows it. */
	json_object_set(json_object_get(task, "slipway"), "securityGroups",
			json_object_get(json_object_get(json_object_get(o->settings,
									"networkConfiguration"),
							"awsvpcConfiguration"),
					"securityGroups"));
	if (o->started_by)
		json_object_set_new(task, "startedBy", json_string(o->started_by));
	set_launch_type(task, o->settings);
	set_size(task, definition, overrides);
	*id = xstrdup(hex);
	return task;
}

static bool has_key(const json_t *tags, const char *key)
{
	json_t *tag;
	size_t i;

	json_array_foreach (tags, i, tag)
		if (strcmp(aws_text(tag, "key"), key) == 0)
			return true;
	return false;
}

static void add_tag(json_t *tags, const char *key, const char *value)
{
	if (value && !has_key(tags, key))
		json_array_append_new(tags, json_pack("{s:s, s:s}", "key", key, "value", value));
}

json_t *ecs_task_tags(const json_t *own, const json_t *propagated, const char *cluster,
		      const char *service, bool managed)
{
	json_t *out = own ? json_deep_copy(own) : json_array(), *tag;
	size_t i;

	json_array_foreach (propagated, i, tag)
		add_tag(out, aws_text(tag, "key"), aws_text(tag, "value"));
	if (managed) {
		add_tag(out, "aws:ecs:clusterName", cluster);
		add_tag(out, "aws:ecs:serviceName", service);
	}
	return out;
}

bool ecs_task_stop(json_t *task, const char *code, const char *reason, double now)
{
	if (!ecs_task_is_live(task))
		return false;
	json_object_set_new(task, "desiredStatus", json_string("STOPPED"));
	json_object_set_new(task, "stopCode", json_string(code));
	json_object_set_new(task, "stoppedReason", json_text(reason));
	json_object_set_new(task, "stoppingAt", json_real(now));
	json_object_set_new(task, "version", json_integer(aws_int(task, "version") + 1));
	return true;
}

bool ecs_task_is_stopped(const json_t *task)
{
	return strcmp(aws_text(task, "lastStatus"), "STOPPED") == 0;
}

bool ecs_task_is_live(const json_t *task)
{
	return strcmp(aws_text(task, "desiredStatus"), "RUNNING") == 0 &&
	       !ecs_task_is_stopped(task);
}

bool ecs_task_is_healthy(const json_t *task)
{
	return ecs_task_is_live(task) && strcmp(aws_text(task, "lastStatus"), "RUNNING") == 0 &&
	       strcmp(aws_text(task, "healthStatus"), "UNHEALTHY") != 0;
}

bool ecs_task_has_failed(const json_t *task)
{
	static const char *const wanted[] = {"UserInitiated", "SpotInterruption",
					     "TerminationNotice", "InfrastructureHealth"};
	const char *code = aws_text(task, "stopCode");

	if (ecs_task_is_live(task) || str_in(code, wanted, ARRAY_SIZE(wanted)))
		return false;
	return !str_starts(aws_text(task, "stoppedReason"), ECS_SCALING_REASON);
}

double ecs_task_started(const json_t *task)
{
	if (strcmp(aws_text(task, "lastStatus"), "RUNNING") != 0)
		return 0;
	return json_number_value(json_object_get(task, "startedAt"));
}

bool ecs_task_is_of(const json_t *task, const char *cluster, const char *service)
{
	const json_t *own = json_object_get(task, "slipway");

	return strcmp(aws_text(own, "cluster"), cluster) == 0 &&
	       strcmp(aws_text(own, "service"), service) == 0;
}

const char *ecs_task_deployment(const json_t *task)
{
	return aws_text(json_object_get(task, "slipway"), "deployment");
}

const char *ecs_task_cluster(const json_t *task)
{
	return aws_text(json_object_get(task, "slipway"), "cluster");
}

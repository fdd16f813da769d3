/* ECS: clusters, and the operations that the local target refuses by name. */
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "local/ecs_input.h"
#include "local/ecs_name.h"
#include "local/ecs_task.h"

#define PAGE 100

static int64_t count_services(struct api_call *c, const char *cluster)
{
	int64_t n = 0;
	json_t *service;
	const char *key;

	json_object_foreach (state_all(c->local->state, STATE_SERVICES), key, service)
		n += ecs_is(json_object_get(service, "slipway"), "cluster", cluster) &&
		     !ecs_is(service, "status", "INACTIVE");
	return n;
}

static void count_tasks(struct api_call *c, const char *cluster, int64_t *running, int64_t *pending)
{
	json_t *task;
	const char *key;

	*running = *pending = 0;
	json_object_foreach (state_all(c->local->state, STATE_TASKS), key, task) {
		if (strcmp(ecs_task_cluster(task), cluster) != 0)
			continue;
		if (ecs_is(task, "lastStatus", "RUNNING"))
			++*running;
		else if (ecs_task_is_live(task))
			++*pending;
	}
}

static json_t *shown(struct api_call *c, const json_t *cluster, bool tags, bool settings)
{
	const char *name = ecs_text(cluster, "clusterName");
	json_t *out = ecs_shown(cluster);
	int64_t running, pending;

	count_tasks(c, name, &running, &pending);
	json_object_set_new(out, "runningTasksCount", json_integer(running));
	json_object_set_new(out, "pendingTasksCount", json_integer(pending));
	json_object_set_new(out, "activeServicesCount", json_integer(count_services(c, name)));
	if (!tags)
		json_object_set_new(out, "tags", json_array());
	if (!settings)
		json_object_set_new(out, "settings", json_array());
	return out;
}

static int answer(struct api_call *c, json_t *cluster)
{
	json_object_set_new(c->output, "cluster", shown(c, cluster, true, true));
	return api_put(c, STATE_CLUSTERS, ecs_text(cluster, "clusterName"), cluster);
}

static int check_providers(struct api_call *c)
{
	json_t *name;
	size_t i;

	json_array_foreach (json_object_get(c->input, "capacityProviders"), i, name)
		if (strcmp(json_string_value(name), "FARGATE") != 0 &&
		    strcmp(json_string_value(name), "FARGATE_SPOT") != 0)
			return api_error(c, "InvalidParameterException",
					 "The specified capacity provider '%s' was not found. "
					 "Specify a valid name or ARN and try again.",
					 json_string_value(name));
	return ecs_check_objects(c, json_object_get(c->input, "defaultCapacityProviderStrategy"),
				 "defaultCapacityProviderStrategy",
				 "capacityProvider:s! weight:i base:i");
}

static void take(json_t *cluster, const json_t *input, const char *key)
{
	json_t *v = json_object_get(input, key);

	if (v && !json_is_null(v))
		json_object_set_new(cluster, key, json_deep_copy(v));
}

static json_t *new_cluster(struct api_call *c, const char *name)
{
	AUTO_FREE char *what = xstrfmt("cluster/%s", name);
	AUTO_FREE char *arn = api_arn(c, "ecs", what);
	json_t *out = json_pack("{s:s, s:s, s:s, s:i, s:[], s:[], s:[{s:s, s:s}], s:[], s:[]}",
				"clusterArn", arn, "clusterName", name, "status", "ACTIVE",
				"registeredContainerInstancesCount", 0, "statistics", "tags",
				"settings", "name", "containerInsights", "value", "disabled",
				"capacityProviders", "defaultCapacityProviderStrategy");

	take(out, c->input, "tags");
	take(out, c->input, "settings");
	take(out, c->input, "configuration");
	take(out, c->input, "capacityProviders");
	take(out, c->input, "defaultCapacityProviderStrategy");
	return out;
}

/* A cluster that is there is the answer as it is: CreateCluster again is no error. */
static int create(struct api_call *c)
{
	const char *name = ecs_text(c->input, "clusterName");
	json_t *there;

	if (ecs_check_input(c, "clusterName:s tags:a settings:a configuration:o "
			       "capacityProviders:t defaultCapacityProviderStrategy:a "
			       "serviceConnectDefaults:o") < 0 ||
	    ecs_check_tags(c, json_object_get(c->input, "tags")) < 0 ||
	    ecs_check_objects(c, json_object_get(c->input, "settings"), "settings",
			      "name:s! value:s") < 0 ||
	    check_providers(c) < 0)
		return -1;
	if (!*name)
		name = "default";
	if (!ecs_name_is_valid(name))
		return api_error(c, "InvalidParameterException",
				 "Invalid identifier: Cluster name must match "
				 "^[a-zA-Z0-9\\-_]{1,255}$");
	if (json_object_get(c->input, "serviceConnectDefaults"))
		return api_error(c, "UnsupportedFeatureException",
				 "Service Connect is not there in the local target.");
	there = state_get(c->local->state, STATE_CLUSTERS, name);
	if (there && ecs_is(there, "status", "ACTIVE")) {
		json_object_set_new(c->output, "cluster", shown(c, there, true, true));
		return 0;
	}
	return answer(c, new_cluster(c, name));
}

static int describe(struct api_call *c)
{
	json_t *names = json_object_get(c->input, "clusters"), *name;
	json_t *found = json_array(), *failures = json_array();
	AUTO_JSON *usual = json_pack("[s]", "default");
	bool tags = ecs_includes(c, "TAGS"), settings = ecs_includes(c, "SETTINGS");
	size_t i;

	json_object_set_new(c->output, "clusters", found);
	json_object_set_new(c->output, "failures", failures);
	if (ecs_check_input(c, "clusters:t include:t") < 0)
		return -1;
	if (json_array_size(names) > 100)
		return api_error(c, "InvalidParameterException",
				 "clusters can have at most 100 items.");
	if (!json_array_size(names))
		names = usual;
	json_array_foreach (names, i, name) {
		const char *text = path_base(json_string_value(name));
		AUTO_FREE char *what = xstrfmt("cluster/%s", text);
		AUTO_FREE char *arn = api_arn(c, "ecs", what);
		json_t *cluster = state_get(c->local->state, STATE_CLUSTERS, text);

		if (cluster)
			json_array_append_new(found, shown(c, cluster, tags, settings));
		else
			ecs_add_failure(failures, arn, "MISSING");
	}
	return 0;
}

static int list(struct api_call *c)
{
	json_t *out = json_array(), *cluster;
	const char *key;

	json_object_set_new(c->output, "clusterArns", out);
	if (ecs_check_input(c, "nextToken:s maxResults:i") < 0)
		return -1;
	json_object_foreach (state_all(c->local->state, STATE_CLUSTERS), key, cluster)
		if (ecs_is(cluster, "status", "ACTIVE"))
			json_array_append(out, json_object_get(cluster, "clusterArn"));
	return api_page(c, out, PAGE);
}

static int delete_cluster(struct api_call *c)
{
	json_t *cluster, *changed, *task;
	const char *key, *name;

	if (ecs_check_input(c, "cluster:s!") < 0 || ecs_find_cluster(c, &cluster) < 0)
		return -1;
	name = ecs_text(cluster, "clusterName");
	if (count_services(c, name) > 0)
		return api_error(c, "ClusterContainsServicesException",
				 "The Cluster cannot be deleted while Services are active.");
	json_object_foreach (state_all(c->local->state, STATE_TASKS), key, task)
		if (strcmp(ecs_task_cluster(task), name) == 0 && !ecs_task_is_stopped(task))
			return api_error(c, "ClusterContainsTasksException",
					 "The Cluster cannot be deleted while Tasks are active.");
	changed = json_deep_copy(cluster);
	json_object_set_new(changed, "status", json_string("INACTIVE"));
	return answer(c, changed);
}

/* UpdateCluster, UpdateClusterSettings and PutClusterCapacityProviders: what is given replaces what was. */
static int change(struct api_call *c, const char *members)
{
	static const char *const keys[] = {"settings", "configuration", "capacityProviders",
					   "defaultCapacityProviderStrategy"};
	json_t *cluster, *changed;

	if (ecs_check_input(c, members) < 0 ||
	    ecs_check_objects(c, json_object_get(c->input, "settings"), "settings",
			      "name:s! value:s") < 0 ||
	    check_providers(c) < 0 || ecs_find_cluster(c, &cluster) < 0)
		return -1;
	changed = json_deep_copy(cluster);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		take(changed, c->input, keys[i]);
	return answer(c, changed);
}

static int update(struct api_call *c)
{
	return change(c, "cluster:s! settings:a configuration:o");
}

static int update_settings(struct api_call *c)
{
	return change(c, "cluster:s! settings:a!");
}

static int put_providers(struct api_call *c)
{
	return change(c, "cluster:s! capacityProviders:t defaultCapacityProviderStrategy:a");
}

/* There are none: tasks run as Fargate's do. */
static int list_instances(struct api_call *c)
{
	json_t *cluster;

	json_object_set_new(c->output, "containerInstanceArns", json_array());
	return ecs_find_cluster(c, &cluster);
}

static int describe_instances(struct api_call *c)
{
	json_t *cluster, *failures = json_array(), *arn;
	size_t i;

	json_object_set_new(c->output, "containerInstances", json_array());
	json_object_set_new(c->output, "failures", failures);
	if (ecs_find_cluster(c, &cluster) < 0 ||
	    ecs_check_input(c, "cluster:s containerInstances:t! include:t") < 0)
		return -1;
	json_array_foreach (json_object_get(c->input, "containerInstances"), i, arn)
		ecs_add_failure(failures, json_string_value(arn), "MISSING");
	return 0;
}

static int refuse_exec(struct api_call *c)
{
	return api_error(c, "UnsupportedFeatureException",
			 "ExecuteCommand opens a session of AWS Systems Manager, which the local "
			 "target has not: use 'slipway exec'.");
}

static int refuse_express(struct api_call *c)
{
	return api_error(c, "UnsupportedFeatureException",
			 "Express Mode is not there in the local target: CreateService gives a "
			 "service with a stable address of its own.");
}

static int refuse_task_set(struct api_call *c)
{
	return api_error(c, "UnsupportedFeatureException",
			 "Task sets belong to external deployment controllers: the local target "
			 "deploys with the controller ECS.");
}

const struct api_operation api_ecs_clusters[] = {
	{"CreateCluster", create, false},
	{"DescribeClusters", describe, false},
	{"ListClusters", list, false},
	{"DeleteCluster", delete_cluster, false},
	{"UpdateCluster", update, false},
	{"UpdateClusterSettings", update_settings, false},
	{"PutClusterCapacityProviders", put_providers, false},
	{"ListContainerInstances", list_instances, false},
	{"DescribeContainerInstances", describe_instances, false},
	{"ExecuteCommand", refuse_exec, false},
	{"CreateExpressGatewayService", refuse_express, false},
	{"UpdateExpressGatewayService", refuse_express, false},
	{"DeleteExpressGatewayService", refuse_express, false},
	{"DescribeExpressGatewayService", refuse_express, false},
	{"CreateTaskSet", refuse_task_set, false},
	{0},
};

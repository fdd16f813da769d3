/* ECS: services (ECS API Reference, CreateService and its neighbours). The reconciler makes what they say so. */
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "deploy/task_json.h"
#include "local/ecs_definition.h"
#include "local/ecs_input.h"
#include "local/ecs_name.h"
#include "local/ecs_service.h"
#include "local/ecs_service_input.h"

#define PAGE          10
#define MAX_DESCRIBED 10

/* What starts a new deployment when it changes (ECS Developer Guide, updating a service). */
static const char *const deployed_keys[] = {"networkConfiguration", "platformVersion",
					    "capacityProviderStrategy"};
/* What is only kept. */
static const char *const kept_keys[] = {"healthCheckGracePeriodSeconds", "propagateTags",
					"enableECSManagedTags", "enableExecuteCommand",
					"availabilityZoneRebalancing"};

static json_t *shown(struct api_call *c, const json_t *service, bool tags)
{
	AUTO_JSON *counted = json_deep_copy(service);
	json_t *out;

	ecs_service_count(counted, c->local->state);
	out = ecs_shown(counted);
	if (!tags)
		json_object_del(out, "tags");
	if (ecs_is(out, "status", "INACTIVE")) {
		json_object_set_new(out, "deployments", json_array());
		json_object_set_new(out, "events", json_array());
	}
	return out;
}

static int answer(struct api_call *c, const char *key, json_t *service)
{
	json_object_set_new(c->output, "service", shown(c, service, true));
	return api_put(c, STATE_SERVICES, key, service);
}

/* The service that a member of the input names, INACTIVE ones too; *key: free(). */
static int find(struct api_call *c, const json_t *cluster, json_t **service, char **key)
{
	*key = ecs_service_key(ecs_text(cluster, "clusterName"), ecs_text(c->input, "service"));
	*service = state_get(c->local->state, STATE_SERVICES, *key);
	if (*service)
		return 0;
	return api_error(c, "ServiceNotFoundException", "Service not found.");
}

static int find_definition(struct api_call *c, const char *name, const json_t **definition)
{
	json_t *found = ecs_find_definition(c->local->state, name);

	*definition = json_object_get(found, "taskDefinition");
	if (!*definition || ecs_is(*definition, "status", "DELETE_IN_PROGRESS"))
		return api_error(c, "ClientException", "TaskDefinition not found.");
	return 0;
}

static int check_active(struct api_call *c, const json_t *definition)
{
	if (ecs_is(definition, "status", "ACTIVE"))
		return 0;
	return api_error(c, "ClientException", "TaskDefinition is inactive");
}

static void take(json_t *service, const json_t *input, const char *key, json_t *usual)
{
	json_t *v = json_object_get(input, key);

	if (v && !json_is_null(v))
		json_object_set_new(service, key, json_deep_copy(v));
	else if (usual)
		json_object_set(service, key, usual);
	json_decref(usual);
}

static json_t *new_service(struct api_call *c, const json_t *cluster, const char *name,
			   json_t *configuration)
{
	const char *token = ecs_text(c->input, "clientToken");
	const json_t *in = c->input;
	AUTO_FREE char *what = xstrfmt("service/%s/%s", ecs_text(cluster, "clusterName"), name);
	AUTO_FREE char *arn = api_arn(c, "ecs", what);
	AUTO_FREE char *role = xstrfmt("arn:aws:iam::%s:role/aws-service-role/ecs.amazonaws.com/"
				       "AWSServiceRoleForECS",
				       c->account);
	json_t *out = json_pack(
		"{s:s, s:s, s:O, s:s, s:[], s:[], s:f, s:s, s:s, s:{s:s}, s:[], s:[], s:s, s:s, "
		"s:[], s:[], s:o, s:{s:O, s:s*, s:[], s:[], s:{}}}",
		"serviceArn", arn, "serviceName", name, "clusterArn",
		json_object_get(cluster, "clusterArn"), "status", "ACTIVE", "loadBalancers",
		"serviceRegistries", "createdAt", ecs_now(), "createdBy", c->caller,
		"schedulingStrategy", "REPLICA", "deploymentController", "type", "ECS",
		"placementConstraints", "placementStrategy", "resourceManagementType", "CUSTOMER",
		"roleArn", role, "deployments", "events", "deploymentConfiguration", configuration,
		"slipway", "cluster", json_object_get(cluster, "clusterName"), "token",
		*token ? token : NULL, "records", "revisions", "tasks");

	take(out, in, "desiredCount", json_integer(1));
	take(out, in, "tags", json_array());
	take(out, in, "propagateTags", json_string("NONE"));
	take(out, in, "enableECSManagedTags", json_false());
	take(out, in, "enableExecuteCommand", json_false());
	take(out, in, "availabilityZoneRebalancing", json_string("ENABLED"));
	take(out, in, "healthCheckGracePeriodSeconds", json_integer(0));
	take(out, in, "networkConfiguration", NULL);
	take(out, in, "capacityProviderStrategy", NULL);
	if (!json_array_size(json_object_get(in, "capacityProviderStrategy")))
		take(out, in, "launchType", json_string("FARGATE"));
	take(out, in, "platformVersion", json_string("LATEST"));
	json_object_set_new(out, "platformFamily", json_string("Linux"));
	return out;
}

/* The one of that name that there is: an answer to the same request sent twice, else in the way. 1: free. */
static int check_name(struct api_call *c, const char *key, const char *name)
{
	const char *token = ecs_text(c->input, "clientToken");
	json_t *there = state_get(c->local->state, STATE_SERVICES, key);

	if (!ecs_name_is_valid(name))
		return api_error(c, "InvalidParameterException",
				 "Service name must match ^[a-zA-Z0-9\\-_]{1,255}$");
	if (!there || ecs_is(there, "status", "INACTIVE"))
		return 1;
	if (ecs_is(there, "status", "DRAINING"))
		return api_error(c, "InvalidParameterException",
				 "Unable to Start a service that is still Draining.");
	if (!*token || !ecs_is(ecs_own(there), "token", token))
		return api_error(c, "InvalidParameterException",
				 "Creation of service was not idempotent.");
	json_object_set_new(c->output, "service", shown(c, there, true));
	return 0;
}

static int create(struct api_call *c)
{
	const char *name = ecs_text(c->input, "serviceName");
	json_t *cluster, *configuration, *service;
	const json_t *definition;
	AUTO_FREE char *key = NULL;
	int is_free;

	if (ecs_service_check_input(c, "serviceName:s! clientToken:s launchType:s role:s "
				       "schedulingStrategy:s tags:a") < 0 ||
	    ecs_check_tags(c, json_object_get(c->input, "tags")) < 0 ||
	    ecs_find_cluster(c, &cluster) < 0)
		return -1;
	if (ecs_is(c->input, "schedulingStrategy", "DAEMON"))
		return api_error(c, "InvalidParameterException",
				 "The daemon scheduling strategy is not supported for Fargate "
				 "tasks.");
	if (!*ecs_text(c->input, "taskDefinition"))
		return api_error(c, "InvalidParameterException",
				 "TaskDefinition can not be blank.");
	key = ecs_service_key(ecs_text(cluster, "clusterName"), name);
	is_free = check_name(c, key, name);
	if (is_free <= 0)
		return is_free;
	if (find_definition(c, ecs_text(c->input, "taskDefinition"), &definition) < 0 ||
	    check_active(c, definition) < 0 ||
	    ecs_definition_check_use(c, definition, c->input) < 0)
		return -1;
	configuration = ecs_service_configuration(c, NULL);
	if (!configuration)
		return -1;
	service = new_service(c, cluster, name, configuration);
	ecs_service_deploy(service, definition, ecs_now());
	return answer(c, key, service);
}

/* The service with what the input changes; *deploys: that needs a new deployment. */
static int change(struct api_call *c, json_t *service, bool *deploys)
{
	json_t *configuration = ecs_service_configuration(
		c, json_object_get(service, "deploymentConfiguration"));
	size_t i;

	if (!configuration)
		return -1;
	json_object_set_new(service, "deploymentConfiguration", configuration);
	for (i = 0; i < ARRAY_SIZE(deployed_keys); i++) {
		json_t *v = json_object_get(c->input, deployed_keys[i]);

		if (!v || json_is_null(v) ||
		    json_equal(v, json_object_get(service, deployed_keys[i])))
			continue;
		*deploys = true;
		take(service, c->input, deployed_keys[i], NULL);
		if (strcmp(deployed_keys[i], "capacityProviderStrategy") == 0)
			json_object_del(service, "launchType");
	}
	for (i = 0; i < ARRAY_SIZE(kept_keys); i++)
		take(service, c->input, kept_keys[i], NULL);
	if (json_is_integer(json_object_get(c->input, "desiredCount"))) {
		take(service, c->input, "desiredCount", NULL);
		json_object_del(ecs_own(service), "steady");
	}
	return 0;
}

static int update(struct api_call *c)
{
	const char *asked = ecs_text(c->input, "taskDefinition");
	json_t *cluster, *service;
	AUTO_JSON *changed = NULL;
	AUTO_FREE char *key = NULL;
	const json_t *definition;
	bool deploys, force;

	if (ecs_service_check_input(c, "service:s! forceNewDeployment:b") < 0 ||
	    api_flag(c, "forceNewDeployment", &force, false) < 0 ||
	    ecs_find_cluster(c, &cluster) < 0 || find(c, cluster, &service, &key) < 0)
		return -1;
	if (!ecs_is(service, "status", "ACTIVE"))
		return api_error(c, "ServiceNotActiveException", "Service was not ACTIVE.");
	if (find_definition(c, *asked ? asked : ecs_text(service, "taskDefinition"), &definition) <
	    0)
		return -1;
	deploys = !ecs_is(service, "taskDefinition", ecs_text(definition, "taskDefinitionArn"));
	if (deploys && check_active(c, definition) < 0)
		return -1;
	changed = json_deep_copy(service);
	if (change(c, changed, &deploys) < 0)
		return -1;
	deploys |= force;
	/* A service whose role has gone can still be scaled to nothing. */
	if (deploys && ecs_definition_check_use(c, definition, changed) < 0)
		return -1;
	if (deploys)
		ecs_service_deploy(changed, definition, ecs_now());
	return answer(c, key, take_ptr(changed));
}

static int delete_service(struct api_call *c)
{
	json_t *cluster, *service, *changed;
	AUTO_FREE char *key = NULL;
	bool force;

	if (ecs_check_input(c, "cluster:s service:s! force:b") < 0 ||
	    api_flag(c, "force", &force, false) < 0 || ecs_find_cluster(c, &cluster) < 0 ||
	    find(c, cluster, &service, &key) < 0)
		return -1;
	if (ecs_is(service, "status", "INACTIVE"))
		return api_error(c, "ServiceNotFoundException", "Service not found.");
	if (!force && task_json_int(service, "desiredCount", 0) > 0)
		return api_error(c, "InvalidParameterException",
				 "The service cannot be stopped while it is scaled above 0.");
	changed = json_deep_copy(service);
	json_object_set_new(changed, "status", json_string("DRAINING"));
	json_object_set_new(changed, "desiredCount", json_integer(0));
	return answer(c, key, changed);
}

static int describe(struct api_call *c)
{
	json_t *names = json_object_get(c->input, "services"), *name, *cluster;
	json_t *found = json_array(), *failures = json_array();
	bool tags = ecs_includes(c, "TAGS");
	size_t i;

	json_object_set_new(c->output, "services", found);
	json_object_set_new(c->output, "failures", failures);
	if (ecs_check_input(c, "cluster:s services:t! include:t") < 0 ||
	    ecs_find_cluster(c, &cluster) < 0)
		return -1;
	if (json_array_size(names) > MAX_DESCRIBED)
		return api_error(c, "InvalidParameterException",
				 "services can have at most 10 items.");
	json_array_foreach (names, i, name) {
		AUTO_FREE char *key = ecs_service_key(ecs_text(cluster, "clusterName"),
						      json_string_value(name));
		AUTO_FREE char *what = xstrfmt("service/%s", key);
		AUTO_FREE char *arn = api_arn(c, "ecs", what);
		json_t *service = state_get(c->local->state, STATE_SERVICES, key);

		if (service)
			json_array_append_new(found, shown(c, service, tags));
		else
			ecs_add_failure(failures, arn, "MISSING");
	}
	return 0;
}

static int list(struct api_call *c)
{
	const char *launch_type = ecs_text(c->input, "launchType"), *key;
	json_t *out = json_array(), *cluster, *service;

	json_object_set_new(c->output, "serviceArns", out);
	if (ecs_check_input(c, "cluster:s nextToken:s maxResults:i launchType:s "
			       "schedulingStrategy:s resourceManagementType:s") < 0 ||
	    ecs_find_cluster(c, &cluster) < 0)
		return -1;
	json_object_foreach (state_all(c->local->state, STATE_SERVICES), key, service) {
		if (!ecs_is(ecs_own(service), "cluster", ecs_text(cluster, "clusterName")) ||
		    ecs_is(service, "status", "INACTIVE") ||
		    ecs_is(c->input, "schedulingStrategy", "DAEMON") ||
		    ecs_is(c->input, "resourceManagementType", "ECS") ||
		    (*launch_type && !ecs_is(service, "launchType", launch_type)))
			continue;
		json_array_append(out, json_object_get(service, "serviceArn"));
	}
	return api_page(c, out, PAGE);
}

const struct api_operation api_ecs_services[] = {
	{"CreateService", create, false},
	{"UpdateService", update, false},
	{"DeleteService", delete_service, false},
	{"DescribeServices", describe, false},
	{"ListServices", list, false},
	{0},
};

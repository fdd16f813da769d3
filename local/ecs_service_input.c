#include "local/ecs_service_input.h"

#include <string.h>

#include "base/alloc.h"
#include "deploy/task_json.h"
#include "local/ecs_input.h"

#define SHARED                                                                             \
	" cluster:s taskDefinition:s availabilityZoneRebalancing:s loadBalancers:a "       \
	"serviceRegistries:a desiredCount:i capacityProviderStrategy:a platformVersion:s " \
	"deploymentConfiguration:o placementConstraints:a placementStrategy:a "            \
	"networkConfiguration:o healthCheckGracePeriodSeconds:i deploymentController:o "   \
	"enableECSManagedTags:b propagateTags:s enableExecuteCommand:b "                   \
	"serviceConnectConfiguration:o volumeConfigurations:a vpcLatticeConfigurations:a " \
	"gatewayConnectors:a monitoring:o"
#define MAX_COUNT 5000

/* What needs a service that is not there; asked for by a list that is not empty. */
static const struct {
	const char *member, *why;
} missing[] = {
	{"loadBalancers", "Elastic Load Balancing is not there in the local target: every service "
			  "has a stable address of its own that balances over its healthy tasks"},
	{"serviceRegistries", "Service discovery (Cloud Map) is not there in the local target"},
	{"placementConstraints", "Placement needs container instances: there is one machine here"},
	{"placementStrategy", "Placement needs container instances: there is one machine here"},
	{"volumeConfigurations", "Managed EBS volumes are not there in the local target"},
	{"vpcLatticeConfigurations", "VPC Lattice is not there in the local target"},
	{"gatewayConnectors", "Gateway connectors are not there in the local target"},
};

static int refuse_what_is_missing(struct api_call *c)
{
	const json_t *connect = json_object_get(c->input, "serviceConnectConfiguration");

	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		if (json_array_size(json_object_get(c->input, missing[i].member)))
			return api_error(c, "UnsupportedFeatureException", "%s: %s.",
					 missing[i].member, missing[i].why);
	if (json_is_true(json_object_get(connect, "enabled")))
		return api_error(c, "UnsupportedFeatureException",
				 "serviceConnectConfiguration: Service Connect is not there in the "
				 "local target.");
	return 0;
}

static int check_numbers(struct api_call *c)
{
	int64_t count = task_json_int(c->input, "desiredCount", 0);
	int64_t grace = task_json_int(c->input, "healthCheckGracePeriodSeconds", 0);

	if (count < 0 || count > MAX_COUNT)
		return api_error(c, "InvalidParameterException",
				 "The desired count must be between 0 and %d.", MAX_COUNT);
	if (grace < 0 || grace > INT32_MAX)
		return api_error(c, "InvalidParameterException",
				 "healthCheckGracePeriodSeconds must be between 0 and %d.",
				 INT32_MAX);
	return 0;
}

int ecs_service_check_input(struct api_call *c, const char *own_members)
{
	AUTO_FREE char *members = xstrfmt("%s" SHARED, own_members);
	const json_t *controller = json_object_get(c->input, "deploymentController");

	if (ecs_check_input(c, members) < 0 || refuse_what_is_missing(c) < 0 ||
	    check_numbers(c) < 0 ||
	    ecs_check_word(c, "propagateTags", ecs_text(c->input, "propagateTags"),
			   "TASK_DEFINITION SERVICE NONE") < 0 ||
	    ecs_check_word(c, "availabilityZoneRebalancing",
			   ecs_text(c->input, "availabilityZoneRebalancing"),
			   "ENABLED DISABLED") < 0 ||
	    ecs_check_object(c, controller, "deploymentController", "type:s!") < 0)
		return -1;
	if (controller && !ecs_is(controller, "type", "ECS"))
		return api_error(c, "UnsupportedFeatureException",
				 "The deployment controller %s is not there in the local target, "
				 "which deploys with ECS.",
				 ecs_text(controller, "type"));
	return 0;
}

static int check_breaker(struct api_call *c, const json_t *breaker)
{
	const json_t *threshold = json_object_get(breaker, "thresholdConfiguration");

	if (ecs_check_object(c, breaker, "deploymentCircuitBreaker",
			     "enable:b! rollback:b! resetOnHealthyTask:b "
			     "thresholdConfiguration:o") < 0 ||
	    ecs_check_object(c, threshold, "thresholdConfiguration", "type:s! value:i!") < 0 ||
	    ecs_check_word(c, "thresholdConfiguration.type", ecs_text(threshold, "type"),
			   "COUNT BOUNDED_PERCENT UNBOUNDED_PERCENT") < 0)
		return -1;
	if (threshold && task_json_int(threshold, "value", 0) < 1)
		return api_error(c, "InvalidParameterException",
				 "thresholdConfiguration.value must be at least 1.");
	return 0;
}

static int check_percents(struct api_call *c, const json_t *configuration)
{
	int64_t least = task_json_int(configuration, "minimumHealthyPercent", 100);
	int64_t most = task_json_int(configuration, "maximumPercent", 200);

	if (least < 0 || least > 100)
		return api_error(c, "InvalidParameterException",
				 "minimumHealthyPercent must be between 0 and 100.");
	if (most < 100)
		return api_error(c, "InvalidParameterException",
				 "maximumPercent must be greater than or equal to 100.");
	if (least == 100 && most == 100)
		return api_error(c, "InvalidParameterException",
				 "Both maximumPercent and minimumHealthyPercent cannot be 100 as "
				 "this will block deployments.");
	return 0;
}

static int check_configuration(struct api_call *c, const json_t *given)
{
	const char *strategy = ecs_text(given, "strategy");
	const json_t *alarms = json_object_get(given, "alarms");

	if (ecs_check_object(c, given, "deploymentConfiguration",
			     "deploymentCircuitBreaker:o maximumPercent:i minimumHealthyPercent:i "
			     "alarms:o strategy:s bakeTimeInMinutes:i lifecycleHooks:a "
			     "linearConfiguration:o canaryConfiguration:o "
			     "earlySuccessCriteria:o") < 0 ||
	    check_breaker(c, json_object_get(given, "deploymentCircuitBreaker")) < 0)
		return -1;
	if (*strategy && strcmp(strategy, "ROLLING") != 0)
		return api_error(c, "UnsupportedFeatureException",
				 "The deployment strategy %s is not there in the local target, "
				 "which deploys ROLLING.",
				 strategy);
	if (json_is_true(json_object_get(alarms, "enable")) ||
	    json_array_size(json_object_get(given, "lifecycleHooks")))
		return api_error(c, "UnsupportedFeatureException",
				 "CloudWatch alarms and lifecycle hooks of deployments are not "
				 "there in the local target.");
	return 0;
}

json_t *ecs_service_configuration(struct api_call *c, const json_t *before)
{
	const json_t *given = json_object_get(c->input, "deploymentConfiguration");
	json_t *out = before ? json_deep_copy(before)
			     : json_pack("{s:{s:b, s:b}, s:i, s:i, s:s, s:i}",
					 "deploymentCircuitBreaker", "enable", 0, "rollback", 0,
					 "maximumPercent", 200, "minimumHealthyPercent", 100,
					 "strategy", "ROLLING", "bakeTimeInMinutes", 0);

	if (check_configuration(c, given) == 0) {
		AUTO_JSON *copy = given ? json_deep_copy(given) : json_object();

		json_object_update(out, copy);
		if (check_percents(c, out) == 0)
			return out;
	}
	json_decref(out);
	return NULL;
}

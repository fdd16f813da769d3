/* Application Auto Scaling of ECS services (its API Reference); the reconciler does what targets and policies say. */
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "deploy/task_json.h"
#include "local/ecs_input.h"
#include "local/ecs_name.h"
#include "local/ecs_service.h"

#define PAGE      50
#define MAX_COUNT 5000
#define VALID     "ValidationException"
#define NAMED     "ServiceNamespace:s! ResourceId:s! ScalableDimension:s!"
#define DIMENSION "ecs:service:DesiredCount"

/* Its errors have names of their own for what ECS's input check says. */
static int check_input(struct api_call *c, const char *members)
{
	AUTO_FREE char *message = NULL;

	if (ecs_check_input(c, members) == 0)
		return 0;
	message = take_ptr(c->message);
	return api_error(c, VALID, "%s", message ? message : "");
}

/* What every operation has: it is ECS's, and desired counts. */
static int check_kind(struct api_call *c)
{
	const char *dimension = ecs_text(c->input, "ScalableDimension");

	if (!ecs_is(c->input, "ServiceNamespace", "ecs"))
		return api_error(c, VALID,
				 "Unsupported service namespace, resource type or scalable "
				 "dimension: the local target scales ecs alone");
	if (*dimension && strcmp(dimension, DIMENSION) != 0)
		return api_error(c, VALID,
				 "Unsupported service namespace, resource type or scalable "
				 "dimension");
	return 0;
}

static void take(json_t *to, const json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);

	if (v && !json_is_null(v))
		json_object_set_new(to, key, json_deep_copy(v));
}

static json_t *new_target(struct api_call *c, const char *resource)
{
	char id[ECS_ID_SIZE];
	AUTO_FREE char *what = NULL, *arn = NULL;
	AUTO_FREE char *role = xstrfmt("arn:aws:iam::%s:role/aws-service-role/"
				       "ecs.application-autoscaling.amazonaws.com/"
				       "AWSServiceRoleForApplicationAutoScaling_ECSService",
				       c->account);

	ecs_hex_id(id);
	what = xstrfmt("scalable-target/0ec5%s", id);
	arn = api_arn(c, "application-autoscaling", what);
	return json_pack("{s:s, s:s, s:s, s:s, s:f, s:s, s:{s:b, s:b, s:b}, s:{}, s:{s:[]}}",
			 "ServiceNamespace", "ecs", "ResourceId", resource, "ScalableDimension",
			 DIMENSION, "RoleARN", role, "CreationTime", ecs_now(), "ScalableTargetARN",
			 arn, "SuspendedState", "DynamicScalingInSuspended", 0,
			 "DynamicScalingOutSuspended", 0, "ScheduledScalingSuspended", 0, "Tags",
			 "slipway", "activities");
}

static int check_bounds(struct api_call *c, const json_t *target)
{
	int64_t least = task_json_int(target, "MinCapacity", -1);
	int64_t most = task_json_int(target, "MaxCapacity", -1);

	if (least < 0 || most < 0)
		return api_error(c, VALID,
				 "MinCapacity and MaxCapacity are needed to register a new "
				 "scalable target, and may not be negative");
	if (least > most)
		return api_error(c, VALID, "Maximum capacity cannot be less than minimum capacity");
	if (most > MAX_COUNT)
		return api_error(c, VALID, "Maximum capacity can be at most %d", MAX_COUNT);
	return 0;
}

static int register_target(struct api_call *c)
{
	const char *resource = ecs_text(c->input, "ResourceId");
	json_t *there, *service;
	AUTO_JSON *target = NULL;

	if (check_input(c, NAMED " MinCapacity:i MaxCapacity:i RoleARN:s SuspendedState:o "
				 "Tags:o") < 0 ||
	    check_kind(c) < 0)
		return -1;
	service = str_starts(resource, "service/") ? state_get(c->local->state, STATE_SERVICES,
							       resource + strlen("service/"))
						   : NULL;
	if (!ecs_is(service, "status", "ACTIVE"))
		return api_error(c, VALID, "ECS service doesn't exist: %s", resource);
	there = state_get(c->local->state, STATE_SCALABLE_TARGETS, resource);
	if (there && json_object_size(json_object_get(c->input, "Tags")))
		return api_error(
			c, VALID,
			"Tags can only be given to a new scalable target: use TagResource");
	target = there ? json_deep_copy(there) : new_target(c, resource);
	take(target, c->input, "MinCapacity");
	take(target, c->input, "MaxCapacity");
	take(target, c->input, "Tags");
	if (json_object_get(c->input, "SuspendedState"))
		json_object_update(json_object_get(target, "SuspendedState"),
				   json_object_get(c->input, "SuspendedState"));
	if (check_bounds(c, target) < 0)
		return -1;
	json_object_set_new(ecs_own(target), "unclamped", json_true());
	json_object_set(c->output, "ScalableTargetARN",
			json_object_get(target, "ScalableTargetARN"));
	return api_put(c, STATE_SCALABLE_TARGETS, resource, take_ptr(target));
}

static bool is_wanted(const struct api_call *c, const char *key, const char *text)
{
	const json_t *wanted = json_object_get(c->input, key);

	if (json_is_string(wanted))
		return strcmp(json_string_value(wanted), text) == 0;
	return !json_array_size(wanted) || ecs_has_text(wanted, text);
}

static int describe_targets(struct api_call *c)
{
	json_t *out = json_array(), *target;
	const char *key;

	json_object_set_new(c->output, "ScalableTargets", out);
	if (check_input(c, "ServiceNamespace:s! ResourceIds:t ScalableDimension:s MaxResults:i "
			   "NextToken:s") < 0 ||
	    check_kind(c) < 0)
		return -1;
	json_object_foreach (state_all(c->local->state, STATE_SCALABLE_TARGETS), key, target) {
		json_t *shown;

		if (!is_wanted(c, "ResourceIds", key))
			continue;
		shown = ecs_shown(target);
		json_object_del(shown, "Tags");
		json_array_append_new(out, shown);
	}
	return api_page(c, out, PAGE);
}

static int need_target(struct api_call *c, const char *what, json_t **target)
{
	const char *resource = ecs_text(c->input, "ResourceId");

	*target = state_get(c->local->state, STATE_SCALABLE_TARGETS, resource);
	if (*target)
		return 0;
	return api_error(c, "ObjectNotFoundException",
			 "No scalable target %s for service namespace: ecs, resource ID: %s, "
			 "scalable dimension: " DIMENSION,
			 what, resource);
}

/* Its policies go first: one without a target would have nothing to scale. */
static int deregister_target(struct api_call *c)
{
	AUTO_FREE char *resource = xstrdup(ecs_text(c->input, "ResourceId"));
	json_t *target, *policy;
	const char *key;
	void *next;

	if (check_input(c, NAMED) < 0 || check_kind(c) < 0 || need_target(c, "found", &target) < 0)
		return -1;
	json_object_foreach_safe(state_all(c->local->state, STATE_SCALING_POLICIES), next, key,
				 policy)
	{
		AUTO_FREE char *name = xstrdup(key);

		if (ecs_is(policy, "ResourceId", resource) &&
		    api_remove(c, STATE_SCALING_POLICIES, name) < 0)
			return -1;
	}
	return api_remove(c, STATE_SCALABLE_TARGETS, resource);
}

static int check_tracking(struct api_call *c)
{
	const json_t *t = json_object_get(c->input, "TargetTrackingScalingPolicyConfiguration");
	const json_t *predefined = json_object_get(t, "PredefinedMetricSpecification");
	const char *type = ecs_text(c->input, "PolicyType");
	const char *metric = ecs_text(predefined, "PredefinedMetricType");
	double value = json_number_value(json_object_get(t, "TargetValue"));

	if (strcmp(type, "TargetTrackingScaling") != 0)
		return api_error(c, VALID,
				 "The local target scales by TargetTrackingScaling, not by %s",
				 *type ? type : "StepScaling");
	if (json_object_get(t, "CustomizedMetricSpecification"))
		return api_error(c, VALID,
				 "The local target has no CloudWatch metrics: "
				 "ECSServiceAverageCPUUtilization and "
				 "ECSServiceAverageMemoryUtilization are measured");
	if (ecs_check_object(c, t, "TargetTrackingScalingPolicyConfiguration",
			     "TargetValue:n PredefinedMetricSpecification:o ScaleOutCooldown:i "
			     "ScaleInCooldown:i DisableScaleIn:b") < 0 ||
	    ecs_check_object(c, predefined, "PredefinedMetricSpecification",
			     "PredefinedMetricType:s! ResourceLabel:s") < 0)
		return -1;
	if (strcmp(metric, "ECSServiceAverageCPUUtilization") != 0 &&
	    strcmp(metric, "ECSServiceAverageMemoryUtilization") != 0)
		return api_error(c, VALID,
				 "The metric %s is not there in the local target: "
				 "ECSServiceAverageCPUUtilization and "
				 "ECSServiceAverageMemoryUtilization are measured",
				 *metric ? metric : "(none)");
	if (value < 1 || value > 100)
		return api_error(c, VALID, "TargetValue must be a percentage from 1 to 100");
	if (task_json_int(t, "ScaleOutCooldown", 0) < 0 ||
	    task_json_int(t, "ScaleInCooldown", 0) < 0)
		return api_error(c, VALID, "Cooldowns may not be negative");
	return 0;
}

static char *policy_key(const struct api_call *c)
{
	return xstrfmt("%s/%s", ecs_text(c->input, "ResourceId"), ecs_text(c->input, "PolicyName"));
}

static json_t *new_policy(struct api_call *c)
{
	char id[ECS_ID_SIZE];
	AUTO_FREE char *what = NULL, *arn = NULL;

	ecs_uuid(id);
	what = xstrfmt("scalingPolicy:%s:resource/ecs/%s:policyName/%s", id,
		       ecs_text(c->input, "ResourceId"), ecs_text(c->input, "PolicyName"));
	arn = api_arn(c, "autoscaling", what);
	return json_pack("{s:s, s:O, s:O, s:O, s:O, s:[], s:f, s:{}}", "PolicyARN", arn,
			 "PolicyName", json_object_get(c->input, "PolicyName"), "ServiceNamespace",
			 json_object_get(c->input, "ServiceNamespace"), "ResourceId",
			 json_object_get(c->input, "ResourceId"), "ScalableDimension",
			 json_object_get(c->input, "ScalableDimension"), "Alarms", "CreationTime",
			 ecs_now(), "slipway");
}

static int put_policy(struct api_call *c)
{
	json_t *target, *there, *policy;
	AUTO_FREE char *key = policy_key(c);

	if (check_input(c, "PolicyName:s! " NAMED " PolicyType:s StepScalingPolicyConfiguration:o "
			   "TargetTrackingScalingPolicyConfiguration:o "
			   "PredictiveScalingPolicyConfiguration:o") < 0 ||
	    check_kind(c) < 0 || check_tracking(c) < 0 || need_target(c, "registered", &target) < 0)
		return -1;
	there = state_get(c->local->state, STATE_SCALING_POLICIES, key);
	policy = there ? json_deep_copy(there) : new_policy(c);
	json_object_set_new(policy, "PolicyType", json_string("TargetTrackingScaling"));
	take(policy, c->input, "TargetTrackingScalingPolicyConfiguration");
	json_object_set(c->output, "PolicyARN", json_object_get(policy, "PolicyARN"));
	json_object_set_new(c->output, "Alarms", json_array());
	return api_put(c, STATE_SCALING_POLICIES, key, policy);
}

static int delete_policy(struct api_call *c)
{
	AUTO_FREE char *key = policy_key(c);

	if (check_input(c, "PolicyName:s! " NAMED) < 0 || check_kind(c) < 0)
		return -1;
	if (!state_get(c->local->state, STATE_SCALING_POLICIES, key))
		return api_error(c, "ObjectNotFoundException",
				 "No scaling policy found for service namespace: ecs, resource ID: "
				 "%s, scalable dimension: " DIMENSION ", policy name: %s",
				 ecs_text(c->input, "ResourceId"),
				 ecs_text(c->input, "PolicyName"));
	return api_remove(c, STATE_SCALING_POLICIES, key);
}

static int describe_policies(struct api_call *c)
{
	json_t *out = json_array(), *policy;
	const char *key;

	json_object_set_new(c->output, "ScalingPolicies", out);
	if (check_input(c, "PolicyNames:t ServiceNamespace:s! ResourceId:s ScalableDimension:s "
			   "MaxResults:i NextToken:s") < 0 ||
	    check_kind(c) < 0)
		return -1;
	json_object_foreach (state_all(c->local->state, STATE_SCALING_POLICIES), key, policy)
		if (is_wanted(c, "ResourceId", ecs_text(policy, "ResourceId")) &&
		    is_wanted(c, "PolicyNames", ecs_text(policy, "PolicyName")))
			json_array_append_new(out, ecs_shown(policy));
	return api_page(c, out, PAGE);
}

static int describe_activities(struct api_call *c)
{
	json_t *out = json_array(), *target;
	const char *key;

	json_object_set_new(c->output, "ScalingActivities", out);
	if (check_input(c, "ServiceNamespace:s! ResourceId:s ScalableDimension:s MaxResults:i "
			   "NextToken:s IncludeNotScaledActivities:b") < 0 ||
	    check_kind(c) < 0)
		return -1;
	json_object_foreach (state_all(c->local->state, STATE_SCALABLE_TARGETS), key, target)
		if (is_wanted(c, "ResourceId", key))
			json_array_extend(out, json_object_get(ecs_own(target), "activities"));
	return api_page(c, out, PAGE);
}

/* ---- tags ---- */

static int find_by_arn(struct api_call *c, json_t **target)
{
	const char *arn = ecs_text(c->input, "ResourceARN"), *key;
	json_t *one;

	json_object_foreach (state_all(c->local->state, STATE_SCALABLE_TARGETS), key, one) {
		if (ecs_is(one, "ScalableTargetARN", arn)) {
			*target = one;
			return 0;
		}
	}
	return api_error(c, "ResourceNotFoundException", "The resource %s was not found.", arn);
}

static int put_tags(struct api_call *c, const json_t *target, json_t *tags)
{
	AUTO_FREE char *key = xstrdup(ecs_text(target, "ResourceId"));
	json_t *changed = json_deep_copy(target);

	json_object_set_new(changed, "Tags", tags);
	return api_put(c, STATE_SCALABLE_TARGETS, key, changed);
}

static int list_tags(struct api_call *c)
{
	json_t *target;

	if (check_input(c, "ResourceARN:s!") < 0 || find_by_arn(c, &target) < 0)
		return -1;
	json_object_set_new(c->output, "Tags", json_deep_copy(json_object_get(target, "Tags")));
	return 0;
}

static int tag(struct api_call *c)
{
	json_t *target, *tags, *value;
	const char *key;

	if (check_input(c, "ResourceARN:s! Tags:o") < 0 || find_by_arn(c, &target) < 0)
		return -1;
	tags = json_deep_copy(json_object_get(target, "Tags"));
	json_object_foreach (json_object_get(c->input, "Tags"), key, value)
		json_object_set_new(tags, key, json_deep_copy(value));
	return put_tags(c, target, tags);
}

static int untag(struct api_call *c)
{
	json_t *target, *tags, *key;
	size_t i;

	if (check_input(c, "ResourceARN:s! TagKeys:t!") < 0 || find_by_arn(c, &target) < 0)
		return -1;
	tags = json_deep_copy(json_object_get(target, "Tags"));
	json_array_foreach (json_object_get(c->input, "TagKeys"), i, key)
		json_object_del(tags, json_string_value(key));
	return put_tags(c, target, tags);
}

const struct api_operation api_autoscaling[] = {
	{"RegisterScalableTarget", register_target, false},
	{"DescribeScalableTargets", describe_targets, false},
	{"DeregisterScalableTarget", deregister_target, false},
	{"PutScalingPolicy", put_policy, false},
	{"DeleteScalingPolicy", delete_policy, false},
	{"DescribeScalingPolicies", describe_policies, false},
	{"DescribeScalingActivities", describe_activities, false},
	{"ListTagsForResource", list_tags, false},
	{"TagResource", tag, false},
	{"UntagResource", untag, false},
	{0},
};

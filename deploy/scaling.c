#include "deploy/scaling.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"

#define SPACE     "ecs"
#define DIMENSION "ecs:service:DesiredCount"
#define POLICY    "slipway-cpu"
#define METRIC    "ECSServiceAverageCPUUtilization"
/* Out fast, in slowly: a task too many costs cents, one too few costs answers. */
#define OUT_SECONDS 60
#define IN_SECONDS  300
#define MAX_TASKS   5000 /* of a service, by ECS's quotas */

static bool read_number(const char **text, int64_t *out)
{
	size_t digits = strspn(*text, "0123456789");

	if (digits == 0 || digits > 6)
		return false;
	*out = strtoll(*text, NULL, 10);
	*text += digits;
	return true;
}

int scaling_parse(const char *text, struct scaling *out, struct error *err)
{
	const char *at = text;
	struct scaling s = *out;

	if (!read_number(&at, &s.min) || strncmp(at, "..", 2) != 0)
		return error_set(err, ERROR_USAGE, "invalid scale \"%s\": MIN..MAX, such as 1..10",
				 text);
	at += 2;
	if (!read_number(&at, &s.max) || *at)
		return error_set(err, ERROR_USAGE, "invalid scale \"%s\": MIN..MAX, such as 1..10",
				 text);
	if (s.min > s.max || s.max < 1 || s.max > MAX_TASKS)
		return error_set(err, ERROR_USAGE,
				 "invalid scale \"%s\": MIN is at most MAX, and MAX from 1 to %d",
				 text, MAX_TASKS);
	*out = s;
	return 0;
}

int scaling_check_cpu(int64_t percent, struct error *err)
{
	if (percent < 1 || percent > 100)
		return error_set(err, ERROR_USAGE,
				 "a CPU target is from 1 to 100 percent, not %lld",
				 (long long)percent);
	return 0;
}

static json_t *about(const struct deploy_target *t, const char *service)
{
	AUTO_FREE char *id = xstrfmt("service/%s/%s", path_base(t->cluster), service);

	return json_pack("{s:s, s:s, s:s}", "ServiceNamespace", SPACE, "ResourceId", id,
			 "ScalableDimension", DIMENSION);
}

static int ask(const struct deploy_target *t, const char *operation, json_t *params,
	       struct aws_reply *reply, struct error *err)
{
	const struct aws_question q = {
		.service = AWS_AUTOSCALING,
		.operation = operation,
		.params = params,
		.fine = {"ObjectNotFoundException"},
	};

	return aws_ask(t->aws, &q, reply, err);
}

/* The one in an answer that is ours; a view. */
static json_t *policy_of(const json_t *answer)
{
	json_t *policy;
	size_t i;

	json_array_foreach (json_object_get(answer, "ScalingPolicies"), i, policy) {
		if (strcmp(aws_text(policy, "PolicyName"), POLICY) == 0)
			return policy;
	}
	return NULL;
}

static int find_cpu(const struct deploy_target *t, const char *service, int64_t *percent,
		    struct error *err)
{
	AUTO_JSON *params = about(t, service);
	AUTO(aws_reply) reply = {0};
	const json_t *configuration;

	if (ask(t, "DescribeScalingPolicies", params, &reply, err) < 0)
		return -1;
	configuration = json_object_get(policy_of(reply.json),
					"TargetTrackingScalingPolicyConfiguration");
	*percent = (int64_t)json_number_value(json_object_get(configuration, "TargetValue"));
	return 0;
}

/* *target NULL: there is none; else a new reference. */
static int find_target(const struct deploy_target *t, const char *service, json_t **target,
		       struct error *err)
{
	AUTO_JSON *params = about(t, service);
	AUTO(aws_reply) reply = {0};
	json_t *found;

	*target = NULL;
	json_object_set_new(params, "ResourceIds",
			    json_pack("[O]", json_object_get(params, "ResourceId")));
	json_object_del(params, "ResourceId");
	if (ask(t, "DescribeScalableTargets", params, &reply, err) < 0)
		return error_wrap(err, "ask whether %s scales by itself", service);
	found = json_array_get(json_object_get(reply.json, "ScalableTargets"), 0);
	if (found)
		*target = json_incref(found);
	return 0;
}

int scaling_find(const struct deploy_target *t, const char *service, bool *found,
		 struct scaling *out, struct error *err)
{
	AUTO_JSON *target = NULL;

	if (find_target(t, service, &target, err) < 0)
		return -1;
	*found = target != NULL;
	if (!target || !out)
		return 0;
	*out = (struct scaling){
		.min = aws_int(target, "MinCapacity"),
		.max = aws_int(target, "MaxCapacity"),
	};
	return find_cpu(t, service, &out->cpu_percent, err);
}

static json_t *tag_map(const struct deploy_target *t)
{
	return json_pack("{s:s, s:s}", TAG_APP, t->app, TAG_MADE_BY, MADE_BY);
}

static int put_policy(const struct deploy_target *t, const char *service, int64_t percent,
		      struct error *err)
{
	AUTO_JSON *params = about(t, service);
	AUTO(aws_reply) reply = {0};

	json_object_set_new(params, "PolicyName", json_string(POLICY));
	json_object_set_new(params, "PolicyType", json_string("TargetTrackingScaling"));
	json_object_set_new(params, "TargetTrackingScalingPolicyConfiguration",
			    json_pack("{s:f, s:{s:s}, s:i, s:i}", "TargetValue", (double)percent,
				      "PredefinedMetricSpecification", "PredefinedMetricType",
				      METRIC, "ScaleOutCooldown", OUT_SECONDS, "ScaleInCooldown",
				      IN_SECONDS));
	if (ask(t, "PutScalingPolicy", params, &reply, err) < 0)
		return error_wrap(err, "make the scaling policy of %s", service);
	if (reply.code)
		return error_set(err, ERROR_REMOTE,
				 "make the scaling policy of %s: its scalable target vanished: %s",
				 service, reply.message ? reply.message : reply.code);
	return 0;
}

int scaling_apply(const struct deploy_target *t, const char *service, const struct scaling *s,
		  struct error *err)
{
	AUTO_JSON *params = about(t, service);
	AUTO_JSON *target = NULL;
	AUTO(aws_reply) reply = {0};

	if (find_target(t, service, &target, err) < 0)
		return -1;
	if (!target || aws_int(target, "MinCapacity") != s->min ||
	    aws_int(target, "MaxCapacity") != s->max) {
		json_object_set_new(params, "MinCapacity", json_integer(s->min));
		json_object_set_new(params, "MaxCapacity", json_integer(s->max));
		/* AWS takes tags with a new target alone. */
		if (!target)
			json_object_set_new(params, "Tags", tag_map(t));
		if (ask(t, "RegisterScalableTarget", params, &reply, err) < 0)
			return error_wrap(err, "let %s scale from %lld to %lld", service,
					  (long long)s->min, (long long)s->max);
	}
	return put_policy(t, service, s->cpu_percent ? s->cpu_percent : SCALING_CPU_DEFAULT, err);
}

static int is_ours(const struct deploy_target *t, const json_t *target, bool *ours,
		   struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s}", "ResourceARN",
				      aws_text(target, "ScalableTargetARN"));
	AUTO(aws_reply) reply = {0};
	const json_t *tags;

	*ours = false;
	if (ask(t, "ListTagsForResource", params, &reply, err) < 0)
		return -1;
	tags = json_object_get(reply.json, "Tags");
	*ours = strcmp(aws_text(tags, TAG_MADE_BY), MADE_BY) == 0 &&
		strcmp(aws_text(tags, TAG_APP), t->app) == 0;
	return 0;
}

int scaling_remove(const struct deploy_target *t, const char *service, bool *removed,
		   struct error *err)
{
	AUTO_JSON *params = about(t, service);
	AUTO(aws_reply) reply = {0};

	/* its policies go with it */
	if (ask(t, "DeregisterScalableTarget", params, &reply, err) < 0)
		return error_wrap(err, "end the scaling of %s", service);
	*removed = !reply.code;
	return 0;
}

int scaling_destroy(const struct deploy_target *t, const char *service, bool *removed,
		    struct error *err)
{
	AUTO_JSON *target = NULL;
	bool ours;

	*removed = false;
	if (find_target(t, service, &target, err) < 0)
		return -1;
	if (!target)
		return 0;
	if (is_ours(t, target, &ours, err) < 0)
		return -1;
	return ours ? scaling_remove(t, service, removed, err) : 0;
}

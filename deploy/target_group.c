#include "deploy/target_group.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/*
 * AWS's own values let a new task wait two and a half minutes for its first request, and an old one five for its end. A redirect
 * (to a login, to HTTPS) is an answer of an app that is well.
 */
#define CHECK_SECONDS   10
#define CHECKS_HEALTHY  2
#define GOOD_STATUS     "200-399"
#define DRAIN_ATTRIBUTE "deregistration_delay.timeout_seconds"
#define DRAIN_SECONDS   "30"

void target_group_release(struct target_group *g)
{
	if (!g)
		return;
	free(g->name);
	free(g->arn);
	free(g->vpc);
	free(g->health_path);
	memset(g, 0, sizeof(*g));
}

int balancer_ask(const struct deploy_target *t, const char *operation, json_t *params,
		 const char *fine, struct aws_reply *reply, struct error *err)
{
	const struct aws_question q = {
		.service = AWS_ELBV2, .operation = operation, .params = params, .fine = {fine}};

	return aws_ask(t->aws, &q, reply, err);
}

int balancer_part_is_owned(const struct deploy_target *t, const char *arn, bool *owned,
			   struct error *err)
{
	AUTO_JSON *params = json_pack("{s:[s]}", "ResourceArns", arn);
	AUTO(aws_reply) reply = {0};
	const json_t *first;

	if (balancer_ask(t, "DescribeTags", params, NULL, &reply, err) < 0)
		return error_wrap(err, "read the tags of %s", arn);
	first = json_array_get(json_object_get(reply.json, "TagDescriptions"), 0);
	*owned = deploy_target_owns(t, json_object_get(first, "Tags"));
	return 0;
}

static void fill(struct target_group *g, const json_t *found)
{
	free(g->arn);
	free(g->vpc);
	free(g->health_path);
	g->arn = xstrdup(aws_text(found, "TargetGroupArn"));
	g->vpc = xstrdup(aws_text(found, "VpcId"));
	g->health_path = xstrdup(aws_text(found, "HealthCheckPath"));
}

int target_group_find(const struct deploy_target *t, const char *name, struct target_group *out,
		      struct error *err)
{
	AUTO_JSON *params = json_pack("{s:[s]}", "Names", name);
	AUTO(aws_reply) reply = {0};
	const json_t *found;

	target_group_release(out);
	out->name = xstrdup(name);
	if (balancer_ask(t, "DescribeTargetGroups", params, "TargetGroupNotFound", &reply, err) < 0)
		return error_wrap(err, "look for the target group %s", name);
	found = json_array_get(json_object_get(reply.json, "TargetGroups"), 0);
	if (!found)
		return 0;
	fill(out, found);
	return balancer_part_is_owned(t, out->arn, &out->owned, err);
}

static int create(const struct deploy_target *t, const struct target_group_wanted *w,
		  struct target_group *g, struct error *err)
{
	AUTO_JSON *params = json_pack(
		"{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:i, s:i, s:{s:s}, s:o}", "Name", g->name,
		"Protocol", "HTTP", "Port", (json_int_t)w->port, "VpcId", w->vpc, "TargetType",
		"ip", "HealthCheckProtocol", "HTTP", "HealthCheckPath", w->health_path,
		"HealthCheckIntervalSeconds", CHECK_SECONDS, "HealthyThresholdCount",
		CHECKS_HEALTHY, "Matcher", "HttpCode", GOOD_STATUS, "Tags",
		deploy_target_tags(t, "Key", "Value"));
	AUTO(aws_reply) reply = {0}, attributes = {0};
	AUTO_JSON *drain = NULL;

	if (balancer_ask(t, "CreateTargetGroup", params, NULL, &reply, err) < 0)
		return error_wrap(err, "make the target group %s", g->name);
	fill(g, json_array_get(json_object_get(reply.json, "TargetGroups"), 0));
	g->owned = true;
	drain = json_pack("{s:s, s:[{s:s, s:s}]}", "TargetGroupArn", g->arn, "Attributes", "Key",
			  DRAIN_ATTRIBUTE, "Value", DRAIN_SECONDS);
	if (balancer_ask(t, "ModifyTargetGroupAttributes", drain, NULL, &attributes, err) < 0)
		return error_wrap(err, "set up the target group %s", g->name);
	return 0;
}

int target_group_make(const struct deploy_target *t, const struct target_group_wanted *w,
		      struct target_group *g, struct error *err)
{
	AUTO_JSON *params = NULL;
	AUTO(aws_reply) reply = {0};

	if (!g->arn)
		return create(t, w, g, err);
	if (strcmp(g->vpc, w->vpc) != 0) {
		error_set(err, ERROR_NOT_FOUND,
			  "the target group %s is in %s, and the tasks are to be in %s", g->name,
			  g->vpc, w->vpc);
		return error_hint(err, "'slipway destroy %s' removes it with its load balancer",
				  t->app);
	}
	if (strcmp(g->health_path, w->health_path) == 0)
		return 0;
	params = json_pack("{s:s, s:s}", "TargetGroupArn", g->arn, "HealthCheckPath",
			   w->health_path);
	if (balancer_ask(t, "ModifyTargetGroup", params, NULL, &reply, err) < 0)
		return error_wrap(err, "change the health check of the target group %s", g->name);
	free(g->health_path);
	g->health_path = xstrdup(w->health_path);
	return 0;
}

int target_group_delete(const struct deploy_target *t, const char *arn, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s}", "TargetGroupArn", arn);

	for (int i = 0;; i++) {
		AUTO(aws_reply) reply = {0};

		if (balancer_ask(t, "DeleteTargetGroup", params, "ResourceInUse", &reply, err) < 0)
			return error_wrap(err, "delete the target group %s", arn);
		if (!reply.code)
			return 0;
		/* Its load balancer was deleted a moment ago. */
		if (i == 5)
			return error_set(err, ERROR_REMOTE, "delete the target group %s: %s", arn,
					 reply.message ? reply.message : reply.code);
		if (deploy_target_pause(t, i, err) < 0)
			return -1;
	}
}

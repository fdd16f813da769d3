#include <string.h>

#include "base/alloc.h"
#include "deploy/destroy_private.h"
#include "deploy/target_group.h"

#define TAGS_AT_ONCE 20

static int list(const struct deploy_target *t, const char *operation, json_t *params,
		const char *key, json_t **out, struct error *err)
{
	const struct aws_question q = {
		.service = AWS_ELBV2, .operation = operation, .params = params};

	return aws_ask_all(t->aws, &q, key, out, err);
}

/* The service has no filter by tags: those of all are asked for, 20 at a time. */
static int find_owned(const struct deploy_target *t, const json_t *all, const char *arn_key,
		      json_t *owned, struct error *err)
{
	for (size_t at = 0; at < json_array_size(all); at += TAGS_AT_ONCE) {
		AUTO(aws_reply) reply = {0};
		AUTO_JSON *arns = json_array();
		AUTO_JSON *params = json_pack("{s:O}", "ResourceArns", arns);
		const json_t *one;
		size_t i;

		for (i = at; i < at + TAGS_AT_ONCE && i < json_array_size(all); i++)
			json_array_append(arns, json_object_get(json_array_get(all, i), arn_key));
		if (balancer_ask(t, "DescribeTags", params, NULL, &reply, err) < 0)
			return -1;
		json_array_foreach (json_object_get(reply.json, "TagDescriptions"), i, one) {
			if (deploy_target_owns(t, json_object_get(one, "Tags")))
				json_array_append(owned, json_object_get(one, "ResourceArn"));
		}
	}
	return 0;
}

static bool has(const json_t *arns, const char *arn)
{
	const json_t *one;
	size_t i;

	json_array_foreach (arns, i, one) {
		if (json_is_string(one) && strcmp(json_string_value(one), arn) == 0)
			return true;
	}
	return false;
}

static int find_kind(const struct deploy_target *t, enum destroy_kind kind, struct destroy *d,
		     struct error *err)
{
	bool group = kind == DESTROY_TARGET_GROUP;
	const char *arn_key = group ? "TargetGroupArn" : "LoadBalancerArn";
	const char *name_key = group ? "TargetGroupName" : "LoadBalancerName";
	AUTO_JSON *params = json_object();
	AUTO_JSON *all = NULL;
	AUTO_JSON *owned = json_array();
	const json_t *one;
	size_t i;

	if (list(t, group ? "DescribeTargetGroups" : "DescribeLoadBalancers", params,
		 group ? "TargetGroups" : "LoadBalancers", &all, err) < 0 ||
	    find_owned(t, all, arn_key, owned, err) < 0)
		return error_wrap(err, "look for %ss", destroy_kind_name(kind));
	json_array_foreach (all, i, one) {
		if (has(owned, aws_text(one, arn_key)))
			destroy_add(d, kind, aws_text(one, name_key), aws_text(one, arn_key));
	}
	return 0;
}

int destroy_find_balancers(const struct deploy_target *t, struct destroy *d, struct error *err)
{
	if (find_kind(t, DESTROY_BALANCER, d, err) < 0)
		return -1;
	return find_kind(t, DESTROY_TARGET_GROUP, d, err);
}

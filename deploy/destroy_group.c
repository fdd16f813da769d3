#include <string.h>

#include "base/alloc.h"
#include "deploy/balancer_network.h"
#include "deploy/destroy_private.h"

static int describe(const struct deploy_target *t, json_t *params, json_t **out, struct error *err)
{
	const struct aws_question q = {
		.service = AWS_EC2, .operation = "DescribeSecurityGroups", .params = params};

	return aws_ask_all(t->aws, &q, "securityGroupInfo", out, err);
}

int destroy_find_groups(const struct deploy_target *t, struct destroy *d, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:[{s:s, s:[s]}, {s:s, s:[s]}]}", "Filter", "Name",
				      "tag:" TAG_APP, "Value", t->app, "Name", "tag:" TAG_MADE_BY,
				      "Value", MADE_BY);
	AUTO_JSON *groups = NULL;
	const json_t *group;
	size_t i;

	if (describe(t, params, &groups, err) < 0)
		return error_wrap(err, "look for security groups");
	json_array_foreach (groups, i, group) {
		/* A filter takes * for anything, and a family may not hold it; tags are compared again all the same. */
		if (deploy_target_owns(t, json_object_get(group, "tagSet")))
			destroy_add(d, DESTROY_SECURITY_GROUP, aws_text(group, "groupName"),
				    aws_text(group, "groupId"));
	}
	return 0;
}

int destroy_group(const struct deploy_target *t, const struct destroy_item *item, struct error *err)
{
	AUTO_FREE char *of_balancer = security_group_name(t, BALANCER_SUFFIX);
	AUTO_FREE char *removed = NULL;

	/* Others let it in by name, and hold it until they do not. */
	if (strcmp(item->name, of_balancer) == 0)
		return balancer_network_destroy(t, &removed, err);
	return security_group_delete(t, item->id, err);
}

/*
 * Security groups of the local target's EC2. They are kept and shown; what a task listens on is reached from this machine alone, whatever they
 * say.
 */
#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "base/random.h"
#include "local/api_ec2.h"
#include "local/ec2_rules.h"
#include "local/vpc.h"

#define ID_DIGITS 17

static int save(struct api_call *c, json_t *group)
{
	return api_put(c, STATE_SECURITY_GROUPS, aws_text(group, "groupId"), json_incref(group));
}

static json_t *find_named(struct api_call *c, const char *name)
{
	const char *key;
	json_t *group;

	json_object_foreach (state_all(c->local->state, STATE_SECURITY_GROUPS), key, group)
		if (strcmp(aws_text(group, "groupName"), name) == 0)
			return group;
	return NULL;
}

int ec2_group(struct api_call *c, json_t **group)
{
	const char *id, *name;

	if (api_text(c, "GroupId", &id) < 0 || api_text(c, "GroupName", &name) < 0)
		return -1;
	if (!id && !name)
		return api_error(c, "MissingParameter",
				 "The request must contain the parameter groupName or groupId");
	*group = id ? state_get(c->local->state, STATE_SECURITY_GROUPS, id) : find_named(c, name);
	if (!*group)
		return api_error(c, "InvalidGroup.NotFound",
				 "The security group '%.255s' does not exist", id ? id : name);
	return 0;
}

static json_t *shown(const json_t *group)
{
	json_t *out = json_copy((json_t *)(uintptr_t)group);
	const json_t *rules = json_object_get(group, "rules");

	json_object_del(out, "rules");
	json_object_set_new(out, "ipPermissions", ec2_rules_permissions(rules, false));
	json_object_set_new(out, "ipPermissionsEgress", ec2_rules_permissions(rules, true));
	return out;
}

static int describe_security_groups(struct api_call *c)
{
	static const struct ec2_kind kind = {
		"securityGroupInfo",
		"GroupId",
		"groupId",
		"InvalidGroup.NotFound",
		"security group",
		{{"group-name", "groupName"},
		 {"group-id", "groupId"},
		 {"vpc-id", "vpcId"},
		 {"description", "groupDescription"},
		 {"owner-id", "ownerId"},
		 {"ip-permission.from-port", "ipPermissions.fromPort"},
		 {"ip-permission.to-port", "ipPermissions.toPort"},
		 {"ip-permission.protocol", "ipPermissions.ipProtocol"},
		 {"ip-permission.cidr", "ipPermissions.ipRanges.cidrIp"},
		 {"ip-permission.group-id", "ipPermissions.groups.groupId"}},
	};
	const json_t *names = json_object_get(c->input, "GroupName"), *name;
	json_t *things = json_array(), *group;
	const char *key;
	size_t i;
	bool wanted;

	json_object_foreach (state_all(c->local->state, STATE_SECURITY_GROUPS), key, group) {
		wanted = !json_array_size(names);
		json_array_foreach (names, i, name)
			wanted = wanted || json_equal(name, json_object_get(group, "groupName"));
		if (wanted)
			json_array_append_new(things, shown(group));
	}
	if (json_array_size(names) > json_array_size(things)) {
		json_decref(things);
		return api_error(c, "InvalidGroup.NotFound",
				 "A security group of these names does not exist");
	}
	return ec2_describe(c, &kind, things);
}

static int describe_security_group_rules(struct api_call *c)
{
	static const struct ec2_kind kind = {
		"securityGroupRuleSet",
		"SecurityGroupRuleId",
		"securityGroupRuleId",
		"InvalidSecurityGroupRuleId.NotFound",
		"security group rule ID",
		{{"group-id", "groupId"}, {"security-group-rule-id", "securityGroupRuleId"}},
	};
	json_t *things = json_array(), *group, *rule;
	const char *key;
	size_t i;

	json_object_foreach (state_all(c->local->state, STATE_SECURITY_GROUPS), key, group) {
		json_array_foreach (json_object_get(group, "rules"), i, rule) {
			json_t *one = json_copy(rule);

			json_object_set_new(one, "groupId", json_text(key));
			json_object_set_new(one, "groupOwnerId", json_text(c->account));
			json_object_set_new(one, "tagSet", json_array());
			json_array_append_new(things, one);
		}
	}
	return ec2_describe(c, &kind, things);
}

static int read_new_group(struct api_call *c, const char **name, const char **about)
{
	const char *vpc;

	if (api_text(c, "GroupName", name) < 0 || api_text(c, "GroupDescription", about) < 0 ||
	    api_text(c, "VpcId", &vpc) < 0)
		return -1;
	if (!*name || !**name || !*about || !**about)
		return api_error(c, "MissingParameter", "The request must contain the parameter %s",
				 *name && **name ? "GroupDescription" : "GroupName");
	if (strlen(*name) > 255 || str_starts(*name, "sg-") || strlen(*about) > 255)
		return api_error(c, "InvalidParameterValue",
				 "Invalid security group: name and description have at most 255 "
				 "characters, and a name does not begin with sg-");
	if (vpc && strcmp(vpc, VPC_ID) != 0)
		return api_error(c, "InvalidVpcID.NotFound", "The vpc ID '%.100s' does not exist",
				 vpc);
	if (find_named(c, *name))
		return api_error(c, "InvalidGroup.Duplicate",
				 "The security group '%s' already exists for VPC '%s'", *name,
				 VPC_ID);
	return 0;
}

static int create_security_group(struct api_call *c)
{
	const char *name, *about;
	char digits[ID_DIGITS + 1];
	AUTO_FREE char *id = NULL;
	AUTO_JSON *group = NULL;
	const json_t *specification;
	size_t i;

	if (read_new_group(c, &name, &about) < 0)
		return -1;
	random_hex(digits, ID_DIGITS);
	id = xstrfmt("sg-%s", digits);
	group = vpc_new_group(c->account, id, name, about);
	json_array_foreach (json_object_get(c->input, "TagSpecification"), i, specification)
		if (strcmp(aws_text(specification, "ResourceType"), "security-group") == 0 &&
		    ec2_merge_tags(c, json_object_get(specification, "Tag"),
				   json_object_get(group, "tagSet")) < 0)
			return -1;
	if (save(c, group) < 0)
		return -1;
	json_object_set_new(c->output, "return", json_true());
	json_object_set_new(c->output, "groupId", json_text(id));
	json_object_set(c->output, "tagSet", json_object_get(group, "tagSet"));
	return 0;
}

static bool has_text(const json_t *list, const char *text)
{
	const json_t *each;
	size_t i;

	json_array_foreach (list, i, each)
		if (json_is_string(each) && strcmp(json_string_value(each), text) == 0)
			return true;
	return false;
}

/* By a task that has not ended: its interface is in it. */
static bool is_used(struct api_call *c, const char *id)
{
	const char *key;
	json_t *task;

	json_object_foreach (state_all(c->local->state, STATE_TASKS), key, task)
		if (strcmp(aws_text(task, "lastStatus"), "STOPPED") != 0 &&
		    has_text(json_object_get(json_object_get(task, "slipway"), "securityGroups"),
			     id))
			return true;
	return false;
}

static int delete_security_group(struct api_call *c)
{
	AUTO_FREE char *id = NULL;
	json_t *group;

	if (ec2_group(c, &group) < 0)
		return -1;
	id = xstrdup(aws_text(group, "groupId"));
	if (strcmp(id, VPC_DEFAULT_GROUP) == 0)
		return api_error(c, "CannotDelete",
				 "the specified group: \"%s\" name: \"default\" cannot be deleted "
				 "by a user",
				 id);
	if (is_used(c, id))
		return api_error(c, "DependencyViolation", "resource %s has a dependent object",
				 id);
	if (api_remove(c, STATE_SECURITY_GROUPS, id) < 0)
		return -1;
	json_object_set_new(c->output, "return", json_true());
	json_object_set_new(c->output, "groupId", json_text(id));
	return 0;
}

static int authorize(struct api_call *c, bool egress)
{
	json_t *group, *rules, *rule;
	AUTO_JSON *added = NULL;
	size_t i;

	if (ec2_group(c, &group) < 0 || ec2_rules_read(c, egress, &added) < 0)
		return -1;
	rules = json_object_get(group, "rules");
	json_array_foreach (added, i, rule) {
		AUTO_FREE char *text = ec2_rules_describe(rule);

		if (ec2_rules_find(rules, rule) < json_array_size(rules))
			return api_error(c, "InvalidPermission.Duplicate",
					 "the specified rule \"%s\" already exists", text);
	}
	json_array_foreach (added, i, rule)
		ec2_rules_add(rules, json_incref(rule));
	if (save(c, group) < 0)
		return -1;
	json_array_foreach (added, i, rule) {
		json_t *one = json_copy(rule);

		json_object_set(one, "groupId", json_object_get(group, "groupId"));
		json_array_set_new(added, i, one);
	}
	json_object_set_new(c->output, "return", json_true());
	json_object_set(c->output, "securityGroupRuleSet", added);
	return 0;
}

/* By SecurityGroupRuleId. */
static int revoke_by_id(struct api_call *c, json_t *rules, const json_t *ids)
{
	const json_t *id;
	size_t i, k;

	json_array_foreach (ids, i, id) {
		for (k = 0; k < json_array_size(rules); k++)
			if (json_equal(id, json_object_get(json_array_get(rules, k),
							   "securityGroupRuleId")))
				break;
		if (k == json_array_size(rules))
			return api_error(c, "InvalidSecurityGroupRuleId.NotFound",
					 "The security group rule ID '%.100s' does not exist",
					 json_is_string(id) ? json_string_value(id) : "");
		json_array_remove(rules, k);
	}
	return 0;
}

/* Of a default VPC's groups, a rule that is not there is no error: it is told. */
static int revoke_by_rule(struct api_call *c, bool egress, json_t *rules)
{
	AUTO_JSON *gone = NULL;
	AUTO_JSON *unknown = json_array();
	json_t *rule;
	size_t i, at;

	if (ec2_rules_read(c, egress, &gone) < 0)
		return -1;
	json_array_foreach (gone, i, rule) {
		at = ec2_rules_find(rules, rule);
		if (at < json_array_size(rules))
			json_array_remove(rules, at);
		else
			json_array_append(unknown, rule);
	}
	json_object_set_new(c->output, "unknownIpPermissionSet",
			    ec2_rules_permissions(unknown, egress));
	return 0;
}

static int revoke_rules(struct api_call *c, bool egress)
{
	const json_t *ids = json_object_get(c->input, "SecurityGroupRuleId");
	AUTO_JSON *rules = NULL;
	json_t *group;

	if (ec2_group(c, &group) < 0)
		return -1;
	json_object_set_new(c->output, "return", json_true());
	rules = json_copy(json_object_get(group, "rules"));
	if ((json_array_size(ids) ? revoke_by_id(c, rules, ids)
				  : revoke_by_rule(c, egress, rules)) < 0)
		return -1;
	json_object_set(group, "rules", rules);
	return save(c, group);
}

static int authorize_ingress(struct api_call *c)
{
	return authorize(c, false);
}

static int authorize_egress(struct api_call *c)
{
	return authorize(c, true);
}

static int revoke_ingress(struct api_call *c)
{
	return revoke_rules(c, false);
}

static int revoke_egress(struct api_call *c)
{
	return revoke_rules(c, true);
}

static int create_tags(struct api_call *c)
{
	const json_t *ids = json_object_get(c->input, "ResourceId"), *id;
	size_t i;

	json_array_foreach (ids, i, id) {
		const char *text = json_is_string(id) ? json_string_value(id) : "";

		if (!state_get(c->local->state, STATE_SECURITY_GROUPS, text))
			return api_error(c, "InvalidID",
					 "The ID '%.100s' is not valid: the local target tags "
					 "security groups alone",
					 text);
	}
	json_array_foreach (ids, i, id) {
		json_t *group = state_get(c->local->state, STATE_SECURITY_GROUPS,
					  json_string_value(id));
		AUTO_JSON *tags = json_copy(json_object_get(group, "tagSet"));

		if (ec2_merge_tags(c, json_object_get(c->input, "Tag"), tags) < 0)
			return -1;
		json_object_set(group, "tagSet", tags);
		if (save(c, group) < 0)
			return -1;
	}
	json_object_set_new(c->output, "return", json_true());
	return 0;
}

const struct api_operation api_ec2_groups[] = {
	{"DescribeSecurityGroups", describe_security_groups, false},
	{"DescribeSecurityGroupRules", describe_security_group_rules, false},
	{"CreateSecurityGroup", create_security_group, false},
	{"DeleteSecurityGroup", delete_security_group, false},
	{"AuthorizeSecurityGroupIngress", authorize_ingress, false},
	{"AuthorizeSecurityGroupEgress", authorize_egress, false},
	{"RevokeSecurityGroupIngress", revoke_ingress, false},
	{"RevokeSecurityGroupEgress", revoke_egress, false},
	{"CreateTags", create_tags, false},
	{0},
};

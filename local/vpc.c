#include "local/vpc.h"

#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "local/ec2_rules.h"

char vpc_zone(const char *subnet)
{
	if (strcmp(subnet, VPC_SUBNET_A) == 0)
		return 'a';
	return strcmp(subnet, VPC_SUBNET_B) == 0 ? 'b' : 0;
}

json_t *vpc_new_group(const char *account, const char *id, const char *name, const char *about)
{
	json_t *everything = json_pack("{s:b, s:s, s:s}", "isEgress", 1, "ipProtocol", "-1",
				       "cidrIpv4", "0.0.0.0/0");
	json_t *group = json_pack("{s:s, s:o, s:o, s:s, s:s, s:[], s:[]}", "groupId", id,
				  "groupName", json_text(name), "groupDescription",
				  json_text(about), "vpcId", VPC_ID, "ownerId", account, "tagSet",
				  "rules");

	ec2_rules_add(json_object_get(group, "rules"), everything);
	return group;
}

int vpc_prepare(struct state *s, const char *account, struct error *err)
{
	json_t *group, *inside;
	int r = 0;

	state_lock(s);
	if (!state_get(s, STATE_SECURITY_GROUPS, VPC_DEFAULT_GROUP)) {
		group = vpc_new_group(account, VPC_DEFAULT_GROUP, "default",
				      "default VPC security group");
		inside = json_pack("{s:b, s:s, s:{s:s, s:s}}", "isEgress", 0, "ipProtocol", "-1",
				   "referencedGroupInfo", "groupId", VPC_DEFAULT_GROUP, "userId",
				   account);
		ec2_rules_add(json_object_get(group, "rules"), inside);
		r = state_put(s, STATE_SECURITY_GROUPS, VPC_DEFAULT_GROUP, group, err);
	}
	state_unlock(s);
	return r;
}

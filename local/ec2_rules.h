/*
 * Rules of security groups. They are kept one by one, as DescribeSecurityGroupRules shows them: {"securityGroupRuleId", "isEgress", "ipProtocol",
 * "fromPort", "toPort", "description", and one of "cidrIpv4", "cidrIpv6", "prefixListId", "referencedGroupInfo"}; groups show those of one
 * protocol and ports together.
 */
#pragma once

#include "local/api.h"

/* Gives the rule (takes the reference) an id and adds it. */
void ec2_rules_add(json_t *rules, json_t *rule);
/* The place of an equal rule, ids and descriptions left aside; json_array_size(): there is none. */
size_t ec2_rules_find(const json_t *rules, const json_t *rule);
/* "ipPermissions" or "ipPermissionsEgress" of a group. A new reference. */
json_t *ec2_rules_permissions(const json_t *rules, bool egress);
/* The rules that the input's IpPermissions describe, in a new array. Errors are EC2's. */
int ec2_rules_read(struct api_call *c, bool egress, json_t **out);
/* "peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW"; free(). */
char *ec2_rules_describe(const json_t *rule);

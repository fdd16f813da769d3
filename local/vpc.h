/* The one network of the local target: a default VPC with two subnets, a way out and a default security group. */
#pragma once

#include "local/state.h"

#define VPC_ID            "vpc-0510ca10000000001"
#define VPC_BLOCK         "172.31.0.0/16"
#define VPC_SUBNET_A      "subnet-0510ca1000000000a"
#define VPC_SUBNET_B      "subnet-0510ca1000000000b"
#define VPC_ROUTE_TABLE   "rtb-0510ca10000000001"
#define VPC_GATEWAY       "igw-0510ca10000000001"
#define VPC_DEFAULT_GROUP "sg-0510ca10000000001"

/* 'a' or 'b'; 0: there is no such subnet. */
char vpc_zone(const char *subnet);
/* Makes the default security group when it is not there. Takes the state's lock by itself. */
int vpc_prepare(struct state *s, const char *account, struct error *err);
/* A new document of STATE_SECURITY_GROUPS, with the rule that lets everything out. */
json_t *vpc_new_group(const char *account, const char *id, const char *name, const char *about);

/* What route tables let a subnet reach: read from what EC2 describes, without asking anything. */
#pragma once

#include "base/json.h"

enum route {
	ROUTE_NONE,    /* the VPC alone */
	ROUTE_PUBLIC,  /* 0.0.0.0/0 by an internet gateway: for those with a public address */
	ROUTE_PRIVATE, /* 0.0.0.0/0 by NAT, a transit gateway, a peer, an appliance */
};

/* The table of the subnet, its own or else the main one of its VPC (routeTableSet of DescribeRouteTables); NULL: none. */
const json_t *route_table_of(const json_t *tables, const char *subnet);
enum route route_of(const json_t *table);
/*
 * Of the services that end with these words ("ecr.api"), those without an endpoint (vpcEndpointSet of DescribeVpcEndpoints) that the
 * subnet's table reaches; appended to missing once.
 */
void route_missing_endpoints(const json_t *endpoints, const json_t *table,
			     const char *const *services, struct strlist *missing);

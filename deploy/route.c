#include "deploy/route.h"

#include <string.h>
#include <strings.h>

#include "aws/ask.h"

const json_t *route_table_of(const json_t *tables, const char *subnet)
{
	const json_t *table, *association, *main = NULL;
	size_t i, k;

	json_array_foreach (tables, i, table) {
		json_array_foreach (json_object_get(table, "associationSet"), k, association) {
			if (strcmp(aws_text(association, "subnetId"), subnet) == 0)
				return table;
			if (strcmp(aws_text(association, "main"), "true") == 0)
				main = table;
		}
	}
	return main;
}

/* Whatever carries packets out of the VPC but an internet gateway: EC2's Route has a member for each kind. */
static bool has_private_target(const json_t *route)
{
	static const char *const members[] = {
		"natGatewayId",     "transitGatewayId", "networkInterfaceId",
		"instanceId",       "localGatewayId",   "vpcPeeringConnectionId",
		"carrierGatewayId", "coreNetworkArn",   "gatewayId",
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (*aws_text(route, members[i]) &&
		    strcmp(aws_text(route, members[i]), "local") != 0)
			return true;
	return false;
}

enum route route_of(const json_t *table)
{
	const json_t *route;
	size_t i;

	json_array_foreach (json_object_get(table, "routeSet"), i, route) {
		if (strcmp(aws_text(route, "destinationCidrBlock"), "0.0.0.0/0") != 0 ||
		    strcmp(aws_text(route, "state"), "blackhole") == 0)
			continue;
		if (str_starts(aws_text(route, "gatewayId"), "igw-"))
			return ROUTE_PUBLIC;
		if (has_private_target(route))
			return ROUTE_PRIVATE;
	}
	return ROUTE_NONE;
}

/* A gateway endpoint (S3) serves the route tables that it is written into; an interface serves its whole VPC. */
static bool serves(const json_t *endpoint, const json_t *table)
{
	const json_t *id;
	size_t i;

	/* The service says "available" where its own model has "Available". */
	if (strcasecmp(aws_text(endpoint, "state"), "available") != 0)
		return false;
	if (strcasecmp(aws_text(endpoint, "vpcEndpointType"), "Gateway") != 0)
		return true;
	json_array_foreach (json_object_get(endpoint, "routeTableIdSet"), i, id) {
		if (json_is_string(id) &&
		    strcmp(json_string_value(id), aws_text(table, "routeTableId")) == 0)
			return true;
	}
	return false;
}

/* "com.amazonaws.eu-west-1.ecr.api", "cn.com.amazonaws.cn-north-1.ecr.api" */
static bool is_of(const char *name, const char *service)
{
	size_t n = strlen(name), len = strlen(service);

	return n > len && name[n - len - 1] == '.' && strcmp(name + n - len, service) == 0;
}

void route_missing_endpoints(const json_t *endpoints, const json_t *table,
			     const char *const *services, struct strlist *missing)
{
	for (; *services; services++) {
		const json_t *endpoint;
		bool found = false;
		size_t i;

		json_array_foreach (endpoints, i, endpoint) {
			found |= is_of(aws_text(endpoint, "serviceName"), *services) &&
				 serves(endpoint, table);
		}
		if (!found && !strlist_has(missing, *services))
			strlist_add(missing, *services);
	}
}

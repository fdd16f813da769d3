/*
 * EC2 of the local target, as far as tasks need a network (Amazon EC2 API, 2016-11-15): one default VPC, and an interface for each task that
 * runs, whose public address is the task's own on this machine.
 */
#include "local/api_ec2.h"

#include <string.h>

#include "aws/ask.h"
#include "base/alloc.h"
#include "local/vpc.h"

static int describe_vpcs(struct api_call *c)
{
	static const struct ec2_kind kind = {
		"vpcSet",
		"VpcId",
		"vpcId",
		"InvalidVpcID.NotFound",
		"vpc ID",
		{{"is-default", "isDefault"},
		 {"isDefault", "isDefault"},
		 {"vpc-id", "vpcId"},
		 {"state", "state"},
		 {"cidr", "cidrBlock"},
		 {"owner-id", "ownerId"}},
	};

	return ec2_describe(c, &kind,
			    json_pack("[{s:s, s:s, s:s, s:s, s:b, s:s, s:[]}]", "vpcId", VPC_ID,
				      "ownerId", c->account, "state", "available", "cidrBlock",
				      VPC_BLOCK, "isDefault", 1, "instanceTenancy", "default",
				      "tagSet"));
}

static int create_default_vpc(struct api_call *c)
{
	return api_error(c, "DefaultVpcAlreadyExists",
			 "A Default VPC already exists for this account in this region.");
}

static json_t *subnet(const struct api_call *c, const char *id, const char *block)
{
	char zone = vpc_zone(id);
	AUTO_FREE char *name = xstrfmt("%s%c", c->region, zone);
	AUTO_FREE char *what = xstrfmt("subnet/%s", id);
	AUTO_FREE char *arn = api_arn(c, "ec2", what);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:b, s:b, s:[]}", "subnetId", id,
			 "subnetArn", arn, "state", "available", "vpcId", VPC_ID, "ownerId",
			 c->account, "cidrBlock", block, "availableIpAddressCount", 4091,
			 "availabilityZone", name, "defaultForAz", 1, "mapPublicIpOnLaunch", 1,
			 "tagSet");
}

static int describe_subnets(struct api_call *c)
{
	static const struct ec2_kind kind = {
		"subnetSet",
		"SubnetId",
		"subnetId",
		"InvalidSubnetID.NotFound",
		"subnet ID",
		{{"vpc-id", "vpcId"},
		 {"default-for-az", "defaultForAz"},
		 {"defaultForAz", "defaultForAz"},
		 {"subnet-id", "subnetId"},
		 {"availability-zone", "availabilityZone"},
		 {"availabilityZone", "availabilityZone"},
		 {"map-public-ip-on-launch", "mapPublicIpOnLaunch"},
		 {"cidr-block", "cidrBlock"},
		 {"owner-id", "ownerId"},
		 {"state", "state"}},
	};

	return ec2_describe(c, &kind,
			    json_pack("[o, o]", subnet(c, VPC_SUBNET_A, "172.31.0.0/20"),
				      subnet(c, VPC_SUBNET_B, "172.31.16.0/20")));
}

static int describe_route_tables(struct api_call *c)
{
	static const struct ec2_kind kind = {
		"routeTableSet",
		"RouteTableId",
		"routeTableId",
		"InvalidRouteTableID.NotFound",
		"routeTable ID",
		{{"vpc-id", "vpcId"},
		 {"association.subnet-id", "associationSet.subnetId"},
		 {"association.main", "associationSet.main"},
		 {"association.route-table-id", "associationSet.routeTableId"},
		 {"route-table-id", "routeTableId"},
		 {"route.gateway-id", "routeSet.gatewayId"},
		 {"route.nat-gateway-id", "routeSet.natGatewayId"},
		 {"route.destination-cidr-block", "routeSet.destinationCidrBlock"},
		 {"owner-id", "ownerId"}},
	};
	json_t *routes = json_pack("[{s:s, s:s, s:s, s:s}, {s:s, s:s, s:s, s:s}]",
				   "destinationCidrBlock", VPC_BLOCK, "gatewayId", "local", "state",
				   "active", "origin", "CreateRouteTable", "destinationCidrBlock",
				   "0.0.0.0/0", "gatewayId", VPC_GATEWAY, "state", "active",
				   "origin", "CreateRoute");
	json_t *main = json_pack("[{s:s, s:s, s:b, s:{s:s}}]", "routeTableAssociationId",
				 "rtbassoc-0510ca10000000001", "routeTableId", VPC_ROUTE_TABLE,
				 "main", 1, "associationState", "state", "associated");

	return ec2_describe(c, &kind,
			    json_pack("[{s:s, s:s, s:s, s:o, s:o, s:[]}]", "routeTableId",
				      VPC_ROUTE_TABLE, "vpcId", VPC_ID, "ownerId", c->account,
				      "routeSet", routes, "associationSet", main, "tagSet"));
}

static int describe_internet_gateways(struct api_call *c)
{
	static const struct ec2_kind kind = {
		"internetGatewaySet",
		"InternetGatewayId",
		"internetGatewayId",
		"InvalidInternetGatewayID.NotFound",
		"internetGateway ID",
		{{"attachment.vpc-id", "attachmentSet.vpcId"},
		 {"attachment.state", "attachmentSet.state"},
		 {"internet-gateway-id", "internetGatewayId"},
		 {"owner-id", "ownerId"}},
	};

	return ec2_describe(c, &kind,
			    json_pack("[{s:s, s:s, s:[{s:s, s:s}], s:[]}]", "internetGatewayId",
				      VPC_GATEWAY, "ownerId", c->account, "attachmentSet", "vpcId",
				      VPC_ID, "state", "available", "tagSet"));
}

static json_t *zone(const struct api_call *c, char letter)
{
	AUTO_FREE char *name = xstrfmt("%s%c", c->region, letter);
	AUTO_FREE char *id = xstrfmt("local-az%d", letter - 'a' + 1);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[]}", "zoneName", name, "zoneId",
			 id, "regionName", c->region, "zoneState", "available", "groupName",
			 c->region, "zoneType", "availability-zone", "optInStatus",
			 "opt-in-not-required", "messageSet");
}

static int describe_availability_zones(struct api_call *c)
{
	static const struct ec2_kind kind = {
		"availabilityZoneInfo",
		"ZoneName",
		"zoneName",
		"InvalidParameterValue",
		"availability zone",
		{{"zone-name", "zoneName"},
		 {"zone-id", "zoneId"},
		 {"zone-type", "zoneType"},
		 {"region-name", "regionName"},
		 {"opt-in-status", "optInStatus"},
		 {"state", "zoneState"}},
	};

	return ec2_describe(c, &kind, json_pack("[o, o]", zone(c, 'a'), zone(c, 'b')));
}

static int describe_vpc_endpoints(struct api_call *c)
{
	static const struct ec2_kind kind = {
		"vpcEndpointSet",
		"VpcEndpointId",
		"vpcEndpointId",
		"InvalidVpcEndpointId.NotFound",
		"Vpc Endpoint Id",
		{{"vpc-id", "vpcId"},
		 {"service-name", "serviceName"},
		 {"vpc-endpoint-id", "vpcEndpointId"},
		 {"vpc-endpoint-state", "state"},
		 {"vpc-endpoint-type", "vpcEndpointType"}},
	};

	return ec2_describe(c, &kind, json_array());
}

static int describe_nat_gateways(struct api_call *c)
{
	static const struct ec2_kind kind = {
		"natGatewaySet",
		"NatGatewayId",
		"natGatewayId",
		"NatGatewayNotFound",
		"NAT gateway",
		{{"vpc-id", "vpcId"},
		 {"subnet-id", "subnetId"},
		 {"nat-gateway-id", "natGatewayId"},
		 {"state", "state"}},
	};

	return ec2_describe(c, &kind, json_array());
}

static int describe_instances(struct api_call *c)
{
	static const struct ec2_kind kind = {
		"reservationSet",
		"InstanceId",
		"instanceId",
		"InvalidInstanceID.NotFound",
		"instance ID",
		{{"vpc-id", "vpcId"},
		 {"instance-id", "instanceId"},
		 {"instance-state-name", "state"}},
	};

	return ec2_describe(c, &kind, json_array());
}

static const char *detail_of(const json_t *attachment, const char *name)
{
	const json_t *detail;
	size_t i;

	json_array_foreach (json_object_get(attachment, "details"), i, detail)
		if (strcmp(aws_text(detail, "name"), name) == 0)
			return aws_text(detail, "value");
	return "";
}

static json_t *groups_of(const struct api_call *c, const json_t *task)
{
	const json_t *ids = json_object_get(json_object_get(task, "slipway"), "securityGroups"),
		     *id;
	json_t *out = json_array();
	size_t i;

	json_array_foreach (ids, i, id) {
		const json_t *group = state_get(c->local->state, STATE_SECURITY_GROUPS,
						json_string_value(id));

		if (group)
			json_array_append_new(out,
					      json_pack("{s:O, s:O}", "groupId", id, "groupName",
							json_object_get(group, "groupName")));
	}
	if (!json_array_size(out))
		json_array_append_new(out, json_pack("{s:s, s:s}", "groupId", VPC_DEFAULT_GROUP,
						     "groupName", "default"));
	return out;
}

/* NULL: it has no address yet. */
static json_t *interface(const struct api_call *c, const json_t *task, const json_t *attachment)
{
	const char *address = aws_text(json_object_get(task, "slipway"), "address");
	const char *private = detail_of(attachment, "privateIPv4Address");
	const char *subnet_id = detail_of(attachment, "subnetId");
	char letter = vpc_zone(subnet_id);
	AUTO_FREE char *zone_name = xstrfmt("%s%c", c->region, letter ? letter : 'a');
	json_t *out;

	if (!*address)
		return NULL;
	out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:o, s:[]}",
			"networkInterfaceId", detail_of(attachment, "networkInterfaceId"),
			"subnetId", subnet_id, "vpcId", VPC_ID, "availabilityZone", zone_name,
			"description", aws_text(attachment, "id"), "ownerId", c->account,
			"requesterId", c->account, "requesterManaged", 1, "status", "in-use",
			"macAddress", detail_of(attachment, "macAddress"), "interfaceType",
			"interface", "groupSet", groups_of(c, task), "tagSet");
	if (*private) {
		json_object_set_new(out, "privateIpAddress", json_string(private));
		json_object_set_new(
			out, "privateIpAddressesSet",
			json_pack("[{s:s, s:b}]", "privateIpAddress", private, "primary", 1));
	}
	json_object_set_new(out, "association",
			    json_pack("{s:s, s:s, s:s}", "publicIp", address, "publicDnsName", "",
				      "ipOwnerId", c->account));
	return out;
}

static int describe_network_interfaces(struct api_call *c)
{
	static const struct ec2_kind kind = {
		"networkInterfaceSet",
		"NetworkInterfaceId",
		"networkInterfaceId",
		"InvalidNetworkInterfaceID.NotFound",
		"networkInterface ID",
		{{"network-interface-id", "networkInterfaceId"},
		 {"subnet-id", "subnetId"},
		 {"vpc-id", "vpcId"},
		 {"group-id", "groupSet.groupId"},
		 {"group-name", "groupSet.groupName"},
		 {"private-ip-address", "privateIpAddress"},
		 {"addresses.private-ip-address", "privateIpAddress"},
		 {"association.public-ip", "association.publicIp"},
		 {"availability-zone", "availabilityZone"},
		 {"description", "description"},
		 {"status", "status"}},
	};
	json_t *things = json_array(), *task, *attachment, *made;
	const char *key;
	size_t i;

	json_object_foreach (state_all(c->local->state, STATE_TASKS), key, task) {
		if (strcmp(aws_text(task, "lastStatus"), "STOPPED") == 0)
			continue;
		json_array_foreach (json_object_get(task, "attachments"), i, attachment) {
			made = interface(c, task, attachment);
			if (made)
				json_array_append_new(things, made);
		}
	}
	return ec2_describe(c, &kind, things);
}

const struct api_operation api_ec2[] = {
	{"DescribeVpcs", describe_vpcs, false},
	{"CreateDefaultVpc", create_default_vpc, false},
	{"DescribeSubnets", describe_subnets, false},
	{"DescribeRouteTables", describe_route_tables, false},
	{"DescribeInternetGateways", describe_internet_gateways, false},
	{"DescribeAvailabilityZones", describe_availability_zones, false},
	{"DescribeVpcEndpoints", describe_vpc_endpoints, false},
	{"DescribeNatGateways", describe_nat_gateways, false},
	{"DescribeNetworkInterfaces", describe_network_interfaces, false},
	{"DescribeInstances", describe_instances, false},
	{0},
};

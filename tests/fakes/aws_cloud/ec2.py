"""EC2's networks: a default VPC, subnets with ways out or none, security groups, the interfaces of tasks."""
import fnmatch
import ipaddress

from .errors import Error


def _tags(p, kind):
    return {t["Key"]: t["Value"] for s in p.get("TagSpecifications", []) if s.get("ResourceType") == kind for t in s.get("Tags", [])}


def _tag_set(tags):
    return [{"Key": k, "Value": v} for k, v in tags.items()]


class Ec2:
    def __init__(self, cloud):
        self.cloud, self.n = cloud, 0
        self.vpcs, self.subnets, self.tables, self.groups, self.interfaces = {}, {}, {}, {}, {}
        self.endpoints = []
        self.vpc = self.add_vpc("172.31.0.0/16", True)
        self.public = [self.add_subnet(self.vpc, "public", zone) for zone in "abc"]

    def _id(self, kind):
        self.n += 1
        return f"{kind}-{0xabc0000000000000 + self.n:016x}"[:len(kind) + 18]

    # ---- what a test lays out -------------------------------------------------

    def add_vpc(self, block="10.0.0.0/16", default=False):
        vpc = self._id("vpc")
        self.vpcs[vpc] = {"VpcId": vpc, "CidrBlock": block, "IsDefault": default, "State": "available",
                          "OwnerId": self.cloud.account, "InstanceTenancy": "default"}
        self._add_table(vpc, [], main=True)
        group = self._add_group(vpc, "default", "default VPC security group")
        group["IpPermissions"] = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group["GroupId"]}]}]
        return vpc

    def remove_default_vpc(self):
        """As in an account whose administrators did away with it."""
        for found in (self.subnets, self.groups, self.tables, self.vpcs):
            for key in [k for k, v in found.items() if v["VpcId"] == self.vpc]:
                del found[key]

    def add_subnet(self, vpc, kind, zone="a"):
        """kind: public (way out by an internet gateway), nat, or isolated."""
        subnet = self._id("subnet")
        network = ipaddress.ip_network(self.vpcs[vpc]["CidrBlock"])
        block = list(network.subnets(new_prefix=24))[len(self.subnets)]
        self.subnets[subnet] = {
            "SubnetId": subnet, "VpcId": vpc, "CidrBlock": str(block), "AvailabilityZone": self.cloud.region + zone, "State": "available",
            "AvailableIpAddressCount": 250, "DefaultForAz": self.vpcs[vpc]["IsDefault"], "MapPublicIpOnLaunch": kind == "public",
            "OwnerId": self.cloud.account, "SubnetArn": self.cloud.arn("ec2", f"subnet/{subnet}")}
        way = {"public": {"GatewayId": "igw-0a1b2c3d4e5f60718"}, "nat": {"NatGatewayId": "nat-0a1b2c3d4e5f60718"}}.get(kind)
        route = [{"DestinationCidrBlock": "0.0.0.0/0", "State": "active", **way}] if way else []
        if self.vpcs[vpc]["IsDefault"] and kind == "public":
            # A default VPC's subnets follow its main table, without an association of their own.
            main = next(t for t in self.tables.values() if t["VpcId"] == vpc and t["Associations"][0]["Main"])
            main["Routes"] = main["Routes"][:1] + route
        else:
            self._add_table(vpc, route, subnet=subnet)
        return subnet

    def _add_table(self, vpc, routes, main=False, subnet=None):
        table = self._id("rtb")
        local = {"DestinationCidrBlock": self.vpcs[vpc]["CidrBlock"], "GatewayId": "local", "State": "active"}
        association = {"Main": main, "RouteTableId": table, "RouteTableAssociationId": self._id("rtbassoc")}
        if subnet:
            association["SubnetId"] = subnet
        self.tables[table] = {"RouteTableId": table, "VpcId": vpc, "Routes": [local, *routes], "Associations": [association]}

    def _add_group(self, vpc, name, description, tags=()):
        group = self._id("sg")
        everywhere = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        self.groups[group] = {"GroupId": group, "VpcId": vpc, "GroupName": name, "Description": description, "IpPermissions": [],
                              "IpPermissionsEgress": [everywhere], "OwnerId": self.cloud.account, "Tags": _tag_set(dict(tags))}
        return self.groups[group]

    # ---- what ECS asks --------------------------------------------------------

    def route(self, subnet):
        """"igw", "nat" or None: how a packet for the internet leaves."""
        vpc = self.subnets[subnet]["VpcId"]
        tables = [t for t in self.tables.values() if any(a.get("SubnetId") == subnet for a in t["Associations"])] or \
                 [t for t in self.tables.values() if t["VpcId"] == vpc and t["Associations"][0]["Main"]]
        for route in tables[0]["Routes"]:
            if route["DestinationCidrBlock"] == "0.0.0.0/0":
                return "igw" if "GatewayId" in route else "nat"
        return None

    def add_interface(self, subnet, groups, public):
        interface = self._id("eni")
        n = len(self.interfaces) + 10
        private = str(ipaddress.ip_network(self.subnets[subnet]["CidrBlock"])[n])
        found = {"NetworkInterfaceId": interface, "SubnetId": subnet, "VpcId": self.subnets[subnet]["VpcId"], "Status": "in-use",
                 "PrivateIpAddress": private, "MacAddress": f"06:00:00:00:00:{n:02x}", "InterfaceType": "interface",
                 "Groups": [{"GroupId": g, "GroupName": self.groups[g]["GroupName"]} for g in groups]}
        if public:
            found["Association"] = {"PublicIp": f"203.0.113.{n}", "IpOwnerId": "amazon",
                                    "PublicDnsName": f"ec2-203-0-113-{n}.{self.cloud.region}.compute.amazonaws.com"}
        self.interfaces[interface] = found
        return found

    def remove_interface(self, interface):
        self.interfaces.pop(interface, None)

    # ---- operations -------------------------------------------------------------

    def _filtered(self, things, p, facts):
        """facts(thing, filter name): the values a filter is held against."""
        for wanted in p.get("Filters", []):
            kept = []
            for thing in things:
                name = wanted["Name"]
                if name.startswith("tag:"):
                    values = [t["Value"] for t in thing.get("Tags", []) if t["Key"] == name[4:]]
                else:
                    values = facts(thing).get(name)
                    if values is None:
                        raise Error("InvalidParameterValue", f"The filter '{name}' is invalid")
                    values = values if isinstance(values, list) else [values]
                if any(fnmatch.fnmatchcase(v, w) for v in values for w in wanted["Values"]):
                    kept.append(thing)
            things = kept
        return things

    @staticmethod
    def _named(all_of, ids, code, what):
        for name in ids or ():
            if name not in all_of:
                raise Error(code, f"The {what} '{name}' does not exist")
        return [v for k, v in all_of.items() if not ids or k in ids]

    def describe_vpcs(self, p):
        found = self._named(self.vpcs, p.get("VpcIds"), "InvalidVpcID.NotFound", "vpc ID")
        return {"Vpcs": self._filtered(found, p, lambda v: {"is-default": str(v["IsDefault"]).lower(), "isDefault": str(v["IsDefault"]).lower(),
                                                            "vpc-id": v["VpcId"], "state": v["State"]})}

    def create_default_vpc(self, _):
        if any(v["IsDefault"] for v in self.vpcs.values()):
            raise Error("DefaultVpcAlreadyExists", "A Default VPC already exists for this account in this region.")
        self.vpc = self.add_vpc("172.31.0.0/16", True)
        self.public = [self.add_subnet(self.vpc, "public", zone) for zone in "abc"]
        return {"Vpc": self.vpcs[self.vpc]}

    def describe_subnets(self, p):
        found = self._named(self.subnets, p.get("SubnetIds"), "InvalidSubnetID.NotFound", "subnet ID")
        return {"Subnets": self._filtered(found, p, lambda s: {
            "vpc-id": s["VpcId"], "default-for-az": str(s["DefaultForAz"]).lower(), "subnet-id": s["SubnetId"],
            "availability-zone": s["AvailabilityZone"], "state": s["State"]})}

    def describe_route_tables(self, p):
        found = self._named(self.tables, p.get("RouteTableIds"), "InvalidRouteTableID.NotFound", "routeTable ID")
        return {"RouteTables": self._filtered(found, p, lambda t: {
            "vpc-id": t["VpcId"], "association.subnet-id": [a["SubnetId"] for a in t["Associations"] if "SubnetId" in a],
            "association.main": [str(a["Main"]).lower() for a in t["Associations"]], "route-table-id": t["RouteTableId"]})}

    def describe_vpc_endpoints(self, p):
        return {"VpcEndpoints": self._filtered(self.endpoints, p, lambda e: {
            "vpc-id": e["VpcId"], "service-name": e["ServiceName"], "vpc-endpoint-state": e["State"]})}

    def describe_security_groups(self, p):
        found = self._named(self.groups, p.get("GroupIds"), "InvalidGroup.NotFound", "security group")
        return {"SecurityGroups": self._filtered(found, p, lambda g: {
            "group-name": g["GroupName"], "vpc-id": g["VpcId"], "group-id": g["GroupId"]})}

    def create_security_group(self, p):
        vpc = p.get("VpcId", self.vpc)
        if vpc not in self.vpcs:
            raise Error("InvalidVpcID.NotFound", f"The vpc ID '{vpc}' does not exist")
        if any(g["GroupName"] == p["GroupName"] and g["VpcId"] == vpc for g in self.groups.values()):
            raise Error("InvalidGroup.Duplicate", f"The security group '{p['GroupName']}' already exists for VPC '{vpc}'")
        group = self._add_group(vpc, p["GroupName"], p["Description"], _tags(p, "security-group"))
        return {"GroupId": group["GroupId"], "Tags": group["Tags"]}

    def authorize_security_group_ingress(self, p):
        group = self._named(self.groups, [p["GroupId"]], "InvalidGroup.NotFound", "security group")[0]
        for rule in p["IpPermissions"]:
            if rule in group["IpPermissions"]:
                raise Error("InvalidPermission.Duplicate", f"the specified rule \"peer: 0.0.0.0/0, {rule['IpProtocol'].upper()}, from "
                            f"port: {rule.get('FromPort')}, to port: {rule.get('ToPort')}, ALLOW\" already exists")
        group["IpPermissions"] += p["IpPermissions"]
        return {"Return": True}

    def revoke_security_group_ingress(self, p):
        group = self._named(self.groups, [p["GroupId"]], "InvalidGroup.NotFound", "security group")[0]
        group["IpPermissions"] = [r for r in group["IpPermissions"] if r not in p["IpPermissions"]]
        return {"Return": True}

    def opened(self, group):
        """(protocol, port) of the rules of a group that let the world in."""
        return {(r["IpProtocol"], r["FromPort"]) for r in self.groups[group]["IpPermissions"] if r.get("IpRanges")}

    def delete_security_group(self, p):
        self._named(self.groups, [p["GroupId"]], "InvalidGroup.NotFound", "security group")
        if any(g["GroupId"] == p["GroupId"] for i in self.interfaces.values() for g in i["Groups"]):
            raise Error("DependencyViolation", f"resource {p['GroupId']} has a dependent object")
        del self.groups[p["GroupId"]]
        return {"Return": True, "GroupId": p["GroupId"]}

    def create_tags(self, p):
        for resource in p["Resources"]:
            for found in (self.groups, self.subnets, self.vpcs):
                if resource in found:
                    tags = {t["Key"]: t["Value"] for t in found[resource].get("Tags", []) + p["Tags"]}
                    found[resource]["Tags"] = _tag_set(tags)

    def describe_network_interfaces(self, p):
        found = self._named(self.interfaces, p.get("NetworkInterfaceIds"), "InvalidNetworkInterfaceID.NotFound", "networkInterface ID")
        return {"NetworkInterfaces": self._filtered(found, p, lambda i: {
            "subnet-id": i["SubnetId"], "group-id": [g["GroupId"] for g in i["Groups"]], "vpc-id": i["VpcId"],
            "network-interface-id": i["NetworkInterfaceId"]})}

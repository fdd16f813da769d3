"""Load balancers: application load balancers, target groups, listeners; targets come and go with tasks."""
from .errors import Error


class Elbv2:
    def __init__(self, cloud):
        self.cloud, self.n = cloud, 0
        self.balancers, self.groups, self.listeners, self.tags = {}, {}, {}, {}
        self.asked = {}  # ARN: the request that made it; the same once more is answered with what is there
        self.targets = {}  # target group ARN: {address: state}

    def _arn(self, kind, name):
        self.n += 1
        return self.cloud.arn("elasticloadbalancing", f"{kind}/{name}/{0x50dc6c495c0c9188 + self.n:016x}")

    def _again(self, p):
        return next((arn for arn, made in self.asked.items() if made == p and any(
            arn in found for found in (self.balancers, self.groups, self.listeners))), None)

    def _named(self, found, arns, names, name_key, code, what):
        for arn in arns or ():
            if arn not in found:
                raise Error(code, f"One or more {what} not found")
        for name in names or ():
            if not any(v[name_key] == name for v in found.values()):
                raise Error(code, f"One or more {what} not found" if what != "load balancers" else f"Load balancers '[{name}]' not found")
        return [v for k, v in found.items() if (not arns or k in arns) and (not names or v[name_key] in names)]

    def create_load_balancer(self, p):
        name, again = p["Name"], self._again(p)
        if again:
            return {"LoadBalancers": [self.balancers[again]]}
        if any(b["LoadBalancerName"] == name for b in self.balancers.values()):
            raise Error("DuplicateLoadBalancerName", f"A load balancer with the same name '{name}' exists, but with different settings")
        zones = {self.cloud.ec2.subnets[s]["AvailabilityZone"] for s in p.get("Subnets", [])}
        if len(zones) < 2:
            raise Error("ValidationError", "At least two subnets in two different Availability Zones must be specified")
        arn = self._arn("loadbalancer/app", name)
        self.balancers[arn] = {
            "LoadBalancerArn": arn, "LoadBalancerName": name, "Scheme": p.get("Scheme", "internet-facing"), "Type": p.get("Type", "application"),
            "DNSName": f"{name}-1234567890.{self.cloud.region}.elb.amazonaws.com", "CanonicalHostedZoneId": "Z32O12XQLNTSW2",
            "CreatedTime": self.cloud.clock.now(), "State": {"Code": "provisioning"}, "SecurityGroups": p.get("SecurityGroups", []),
            "VpcId": self.cloud.ec2.subnets[p["Subnets"][0]]["VpcId"], "IpAddressType": "ipv4",
            "AvailabilityZones": [{"SubnetId": s, "ZoneName": self.cloud.ec2.subnets[s]["AvailabilityZone"]} for s in p["Subnets"]]}
        self.tags[arn], self.asked[arn] = {t["Key"]: t["Value"] for t in p.get("Tags", [])}, p
        self.cloud.clock.after(20, self.balancers[arn]["State"].update, {"Code": "active"})
        return {"LoadBalancers": [self.balancers[arn]]}

    def describe_load_balancers(self, p):
        return {"LoadBalancers": self._named(self.balancers, p.get("LoadBalancerArns"), p.get("Names"), "LoadBalancerName",
                                             "LoadBalancerNotFound", "load balancers")}

    def set_subnets(self, p):
        balancer = self._named(self.balancers, [p["LoadBalancerArn"]], None, "", "LoadBalancerNotFound", "load balancers")[0]
        zones = {self.cloud.ec2.subnets[s]["AvailabilityZone"] for s in p["Subnets"]}
        if len(zones) < 2 or len(zones) < len(p["Subnets"]):
            raise Error("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
        balancer["AvailabilityZones"] = [{"SubnetId": s, "ZoneName": self.cloud.ec2.subnets[s]["AvailabilityZone"]} for s in p["Subnets"]]
        return {"AvailabilityZones": balancer["AvailabilityZones"]}

    def modify_listener(self, p):
        listener = self._named(self.listeners, [p["ListenerArn"]], None, "", "ListenerNotFound", "listeners")[0]
        listener.update({k: v for k, v in p.items() if k != "ListenerArn"})
        return {"Listeners": [listener]}

    def delete_load_balancer(self, p):
        self.balancers.pop(p["LoadBalancerArn"], None)
        self.tags.pop(p["LoadBalancerArn"], None)
        for arn in [a for a, l in self.listeners.items() if l["LoadBalancerArn"] == p["LoadBalancerArn"]]:
            del self.listeners[arn]

    def create_target_group(self, p):
        name, again = p["Name"], self._again(p)
        if again:
            return {"TargetGroups": [self.groups[again]]}
        if any(g["TargetGroupName"] == name for g in self.groups.values()):
            raise Error("DuplicateTargetGroupName", f"A target group with the same name '{name}' exists, but with different settings")
        arn = self._arn("targetgroup", name)
        self.groups[arn] = {
            "TargetGroupArn": arn, "TargetGroupName": name, "Protocol": p["Protocol"], "Port": p["Port"], "VpcId": p["VpcId"],
            "TargetType": p.get("TargetType", "instance"), "HealthCheckProtocol": p.get("HealthCheckProtocol", "HTTP"),
            "HealthCheckPort": p.get("HealthCheckPort", "traffic-port"), "HealthCheckEnabled": True,
            "HealthCheckPath": p.get("HealthCheckPath", "/"), "HealthCheckIntervalSeconds": p.get("HealthCheckIntervalSeconds", 30),
            "HealthCheckTimeoutSeconds": 5, "HealthyThresholdCount": p.get("HealthyThresholdCount", 5), "UnhealthyThresholdCount": 2,
            "Matcher": p.get("Matcher", {"HttpCode": "200"}), "LoadBalancerArns": [], "ProtocolVersion": "HTTP1"}
        self.tags[arn], self.asked[arn] = {t["Key"]: t["Value"] for t in p.get("Tags", [])}, p
        self.targets[arn] = {}
        return {"TargetGroups": [self.groups[arn]]}

    def describe_target_groups(self, p):
        found = self._named(self.groups, p.get("TargetGroupArns"), p.get("Names"), "TargetGroupName", "TargetGroupNotFound", "target groups")
        return {"TargetGroups": [g for g in found if p.get("LoadBalancerArn") in (None, *g["LoadBalancerArns"])]}

    def modify_target_group(self, p):
        group = self._named(self.groups, [p["TargetGroupArn"]], None, "", "TargetGroupNotFound", "target groups")[0]
        group.update({k: v for k, v in p.items() if k != "TargetGroupArn"})
        return {"TargetGroups": [group]}

    def modify_target_group_attributes(self, p):
        return {"Attributes": p["Attributes"]}

    def delete_target_group(self, p):
        if any(p["TargetGroupArn"] == a.get("TargetGroupArn") for l in self.listeners.values() for a in l["DefaultActions"]):
            raise Error("ResourceInUse", f"Target group '{p['TargetGroupArn']}' is currently in use by a listener or a rule")
        self.groups.pop(p["TargetGroupArn"], None)
        self.tags.pop(p["TargetGroupArn"], None)

    def describe_target_health(self, p):
        group = self._named(self.groups, [p["TargetGroupArn"]], None, "", "TargetGroupNotFound", "target groups")[0]
        return {"TargetHealthDescriptions": [
            {"Target": {"Id": address, "Port": group["Port"]}, "HealthCheckPort": str(group["Port"]), "TargetHealth": {"State": state}}
            for address, state in self.targets[p["TargetGroupArn"]].items()]}

    def create_listener(self, p):
        balancer = self._named(self.balancers, [p["LoadBalancerArn"]], None, "", "LoadBalancerNotFound", "load balancers")[0]
        again = self._again(p)
        if again:
            return {"Listeners": [self.listeners[again]]}
        if any(l["LoadBalancerArn"] == p["LoadBalancerArn"] and l["Port"] == p["Port"] for l in self.listeners.values()):
            raise Error("DuplicateListener", "A listener already exists on this port for this load balancer")
        arn = self._arn("listener/app", balancer["LoadBalancerName"])
        for action in p["DefaultActions"]:
            if action["Type"] == "forward":
                self._named(self.groups, [action["TargetGroupArn"]], None, "", "TargetGroupNotFound", "target groups")
                self.groups[action["TargetGroupArn"]]["LoadBalancerArns"] = [p["LoadBalancerArn"]]
        self.listeners[arn] = {"ListenerArn": arn, "LoadBalancerArn": p["LoadBalancerArn"], "Port": p["Port"], "Protocol": p["Protocol"],
                               "DefaultActions": p["DefaultActions"]}
        self.tags[arn], self.asked[arn] = {t["Key"]: t["Value"] for t in p.get("Tags", [])}, p
        return {"Listeners": [self.listeners[arn]]}

    def describe_listeners(self, p):
        found = self._named(self.listeners, p.get("ListenerArns"), None, "", "ListenerNotFound", "listeners")
        return {"Listeners": [l for l in found if p.get("LoadBalancerArn") in (None, l["LoadBalancerArn"])]}

    def delete_listener(self, p):
        self.listeners.pop(p["ListenerArn"], None)
        self.tags.pop(p["ListenerArn"], None)

    def describe_tags(self, p):
        return {"TagDescriptions": [{"ResourceArn": a, **({"Tags": [{"Key": k, "Value": v} for k, v in self.tags[a].items()]} if self.tags.get(a) else {})}
                                    for a in p["ResourceArns"]]}

    def add_tags(self, p):
        for arn in p["ResourceArns"]:
            self.tags.setdefault(arn, {}).update({t["Key"]: t["Value"] for t in p["Tags"]})

"""The load balancer of a service (deploy --lb): where it stands, and what of it changes from deploy to deploy."""
import pytest

from helpers.deploying import needs_models

pytestmark = needs_models


def balancer(cloud):
    assert len(cloud.elbv2.balancers) == 1
    return next(iter(cloud.elbv2.balancers.values()))


def stands_in(cloud):
    return {zone["SubnetId"] for zone in balancer(cloud)["AvailabilityZones"]}


def test_it_stands_in_every_zone_of_the_tasks(deploying, cloud):
    """Targets elsewhere get no requests."""
    a, b, c = cloud.ec2.public
    deploying.service("--lb", "--subnets", f"{a},{b}").ok()
    assert stands_in(cloud) == {a, b}
    since = len(cloud.calls)
    deploying.service("--lb", "--subnets", f"{a},{b}").ok()
    assert "SetSubnets" not in cloud.operations(since=since)
    deploying.service("--lb", "--subnets", f"{b},{c}").ok()
    assert stands_in(cloud) == {b, c}


def test_one_zone_of_tasks_gets_a_second_for_the_balancer(deploying, cloud):
    a = cloud.ec2.public[0]
    deploying.service("--lb", "--subnets", a).ok()
    assert a in stands_in(cloud) and len(stands_in(cloud)) == 2


def test_private_tasks_behind_public_subnets(deploying, cloud):
    vpc = cloud.ec2.add_vpc("10.1.0.0/16")
    private = [cloud.ec2.add_subnet(vpc, "nat", zone) for zone in "ab"]
    public = {cloud.ec2.add_subnet(vpc, "public", zone) for zone in "abc"}
    deploying.service("--lb", "--subnets", ",".join(private)).ok()
    assert stands_in(cloud) < public and len(stands_in(cloud)) == 2
    zones = {cloud.ec2.subnets[s]["AvailabilityZone"] for s in stands_in(cloud)}
    assert zones == {cloud.ec2.subnets[s]["AvailabilityZone"] for s in private}


def test_nowhere_to_stand_is_said_before_anything_is_made_there(deploying, cloud):
    vpc = cloud.ec2.add_vpc("10.1.0.0/16")
    private = [cloud.ec2.add_subnet(vpc, "nat", zone) for zone in "ab"]
    cloud.ec2.add_subnet(vpc, "public", "a")
    deploying.service("--lb", "--subnets", ",".join(private)).fails("public subnet in eu-west-1b", "internet gateway")
    lonely = cloud.ec2.add_vpc("10.2.0.0/16")
    only = cloud.ec2.add_subnet(lonely, "public", "a")
    deploying.service("--lb", "--subnets", only).fails("two zones at least", "eu-west-1a")
    assert not cloud.elbv2.balancers and not cloud.of("CreateService")


def test_a_certificate_later_turns_80_into_a_redirect(deploying, cloud):
    deploying.service("--lb").ok()
    assert {l["Port"]: l["Protocol"] for l in cloud.elbv2.listeners.values()} == {80: "HTTP"}
    certificate = cloud.arn("acm", "certificate/12345678-1234-1234-1234-123456789012")
    done = deploying.service("--lb", "--certificate", certificate).ok()
    by_port = {l["Port"]: l for l in cloud.elbv2.listeners.values()}
    assert by_port[80]["DefaultActions"][0]["RedirectConfig"] == {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    group = next(iter(cloud.elbv2.groups))
    assert by_port[443]["DefaultActions"][0]["TargetGroupArn"] == group and by_port[443]["Protocol"] == "HTTPS"
    own = next(g for g in cloud.ec2.groups.values() if g["GroupName"] == f"slipway-{deploying.name}.lb")
    assert cloud.ec2.opened(own["GroupId"]) == {("tcp", 80), ("tcp", 443)}
    assert f"https://{balancer(cloud)['DNSName']}" in done.out


def test_only_the_balancer_reaches_the_tasks_by_its_rule(deploying, cloud):
    deploying.service("--lb").ok()
    own = next(g for g in cloud.ec2.groups.values() if g["GroupName"] == f"slipway-{deploying.name}.lb")
    tasks = next(g for g in cloud.ec2.groups.values() if g["GroupName"] == f"slipway-{deploying.name}")
    rules = [r for r in tasks["IpPermissions"] if r.get("UserIdGroupPairs")]
    assert [(r["FromPort"], r["ToPort"], [p["GroupId"] for p in r["UserIdGroupPairs"]]) for r in rules] == [(3000, 3000, [own["GroupId"]])]


def test_another_health_check_changes_the_target_group(deploying, cloud):
    deploying.service("--lb").ok()
    deploying.service("--lb", "--health-path", "/health").ok()
    groups = list(cloud.elbv2.groups.values())
    assert len(groups) == 1 and groups[0]["HealthCheckPath"] == "/health"


def test_a_strangers_balancer_is_left_alone(deploying, cloud):
    a, b, _ = cloud.ec2.public
    name = f"slipway-{deploying.name}"
    cloud.elbv2.create_load_balancer({"Name": name, "Subnets": [a, b], "Tags": [{"Key": "team", "Value": "x"}]})
    deploying.service("--lb").fails(f"load balancer {name} that slipway did not make", "--name")
    assert not cloud.of("CreateService")

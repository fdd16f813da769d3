"""slipway destroy: what carries the app's tags goes, in an order that works, and nothing else."""
import os
import pty

import pytest

from helpers.deploying import needs_models
from helpers.ecs import KEYS, Running
from fakes.aws_cloud import faults

pytestmark = needs_models
ECS_TAGS = [{"key": "slipway:app", "value": "web"}, {"key": "slipway:made-by", "value": "slipway"}]
TAGS = [{"Key": t["key"], "Value": t["value"]} for t in ECS_TAGS]
ROLE_TAGS = [*TAGS, {"Key": "slipway:region", "Value": "eu-west-1"}]


class Account:
    """An app "web" with all that slipway makes for one, and beside it things that others made."""

    def __init__(self, cloud, service=True):
        self.cloud, self.running = cloud, Running(cloud, "/ecs/theirs")
        cloud.ecr.create_repository({"repositoryName": "web", "tags": TAGS})
        cloud.logs.create_log_group({"logGroupName": "/ecs/web", "tags": {t["Key"]: t["Value"] for t in TAGS}})
        cloud.ecs.create_cluster({"clusterName": "web", "tags": ECS_TAGS})
        self.roles = [cloud.iam.add_role(f"slipway-web-{kind}") for kind in ("execution", "task")]
        for kind in ("execution", "task"):
            cloud.iam.tag_role({"RoleName": f"slipway-web-{kind}", "Tags": ROLE_TAGS})
        cloud.iam.put_role_policy({"RoleName": "slipway-web-task", "PolicyName": "more",
                                   "PolicyDocument": '{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'})
        self.group = cloud.ec2.create_security_group({
            "GroupName": "slipway-web", "Description": "of the app", "VpcId": cloud.ec2.vpc,
            "TagSpecifications": [{"ResourceType": "security-group", "Tags": TAGS}]})["GroupId"]
        self.running.network["awsvpcConfiguration"]["securityGroups"] = [self.group]
        self.running.role = self.roles[0]
        self.running.group = "/ecs/web"
        self.running.define("web", tags=ECS_TAGS)
        if service:
            self.start("web")

    def start(self, cluster, name="web"):
        self.cloud.ecs.create_service({"cluster": cluster, "serviceName": name, "taskDefinition": "web", "desiredCount": 2,
                                       "launchType": "FARGATE", "networkConfiguration": self.running.network, "tags": ECS_TAGS})
        self.cloud.clock.advance(60)

    def balancer(self):
        """A load balancer of the app, whose group the tasks' group lets in."""
        ec2, elb = self.cloud.ec2, self.cloud.elbv2
        group = ec2.create_security_group({"GroupName": "slipway-web-lb", "Description": "of its load balancer", "VpcId": ec2.vpc,
                                           "TagSpecifications": [{"ResourceType": "security-group", "Tags": TAGS}]})["GroupId"]
        ec2.authorize_security_group_ingress({"GroupId": self.group, "IpPermissions": [
            {"IpProtocol": "tcp", "FromPort": 3000, "ToPort": 3000, "UserIdGroupPairs": [{"GroupId": group}]}]})
        balancer = elb.create_load_balancer({"Name": "slipway-web", "Subnets": ec2.public, "Tags": TAGS})["LoadBalancers"][0]
        target = elb.create_target_group({"Name": "slipway-web", "Protocol": "HTTP", "Port": 3000, "VpcId": ec2.vpc, "TargetType": "ip",
                                          "Tags": TAGS})["TargetGroups"][0]
        elb.create_listener({"LoadBalancerArn": balancer["LoadBalancerArn"], "Port": 80, "Protocol": "HTTP", "Tags": TAGS,
                             "DefaultActions": [{"Type": "forward", "TargetGroupArn": target["TargetGroupArn"]}]})
        theirs = [{"Key": "slipway:app", "Value": "web2"}, TAGS[1]]
        elb.create_load_balancer({"Name": "theirs", "Subnets": ec2.public, "Tags": theirs})
        elb.create_target_group({"Name": "theirs", "Protocol": "HTTP", "Port": 80, "VpcId": ec2.vpc, "Tags": theirs})

    def left(self):
        """Names of what is there, without what every account has."""
        c = self.cloud
        return {
            *("repository " + n for n in c.ecr.repositories), *("log group " + n for n in c.logs.groups),
            *("cluster " + n for n, v in c.ecs.clusters.items() if v["status"] == "ACTIVE"), *("role " + n for n in c.iam.roles),
            *("service " + s.name for s in c.ecs.services.values() if s.data["status"] == "ACTIVE"),
            *("group " + g["GroupName"] for g in c.ec2.groups.values() if g["GroupName"] != "default"),
            *("balancer " + b["LoadBalancerName"] for b in c.elbv2.balancers.values()),
            *("targets " + g["TargetGroupName"] for g in c.elbv2.groups.values()),
            *(f"definition {f}:{d['revision']}" for f, r in c.ecs.definitions.items() for d, _ in r if d["status"] == "ACTIVE")}


THEIRS = {"role ecsTaskExecutionRole", "log group /ecs/theirs", "cluster default"}
ALL = {"repository web", "log group /ecs/web", "cluster web", "role slipway-web-execution", "role slipway-web-task", "service web",
       "group slipway-web", "definition web:1"}


@pytest.fixture
def account(slipway, cloud):
    slipway.env.update({**KEYS, "AWS_ENDPOINT_URL": cloud.url})
    return Account(cloud)


def destroy(slipway, *arguments):
    return slipway("destroy", "--cluster", "web", "web", *arguments)


def test_all_of_the_app_and_nothing_else(slipway, account):
    account.balancer()
    account.cloud.ecr.create_repository({"repositoryName": "other"})
    others = {*THEIRS, "repository other", "balancer theirs", "targets theirs"}
    assert account.left() == {*others, *ALL, "balancer slipway-web", "targets slipway-web", "group slipway-web-lb"}
    destroy(slipway, "--yes").ok()
    assert account.left() == others
    assert not account.cloud.ec2.interfaces


def test_dry_run_changes_nothing(slipway, account):
    before, since = account.left(), len(account.cloud.calls)
    shown = destroy(slipway, "--dry-run").ok().out
    assert account.left() == before and not account.cloud.changes(since)
    assert [line.split(" ", 2)[2] for line in shown.splitlines() if line[0] == "-"] == [
        "service web", "security group slipway-web", "role slipway-web-execution", "role slipway-web-task", "log group /ecs/web",
        "repository web, if it is empty", "task definition web:1", "cluster web"]


def test_without_a_terminal_it_wants_yes(slipway, account):
    before = account.left()
    destroy(slipway).fails("--yes", code=2)
    assert account.left() == before


@pytest.mark.parametrize("answer, gone", [("y", True), ("n", False), ("", False)])
def test_on_a_terminal_it_asks(slipway, account, answer, gone):
    before = account.left()
    ours, theirs = pty.openpty()
    try:
        process = slipway.start("destroy", "--cluster", "web", "web", stdin=theirs, stdout=theirs, stderr=theirs)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(ours, 4096)
        assert b"delete service web" in said and account.left() == before
        os.write(ours, answer.encode() + b"\n")
        assert (process.wait(60) == 0) == gone
    finally:
        os.close(ours)
        os.close(theirs)
    assert account.left() == (THEIRS if gone else before)


def test_twice(slipway, account):
    destroy(slipway, "--yes").ok()
    since = len(account.cloud.calls)
    assert "nothing of web" in destroy(slipway, "--yes").ok().out
    assert not account.cloud.changes(since)


def test_what_others_made_by_the_same_names_stays(slipway, cloud):
    slipway.env.update({**KEYS, "AWS_ENDPOINT_URL": cloud.url})
    running = Running(cloud, "/ecs/web")
    cloud.ecr.create_repository({"repositoryName": "web"})
    cloud.iam.add_role("slipway-web-task")
    cloud.iam.tag_role({"RoleName": "slipway-web-task", "Tags": [{"Key": "slipway:app", "Value": "web"}]})
    running.define("web")
    running.service("web")
    since = len(cloud.calls)
    out = slipway("destroy", "web", "--yes").ok().out
    assert not cloud.changes(since)
    for kept in ("service web", "log group /ecs/web", "repository web", "role slipway-web-task", "role ecsTaskExecutionRole",
                 "task definition web:1", "cluster default"):
        assert f"= keep {kept}: not made by slipway" in out or kept == "role ecsTaskExecutionRole", out


def test_tasks_without_a_service(slipway, cloud):
    slipway.env.update({**KEYS, "AWS_ENDPOINT_URL": cloud.url})
    account = Account(cloud, service=False)
    own = account.running.run("web", tags=ECS_TAGS)
    # In the group of the VPC: the app's could not go while it runs.
    other = account.running.run("web", networkConfiguration={"awsvpcConfiguration": {"subnets": cloud.ec2.public[:1],
                                                                                     "assignPublicIp": "ENABLED"}})
    slipway("destroy", "web", "--yes").ok()
    states = {t.id: t.data["desiredStatus"] for t in cloud.ecs.tasks.values()}
    assert states == {own: "STOPPED", other: "RUNNING"}


def test_scaling_goes_before_the_service(slipway, account):
    tags = {t["Key"]: t["Value"] for t in TAGS}
    account.cloud.application_autoscaling.register_scalable_target({
        "ServiceNamespace": "ecs", "ResourceId": "service/web/web", "ScalableDimension": "ecs:service:DesiredCount",
        "MinCapacity": 1, "MaxCapacity": 4, "Tags": tags})
    since = len(account.cloud.calls)
    destroy(slipway, "--yes").ok()
    assert account.cloud.changes(since)[:3] == ["DeregisterScalableTarget", "UpdateService", "DeleteService"]
    assert not account.cloud.application_autoscaling.targets


def test_a_service_that_cannot_be_deleted_keeps_what_it_needs(slipway, account):
    account.cloud.deny("ecs:DeleteService")
    destroy(slipway, "--yes").fails("this is left", "service web", "ecs:DeleteService", "role slipway-web-execution: what runs needs it")
    assert ALL <= account.left()
    account.cloud.denied.clear()
    destroy(slipway, "--yes").ok()
    assert account.left() == THEIRS


def test_it_goes_on_after_a_failure(slipway, account):
    account.cloud.deny("logs:DeleteLogGroup")
    destroy(slipway, "--yes").fails("this is left", "log group /ecs/web", "run it again")
    assert account.left() == {*THEIRS, "log group /ecs/web"}
    account.cloud.denied.clear()
    destroy(slipway, "--yes").ok()
    assert account.left() == THEIRS


def test_the_security_group_waits_for_the_interfaces(slipway, account):
    busy = faults.Refused("DependencyViolation", "resource has a dependent object")
    account.cloud.fault("DeleteSecurityGroup", busy, times=4)
    destroy(slipway, "--yes").ok()
    assert "group slipway-web" not in account.left()


def test_another_cluster_runs_the_app_too(slipway, account):
    account.cloud.ecs.create_cluster({"clusterName": "prod"})
    account.start("prod", "web2")
    out = destroy(slipway, "--yes").ok().out
    assert "= keep role slipway-web-execution: the cluster prod runs the app as well" in out
    assert account.left() == {*THEIRS, *ALL, "cluster prod", "service web2"} - {"service web", "cluster web"}


def test_a_role_of_another_region_stays(slipway, account):
    account.cloud.iam.tag_role({"RoleName": "slipway-web-task", "Tags": [{"Key": "slipway:region", "Value": "us-east-1"}]})
    assert "role slipway-web-task: it was made for another region" in destroy(slipway, "--yes").ok().out
    assert account.left() == {*THEIRS, "role slipway-web-task"}


def test_a_cluster_with_somebody_elses_service_stays(slipway, account):
    account.running.define("other")
    account.cloud.ecs.create_service({"cluster": "web", "serviceName": "other", "taskDefinition": "other", "desiredCount": 1,
                                      "launchType": "FARGATE", "networkConfiguration": account.running.network})
    account.cloud.clock.advance(60)
    account.cloud.ec2.groups[account.group]["Tags"] = []  # it is the other's, too
    assert "cluster web: it is not of this app alone" in destroy(slipway, "--yes").ok().out
    assert {"cluster web", "service other"} <= account.left()


def test_a_cluster_with_somebody_elses_task_stays(slipway, account):
    account.running.define("other")
    account.running.run("other", cluster="web", networkConfiguration={"awsvpcConfiguration": {"subnets": account.cloud.ec2.public[:1],
                                                                                              "assignPublicIp": "ENABLED"}})
    assert "= keep cluster web: something else is in it" in destroy(slipway, "--yes").ok().out
    assert account.left() == {*THEIRS, "cluster web", "definition other:1"}


def test_a_cluster_that_is_at_work_is_waited_for(slipway, account):
    account.cloud.fault("DeleteCluster", faults.Refused("UpdateInProgressException", "The specified cluster is in a busy state."), times=3)
    destroy(slipway, "--yes").ok()
    assert account.left() == THEIRS


def test_what_a_whole_deploy_made(deploying):
    deploying.service("--lb", "--scale", "1..3", "--desired-count", "2").ok()
    deploying("--task", "--cluster", "once", "--detach").ok()
    deploying.slipway("destroy", deploying.name, "--cluster", "once", "--yes").ok()
    assert not any(name == "cluster once" for name in deploying.everything())
    assert any(name.startswith("service") for name in deploying.everything())
    deploying.slipway("destroy", deploying.name, "--images", "--yes").ok()
    assert [name for name in deploying.everything() if not name.startswith("security group default")] == []


def test_not_permitted(slipway, account):
    account.cloud.deny("ecs:ListServices")
    destroy(slipway, "--yes").fails("ecs:ListServices", code=5)


def test_names(slipway):
    slipway("destroy").fails("which app", code=2)
    slipway("destroy", "a*").fails("invalid name", code=2)
    slipway("destroy", "a", "--name", "b").fails("twice", code=2)

"""slipway deploy onto a service that somebody else set up: the image changes, and what was not asked for stays."""
import copy
import json

import pytest

from helpers.deploying import needs_models
from fakes.aws_cloud import faults, scenarios

pytestmark = needs_models


@pytest.fixture
def theirs(deploying, cloud):
    """A service of Terraform's, say: private subnets, its own groups, a load balancer, its own numbers; nothing carries our tags."""
    vpc = cloud.ec2.add_vpc()
    subnets = [cloud.ec2.add_subnet(vpc, "nat", zone) for zone in "ab"]
    group = cloud.ec2.create_security_group({"GroupName": "web", "Description": "x", "VpcId": vpc})["GroupId"]
    role = cloud.iam.add_role("ecsTaskExecutionRole")
    cloud.ecs.create_cluster({"clusterName": "default"})
    cloud.ecr.create_repository({"repositoryName": deploying.name})
    cloud.logs.create_log_group({"logGroupName": f"/ecs/{deploying.name}"})
    balancer = cloud.elbv2.create_load_balancer({"Name": "theirs", "Subnets": subnets})["LoadBalancers"][0]["LoadBalancerArn"]
    target = cloud.elbv2.create_target_group({"Name": "theirs", "Protocol": "HTTP", "Port": 3000, "VpcId": vpc,
                                              "TargetType": "ip"})["TargetGroups"][0]["TargetGroupArn"]
    cloud.elbv2.create_listener({"LoadBalancerArn": balancer, "Port": 80, "Protocol": "HTTP",
                                 "DefaultActions": [{"Type": "forward", "TargetGroupArn": target}]})
    cloud.ecs.register_task_definition({
        "family": deploying.name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "executionRoleArn": role, "containerDefinitions": [{"name": deploying.name, "image": "public.ecr.aws/docker/library/nginx:1",
                                                            "portMappings": [{"containerPort": 3000}]}]})
    cloud.ecs.create_service({
        "cluster": "default", "serviceName": deploying.name, "taskDefinition": deploying.name, "desiredCount": 3, "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [group], "assignPublicIp": "DISABLED"}},
        "loadBalancers": [{"targetGroupArn": target, "containerName": deploying.name, "containerPort": 3000}],
        "enableExecuteCommand": True, "propagateTags": "SERVICE", "healthCheckGracePeriodSeconds": 200,
        "deploymentConfiguration": {"maximumPercent": 150, "minimumHealthyPercent": 50,
                                    "deploymentCircuitBreaker": {"enable": False, "rollback": False}}})
    cloud.clock.advance(200)
    service = deploying.of_service()
    assert service.deployments[0].completed
    return service


KEPT = ("networkConfiguration", "loadBalancers", "enableExecuteCommand", "propagateTags", "healthCheckGracePeriodSeconds", "tags")


def test_what_was_not_asked_for_stays(deploying, cloud, theirs):
    before = copy.deepcopy(theirs.data)
    done = deploying("--service", deploying.name).ok()
    assert {k: theirs.data[k] for k in KEPT} == {k: before[k] for k in KEPT}
    assert theirs.desired == 3
    settings = theirs.data["deploymentConfiguration"]
    assert (settings["maximumPercent"], settings["minimumHealthyPercent"]) == (150, 50)
    assert cloud.changes() == ["RegisterTaskDefinition", "UpdateService"], str(done)
    assert theirs.deployments[0].completed and deploying.container()["image"].startswith(deploying.repository + "@sha256:")


@pytest.mark.parametrize("controller", ["CODE_DEPLOY", "EXTERNAL"])
def test_a_service_that_something_else_deploys(deploying, cloud, theirs, controller):
    theirs.data["deploymentController"] = {"type": controller}
    deploying("--service", deploying.name).fails(controller, "only services", code=1)
    assert cloud.changes() == []


def test_its_failure_is_rolled_back(deploying, cloud, theirs):
    """Though its own circuit breaker was off."""
    cloud.script({2: scenarios.Crash(1)})
    deploying("--service", deploying.name).fails("exited with code 1", code=3)
    cloud.clock.advance(300)
    assert theirs.deployments[0].definition["revision"] == 1 and len(theirs.deployments[0].running()) == 3


def test_destroy_leaves_it_alone(deploying, cloud, theirs):
    deploying("--service", deploying.name).ok()
    before = deploying.everything()
    done = deploying.slipway("destroy", "--yes", deploying.name, stdin="")
    assert theirs.data["status"] == "ACTIVE" and len(theirs.deployments[0].running()) == 3, str(done)
    ours = {f"task definition {deploying.name}:2"}
    assert {k for k in before if k not in deploying.everything()} <= ours


def test_a_service_whose_balancer_wants_another_port(deploying, cloud, theirs, folder):
    """AWS's refusal is shown as it is; nothing is left half done at the service."""
    definition = folder / "task.json"
    definition.write_text(json.dumps({
        "family": deploying.name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [{"name": deploying.name, "image": "x", "portMappings": [{"containerPort": 8080}]}]}))
    deploying("--service", deploying.name, "--task-definition", definition).fails("3000")
    assert theirs.deployments[0].definition["revision"] == 1


def test_only_the_image_changes(deploying, cloud, theirs):
    """Sidecars, unknown settings and another port than the image exposes stay, and so does the repository that it came from."""
    cloud.ecr.create_repository({"repositoryName": "their/repository"})
    definition = {
        "family": "theirs", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "1024", "memory": "4096",
        "executionRoleArn": deploying.definitions()[0]["executionRoleArn"],
        "ephemeralStorage": {"sizeInGiB": 50}, "volumes": [{"name": "data", "host": {}}],
        "containerDefinitions": [
            {"name": "proxy", "image": "public.ecr.aws/docker/library/nginx:1", "essential": False, "cpu": 128,
             "environment": [{"name": "MODE", "value": "theirs"}]},
            {"name": "app", "image": deploying.repository.replace(deploying.name, "their/repository") + ":v1",
             "portMappings": [{"containerPort": 3000}], "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
             "environment": [{"name": "PORT", "value": "3000"}], "ulimits": [{"name": "nofile", "softLimit": 4096, "hardLimit": 8192}]}]}
    cloud.ecs.register_task_definition(definition)
    service = deploying.of_service()
    before = cloud.ecs.definitions["theirs"][0][0]
    service.deployments[0].definition = before
    service.data["taskDefinition"] = before["taskDefinitionArn"]
    deploying.write(dockerfile="FROM scratch\nCOPY --chmod=755 app /app\nEXPOSE 8080\nENTRYPOINT [\"/app\"]\n")
    since = len(cloud.calls)
    deploying("--service", deploying.name, "--container", "app", "--dry-run").ok()
    assert cloud.changes(since) == []
    deploying("--service", deploying.name, "--container", "app", "--detach")
    sent = cloud.of("RegisterTaskDefinition", since)[0]
    image = sent["containerDefinitions"][1].pop("image")
    assert image.startswith(deploying.repository.replace(deploying.name, "their/repository") + "@sha256:")
    stored = copy.deepcopy(before)
    del stored["containerDefinitions"][1]["image"]
    assert {k: stored[k] for k in definition} == {k: sent[k] for k in definition}


def test_a_deployment_that_is_still_under_way_is_followed(deploying, cloud):
    """The same image again, as after Ctrl-C: nothing is to be changed, and it is not done yet."""
    cloud.script({1: scenarios.SlowButFine(120)})
    deploying.service("--detach").ok()
    deploying.service().ok()
    assert deploying.of_service().deployments[0].completed and len(deploying.of_service().records) == 1


def test_a_deployment_under_way_that_fails_is_a_failure(deploying, cloud):
    cloud.script({1: scenarios.Crash(4, start=60)})
    deploying.service("--detach").ok()
    deploying.service().fails("exited with code 4", code=1)


def test_the_same_again_after_a_failure_tries_again(deploying, cloud):
    """What was wrong was mended elsewhere (a secret, a quota): the same task definition has to be deployed anew."""
    cloud.script({1: scenarios.MissingSecret()})
    deploying.service().fails(code=1)
    cloud.script({1: scenarios.Fine()})
    deploying.service().ok()
    service = deploying.of_service()
    assert service.deployments[0].completed and len(service.deployments[0].running()) == 1


def test_the_same_again_after_a_rollback_tries_again(deploying, cloud):
    deploying.service().ok()
    deploying.write(b"second")
    cloud.script({2: scenarios.MissingSecret()})
    deploying.service().fails(code=3)
    cloud.clock.advance(300)
    cloud.script({2: scenarios.Fine()})
    deploying.service().ok()
    assert deploying.of_service().deployments[0].definition["revision"] == 2


def test_a_service_that_slipway_scaled_to_0_after_its_failure(deploying, cloud):
    """In a region whose circuit breaker waits for three deaths slipway ends it after two: the next deploy brings it back."""
    cloud.fault("CreateService", faults.Refused("InvalidParameterException", "Unknown parameter thresholdConfiguration"))
    cloud.script({1: scenarios.MissingSecret()})
    deploying.service().fails("scaled to 0", "the next deploy", code=1)
    assert deploying.of_service().desired == 0
    cloud.script({1: scenarios.Fine()})
    deploying.service().ok()
    assert len(deploying.of_service().deployments[0].running()) == 1


@pytest.mark.parametrize("denied", ["ecs:ListTasks", "ecs:DescribeTasks", "ec2:DescribeNetworkInterfaces"])
def test_an_address_that_may_not_be_looked_for(deploying, cloud, denied):
    """It runs: that is what was asked for."""
    deploying.service().ok()
    cloud.deny(denied)
    done = deploying.service().ok()
    assert denied.split(":")[1] in done.err and "203.0.113" not in done.out, str(done)

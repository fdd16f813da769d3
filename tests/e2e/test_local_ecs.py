"""Services and tasks of the local target as they really run: botocore and the aws CLI as clients, busybox as the app."""
import json
import os
import shutil
import subprocess
import time

import pytest

from helpers.local_ecs import NETWORK, checked_client, container, definition, models, refused
from helpers.local_target import until

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True, "thresholdConfiguration": {"type": "COUNT", "value": 2}}}


class World:
    """A cluster "main", an image "app" of busybox, and what is asked of them."""

    def __init__(self, local, build):
        self.local = local
        build("FROM tiny\nENTRYPOINT [\"/usr/bin/busybox\"]\nCMD [\"sleep\", \"1000\"]")
        build.slipway("tag", "t1", "app:1").ok()
        self.connect()
        self.ecs.create_cluster(clusterName="main")

    def connect(self):
        self.ecs = checked_client(self.local, "ecs")

    def define(self, *command, family="web", **more):
        made = container(image="app:1", command=list(command) or ["sleep", "1000"], portMappings=[], stopTimeout=2, **more)
        return self.ecs.register_task_definition(**definition(family, [made]))["taskDefinition"]["taskDefinitionArn"]

    def run(self, family="web", **more):
        made = self.ecs.run_task(cluster="main", taskDefinition=family, launchType="FARGATE", networkConfiguration=NETWORK, **more)
        return [t["taskArn"] for t in made["tasks"]]

    def serve(self, name="web", family="web", count=1, **more):
        return self.ecs.create_service(cluster="main", serviceName=name, taskDefinition=family, desiredCount=count, launchType="FARGATE",
                                       networkConfiguration=NETWORK, **more)["service"]

    def tasks(self, status="RUNNING", **more):
        arns = self.ecs.list_tasks(cluster="main", desiredStatus=status, **more)["taskArns"]
        return self.ecs.describe_tasks(cluster="main", tasks=arns)["tasks"] if arns else []

    def running(self, **more):
        return [t for t in self.tasks(**more) if t["lastStatus"] == "RUNNING"]

    def service(self, name="web"):
        return self.ecs.describe_services(cluster="main", services=[name])["services"][0]

    def primary(self, name="web"):
        return self.service(name)["deployments"][0]

    def events(self, name="web"):
        return [e["message"] for e in self.service(name)["events"]]

    def completed(self, name="web", seconds=60):
        until(lambda: self.primary(name)["rolloutState"] == "COMPLETED", seconds, lambda: str(self.service(name)))

    def wait(self, waiter, **what):
        self.ecs.get_waiter(waiter).wait(cluster="main", WaiterConfig={"Delay": 1, "MaxAttempts": 60}, **what)


@pytest.fixture
def world(local, build):
    return World(local, build)


def test_a_task_from_start_to_end(world):
    world.define("sh", "-c", "until test -e /go; do sleep 0.1; done; exit 3")
    arn, = world.run()
    world.wait("tasks_running", tasks=[arn])
    task = world.ecs.describe_tasks(cluster="main", tasks=[arn])["tasks"][0]
    assert task["startedAt"] >= task["createdAt"] and task["containers"][0]["lastStatus"] == "RUNNING"
    world.local.run("exec", "--local", "--cluster=main", arn.rpartition("/")[2], "/usr/bin/busybox", "touch", "/go").ok()
    world.wait("tasks_stopped", tasks=[arn])
    task = world.ecs.describe_tasks(cluster="main", tasks=[arn])["tasks"][0]
    assert (task["stopCode"], task["stoppedReason"]) == ("EssentialContainerExited", "Essential container in task exited")
    assert task["containers"][0]["exitCode"] == 3 and task["stoppedAt"] >= task["startedAt"]
    assert world.ecs.describe_clusters(clusters=["main"])["clusters"][0]["runningTasksCount"] == 0


def test_stopping_a_task(world):
    world.define("sleep", "1000")
    arn, = world.run()
    world.wait("tasks_running", tasks=[arn])
    world.ecs.stop_task(cluster="main", task=arn, reason="enough")
    world.wait("tasks_stopped", tasks=[arn])
    task, = world.tasks("STOPPED")
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough")
    assert task["containers"][0]["exitCode"] in (137, 143)


def test_overrides_reach_the_container(world):
    world.define("sleep", "1000")
    arn, = world.run(overrides={"containerOverrides": [{"name": "web", "command": ["sh", "-c", "exit $CODE"], "environment": [
        {"name": "CODE", "value": "42"}]}]})
    world.wait("tasks_stopped", tasks=[arn])
    assert world.tasks("STOPPED")[0]["containers"][0]["exitCode"] == 42


def test_a_service_scales_and_heals(world):
    world.define("sleep", "1000")
    world.serve(count=1)
    world.wait("services_stable", services=["web"])
    world.completed()
    assert "(service web) has reached a steady state." in world.events()
    world.ecs.update_service(cluster="main", service="web", desiredCount=3)
    until(lambda: len(world.running(serviceName="web")) == 3)
    first = world.running()[0]
    world.ecs.stop_task(cluster="main", task=first["taskArn"])
    until(lambda: len(world.running()) == 3 and first["taskArn"] not in {t["taskArn"] for t in world.running()})
    world.ecs.update_service(cluster="main", service="web", desiredCount=1)
    until(lambda: len(world.tasks()) == 1)
    until(lambda: any("has stopped 2 running tasks" in e for e in world.events()))
    assert world.service()["runningCount"] == 1 and world.service()["pendingCount"] == 0


def test_a_task_that_dies_comes_back(world):
    world.define("sh", "-c", "sleep 4; exit 1")
    world.serve(count=1)
    world.completed()
    first = world.running()[0]["taskArn"]
    until(lambda: any(t["taskArn"] != first for t in world.running()))
    until(lambda: [t["taskArn"] for t in world.tasks("STOPPED")][:1])
    died = world.tasks("STOPPED")[-1]
    assert died["stopCode"] == "EssentialContainerExited" and died["containers"][0]["exitCode"] == 1
    assert died["startedBy"] == world.primary()["id"]


def test_a_rolling_update(world):
    old = world.define("sleep", "1000")
    world.serve(count=2)
    world.completed()
    new = world.define("sleep", "1001")
    world.ecs.update_service(cluster="main", service="web", taskDefinition="web")
    least = 2
    while world.primary()["rolloutState"] != "COMPLETED":
        least = min(least, len(world.running()))
    assert least == 2, "minimumHealthyPercent is 100"
    world.wait("services_stable", services=["web"])
    assert {t["taskDefinitionArn"] for t in world.running()} == {new} != {old}


def test_a_broken_update_is_rolled_back(world):
    old = world.define("sleep", "1000")
    world.serve(count=1, deploymentConfiguration=BREAKER)
    world.completed()
    good = world.running()[0]["taskArn"]
    world.define("sh", "-c", "exit 7")
    bad = world.ecs.update_service(cluster="main", service="web", taskDefinition="web")["service"]["deployments"][0]["id"]
    until(lambda: any("rolling back to deployment" in e for e in world.events()))
    assert any(f"(deployment {bad}) deployment failed: tasks failed to start." in e for e in world.events())
    world.completed()
    assert world.primary()["taskDefinition"] == old and len(world.service()["deployments"]) == 1
    assert [t["taskArn"] for t in world.running()] == [good], "what ran before never stopped"
    dead = [t for t in world.tasks("STOPPED") if t["startedBy"] == bad]
    assert len(dead) == 2 and dead[0]["containers"][0]["exitCode"] == 7
    if models.recent():
        record = world.ecs.list_service_deployments(cluster="main", service="web")["serviceDeployments"][0]
        full = world.ecs.describe_service_deployments(serviceDeploymentArns=[record["serviceDeploymentArn"]])["serviceDeployments"][0]
        assert full["status"] == "ROLLBACK_SUCCESSFUL" and full["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
        assert full["rollback"]["serviceRevisionArn"].startswith("arn:aws:ecs:us-east-1:000000000000:service-revision/main/web/")


def test_a_failed_update_without_rollback(world):
    """What ran before runs on: it is scaled and replaced as ever, and the service can be deleted."""
    old = world.define("sleep", "1000")
    settings = {"deploymentCircuitBreaker": {**BREAKER["deploymentCircuitBreaker"], "rollback": False}}
    world.serve(count=1, deploymentConfiguration=settings)
    world.completed()
    world.define("sh", "-c", "exit 7")
    world.ecs.update_service(cluster="main", service="web", taskDefinition="web")
    until(lambda: world.primary()["rolloutState"] == "FAILED")
    world.ecs.update_service(cluster="main", service="web", desiredCount=2)
    until(lambda: len(world.running()) == 2)
    first = world.running()[0]["taskArn"]
    world.ecs.stop_task(cluster="main", task=first)
    until(lambda: len(world.running()) == 2 and first not in [t["taskArn"] for t in world.running()])
    assert {t["taskDefinitionArn"] for t in world.running()} == {old}
    assert [d["desiredCount"] for d in world.service()["deployments"]] == [0, 2]
    world.ecs.delete_service(cluster="main", service="web", force=True)
    world.wait("services_inactive", services=["web"])
    assert world.running() == []


def test_stopping_a_deployment(world):
    if not models.recent():
        pytest.skip("needs: botocore's models of 2024 or later")
    world.define("sleep", "1000")
    world.serve(count=1)
    world.completed()
    world.define("sh", "-c", "exit 1")
    world.ecs.update_service(cluster="main", service="web", taskDefinition="web")
    record = world.ecs.list_service_deployments(cluster="main", service="web")["serviceDeployments"][0]["serviceDeploymentArn"]
    world.ecs.stop_service_deployment(serviceDeploymentArn=record, stopType="ROLLBACK")

    def status():
        return world.ecs.describe_service_deployments(serviceDeploymentArns=[record])["serviceDeployments"][0]["status"]

    until(lambda: status() == "ROLLBACK_SUCCESSFUL", what=status)
    assert world.primary()["taskDefinition"].endswith("web:1")
    with refused("ConflictException", "not in a state that can be stopped"):
        world.ecs.stop_service_deployment(serviceDeploymentArn=record)


def test_an_image_that_is_not_there(world):
    world.ecs.register_task_definition(**definition("web", [container(image="127.0.0.1:9/none:1")]))
    world.serve(count=1, deploymentConfiguration=BREAKER)
    until(lambda: world.primary()["rolloutState"] == "FAILED")
    assert world.tasks("STOPPED")[0]["stopCode"] == "TaskFailedToStart"
    assert "CannotPullContainerError" in world.tasks("STOPPED")[0]["stoppedReason"]


def test_deleting(world):
    world.define("sleep", "1000")
    world.serve(count=2)
    until(lambda: len(world.running()) == 2)
    world.ecs.delete_service(cluster="main", service="web", force=True)
    world.wait("services_inactive", services=["web"])
    assert world.tasks() == []
    world.serve(count=1)
    until(lambda: len(world.running(serviceName="web")) == 1)
    world.ecs.delete_service(cluster="main", service="web", force=True)
    world.wait("services_inactive", services=["web"])
    assert world.ecs.delete_cluster(cluster="main")["cluster"]["status"] == "INACTIVE"


def test_health_checks(world):
    world.define("sh", "-c", "touch /tmp/well; sleep 1000",
                 healthCheck={"command": ["CMD-SHELL", "test -e /tmp/well"], "interval": 5, "timeout": 2, "retries": 1})
    world.serve(count=1)
    world.completed()
    assert world.running()[0]["healthStatus"] == "HEALTHY"


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_services_outlive_the_process(world, how):
    world.define("sleep", "1000")
    world.serve(count=2)
    world.completed()
    before = {t["taskArn"] for t in world.running()}
    # The writable layers of what was killed are the store's to clear away.
    world.local.run.unfinished_allowed = how == "kill"
    getattr(world.local, how)()
    world.local.start()
    world.connect()
    until(lambda: len(world.running()) == 2)
    after = {t["taskArn"] for t in world.running()}
    assert not before & after, "their processes died with it"
    assert {t["taskArn"] for t in world.tasks("STOPPED")} == before and world.primary()["rolloutState"] == "COMPLETED"
    assert world.primary()["failedTasks"] == 0, [(t["stopCode"], t["stoppedReason"]) for t in world.tasks("STOPPED")]


@pytest.mark.parametrize("seconds", [0, 0.3, 1, 3.2])
def test_killed_in_the_middle_of_an_update(world, seconds):
    world.define("sleep", "1000")
    world.serve(count=2, deploymentConfiguration=BREAKER)
    world.completed()
    new = world.define("sleep", "1001")
    world.ecs.update_service(cluster="main", service="web", taskDefinition="web")
    time.sleep(seconds)
    world.local.run.unfinished_allowed = True
    world.local.kill()
    world.local.start()
    world.connect()
    world.completed()
    world.wait("services_stable", services=["web"])
    assert [t["taskDefinitionArn"] for t in world.tasks()] == [new, new] and world.primary()["failedTasks"] == 0
    assert not any("deployment failed" in e for e in world.events()) and len(world.service()["deployments"]) == 1
    if models.recent():
        records = world.ecs.list_service_deployments(cluster="main", service="web")["serviceDeployments"]
        assert [r["status"] for r in records] == ["SUCCESSFUL", "SUCCESSFUL"]


def test_ten_tasks(world):
    world.define("sleep", "1000")
    world.serve(count=10)
    until(lambda: len(world.running()) == 10)
    arns = {t["attachments"][0]["details"][1]["value"] for t in world.tasks()}
    addresses = {t["slipway"]["address"] for t in raw_tasks(world)}
    assert len(arns) == len(addresses) == 10, "each has an interface and an address of its own"
    world.ecs.delete_service(cluster="main", service="web", force=True)
    world.wait("services_inactive", services=["web"])


def raw_tasks(world):
    """With what botocore drops, since AWS has no such members."""
    seen = []
    client = world.local.client("ecs")
    client.meta.events.register("after-call.ecs.DescribeTasks", lambda http_response, **_: seen.append(json.loads(http_response.content)))
    client.describe_tasks(cluster="main", tasks=world.ecs.list_tasks(cluster="main")["taskArns"])
    return seen[0]["tasks"]


def test_target_tracking_on_what_is_measured(world):
    world.define("sh", "-c", "while :; do :; done")
    world.serve(count=1)
    until(lambda: world.running())
    scaling = checked_client(world.local, "application-autoscaling")
    target = {"ServiceNamespace": "ecs", "ResourceId": "service/main/web", "ScalableDimension": "ecs:service:DesiredCount"}
    scaling.register_scalable_target(MinCapacity=1, MaxCapacity=2, **target)
    scaling.put_scaling_policy(PolicyName="cpu", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration={
        "TargetValue": 50, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}, **target)
    until(lambda: world.service()["desiredCount"] == 2)
    activity = scaling.describe_scaling_activities(ServiceNamespace="ecs", ResourceId="service/main/web")["ScalingActivities"][0]
    assert activity["Description"] == "Setting desired count to 2." and activity["StatusCode"] == "Successful"
    until(lambda: len(world.running()) == 2)


@pytest.mark.slow  # most of its time is the aws command's own; botocore asks the sanitized binary the same
def test_the_aws_cli(world):
    aws = shutil.which("aws", path="/usr/bin:/usr/local/bin") or shutil.which("aws")
    if not aws:
        pytest.skip("needs: awscli")
    env = {**os.environ, **world.local.keys, "HOME": str(world.local.run.folder), "AWS_PAGER": ""}

    def call(*words):
        done = subprocess.run([aws, "--endpoint-url", world.local.url, "--output", "text", "ecs", *words], env=env, capture_output=True,
                              text=True, check=False, timeout=120)
        assert done.returncode == 0, f"{words}\n{done.stderr}"
        return done.stdout.strip()

    world.define("sleep", "1000")
    network = "awsvpcConfiguration={subnets=[subnet-0510ca1000000000a],assignPublicIp=ENABLED}"
    arn = call("run-task", "--cluster", "main", "--task-definition", "web", "--launch-type", "FARGATE", "--network-configuration", network,
               "--query", "tasks[0].taskArn")
    call("wait", "tasks-running", "--cluster", "main", "--tasks", arn)
    call("stop-task", "--cluster", "main", "--task", arn)
    call("wait", "tasks-stopped", "--cluster", "main", "--tasks", arn)
    call("create-service", "--cluster", "main", "--service-name", "web", "--task-definition", "web", "--desired-count", "1", "--launch-type",
         "FARGATE", "--network-configuration", network)
    call("wait", "services-stable", "--cluster", "main", "--services", "web")
    call("update-service", "--cluster", "main", "--service", "web", "--force-new-deployment")
    call("wait", "services-stable", "--cluster", "main", "--services", "web")
    assert call("describe-services", "--cluster", "main", "--services", "web", "--query", "services[0].runningCount") == "1"
    call("delete-service", "--cluster", "main", "--service", "web", "--force")
    call("wait", "services-inactive", "--cluster", "main", "--services", "web")



"""ECS and Application Auto Scaling of the local target: what they store, answer and refuse, with botocore as the client."""
import json
import socket

import botocore.exceptions
import pytest

from helpers.local_ecs import NETWORK, checked_client, container, definition, models, refused

ACCOUNT = "arn:aws:ecs:us-east-1:000000000000:"


@pytest.fixture
def ecs(local):
    return checked_client(local, "ecs")


@pytest.fixture
def cluster(ecs):
    ecs.create_cluster(clusterName="main")
    return "main"


@pytest.fixture
def image():
    """Of a registry that never answers: its tasks neither begin nor die as long as a test looks at them."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        yield f"127.0.0.1:{silent.getsockname()[1]}/web:1"


@pytest.fixture
def web(ecs, cluster, image):
    """A definition and what CreateService and RunTask share."""
    ecs.register_task_definition(**definition(containers=[container(image=image)]))
    return {"cluster": cluster, "taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": NETWORK}


# ---- clusters ----------------------------------------------------------------------


def test_clusters(ecs):
    made = ecs.create_cluster(clusterName="a", tags=[{"key": "k", "value": "v"}], capacityProviders=["FARGATE", "FARGATE_SPOT"])["cluster"]
    assert made["clusterArn"] == ACCOUNT + "cluster/a" and made["status"] == "ACTIVE"
    assert ecs.create_cluster(clusterName="a")["cluster"]["tags"] == [{"key": "k", "value": "v"}], "again is no error and changes nothing"
    assert ecs.create_cluster()["cluster"]["clusterName"] == "default"
    assert sorted(ecs.list_clusters()["clusterArns"]) == [ACCOUNT + "cluster/a", ACCOUNT + "cluster/default"]
    seen = ecs.describe_clusters(clusters=["a", ACCOUNT + "cluster/none"], include=["TAGS"])
    assert [c["clusterName"] for c in seen["clusters"]] == ["a"] and seen["clusters"][0]["tags"] and not seen["clusters"][0]["settings"]
    assert seen["failures"] == [{"arn": ACCOUNT + "cluster/none", "reason": "MISSING"}]
    ecs.update_cluster_settings(cluster="a", settings=[{"name": "containerInsights", "value": "enabled"}])
    assert ecs.describe_clusters(clusters=["a"], include=["SETTINGS"])["clusters"][0]["settings"][0]["value"] == "enabled"
    ecs.put_cluster_capacity_providers(cluster="a", capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[
        {"capacityProvider": "FARGATE", "weight": 1}])
    assert ecs.delete_cluster(cluster="a")["cluster"]["status"] == "INACTIVE"
    with refused("ClusterNotFoundException", "Cluster not found."):
        ecs.delete_cluster(cluster="a")
    with refused("ClusterNotFoundException"):
        ecs.list_tasks(cluster="none")
    with refused("InvalidParameterException"):
        ecs.create_cluster(clusterName="no blanks")
    with refused("InvalidParameterException", "capacity provider"):
        ecs.create_cluster(clusterName="b", capacityProviders=["mine"])


def test_lists_in_pages(ecs):
    names = [f"c{i}" for i in range(7)]
    for name in names:
        ecs.create_cluster(clusterName=name)
    pages = list(ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(p["clusterArns"]) for p in pages] == [3, 3, 1]
    assert [a.rpartition("/")[2] for p in pages for a in p["clusterArns"]] == names


def test_a_cluster_in_use_stays(ecs, web):
    ecs.create_service(serviceName="s", desiredCount=0, **web)
    with refused("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."):
        ecs.delete_cluster(cluster="main")
    ecs.create_cluster(clusterName="other")
    ecs.run_task(**{**web, "cluster": "other"})
    with refused("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active."):
        ecs.delete_cluster(cluster="other")


# ---- task definitions ----------------------------------------------------------------


def test_definitions_are_stored_as_ecs_shows_them(ecs):
    asked = definition(containers=[container(environment=[{"name": "A", "value": "b"}], healthCheck={"command": ["CMD", "true"]},
                                             logConfiguration={"logDriver": "awslogs", "options": {
                                                 "awslogs-group": "/g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"}})],
                       executionRoleArn="arn:aws:iam::000000000000:role/x", cpu=".25 vCPU", memory="0.5 GB", tags=[{"key": "k", "value": "v"}])
    made = ecs.register_task_definition(**asked)
    assert made["tags"] == asked["tags"]
    stored = made["taskDefinition"]
    assert stored["taskDefinitionArn"] == ACCOUNT + "task-definition/web:1" and stored["revision"] == 1 and stored["status"] == "ACTIVE"
    assert (stored["cpu"], stored["memory"]) == ("256", "512") and stored["compatibilities"] == ["EC2", "FARGATE"]
    web = stored["containerDefinitions"][0]
    assert web["portMappings"] == [{"containerPort": 3000, "hostPort": 3000, "protocol": "tcp"}]
    assert web["healthCheck"] == {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3}
    assert stored["registeredBy"].startswith("arn:aws:")
    assert ecs.describe_task_definition(taskDefinition="web:1")["taskDefinition"] == stored
    assert "tags" not in ecs.describe_task_definition(taskDefinition="web")
    assert ecs.describe_task_definition(taskDefinition="web", include=["TAGS"])["tags"] == asked["tags"]


def test_revisions(ecs):
    for _ in range(11):
        ecs.register_task_definition(**definition())
    ecs.register_task_definition(**definition("other"))
    assert ecs.list_task_definitions(familyPrefix="web", sort="DESC")["taskDefinitionArns"][:2] == [
        ACCOUNT + "task-definition/web:11", ACCOUNT + "task-definition/web:10"], "by number, not by letters"
    gone = ecs.deregister_task_definition(taskDefinition="web:11")["taskDefinition"]
    assert gone["status"] == "INACTIVE" and gone["deregisteredAt"]
    assert ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]["revision"] == 10
    assert ecs.describe_task_definition(taskDefinition="web:11")["taskDefinition"]["status"] == "INACTIVE"
    assert ecs.delete_task_definitions(taskDefinitions=["web:11"])["taskDefinitions"][0]["status"] == "DELETE_IN_PROGRESS"
    assert "still in ACTIVE status" in ecs.delete_task_definitions(taskDefinitions=["web:10"])["failures"][0]["reason"]
    assert ecs.register_task_definition(**definition())["taskDefinition"]["revision"] == 12, "a number is never used twice"
    assert ecs.list_task_definition_families()["families"] == ["other", "web"]
    ecs.deregister_task_definition(taskDefinition="other:1")
    assert ecs.list_task_definition_families(status="ACTIVE")["families"] == ["web"]
    assert ecs.list_task_definition_families(status="INACTIVE")["families"] == ["other"]
    with refused("ClientException", "Unable to describe task definition."):
        ecs.describe_task_definition(taskDefinition="none")
    with refused("ClientException", "Invalid revision number"):
        ecs.deregister_task_definition(taskDefinition="web")


def awslogs(**options):
    return {"logDriver": "awslogs", "options": {"awslogs-group": "/g", "awslogs-region": "us-east-1", **options}}


REFUSED = [
    (definition("no blanks"), "Family contains invalid characters."),
    (definition(memory="400"), "No Fargate configuration exists for given values: 256 CPU, 400 memory."),
    (definition(cpu="lots"), "Invalid 'cpu' setting for task."),
    ({k: v for k, v in definition().items() if k != "cpu"}, "Fargate requires that 'cpu' be defined at the task level."),
    (definition(networkMode="bridge"), "Fargate only supports network mode 'awsvpc'."),
    (definition(containers=[container(essential=False)]), "At least one container must be marked as essential."),
    (definition(containers=[container(image="")]), "Container.name and Container.image should not be null or empty."),
    (definition(containers=[container(privileged=True)]), "do not support privileged"),
    (definition(containers=[container(portMappings=[{"containerPort": 80, "hostPort": 8080}])]),
     "the host ports and container ports in port mappings must match"),
    (definition(containers=[container(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/a:1")]), "execution role ARN to support ECR images"),
    (definition(containers=[container(logConfiguration=awslogs())]), "execution role ARN to support log driver awslogs"),
    (definition(containers=[container(logConfiguration=awslogs())], executionRoleArn="arn:aws:iam::000000000000:role/x"),
     "awslogs requires options: awslogs-stream-prefix"),
    (definition(taskRoleArn="myrole"), "Role is not valid"),
    (definition(containers=[container(), container()]), "web"),
    (definition(containers=[container(portMappings=[{"containerPort": 70000}])]), "65535"),
    (definition(containers=[container(dependsOn=[{"containerName": "none", "condition": "START"}])]), "none"),
    (definition(containers=[container(healthCheck={"command": ["CMD", "true"], "interval": 1})]), "interval"),
]


@pytest.mark.parametrize("asked,words", REFUSED, ids=[words for _, words in REFUSED])
def test_definitions_that_ecs_refuses(ecs, asked, words):
    with refused("ClientException", words):
        ecs.register_task_definition(**asked)
    assert not ecs.list_task_definition_families()["families"]


def test_members_that_no_model_has(local):
    """botocore would not send them: an unknown one is named, not dropped."""
    client = local.client("ecs", parameter_validation=False)

    def add(params, **_):
        params["body"] = params["body"].replace(b"{", b'{"colour": "red", ', 1)

    client.meta.events.register("before-call.ecs.CreateCluster", add)
    with refused("InvalidParameterException", 'Unknown parameter in input: "colour", must be one of: clusterName, tags'):
        client.create_cluster(clusterName="a")


# ---- tasks ----------------------------------------------------------------------------


def test_run_and_stop_tasks(ecs, web):
    made = ecs.run_task(count=2, startedBy="me", tags=[{"key": "k", "value": "v"}], enableECSManagedTags=True, **web)
    assert len(made["tasks"]) == 2 and made["failures"] == []
    task = made["tasks"][0]
    stopped = ecs.stop_task(cluster="main", task=task["taskArn"], reason="enough")["task"]
    assert (stopped["desiredStatus"], stopped["stopCode"], stopped["stoppedReason"]) == ("STOPPED", "UserInitiated", "enough")
    assert task["taskDefinitionArn"] == ACCOUNT + "task-definition/web:1" and task["group"] == "family:web"
    assert task["desiredStatus"] == "RUNNING" and task["launchType"] == "FARGATE" and (task["cpu"], task["memory"]) == ("256", "512")
    assert {d["name"] for d in task["attachments"][0]["details"]} >= {"subnetId", "networkInterfaceId"}
    assert {"key": "aws:ecs:clusterName", "value": "main"} in task["tags"]
    arns = {t["taskArn"] for t in made["tasks"]}
    for wanted, found in ({}, arns), ({"family": "web"}, arns), ({"family": "we"}, set()), ({"startedBy": "me"}, arns), ({"startedBy": "you"}, set()), \
            ({"launchType": "EC2"}, set()):
        going, ended = (set(ecs.list_tasks(cluster="main", desiredStatus=s, **wanted)["taskArns"]) for s in ("RUNNING", "STOPPED"))
        assert (going, ended) == (found - {task["taskArn"]}, found & {task["taskArn"]}), wanted
    seen = ecs.describe_tasks(cluster="main", tasks=[task["taskArn"], "0" * 32])
    assert seen["tasks"][0]["tags"] == [] and seen["failures"] == [{"arn": ACCOUNT + "task/main/" + "0" * 32, "reason": "MISSING"}]
    with refused("InvalidParameterException", "The referenced task was not found."):
        ecs.stop_task(cluster="main", task="0" * 32)


def test_a_token_is_good_for_one_request(ecs, web):
    first = ecs.run_task(clientToken="t", count=2, **web)["tasks"]
    again = ecs.run_task(clientToken="t", count=2, **web)["tasks"]
    assert {t["taskArn"] for t in first} == {t["taskArn"] for t in again} and len(ecs.list_tasks(cluster="main")["taskArns"]) == 2
    with refused("ConflictException"):
        ecs.run_task(clientToken="t", count=1, **web)


def test_launch_types(ecs, web):
    plain = {k: v for k, v in web.items() if k != "launchType"}
    for more, wanted in ({}, "FARGATE"), ({"launchType": "FARGATE"}, "FARGATE"), ({"launchType": "EC2"}, "EC2"), \
            ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]}, "FARGATE"):
        assert ecs.run_task(**plain, **more)["tasks"][0]["launchType"] == wanted, more
    service = ecs.create_service(serviceName="s", desiredCount=0, capacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}],
                                 **plain)["service"]
    assert "launchType" not in service and service["capacityProviderStrategy"][0]["capacityProvider"] == "FARGATE"
    with refused("UnsupportedFeatureException", "EXTERNAL"):
        ecs.run_task(**plain, launchType="EXTERNAL")
    with refused("PlatformUnknownException", "1.2.3"):
        ecs.run_task(**web, platformVersion="1.2.3")
    with refused("InvalidParameterException", "The specified capacity provider 'mine' was not found."):
        ecs.run_task(**plain, capacityProviderStrategy=[{"capacityProvider": "mine"}])


def test_overrides(ecs, web):
    override = {"containerOverrides": [{"name": "web", "command": ["a"], "environment": [{"name": "A", "value": "b"}], "cpu": 10}],
                "cpu": "512", "memory": "1024"}
    task = ecs.run_task(overrides=override, **web)["tasks"][0]
    assert task["overrides"]["containerOverrides"] == override["containerOverrides"]
    assert (task["cpu"], task["memory"], task["containers"][0]["cpu"]) == ("512", "1024", "10")
    with refused("InvalidParameterException", "Override for container named db is not a container in the TaskDefinition."):
        ecs.run_task(overrides={"containerOverrides": [{"name": "db"}]}, **web)
    for size in {"cpu": "300", "memory": "512"}, {"cpu": "4096"}:
        with refused("ClientException", "No Fargate configuration exists for given values"):
            ecs.run_task(overrides=size, **web)


def test_tasks_that_ecs_refuses(ecs, web):
    with refused("ClientException", "TaskDefinition not found."):
        ecs.run_task(**{**web, "taskDefinition": "none"})
    with refused("InvalidParameterException", "Network Configuration must be provided when networkMode 'awsvpc' is specified."):
        ecs.run_task(cluster="main", taskDefinition="web", launchType="FARGATE")
    with refused("InvalidParameterException", "Tasks count must be between 1 and 10."):
        ecs.run_task(count=11, **web)
    with refused("InvalidParameterException", "sg-0123"):
        ecs.run_task(**{**web, "networkConfiguration": {"awsvpcConfiguration": {**NETWORK["awsvpcConfiguration"], "securityGroups": ["sg-0123"]}}})
    with refused("InvalidParameterException", "The subnet ID 'subnet-0' does not exist"):
        ecs.run_task(**{**web, "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0"]}}})
    with refused("InvalidParameterException", "Specifying both a launch type and capacity provider strategy is not supported."):
        ecs.run_task(capacityProviderStrategy=[{"capacityProvider": "FARGATE"}], **web)
    ecs.register_task_definition(**definition("role", taskRoleArn="arn:aws:iam::000000000000:role/none"))
    with refused("ClientException", "ECS was unable to assume the role 'arn:aws:iam::000000000000:role/none'"):
        ecs.run_task(**{**web, "taskDefinition": "role"})
    ecs.register_task_definition(family="bridge", containerDefinitions=[{"name": "a", "image": "a", "memory": 64}])
    with refused("UnsupportedFeatureException", "networkMode bridge"):
        ecs.run_task(cluster="main", taskDefinition="bridge")
    ecs.deregister_task_definition(taskDefinition="web:1")
    with refused("ClientException", "TaskDefinition is inactive"):
        ecs.run_task(**{**web, "taskDefinition": "web:1"})


def test_what_is_not_there_is_said(ecs, web):
    task = ecs.run_task(**web)["tasks"][0]["taskArn"]
    with refused("UnsupportedFeatureException", "slipway exec"):
        ecs.execute_command(cluster="main", task=task, interactive=True, command="sh")
    with refused("UnsupportedFeatureException", "Elastic Load Balancing"):
        ecs.create_service(serviceName="s", loadBalancers=[{"targetGroupArn": "arn:x", "containerName": "web", "containerPort": 3000}], **web)
    with refused("UnsupportedFeatureException", "CODE_DEPLOY"):
        ecs.create_service(serviceName="s", deploymentController={"type": "CODE_DEPLOY"}, **web)
    with refused("InvalidParameterException", "daemon"):
        ecs.create_service(serviceName="s", schedulingStrategy="DAEMON", **web)
    assert ecs.list_container_instances(cluster="main")["containerInstanceArns"] == []


# ---- services ---------------------------------------------------------------------------


def test_services_are_made_once(ecs, web):
    made = ecs.create_service(serviceName="s", desiredCount=2, tags=[{"key": "k", "value": "v"}], clientToken="t", **web)["service"]
    assert made["serviceArn"] == ACCOUNT + "service/main/s" and made["status"] == "ACTIVE" and made["desiredCount"] == 2
    assert made["deploymentConfiguration"]["maximumPercent"] == 200
    deployment = made["deployments"][0]
    assert deployment["id"].startswith("ecs-svc/") and deployment["status"] == "PRIMARY" and deployment["rolloutState"] == "IN_PROGRESS"
    assert ecs.create_service(serviceName="s", desiredCount=2, clientToken="t", **web)["service"]["deployments"][0]["id"] == deployment["id"]
    with refused("InvalidParameterException", "Creation of service was not idempotent."):
        ecs.create_service(serviceName="s", **web)
    with refused("ClientException", "TaskDefinition not found."):
        ecs.create_service(**{**web, "serviceName": "x", "taskDefinition": "none"})
    assert ecs.list_services(cluster="main")["serviceArns"] == [made["serviceArn"]]
    seen = ecs.describe_services(cluster="main", services=["s", "none"], include=["TAGS"])
    assert seen["services"][0]["tags"] == [{"key": "k", "value": "v"}]
    assert seen["failures"] == [{"arn": ACCOUNT + "service/main/none", "reason": "MISSING"}]


def test_updates(ecs, web):
    made = ecs.create_service(serviceName="s", desiredCount=0, **web)["service"]
    ecs.register_task_definition(**definition())
    same = ecs.update_service(cluster="main", service="s", desiredCount=0)["service"]
    assert same["deployments"][0]["id"] == made["deployments"][0]["id"], "nothing that a task would notice changed"
    now = ecs.update_service(cluster="main", service=made["serviceArn"], taskDefinition="web:2", deploymentConfiguration={
        "minimumHealthyPercent": 50})["service"]
    assert now["taskDefinition"] == ACCOUNT + "task-definition/web:2" and now["deployments"][0]["id"] != made["deployments"][0]["id"]
    assert now["deploymentConfiguration"]["minimumHealthyPercent"] == 50 and now["deploymentConfiguration"]["maximumPercent"] == 200
    forced = ecs.update_service(cluster="main", service="s", forceNewDeployment=True)["service"]
    assert forced["deployments"][0]["id"] != now["deployments"][0]["id"]
    with refused("ServiceNotFoundException", "Service not found."):
        ecs.update_service(cluster="main", service="none", desiredCount=1)
    with refused("InvalidParameterException", "cannot be 100"):
        ecs.update_service(cluster="main", service="s", deploymentConfiguration={"maximumPercent": 100, "minimumHealthyPercent": 100})
    with refused("InvalidParameterException", "desired count"):
        ecs.update_service(cluster="main", service="s", desiredCount=-1)
    with refused("SerializationException", "maximumPercent"):
        ecs.update_service(cluster="main", service="s", deploymentConfiguration={"maximumPercent": 2**62})


def test_roles(local, ecs, web):
    iam = local.client("iam")
    arn = iam.create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]}))["Role"]["Arn"]
    ecs.register_task_definition(**definition(taskRoleArn=arn))
    ecs.create_service(serviceName="s", desiredCount=1, **web)
    iam.delete_role(RoleName="app")
    with refused("ClientException", "ECS was unable to assume the role"):
        ecs.update_service(cluster="main", service="s", forceNewDeployment=True)
    assert ecs.update_service(cluster="main", service="s", desiredCount=0)["service"]["desiredCount"] == 0, "that needs no role"


def test_deployments_and_revisions(ecs, web, image):
    if not models.recent():
        pytest.skip("needs: botocore's models of 2024 or later")
    ecs.create_service(serviceName="s", desiredCount=0, **web)
    listed = ecs.list_service_deployments(cluster="main", service="s")["serviceDeployments"]
    described = ecs.describe_service_deployments(serviceDeploymentArns=[listed[0]["serviceDeploymentArn"], ACCOUNT + "service-deployment/main/s/x"])
    assert described["serviceDeployments"][0]["serviceArn"] == ACCOUNT + "service/main/s" and described["failures"][0]["reason"] == "MISSING"
    revision = ecs.describe_service_revisions(serviceRevisionArns=[listed[0]["targetServiceRevisionArn"]])["serviceRevisions"][0]
    assert revision["taskDefinition"] == ACCOUNT + "task-definition/web:1" and revision["containerImages"][0]["image"] == image
    assert ecs.list_service_deployments(cluster="main", service="s", status=["ROLLBACK_FAILED"])["serviceDeployments"] == []
    with refused("ServiceDeploymentNotFoundException"):
        ecs.stop_service_deployment(serviceDeploymentArn=ACCOUNT + "service-deployment/main/s/x")


def test_deleting_services(ecs, web):
    ecs.create_service(serviceName="s", desiredCount=1, **web)
    with refused("InvalidParameterException", "The service cannot be stopped while it is scaled above 0."):
        ecs.delete_service(cluster="main", service="s")
    assert ecs.delete_service(cluster="main", service="s", force=True)["service"]["status"] in ("DRAINING", "INACTIVE")
    with refused("ServiceNotFoundException"):
        ecs.delete_service(cluster="main", service="none")


def test_tags(ecs, web):
    service = ecs.create_service(serviceName="s", desiredCount=0, **web)["service"]["serviceArn"]
    task = ecs.run_task(**web)["tasks"][0]["taskArn"]
    for arn in ACCOUNT + "cluster/main", service, task, ACCOUNT + "task-definition/web:1":
        ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
        ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "3"}])
        ecs.untag_resource(resourceArn=arn, tagKeys=["b"])
        assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": "3"}], arn
    with refused("InvalidParameterException", "aws:"):
        ecs.tag_resource(resourceArn=service, tags=[{"key": "aws:mine", "value": "1"}])
    with refused("InvalidParameterException", "at most 50"):
        ecs.tag_resource(resourceArn=service, tags=[{"key": f"k{i}", "value": ""} for i in range(50)])
    with refused("InvalidParameterException", "The specified resource was not found"):
        ecs.list_tags_for_resource(resourceArn=ACCOUNT + "cluster/none")


def test_what_was_made_outlives_the_process(local, ecs, web):
    ecs.create_service(serviceName="s", desiredCount=0, **web)
    local.kill()
    local.restart()
    after = checked_client(local, "ecs")
    assert after.describe_services(cluster="main", services=["s"])["services"][0]["status"] == "ACTIVE"
    assert after.register_task_definition(**definition())["taskDefinition"]["revision"] == 2


# ---- Application Auto Scaling -----------------------------------------------------------------


TARGET = {"ServiceNamespace": "ecs", "ResourceId": "service/main/s", "ScalableDimension": "ecs:service:DesiredCount"}
TRACKING = {"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": {
    "TargetValue": 60.0, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}, "ScaleOutCooldown": 30}}


def test_autoscaling(local, ecs, web):
    scaling = checked_client(local, "application-autoscaling")
    with refused("ValidationException", "ECS service doesn't exist: service/main/s"):
        scaling.register_scalable_target(MinCapacity=1, MaxCapacity=3, **TARGET)
    ecs.create_service(serviceName="s", desiredCount=1, **web)
    with refused("ObjectNotFoundException", "No scalable target registered for service namespace: ecs"):
        scaling.put_scaling_policy(**TRACKING, **TARGET)
    with refused("ValidationException", "cannot be less than minimum"):
        scaling.register_scalable_target(MinCapacity=4, MaxCapacity=3, **TARGET)
    arn = scaling.register_scalable_target(MinCapacity=1, MaxCapacity=3, Tags={"a": "1"}, **TARGET)["ScalableTargetARN"]
    scaling.register_scalable_target(MaxCapacity=4, **TARGET)
    target = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=["service/main/s"])["ScalableTargets"][0]
    assert (target["MinCapacity"], target["MaxCapacity"], target["ScalableTargetARN"]) == (1, 4, arn)
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=["service/main/x"])["ScalableTargets"] == []
    assert scaling.put_scaling_policy(**TRACKING, **TARGET)["Alarms"] == []
    policy = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId="service/main/s")["ScalingPolicies"][0]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 60
    scaling.tag_resource(ResourceARN=arn, Tags={"b": "2"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"b": "2"}
    assert scaling.describe_scaling_activities(ServiceNamespace="ecs")["ScalingActivities"] == []
    for value in 0.5, 1e-300, 101:
        with refused("ValidationException", "percentage"):
            scaling.put_scaling_policy(**{**TRACKING, "TargetTrackingScalingPolicyConfiguration": {
                **TRACKING["TargetTrackingScalingPolicyConfiguration"], "TargetValue": value}}, **TARGET)
    with refused("ValidationException", "StepScaling"):
        scaling.put_scaling_policy(PolicyName="step", PolicyType="StepScaling", **TARGET)
    scaling.delete_scaling_policy(PolicyName="cpu", **TARGET)
    with refused("ObjectNotFoundException"):
        scaling.delete_scaling_policy(PolicyName="cpu", **TARGET)
    scaling.put_scaling_policy(**TRACKING, **TARGET)
    scaling.deregister_scalable_target(**TARGET)
    assert scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == [], "they go with their target"
    with pytest.raises(botocore.exceptions.ClientError, match="ObjectNotFoundException"):
        scaling.deregister_scalable_target(**TARGET)

"""The scripted AWS of the deploy tests, as AWS's own client library sees it: its waiters pass, its parser reads the answers."""
import base64
import http.client
import json
import pathlib
import sys
import urllib.request

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
pytest.importorskip("botocore")
import botocore.config  # noqa: E402
import botocore.exceptions  # noqa: E402
import botocore.session  # noqa: E402

from fakes.aws_cloud import faults, models, scenarios  # noqa: E402
from fakes.aws_cloud.cloud import ACCOUNT, REGION, Cloud  # noqa: E402

pytestmark = pytest.mark.skipif(not models.recent(), reason="needs: AWS's service models of 2024 or newer (./dev test installs them)")
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                                                 "Action": "sts:AssumeRole"}]}


@pytest.fixture
def cloud():
    made = Cloud(seconds_per_call=2)
    yield made
    made.finish()


@pytest.fixture
def client(cloud):
    session = botocore.session.get_session()
    session.register_component("data_loader", models.loader())

    def make(service, **options):
        options = {"read_timeout": 20, "retries": {"max_attempts": 3}, **options}
        # The global services take what is signed for us-east-1.
        return session.create_client(service, region_name="us-east-1" if service == "iam" else REGION, endpoint_url=cloud.url, aws_access_key_id="AKIDTEST",
                                     aws_secret_access_key="secret/with+odd=characters", config=botocore.config.Config(**options))
    return make


def definition(cloud, **more):
    return {"family": "app", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "executionRoleArn": cloud.iam.add_role("ecsTaskExecutionRole"),
            "containerDefinitions": [{"name": "app", "image": "public.example/app:1", "portMappings": [{"containerPort": 3000}]}], **more}


def network(cloud):
    return {"awsvpcConfiguration": {"subnets": cloud.ec2.public[:1], "assignPublicIp": "ENABLED"}}


@pytest.fixture
def ecs(cloud, client):
    ecs = client("ecs")
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(**definition(cloud))
    return ecs


def run(ecs, cloud, **more):
    answer = ecs.run_task(cluster="c", taskDefinition="app", launchType="FARGATE", networkConfiguration=network(cloud), **more)
    assert not answer["failures"]
    return answer["tasks"][0]["taskArn"]


def quick(waiter, **p):
    waiter.wait(cluster="c", WaiterConfig={"Delay": 0, "MaxAttempts": 60}, **p)


def settled(ecs):
    """The status of the newest service deployment once it has ended: what the waiters do not look at."""
    for _ in range(200):
        status = ecs.list_service_deployments(cluster="c", service="s")["serviceDeployments"][0]["status"]
        if status in ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"):
            return status
    raise AssertionError(f"still {status}")


def test_a_task_runs_and_its_address_is_found(ecs, cloud, client):
    task = run(ecs, cloud)
    quick(ecs.get_waiter("tasks_running"), tasks=[task])
    shown = ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0]
    details = {d["name"]: d["value"] for d in shown["attachments"][0]["details"]}
    found = client("ec2").describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])["NetworkInterfaces"][0]
    assert found["Association"]["PublicIp"].startswith("203.0.113.")
    ecs.stop_task(cluster="c", task=task, reason="enough")
    quick(ecs.get_waiter("tasks_stopped"), tasks=[task])
    shown = ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0]
    assert (shown["stopCode"], shown["stoppedReason"], shown["containers"][0]["exitCode"]) == ("UserInitiated", "enough", 143)


def test_a_service_gets_stable_and_goes(ecs, cloud):
    made = ecs.create_service(cluster="c", serviceName="s", taskDefinition="app", desiredCount=2, launchType="FARGATE",
                              networkConfiguration=network(cloud))["service"]
    assert made["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    quick(ecs.get_waiter("services_stable"), services=["s"])
    assert settled(ecs) == "SUCCESSFUL"
    shown = ecs.describe_services(cluster="c", services=["s"])["services"][0]
    assert shown["deployments"][0]["id"] == made["deployments"][0]["id"] and shown["runningCount"] == 2
    assert "has reached a steady state." in shown["events"][0]["message"]
    brief = ecs.list_service_deployments(cluster="c", service="s")["serviceDeployments"]
    assert [d["status"] for d in brief] == ["SUCCESSFUL"]
    assert shown["currentServiceDeployment"] == brief[0]["serviceDeploymentArn"]
    with pytest.raises(ecs.exceptions.InvalidParameterException, match="not idempotent"):
        ecs.create_service(cluster="c", serviceName="s", taskDefinition="app", networkConfiguration=network(cloud))
    ecs.update_service(cluster="c", service="s", desiredCount=0)
    ecs.delete_service(cluster="c", service="s")
    quick(ecs.get_waiter("services_inactive"), services=["s"])


def test_the_circuit_breaker_rolls_back(ecs, cloud):
    """The end that the waiter takes for success: stable, on the old revision."""
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True, "thresholdConfiguration": {"type": "COUNT", "value": 2}}}
    ecs.create_service(cluster="c", serviceName="s", taskDefinition="app", launchType="FARGATE", networkConfiguration=network(cloud),
                       deploymentConfiguration=breaker)
    assert settled(ecs) == "SUCCESSFUL"
    cloud.script({2: scenarios.Crash(3)})
    ecs.register_task_definition(**cloud.of("RegisterTaskDefinition")[0])
    deployment = ecs.update_service(cluster="c", service="s", taskDefinition="app")["service"]["deployments"][0]
    assert settled(ecs) == "ROLLBACK_SUCCESSFUL"
    quick(ecs.get_waiter("services_stable"), services=["s"])
    shown = ecs.describe_services(cluster="c", services=["s"])["services"][0]
    assert deployment["id"] not in [d["id"] for d in shown["deployments"]]
    assert shown["taskDefinition"].endswith(":1")
    arn = shown["currentServiceDeployment"]
    record = ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]
    assert record["status"] == "ROLLBACK_SUCCESSFUL" and record["deploymentCircuitBreaker"]["failureCount"] == 2
    stopped = ecs.list_tasks(cluster="c", serviceName="s", desiredStatus="STOPPED")["taskArns"]
    tasks = ecs.describe_tasks(cluster="c", tasks=stopped)["tasks"]
    mine = [t for t in tasks if t["startedBy"] == deployment["id"]]
    assert len(mine) == 2 and {c["exitCode"] for t in mine for c in t["containers"]} == {3}
    assert any("deployment failed: tasks failed to start" in e["message"] for e in shown["events"])


def test_a_first_deployment_that_fails_has_nothing_to_go_back_to(ecs, cloud):
    cloud.script({1: scenarios.Oom()})
    ecs.create_service(cluster="c", serviceName="s", taskDefinition="app", launchType="FARGATE", networkConfiguration=network(cloud),
                       deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}})
    assert settled(ecs) == "ROLLBACK_FAILED"
    assert ecs.describe_services(cluster="c", services=["s"])["services"][0]["deployments"][0]["rolloutState"] == "FAILED"


def test_stopping_a_deployment_rolls_back(ecs, cloud):
    ecs.create_service(cluster="c", serviceName="s", taskDefinition="app", launchType="FARGATE", networkConfiguration=network(cloud))
    assert settled(ecs) == "SUCCESSFUL"
    cloud.script({2: scenarios.SlowButFine(10000)})
    ecs.register_task_definition(**cloud.of("RegisterTaskDefinition")[0])
    ecs.update_service(cluster="c", service="s", taskDefinition="app:2")
    ecs.list_service_deployments(cluster="c", service="s")
    arn = ecs.list_service_deployments(cluster="c", service="s", status=["IN_PROGRESS"])["serviceDeployments"][0]["serviceDeploymentArn"]
    ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert settled(ecs) == "ROLLBACK_SUCCESSFUL"


def test_definitions_are_stored_with_their_defaults(ecs):
    stored = ecs.describe_task_definition(taskDefinition="app", include=["TAGS"])["taskDefinition"]
    container = stored["containerDefinitions"][0]
    assert container["essential"] and container["portMappings"] == [{"containerPort": 3000, "hostPort": 3000, "protocol": "tcp"}]
    assert stored["revision"] == 1 and stored["status"] == "ACTIVE" and stored["registeredAt"].year >= 2024


@pytest.mark.parametrize("spoil, message", [
    ({"memory": "77"}, "No Fargate configuration exists for given values: 256 CPU, 77 memory"),
    ({"cpu": "a lot"}, "Invalid 'cpu' setting for task"),
    ({"networkMode": "bridge"}, "Fargate only supports network mode"),
])
def test_fargate_rules(ecs, cloud, spoil, message):
    with pytest.raises(ecs.exceptions.ClientException, match=message):
        ecs.register_task_definition(**{**cloud.of("RegisterTaskDefinition")[0], **spoil})


def test_facts_decide_whether_a_task_runs(ecs, cloud, client):
    """No way out, a role that is not there, a log group that is not there: AWS's own words for each."""
    isolated = cloud.ec2.add_subnet(cloud.ec2.add_vpc(), "isolated")
    closed = ecs.run_task(cluster="c", taskDefinition="app", launchType="FARGATE",
                          networkConfiguration={"awsvpcConfiguration": {"subnets": [isolated]}})["tasks"][0]["taskArn"]
    logged = {**cloud.of("RegisterTaskDefinition")[0]}
    logged["containerDefinitions"] = [{**logged["containerDefinitions"][0], "logConfiguration": {
        "logDriver": "awslogs", "options": {"awslogs-group": "/ecs/app", "awslogs-region": REGION, "awslogs-stream-prefix": "app"}}}]
    ecs.register_task_definition(**logged)
    mute = run(ecs, cloud)
    quick(ecs.get_waiter("tasks_stopped"), tasks=[closed, mute])
    reasons = [t["stoppedReason"] for t in ecs.describe_tasks(cluster="c", tasks=[closed, mute])["tasks"]]
    assert "i/o timeout" in reasons[0] and "The specified log group does not exist" in reasons[1]
    logs = client("logs")
    logs.create_log_group(logGroupName="/ecs/app")
    heard = run(ecs, cloud)
    quick(ecs.get_waiter("tasks_running"), tasks=[heard])
    stream = "app/app/" + heard.rpartition("/")[2]
    page = logs.get_log_events(logGroupName="/ecs/app", logStreamName=stream, startFromHead=True)
    assert [e["message"] for e in page["events"]] == ["listening on port 3000"]
    again = logs.get_log_events(logGroupName="/ecs/app", logStreamName=stream, nextToken=page["nextForwardToken"])
    assert not again["events"] and again["nextForwardToken"] == page["nextForwardToken"]
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(logGroupName="/ecs/app", logStreamName="app/app/none")


def test_missing_things_are_failures_not_errors(ecs):
    assert ecs.describe_clusters(clusters=["c", "none"])["failures"][0]["reason"] == "MISSING"
    assert ecs.describe_services(cluster="c", services=["none"])["failures"][0]["reason"] == "MISSING"
    assert ecs.describe_tasks(cluster="c", tasks=["none"])["failures"][0]["reason"] == "MISSING"
    with pytest.raises(ecs.exceptions.ClusterNotFoundException):
        ecs.list_tasks(cluster="none")


def test_the_caller(client):
    assert client("sts").get_caller_identity()["Account"] == ACCOUNT


def test_roles(client):
    iam = client("iam")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="app")
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(TRUST), Tags=[{"Key": "slipway:app", "Value": "a&b"}])
    policy = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    iam.attach_role_policy(RoleName="app", PolicyArn=policy)
    role = iam.get_role(RoleName="app")["Role"]
    assert role["AssumeRolePolicyDocument"] == TRUST and role["Tags"] == [{"Key": "slipway:app", "Value": "a&b"}]
    assert [p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName="app")["AttachedPolicies"]] == [policy]
    with pytest.raises(iam.exceptions.DeleteConflictException):
        iam.delete_role(RoleName="app")


def test_networks(cloud, client):
    ec2 = client("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "default-for-az", "Values": ["true"]}])
    assert [s["SubnetId"] for s in subnets["Subnets"]] == cloud.ec2.public
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc, TagSpecifications=[
        {"ResourceType": "security-group", "Tags": [{"Key": "k", "Value": "v"}]}])["GroupId"]
    rule = [{"IpProtocol": "tcp", "FromPort": 3000, "ToPort": 3000, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    for twice in (lambda: ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule),
                  lambda: ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)):
        with pytest.raises(botocore.exceptions.ClientError, match="Duplicate"):
            twice()
    found = ec2.describe_security_groups(Filters=[{"Name": "tag:k", "Values": ["v"]}])["SecurityGroups"]
    assert [g["GroupId"] for g in found] == [group] and cloud.ec2.opened(group) == {("tcp", 3000)}
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    assert any(r.get("GatewayId", "").startswith("igw-") for t in tables for r in t["Routes"])


def test_load_balancers(cloud, client):
    elb = client("elbv2")
    balancer = elb.create_load_balancer(Name="b", Subnets=cloud.ec2.public[:2])["LoadBalancers"][0]
    group = elb.create_target_group(Name="g", Protocol="HTTP", Port=3000, VpcId=cloud.ec2.vpc, TargetType="ip",
                                    Tags=[{"Key": "k", "Value": "v"}])["TargetGroups"][0]
    assert elb.create_load_balancer(Name="b", Subnets=cloud.ec2.public[:2])["LoadBalancers"][0] == balancer
    with pytest.raises(elb.exceptions.DuplicateLoadBalancerNameException):
        elb.create_load_balancer(Name="b", Subnets=cloud.ec2.public[1:])
    elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
                        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}])
    assert elb.describe_load_balancers(Names=["b"])["LoadBalancers"][0]["DNSName"].endswith("elb.amazonaws.com")
    with pytest.raises(elb.exceptions.LoadBalancerNotFoundException):
        elb.describe_load_balancers(Names=["other"])
    assert elb.describe_tags(ResourceArns=[group["TargetGroupArn"]])["TagDescriptions"][0]["Tags"] == [{"Key": "k", "Value": "v"}]


def test_the_registrys_token(client):
    data = client("ecr").get_authorization_token()["authorizationData"][0]
    assert base64.b64decode(data["authorizationToken"]).decode().startswith("AWS:")
    assert data["proxyEndpoint"] == f"https://{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


@pytest.mark.parametrize("fault", [faults.throttled(), faults.server_error(), faults.Page(), faults.Lost()])
def test_faults_are_what_a_client_retries(ecs, cloud, fault):
    cloud.fault("ListClusters", fault)
    assert len(ecs.list_clusters()["clusterArns"]) == 1
    assert cloud.operations().count("ListClusters") == 2


def test_a_truncated_answer_announces_more_than_it_holds(cloud, monkeypatch):
    monkeypatch.setattr(cloud, "_permit", lambda *_: None)
    cloud.fault("ListClusters", faults.Truncated(3))
    connection = http.client.HTTPConnection(cloud.url.removeprefix("http://"), timeout=30)
    connection.request("POST", "/", b"{}", {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters",
                                            "Content-Type": "application/x-amz-json-1.1"})
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()


def test_expired_and_denied(ecs, cloud, client):
    cloud.deny("ecs:ListClusters", "ec2:DescribeVpcs")
    with pytest.raises(ecs.exceptions.AccessDeniedException, match="not authorized to perform: ecs:ListClusters"):
        ecs.list_clusters()
    with pytest.raises(botocore.exceptions.ClientError, match="UnauthorizedOperation"):
        client("ec2").describe_vpcs()
    cloud.expire()
    with pytest.raises(botocore.exceptions.ClientError, match="ExpiredTokenException"):
        ecs.list_clusters()


def test_what_aws_does_not_know_is_held_against_the_test():
    """An unknown member, a wrong type, a value outside its enumeration, an unknown parameter of a form, a wrong signature's scope."""
    made = Cloud()
    session = botocore.session.get_session()
    session.register_component("data_loader", models.loader())
    config = botocore.config.Config(parameter_validation=False, retries={"max_attempts": 0})
    keys = {"region_name": REGION, "endpoint_url": made.url, "aws_access_key_id": "AKIDTEST", "config": config,
            "aws_secret_access_key": "secret/with+odd=characters"}
    ecs, ec2 = session.create_client("ecs", **keys), session.create_client("ec2", **keys)

    def add(name, value):
        def change(params, **_):
            if isinstance(params["body"], dict):
                params["body"][name] = value
            else:
                params["body"] = json.dumps({**json.loads(params["body"]), name: value}).encode()
        return change
    for client, service, call, name, value in (
            (ecs, "ecs", ecs.list_clusters, "clutser", "c"), (ecs, "ecs", ecs.list_clusters, "maxResults", "ten"),
            (ecs, "ecs", ecs.list_tasks, "launchType", "FARGAT"), (ec2, "ec2", ec2.describe_vpcs, "Filters.1.Name", "x")):
        client.meta.events.register("before-call." + service, add(name, value), unique_id="add")
        with pytest.raises(botocore.exceptions.ClientError):
            call()
        client.meta.events.unregister("before-call." + service, unique_id="add")
    wrong = session.create_client("ecs", **{**keys, "region_name": "us-west-2"})
    with pytest.raises(botocore.exceptions.ClientError):
        wrong.list_clusters()
    assert len(made.violations) == 5, made.violations
    with pytest.raises(AssertionError, match="clutser"):
        made.finish()
    with pytest.raises(OSError):
        urllib.request.urlopen(made.url, timeout=1)  # pylint: disable=consider-using-with

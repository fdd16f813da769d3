"""slipway deploy against moto: the requests as another implementation of AWS's interface reads them.

moto starts tasks at once, gives them no public address, ends no deployment and writes no events: what becomes of a task is for the
scripted AWS; here it is what was asked for. It wants a memory for each container, which Fargate does not."""
import json
import pathlib
import urllib.request

import pytest

from helpers.deploying import DOCKERFILE, PROGRAM
from helpers.moto import ACCOUNT, HOST, PASSWORD, REGION, Moto, program
from helpers.registry import Registry

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": REGION}


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    if not program():
        pytest.skip("needs: moto (./dev test installs it)")
    running = Moto(pathlib.Path(tmp_path_factory.mktemp("moto")), MOTO_IAM_LOAD_MANAGED_POLICIES="true", MOTO_ECS_SERVICE_RUNNING="1")
    # Tasks stay in the state they start in: running.
    transition = {"model_name": "ecs::task", "transition": {"progression": "manual", "times": 100000}}
    urllib.request.urlopen(urllib.request.Request(running.url + "/moto-api/state-manager/set-transition",  # pylint: disable=consider-using-with
                                                  json.dumps(transition).encode(), {"Content-Type": "application/json"})).close()
    # Its default network has no way out, unlike AWS's.
    ec2 = running.client("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    registry = Registry(tmp_path_factory.mktemp("moto-deploy"), user="AWS", password=PASSWORD, names=[HOST])
    yield registry
    registry.stop()


@pytest.fixture
def deploy(request, slipway, moto, blobs, folder):
    """deploy(*options) of an app of the test's own name."""
    slipway.env.update({**KEYS, "SLIPWAY_CONNECT_TO": f"{HOST}:443:127.0.0.1:{blobs.port}", "SSL_CERT_FILE": str(blobs.ca),
                        "AWS_ENDPOINT_URL": moto.url, "AWS_EC2_METADATA_DISABLED": "true", "SLIPWAY_TEST_POLL_MS": "5",
                        "SLIPWAY_TEST_RETRY_MS": "5"})
    name = request.node.name.replace("_", "-").removeprefix("test-")[:24].rstrip("-")
    app = folder / name
    app.mkdir()
    (app / "Dockerfile").write_text(DOCKERFILE)
    (app / "app").write_bytes(PROGRAM + name.encode())
    file = folder / "task.json"
    file.write_text(json.dumps({
        "family": name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [{"name": name, "image": "x", "memory": 512, "portMappings": [{"containerPort": 3000}]}]}))

    def run(*options):
        return slipway("deploy", "--task-definition", file, *options, app)
    run.name, run.slipway, run.app = name, slipway, app
    return run


def test_a_task(deploy, moto):
    deploy("--task").ok()
    ecs = moto.client("ecs")
    definition = ecs.describe_task_definition(taskDefinition=deploy.name, include=["TAGS"])
    container = definition["taskDefinition"]["containerDefinitions"][0]
    assert container["image"].startswith(f"{HOST}/{deploy.name}@sha256:")
    assert {"key": "slipway:app", "value": deploy.name} in definition["tags"]
    tasks = ecs.describe_tasks(cluster="default", tasks=ecs.list_tasks(cluster="default")["taskArns"])["tasks"]
    assert [t["launchType"] for t in tasks if t["taskDefinitionArn"].endswith(f"{deploy.name}:1")] == ["FARGATE"]
    repository = moto.client("ecr").describe_repositories(repositoryNames=[deploy.name])["repositories"][0]
    assert repository["imageScanningConfiguration"]["scanOnPush"]
    group = moto.client("logs").describe_log_groups(logGroupNamePrefix=f"/ecs/{deploy.name}")["logGroups"]
    assert not group or group[0]["retentionInDays"] == 30
    groups = moto.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": [f"slipway-{deploy.name}"]}])
    rules = [(r["IpProtocol"], r["FromPort"]) for r in groups["SecurityGroups"][0]["IpPermissions"]]
    assert rules == [("tcp", 3000)]


def test_the_execution_role(deploy, moto):
    deploy("--task", "--detach").ok()
    definition = moto.client("ecs").describe_task_definition(taskDefinition=deploy.name)["taskDefinition"]
    name = definition["executionRoleArn"].rpartition("/")[2]
    iam = moto.client("iam")
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert trust["Condition"]["StringEquals"]["aws:SourceAccount"] == ACCOUNT
    attached = [p["PolicyName"] for p in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]]
    assert attached == ["AmazonECSTaskExecutionRolePolicy"]


def test_a_second_deploy_registers_nothing(deploy, moto):
    deploy("--task", "--detach").ok()
    deploy("--task", "--detach").ok()
    assert moto.client("ecs").list_task_definitions(familyPrefix=deploy.name)["taskDefinitionArns"][-1].endswith(":1")


def test_a_service_with_a_load_balancer_and_scaling(deploy, moto):
    deploy("--service", deploy.name, "--lb", "--scale", "1..4", "--cpu-target", "55", "--detach").ok()
    service = moto.client("ecs").describe_services(cluster="default", services=[deploy.name])["services"][0]
    assert service["desiredCount"] == 1
    elb = moto.client("elbv2")
    balancer = elb.describe_load_balancers(Names=[f"slipway-{deploy.name}"[:32].rstrip("-")])["LoadBalancers"][0]
    group = elb.describe_target_groups(LoadBalancerArn=balancer["LoadBalancerArn"])["TargetGroups"][0]
    assert group["TargetType"] == "ip" and service["loadBalancers"][0]["targetGroupArn"] == group["TargetGroupArn"]
    scaling = moto.client("application-autoscaling")
    target = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[f"service/default/{deploy.name}"])["ScalableTargets"][0]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)


def test_dry_run_asks_and_changes_nothing(deploy, moto):
    deploy("--dry-run").ok()
    assert not [r for r in moto.client().describe_repositories()["repositories"] if r["repositoryName"] == deploy.name]
    assert not moto.client("ecs").list_task_definitions(familyPrefix=deploy.name)["taskDefinitionArns"]


def test_destroy(deploy, moto):
    deploy("--task").ok()
    deploy.slipway("destroy", "--yes", "--images", deploy.name).ok()
    assert deploy.name not in [r["repositoryName"] for r in moto.client().describe_repositories()["repositories"]]
    groups = moto.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": [f"slipway-{deploy.name}"]}])
    assert groups["SecurityGroups"] == []
    assert not moto.client("logs").describe_log_groups(logGroupNamePrefix=f"/ecs/{deploy.name}")["logGroups"]


def test_destroy_of_a_service(deploy, moto):
    """Without scaling: moto does not know the tags of that."""
    deploy("--service", deploy.name, "--lb", "--detach").ok()
    deploy.slipway("destroy", "--yes", "--images", deploy.name).ok()
    assert not [b for b in moto.client("elbv2").describe_load_balancers()["LoadBalancers"] if deploy.name[:12] in b["LoadBalancerName"]]
    services = moto.client("ecs").describe_services(cluster="default", services=[deploy.name])["services"]
    assert [s["status"] for s in services] in ([], ["INACTIVE"])
    roles = [r["RoleName"] for r in moto.client("iam").list_roles()["Roles"]]
    assert f"slipway-{deploy.name}-execution" not in roles

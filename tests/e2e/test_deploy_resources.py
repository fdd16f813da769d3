"""What a deploy looks up and makes: repository, cluster, log group, roles, network; the commands for clusters and repositories."""
import json

import pytest

from helpers.deploying import KEYS, made_by_slipway, needs_models
from fakes.aws_cloud import faults

pytestmark = needs_models
ROUTES = {"ecr.api": "Interface", "ecr.dkr": "Interface", "s3": "Gateway", "logs": "Interface"}


def plan(deploying, *options):
    """The lines of --dry-run; nothing is changed."""
    since = len(deploying.cloud.calls)
    done = deploying("--task", "--dry-run", *options).ok()
    assert not deploying.cloud.changes(since)
    return [line.strip() for line in (done.out + done.err).splitlines()]


def test_all_is_made_once_and_tagged(deploying, cloud):
    lines = plan(deploying)
    name = deploying.name
    for line in (f"+ create repository {name}", "+ create cluster default", f"+ create log group /ecs/{name} (30 days)",
                 f"+ create execution role slipway-{name}-execution", f"+ create security group slipway-{name}, open on 3000/tcp"):
        assert line in lines, lines
    deploying("--task").ok()
    made = {k: v for k, v in deploying.everything().items() if "default" not in k or k.startswith("cluster")}
    assert {k.split()[0] for k in made} >= {"repository", "cluster", "log", "role", "security"}
    assert all(made_by_slipway(tags, name) for tags in made.values()), made
    since = len(cloud.calls)
    deploying.write(b"second")
    deploying("--task").ok()
    assert cloud.changes(since) == ["RegisterTaskDefinition", "RunTask"]


def test_no_create(deploying, cloud):
    since = len(cloud.calls)
    deploying("--task", "--no-create").fails("--no-create", "create repository", "create cluster default", "create execution role")
    assert not cloud.changes(since)


def test_a_new_account(deploying, cloud):
    """ECS's service-linked role is missing, and takes a while to be seen."""
    cloud.fault("CreateCluster", faults.no_service_role(), times=3)
    deploying("--task").ok()
    assert cloud.operations("iam").count("CreateServiceLinkedRole") == 1
    assert cloud.operations("ecs").count("CreateCluster") == 4


def test_somebody_made_the_service_linked_role_meanwhile(deploying, cloud):
    cloud.iam.service_linked("ecs.amazonaws.com")
    cloud.fault("CreateCluster", faults.no_service_role(), times=2)
    deploying("--task").ok()


def test_who_may_not_make_the_service_linked_role(deploying, cloud):
    cloud.fault("CreateCluster", faults.no_service_role(), times=9)
    cloud.deny("iam:CreateServiceLinkedRole")
    deploying("--task").fails("aws iam create-service-linked-role", code=5)


def test_cluster_options(deploying, cloud):
    deploying("--task", "--cluster", "shop", "--container-insights").ok()
    cluster = cloud.of("CreateCluster")[0]
    assert cluster["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert cluster["settings"] == [{"name": "containerInsights", "value": "enabled"}]


def test_log_group(deploying, cloud):
    deploying("--task", "--dry-run", "--log-retention", "31").fails("31 days", "it knows 1, 3, 5", code=2)
    deploying("--task", "--log-retention", "7").ok()
    assert cloud.of("PutRetentionPolicy") == [{"logGroupName": f"/ecs/{deploying.name}", "retentionInDays": 7}]
    since = len(cloud.calls)
    deploying("--task", "--log-retention", "14").ok()
    assert not cloud.of("PutRetentionPolicy", since), "what is there is left as it is"


def test_the_consoles_role_is_taken(deploying, cloud):
    arn = cloud.iam.add_role("ecsTaskExecutionRole")
    deploying("--task").ok()
    assert deploying.definitions()[0]["executionRoleArn"] == arn
    assert list(cloud.iam.roles) == ["ecsTaskExecutionRole"]


def test_not_when_tasks_cannot_take_it(deploying, cloud):
    cloud.iam.add_role("ecsTaskExecutionRole", service="ec2.amazonaws.com")
    deploying("--task").ok()
    assert deploying.definitions()[0]["executionRoleArn"].endswith(f":role/slipway-{deploying.name}-execution")


def test_a_role_half_made_is_made_whole(deploying, cloud):
    cloud.deny("iam:AttachRolePolicy")
    deploying("--task").fails("AttachRolePolicy", code=5)
    cloud.denied.clear()
    assert any(line.startswith("+ attach policy arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy")
               for line in plan(deploying))
    deploying("--task").ok()


def test_given_roles(deploying, cloud):
    cloud.iam.add_role("theirs")
    cloud.iam.add_role("wrong", service="ec2.amazonaws.com")
    deploying("--task", "--execution-role", "nobody").fails("there is no role nobody")
    deploying("--task", "--execution-role", "wrong").fails("ecs-tasks.amazonaws.com")
    deploying("--task", "--execution-role", "theirs").ok()
    assert list(cloud.iam.roles) == ["theirs", "wrong"]
    cloud.deny("iam:GetRole")
    deploying("--task", "--execution-role", "theirs").ok()


def test_secrets_have_a_role_of_the_app(deploying, cloud):
    """The console's role reads none; and what the task reads no more is taken back."""
    cloud.iam.add_role("ecsTaskExecutionRole")
    arn = f"arn:aws:secretsmanager:eu-west-1:{cloud.account}:secret:key-AbCdEf"
    deploying("--task", "--detach", "--secret", f"KEY={arn}:user::", "--secret", "PASSWORD=/db/password")
    role = cloud.iam.roles[f"slipway-{deploying.name}-execution"]
    policy = json.loads(role["inline"]["slipway-secrets-eu-west-1"])
    assert {s["Action"]: s["Resource"] for s in policy["Statement"]} == {
        "secretsmanager:GetSecretValue": [arn], "ssm:GetParameters": [cloud.arn("ssm", "parameter/db/password")]}
    deploying("--task", "--detach", "--secret", "PASSWORD=/db/password")
    assert "secretsmanager" not in role["inline"]["slipway-secrets-eu-west-1"]


def test_policies_of_the_task_role(deploying, cloud, folder):
    files = [folder / "a.json", folder / "b.json"]
    for file in files:
        file.write_text(json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}))
    deploying("--task", "--task-policy", str(files[0]), "--task-policy", str(files[1])).ok()
    role = cloud.iam.roles[f"slipway-{deploying.name}-task"]
    assert sorted(role["inline"]) == ["slipway-policy-a.json", "slipway-policy-b.json"]
    since = len(cloud.calls)
    deploying("--task", "--task-policy", str(files[1])).ok()
    assert list(role["inline"]) == ["slipway-policy-b.json"] and "PutRolePolicy" not in cloud.changes(since)
    (folder / "c.json").write_text("{}")
    deploying("--task", "--task-policy", str(folder / "c.json")).fails("no Statement", code=2)
    deploying("--task", "--task-policy", str(folder / "none.json")).fails("none.json")


def test_no_default_vpc(deploying, cloud):
    cloud.ec2.remove_default_vpc()
    deploying("--task").fails("no default VPC", "--subnets", "--create-default-vpc")
    assert not cloud.of("CreateRepository")
    assert "+ create default VPC" in plan(deploying, "--create-default-vpc")
    deploying("--task", "--create-default-vpc").ok()


def test_subnets_behind_nat(deploying, cloud):
    vpc = cloud.ec2.add_vpc()
    subnets = [cloud.ec2.add_subnet(vpc, "nat", zone) for zone in "ab"]
    deploying("--task", "--subnets", ",".join(subnets)).ok()
    sent = cloud.of("RunTask")[0]["networkConfiguration"]["awsvpcConfiguration"]
    assert sent["assignPublicIp"] == "DISABLED" and sent["subnets"] == subnets
    assert cloud.ec2.groups[sent["securityGroups"][0]]["VpcId"] == vpc


def test_mixed_subnets(deploying, cloud):
    vpc = cloud.ec2.add_vpc()
    subnets = [cloud.ec2.add_subnet(vpc, "nat", "a"), cloud.ec2.add_subnet(vpc, "public", "b")]
    assert any(line.startswith("! not all subnets route to an internet gateway") for line in plan(deploying, "--subnets", ",".join(subnets)))
    deploying("--task", "--subnets", ",".join(subnets)).ok()
    assert cloud.of("RunTask")[0]["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "ENABLED"


def test_no_way_to_ecr(deploying, cloud):
    vpc = cloud.ec2.add_vpc()
    subnet = cloud.ec2.add_subnet(vpc, "isolated")
    since = len(cloud.calls)
    deploying("--task", "--subnets", subnet).fails("could not reach ECR", subnet, "ecr.api, ecr.dkr, s3, logs")
    assert not cloud.changes(since)
    deploying("--task", "--subnets", cloud.ec2.public[0], "--assign-public-ip", "disabled").fails("needs a public address")


def test_endpoints_stand_for_a_route(deploying, cloud):
    vpc = cloud.ec2.add_vpc()
    subnet = cloud.ec2.add_subnet(vpc, "isolated")
    table = next(t for t, v in cloud.ec2.tables.items() if any(a.get("SubnetId") == subnet for a in v["Associations"]))
    for name, kind in ROUTES.items():
        cloud.ec2.endpoints.append({"VpcEndpointId": f"vpce-{name}", "VpcId": vpc, "VpcEndpointType": kind, "State": "Available",
                                    "ServiceName": f"com.amazonaws.eu-west-1.{name}", "RouteTableIds": [table] if kind == "Gateway" else []})
    lines = plan(deploying, "--subnets", subnet)
    assert f"= {vpc}, 1 subnet, private addresses" in lines
    # S3's gateway is written into route tables: in another one it is of no use here.
    cloud.ec2.endpoints[2]["RouteTableIds"] = ["rtb-other"]
    deploying("--task", "--dry-run", "--subnets", subnet).fails("lacks endpoints for s3")


def test_subnets_that_do_not_fit(deploying, cloud):
    other = cloud.ec2.add_subnet(cloud.ec2.add_vpc(), "nat")
    deploying("--task", "--subnets", f"{cloud.ec2.public[0]},{other}").fails("have to be in one VPC", code=2)
    deploying("--task", "--subnets", "subnet-0123456789abcdef0").fails("subnet-0123456789abcdef0")


def test_the_security_group_grows_and_those_of_others_do_not(deploying, cloud):
    deploying("--task").ok()
    group = next(k for k, g in cloud.ec2.groups.items() if g["GroupName"] == f"slipway-{deploying.name}")
    assert cloud.ec2.opened(group) == {("tcp", 3000)}
    assert all(r["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}] for r in cloud.ec2.groups[group]["IpPermissions"])
    deploying("--task", "-p", "3000", "-p", "53/udp").ok()
    assert cloud.ec2.opened(group) == {("tcp", 3000), ("udp", 53)}
    theirs = cloud.ec2.create_security_group({"GroupName": "theirs", "Description": "theirs", "VpcId": cloud.ec2.vpc})["GroupId"]
    since = len(cloud.calls)
    deploying("--task", "--security-groups", theirs).ok()
    assert not cloud.of("AuthorizeSecurityGroupIngress", since)
    assert cloud.of("RunTask", since)[0]["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"] == [theirs]


def test_a_group_of_that_name_that_others_made(deploying, cloud):
    cloud.ec2.create_security_group({"GroupName": f"slipway-{deploying.name}", "Description": "theirs", "VpcId": cloud.ec2.vpc})
    assert any("not made by slipway: left as it is; not open on 3000/tcp" in line for line in plan(deploying))
    deploying("--task", "--detach").ok()
    assert not cloud.of("AuthorizeSecurityGroupIngress")


def test_instances(deploying, cloud):
    deploying("--task", "--launch-type", "EC2").fails("no container instances", "ECS_CLUSTER=default")
    assert not cloud.of("CreateCluster")


# ---- clusters and repositories ---------------------------------------------------


@pytest.fixture
def aws(slipway, cloud):
    slipway.env.update({**KEYS, "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": cloud.url, "AWS_EC2_METADATA_DISABLED": "true",
                        "SLIPWAY_TEST_POLL_MS": "1", "SLIPWAY_TEST_RETRY_MS": "1"})
    return slipway


def test_cluster_commands(aws, cloud):
    arn = cloud.arn("ecs", "cluster/shop")
    assert aws("cluster", "create", "shop", "--container-insights").ok().out == arn + "\n"
    assert aws("cluster", "create", "shop").ok().out == arn + "\n" and len(cloud.of("CreateCluster")) == 1
    aws("cluster", "create", "a").ok()
    assert aws("cluster", "list", "-q").ok().out == "a\nshop\n"
    rows = [line.split() for line in aws("cluster", "list").ok().out.splitlines()]
    assert rows[1:] == [["a", "ACTIVE", "0", "0", "0", "no"], ["shop", "ACTIVE", "0", "0", "0", "yes"]]
    assert aws("cluster", "delete", "a", "shop").ok().out == "a\nshop\n"
    assert aws("cluster", "list", "-q").ok().out == ""
    aws("cluster", "delete", "shop").ok()
    aws("cluster", "create", "a b").fails("invalid cluster", code=2)
    cloud.deny("ecs:CreateCluster")
    aws("cluster", "create", "b").fails("ecs:CreateCluster", code=5)


def test_repo_commands(aws, cloud):
    uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/api"
    assert aws("repo", "create", "shop/api", "--immutable-tags", "--keep-last", "20").ok().out == uri + "\n"
    sent = cloud.of("CreateRepository")[0]
    assert sent["imageTagMutability"] == "IMMUTABLE" and sent["imageScanningConfiguration"] == {"scanOnPush": True}
    rule = json.loads(cloud.of("PutLifecyclePolicy")[0]["lifecyclePolicyText"])["rules"][0]
    assert rule["selection"] == {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 20}
    assert rule["action"] == {"type": "expire"}
    again = aws("repo", "create", "shop/api").ok()
    assert again.out == uri + "\n" and "there already" in again.err
    assert aws("repo", "create", "b2", "--no-scan").ok() and not cloud.of("CreateRepository")[-1]["imageScanningConfiguration"]["scanOnPush"]
    assert aws("repo", "list", "-q").ok().out == "b2\nshop/api\n"
    rows = [line.split() for line in aws("repo", "list").ok().out.splitlines()]
    assert (rows[2][0], rows[2][1], rows[2][-1]) == ("shop/api", "immutable", uri)
    cloud.fault("DeleteRepository", faults.Refused("RepositoryNotEmptyException", "it still contains images"))
    aws("repo", "delete", "b2").fails("still contains images", "--force")
    assert aws("repo", "delete", "b2", "shop/api", "--force").ok().out == "b2\nshop/api\n"
    assert cloud.of("DeleteRepository")[-1]["force"] is True
    aws("repo", "create", "Shop").fails("invalid repository", code=2)
    aws("repo", "create", "shop", "--keep-last", "0").fails("--keep-last", code=2)

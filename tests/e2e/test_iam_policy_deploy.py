"""slipway iam-policy deploy: a deploy goes through with it and with nothing more, and it allows little that no deploy calls."""
import fnmatch
import json

import pytest

from helpers.deploying import needs_models
from fakes.aws_cloud import models

pytestmark = needs_models
ACCOUNT, REGION = "123456789012", "eu-west-1"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:key-AbCdEf"
READ = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
# What a call asks for besides its own name, and what the layer protocol is made of.
COMPANIONS = {
    "iam:PassRole", "iam:TagRole", "ecr:TagResource", "ecs:TagResource", "logs:TagResource", "ec2:CreateTags",
    "elasticloadbalancing:AddTags", "application-autoscaling:TagResource", "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm",
    "cloudwatch:DeleteAlarms", "ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload", "ecr:PutImage", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}


class Only:
    """Every action is denied but these."""

    def __init__(self, allowed):
        self.allowed, self.asked = allowed | {"sts:GetCallerIdentity"}, set()

    def __contains__(self, action):
        self.asked.add(action)
        return action not in self.allowed


def policy(slipway, name, *options):
    text = slipway("iam-policy", "deploy", "--name", name, "--account", ACCOUNT, "--region", REGION, *options).ok().out
    document = json.loads(text)
    assert document["Version"] == "2012-10-17" and len({s["Sid"] for s in document["Statement"]}) == len(document["Statement"])
    return document["Statement"]


def actions(statements):
    return {a for s in statements for a in s["Action"]}


@pytest.fixture
def permit(deploying):
    """permit(*options): from now on only what the policy allows; in the end also on what it allows it."""
    statements = []

    def only(*options):
        statements.extend(policy(deploying.slipway, deploying.name, *options))
        deploying.cloud.denied = Only(actions(statements))
        return actions(statements)
    yield only
    arn = deploying.cloud.arn
    for call in deploying.cloud.calls:
        p, things = call.parameters, []
        if "RoleName" in p:
            things = [arn("iam", f"role/{p['RoleName']}", region="")]
        elif "logGroupName" in p:
            things = [arn("logs", f"log-group:{p['logGroupName']}")]
        elif call.service == "ecr":
            things = [arn("ecr", f"repository/{n}") for n in [p.get("repositoryName"), *p.get("repositoryNames", [])] if n]
        elif call.service == "ecs" and "services" in p:
            things = [arn("ecs", f"service/{p['cluster'].rpartition('/')[2]}/{n.rpartition('/')[2]}") for n in p["services"]]
        action = f"{call.service}:{call.operation}"
        allowed = [r for s in statements if action in s["Action"] for r in ([s["Resource"]] if isinstance(s["Resource"], str) else s["Resource"])]
        for thing in things:
            assert any(fnmatch.fnmatchcase(thing, r) for r in allowed), f"{action} of {thing}"


def test_a_task(deploying, permit):
    permit()
    deploying("--task").ok()
    deploying.write(b"second")
    deploying("--task").ok()


def test_a_service(deploying, permit):
    permit()
    deploying.service().ok()
    deploying.write(b"second")
    deploying.service().ok()


def test_roles_secrets_and_policies(deploying, permit, folder):
    (folder / "queue.json").write_text('{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}')
    policies = ("--task-policy", READ, "--task-policy", str(folder / "queue.json"))
    permit("--secrets", *policies)
    deploying("--dry-run", "--secret", f"KEY={SECRET}", *policies).ok()
    deploying("--task", "--detach", "--secret", f"KEY={SECRET}", *policies)
    role = deploying.cloud.iam.roles[f"slipway-{deploying.name}-execution"]
    assert deploying.cloud.iam.allows(role["Arn"], "secretsmanager:GetSecretValue", SECRET)
    assert not deploying.cloud.iam.allows(role["Arn"], "secretsmanager:GetSecretValue", SECRET + "x")
    task = deploying.cloud.iam.roles[f"slipway-{deploying.name}-task"]
    assert task["attached"] == [READ] and list(task["inline"]) == ["slipway-policy-queue.json"]


def test_everything_and_its_end(deploying, permit, cloud):
    """The policy with all options is needed nearly whole: what no call asked for is known."""
    options = ("--lb", "--scale", "--destroy")
    allowed = permit(*options)
    deploying.service("--lb", "--scale", "1..3").ok()
    deploying.write(b"second")
    deploying.service("--lb", "--scale", "1..4").ok()
    deploying.slipway("destroy", deploying.name, "--images", "--yes").ok()
    unused = allowed - cloud.denied.asked - COMPANIONS
    assert unused <= {
        "iam:CreateServiceLinkedRole",  # of a new account
        "ec2:DescribeVpcEndpoints",  # of subnets without a way out
        "ec2:DescribeInstances", "ecs:DescribeContainerInstances",  # of --launch-type EC2
        "ecs:StopServiceDeployment", "logs:GetLogEvents",  # of deployments that fail
        "iam:DeleteRolePolicy",  # of roles with policies of files
        "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyTargetGroup",  # of options that change
        "ecs:DeleteExpressGatewayService", "ecs:RunTask", "ecs:StopTask",
        "ec2:DescribeNetworkInterfaces",  # a task's address: the balancer's is shown here
        "application-autoscaling:ListTagsForResource", "ecs:DescribeServiceDeployments", "ecs:ListServiceDeployments",
    }, unused


def test_operating(deploying, permit):
    permit("--operate", "--scale")
    deploying.service().ok()
    name = deploying.name
    for words in (("ps",), ("logs", name), ("scale", name, "2"), ("scale", name, "1..2"), ("task", "describe", name)):
        deploying.slipway(*words).ok()
    tasks = deploying.cloud.ecs.list_tasks({"cluster": "default"})["taskArns"]
    deploying.slipway("stop", tasks[0]).ok()


def test_express(deploying, permit):
    permit("--express", "--destroy")
    deploying("--express").ok()
    deploying("--express").ok()
    deploying.slipway("destroy", deploying.name, "--images", "--yes").ok()
    assert f"slipway-{deploying.name}-infrastructure" not in deploying.cloud.iam.roles


def test_who_may_not_make_roles_is_told_what_to_ask_for(deploying):
    deploying.cloud.deny("iam:CreateRole")
    deploying("--task").fails("iam:CreateRole", f"slipway iam-policy deploy --name {deploying.name}", "--execution-role", code=5)


def test_roles_of_others_are_handed_on_and_never_changed(slipway):
    statements = policy(slipway, "web", "--execution-role", "theirs", "--task-role", f"arn:aws:iam::{ACCOUNT}:role/app/its", "--secrets")
    changing = [s for s in statements if any(a.startswith("iam:") and a not in ("iam:GetRole", "iam:PassRole",
                                                                                "iam:CreateServiceLinkedRole") for a in s["Action"])]
    assert not changing, changing
    passed = next(s for s in statements if s["Action"] == ["iam:PassRole"])
    assert passed["Resource"] == [f"arn:aws:iam::{ACCOUNT}:role/theirs", f"arn:aws:iam::{ACCOUNT}:role/its"]
    assert passed["Condition"] == {"StringEquals": {"iam:PassedToService": ["ecs-tasks.amazonaws.com"]}}


def test_only_known_policies_may_be_attached(slipway):
    attach = next(s for s in policy(slipway, "web", "--task-policy", READ) if s["Action"] == ["iam:AttachRolePolicy"])
    assert attach["Condition"] == {"ArnLike": {"iam:PolicyARN": [
        "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy", READ]}}
    assert not any("iam:PutRolePolicy" in s["Action"] for s in policy(slipway, "web", "--task-policy", READ))


def test_actions_are_operations_of_the_services(slipway):
    names = {"elasticloadbalancing": "elbv2"}
    for action in actions(policy(slipway, "web", "--lb", "--scale", "--destroy", "--operate", "--secrets")) - {"iam:PassRole"}:
        service, operation = action.split(":")
        assert operation in models.model(names.get(service, service)).operation_names, action


def test_nothing_is_made_with_no_create(slipway):
    made = [a for a in actions(policy(slipway, "web", "--no-create")) if ":Create" in a]
    assert made == ["ecs:CreateService"]


def test_partitions_and_any(slipway):
    out = slipway("iam-policy", "deploy", "--name", "web", "--region", "cn-north-1").ok().out
    assert "arn:aws-cn:ecs:cn-north-1:*:service/default/web" in out and "arn:aws:" not in out
    assert "arn:aws:ecs:*:*:service/default/web" in slipway("iam-policy", "deploy", "--name", "web").ok().out


def test_refusals(slipway):
    slipway("iam-policy", "deploy").fails("--name", code=2)
    slipway("iam-policy", "deploy", "--name", "a b").fails("invalid name", code=2)
    slipway("iam-policy", "deploy", "--name", "a", "--account", "12").fails("12 digits", code=2)
    slipway("iam-policy", "deploy", "--name", "a", "--region", "a b").fails("--region", code=2)

"""slipway deploy of a task: from a Dockerfile to a running task in one command, against a scripted AWS."""
import io
import json
import re
import signal
import tarfile

import pytest

from helpers import processes
from helpers.deploying import HOST, PASSWORD, made_by_slipway, needs_models
from fakes.aws_cloud import scenarios

pytestmark = needs_models
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def test_from_nothing_to_a_running_task(deploying, cloud):
    """An account that has nothing but its default network."""
    done = deploying().ok()
    definition, container = deploying.definitions()[0], deploying.container()
    assert cloud.operations()[0] == "GetCallerIdentity"
    assert re.fullmatch(re.escape(deploying.repository) + "@" + DIGEST.pattern, container["image"])
    assert {m["containerPort"] for m in container["portMappings"]} == {3000}
    assert (definition["networkMode"], definition["requiresCompatibilities"]) == ("awsvpc", ["FARGATE"])
    assert definition["runtimePlatform"] == {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}
    log = container["logConfiguration"]["options"]
    assert log["awslogs-group"] == f"/ecs/{deploying.name}" and cloud.logs.groups[log["awslogs-group"]]["retention"] == 30
    run = cloud.of("RunTask")
    assert len(run) == 1 and run[0]["launchType"] == "FARGATE" and run[0].get("cluster", "default").endswith("default")
    task = next(iter(cloud.ecs.tasks.values()))
    assert task.data["lastStatus"] == "RUNNING"
    # The result on stdout: digest, task definition, task, address.
    for word in (DIGEST.search(container["image"])[0], definition["taskDefinitionArn"], task.data["taskArn"], "203.0.113."):
        assert word in done.out, str(done)
    group = task.interface["Groups"][0]["GroupId"]
    assert cloud.ec2.opened(group) == {("tcp", 3000)}
    assert cloud.ec2.groups[group]["GroupName"] == f"slipway-{deploying.name}"


def test_all_that_is_made_carries_the_tags(deploying):
    deploying().ok()
    found = {k: v for k, v in deploying.everything().items() if not k.startswith("security group default")}
    assert {k.partition(" ")[0] for k in found} == {"repository", "cluster", "role", "log", "security", "task"}
    assert all(made_by_slipway(tags, deploying.name) for tags in found.values()), found


def test_json_names_what_ci_needs(deploying, cloud):
    answer = deploying.json()
    text = json.dumps(answer)
    for word in (deploying.container()["image"], deploying.definitions()[0]["taskDefinitionArn"], next(iter(cloud.ecs.tasks)), "203.0.113."):
        assert word in text, text


def test_a_second_deploy_registers_and_pushes_nothing(deploying, cloud, ecr_blobs):
    deploying().ok()
    since, mark = len(cloud.calls), ecr_blobs.mark()
    deploying().ok()
    assert cloud.changes(since) == ["RunTask"]
    assert deploying.pushes(mark) == []
    assert len(deploying.definitions()) == 1


def test_another_image_is_another_revision(deploying, cloud):
    deploying().ok()
    deploying.write(b"second")
    since = len(cloud.calls)
    done = deploying().ok()
    assert [c for c in cloud.changes(since)] == ["RegisterTaskDefinition", "RunTask"]
    first, second = deploying.container(0), deploying.container(1)
    assert first["image"] != second["image"]
    assert {**first, "image": ""} == {**second, "image": ""}, "only the image differs"
    # The diff against what ran is shown.
    assert DIGEST.search(first["image"])[0][:19] in done.err + done.out, str(done)


def test_dry_run_changes_nothing(deploying, cloud, ecr_blobs):
    mark = ecr_blobs.mark()
    done = deploying("--dry-run").ok()
    assert cloud.changes() == []
    assert deploying.pushes(mark) == []
    said = done.out + done.err
    for word in (deploying.name, f"/ecs/{deploying.name}", f"slipway-{deploying.name}", "default"):
        assert word in said, str(done)


def test_dry_run_shows_what_would_differ(deploying, cloud):
    deploying("-e", "COLOUR=red").ok()
    since = len(cloud.calls)
    done = deploying("--dry-run", "-e", "COLOUR=blue").ok()
    assert "red" in done.out + done.err and "blue" in done.out + done.err, str(done)
    assert cloud.changes(since) == []


def test_what_is_there_is_used_as_it_is(deploying, cloud):
    """The cluster, repository, role, log group and security group of somebody else: neither made again nor marked as slipway's."""
    cloud.ecs.create_cluster({"clusterName": "default"})
    cloud.ecr.create_repository({"repositoryName": deploying.name})
    cloud.logs.create_log_group({"logGroupName": f"/ecs/{deploying.name}"})
    role = cloud.iam.add_role("ecsTaskExecutionRole")
    group = cloud.ec2.create_security_group({"GroupName": "web", "Description": "ours", "VpcId": cloud.ec2.vpc})["GroupId"]
    deploying("--security-groups", group, "--subnets", cloud.ec2.public[1]).ok()
    made = [c for c in cloud.changes() if c not in ("RegisterTaskDefinition", "RunTask")]
    assert made == [], made
    assert deploying.definitions()[0]["executionRoleArn"] == role
    network = cloud.of("RunTask")[0]["networkConfiguration"]["awsvpcConfiguration"]
    assert (network["subnets"], network["securityGroups"]) == ([cloud.ec2.public[1]], [group])
    assert not any(tags for what, tags in deploying.everything().items() if not what.startswith("task definition"))


def test_no_create_names_what_is_missing(deploying, cloud):
    deploying("--no-create").fails(deploying.name)
    assert cloud.changes() == []


@pytest.mark.parametrize("scenario, code", [(scenarios.Done(), 0), (scenarios.Crash(42), 42), (scenarios.Oom(), 137)])
def test_wait_ends_with_the_containers_own_code(deploying, cloud, scenario, code):
    cloud.script({1: scenario})
    done = deploying("--task", "--wait")
    assert done.code == code, str(done)
    assert scenario.logs[0] in done.out + done.err, "the container's output is shown"


def test_a_job_that_is_over_between_two_looks(deploying, cloud):
    """PENDING, and STOPPED with exit code 0 at the next look: well done."""
    cloud.seconds_per_call = 30
    cloud.script({1: scenarios.Done(after=1)})
    deploying("--task", "--wait").ok()
    deploying("--task").ok()


def test_detach_leaves_at_once(deploying, cloud):
    deploying("--detach").ok()
    assert cloud.operations()[-1] == "RunTask" or cloud.operations().count("DescribeTasks") <= 1
    assert next(iter(cloud.ecs.tasks.values())).data["lastStatus"] != "RUNNING"


def test_ports_environment_and_size(deploying, cloud):
    deploying("-p", "3000", "-p", "80/tcp", "-p", "53/udp", "-e", "A=1", "-e", "B=two words", "--cpu", "0.5 vCPU", "--memory", "1 GB").ok()
    container, definition = deploying.container(), deploying.definitions()[0]
    assert {(m["protocol"], m["containerPort"]) for m in container["portMappings"]} == {("tcp", 3000), ("tcp", 80), ("udp", 53)}
    assert {e["name"]: e["value"] for e in container["environment"]} == {"A": "1", "B": "two words"}
    assert (definition["cpu"], definition["memory"]) == ("512", "1024")
    group = next(iter(cloud.ecs.tasks.values())).interface["Groups"][0]["GroupId"]
    assert cloud.ec2.opened(group) == {("tcp", 3000), ("tcp", 80), ("udp", 53)}


def test_secrets_reach_the_task_and_nothing_else(deploying, cloud):
    """By reference; the execution role may read these two, and the values are asked for by nobody."""
    stored, parameter = cloud.secretsmanager.add("db", "hunter2-db"), cloud.ssm.add("/app/key", "hunter2-key")
    done = deploying("--secret", f"DB={stored}", "--secret", f"KEY={parameter}", "--json").ok()
    assert {s["name"]: s["valueFrom"] for s in deploying.container()["secrets"]} == {"DB": stored, "KEY": parameter}
    assert "hunter2" not in done.out + done.err
    assert not set(cloud.operations()) & {"GetSecretValue", "GetParameter", "GetParameters"}
    role = deploying.definitions()[0]["executionRoleArn"]
    assert not cloud.iam.allows(role, "secretsmanager:GetSecretValue", stored.replace(":secret:db", ":secret:other"))


def test_no_key_token_or_password_is_shown(deploying):
    """At the highest verbosity, of a deploy with all that is secret."""
    deploying.slipway.env["API_TOKEN"] = "hunter2-token"
    done = deploying.slipway("-v", "deploy", "-e", "API_TOKEN", "--progress", "plain", deploying.app).ok()
    deploying.slipway.env["API_TOKEN"] = "hunter3-token"
    diff = deploying.slipway("-v", "deploy", "-e", "API_TOKEN", "--dry-run", deploying.app).ok()
    assert "API_TOKEN" in diff.out + diff.err, "that it differs is told"
    for said in (done.out, done.err, diff.out, diff.err):
        for secret in ("secret/with", PASSWORD, "hunter2", "hunter3", "Authorization", "Signature="):
            assert secret not in said, said


def test_a_task_role_with_policies(deploying, cloud):
    policy = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    deploying("--task-policy", policy).ok()
    role = cloud.iam.find(deploying.definitions()[0]["taskRoleArn"])
    assert role["RoleName"] == f"slipway-{deploying.name}-task" and role["attached"] == [policy]


def test_a_task_definition_of_ones_own(deploying, cloud, folder):
    """Sidecars, and fields that slipway has no flag for, stay as they are: the image alone is put in."""
    role = cloud.iam.add_role("ecsTaskExecutionRole")
    own = {"family": deploying.name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "512", "memory": "1024",
           "executionRoleArn": role, "containerDefinitions": [
               {"name": "web", "image": "to-be-replaced", "essential": True, "portMappings": [{"containerPort": 8080, "name": "web"}],
                "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}], "readonlyRootFilesystem": True,
                "dependsOn": [{"containerName": "proxy", "condition": "START"}]},
               {"name": "proxy", "image": "public.ecr.aws/docker/library/nginx:1", "essential": False, "cpu": 64}]}
    file = folder / "task.json"
    file.write_text(json.dumps(own))
    deploying("--task-definition", file, "--container", "web").ok()
    sent = cloud.of("RegisterTaskDefinition")[0]
    assert sent["containerDefinitions"][0].pop("image").startswith(deploying.repository + "@sha256:")
    del own["containerDefinitions"][0]["image"], sent["tags"]
    assert sent == own
    since = len(cloud.calls)
    deploying("--task-definition", file, "--container", "web").ok()
    assert "RegisterTaskDefinition" not in cloud.changes(since)


def test_an_image_in_the_registry_is_deployed_by_its_digest(deploying, cloud):
    deploying("--detach").ok()
    image, since = deploying.container()["image"], len(cloud.calls)
    tag = json.loads(deploying.registry.request(f"/v2/{deploying.name}/tags/list")[2])["tags"][0]
    deploying.slipway("deploy", "--name", "other", f"{HOST}/{deploying.name}:{tag}").ok()
    assert cloud.of("RegisterTaskDefinition", since)[0]["containerDefinitions"][0]["image"] == image


def test_the_tag_is_the_digests_by_default(deploying):
    deploying("--detach").ok()
    tags = json.loads(deploying.registry.request(f"/v2/{deploying.name}/tags/list")[2])["tags"]
    digest = DIGEST.search(deploying.container()["image"])[0]
    assert tags == ["sha-" + digest[7:19]]


@pytest.mark.parametrize("options, word", [
    (["--cpu", "300"], "cpu"), (["--cpu", "256", "--memory", "4096"], "memory"), (["-p", "70000"], "70000"),
    (["--name", "a name"], "name"), (["--log-retention", "31"], "31"), (["--ephemeral-storage", "10"], "storage"),
    (["--task", "--service", "x"], "--task"), (["--scale", "5..2", "--service", "x"], "5..2"), (["--launch-type", "LAMBDA"], "LAMBDA"),
    (["--secret", "DB=hunter2"], "arn"), (["--timeout", "soon"], "soon"),
])
def test_wrong_flags_are_told_before_anything(deploying, cloud, options, word):
    done = deploying(*options).fails(word, code=2)
    assert "hunter2" not in done.err, "what was given for a secret's ARN may be the secret"
    # Flags are laid over the task definition of a service that others made: whether there is one has to be known.
    assert set(cloud.operations()) <= {"GetCallerIdentity", "DescribeServices"}


def test_an_image_that_cannot_start_there_is_told_before_the_push(deploying, cloud, ecr_blobs):
    """The entry point is not in the image."""
    deploying.write(dockerfile="FROM scratch\nCOPY app /app\nENTRYPOINT [\"/missing\"]\n")
    mark = ecr_blobs.mark()
    done = deploying()
    assert done.code in (1, 2) and "/missing" in done.err, str(done)
    assert cloud.changes() == [] and deploying.pushes(mark) == []


def test_wrong_keys_are_told_before_the_build(deploying, cloud):
    deploying.slipway.env["AWS_SECRET_ACCESS_KEY"] = "other"
    deploying.write(dockerfile="FROM nowhere.invalid/never:1\n")
    done = deploying()
    assert done.code in (1, 5) and "signature" in done.err.lower(), str(done)
    assert set(cloud.operations()) == {"GetCallerIdentity"}
    assert "nowhere.invalid" not in done.err


@pytest.mark.parametrize("action", ["ecs:CreateCluster", "ecr:CreateRepository", "iam:CreateRole", "logs:CreateLogGroup",
                                    "ec2:CreateSecurityGroup", "ecs:RegisterTaskDefinition", "ecs:RunTask"])
def test_a_denied_call_ends_with_5_and_its_name(deploying, cloud, action):
    cloud.deny(action)
    done = deploying().fails(action.partition(":")[2], code=5)
    assert "not authorized" in done.err, str(done)


def test_no_default_network(deploying, cloud):
    cloud.ec2.remove_default_vpc()
    deploying().fails("default", "--subnets")
    assert "RunTask" not in cloud.operations()


def test_subnets_without_a_way_to_the_registry(deploying, cloud):
    isolated = cloud.ec2.add_subnet(cloud.ec2.add_vpc(), "isolated")
    done = deploying("--subnets", isolated)
    assert done.code in (1, 2) and isolated in done.err, str(done)
    assert "RunTask" not in cloud.operations()


def test_subnets_behind_a_nat_gateway_need_no_public_address(deploying, cloud):
    inner = cloud.ec2.add_subnet(cloud.ec2.add_vpc(), "nat")
    deploying("--subnets", inner).ok()
    assert cloud.of("RunTask")[0]["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"


def test_the_ec2_launch_type(deploying, cloud):
    cloud.ecs.create_cluster({"clusterName": "default"})
    cloud.ecs.add_instance("default")
    deploying("--launch-type", "EC2", "--memory", "512").ok()
    assert cloud.of("RunTask")[0]["launchType"] == "EC2"
    assert "EC2" in deploying.definitions()[0]["requiresCompatibilities"]


def test_a_spaced_cluster_of_its_own(deploying, cloud):
    deploying("--cluster", "prod", "--container-insights").ok()
    sent = cloud.of("CreateCluster")[0]
    assert sent["clusterName"] == "prod"
    assert [s["name"] for s in sent["settings"]] == ["containerInsights"] and sent["settings"][0]["value"] in ("enabled", "enhanced")
    assert set(sent.get("capacityProviders", ["FARGATE", "FARGATE_SPOT"])) == {"FARGATE", "FARGATE_SPOT"}


def test_a_context_from_standard_input(deploying, cloud):
    """It has no folder whose name could be the app's."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(deploying.app / "Dockerfile", "Dockerfile")
        tar.add(deploying.app / "app", "app")
    deploying.slipway("deploy", "-", stdin=packed.getvalue()).fails("--name", code=2)
    deploying.slipway("deploy", "--name", deploying.name, "-", stdin=packed.getvalue()).ok()
    assert deploying.container()["image"].startswith(deploying.repository)


def test_an_image_that_was_built_before(deploying, cloud):
    """By its name here: the app is called as its repository."""
    deploying.slipway.build(deploying.app, "-q", "-t", f"team/{deploying.name}:2").ok()
    deploying.slipway("deploy", f"team/{deploying.name}:2").ok()
    assert deploying.container()["image"].startswith(HOST)
    assert len(cloud.of("RunTask")) == 1


def test_an_image_that_is_nowhere(deploying, cloud):
    deploying.slipway("deploy", f"{HOST}/{deploying.name}:none").fails(f"{deploying.name}:none")
    assert cloud.changes() == []


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_wait_leaves_the_task_running(deploying, cloud, number, code):
    cloud.script({1: scenarios.SlowButFine(1e9)})
    process = deploying.start("--task")
    assert processes.wait_until(lambda: cloud.operations().count("DescribeTasks") > 2, 60), process.communicate()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code and b"slipway stop" in err, err.decode()
    assert "StopTask" not in cloud.operations()

"""The local target by programs that were written for AWS: the whole story told by the aws command alone, of both of its generations, and by
boto3; the image comes by skopeo."""
import json
import os
import pathlib
import signal
import subprocess
import urllib.request

import pytest

from helpers import processes
from helpers.building import Builder
from helpers.local_target import LocalTarget, until

TOP = pathlib.Path(__file__).resolve().parents[2]
OWN = TOP / ".dev/moto/bin"
APP = """
    FROM tiny
    RUN mkdir /www && echo hello > /www/index.html
    CMD ["sh", "-c", "echo version $VERSION starts; trap 'echo stopping; exit 0' TERM; httpd -f -p 3000 -h /www & wait $!"]
    """
BROKEN = """
    FROM tiny
    CMD ["sh", "-c", "echo no such module; exit 3"]
    """
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]})


class Command:
    """An aws command whose only knowledge of the target is what 'slipway local env' prints."""

    def __init__(self, program, local):
        self.program, self.local = program, local
        self.env = {**local.keys, "PATH": os.environ["PATH"], "HOME": str(local.run.home), "AWS_PAGER": "", "PYTHONUNBUFFERED": "1"}

    def argv(self, *arguments):
        return [self.program, "--endpoint-url", self.local.url, "--output", "json", *map(str, arguments)]

    def text(self, *arguments):
        done = subprocess.run(self.argv(*arguments), env=self.env, capture_output=True, text=True, check=False, timeout=180)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}\n{self.local.log()}"
        return done.stdout

    def __call__(self, *arguments):
        return json.loads(self.text(*arguments) or "null")

    def start(self, file, *arguments):
        with open(file, "wb") as out:
            return subprocess.Popen(self.argv(*arguments), env=self.env, stdout=out, stderr=subprocess.STDOUT)


@pytest.fixture
def aws2(local):
    """Debian's: the generation that AWS ships now."""
    if not os.access("/usr/bin/aws", os.X_OK):
        pytest.skip("needs: awscli")
    return Command("/usr/bin/aws", local)


@pytest.fixture
def aws1(local):
    """PyPI's, which is newer than Debian's and knows AWS_ENDPOINT_URL."""
    if not (OWN / "aws").exists():
        pytest.skip("needs: awscli of PyPI (./dev test installs it)")
    return Command(str(OWN / "aws"), local)


def push(build, local, aws, dockerfile, name):
    """The image, made here, by skopeo into a repository of the target's; its digest."""
    build(dockerfile)
    password = aws.text("ecr", "get-login-password").strip()
    digest = local.run.folder / "digest"
    subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"--dest-creds=AWS:{password}", f"--digestfile={digest}",
                    f"oci:{local.run.root}:t{build.n_built}:latest", f"docker://{local.registry}/{name}"], check=True, capture_output=True)
    return digest.read_text()


def definition(local, tag, role, group="/ecs/app"):
    return json.dumps({
        "family": "app", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
        "executionRoleArn": role, "containerDefinitions": [{
            "name": "app", "image": f"{local.registry}/team/app:{tag}", "essential": True,
            "portMappings": [{"containerPort": 3000, "protocol": "tcp"}], "environment": [{"name": "VERSION", "value": tag}],
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}}}]})


def get(address, port=3000):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{address}:{port}/", timeout=30) as answer:
        return answer.read().decode()


def prepare(aws, local, build):
    """Repository, image, role, log group, cluster; the network as both run-task and create-service take it."""
    assert aws("sts", "get-caller-identity")["Account"] == "000000000000"
    made = aws("ecr", "create-repository", "--repository-name", "team/app")["repository"]
    assert made["repositoryUri"] == f"{local.registry}/team/app"
    digest = push(build, local, aws, APP, "team/app:1")
    [image] = aws("ecr", "describe-images", "--repository-name", "team/app")["imageDetails"]
    assert image["imageDigest"] == digest and image["imageTags"] == ["1"]
    role = aws("iam", "create-role", "--role-name", "execution", "--assume-role-policy-document", TRUST)["Role"]["Arn"]
    aws("logs", "create-log-group", "--log-group-name", "/ecs/app")
    assert aws("ecs", "create-cluster", "--cluster-name", "main")["cluster"]["status"] == "ACTIVE"
    subnets = [s["SubnetId"] for s in aws("ec2", "describe-subnets")["Subnets"]]
    assert subnets
    return role, json.dumps({"awsvpcConfiguration": {"subnets": subnets[:2], "assignPublicIp": "ENABLED"}})


def run_task(aws, network):
    """(ARN, address) of one that 'ecs wait' says runs."""
    [task] = aws("ecs", "run-task", "--cluster", "main", "--task-definition", "app", "--launch-type", "FARGATE",
                 "--network-configuration", network)["tasks"]
    assert task["lastStatus"] == "PROVISIONING"
    aws.text("ecs", "wait", "tasks-running", "--cluster", "main", "--tasks", task["taskArn"])
    [running] = aws("ecs", "describe-tasks", "--cluster", "main", "--tasks", task["taskArn"])["tasks"]
    assert running["lastStatus"] == "RUNNING" and running["connectivity"] == "CONNECTED"
    [interface] = [d["value"] for a in running["attachments"] for d in a["details"] if d["name"] == "networkInterfaceId"]
    [found] = aws("ec2", "describe-network-interfaces", "--network-interface-ids", interface)["NetworkInterfaces"]
    return task["taskArn"], found["Association"]["PublicIp"]


def stop_task(aws, arn):
    aws("ecs", "stop-task", "--cluster", "main", "--task", arn, "--reason", "seen enough")
    aws.text("ecs", "wait", "tasks-stopped", "--cluster", "main", "--tasks", arn)
    [ended] = aws("ecs", "describe-tasks", "--cluster", "main", "--tasks", arn)["tasks"]
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "seen enough")
    assert ended["containers"][0]["exitCode"] == 0


def follow_logs(aws, arn):
    """'aws logs tail --follow' sees the lines as they come."""
    seen = aws.local.run.folder / "tail"
    tail = aws.start(seen, "logs", "tail", "/ecs/app", "--follow", "--format", "short")
    try:
        until(lambda: seen.read_text().endswith(" version 1 starts\n"), what="the task's first line")
        stop_task(aws, arn)
        until(lambda: seen.read_text().endswith(" stopping\n"), what="its last line")
    finally:
        tail.terminate()
        tail.wait(20)


def check_logs(aws, arn):
    events = aws("logs", "get-log-events", "--log-group-name", "/ecs/app", "--log-stream-name", f"ecs/app/{arn.rpartition('/')[2]}",
                 "--start-from-head")["events"]
    assert [e["message"] for e in events] == ["version 1 starts", "stopping"]


class Watch:
    """Services and tasks, looked at by botocore: it starts once."""

    def __init__(self, local):
        self.ecs = local.client("ecs")

    def service(self):
        return self.ecs.describe_services(cluster="main", services=["web"])["services"][0]

    def tasks(self):
        return set(self.ecs.list_tasks(cluster="main", serviceName="web")["taskArns"])

    def settled(self, count=2, family=None):
        s = self.service()
        return (len(s["deployments"]) == 1 and s["runningCount"] == s["desiredCount"] == count == len(self.tasks()) and
                s["deployments"][0]["rolloutState"] == "COMPLETED" and (family is None or s["taskDefinition"].endswith(family)))


def kill_one(local):
    """The process of one of its tasks, as the machine's owner would."""
    found = processes.programs(local.process.pid, b"httpd\0")
    assert len(found) == 2, found
    os.kill(found[0], signal.SIGKILL)


@pytest.mark.slow
def test_the_whole_story_by_the_aws_command(aws2, local, build):
    aws, watch = aws2, Watch(local)
    role, network = prepare(aws, local, build)
    registered = aws("ecs", "register-task-definition", "--cli-input-json", definition(local, "1", role))["taskDefinition"]
    assert registered["revision"] == 1 and registered["status"] == "ACTIVE"
    arn, address = run_task(aws, network)
    assert get(address) == "hello\n"
    follow_logs(aws, arn)
    check_logs(aws, arn)

    breaker = json.dumps({"deploymentCircuitBreaker": {"enable": True, "rollback": True}, "minimumHealthyPercent": 100, "maximumPercent": 200})
    aws("ecs", "create-service", "--cluster", "main", "--service-name", "web", "--task-definition", "app:1", "--desired-count", "2",
        "--launch-type", "FARGATE", "--network-configuration", network, "--deployment-configuration", breaker)
    aws.text("ecs", "wait", "services-stable", "--cluster", "main", "--services", "web")
    first = watch.tasks()
    assert len(first) == 2

    # What dies comes back.
    until(watch.settled)
    kill_one(local)
    until(lambda: len(watch.tasks()) == 2 and watch.tasks() != first and watch.settled(), what="a new task for the one that was killed")
    second = watch.tasks()
    assert len(second & first) == 1

    aws("ecs", "update-service", "--cluster", "main", "--service", "web", "--force-new-deployment")
    until(lambda: watch.settled() and not watch.tasks() & second, what="all tasks anew")

    # What does not start is rolled back.
    push(build, local, aws, BROKEN, "team/app:broken")
    aws("ecs", "register-task-definition", "--cli-input-json", definition(local, "broken", role))
    good = watch.tasks()
    aws("ecs", "update-service", "--cluster", "main", "--service", "web", "--task-definition", "app:2")
    until(lambda: watch.service()["taskDefinition"].endswith("app:1") and watch.settled(), what="the rollback")
    assert good <= watch.tasks()
    [failed] = [d for d in watch.ecs.describe_service_deployments(serviceDeploymentArns=[
        d["serviceDeploymentArn"] for d in watch.ecs.list_service_deployments(cluster="main", service="web")["serviceDeployments"]])[
            "serviceDeployments"] if d["status"].startswith("ROLLBACK")]
    assert failed["status"] == "ROLLBACK_SUCCESSFUL" and failed["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    stopped = watch.ecs.list_tasks(cluster="main", desiredStatus="STOPPED", family="app")["taskArns"]
    ends = watch.ecs.describe_tasks(cluster="main", tasks=stopped[:100])["tasks"]
    assert any(t["taskDefinitionArn"].endswith("app:2") and t["containers"][0].get("exitCode") == 3 and
               t["stoppedReason"] == "Essential container in task exited" for t in ends)

    for count in (3, 1):
        aws("ecs", "update-service", "--cluster", "main", "--service", "web", "--desired-count", count)
        until(lambda n=count: watch.settled(n), what=f"{count} tasks")

    aws("ecs", "delete-service", "--cluster", "main", "--service", "web", "--force")
    aws.text("ecs", "wait", "services-inactive", "--cluster", "main", "--services", "web")
    until(lambda: not processes.descendants(local.process.pid), what="no process of a task")
    assert aws("ecs", "delete-cluster", "--cluster", "main")["cluster"]["status"] == "INACTIVE"
    aws("ecr", "delete-repository", "--repository-name", "team/app", "--force")
    aws("logs", "delete-log-group", "--log-group-name", "/ecs/app")
    aws("iam", "delete-role", "--role-name", "execution")


@pytest.mark.slow
def test_one_task_by_the_aws_command_of_pypi(aws1, local, build):
    aws = aws1
    role, network = prepare(aws, local, build)
    aws("ecs", "register-task-definition", "--cli-input-json", definition(local, "1", role))
    arn, address = run_task(aws, network)
    assert get(address) == "hello\n"
    stop_task(aws, arn)
    check_logs(aws, arn)
    found = aws("logs", "filter-log-events", "--log-group-name", "/ecs/app", "--filter-pattern", "starts")["events"]
    assert [e["message"] for e in found] == ["version 1 starts"]


def tell_by_boto3(local, build):
    """As a program of somebody's would: helpers/boto3_story.py, whose only knowledge is the endpoint, the keys and the image's name."""
    if not (OWN / "python").exists():
        pytest.skip("needs: boto3 of PyPI (./dev test installs it)")
    ecr = local.client("ecr")
    ecr.create_repository(repositoryName="team/app")

    class Botocore:
        """Only the password is asked for."""

        @staticmethod
        def text(*_):
            import base64  # pylint: disable=import-outside-toplevel
            token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
            return base64.b64decode(token).decode().partition(":")[2]

    digest = push(build, local, Botocore, APP, "team/app:1")
    done = subprocess.run([OWN / "python", TOP / "tests/e2e/helpers/boto3_story.py", local.url, f"{local.registry}/team/app:1"],
                          input=json.dumps(local.keys), env={"PATH": os.environ["PATH"], "HOME": str(local.run.home)},
                          capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, f"{done.stderr}\n{local.log()}"
    seen = json.loads(done.stdout)
    task, service = seen["task"], seen["service"]
    assert (seen["account"], seen["digest"]) == ("000000000000", digest)
    assert (task["first"], task["running"]) == ("PROVISIONING", "RUNNING") and task["address"].startswith("127.64.")
    assert (task["stopCode"], task["stoppedReason"], task["exitCode"]) == ("UserInitiated", "seen", 0)
    assert task["log"] == ["version boto3 starts", "stopping"] and task["times"] == sorted(task["times"])
    assert (service["before"], service["after"], service["kept"], service["running"], service["deployments"]) == (2, 2, 0, 2, 1)
    assert any(e.startswith("(service web) has started 2 tasks: (task ") for e in service["events"]), service["events"]
    assert seen["stopped"] >= 5


def test_the_story_by_boto3(local, build):
    tell_by_boto3(local, build)


@pytest.mark.root
@pytest.mark.slow
def test_the_story_by_boto3_without_root(slipway_user, context, tiny):
    local = LocalTarget(slipway_user)
    try:
        tell_by_boto3(local, Builder(slipway_user, context, tiny))
    finally:
        local.stop()

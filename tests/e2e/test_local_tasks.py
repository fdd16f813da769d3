"""Tasks of the local target really run: in every mode of the sandbox, with true exit codes and ECS's own reasons, and nothing left behind."""
import contextlib
import http.server
import json
import os
import signal
import threading
import urllib.request

import pytest

from helpers import processes
from helpers.local_ecs import NETWORK, container, definition
from helpers.local_target import LocalTarget, until

GROUP = "/ecs/app"
LOG = {"logDriver": "awslogs", "options": {"awslogs-group": GROUP, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "app"}}
MODES = ["slipway", "slipway_user", "slipway_single"]


class Place:
    """A local target with a cluster, a log group and the image app:1 in slipway's own store."""

    def __init__(self, run, context, tiny):
        top = context({"Dockerfile": "FROM tiny\nCMD [\"echo\", \"from the image\"]\n"})
        run.build(top, "-t", "app:1", "--build-context", f"tiny=oci-layout:{tiny}").ok()
        self.run, self.target = run, LocalTarget(run)
        self.connect()
        self.role = self.make_role("execution")
        self.ecs.create_cluster(clusterName="c")
        self.logs.create_log_group(logGroupName=GROUP)

    def connect(self):
        self.ecs, self.logs = self.target.client("ecs"), self.target.client("logs")

    def make_role(self, name):
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                         "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]}
        made = self.target.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        return made["Role"]["Arn"]

    def start(self, *containers, overrides=None, **more):
        """The task's ARN. containers: members of a definition, or a script for a shell."""
        made = []
        for i, given in enumerate(containers):
            given = {"command": ["sh", "-c", given]} if isinstance(given, str) else given
            made.append(container(**{"name": "web" if i == 0 else f"c{i}", "image": "app:1", "logConfiguration": LOG, "portMappings": [],
                                     **given}))
        registered = self.ecs.register_task_definition(**definition("app", made, executionRoleArn=self.role, **more))["taskDefinition"]["taskDefinitionArn"]
        tasks = self.ecs.run_task(cluster="c", taskDefinition=registered, launchType="FARGATE", networkConfiguration=NETWORK,
                                  **({"overrides": overrides} if overrides else {}))
        assert not tasks["failures"]
        return tasks["tasks"][0]["taskArn"]

    def task(self, arn):
        return self.ecs.describe_tasks(cluster="c", tasks=[arn])["tasks"][0]

    def until(self, arn, status, seconds=60):
        def reached():
            task = self.task(arn)
            assert task["lastStatus"] in (status, "PROVISIONING", "PENDING", "ACTIVATING", "RUNNING") or \
                status == "STOPPED", (task.get("stoppedReason"), self.target.log())
            return task if task["lastStatus"] == status else None
        return until(reached, seconds, f"{arn} is {status}")

    def end(self, arn):
        return self.until(arn, "STOPPED")

    def lines(self, arn, name="web"):
        events = self.logs.get_log_events(logGroupName=GROUP, logStreamName=f"app/{name}/{arn.split('/')[-1]}", startFromHead=True)
        return [event["message"] for event in events["events"]]


@contextlib.contextmanager
def place_of(request, context, tiny, name="slipway"):
    place = Place(request.getfixturevalue(name), context, tiny)
    try:
        yield place
    finally:
        place.target.stop()


@pytest.fixture
def place(request, context, tiny):
    with place_of(request, context, tiny) as made:
        yield made


@pytest.fixture(params=MODES)
def everywhere(request, context, tiny):
    if os.geteuid() != 0:
        pytest.skip("needs: root, to become other users")
    with place_of(request, context, tiny, request.param) as made:
        yield made


def exit_codes(task):
    return {c["name"]: c.get("exitCode") for c in task["containers"]}


def test_a_job_runs_to_its_end(everywhere):
    job = everywhere.start("echo out; echo err >&2; exit 3")
    task = everywhere.end(job)
    assert exit_codes(task) == {"web": 3}
    assert task["stopCode"] == "EssentialContainerExited" and task["stoppedReason"] == "Essential container in task exited"
    assert sorted(everywhere.lines(job)) == ["err", "out"]
    times = [task[k] for k in ("createdAt", "pullStartedAt", "pullStoppedAt", "executionStoppedAt", "stoppedAt")]
    assert times == sorted(times)
    plain = everywhere.start({})
    assert exit_codes(everywhere.end(plain)) == {"web": 0} and everywhere.lines(plain) == ["from the image"]


def test_a_task_is_stopped_and_leaves_nothing(everywhere):
    mark = str(10000000 + os.getpid())
    job = everywhere.start(f"trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.1; done # {mark}",
                           {"command": ["sleep", mark], "essential": False, "stopTimeout": 5})
    everywhere.until(job, "RUNNING")
    until(lambda: everywhere.lines(job) == ["up"])
    assert len(processes.running(mark)) >= 2
    everywhere.ecs.stop_task(cluster="c", task=job, reason="Enough.")
    task = everywhere.end(job)
    assert task["stopCode"] == "UserInitiated" and task["stoppedReason"] == "Enough."
    assert exit_codes(task) == {"web": 0, "c1": 143}
    assert everywhere.lines(job) == ["up", "asked"]
    assert processes.running(mark) == []
    assert list((everywhere.run.root / "local" / "tasks").rglob("*volumes*")) == []


def test_containers_share_localhost_and_are_reached_from_here(everywhere):
    server = "mkdir /www; echo served > /www/f; exec busybox httpd -f -p 3000 -h /www"
    client = "while ! busybox wget -q -O - http://127.0.0.1:3000/f 2>/dev/null; do sleep 0.1; done; exec sleep 1000"
    job = everywhere.start({"command": ["sh", "-c", server], "portMappings": [{"containerPort": 3000}]},
                           {"command": ["sh", "-c", client], "dependsOn": [{"containerName": "web", "condition": "START"}]})
    everywhere.until(job, "RUNNING")
    until(lambda: everywhere.lines(job, "c1") == ["served"])
    own = everywhere.run("ps", "--local", "--cluster=c").ok().out
    interface = next(d["value"] for d in everywhere.task(job)["attachments"][0]["details"] if d["name"] == "networkInterfaceId")
    shown = everywhere.target.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface])
    address = shown["NetworkInterfaces"][0]["Association"]["PublicIp"]
    assert urllib.request.urlopen(f"http://{address}:3000/f", timeout=30).read() == b"served\n"
    assert job.split("/")[-1][:8] in own


def test_a_task_learns_about_itself(everywhere):
    role = everywhere.make_role("app")
    script = ("for p in $ECS_CONTAINER_METADATA_URI_V4 $ECS_CONTAINER_METADATA_URI_V4/task "
              "http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI; do busybox wget -q -O - $p; echo; done; "
              "echo $AWS_REGION $AWS_EXECUTION_ENV; sleep 1000")
    job = everywhere.start({"command": ["sh", "-c", script], "dockerLabels": {"a": "b"}}, taskRoleArn=role)
    everywhere.until(job, "RUNNING")
    lines = until(lambda: everywhere.lines(job) if len(everywhere.lines(job)) == 4 else None)
    own, task, keys = (json.loads(line) for line in lines[:3])
    assert own["Name"] == "web" and own["KnownStatus"] == "RUNNING" and own["Labels"]["a"] == "b"
    assert task["TaskARN"] == job and [c["DockerId"] for c in task["Containers"]] == [own["DockerId"]]
    assert task["Limits"] == {"CPU": 0.25, "Memory": 512} and task["Family"] == "app"
    assert lines[3] == "us-east-1 AWS_ECS_FARGATE"
    sts = everywhere.target.client("sts", keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"])
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:sts::000000000000:assumed-role/app/{job.split('/')[-1]}"


def test_its_own_aws_calls_reach_the_target(place):
    call = ("h=${AWS_ENDPOINT_URL#http://}; b='Action=GetCallerIdentity&Version=2011-06-15'; echo $h; "
            "printf \"POST / HTTP/1.0\\r\\nHost: $h\\r\\nContent-Type: application/x-www-form-urlencoded\\r\\n"
            "Content-Length: ${#b}\\r\\n\\r\\n$b\" | busybox nc -w 10 ${h%:*} ${h#*:}")
    job = place.start(call)
    assert exit_codes(place.end(job)) == {"web": 0}
    lines = place.lines(job)
    assert lines[0] == f"169.254.170.2:{place.target.port}"
    # Unsigned, as it is; that AWS's own words come back says who answered.
    assert "<Code>MissingAuthenticationToken</Code>" in "".join(lines), lines


REASONS = {
    "no image": ({"image": "127.0.0.1:1/none:1"}, "CannotPullContainerError: ", ""),
    "no program": ({"command": ["nothing-here"]}, "CannotStartContainerError: ", "executable file not found in $PATH"),
    "no rights": ({"command": ["/etc/passwd"]}, "CannotStartContainerError: ", "permission denied"),
    "no parameter": ({"secrets": [{"name": "A", "valueFrom": "/none"}]}, "ResourceInitializationError: unable to pull secrets",
                     "invalid ssm parameters: /none"),
    "no log group": ({"logConfiguration": {"logDriver": "awslogs", "options": {
        "awslogs-group": "/none", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "x"}}},
        "ResourceInitializationError: failed to validate logger args", "The specified log group does not exist"),
}


@pytest.mark.parametrize("case", REASONS)
def test_says_why_it_did_not_start(place, case):
    given, begins, says = REASONS[case]
    task = place.end(place.start(given))
    assert task["stopCode"] == "TaskFailedToStart" and exit_codes(task) == {"web": None}
    assert task["stoppedReason"].startswith(begins) and says in task["stoppedReason"]
    assert "startedAt" not in task


@contextlib.contextmanager
def silent_registry():
    """host:port of a registry that answers nothing about images, asked when it was, and gone when the client hung up."""
    class Silent(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/v2/":
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.server.asked.set()
            self.rfile.read(1)
            self.server.gone.set()

        do_HEAD = do_GET

        def log_message(self, *_):
            """Nothing is to be said of it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.daemon_threads = True
    server.asked, server.gone = threading.Event(), threading.Event()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def test_a_stop_does_not_wait_for_a_pull(place):
    """The registry never answers: the task is STOPPED while it is still asked, and soon nobody asks it any more."""
    with silent_registry() as registry:
        job = place.start({"image": f"127.0.0.1:{registry.server_port}/stuck:1"})
        assert registry.asked.wait(60)
        assert place.task(job)["lastStatus"] == "PENDING"
        place.ecs.stop_task(cluster="c", task=job, reason="Enough.")
        task = place.end(job)
        assert task["stopCode"] == "UserInitiated" and task["stoppedReason"] == "Enough." and exit_codes(task) == {"web": None}
        assert "reason" not in task["containers"][0] and "pullStoppedAt" not in task
        assert registry.gone.wait(60), "the connection is closed, though no answer came"
        # A second one is ended with the target.
        registry.asked.clear()
        second = place.start({"image": f"127.0.0.1:{registry.server_port}/stuck:1"})
        assert registry.asked.wait(60)
        assert place.target.stop(seconds=30) == 0
        place.target.start()
        place.connect()
        assert place.task(second)["lastStatus"] == "STOPPED"


def test_secrets_come_from_the_local_stores(place):
    place.target.client("ssm").put_parameter(Name="/app/word", Value="of ssm", Type="SecureString")
    secret = place.target.client("secretsmanager").create_secret(Name="db", SecretString='{"user": "of asm"}')["ARN"]
    job = place.start({"command": ["sh", "-c", "echo $A; echo $B; echo $C"],
                       "secrets": [{"name": "A", "valueFrom": "/app/word"}, {"name": "B", "valueFrom": f"{secret}:user::"},
                                   {"name": "C", "valueFrom": secret}]})
    place.end(job)
    assert place.lines(job) == ["of ssm", "of asm", '{"user": "of asm"}']


def test_health_is_shown(place):
    check = {"command": ["CMD-SHELL", "test -e /well"], "interval": 5, "timeout": 2, "retries": 1}
    job = place.start({"command": ["sh", "-c", "touch /well; exec sleep 1000"], "healthCheck": check})
    place.until(job, "RUNNING")
    assert place.task(job)["healthStatus"] == "UNKNOWN"
    until(lambda: place.task(job)["healthStatus"] == "HEALTHY")
    assert place.task(job)["containers"][0]["healthStatus"] == "HEALTHY"


def test_run_task_overrides(place):
    job = place.start({"command": ["sh", "-c", "exit 9"], "environment": [{"name": "A", "value": "defined"}]},
                      overrides={"containerOverrides": [{"name": "web", "command": ["sh", "-c", "echo $A $B"],
                                                         "environment": [{"name": "B", "value": "too"}]}]})
    assert exit_codes(place.end(job)) == {"web": 0} and place.lines(job) == ["defined too"]


def test_a_killed_process_ends_its_task(everywhere):
    mark = str(20000000 + os.getpid())
    job = everywhere.start({"command": ["sleep", mark]})
    everywhere.until(job, "RUNNING")
    for pid in until(lambda: processes.running(mark)):
        os.kill(pid, signal.SIGKILL)
    task = everywhere.end(job)
    assert exit_codes(task) == {"web": 137} and task["stopCode"] == "EssentialContainerExited"


def test_kill_9_of_the_target_takes_its_tasks_along(everywhere):
    mark = str(30000000 + os.getpid())
    job = everywhere.start(f"trap '' TERM INT HUP; (sleep {mark} &); sleep {mark}; sleep {mark}")
    everywhere.until(job, "RUNNING")
    until(lambda: processes.running(mark))
    pid = everywhere.target.process.pid
    everywhere.target.kill()
    until(lambda: processes.running(mark) == [])
    everywhere.target.start()
    everywhere.connect()
    task = everywhere.task(job)
    assert task["lastStatus"] == "STOPPED" and task["desiredStatus"] == "STOPPED"
    assert "The local target ended while this task ran" in task["stoppedReason"]
    assert exit_codes(task) == {"web": None}
    assert everywhere.end(everywhere.start("exit 0"))["containers"][0]["exitCode"] == 0
    assert groups_of(pid) == []


def test_stopping_the_target_stops_its_tasks_in_order(everywhere):
    job = everywhere.start("trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.1; done")
    everywhere.until(job, "RUNNING")
    until(lambda: everywhere.lines(job) == ["up"])
    assert everywhere.target.stop() == 0
    everywhere.target.start()
    everywhere.connect()
    task = everywhere.task(job)
    assert task["lastStatus"] == "STOPPED" and exit_codes(task) == {"web": 0}
    assert everywhere.lines(job) == ["up", "asked"]


def groups_of(pid):
    """Control groups that a process of slipway made."""
    return [path for path, folders, _ in os.walk("/sys/fs/cgroup") if os.path.basename(path).startswith(f"slipway-{pid}-")]


def descriptors(pid):
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[fd] = os.readlink(f"/proc/{pid}/fd/{fd}")
    return found


def held(place, pid, before):
    """Nothing of tasks that have ended is left in the target or on the machine."""
    assert processes.wait_until(lambda: "slipway-init" not in processes.descendants(pid).values())
    assert processes.wait_until(lambda: len(descriptors(pid)) <= before + 2), descriptors(pid)
    assert groups_of(pid) == []
    assert processes.mounts(place.run.root) == []
    assert list((place.run.root / "local" / "tasks").rglob("*volumes*")) == []


def test_many_at_once(place, count):
    """None waits for another, and no process, group, mount or descriptor stays."""
    pid = place.target.process.pid
    place.end(place.start("exit 0"))
    before = len(descriptors(pid))
    jobs = [place.start("echo up; exec sleep 1000") for _ in range(count(12, 24))]
    for job in jobs:
        place.until(job, "RUNNING")
    for job in jobs:
        place.ecs.stop_task(cluster="c", task=job)
    for job in jobs:
        assert exit_codes(place.end(job)) == {"web": 143}
    held(place, pid, before)


def test_cycles_leave_nothing(place, count):
    pid = place.target.process.pid
    place.end(place.start("exit 0"))
    before = len(descriptors(pid))
    for i in range(count(5, 200)):
        job = place.start({"command": ["sleep", "1000"], "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]},
                          volumes=[{"name": "v"}])
        place.until(job, "RUNNING")
        place.ecs.stop_task(cluster="c", task=job)
        assert exit_codes(place.end(job)) == {"web": 143}, i
    held(place, pid, before)

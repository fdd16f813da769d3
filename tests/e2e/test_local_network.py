"""How tasks of the local target are reached, and what they reach: addresses, balancing, rolling updates without a lost connection, metadata, calls to AWS."""
import http.client
import json
import socket
import threading
import time

import pytest

from helpers import processes, users
from helpers.local_ecs import NETWORK, container, definition
from helpers.local_target import LocalTarget, until
from helpers.runner import Slipway

APP = """
import http.server, os, signal, socket, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        text = f"{os.environ['VERSION']} {socket.gethostname()}\\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *a):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
Server((os.environ.get("LISTEN", "0.0.0.0"), int(sys.argv[1])), Handler).serve_forever()
"""


class Place:
    """A local target with the image app:1, a Python server, in slipway's own store: one for a file, a cluster for each test."""

    def __init__(self, run, python_slim):
        top = run.folder / "context"
        top.mkdir()
        (top / "Dockerfile").write_text('FROM base\nCOPY app.py /\nCMD ["python3", "/app.py", "3000"]\n')
        (top / "app.py").write_text(APP)
        run.build(top, "-t", "app:1", "--build-context", f"base=oci-layout:{python_slim}").ok()
        self.run, self.target = run, LocalTarget(run)
        self.ecs = self.target.client("ecs")
        self.n_clusters, self.cluster = 0, None

    def begin(self):
        self.n_clusters += 1
        self.cluster = f"c{self.n_clusters}"
        self.ecs.create_cluster(clusterName=self.cluster)

    def end(self):
        """Nothing of the test runs any more."""
        for service in self.ecs.list_services(cluster=self.cluster)["serviceArns"]:
            self.ecs.delete_service(cluster=self.cluster, service=service, force=True)
        for task in self.ecs.list_tasks(cluster=self.cluster)["taskArns"]:
            self.ecs.stop_task(cluster=self.cluster, task=task)
        until(lambda: not {"slipway-init", "python3"} & set(processes.descendants(self.target.process.pid).values()), what="no process of a task")

    def stop(self):
        children = processes.descendants(self.target.process.pid)
        assert self.target.stop() == 0, self.target.log()
        assert "Sanitizer" not in self.target.log() and "runtime error" not in self.target.log()
        until(lambda: not children.keys() & processes.descendants().keys(), what="its processes are gone")
        assert processes.mounts(self.run.folder) == []
        self.run.remove()

    def register(self, version, role=None, **more):
        made = container(image="app:1", environment=[{"name": "VERSION", "value": version}, *more.pop("environment", [])], **more)
        roles = {"executionRoleArn": role} if role else {}
        return self.ecs.register_task_definition(**definition("app", [made], **roles))["taskDefinition"]["taskDefinitionArn"]

    def start(self, registered):
        """The running task's ARN."""
        arn = self.ecs.run_task(cluster=self.cluster, taskDefinition=registered, launchType="FARGATE", networkConfiguration=NETWORK)["tasks"][0]["taskArn"]
        self.until_running(arn)
        return arn

    def task(self, arn):
        return self.ecs.describe_tasks(cluster=self.cluster, tasks=[arn])["tasks"][0]

    def until_running(self, arn):
        def reached():
            task = self.task(arn)
            assert task["lastStatus"] != "STOPPED", (task.get("stoppedReason"), self.target.log())
            return task["lastStatus"] == "RUNNING"
        until(reached, what=f"{arn} runs")

    def own(self, kind, name):
        """What clients of AWS do not see: the address and ports."""
        for path in (self.run.root / "local").glob(f"**/{kind}/*.json"):
            kept = json.loads(path.read_text())
            if kept["key"] == name:
                return kept["document"]["slipway"]
        raise AssertionError(name)

    def service(self, registered, count=2, **more):
        self.ecs.create_service(cluster=self.cluster, serviceName="web", taskDefinition=registered, desiredCount=count, launchType="FARGATE",
                                networkConfiguration=NETWORK, **more)
        self.until_stable(count)

    def until_stable(self, count):
        def reached():
            service = self.ecs.describe_services(cluster=self.cluster, services=["web"])["services"][0]
            return len(service["deployments"]) == 1 and service["runningCount"] == count and \
                service["deployments"][0]["rolloutState"] == "COMPLETED"
        until(reached, 90, "the service is stable")

    def tasks(self):
        arns = self.ecs.list_tasks(cluster=self.cluster, serviceName="web")["taskArns"]
        return self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"] if arns else []


def get(address, port, seconds=20):
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def get_patiently(address, port):
    def answered():
        try:
            return get(address, port)
        except OSError:
            return None
    return until(answered, what=f"{address}:{port} answers")


def places(binary, folder, python_slim, user=None):
    made = Place(Slipway(binary, folder, user), python_slim)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def of_root(binary, session_folder, python_slim):
    yield from places(binary, session_folder / "network-root", python_slim)


@pytest.fixture(scope="module")
def of_user(binary, session_folder, python_slim):
    yield from places(binary, session_folder / "network-user", python_slim, users.ensure(users.WITH_SUBIDS))


@pytest.fixture
def place_of_root(of_root):
    of_root.begin()
    yield of_root
    of_root.end()


@pytest.fixture
def place_of_user(of_user):
    of_user.begin()
    yield of_user
    of_user.end()


@pytest.fixture(params=["place_of_root", "place_of_user"], ids=["root", "rootless"])
def place(request):
    return request.getfixturevalue(request.param)


def test_each_task_has_its_real_port(place):
    registered = place.register("one")
    arns = [place.start(registered) for _ in range(3)]
    found = [place.own("tasks", arn.split("/")[-1]) for arn in arns]
    assert len({own["address"] for own in found}) == 3
    for own in found:
        assert own["address"].startswith("127.64.") and own["ports"] == [{"containerPort": 3000, "hostPort": 3000}]
        assert get_patiently(own["address"], 3000) == f"one ip-{own['address'].replace('.', '-')}\n"
    interface = place.task(arns[0])["attachments"][0]
    details = {detail["name"]: detail["value"] for detail in interface["details"]}
    assert interface["status"] == "ATTACHED" and details["privateIPv4Address"] == found[0]["address"]
    shown = place.target.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])
    assert shown["NetworkInterfaces"][0]["Association"]["PublicIp"] == found[0]["address"]
    place.ecs.stop_task(cluster=place.cluster, task=arns[0])
    until(lambda: place.task(arns[0])["lastStatus"] == "STOPPED")
    with pytest.raises(ConnectionRefusedError):
        get(found[0]["address"], 3000)


def test_the_service_balances_and_follows(place):
    place.service(place.register("one"))
    own = place.own("services", f"{place.cluster}/web")
    assert own["address"].startswith("127.65.") and own["ports"] == [{"containerPort": 3000, "hostPort": 3000}]
    for task in place.tasks():
        get_patiently(place.own("tasks", task["taskArn"].rpartition("/")[2])["address"], 3000)
    names = {get_patiently(own["address"], 3000) for _ in range(20)}
    assert len(names) == 2, names
    place.ecs.update_service(cluster=place.cluster, service="web", desiredCount=0)
    place.until_stable(0)

    def refused():
        try:
            get(own["address"], 3000)
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            pass  # taken while the last task went
        return False
    until(refused, what="nobody is there")


class Loop(threading.Thread):
    """Asks all the time, half of it over connections that stay; counts what failed."""

    def __init__(self, address, port, keep):
        super().__init__()
        self.address, self.port, self.keep = address, port, keep
        self.over, self.answers, self.failures = threading.Event(), [], []

    def run(self):
        connection = None
        while not self.over.is_set():
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(self.address, self.port, timeout=20)
                connection.request("GET", "/")
                self.answers.append(connection.getresponse().read().decode().split()[0])
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection = None
                continue
            # A client that keeps its connections for long has them closed, as by any load balancer; these take new ones now and then.
            if not self.keep or len(self.answers) % 20 == 0:
                connection.close()
                connection = None
            time.sleep(0.005)


def test_no_request_is_lost_while_a_service_deploys(place_of_root):
    place = place_of_root
    place.service(place.register("one"))
    own = place.own("services", f"{place.cluster}/web")
    assert get_patiently(own["address"], 3000).startswith("one")
    loops = [Loop(own["address"], 3000, keep) for keep in (False, True, False)]
    for loop in loops:
        loop.start()
    try:
        place.ecs.update_service(cluster=place.cluster, service="web", taskDefinition=place.register("two"))
        place.until_stable(2)
        until(lambda: all(set(loop.answers[-20:]) == {"two"} for loop in loops), what="the new version alone answers")
    finally:
        for loop in loops:
            loop.over.set()
        for loop in loops:
            loop.join()
    assert [loop.failures for loop in loops] == [[], [], []]
    for loop in loops:
        assert loop.answers[0] == "one" and loop.answers[-1] == "two"


def test_ports_below_1024_without_the_right_to_them(place_of_user):
    place = place_of_user
    arn = place.start(place.register("low", command=["python3", "/app.py", "80"], portMappings=[{"containerPort": 80}]))
    own = place.own("tasks", arn.split("/")[-1])
    assert own["ports"] == [{"containerPort": 80, "hostPort": 8080}]
    assert get_patiently(own["address"], 8080).startswith("low")
    assert place.target.log().count(f"port 80 is found at {own['address']}:8080") == 1


def test_what_is_taken_or_unknown_stops_the_task_with_its_reason(place_of_root):
    place = place_of_root
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        for mapping, words in (({"containerPort": port}, f"port {port}: Address already in use"),
                               ({"containerPort": 53, "protocol": "udp"}, "maps TCP ports, not 53/udp")):
            registered = place.register("x", portMappings=[mapping])
            arn = place.ecs.run_task(cluster=place.cluster, taskDefinition=registered, launchType="FARGATE",
                                     networkConfiguration=NETWORK)["tasks"][0]["taskArn"]
            task = until(lambda: (t := place.task(arn))["lastStatus"] == "STOPPED" and t, 60)  # noqa: B023
            assert words in task["stoppedReason"], task


def test_localhost_inside_is_not_reached_from_outside(place_of_root):
    """As on Fargate: an app that listens at 127.0.0.1 alone cannot be reached."""
    own = place_of_root.own("tasks", place_of_root.start(place_of_root.register(
        "hidden", environment=[{"name": "LISTEN", "value": "127.0.0.1"}])).split("/")[-1])
    time.sleep(1)
    with pytest.raises(OSError):
        get(own["address"], 3000)


def test_metadata_and_calls_to_the_local_target_from_inside(place_of_root):
    place = place_of_root
    # An API call without a signature, then what a task has no business with, whatever it says of the host it asks.
    script = ("import os, urllib.error, urllib.request as u\n"
              "def ask(path, **more):\n"
              f"    request = u.Request('http://169.254.170.2:{place.target.port}' + path, **more)\n"
              "    try:\n"
              "        return u.urlopen(request, timeout=20).status\n"
              "    except urllib.error.HTTPError as error:\n"
              "        return str(error.code) + ' ' + error.read().decode().replace('\\n', ' ')\n"
              "print(u.urlopen(os.environ['ECS_CONTAINER_METADATA_URI_V4'] + '/task', timeout=20).read().decode())\n"
              "print(ask('/', data=b'Action=GetCallerIdentity&Version=2011-06-15'))\n"
              f"for path in '/', '/status', '/v2/':\n    print(ask(path, headers={{'Host': '127.0.0.1:{place.target.port}'}}))\n")
    place.target.client("logs").create_log_group(logGroupName="/ecs/app")
    log = {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/app", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "app"}}
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                     "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]}
    role = place.target.client("iam").create_role(RoleName="runs", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    registered = place.register("x", role, command=["python3", "-c", script], logConfiguration=log)
    arn = place.ecs.run_task(cluster=place.cluster, taskDefinition=registered, launchType="FARGATE",
                             networkConfiguration=NETWORK)["tasks"][0]["taskArn"]
    until(lambda: place.task(arn)["lastStatus"] == "STOPPED")
    events = place.target.client("logs").get_log_events(logGroupName="/ecs/app", logStreamName=f"app/web/{arn.split('/')[-1]}",
                                                        startFromHead=True)["events"]
    lines = [event["message"] for event in events]
    assert json.loads(lines[0])["TaskARN"] == arn
    assert "MissingAuthenticationToken" in lines[1], lines
    assert lines[2:] == ["403 tasks reach AWS's API here, and nothing else "] * 3

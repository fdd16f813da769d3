"""slipway task-definition: made from an image or a file, checked, compared, registered. AWS's own model is the judge of what comes out."""
import json
import pathlib
import re
import sys

import pytest

from helpers.ecs import KEYS

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))
pytest.importorskip("botocore")
import botocore  # noqa: E402
import botocore.validate  # noqa: E402
from fakes.aws_cloud import models  # noqa: E402
from fakes.aws_cloud.cloud import Cloud  # noqa: E402

REQUEST = models.model("ecs").operation_model("RegisterTaskDefinition").input_shape
ARCH = {"amd64": "X86_64", "arm64": "ARM64"}
APP = """
    FROM tiny
    COPY --chmod=755 start /app/start
    WORKDIR /app
    EXPOSE 3000 53/udp
    HEALTHCHECK --interval=10s --start-period=2s CMD wget -q localhost:3000
    CMD ["./start"]
"""


@pytest.fixture
def cloud():
    if not models.recent():
        pytest.skip("needs: AWS's service models of 2024 or newer (./dev test installs them)")
    made = Cloud()
    yield made
    made.finish()


@pytest.fixture
def app(build):
    build.slipway.env["AWS_REGION"] = "eu-west-1"
    build(APP, {"start": "#!/bin/sh\nexec sleep 1\n"})
    return "t1"


def valid(text):
    """The body, once botocore finds that the service would understand it."""
    body = json.loads(text)
    report = botocore.validate.ParamValidator().validate(body, REQUEST)
    assert not report.has_errors(), report.generate_report()
    return body


def render(slipway, *arguments):
    return valid(slipway("task-definition", "render", *arguments).ok().out)


def write(folder, body, name="task.json"):
    path = folder / name
    path.write_text(json.dumps(body))
    return path


def minimal(**more):
    return {"family": "web", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
            "containerDefinitions": [{"name": "web", "image": "old:1", "essential": True, **more.pop("container", {})}], **more}


# From an image and flags

def test_everything_comes_from_the_image(build, app):
    arch = ARCH[json.loads(build.slipway("inspect", app).ok().out)[0]["Architecture"]]
    assert render(build.slipway, app) == {
        "family": "t1", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
        "runtimePlatform": {"cpuArchitecture": arch, "operatingSystemFamily": "LINUX"},
        "containerDefinitions": [{
            "name": "t1", "image": app, "essential": True,
            "portMappings": [{"containerPort": 3000, "protocol": "tcp"}, {"containerPort": 53, "protocol": "udp"}],
            # docker's timeout and retries, where ECS would take 5 seconds.
            "healthCheck": {"command": ["CMD-SHELL", "wget -q localhost:3000"], "interval": 10, "timeout": 30, "retries": 3,
                            "startPeriod": 2},
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": "/ecs/t1", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "t1"}}}]}


def test_flags(build, app, folder):
    (folder / "vars").write_text("# a comment\nB=from file\n\nC=x=y\n")
    body = render(
        build.slipway, "--name", "web", "--cpu", ".5 vCPU", "--memory", "1 GB", "-p", "8080", "--port", "53/udp", "-e", "A=1",
        "--env-file", folder / "vars", "-e", "HOME", "-e", "NOT_SET", "-e", "A=2", "--secret",
        "DB=arn:aws:ssm:eu-west-1:123456789012:parameter/db", "--entrypoint", '["./start", "a b"]', "--command", "one 'two three' f\\ our",
        "--task-role", "mine", "--execution-role", "arn:aws:iam::123456789012:role/run", "--log-group", "/logs/web",
        "--ephemeral-storage", "30", "--region", "us-east-1", app)
    container = body["containerDefinitions"][0]
    assert (body["family"], body["cpu"], body["memory"]) == ("web", "512", "1024")
    assert (body["taskRoleArn"], body["executionRoleArn"]) == ("mine", "arn:aws:iam::123456789012:role/run")
    assert body["ephemeralStorage"] == {"sizeInGiB": 30}
    assert container["portMappings"] == [{"containerPort": 8080, "protocol": "tcp"}, {"containerPort": 53, "protocol": "udp"}]
    # The files' first, then -e, each name where it came first.
    assert [(v["name"], v["value"]) for v in container["environment"]] == [
        ("B", "from file"), ("C", "x=y"), ("A", "2"), ("HOME", str(build.slipway.home))]
    assert container["secrets"] == [{"name": "DB", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/db"}]
    assert container["entryPoint"] == ["./start", "a b"] and container["command"] == ["one", "two three", "f our"]
    assert container["logConfiguration"]["options"] == {
        "awslogs-group": "/logs/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}


def test_container_instances(build, app):
    body = render(build.slipway, "--launch-type", "ec2", "--cpu", "128", "--memory", "64", "-p", "80:3000", "-p", "443", app)
    container = body["containerDefinitions"][0]
    assert (body["requiresCompatibilities"], body["networkMode"]) == (["EC2"], "bridge")
    assert (container["cpu"], container["memory"]) == (128, 64) and "cpu" not in body and "memory" not in body
    assert container["portMappings"] == [{"containerPort": 3000, "hostPort": 80, "protocol": "tcp"},
                                         {"containerPort": 443, "protocol": "tcp"}]


@pytest.mark.parametrize("arguments, words", [
    (["--cpu", "lots"], "--cpu lots"), (["--memory", "0"], "--memory 0"), (["-p", "web"], "--port web"), (["-p", "80:3000"], "awsvpc"),
    (["-p", "1/sctp"], "--port 1/sctp"), (["--secret", "X"], "NAME=ARN"), (["--launch-type", "LAMBDA"], "FARGATE or EC2"),
    (["--command", '["a", 1]'], "double quotes"), (["--command", "a 'b"], "a quote does not end"), (["--cpu", "300"], "Fargate has no 300"),
    (["--memory", "5120"], "512, 1024 to 2048"), (["--name", "a b"], "no family name"),
])
def test_wrong_flags(build, app, arguments, words):
    done = build.slipway("task-definition", "render", *arguments, app).fails(words, code=2)
    assert done.out == ""


@pytest.mark.parametrize("secret", ["DB=hunter2", "hunter2", "=hunter2", "DB=", "DB=hunter2/x"])
def test_a_secret_itself_is_refused_and_not_repeated(build, app, secret):
    done = build.slipway("task-definition", "render", "--secret", secret, app).fails("--secret", code=2)
    assert "hunter2" not in done.err + done.out
    assert render(build.slipway, "--secret", "DB=/app/db", app)["containerDefinitions"][0]["secrets"] == [{"name": "DB", "valueFrom": "/app/db"}]


def test_an_image_that_is_not_here(slipway):
    """Only what the flags say; with a warning."""
    done = slipway("task-definition", "render", "--region", "eu-west-1", "docker.io/team/Odd.Name-1:2")
    done.fails("lower-case", code=2)
    done = slipway("task-definition", "render", "--region", "eu-west-1", "docker.io/team/odd.name-1:2").ok()
    assert "not in the store" in done.err
    body = valid(done.out)
    assert body["family"] == "odd-name-1" and "runtimePlatform" not in body
    slipway("task-definition", "render").fails("name the image", code=2)


# The image against what runs it

@pytest.mark.parametrize("dockerfile, options, words", [
    ("FROM tiny\nCMD [\"nothere\"]", [], "in no folder of its PATH"),
    ("FROM tiny\nCMD [\"/not/here\"]", [], "no /not/here"),
    ("FROM tiny\nCOPY plain /start\nCMD [\"/start\"]", [], "not executable"),
    ("FROM tiny\nCOPY --chmod=755 script /start\nENTRYPOINT [\"/start\"]", [], "script for nothere"),
    ("FROM tiny\nCOPY --chmod=755 crlf /start\nENTRYPOINT [\"/start\"]", [], "carriage return"),
    ("FROM tiny\nUSER nobody-of-that-name\nCMD [\"sh\"]", [], "not in the image's /etc/passwd"),
    ("FROM scratch\nCOPY --chmod=755 plain /start\nHEALTHCHECK CMD x\nCMD [\"/start\"]", [], "needs /bin/sh"),
    ("FROM scratch\nCOPY plain /", [], "what to run"),
    ("FROM tiny\nCMD [\"sh\"]", ["--entrypoint", "other"], "\"other\""),
])
def test_what_would_not_start(build, dockerfile, options, words):
    build.slipway.env["AWS_REGION"] = "eu-west-1"
    build(dockerfile, {"plain": "x", "script": "#!/usr/bin/env nothere\n", "crlf": "#!/bin/sh\r\n"})
    build.slipway("task-definition", "render", *options, "t1").fails(words, code=2)


@pytest.mark.parametrize("dockerfile", [
    "FROM tiny\nWORKDIR /app\nCOPY --chmod=755 script start\nCMD [\"./start\"]",
    "FROM tiny\nENV PATH=/app\nCOPY --chmod=755 script /app/start\nENTRYPOINT [\"start\"]",
    "FROM tiny\nUSER 1000:1000\nCMD echo hello",
    "FROM tiny\nRUN echo web:x:7:7::/:/bin/sh >>/etc/passwd\nUSER web\nCMD [\"sh\"]",
])
def test_what_starts(build, dockerfile):
    build.slipway.env["AWS_REGION"] = "eu-west-1"
    build(dockerfile, {"script": "#!/bin/sh\n"})
    assert "error" not in build.slipway("task-definition", "render", "t1").ok().err


def test_architecture_of_the_image_against_the_file(build, app, folder):
    have = json.loads(build.slipway("inspect", app).ok().out)[0]["Architecture"]
    other = {"amd64": "ARM64", "arm64": "X86_64"}[have]
    file = write(folder, minimal(runtimePlatform={"cpuArchitecture": other, "operatingSystemFamily": "LINUX"}))
    build.slipway("task-definition", "render", "--task-definition", file, app).fails(
        "image-architecture", "exec format error", f"task.json:1: error: runtimePlatform.cpuArchitecture: the image is for {have}", code=2)


def test_ports_against_expose(build, app, folder):
    file = write(folder, minimal(container={"portMappings": [{"containerPort": 80}]}))
    done = build.slipway("task-definition", "render", "--task-definition", file, app).ok()
    assert "warning: containerDefinitions[web].portMappings[0]: the image exposes 3000/tcp, 53/udp, not 80/tcp" in done.err


# A file of AWS's own JSON

# What a field may not be chosen freely for; the rest is made up from the model.
FIXED = {
    ("ContainerDefinition", "name"): "web", ("ContainerDefinition", "image"): "old:1", ("ContainerDefinition", "essential"): True,
    ("ContainerDefinition", "memory"): 64, ("ContainerDefinition", "memoryReservation"): 32, ("ContainerDefinition", "cpu"): 16,
    ("ContainerDefinition", "workingDirectory"): "/srv", ("ContainerDefinition", "startTimeout"): 30, ("ContainerDefinition", "stopTimeout"): 30,
    ("PortMapping", "containerPort"): 3000, ("PortMapping", "hostPort"): 80, ("ContainerDependency", "containerName"): "web",
    ("ContainerDependency", "condition"): "START", ("VolumeFrom", "sourceContainer"): "side", ("MountPoint", "sourceVolume"): "data",
    ("MountPoint", "containerPath"): "/data", ("Volume", "name"): "data", ("EnvironmentFile", "value"): "arn:aws:s3:::bucket/x.env",
    ("Secret", "valueFrom"): "arn:aws:ssm:eu-west-1:123456789012:parameter/x", ("HealthCheck", "command"): ["CMD-SHELL", "true"],
    ("HealthCheck", "interval"): 10, ("HealthCheck", "timeout"): 10, ("HealthCheck", "retries"): 2, ("HealthCheck", "startPeriod"): 10,
    ("ContainerRestartPolicy", "restartAttemptPeriod"): 60, ("EphemeralStorage", "sizeInGiB"): 30, ("Ulimit", "softLimit"): 5,
    ("Ulimit", "hardLimit"): 6, ("ContainerDefinition", "entryPoint"): ["/bin/sh"], ("ContainerDefinition", "user"): "7:8", ("RuntimePlatform", "operatingSystemFamily"): "LINUX",
    ("Secret", "name"): "DB", ("Tag", "key"): "team",
    ("RegisterTaskDefinitionRequest", "networkMode"): "bridge", ("RegisterTaskDefinitionRequest", "cpu"): "1024",
    ("RegisterTaskDefinitionRequest", "memory"): "2048", ("RegisterTaskDefinitionRequest", "requiresCompatibilities"): ["EC2"],
    ("RegisterTaskDefinitionRequest", "taskRoleArn"): "arn:aws:iam::123456789012:role/app",
    ("RegisterTaskDefinitionRequest", "executionRoleArn"): "arn:aws:iam::123456789012:role/run",
}


def sample(shape, owner="", name="", fields=None):
    """A value with every member there is, in the model's order; each member's owner and name go to fields."""
    if (owner, name) in FIXED:
        return FIXED[owner, name]
    if shape.type_name == "structure":
        made = {}
        for key, member in shape.members.items():
            fields.add((shape.name, key))
            made[key] = sample(member, shape.name, key, fields)
        return made
    if shape.type_name == "list":
        return [sample(shape.member, owner, name, fields)]
    if shape.type_name == "map":
        return {"some-key": sample(shape.value, fields=fields)}
    if shape.type_name == "boolean":
        return True
    if shape.type_name in ("integer", "long"):
        return 7
    return shape.enum[-1] if getattr(shape, "enum", None) else f"{name}-é-1"[:20] if name == "value" else f"{name}-1"


def test_every_field_survives_and_only_the_image_differs(build, app, folder):
    fields = set()
    body = sample(REQUEST, fields=fields)
    assert len(fields) > 120
    have = json.loads(build.slipway("inspect", app).ok().out)[0]["Architecture"]
    body["runtimePlatform"]["cpuArchitecture"] = ARCH[have]
    # Other containers beside it, and what slipway does not know: at the top, in the container, deep inside.
    body["containerDefinitions"].append({"zeta": 1.5, "name": "side", "image": "keep:1", "memory": 6, "alpha": None})
    body["containerDefinitions"][0]["dependsOn"] = [{"containerName": "side", "condition": "START"}]
    body["containerDefinitions"][0]["fromTheFuture"] = {"z": [1, {"y": "ÿ"}], "a": False}
    body["containerDefinitions"][0]["healthCheck"]["mood"] = -12345678901
    body["newThing"] = [[], {}, "", None, 0, 1e100]
    file = write(folder, body)
    done = build.slipway("task-definition", "render", "--task-definition", file, "--container", "web", app).ok()
    body["containerDefinitions"][0]["image"] = app
    assert json.dumps(json.loads(done.out)) == json.dumps(body)  # names, values and order
    for unknown in ("newThing", "fromTheFuture", "mood", "zeta", "alpha"):
        assert f"{unknown}: " in done.err


def test_answers_of_describe_are_taken(build, app, folder, cloud):
    """A copy of describe-task-definition is refused by every other tool (Unexpected key)."""
    cloud.ecs.register_task_definition(minimal(tags=[{"key": "team", "value": "x"}]))
    answer = cloud.ecs.describe_task_definition({"taskDefinition": "web", "include": ["TAGS"]})
    answer["taskDefinition"].update(registeredAt=1.5, registeredBy="arn:x", deregisteredAt=2.5)
    file = write(folder, answer)
    body = render(build.slipway, "--task-definition", file, app)
    assert body["containerDefinitions"][0]["image"] == app and body["tags"] == [{"key": "team", "value": "x"}]
    assert not {"taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt"} & set(body)


def test_a_file_from_standard_input(build, app):
    done = build.slipway("task-definition", "render", "--task-definition", "-", app, stdin=json.dumps(minimal())).ok()
    assert valid(done.out)["containerDefinitions"][0]["image"] == app


def test_flags_over_a_file(build, app, folder):
    file = write(folder, minimal(container={"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}, pidMode="task"))
    body = render(build.slipway, "--task-definition", file, "-e", "A=3", "-e", "C=4", "--cpu", "512", "--memory", "1024", app)
    assert body["containerDefinitions"][0]["environment"] == [
        {"name": "A", "value": "3"}, {"name": "B", "value": "2"}, {"name": "C", "value": "4"}]
    assert (body["cpu"], body["memory"], body["pidMode"]) == ("512", "1024", "task")


def test_which_container_gets_the_image(build, app, folder):
    two = minimal()
    two["containerDefinitions"].append({"name": "side", "image": "keep:1"})
    file = write(folder, two)
    build.slipway("task-definition", "render", "--task-definition", file, app).fails("there are: web, side", "--container")
    body = render(build.slipway, "--task-definition", file, "--container", "side", app)
    assert [c["image"] for c in body["containerDefinitions"]] == ["old:1", app]


def test_what_is_wrong_is_told_with_its_line(slipway, folder):
    file = folder / "task.json"
    file.write_text('{\n"family": "web",\n"memmory": "512",\n"containerDefinitions": [{\n"name": "web",\n"image": "a",\n'
                    '"portMappings": [\n{"containerPort": "80"}]}]}\n')
    done = slipway("task-definition", "render", "--task-definition", file)
    done.fails(f"{file}:3: warning: memmory: there is no such field: did you mean memory? [unknown-field]",
               f"{file}:8: error: containerDefinitions[web].portMappings[0].containerPort: a whole number is expected here [type]", code=2)
    assert done.out == ""


def table_of_fields():
    """(shape, name): (type, required, words) of deploy/lint_fields.c, and the version of botocore that it is of."""
    source = (TOP / "deploy/lint_fields.c").read_text()
    rows = {}
    for row in re.findall(r"\{([^{}]*FIELD_[^{}]*)\}", source):
        shape, name, kind, required, of = re.findall(r'"((?:[^"]*"\s*")*[^"]*)"|(\w+)', row)
        rows[shape[0], name[0]] = (kind[1], required[1], set(re.sub(r'"\s*"', "", of[0]).split()))
    return rows, re.search(r"botocore (\d+\.\d+\.\d+)", source).group(1)


def model_of_fields():
    kinds = {"string": "TEXT", "integer": "NUMBER", "boolean": "FLAG", "structure": "OBJECT", "map": "MAP"}
    rows, todo = {}, [REQUEST]
    while todo:
        shape = todo.pop()
        for name, member in shape.members.items():
            inner = member.member if member.type_name == "list" else member
            of = set(getattr(inner, "enum", []))
            if inner.type_name == "structure":
                of = {inner.name}
                todo.append(inner)
            kind = kinds[inner.type_name] + ("S" if member.type_name == "list" else "")
            owner = "" if shape is REQUEST else shape.name
            rows[owner, name] = (f"FIELD_{kind}", str(name in shape.required_members).lower(), of)
    return rows


def version_of_model():
    """Of the botocore whose models are used: Debian's, or that in .dev/moto."""
    folder = models.data_folder()
    found = [botocore.__version__]
    for metadata in pathlib.Path(folder or "/nowhere").parents[1].glob("botocore-*.dist-info") if folder else []:
        found.append(metadata.name[len("botocore-"):-len(".dist-info")])
    return max(tuple(map(int, v.split("."))) for v in found)


def test_the_table_of_fields_is_that_of_the_service():
    """With a botocore that is older than the table, or newer, only what both know is compared."""
    (table, version), model = table_of_fields(), model_of_fields()
    same = tuple(map(int, version.split("."))) == version_of_model()
    assert len(table) > 140
    wrong = [f'{{"{owner}", "{name}", {kind}, {required}, "{" ".join(sorted(of))}"}}' for (owner, name), (kind, required, of) in model.items()
             if (owner, name) in table and table[owner, name][0] != kind or same and table.get((owner, name)) != (kind, required, of)]
    assert not wrong, "deploy/lint_fields.c should say:\n" + "\n".join(wrong)
    assert not same or not set(table) - set(model)


def test_what_a_file_holds_does_not_reach_the_terminal_raw(slipway, folder):
    file = write(folder, minimal(**{"x\x1b[31m": 1}, container={"user\x9b": "\x1b]0;title\x07"}))
    done = slipway("task-definition", "render", "--task-definition", file)
    assert "x\\x1b[31m" in done.err and "\x1b" not in done.err + done.out
    done = slipway("task-definition", "diff", file, write(folder, minimal(), "other.json"))
    assert "user" in done.out and not set("\x1b\x07\x9b") & set(done.out)


def test_many_findings_and_long_files_end_soon(slipway, folder):
    """Each has its line looked up; nobody reads more than a hundred."""
    file = write(folder, minimal(**{f"unknown{i}": i for i in range(9000)}))
    done = slipway("task-definition", "render", "--task-definition", file, timeout=60)
    assert done.err.count("[unknown-field]") == 100 and "and 8900 more" in done.err
    done.fails("compact JSON: ECS takes 64 KiB", code=2)
    many = minimal(container={"environment": [{"name": f"N{i}", "value": "x"} for i in range(6000)]})
    assert slipway("task-definition", "diff", write(folder, many), write(folder, minimal(), "other.json"), timeout=60).code == 1
    slipway("task-definition", "render", "--task-definition", write(folder, {"x": "y" * 300000})).fails("262144 allowed")


# Comparing

def test_diff_of_two_files(slipway, folder):
    old = minimal(container={"environment": [{"name": "PORT", "value": "80"}, {"name": "API_KEY", "value": "hunter2"},
                                             {"name": "URL", "value": "postgres://u:hunter3@h/"}, {"name": "GONE", "value": "x"}]})
    new = minimal(container={"environment": [{"name": "API_KEY", "value": "hunter4"}, {"name": "PORT", "value": "81"},
                                             {"name": "URL", "value": "postgres://u:hunter5@h/"}],
                             "portMappings": [{"containerPort": 3000}], "image": "new:2"}, cpu="512", memory="1024")
    done = slipway("task-definition", "diff", write(folder, new), write(folder, old, "old.json"))
    assert done.code == 1 and done.out.splitlines() == [
        '- cpu: "256"', '+ cpu: "512"', '- memory: "512"', '+ memory: "1024"',
        "- containerDefinitions[web].environment[API_KEY]: (hidden)", "+ containerDefinitions[web].environment[API_KEY]: (hidden)",
        '- containerDefinitions[web].environment[GONE]: "x"',
        '- containerDefinitions[web].environment[PORT]: "80"', '+ containerDefinitions[web].environment[PORT]: "81"',
        "- containerDefinitions[web].environment[URL]: (hidden)", "+ containerDefinitions[web].environment[URL]: (hidden)",
        '- containerDefinitions[web].image: "old:1"', '+ containerDefinitions[web].image: "new:2"',
        '+ containerDefinitions[web].portMappings[3000/tcp].containerPort: 3000',
    ]
    assert "hunter" not in str(done)
    assert slipway("task-definition", "diff", folder / "old.json", folder / "old.json").ok().out == ""


def test_diff_shows_what_changed_in_the_image(build, folder):
    build("FROM tiny\nCOPY a /app/\nENV PORT=80 TOKEN=hunter2\nCMD [\"/app/a\"]", {"a": "1", "c": "same"})
    build("FROM tiny\nCOPY a b c /app/\nENV PORT=81 TOKEN=hunter3\nCMD [\"/app/a\"]", {"a": "2", "b": "3", "c": "4"})
    old, new = (write(folder, minimal(container={"image": name}), f"{name}.json") for name in ("t1", "t2"))
    done = build.slipway("task-definition", "diff", new, old)
    assert done.code == 1 and done.out.splitlines()[:8] == [
        '- containerDefinitions[web].image: "t1"', '+ containerDefinitions[web].image: "t2"',
        "  image of web: - env PORT: 80", "  image of web: + env PORT: 81",
        "  image of web: - env TOKEN: (hidden)", "  image of web: + env TOKEN: (hidden)",
        "  image of web: ~ app/a", "  image of web: + app/b"]
    assert "image of web: files: 2 added, 0 removed, 1 changed" in done.out and "hunter" not in str(done)


def test_diff_shows_packages(build, python_slim, folder):
    """By apt's list of the image; the one removed leaves its configuration, as dpkg has it."""
    build.options = ["--build-context", f"tiny=oci-layout:{python_slim}"]
    build("FROM tiny\nCMD [\"python3\"]", {})
    build("FROM tiny\nRUN sed -i '/^Package: sed$/,/^Version:/s/^Version: .*/Version: 99/' /var/lib/dpkg/status && mkdir -p /x/flask-3.0.dist-info\n"
          "CMD [\"python3\"]", {})
    old, new = (write(folder, minimal(container={"image": name}), f"{name}.json") for name in ("t1", "t2"))
    out = build.slipway("task-definition", "diff", new, old).out
    assert re.search(r"image of web: ~ sed \S+ -> 99$", out, re.M) and "image of web: + python:flask 3.0\n" in out
    assert "image of web: ~ var/lib/dpkg/status\n" in out


# At ECS

@pytest.fixture
def place(build, app, cloud):
    """Where an execution role exists and an image is."""
    cloud.iam.add_role("ecsTaskExecutionRole")
    build.slipway.env.update(KEYS, AWS_ENDPOINT_URL=cloud.url)
    return build.slipway


def registered(cloud):
    return len(cloud.of("RegisterTaskDefinition"))


def test_what_is_registered_is_not_registered_again(place, cloud):
    role = cloud.iam.roles["ecsTaskExecutionRole"]["Arn"]
    options = ["--execution-role", role, "-e", "B=1", "-e", "A=", "--name", "web"]
    first = place("task-definition", "register", *options, "t1").ok().out.strip()
    assert first.endswith(":task-definition/web:1") and registered(cloud) == 1
    # The order of variables means nothing, and a role's name is the role.
    again = place("task-definition", "register", "--execution-role", "ecsTaskExecutionRole", "-e", "A=", "-e", "B=1", "--name", "web", "t1").ok()
    assert (again.out.strip(), registered(cloud)) == (first, 1)
    assert "nothing to register" in again.err
    changed = place("task-definition", "register", *options, "-e", "C=1", "t1").ok().out.strip()
    assert changed.endswith("web:2") and registered(cloud) == 2
    assert place("task-definition", "list").ok().out == "web\n"
    assert place("task-definition", "list", "web").ok().out == "web:2\nweb:1\n"


def test_a_file_with_every_field_is_registered_once(place, cloud, folder):
    """What ECS fills in and how it orders what it stores makes no difference to any field."""
    body = sample(REQUEST, fields=set())
    body["runtimePlatform"]["cpuArchitecture"] = ARCH[json.loads(place("inspect", "t1").ok().out)[0]["Architecture"]]
    for key in ("executionRoleArn", "taskRoleArn"):
        body[key] = cloud.iam.roles["ecsTaskExecutionRole"]["Arn"]
    for key in ("inferenceAccelerators", "trustedExecutionConfiguration"):
        body.pop(key, None)  # are not kept by the fake
    container = body["containerDefinitions"][0]
    container["dependsOn"] = container["volumesFrom"] = []  # there is no other container
    file = write(folder, body)
    first = place("task-definition", "register", "--task-definition", file, "t1").ok().out
    again = place("task-definition", "register", "--task-definition", file, "t1").ok().out
    assert (again, registered(cloud)) == (first, 1), place("task-definition", "diff", file).out
    # Nor does anything that is empty or a default.
    container.update(links=[], privileged=False, interactive=False, dependsOn=[])
    file = write(folder, body)
    del container["links"], container["privileged"], container["interactive"], container["dependsOn"]
    place("task-definition", "register", "--task-definition", file, "t1").ok()
    other = write(folder, body, "other.json")
    assert place("task-definition", "diff", file, other).ok().out == ""


def test_an_execution_role_is_needed_to_register(place, cloud):
    place("task-definition", "register", "--name", "web", "t1").fails("execution-role", "it logs to CloudWatch", code=2)
    assert registered(cloud) == 0


def test_diff_against_what_is_registered(place, cloud, folder):
    file = write(folder, minimal())
    new = place("task-definition", "diff", file)
    assert new.code == 1 and '+ family: "web"' in new.out and "- " not in new.out
    cloud.ecs.register_task_definition(minimal())
    assert place("task-definition", "diff", file).ok().out == ""
    cloud.ecs.register_task_definition(minimal(cpu="512", memory="1024"))
    assert place("task-definition", "diff", file).out.splitlines() == ['- cpu: "512"', '+ cpu: "256"', '- memory: "1024"', '+ memory: "512"']
    assert place("task-definition", "diff", file, "web:1").ok().out == ""
    place("task-definition", "diff", file, "nowhere").fails("neither a file nowhere nor such a task definition")


def test_help(slipway):
    assert "render" in slipway("task-definition", "--help").ok().out
    for verb in ("render", "register", "diff", "list"):
        assert f"slipway task-definition {verb}" in slipway("task-definition", verb, "--help").ok().out
    slipway("task-definition", "rendr").fails("did you mean 'render'", code=2)

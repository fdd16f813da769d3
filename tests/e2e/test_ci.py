"""What a deploy leaves for CI: outputs, summaries, annotations; and the samples and the action, held against the program."""
import http.server
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import threading

import pytest

from helpers.deploying import needs_models

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from fakes.aws_cloud import scenarios  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
SAMPLES = sorted((TOP / "samples/ci").glob("*.yml"))
WITH_A_SHELL = [p for p in SAMPLES if p.name != "kubernetes-job.yml"]
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def github_outputs(text):
    """As the runner reads them: name<<delimiter, lines, delimiter."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, arrows, delimiter = line.partition("<<")
        assert arrows and delimiter, line
        value = []
        for inner in lines:
            if inner == delimiter:
                break
            value.append(inner)
        found[name] = "\n".join(value)
    return found


@pytest.fixture
def github(deploying, folder):
    files = {name: folder / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for path in files.values():
        path.write_text("")
    deploying.slipway.env.update(GITHUB_ACTIONS="true", **{k: str(v) for k, v in files.items()})
    return files


# ---- deploy in CI -----------------------------------------------------------------


@needs_models
def test_github_outputs_and_summary(deploying, cloud, github):
    github["GITHUB_OUTPUT"].write_text("before<<x\n1\nx\n")
    deploying.service("--json").ok()
    outputs = github_outputs(github["GITHUB_OUTPUT"].read_text())
    assert outputs.pop("before") == "1", "appended, not overwritten"
    definition = deploying.definitions()[0]
    image = definition["containerDefinitions"][0]["image"]
    assert outputs["image"] == image and outputs["digest"] == DIGEST.search(image)[0]
    assert outputs["task-definition-arn"] == definition["taskDefinitionArn"]
    assert re.fullmatch(r"http://203\.0\.113\.\d+:3000", outputs["url"])
    summary = github["GITHUB_STEP_SUMMARY"].read_text()
    assert f"slipway deploy: {deploying.name} is running" in summary
    assert image in summary and cloud.ecs.services["default", deploying.name].arn in summary


@needs_models
def test_a_failure_is_annotated_and_summarised(deploying, cloud, github):
    cloud.ecs.script({1: scenarios.Crash(1, ["<b>not</b> a tag | & so on", "::error::mine"])})
    result = deploying.service("--max-failures", "1")
    assert result.code == 1
    annotations = [line for line in result.err.splitlines() if line.startswith("::error title=slipway deploy::")]
    assert len(annotations) == 1 and "exited with code 1" in annotations[0] and "%0A" in annotations[0]
    summary = github["GITHUB_STEP_SUMMARY"].read_text()
    assert f"{deploying.name} is failed" in summary and "exited with code 1" in summary
    assert "<b>" not in summary
    assert "url" not in github_outputs(github["GITHUB_OUTPUT"].read_text())


@needs_models
def test_an_error_on_the_way_has_no_outputs(deploying, cloud, github):
    cloud.deny("ecs:RegisterTaskDefinition")
    result = deploying()
    assert result.code == 5
    assert "::error title=slipway deploy::" in result.err and "ecs:RegisterTaskDefinition" in github["GITHUB_STEP_SUMMARY"].read_text()
    assert github["GITHUB_OUTPUT"].read_text() == ""


@needs_models
def test_the_file_of_variables_is_read_by_a_shell_and_as_dotenv(deploying, folder):
    path = folder / "deploy.env"
    deploying("--output-env", path).ok()
    dotenv = dict(line.split("=", 1) for line in path.read_text().splitlines())
    image = deploying.container()["image"]
    assert dotenv["SLIPWAY_IMAGE"] == image and dotenv["SLIPWAY_DIGEST"] == DIGEST.search(image)[0]
    assert dotenv["SLIPWAY_TASK_DEFINITION_ARN"] == deploying.definitions()[0]["taskDefinitionArn"]
    shell = subprocess.run(["sh", "-c", 'set -a; . "$0"; env', path], check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert {k: v for k, v in (line.split("=", 1) for line in shell.stdout.splitlines()) if k.startswith("SLIPWAY_")} == dotenv


@needs_models
def test_nothing_is_written_without_being_asked(deploying, github):
    deploying("--dry-run").ok()
    assert all(path.read_text() == "" for path in github.values())


class Issuer:
    """GitHub's side of a job's identity token."""

    def __init__(self):
        self.asked, issuer = [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                issuer.asked.append((self.path, self.headers["Authorization"]))
                body = json.dumps({"value": "header.claims.signature"}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


ROLE = "arn:aws:iam::123456789012:role/deploy"


@pytest.fixture
def issuer():
    made = Issuer()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_role_by_githubs_identity_token(deploying, cloud, issuer):
    """--role wins over keys that are lying about, and the token is shown nowhere."""
    deploying.slipway.env.update(ACTIONS_ID_TOKEN_REQUEST_URL=f"http://127.0.0.1:{issuer.server.server_address[1]}/token?v=1",
                                 ACTIONS_ID_TOKEN_REQUEST_TOKEN="request-secret")
    result = deploying("--dry-run", "--role", ROLE).ok()
    assert issuer.asked == [("/token?v=1&audience=sts.amazonaws.com", "bearer request-secret")]
    taken = cloud.of("AssumeRoleWithWebIdentity")
    assert [(p["RoleArn"], p["WebIdentityToken"]) for p in taken] == [(ROLE, "header.claims.signature")]
    assert {c.key for c in cloud.calls if c.operation != "AssumeRoleWithWebIdentity"} == {"ASIAROLE00000001"}
    for secret in ("header.claims", "request-secret", "role-secret", "role-token"):
        assert secret not in result.out + result.err


def test_role_by_a_token_in_a_file(deploying, cloud, folder):
    (folder / "token").write_text("a.b.c\n")
    deploying.slipway.env.update(AWS_WEB_IDENTITY_TOKEN_FILE=str(folder / "token"), AWS_ROLE_ARN="arn:aws:iam::1:role/other")
    deploying("--dry-run", "--role", ROLE).ok()
    assert [(p["RoleArn"], p["WebIdentityToken"]) for p in cloud.of("AssumeRoleWithWebIdentity")] == [(ROLE, "a.b.c")]


def test_role_by_other_credentials(deploying, cloud):
    deploying("--dry-run", "--role", ROLE).ok()
    assert [(c.operation, c.key) for c in cloud.calls[:2]] == [("AssumeRole", "AKIDTEST"), ("GetCallerIdentity", "ASIAROLE00000001")]
    cloud.deny("sts:AssumeRole")
    deploying("--dry-run", "--role", ROLE).fails(f"take the role {ROLE}", code=5)


# ---- samples and action --------------------------------------------------------------


def load(path):
    return pytest.importorskip("yaml").safe_load(path.read_text())


def scripts(node):
    """The texts of a CI file that shells run."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("run", "script", "commands", "before_script", "after_script"):
                yield value if isinstance(value, str) else "\n".join(value)
            else:
                yield from scripts(value)
    elif isinstance(node, list):
        for value in node:
            yield from scripts(value)


def test_the_samples_are_there():
    assert [p.name for p in SAMPLES] == ["buildspec.yml", "github-actions.yml", "gitlab-ci.yml", "kubernetes-job.yml"]


@pytest.mark.parametrize("path", [*WITH_A_SHELL, TOP / "action.yml"], ids=lambda p: p.name)
def test_scripts_are_a_shells(path):
    found = list(scripts(load(path)))
    assert found
    for text in found:
        assert "${{" not in text, "a value of the CI's would become part of the script"
        checked = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr


def test_the_pods_words_are_slipways(slipway):
    pod = load(TOP / "samples/ci/kubernetes-job.yml")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    slipway(*container["args"][:-1], "--help").ok()
    mounted = {m["name"] for c in (container, *pod["initContainers"]) for m in c["volumeMounts"]}
    assert mounted == {v["name"] for v in pod["volumes"]}
    assert "privileged" not in container["securityContext"]


@pytest.mark.parametrize("path", WITH_A_SHELL, ids=lambda p: p.name)
def test_command_lines_are_slipways(slipway, path):
    """--help at the end: the options before it are parsed, and an unknown one is an error."""
    seen = 0
    for text in scripts(load(path)):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:2] == ["sudo", "-E"]:
                words = words[2:]
            if words[:1] == ["slipway"]:
                seen += 1
                slipway(*words[1:-1], "--help").ok()
                assert words[-1] == "."
    assert seen


def test_an_unknown_option_would_be_seen(slipway):
    slipway("deploy", "--no-such-option", "--help").fails("unknown flag", code=2)


def step(action, name):
    return next(s for s in action["runs"]["steps"] if s.get("id") == name)


def test_the_action_maps_every_input(slipway):
    action = load(TOP / "action.yml")
    text = slipway("deploy", "--help").ok().out
    used = set()
    for made in action["runs"]["steps"]:
        used |= {m for value in made.get("env", {}).values() for m in re.findall(r"inputs\.([a-z-]+)", value)}
    assert used == set(action["inputs"])
    for flag in re.findall(r"add ([a-z-]+) ", step(action, "deploy")["run"]):
        assert f"--{flag} " in text
    for name, output in action["outputs"].items():
        assert output["value"] == "${{ steps.deploy.outputs.%s }}" % name


def test_inputs_of_the_action_are_words_whatever_they_hold(folder):
    action = load(TOP / "action.yml")
    program = folder / "a program"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    evil = '"; touch "$PWD/owned"; $(touch owned) `touch owned` \'#'
    env = {"PATH": os.environ["PATH"], "SLIPWAY_PROGRAM": str(program), "SLIPWAY_CONTEXT": "-" + evil, "SLIPWAY_ROLE": evil, "SLIPWAY_REGION": "",
           "SLIPWAY_CLUSTER": "my cluster", "SLIPWAY_SERVICE": "", "SLIPWAY_NAME": "", "SLIPWAY_ARGUMENTS": f"--env=A=b c\n\n--label={evil}"}
    assert set(env) - {"PATH"} == set(step(action, "deploy")["env"])
    done = subprocess.run(["bash", "-c", step(action, "deploy")["run"]], env=env, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["deploy", f"--role={evil}", "--cluster=my cluster", "--env=A=b c", f"--label={evil}", "--", "-" + evil]
    assert not (folder / "owned").exists()

"""slipway task run, task describe and exec, against a scripted AWS."""
import json
import pathlib
import shlex
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
pytest.importorskip("botocore")
from fakes.aws_cloud import faults, scenarios  # noqa: E402

SSM = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ssmmessages:*", "Resource": "*"}]}


# ---- task run -----------------------------------------------------------------


def test_run_waits_until_it_runs(slipway, cloud, running):
    running.define()
    arn = slipway("task", "run", "web").ok().out.strip()
    assert cloud.ecs.tasks[arn].data["lastStatus"] == "RUNNING"
    sent = cloud.of("RunTask")[0]
    assert "overrides" not in sent and sent["launchType"] == "FARGATE"
    network = sent["networkConfiguration"]["awsvpcConfiguration"]
    assert network["assignPublicIp"] == "ENABLED" and len(network["subnets"]) > 1
    assert cloud.ec2.groups[network["securityGroups"][0]]["GroupName"] == "slipway-web"
    assert {"key": "slipway:app", "value": "web"} in sent["tags"]


def test_run_with_overrides(slipway, cloud, running):
    running.define("web", running.container(), running.container("side", essential=False))
    slipway.env["FROM_HERE"] = "yes"
    slipway("task", "run", "--detach", "-e", "A=b=c", "-e", "FROM_HERE", "-e", "NOT_SET", "--enable-execute-command",
            "web:1", "--", "python", "manage.py", "migrate").ok()
    sent = cloud.of("RunTask")[0]
    assert sent["overrides"] == {"containerOverrides": [{
        "name": "web", "command": ["python", "manage.py", "migrate"],
        "environment": [{"name": "A", "value": "b=c"}, {"name": "FROM_HERE", "value": "yes"}]}]}
    assert sent["enableExecuteCommand"] is True and sent["taskDefinition"].endswith("/web:1")
    slipway("task", "run", "--detach", "--container", "side", "web", "ls").ok()
    assert cloud.of("RunTask")[1]["overrides"]["containerOverrides"] == [{"name": "side", "command": ["ls"]}]
    slipway("task", "run", "--container", "none", "web").fails("none", "web", "side")


def test_run_wait_shows_lines_and_ends_with_the_code(slipway, cloud, running):
    cloud.ecs.script({1: scenarios.Done(after=20)})
    running.define("job", running.container("job"))
    result = slipway("task", "run", "--wait", "job").ok()
    assert result.out == "migrated 3 tables\n"
    cloud.ecs.script({2: scenarios.Crash(42)})
    running.define("job", running.container("job"))
    result = slipway("task", "run", "--wait", "job").fails('container "job" exited with code 42', code=42)
    assert "ImportError" in result.out
    cloud.ecs.script({3: scenarios.CannotPull()})
    running.define("job", running.container("job"))
    slipway("task", "run", "--wait", "job").fails("CannotPullContainerError", code=125)
    slipway("task", "run", "job").fails("CannotPullContainerError", code=1)
    cloud.ecs.script({4: scenarios.NeverStarts("Task failed to start", 'CannotStartContainerError: Error response from daemon: exec: "nope": '
                                               "executable file not found in $PATH: unknown")})
    running.define("job", running.container("job"))
    slipway("task", "run", "--wait", "job", "nope").fails("executable file not found", code=127)


def test_run_says_what_is_wrong_before_it_starts_anything(slipway, cloud, running):
    slipway("task", "run", "web").fails("look for the task definition web")
    slipway("task", "run", "--wait", "--detach", "web").fails("exclude each other", code=2)
    slipway("task", "run", "--launch-type", "fargate", "web").fails("--launch-type", code=2)
    slipway("task", "run", "--timeout", "soon", "web").fails("--timeout", code=2)
    running.define()
    slipway("task", "run", "--assign-public-ip", "maybe", "web").fails("--assign-public-ip", code=2)
    cloud.deny("ecs:RunTask")
    slipway("task", "run", "web").fails("ecs:RunTask", code=5)
    assert not cloud.of("RunTask")


def test_run_timeout_and_ctrl_c_leave_it_running(slipway, cloud, running):
    cloud.ecs.script({1: scenarios.SlowButFine(start=100000)})
    running.define()
    slipway("task", "run", "--timeout", "200ms", "web").fails("the task is still", "slipway stop", code=4)
    process = slipway.start("task", "run", "web")
    while len(cloud.of("RunTask")) < 2 or cloud.calls[-1].operation != "DescribeTasks":
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130 and b"the task runs on" in err
    assert not cloud.of("StopTask")


def test_run_outlives_a_lost_answer(slipway, cloud, running):
    """The same request twice starts one task: the client token."""
    running.define()
    cloud.fault("RunTask", faults.Lost())
    slipway("task", "run", "web").ok()
    assert len(running.tasks()) == 1


# ---- task describe ------------------------------------------------------------


def test_describe(slipway, cloud, running):
    running.define()
    task = running.run()
    out = slipway("task", "describe", task[:12]).ok().out
    address = next(iter(cloud.ecs.tasks.values())).interface["Association"]["PublicIp"]
    for words in (f"task/default/{task}", "web:1", "RUNNING", f"{address}:3000", "web: RUNNING"):
        assert words in out
    cloud.ecs.stop_task({"cluster": "default", "task": task, "reason": "because"})
    cloud.clock.advance(10)
    out = slipway("task", "describe", "web").ok().out
    assert "because" in out and "exit code 143" in out and "UserInitiated" in out
    assert json.loads(slipway("task", "describe", "--json", task).ok().out)["containers"][0]["exitCode"] == 143
    slipway("task", "describe", "nothing").fails("there is no task or service nothing")
    slipway("task", "kill", "web").fails("describe, run", code=2)


# ---- exec ---------------------------------------------------------------------


@pytest.fixture
def executable(slipway, cloud, running, folder):
    """A task in which ECS Exec works, and aws and its plugin in PATH."""
    tools = folder / "tools"
    tools.mkdir()
    for name in ("aws", "session-manager-plugin"):
        (tools / name).write_text("#!/bin/sh\n")
        (tools / name).chmod(0o755)
    slipway.env["PATH"] = str(tools)
    role = cloud.iam.add_role("app", policies=())
    cloud.iam.put_role_policy({"RoleName": "app", "PolicyName": "exec", "PolicyDocument": json.dumps(SSM)})
    running.define("web", running.container(), running.container("side", essential=False), taskRoleArn=role)
    task = running.run(enableExecuteCommand=True)
    for container in cloud.ecs.tasks[running.tasks()[0]].data["containers"]:
        container["managedAgents"] = [{"name": "ExecuteCommandAgent", "lastStatus": "RUNNING"}]
    return task, tools


def test_exec_prints_a_command_that_a_shell_takes(slipway, executable):
    task, _ = executable
    result = slipway("exec", "web", "--", "sh", "-c", "echo 'a  b' $HOME").ok()
    words = shlex.split(result.out)
    assert words[:3] == ["aws", "ecs", "execute-command"]
    words.remove("--interactive")
    options = dict(zip(words[3::2], words[4::2]))
    assert options.pop("--region") == "eu-west-1"
    assert options == {"--cluster": "default", "--task": task, "--container": "web",
                       "--command": "sh -c 'echo '\\''a  b'\\'' $HOME'"}
    assert shlex.split(options["--command"]) == ["sh", "-c", "echo 'a  b' $HOME"]
    assert shlex.split(slipway("exec", "--container", "side", task[:8]).ok().out)[-1] == "/bin/sh"
    assert shlex.split(slipway("exec", "web", "ls -l").ok().out)[-1] == "ls -l"
    assert [line.split()[0] for line in result.err.splitlines()] == ["ok"] * 6


def test_exec_says_what_is_missing(slipway, cloud, running, executable):
    task, tools = executable
    data = cloud.ecs.tasks[running.tasks()[0]].data
    (tools / "session-manager-plugin").unlink()
    slipway("exec", task).fails("NO  session-manager-plugin is not in PATH")
    (tools / "session-manager-plugin").write_text("")
    (tools / "session-manager-plugin").chmod(0o755)
    data["containers"][0]["managedAgents"][0].update(lastStatus="STOPPED", reason="Received Container Stopped event")
    slipway("exec", task).fails("the agent in web is STOPPED: Received Container Stopped event")
    slipway("exec", "--container", "side", task).ok()
    cloud.iam.delete_role_policy({"RoleName": "app", "PolicyName": "exec"})
    slipway("exec", "--container", "side", task).fails("lacks ssmmessages:CreateControlChannel, ssmmessages:CreateDataChannel")
    cloud.deny("iam:SimulatePrincipalPolicy")
    assert "??  whether app may use ssmmessages could not be read" in slipway("exec", "--container", "side", task).ok().err
    data["enableExecuteCommand"] = False
    slipway("exec", task).fails("ECS Exec is not enabled", "--enable-execute-command")
    slipway("exec", "--container", "x", task).fails("there are: web, side", code=2)


def test_exec_without_a_task_role(slipway, running):
    running.define()
    running.service()
    slipway("exec", "web").fails("the task has no task role", "the execution role is not used here")
    running.ecs.update_service({"cluster": "default", "service": "web", "desiredCount": 0})
    running.cloud.clock.advance(60)
    slipway("exec", "web").fails("no task of the service web runs")

"""slipway ps, stop, scale and rollback, of things that run in a scripted AWS."""
import json
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
pytest.importorskip("botocore")
from fakes.aws_cloud import scenarios  # noqa: E402
from helpers.deploying import needs_models  # noqa: E402


def rows(text):
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


def ident(arn):
    return arn.rpartition("/")[2]


# ---- ps -----------------------------------------------------------------------


def test_ps_lists_tasks_with_their_addresses(slipway, cloud, running):
    running.define()
    running.define("job", running.container("job"))
    service = running.service(count=2)
    task = running.run("job")
    table = rows(slipway("ps").ok().out)
    assert table[0] == ["TASK ID", "NAME", "DEFINITION", "STATUS", "HEALTH", "STARTED", "ADDRESS", "IMAGE"]
    found = {row[0]: row for row in table[1:]}
    assert set(found) == {ident(t)[:12] for t in service} | {task[:12]}
    address = cloud.ecs.tasks[service[0]].interface["Association"]["PublicIp"]
    row = found[ident(service[0])[:12]]
    assert row[1:5] == ["web", "web:1", "RUNNING", "-"]
    assert row[6:] == [address, "public.ecr.aws/docker/library/nginx:1"]
    assert found[task[:12]][1:3] == ["job", "job:1"]
    assert len(rows(slipway("ps", "web").ok().out)) == 3
    assert slipway("ps", "-q", "job").ok().out == task + "\n"
    assert slipway("ps", "-q", task[:12]).ok().out == task + "\n"


def test_ps_all_and_json_tell_how_tasks_ended(slipway, cloud, running):
    cloud.ecs.script({1: scenarios.Crash(3)})
    running.define()
    task = running.run()
    assert slipway("ps", "-q").ok().out == ""
    assert "STOPPED (exit 3)" in slipway("ps", "--all").ok().out
    shown = json.loads(slipway("ps", "-a", "--json").ok().out)
    assert [t["id"] for t in shown] == [task]
    assert shown[0]["stopCode"] == "EssentialContainerExited"
    assert shown[0]["containers"][0]["exitCode"] == 3
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown[0]["stopped"])
    assert json.loads(slipway("ps", "--json").ok().out) == []


def test_ps_of_more_tasks_than_one_answer_holds(slipway, running):
    running.define()
    for _ in range(13):
        running.run(seconds=0, count=10)
    running.cloud.clock.advance(30)
    assert len(slipway("ps", "-q").ok().out.split()) == 130
    assert slipway("ps").ok().out.count("203.0.113.") == 130
    assert max(len(p["tasks"]) for p in running.cloud.of("DescribeTasks")) <= 100


def test_ps_without_leave_to_see_addresses(slipway, cloud, running):
    running.define()
    task = running.run()
    cloud.deny("ec2:DescribeNetworkInterfaces")
    result = slipway("ps").ok()
    assert task[:12] in result.out and "public addresses are not known" in result.err
    cloud.deny("ecs:ListTasks")
    slipway("ps").fails("ecs:ListTasks", code=5)


# ---- stop ---------------------------------------------------------------------


def test_stop_waits_for_the_end(slipway, cloud, running):
    running.define()
    task = running.run()
    assert slipway("stop", task[:12]).ok().out == task + "\n"
    data = cloud.ecs.tasks[running.tasks()[0]].data
    assert (data["lastStatus"], data["stoppedReason"]) == ("STOPPED", "stopped by slipway stop")
    slipway("stop", task[:12]).fails("there is no running task")


def test_stop_by_family_needs_it_to_be_one(slipway, cloud, running):
    running.define()
    first, second = running.run(), running.run()
    slipway("stop", "web").fails("is the family of several tasks", first[:12], second[:12], code=2)
    slipway("stop", "--reason", "maintenance", "--detach", first).ok()
    assert cloud.of("StopTask")[0]["reason"] == "maintenance"
    assert slipway("stop", "web").ok().out == second + "\n"
    slipway("stop", "--reason", "x" * 256, second).fails("--reason", code=2)


def test_stop_of_a_service_is_refused_with_what_to_do(slipway, cloud, running):
    running.define()
    task = ident(running.service()[0])
    slipway("stop", "web").fails("would start new ones", "slipway scale web 0", code=2)
    assert not cloud.of("StopTask")
    result = slipway("stop", task).ok()
    assert "one of the service web, which starts another" in result.err
    cloud.clock.advance(30)
    assert slipway("ps", "-q", "web").ok().out.strip() not in ("", task)


# ---- scale --------------------------------------------------------------------


def count(cloud, name="web"):
    return len(cloud.ecs.services["default", name].deployments[0].running())


def test_scale_to_a_number(slipway, cloud, running):
    running.define()
    running.service()
    assert slipway("scale", "web", "3").ok().out == "web 3\n"
    assert count(cloud) == 3
    assert cloud.of("UpdateService") == [{"cluster": "default", "service": "web", "desiredCount": 3}]
    slipway("scale", "web", "0").ok()
    assert count(cloud) == 0
    slipway("scale", "--detach", "web", "2").ok()
    assert cloud.of("UpdateService")[-1]["desiredCount"] == 2


@pytest.mark.parametrize("arguments, words", [
    (["x"], "invalid count"), (["-1"], "unknown shorthand"), (["5001"], "invalid count"), (["3..1"], "MIN is at most MAX"),
    (["3", "--cpu-target", "60"], "--cpu-target"), (["1..3", "--cpu-target", "101"], "1 to 100"),
    (["1..3", "--no-autoscaling"], "--no-autoscaling"), (["1..3", "--timeout", "0"], "--timeout")])
def test_scale_refuses_what_makes_no_sense(slipway, cloud, running, arguments, words):
    slipway("scale", "web", *arguments).fails(words, code=2)
    assert not cloud.calls


def test_scale_between_bounds(slipway, cloud, running):
    running.define()
    running.service()
    assert slipway("scale", "web", "2..5", "--cpu-target", "45").ok().out == "web 2..5\n"
    assert count(cloud) == 2, "the count is moved into the bounds"
    target = cloud.of("RegisterScalableTarget")[0]
    assert (target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) == ("service/default/web", 2, 5)
    assert target["Tags"] == {"slipway:app": "web", "slipway:made-by": "slipway"}
    policy = cloud.of("PutScalingPolicy")[0]["TargetTrackingScalingPolicyConfiguration"]
    assert policy["TargetValue"] == 45.0
    assert policy["PredefinedMetricSpecification"] == {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    slipway("scale", "web", "1..8").ok()
    assert cloud.of("PutScalingPolicy")[1]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 45.0, "kept"
    assert "Tags" not in cloud.of("RegisterScalableTarget")[1], "AWS takes tags with a new target alone"


def test_scale_says_who_decides(slipway, cloud, running):
    running.define()
    running.service()
    slipway("scale", "web", "1..4").ok()
    since = len(cloud.calls)
    slipway("scale", "web", "3").fails("Application Auto Scaling decides", "from 1 to 4 at 60 % CPU", "--no-autoscaling", code=2)
    assert not cloud.changes(since)
    slipway("scale", "--no-autoscaling", "web", "3").ok()
    assert count(cloud) == 3 and not cloud.application_autoscaling.targets
    assert not cloud.application_autoscaling.policies


def test_scale_without_leave_to_ask_who_decides(slipway, cloud, running):
    running.define()
    running.service()
    cloud.deny("application-autoscaling:DescribeScalableTargets")
    result = slipway("scale", "web", "2").ok()
    assert "is not known" in result.err and count(cloud) == 2
    slipway("scale", "web", "1..2").fails("application-autoscaling:DescribeScalableTargets", code=5)


def test_scale_tells_of_tasks_that_die(slipway, cloud, running):
    running.define()
    running.service()
    cloud.ecs.script({1: scenarios.CannotPull()})
    slipway("scale", "--timeout", "2s", "web", "3").fails("CannotPullContainerError", "not there in time", "1 of 3 running", code=4)


# ---- rollback -----------------------------------------------------------------


def deploy(running, family="web"):
    arn = running.define(family)
    running.ecs.update_service({"cluster": "default", "service": "web", "taskDefinition": arn})
    running.cloud.clock.advance(120)
    return arn


def current(cloud):
    return cloud.ecs.services["default", "web"].data["taskDefinition"]


@needs_models
def test_rollback_to_the_last_completed_deployment(slipway, cloud, running):
    """Not to the revision before: that one never ran."""
    good = running.define()
    running.service()
    cloud.ecs.script({2: scenarios.Crash(1)})
    running.ecs.services["default", "web"].settings["deploymentConfiguration"]["deploymentCircuitBreaker"] = {
        "enable": True, "rollback": True}
    deploy(running)
    cloud.clock.advance(600)
    assert current(cloud) == good
    newest = deploy(running)
    assert current(cloud) == newest
    assert slipway("rollback", "web").ok().out == good + "\n"
    assert current(cloud) == good
    assert cloud.of("UpdateService")[-1] == {"cluster": "default", "service": "web", "taskDefinition": good}


@needs_models
def test_rollback_to_a_revision(slipway, cloud, running):
    first = running.define()
    running.service()
    second = deploy(running)
    for word in ("1", "web:1", first):
        assert slipway("rollback", "web", word).ok().out == first + "\n"
        assert slipway("rollback", "web", "2").ok().out == second + "\n"
    since = len(cloud.calls)
    assert "runs web:2 already" in slipway("rollback", "web", "2").ok().err
    assert not cloud.changes(since)
    slipway("rollback", "web", "9").fails("web:9")
    cloud.ecs.deregister_task_definition({"taskDefinition": "web:1"})
    slipway("rollback", "web", "1").fails("was deregistered")


@needs_models
def test_rollback_that_fails_says_why(slipway, cloud, running):
    running.define()
    running.service()
    deploy(running)
    cloud.ecs.script({1: scenarios.Crash(7)})
    slipway("rollback", "web").fails('container "web" exited with code 7', "ImportError", code=3)


@needs_models
def test_rollback_of_a_deployment_that_never_ends(slipway, cloud, running):
    """Without a circuit breaker ECS starts tasks that die for ever."""
    good = running.define()
    running.service()
    cloud.ecs.script({2: scenarios.Crash(1)})
    bad = deploy(running)
    assert current(cloud) == bad
    assert slipway("rollback", "web").ok().out == good + "\n"
    assert count(cloud) == 1 and current(cloud) == good


@needs_models
def test_rollback_to_a_revision_whose_deployment_was_given_up(slipway, cloud, running):
    """Nothing differs for ECS then, and still it has to begin anew."""
    running.define()
    running.service()
    running.ecs.services["default", "web"].settings["deploymentConfiguration"]["deploymentCircuitBreaker"] = {
        "enable": True, "rollback": False}
    cloud.ecs.script({2: scenarios.Crash(1)})
    bad = deploy(running)
    cloud.clock.advance(600)
    assert running.ecs.services["default", "web"].deployments[0].data["rolloutState"] == "FAILED"
    cloud.ecs.script({2: scenarios.Fine()})
    assert slipway("rollback", "web", "2").ok().out == bad + "\n"
    assert cloud.of("UpdateService")[-1]["forceNewDeployment"] is True and count(cloud) == 1


@needs_models
def test_rollback_without_anything_before(slipway, running):
    running.define()
    running.service()
    slipway("rollback", "web").fails("no completed deployment with another task definition", "REVISION")
    slipway("rollback", "blog").fails("there is no service blog", "services there: web")


@needs_models
def test_rollback_where_deployments_are_not_told(slipway, cloud, running):
    first = running.define()
    running.define("web-admin")
    running.service()
    deploy(running)
    cloud.deny("ecs:ListServiceDeployments")
    result = slipway("rollback", "--detach", "web").ok()
    assert result.out == first + "\n" and "the revision before is taken" in result.err

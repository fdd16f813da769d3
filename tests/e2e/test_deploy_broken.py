"""Deploys that stumbled: the next one heals, what is not ours stays as it is, and whoever reads the output is told so."""
import json

import pytest

from helpers.deploying import needs_models
from fakes.aws_cloud import faults, scenarios

pytestmark = needs_models
TWICE = [scenarios.Crash(1), scenarios.Crash(1), scenarios.Fine()]


def test_a_new_service_that_failed_costs_nothing(deploying, cloud):
    """Also when ECS's circuit breaker is faster: nothing of it is left to run."""
    cloud.script({1: scenarios.Crash(1)})
    deploying.service("--desired-count", "2").fails("scaled to 0", "brings it back to 2", code=1)
    assert deploying.of_service().desired == 0


@pytest.mark.parametrize("options", [[], ["--scale", "2..5"]])
def test_the_next_deploy_brings_the_count_back(deploying, cloud, options):
    cloud.script({1: scenarios.Crash(1)})
    deploying.service("--desired-count", "2").fails(code=1)
    deploying.write(b"mended")
    assert deploying.json("--service", deploying.name, *options)["outcome"] == "running"
    assert deploying.of_service().desired == 2 and len(deploying.of_service().deployments[0].running()) == 2
    # What is scaled to 0 on purpose later is nobody's failure.
    cloud.ecs.update_service({"cluster": "default", "service": deploying.name, "desiredCount": 0})
    deploying.write(b"again")
    deploying.service().ok()
    assert deploying.of_service().desired == 0


def test_the_same_again_after_a_failure_is_tried_again(deploying, cloud):
    """Nothing differs, and yet a deployment that ECS gave up is none that runs."""
    cloud.script({1: TWICE})
    deploying.service().fails(code=1)
    assert deploying.json("--service", deploying.name)["outcome"] == "running"
    assert len(deploying.definitions()) == 1 and len(deploying.of_service().deployments[0].running()) == 1


def test_who_may_not_tag_is_told_how_to_scale_up(deploying, cloud):
    cloud.script({1: scenarios.Crash(1)})
    cloud.deny("ecs:TagResource")
    deploying.service().fails("scaled to 0", "--desired-count", code=1)


def test_failing_again_has_nothing_to_go_back_to(deploying, cloud):
    """The version before never ran: it is none to roll back to."""
    cloud.script({1: scenarios.Crash(1), 2: scenarios.Crash(2)})
    deploying.service().fails(code=1)
    deploying.write(b"no better")
    deploying.service().fails("nothing to go back to", code=1)
    assert deploying.of_service().desired == 0


def test_a_service_keeps_how_its_tasks_are_replaced(deploying, cloud):
    deploying.service("--desired-count", "2").ok()
    cloud.ecs.update_service({"cluster": "default", "service": deploying.name, "deploymentConfiguration": {
        "maximumPercent": 150, "minimumHealthyPercent": 50, "alarms": {"alarmNames": ["high"], "enable": True, "rollback": True}}})
    deploying.write(b"second")
    deploying.service().ok()
    sent = cloud.of("UpdateService")[-1]["deploymentConfiguration"]
    assert (sent["maximumPercent"], sent["minimumHealthyPercent"]) == (150, 50)
    assert sent["alarms"]["alarmNames"] == ["high"] and sent["deploymentCircuitBreaker"]["rollback"]
    assert "bakeTimeInMinutes" not in sent and "strategy" not in sent, "of another kind of deployment"


def test_json_is_alone_on_stdout(deploying, cloud):
    """A plan, a result, a failure: whoever reads it gets one object."""
    planned = json.loads(deploying.service("--json", "--dry-run").ok().out)
    assert planned["outcome"] == "planned" and f"+ create service {deploying.name}" in planned["plan"]
    cloud.deny("ecs:CreateService")
    failed = json.loads(deploying.service("--json").fails(code=5).out)
    assert failed["outcome"] == "failed" and "ecs:CreateService" in failed["error"] and "iam-policy deploy" in failed["error"]
    cloud.denied.clear()
    assert deploying.json("--service", deploying.name)["outcome"] == "running"


@pytest.mark.parametrize("action, options", [("ecs:DescribeServices", ["--service", "web"]), ("ecs:DescribeTasks", ["--task"])])
def test_who_may_not_look_is_told_what_goes_on(deploying, cloud, action, options):
    """A wait that ends for the lack of a permission leaves something behind."""
    cloud.on("RunTask" if "--task" in options else "CreateService", lambda: cloud.deny(action))
    deploying(*options).fails(action, "goes on" if "--service" in options else "runs on", code=5)


def test_lists_of_something_else_are_no_crash(deploying, cloud):
    """The names that a message gives come from AWS as well."""
    page = json.dumps({"clusterArns": [7, None, ["x"], cloud.arn("ecs", "cluster/shop")]}).encode()
    answer = faults.Page(200, page)
    cloud.fault("ListClusters", answer)
    cloud.ecs.clusters.clear()
    done = deploying.slipway("ps", "--cluster", "none").fails("none", "there are: shop", code=1)
    assert "runtime error" not in done.err


@pytest.mark.parametrize("flag", ["--service", "--tag", "--repository", "--cluster"])
@pytest.mark.parametrize("value", ["", "a b", "../x", "caf\u00e9", "x" * 300])
def test_wrong_names_are_told_before_anything(deploying, cloud, flag, value):
    done = deploying(flag, value).fails("invalid", code=2)
    assert not cloud.changes() and "#1" not in done.err, "nothing is built"

"""Deploys at the edges: nothing to run, nothing that can be placed, what others do meanwhile, what logs must not do."""
import json

import pytest

from helpers.deploying import needs_models
from fakes.aws_cloud import scenarios

pytestmark = needs_models


def test_a_service_of_no_tasks(deploying, cloud):
    deploying.service("--desired-count", "0").ok()
    assert cloud.ecs.tasks == {} and deploying.of_service().deployments[0].completed


def test_a_task_that_is_not_up_in_time(deploying, cloud):
    cloud.script({1: scenarios.SlowButFine(1e9)})
    done = deploying("--task", "--timeout", "1s")
    assert done.code == 4 and "time" in done.err, str(done)
    assert "StopTask" not in cloud.operations()


def test_tasks_that_find_no_place(deploying, cloud):
    """Nothing dies, since nothing starts: the events are all there is to show."""
    cloud.script({1: scenarios.Unplaceable()})
    deploying.service("--timeout", "1s").fails("limit on the number of vCPUs", "quota", code=4)


def test_an_unhealthy_target_of_a_load_balancer(deploying, cloud):
    deploying.service("--lb").ok()
    group = next(iter(cloud.elbv2.groups))
    cloud.script({2: scenarios.FailingHealthCheck(reason=f"Task failed ELB health checks in (target-group {group})")})
    deploying.write(b"second")
    deploying.service("--lb").fails("Task failed ELB health checks", "0.0.0.0", code=3)


def test_a_spot_interruption_on_the_way(deploying, cloud):
    cloud.script({1: [scenarios.SpotInterruption(), scenarios.Fine()]})
    deploying.service().ok()


def test_a_service_that_is_deleted_meanwhile(deploying, cloud):
    cloud.script({1: scenarios.SlowButFine(1e9)})
    cloud.on("DescribeServices", lambda: cloud.ecs.delete_service(
        {"cluster": "default", "service": deploying.name, "force": True}), after=6)
    done = deploying.service("--timeout", "20s")
    assert done.code == 1 and deploying.name in done.err, str(done)


@pytest.mark.parametrize("options", [["--task", "--wait"], ["--service", "web"]])
def test_json_of_a_failure_is_an_object_alone(deploying, cloud, options):
    cloud.script({1: scenarios.Crash(3)})
    done = deploying("--json", *options)
    assert done.code != 0
    answer = json.loads(done.out)
    assert deploying.container()["image"] in json.dumps(answer)


@pytest.mark.parametrize("options", [["--task"], ["--task", "--wait"], ["--service", "web"]])
def test_logs_give_no_orders_to_ci(deploying, cloud, options):
    """GitHub's runner obeys lines that begin with "::", blanks before them included; a terminal obeys escape sequences."""
    lines = ["::error file=x::not mine", "  ::add-mask::a", "\x1b]0;title\x07plain\x1b[2J", "50 %\r::warning::mine", "two\n::notice::lines"]
    cloud.script({1: scenarios.Crash(3, lines, after=0)})
    deploying.slipway.env["GITHUB_ACTIONS"] = "true"
    done = deploying(*options)
    assert "not mine" in done.err + done.out, str(done)
    said = (done.err + done.out).splitlines()
    orders = [line for line in said if line.lstrip().startswith("::") and not line.startswith("::error title=slipway deploy::")]
    assert orders == [], orders
    assert not any("\x1b" in line or "\x07" in line for line in said if line.startswith("    |")), said


def test_the_console_names_region_and_cluster(deploying, cloud):
    cloud.script({1: scenarios.Crash(3)})
    done = deploying("--cluster", "prod", "--service", "web").fails(code=1)
    assert "https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/prod/" in done.err, str(done)

"""Deploys that fail: the exit code, the reason in the first lines, and no more than one look after the event."""
import pytest

from helpers.deploying import first_lines, needs_models
from fakes.aws_cloud import scenarios

pytestmark = needs_models
# Why, and a word of the hint that AWS's troubleshooting pages give.
DEATHS = {
    "cannot-pull": (scenarios.CannotPull, "CannotPullContainerError", "digest"),
    "no-route": (scenarios.NoRoute, "ResourceInitializationError", "nat"),
    "missing-secret": (scenarios.MissingSecret, "Secrets Manager can't find the specified secret", "secret"),
    "no-log-group": (scenarios.NoLogGroup, "log group does not exist", "log group"),
    "oom": (scenarios.Oom, "OutOfMemoryError", "memory"),
    "crash-loop": (scenarios.Crash, "Essential container in task exited", "url_quote"),
    "not-executable": (scenarios.NotExecutable, "executable file not found", "path"),
    "architecture": (scenarios.WrongArchitecture, "exec format error", "architecture"),
    "unhealthy": (scenarios.FailingHealthCheck, "Task failed container health checks", "health"),
    "no-capacity": (scenarios.NoCapacity, "Capacity is unavailable", "zone"),
}
POLLS = "DescribeServices"


def looks_after(cloud, event, operation=POLLS, until=None):
    """How many looks began after the event, up to the first call of `until` or the end."""
    after = cloud.operations(since=cloud.when(event))
    if until:
        after = after[:after.index(until)]
    return after.count(operation)


def stop_code(cloud):
    """Of the first task that stopped."""
    return next(t.data["stopCode"] for t in cloud.ecs.tasks.values() if "stopCode" in t.data)


@pytest.mark.parametrize("death", DEATHS)
def test_a_new_service_that_dies(deploying, cloud, death):
    """Nothing to go back to: failed. The death is told at the first look that can see it."""
    scenario, reason, hint = DEATHS[death]
    cloud.script({1: scenario()})
    done = deploying.service().fails(reason, hint, "to go back to", code=1)
    assert stop_code(cloud) in done.err
    assert looks_after(cloud, "STOPPED", until="DescribeTasks") <= 1


@pytest.mark.parametrize("death", DEATHS)
def test_an_update_that_dies_is_rolled_back(deploying, cloud, death):
    deploying.service().ok()
    scenario, reason, hint = DEATHS[death]
    cloud.script({2: scenario()})
    deploying.write(b"second")
    done = deploying.service().fails(reason, hint, code=3)
    assert f"{deploying.name}:1" in done.err, "where it went back to"
    service = deploying.of_service()
    cloud.clock.advance(300)
    assert service.deployments[0].definition["revision"] == 1 and service.deployments[0].completed


@pytest.mark.parametrize("death", [d for d in DEATHS if d != "unhealthy"])
def test_a_task_that_dies(deploying, cloud, death):
    """A container that ran gives its own code, else docker's. (Unhealthy tasks are the business of a service's scheduler.)"""
    scenario, reason, hint = DEATHS[death]
    cloud.script({1: scenario()})
    done = deploying("--task", "--wait").fails(reason, hint, code=127 if death == "not-executable" else getattr(scenario(), "code", 125))
    assert stop_code(cloud) in done.err
    assert looks_after(cloud, "STOPPED", "DescribeTasks") <= 1, cloud.operations(since=cloud.when("STOPPED"))


def test_the_report(deploying, cloud):
    """Stop code, reason, exit code, the container's last lines, the newest events."""
    lines = [f"line {i}" for i in range(200)]
    cloud.script({1: scenarios.Crash(7, lines)})
    done = deploying.service().fails("EssentialContainerExited", "Essential container in task exited", code=1)
    assert "7" in done.err and "line 199" in done.err and "line 150" in done.err
    assert "line 149\n" not in done.err, "the last 50 lines"
    assert "has started 1 tasks" in done.err, "events"


def test_the_first_lines_say_why(deploying, cloud):
    """stderr's report begins with the cause."""
    cloud.script({1: scenarios.Crash(7)})
    done = deploying("--task", "--wait")
    start = next((i for i, line in enumerate(done.err.splitlines()) if "exited" in line.lower()), None)
    assert start is not None, str(done)
    report = "\n".join(done.err.splitlines()[start:])
    for word in ("EssentialContainerExited", "7"):
        assert word in first_lines(report), str(done)


def test_time_to_fail(deploying, cloud):
    """A task's death is looked into at the next look, and the second one ends it at the next look."""
    cloud.script({1: scenarios.Crash(1)})
    deploying.service().fails(code=1)
    first, second = [index for what, index, _ in cloud.happened if what.startswith("STOPPED")][:2]
    told = next(i for i, c in enumerate(cloud.operations()) if c in ("GetLogEvents", "FilterLogEvents"))
    assert cloud.operations()[first:told].count(POLLS) <= 1
    assert cloud.operations(since=second).count(POLLS) <= 1, cloud.operations(since=second)


def test_a_rollback_by_the_circuit_breaker_alone(deploying, cloud):
    """Deaths that differ are left to ECS: its rollback is a failure, told as soon as it begins."""
    deploying.service().ok()
    cloud.script({2: [scenarios.Crash(n) for n in range(1, 40)]})
    deploying.write(b"second")
    done = deploying.service()
    assert done.code == 3, str(done)
    assert looks_after(cloud, "DEPLOYMENT FAILED") <= 1


def test_a_rollback_that_somebody_else_began(deploying, cloud):
    """The console's button, while slipway waits."""
    deploying.service().ok()
    cloud.script({2: scenarios.SlowButFine(1e9)})
    deploying.write(b"second")

    def stop():
        record = deploying.of_service().records[0].record
        cloud.ecs.stop_service_deployment({"serviceDeploymentArn": record["serviceDeploymentArn"], "stopType": "ROLLBACK"})
    cloud.on("DescribeServices", stop, after=6)
    assert deploying.service().code == 3


def test_a_deployment_that_is_replaced_meanwhile(deploying, cloud):
    """Somebody deploys something else: this deployment did not arrive, whatever the service looks like."""
    deploying.service().ok()
    cloud.script({2: scenarios.SlowButFine(1e9)})
    deploying.write(b"second")

    def replace():
        definition = cloud.ecs.register_task_definition({**cloud.of("RegisterTaskDefinition")[0]})["taskDefinition"]
        cloud.ecs.update_service({"cluster": "default", "service": deploying.name, "taskDefinition": definition["taskDefinitionArn"]})
    cloud.on("DescribeServices", replace, after=6)
    done = deploying.service()
    assert done.code in (1, 3) and f"{deploying.name}:3" in done.err, str(done)


def test_one_death_on_the_way_is_no_failure(deploying, cloud):
    """The first task dies, the next runs: done, with the death told."""
    cloud.script({1: [scenarios.NoCapacity(), scenarios.Fine()]})
    done = deploying.service().ok()
    assert "Capacity is unavailable" in done.err


def test_max_failures(deploying, cloud):
    cloud.script({1: scenarios.Crash(1)})
    deploying.service("--max-failures", "4").fails(code=1)
    deaths = [what for what, _, _ in cloud.happened if what.startswith("STOPPED")]
    assert len(deaths) == 4, deaths


def test_a_sidecar_is_told_from_the_app(deploying, cloud, folder):
    """Each container's end is in the report by its name."""
    import json  # pylint: disable=import-outside-toplevel
    role = cloud.iam.add_role("ecsTaskExecutionRole")
    file = folder / "task.json"
    file.write_text(json.dumps({
        "family": deploying.name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "executionRoleArn": role, "containerDefinitions": [
            {"name": "web", "image": "x", "portMappings": [{"containerPort": 3000}]},
            {"name": "helper", "image": "public.ecr.aws/docker/library/nginx:1", "essential": False}]}))
    cloud.script({1: scenarios.Crash(9, after=8)})
    done = deploying("--task", "--wait", "--task-definition", file, "--container", "web")
    assert done.code == 9 and "web" in done.err and "helper" in done.err and "143" in done.err, str(done)

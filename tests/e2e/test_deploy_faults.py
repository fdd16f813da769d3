"""A deploy while AWS throttles, breaks connections, forgets and takes its time: it goes on, or says what is wrong."""
import json

import pytest

from helpers.deploying import needs_models
from fakes.aws_cloud import faults, scenarios

pytestmark = needs_models


@pytest.mark.parametrize("fault", ["throttled", "server_error", "page", "lost", "truncated", "nonsense"])
@pytest.mark.parametrize("operation", ["DescribeServices", "DescribeTaskDefinition", "GetCallerIdentity", "DescribeSubnets"])
def test_a_bad_answer_is_asked_for_again(deploying, cloud, operation, fault):
    made = {"throttled": faults.throttled(), "server_error": faults.server_error(), "page": faults.Page(), "lost": faults.Lost(),
            "truncated": faults.Truncated(), "nonsense": faults.Nonsense()}[fault]
    cloud.fault(operation, made, times=2)
    done = deploying.service()
    if fault == "nonsense":
        # A whole answer that is no document: told, or asked for again.
        assert done.code in (0, 1), str(done)
    else:
        done.ok()


def test_throttling_in_mid_wait(deploying, cloud):
    cloud.fault("DescribeServices", faults.throttled(), times=5, after=4)
    deploying.service().ok()


@pytest.mark.parametrize("fault", [faults.Lost(), faults.Truncated(), faults.throttled(), faults.server_error()])
def test_a_task_is_started_once(deploying, cloud, fault):
    """Asked for twice when the first answer got lost: the client token makes it one task."""
    cloud.fault("RunTask", fault)
    deploying().ok()
    assert len(cloud.ecs.tasks) == 1
    tokens = {c.parameters.get("clientToken") for c in cloud.calls if c.operation == "RunTask"}
    assert len(tokens) == 1 and None not in tokens


def test_a_service_is_made_once(deploying, cloud):
    cloud.fault("CreateService", faults.Lost())
    deploying.service().ok()
    assert len(cloud.ecs.services) == 1


def test_a_task_that_is_not_known_at_once(deploying, cloud):
    """DescribeTasks right after RunTask says MISSING."""
    cloud.ecs.invisible = 3
    deploying().ok()
    assert len(cloud.ecs.tasks) == 1


def test_run_task_that_answers_with_failures_alone(deploying, cloud, monkeypatch):
    """200, and nothing runs."""
    reason = "You've reached the limit on the number of vCPUs you can run concurrently"
    monkeypatch.setattr(cloud.ecs, "run_task", lambda p: {"tasks": [], "failures": [{"reason": reason}]})
    deploying().fails("limit on the number of vCPUs")


@pytest.mark.parametrize("operation, n", [("CreateCluster", 1), ("CreateCluster", 3), ("CreateService", 2)])
def test_the_service_linked_role_of_a_new_account(deploying, cloud, operation, n):
    cloud.fault(operation, faults.no_service_role(), times=n)
    deploying.service().ok()
    assert operation == "CreateService" or "CreateServiceLinkedRole" in cloud.operations()


def test_the_service_linked_role_that_another_made_meanwhile(deploying, cloud):
    cloud.iam.service_linked("ecs.amazonaws.com")
    cloud.fault("CreateCluster", faults.no_service_role())
    deploying.service().ok()


@pytest.mark.parametrize("operation, options", [("RunTask", ["--task"]), ("CreateService", ["--service", "web"])])
def test_a_new_role_that_is_not_known_everywhere(deploying, cloud, operation, options):
    cloud.fault(operation, faults.role_not_ready(cloud.arn("iam", "role/x", region="")), times=2)
    deploying(*options).ok()


def test_a_new_role_of_which_the_task_dies(deploying, cloud):
    """RunTask takes it, and the task is stopped for it: with the role made by this very deploy another one is run."""
    cloud.iam.delay = 60
    deploying().ok()
    assert [t.data["lastStatus"] for t in cloud.ecs.tasks.values()][-1] == "RUNNING" and len(cloud.ecs.tasks) > 1


def test_a_role_that_tasks_cannot_take_on(deploying, cloud):
    """Told before anything runs: its trust policy names another service."""
    role = cloud.iam.add_role("mine", service="lambda.amazonaws.com")
    deploying("--execution-role", role).fails(role, "trust")
    assert "RunTask" not in cloud.operations()


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_wrong_clock(deploying, cloud, minutes):
    """AWS's time is taken, once told; and the difference is said."""
    import datetime  # pylint: disable=import-outside-toplevel
    cloud.wall = datetime.timedelta(minutes=minutes)
    done = deploying().ok()
    assert "clock" in done.err.lower(), str(done)


def use_process_keys(deploying, keys):
    """Keys of a program, another pair at each call: what a session of 15 minutes looks like."""
    state = deploying.slipway.home / "calls"
    script = deploying.slipway.home / "keys.sh"
    lines = [json.dumps({"Version": 1, "AccessKeyId": k, "SecretAccessKey": s, "SessionToken": t, "Expiration": "2099-01-01T00:00:00Z"})
             for k, (s, t) in keys.items()]
    cases = "\n".join(f"{i}) echo '{line}';;" for i, line in enumerate(lines[:-1]))
    script.write_text(f"#!/bin/sh\nn=$(cat {state} 2>/dev/null || echo 0)\necho $((n + 1)) > {state}\n"
                      f"case $n in\n{cases}\n*) echo '{lines[-1]}';;\nesac\n")
    script.chmod(0o755)
    (deploying.slipway.home / ".aws").mkdir()
    (deploying.slipway.home / ".aws/config").write_text(f"[default]\ncredential_process = {script}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del deploying.slipway.env[name]


def test_credentials_that_end_in_mid_wait_are_renewed(deploying, cloud):
    pairs = {"ASIAFIRST": ("one", "token-one"), "ASIASECOND": ("two", "token-two")}
    cloud.keys = dict(pairs)
    use_process_keys(deploying, pairs)
    cloud.on("DescribeServices", lambda: cloud.expire("ASIAFIRST"), after=4)
    done = deploying.service().ok()
    assert cloud.calls[-1].key == "ASIASECOND"
    assert "token-one" not in done.out + done.err and "token-two" not in done.out + done.err


def test_credentials_that_end_and_cannot_be_renewed(deploying, cloud):
    """The deploy goes on at AWS: that is said, not that it failed."""
    cloud.script({1: scenarios.SlowButFine(1e6)})
    cloud.on("DescribeServices", cloud.expire, after=4)
    done = deploying.service()
    assert done.code in (1, 5) and "expired" in done.err, str(done)
    assert deploying.of_service().data["status"] == "ACTIVE"


def test_a_partition_without_service_deployments(deploying, cloud):
    """Older or isolated regions: the list of deployments tells enough, rollback included."""
    unknown = faults.Refused("UnknownOperationException", "")
    for operation in ("DescribeServiceDeployments", "ListServiceDeployments", "StopServiceDeployment"):
        cloud.fault(operation, unknown, times=10000)
    deploying.service().ok()
    cloud.script({2: scenarios.Crash(1)})
    deploying.write(b"second")
    assert deploying.service().code == 3


def test_a_region_that_knows_no_threshold(deploying, cloud, monkeypatch):
    """thresholdConfiguration is of 2026: where it is refused it is left out."""
    create = cloud.ecs.create_service

    def old(p):
        if "thresholdConfiguration" in p.get("deploymentConfiguration", {}).get("deploymentCircuitBreaker", {}):
            from fakes.aws_cloud.errors import Error  # pylint: disable=import-outside-toplevel
            raise Error("InvalidParameterException", "Unknown field thresholdConfiguration")
        return create(p)
    monkeypatch.setattr(cloud.ecs, "create_service", old)
    deploying.service().ok()


@pytest.fixture(scope="module")
def asked():
    """The operations of a whole deploy, as the first test to need them found them."""
    return []


@pytest.mark.parametrize("fault", [faults.throttled(), faults.Lost(), faults.Truncated(3), faults.Page(502)])
def test_every_call_fails_once(deploying, cloud, asked, fault):
    """Whatever is asked, and whether or not it was done: the second time is enough."""
    options = ["--lb", "--scale", "1..3", "--task-policy", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
    if not asked:
        deploying.slipway("deploy", "--name", deploying.name + "-first", "--service", "first", *options, deploying.app).ok()
        asked += sorted(set(cloud.operations()))
        assert len(asked) > 25, asked
    for operation in asked:
        cloud.fault(operation, fault)
    deploying.service(*options).ok()
    service = deploying.of_service()
    assert service.deployments[0].completed and len(cloud.ecs.services) <= 2
    names = [b["LoadBalancerName"] for b in cloud.elbv2.balancers.values()]
    assert len(names) == len(set(names))

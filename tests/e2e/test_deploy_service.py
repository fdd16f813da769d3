"""slipway deploy of a service: create, update, follow this deployment, scale, load balancer, Express."""
import os
import pty
import signal

import pytest

from helpers import processes
from helpers.deploying import made_by_slipway, needs_models
from fakes.aws_cloud import scenarios

pytestmark = needs_models


def test_a_new_service(deploying, cloud):
    done = deploying.service("--desired-count", "2").ok()
    sent = cloud.of("CreateService")[0]
    breaker = sent["deploymentConfiguration"]["deploymentCircuitBreaker"]
    assert breaker["enable"] and breaker["rollback"]
    assert (sent["serviceName"], sent["desiredCount"], sent["launchType"]) == (deploying.name, 2, "FARGATE")
    service = deploying.of_service()
    assert service.deployments[0].completed and len(service.deployments[0].running()) == 2
    assert made_by_slipway({t["key"]: t["value"] for t in service.data["tags"]}, deploying.name)
    assert service.arn in done.out and deploying.definitions()[0]["taskDefinitionArn"] in done.out, str(done)


def test_an_update_follows_its_own_deployment(deploying, cloud):
    deploying.service().ok()
    deploying.write(b"second")
    since = len(cloud.calls)
    deploying.service().ok()
    assert [c for c in cloud.changes(since)] == ["RegisterTaskDefinition", "UpdateService"]
    sent = cloud.of("UpdateService", since)[0]
    assert sent["taskDefinition"].endswith(f"{deploying.name}:2")
    assert "desiredCount" not in sent, "nobody asked to scale"
    service = deploying.of_service()
    assert service.deployments[0].completed and len(service.deployments) == 1


def test_a_service_of_that_name_is_updated_without_a_flag(deploying, cloud):
    """--task is the default unless a service of that name exists."""
    deploying.service().ok()
    deploying.write(b"second")
    since = len(cloud.calls)
    deploying().ok()
    assert "UpdateService" in cloud.changes(since) and "RunTask" not in cloud.changes(since)


def test_nothing_to_do(deploying, cloud, ecr_blobs):
    deploying.service().ok()
    since, mark = len(cloud.calls), ecr_blobs.mark()
    deploying.service().ok()
    assert [c for c in cloud.changes(since) if c != "UpdateService"] == []
    assert deploying.pushes(mark) == []
    service = deploying.of_service()
    assert len(service.records) == 1, "no new deployment"


def test_dry_run_of_an_update(deploying, cloud):
    deploying.service().ok()
    deploying.write(b"second")
    since = len(cloud.calls)
    deploying.service("--dry-run").ok()
    assert cloud.changes(since) == []


def test_a_slow_deployment_is_waited_for(deploying, cloud):
    deploying.service().ok()
    cloud.script({2: scenarios.SlowButFine(200)})
    deploying.write(b"second")
    deploying.service().ok()
    assert deploying.of_service().deployments[0].completed


def test_a_timeout_leaves_it_as_it_is(deploying, cloud):
    cloud.script({1: scenarios.SlowButFine(1e9)})
    deploying.service("--timeout", "1s").fails(code=4)
    assert "StopServiceDeployment" not in cloud.operations()
    assert deploying.of_service().data["status"] == "ACTIVE"


def test_deleted_services_are_made_anew(deploying, cloud):
    """DRAINING is waited for, INACTIVE is none."""
    deploying.service().ok()
    cloud.ecs.delete_service({"cluster": "default", "service": deploying.name, "force": True})
    since = len(cloud.calls)
    deploying.service().ok()
    assert "CreateService" in cloud.changes(since) and deploying.of_service().data["status"] == "ACTIVE"


def test_scaling_by_itself(deploying, cloud):
    deploying.service("--scale", "1..10", "--cpu-target", "60").ok()
    target = next(iter(cloud.application_autoscaling.targets.values()))
    assert (target["MinCapacity"], target["MaxCapacity"], target["ResourceId"]) == (1, 10, f"service/default/{deploying.name}")
    policy = next(iter(cloud.application_autoscaling.policies.values()))
    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    assert policy["PolicyType"] == "TargetTrackingScaling" and configuration["TargetValue"] == 60
    assert configuration["PredefinedMetricSpecification"]["PredefinedMetricType"] == "ECSServiceAverageCPUUtilization"
    deploying.of_service().set_desired(4)
    deploying.write(b"second")
    since = len(cloud.calls)
    deploying.service("--scale", "1..10", "--cpu-target", "60").ok()
    assert all("desiredCount" not in p for p in cloud.of("UpdateService", since)), "the scaler decides"
    assert deploying.of_service().desired == 4
    deploying.write(b"third")
    since = len(cloud.calls)
    deploying.service("--desired-count", "2").ok()
    assert all("desiredCount" not in p for p in cloud.of("UpdateService", since)) or deploying.of_service().desired == 2


def test_a_load_balancer(deploying, cloud):
    done = deploying.service("--lb", "--health-path", "/health").ok()
    balancer, group = next(iter(cloud.elbv2.balancers.values())), next(iter(cloud.elbv2.groups.values()))
    listener = next(iter(cloud.elbv2.listeners.values()))
    assert balancer["Type"] == "application" and balancer["LoadBalancerName"] == f"slipway-{deploying.name}"[:32].rstrip("-")
    assert (group["TargetType"], group["HealthCheckPath"]) == ("ip", "/health")
    assert listener["DefaultActions"][0]["TargetGroupArn"] == group["TargetGroupArn"]
    sent = cloud.of("CreateService")[0]["loadBalancers"]
    assert sent[0]["targetGroupArn"] == group["TargetGroupArn"] and sent[0]["containerPort"] == 3000
    assert balancer["DNSName"] in done.out, str(done)
    # Before the service: ECS refuses a target group that no load balancer uses.
    assert cloud.operations().index("CreateListener") < cloud.operations().index("CreateService")
    deploying.write(b"second")
    since = len(cloud.calls)
    deploying.service("--lb", "--health-path", "/health").ok()
    assert [c for c in cloud.changes(since)] == ["RegisterTaskDefinition", "UpdateService"]


def test_express(deploying, cloud):
    """AWS's defaults are port 80 and /ping, which the app does not have."""
    done = deploying("--express").ok()
    sent = cloud.of("CreateExpressGatewayService")[0]
    assert sent["serviceName"] == deploying.name and sent["infrastructureRoleArn"]
    if "primaryContainer" in sent:
        assert sent["primaryContainer"]["containerPort"] == 3000
        assert sent["primaryContainer"]["image"].startswith(deploying.repository + "@sha256:")
    assert sent["healthCheckPath"] == "/"
    assert f"{deploying.name}-0123456789abcdef.ecs.eu-west-1.on.aws" in done.out, str(done)


def test_express_again_updates_it(deploying, cloud):
    deploying("--express").ok()
    deploying.write(b"second")
    since = len(cloud.calls)
    deploying("--express").ok()
    assert "UpdateExpressGatewayService" in cloud.changes(since) and "CreateExpressGatewayService" not in cloud.changes(since)


def interrupted(deploying, **options):
    """A deploy of a service whose tasks never come up, interrupted while it waits."""
    deploying.cloud.script({deploying.cloud.calls and 2 or 1: scenarios.SlowButFine(1e9)})
    since = len(deploying.cloud.calls)
    process = deploying.start("--service", deploying.name, **options)
    waits = lambda: deploying.cloud.operations(since=since).count("DescribeServices") > 3  # noqa: E731
    assert processes.wait_until(waits, 60) or process.kill(), process.communicate()
    return process


def test_ctrl_c_without_a_terminal_leaves_it_running(deploying, cloud):
    process = interrupted(deploying)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err.decode()
    assert not {"StopServiceDeployment", "DeleteService"} & set(cloud.operations())
    assert deploying.of_service().data["status"] == "ACTIVE" and deploying.of_service().desired == 1
    assert deploying.name in err.decode()


def test_ctrl_c_asks_at_a_terminal(deploying, cloud):
    """r: take it back, to the version before."""
    deploying.service().ok()
    deploying.write(b"second")
    ours, theirs = pty.openpty()
    try:
        process = interrupted(deploying, stdin=theirs, stderr=theirs, stdout=theirs)
        process.send_signal(signal.SIGINT)
        said = b""
        while b"?" not in said:
            said += os.read(ours, 4096)
        os.write(ours, b"r\n")
        os.set_blocking(ours, False)

        def ended():
            nonlocal said
            try:
                said += os.read(ours, 65536)
            except OSError:
                pass
            return process.poll() is not None
        assert processes.wait_until(ended, 60), said.decode()
    finally:
        os.close(ours)
        os.close(theirs)
        if process.poll() is None:
            process.kill()
    assert "StopServiceDeployment" in cloud.operations() or len(cloud.of("UpdateService")) == 2, said.decode()
    assert process.returncode in (3, 130), said.decode()


@pytest.mark.parametrize("n", [1, 3])
def test_scale(deploying, cloud, n):
    deploying.service("--desired-count", "2").ok()
    deploying.slipway("scale", deploying.name, str(n)).ok()
    assert deploying.of_service().desired == n and cloud.of("UpdateService")[-1].get("desiredCount") == n

"""slipway destroy: all that slipway made for the app, and nothing else."""
from helpers.deploying import needs_models
from fakes.aws_cloud import faults

pytestmark = needs_models


def destroy(deploying, *options):
    return deploying.slipway("destroy", *options, deploying.name, stdin="")


def test_a_service_with_all_it_has(deploying, cloud):
    before = deploying.everything()
    deploying.service("--lb", "--scale", "1..3", "--task-policy", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess").ok()
    destroy(deploying, "--yes", "--images").ok()
    cloud.clock.advance(600)
    assert deploying.everything() == before
    assert not cloud.application_autoscaling.targets and not cloud.elbv2.listeners


def test_tasks_of_their_own_are_stopped(deploying, cloud):
    before = deploying.everything()
    deploying().ok()
    destroy(deploying, "--yes", "--images").ok()
    cloud.clock.advance(600)
    assert {t.data["lastStatus"] for t in cloud.ecs.tasks.values()} == {"STOPPED"}
    assert deploying.everything() == before


def test_what_others_made_stays(deploying, cloud):
    """The cluster, role, repository and log group were there before: another app's, or somebody's."""
    cloud.ecs.create_cluster({"clusterName": "default"})
    cloud.ecr.create_repository({"repositoryName": deploying.name})
    cloud.iam.add_role("ecsTaskExecutionRole")
    cloud.logs.create_log_group({"logGroupName": f"/ecs/{deploying.name}"})
    before = deploying.everything()
    deploying.service().ok()
    destroy(deploying, "--yes").ok()
    cloud.clock.advance(600)
    assert deploying.everything() == before


def test_a_cluster_that_others_use_stays(deploying, cloud):
    """Made by slipway for this app, and another service lives there by now."""
    deploying.service().ok()
    other = deploying.slipway("deploy", "--name", "other", "--service", "other", deploying.app).ok()
    assert other.code == 0
    destroy(deploying, "--yes")
    cloud.clock.advance(600)
    assert cloud.ecs.clusters["default"]["status"] == "ACTIVE"
    assert cloud.ecs.services["default", "other"].data["status"] == "ACTIVE"
    assert cloud.ecs.services["default", deploying.name].data["status"] == "INACTIVE"


def test_without_yes_and_terminal_nothing_goes(deploying, cloud):
    deploying().ok()
    since = len(cloud.calls)
    assert destroy(deploying).code != 0
    assert cloud.changes(since) == []


def test_twice(deploying):
    deploying().ok()
    destroy(deploying, "--yes", "--images").ok()
    again = destroy(deploying, "--yes", "--images")
    assert again.code == 0 and f"nothing of {deploying.name}" in again.out
    destroy(deploying).fails(f"nothing of the app {deploying.name}", code=1)


def test_images_go_only_when_told(deploying, cloud):
    deploying().ok()
    done = destroy(deploying, "--yes")
    assert f"repository {deploying.name}" in deploying.everything()
    assert "--images" in done.out + done.err, str(done)
    destroy(deploying, "--yes", "--images").ok()
    assert f"repository {deploying.name}" not in deploying.everything()
    assert cloud.ecs.clusters["default"]["status"] == "INACTIVE"


def test_dry_run(deploying, cloud):
    deploying.service().ok()
    since = len(cloud.calls)
    done = destroy(deploying, "--dry-run").ok()
    assert cloud.changes(since) == []
    for word in ("service", "log group", "security group", "role", deploying.name):
        assert word in done.out + done.err, str(done)


def test_it_goes_on_after_a_failure_and_names_what_is_left(deploying, cloud):
    deploying.service().ok()
    cloud.deny("iam:DeleteRole")
    done = destroy(deploying, "--yes", "--images")
    assert done.code in (1, 5) and f"slipway-{deploying.name}-execution" in done.err, str(done)
    left = {what for what, tags in deploying.everything().items() if tags}
    assert left == {f"role slipway-{deploying.name}-execution"}
    cloud.denied.clear()
    destroy(deploying, "--yes", "--images").ok()
    assert not [what for what, tags in deploying.everything().items() if tags]


def test_an_express_service(deploying, cloud):
    before = deploying.everything()
    deploying("--express").ok()
    destroy(deploying, "--yes", "--images").ok()
    cloud.clock.advance(600)
    assert {s["status"]["statusCode"] for s in cloud.ecs.express.values()} == {"INACTIVE"}
    assert deploying.everything() == before


def test_throttling_on_the_way(deploying, cloud):
    before = deploying.everything()
    deploying.service().ok()
    for operation in ("DeleteService", "DeleteRole", "DeleteSecurityGroup", "DeleteLogGroup", "DescribeServices"):
        cloud.fault(operation, faults.throttled(), times=2)
    destroy(deploying, "--yes", "--images").ok()
    cloud.clock.advance(600)
    assert deploying.everything() == before

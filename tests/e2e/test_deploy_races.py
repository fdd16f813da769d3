"""A deploy among others: answers that got lost after the deed, two deploys at once, more tasks than a page holds, rights that are
missing where they are not needed."""
import copy

import pytest

from helpers.deploying import needs_models
from fakes.aws_cloud import faults, scenarios

pytestmark = needs_models
MAKERS = ["CreateRepository", "CreateCluster", "CreateLogGroup", "PutRetentionPolicy", "CreateRole", "AttachRolePolicy",
          "CreateSecurityGroup", "AuthorizeSecurityGroupIngress"]


@pytest.mark.parametrize("operation", MAKERS)
def test_what_was_made_though_the_answer_got_lost(deploying, cloud, operation):
    """Asked for again, AWS says that it exists: that is what was wanted."""
    cloud.fault(operation, faults.Lost())
    deploying().ok()
    assert cloud.operations().count(operation) >= 2


def test_an_update_whose_answer_got_lost(deploying, cloud):
    """The deployment that is followed is the one that the lost call began."""
    deploying.service().ok()
    deploying.write(b"second")
    cloud.fault("UpdateService", faults.Lost())
    deploying.service().ok()
    service = deploying.of_service()
    assert service.deployments[0].completed and service.deployments[0].definition["revision"] == 2


def test_a_failed_update_whose_answer_got_lost(deploying, cloud):
    deploying.service().ok()
    deploying.write(b"second")
    cloud.script({2: scenarios.Crash(1)})
    cloud.fault("UpdateService", faults.Lost())
    deploying.service().fails("exited with code 1", code=3)


def test_two_deploys_of_a_new_app_at_once(deploying, cloud):
    """Each finds what the other made a moment before."""
    both = [deploying.start("--task") for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (out, err)
    assert len(cloud.ecs.tasks) == 2
    assert len([g for g in cloud.ec2.groups.values() if g["GroupName"] == f"slipway-{deploying.name}"]) == 1


def test_a_deployment_among_more_tasks_than_a_page_holds(deploying, cloud):
    """A service that crashed for an hour before: its dead are listed too, and first. The one that counts is on the second page."""
    deploying.service().ok()
    service, sample = deploying.of_service(), next(iter(cloud.ecs.tasks.values()))
    for n in range(130):
        dead = copy.copy(sample)
        dead.id = f"{n:032x}"
        dead.data = {**copy.deepcopy(sample.data), "taskArn": sample.data["taskArn"].replace(sample.id, dead.id), "lastStatus": "STOPPED",
                     "desiredStatus": "STOPPED", "stopCode": "EssentialContainerExited", "startedBy": "ecs-svc/1",
                     "stoppedReason": "Essential container in task exited"}
        cloud.ecs.tasks[dead.data["taskArn"]] = dead
    cloud.ecs.oldest_first = True
    deploying.write(b"second")
    cloud.script({2: scenarios.Oom()})
    deploying.service().fails("OutOfMemoryError", code=3)
    assert service.name == deploying.name


def test_the_report_without_the_right_to_read_logs(deploying, cloud):
    """The reason is told all the same, and the deploy failed: it was not refused."""
    cloud.deny("logs:GetLogEvents", "logs:FilterLogEvents", "logs:DescribeLogStreams")
    cloud.script({1: scenarios.Crash(7)})
    done = deploying.service().fails("exited with code 7", code=1)
    assert "logs:GetLogEvents" in done.err or "logs:FilterLogEvents" in done.err, "what is missing"


def test_following_without_the_right_to_see_service_deployments(deploying, cloud):
    """Policies of before 2024 do not name them."""
    cloud.deny("ecs:DescribeServiceDeployments", "ecs:ListServiceDeployments", "ecs:StopServiceDeployment")
    deploying.service().ok()
    deploying.write(b"second")
    cloud.script({2: scenarios.CannotPull()})
    deploying.service().fails("CannotPullContainerError", code=3)


def test_no_region(deploying, cloud):
    """Told before anything is built; none is guessed."""
    del deploying.slipway.env["AWS_REGION"]
    deploying.write(dockerfile="FROM nowhere.invalid/never:1\n")
    done = deploying().fails("region", code=2)
    assert "AWS_REGION" in done.err or "--region" in done.err
    assert cloud.operations() == []


def test_an_endpoint_that_is_not_there(deploying, cloud):
    deploying.slipway.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    deploying.write(dockerfile="FROM nowhere.invalid/never:1\n")
    done = deploying()
    assert done.code == 1 and "127.0.0.1:9" in done.err and "nowhere.invalid" not in done.err, str(done)
    assert cloud.operations() == []


def test_the_plan_names_what_changed_in_the_image(deploying, cloud):
    """Against the image that runs: environment and files."""
    deploying.write(dockerfile="FROM scratch\nENV COLOUR=red\nCOPY --chmod=755 app /app\nENTRYPOINT [\"/app\"]\nEXPOSE 3000\n")
    deploying.service().ok()
    (deploying.app / "extra").write_text("new")
    deploying.write(b"2", "FROM scratch\nENV COLOUR=blue\nCOPY --chmod=755 app /app\nCOPY extra /extra\nENTRYPOINT [\"/app\"]\nEXPOSE 3000\n")
    done = deploying.service("--dry-run").ok()
    said = done.out + done.err
    for word in ("COLOUR", "red", "blue", "extra", "app"):
        assert word in said, str(done)

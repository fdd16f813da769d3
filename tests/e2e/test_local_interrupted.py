"""deploy --local that is broken off: by Ctrl-C while it builds and while it waits, by stop and reset of the target; and health checks that hang."""
import json
import os
import signal

import pytest

from helpers import processes
from helpers.local_target import LocalTarget, until

WELL = """\
FROM tiny
EXPOSE 3000
CMD ["/usr/bin/busybox", "sh", "-c", "exec busybox httpd -f -p 3000"]
"""
BUILDS_LONG = "FROM tiny\nRUN sleep {mark}\n"
# Its check hangs and takes no SIGTERM, and neither do the programs that it starts.
CHECK = "trap '' TERM; (sleep {mark} &); sleep {mark}; sleep {mark}"


def never_well(mark, retries=10):
    """A task definition whose task runs and is not HEALTHY."""
    health = {"command": ["CMD-SHELL", CHECK.replace("{mark}", mark)], "interval": 5, "timeout": 2, "retries": retries, "startPeriod": 0}
    return {"family": "app", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "containerDefinitions": [{"name": "app", "image": "app", "essential": True, "healthCheck": health, "portMappings": [{"containerPort": 3000}]}]}


class Deploys:
    """deploys.start(dockerfile): a deploy of the service web in its own folder, under way; .mark: a number that its programs sleep for."""

    def __init__(self, run, context, tiny):
        self.run, self.context, self.tiny = run, context, tiny
        self.target = LocalTarget(run)
        self.mark = str(40000000 + os.getpid())

    def start(self, dockerfile=WELL, definition=None):
        folder = self.context({"Dockerfile": dockerfile.replace("{mark}", self.mark), "td.json": json.dumps(definition)})
        self.run.give(folder, recursive=True)
        options = ["--task-definition", folder / "td.json"] if definition else []
        with open(self.run.folder / "deploy.err", "wb") as err:
            return self.run.start("deploy", "--local", "--name=app", "--service=web", "--progress=plain", "--build-context", f"tiny=oci-layout:{self.tiny}",
                                  *options, folder, stderr=err)

    def end(self, process, code):
        """What it said."""
        process.communicate(timeout=60)
        said = (self.run.folder / "deploy.err").read_text()
        assert process.returncode == code, said
        for crash in ("AddressSanitizer", "runtime error:", "ThreadSanitizer"):
            assert crash not in said, said
        return said

    def tasks(self):
        return json.loads(self.run("ps", "--local", "--json").ok().out)

    def never_well(self, **more):
        return self.start(definition=never_well(self.mark, **more))

    def await_check(self):
        until(lambda: processes.running(self.mark), what="a check that hangs")


@pytest.fixture(params=["slipway"])
def deploys(request, context, tiny):
    if request.param != "slipway" and os.geteuid() != 0:
        pytest.skip("needs: root, to become other users")
    made = Deploys(request.getfixturevalue(request.param), context, tiny)
    try:
        yield made
    finally:
        made.target.stop()
        assert processes.wait_until(lambda: processes.running(made.mark) == [])


everywhere = pytest.mark.parametrize("deploys", ["slipway", "slipway_user"], indirect=True)


def test_ctrl_c_while_it_builds(deploys):
    """Nothing was made, and nothing runs on."""
    process = deploys.start(BUILDS_LONG)
    until(lambda: processes.running(deploys.mark), what="the step")
    process.send_signal(signal.SIGINT)
    deploys.end(process, 130)
    assert processes.wait_until(lambda: processes.running(deploys.mark) == [])
    assert deploys.target.client("ecs").list_clusters()["clusterArns"] == []
    assert deploys.target.client("ecr").describe_repositories()["repositories"] == []


@everywhere
def test_ctrl_c_while_it_waits(deploys):
    """As with ECS the deployment goes on, and who breaks off is told how to end it; that ends it, the hanging check too."""
    process = deploys.never_well()
    deploys.await_check()
    process.send_signal(signal.SIGINT)
    said = deploys.end(process, 130)
    assert "the deployment of the service web goes on" in said and "slipway ps --local app" in said and "slipway rollback --local web" in said
    assert len(deploys.tasks()) == 1
    deploys.run("destroy", "--local", "--yes", "--images", "app").ok()
    assert deploys.target.client("ecs").list_clusters()["clusterArns"] == []
    assert processes.wait_until(lambda: processes.running(deploys.mark) == [])


def test_an_update_that_is_broken_off_is_taken_back(deploys):
    """rollback after Ctrl-C: the version before serves alone, the new one's task and its hanging check end."""
    assert deploys.start().wait(120) == 0
    process = deploys.never_well()
    deploys.await_check()
    process.send_signal(signal.SIGINT)
    deploys.end(process, 130)
    deploys.run("rollback", "--local", "web").ok()
    assert until(lambda: len(deploys.tasks()) == 1 and deploys.tasks(), what="one task")[0]["taskDefinition"] == "app:1"
    assert processes.wait_until(lambda: processes.running(deploys.mark) == [])


@pytest.mark.parametrize("how", [["stop"], ["reset", "--force"]])
def test_the_target_goes_while_a_deploy_waits(deploys, how):
    """The deploy ends and says why; no task, check or document of it is left running."""
    process = deploys.never_well()
    deploys.await_check()
    deploys.run("local", *how).ok()
    assert deploys.target.process.wait(30) == 0
    assert processes.running(deploys.mark) == []
    said = deploys.end(process, 1)
    assert "the local target does not run any more" in said and "goes on" not in said, said
    deploys.target.stop()
    deploys.target.start()
    if how == ["stop"]:
        # What was wanted is wanted still: a target that starts goes on.
        deploys.await_check()
    else:
        assert deploys.target.client("ecs").list_clusters()["clusterArns"] == []
        assert not any((deploys.run.root / "local" / "logs").rglob("*app*"))


def test_a_stop_that_is_broken_off(deploys):
    """The target ends in its own time: it is not killed because nobody waits for it any more."""
    definition = never_well(deploys.mark)
    app = definition["containerDefinitions"][0]
    del app["healthCheck"]
    app.update(stopTimeout=10, entryPoint=["/usr/bin/busybox", "sh", "-c"],
               command=[f"trap 'exec sleep $(({deploys.mark} + 20000000))' TERM; sleep {deploys.mark} & wait; wait"])
    process = deploys.start(definition=definition)
    until(lambda: processes.running(deploys.mark), what="a task")
    stop = deploys.run.start("local", "stop")
    until(lambda: processes.running(str(int(deploys.mark) + 20000000)), what="a container that was asked to end")
    stop.send_signal(signal.SIGINT)
    out, err = stop.communicate(timeout=60)
    assert stop.returncode == 130 and b"killed" not in err and b"stopped" not in out, (out + err).decode()
    assert deploys.target.process.poll() is None, "it still waits for the task"
    assert deploys.target.process.wait(60) == 0
    deploys.end(process, 1)


def test_a_check_that_hangs_and_takes_no_sigterm(deploys):
    """Each is killed at its timeout, with what it started: the task is UNHEALTHY after its retries, and another takes its place."""
    process = deploys.never_well(retries=1)
    deploys.await_check()
    ecs = deploys.target.client("ecs")
    until(lambda: any("failed container health checks" in e["message"]
                      for e in ecs.describe_services(services=["web"])["services"][0]["events"]), 60, "its end")
    until(lambda: len(processes.running(deploys.mark)) <= 4, what="one check at a time")
    process.send_signal(signal.SIGINT)
    deploys.end(process, 130)

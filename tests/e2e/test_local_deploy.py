"""slipway deploy --local and the verbs after it: the whole story on this machine, with an app that answers."""
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import urllib.error
import urllib.request

import pytest

from helpers.local_target import until

DOCKERFILE = """\
FROM tiny
WORKDIR /www
COPY index.html .
EXPOSE 3000
CMD ["/usr/bin/busybox", "sh", "-c", "echo listening; exec busybox httpd -f -p 3000"]
"""


class Story:
    """An app called "app" whose page is its text."""

    def __init__(self, local, context, tiny):
        self.local, self.make, self.options = local, context, ["--build-context", f"tiny=oci-layout:{tiny}"]

    def deploy(self, *options, page="one", dockerfile=DOCKERFILE):
        folder = self.make({"Dockerfile": dockerfile, "index.html": page})
        return self.local.run("deploy", "--local", "--name=app", *self.options, *options, folder)

    def service(self, *options, **more):
        return json.loads(self.deploy("--service=web", "--json", *options, **more).ok().out)

    def tasks(self):
        return json.loads(self.local.run("ps", "--local", "--json").ok().out)


@pytest.fixture
def story(local, context, tiny):
    return Story(local, context, tiny)


def get(url):
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30).read().decode()


def get_soon(url):
    """None while the app does not listen: RUNNING is said of what has started."""
    try:
        return get(url)
    except urllib.error.URLError:
        return None


def answers_again(story, before):
    """After a new start: at the same address, unless another target took this one's addresses while it was down."""
    done = story.service()
    (url,) = done["urls"]
    assert done["outcome"] == "unchanged"
    assert url == before or slot_of(url) != slot_of(before)
    assert until(lambda: get_soon(url), what="an answer") == "one"


def slot_of(url):
    return url.split(".")[2]


def test_a_service_from_a_dockerfile(story):
    done = story.service("--desired-count=2")
    assert done["outcome"] == "running" and len(story.tasks()) == 2
    (url,) = done["urls"]
    assert get(url) == "one"
    # an update is rolled out behind the same address
    again = story.service(page="two")
    assert again["urls"] == [url] and again["digest"] != done["digest"]
    assert get(url) == "two"
    # nothing changed: nothing is done
    assert story.service(page="two")["outcome"] == "unchanged"


def test_hints_ask_where_the_command_asked(story):
    assert "deploy --local makes one" in story.local.run("ps", "--local").fails("there is no cluster").err
    story.service()
    story.local.run("rollback", "--local", "web").fails("slipway rollback --local web REVISION", "task-definition list --local")


def test_a_broken_update_is_rolled_back_and_nobody_notices(story):
    (url,) = story.service()["urls"]
    story.deploy("--service=web", "--command", '["/usr/bin/busybox", "false"]').fails("exited with code 1", "rolled back to app:1", code=3)
    assert get(url) == "one"
    assert {t["taskDefinition"] for t in story.tasks()} == {"app:1"}


def test_what_dies_comes_back_at_the_same_address(story):
    (url,) = story.service()["urls"]
    (before,) = story.tasks()
    story.local.run("stop", "--local", before["id"]).ok()
    after = until(lambda: [t for t in story.tasks() if t["status"] == "RUNNING"], what="another task")
    assert after[0]["id"] != before["id"] and until(lambda: get_soon(url), what="an answer") == "one"


def test_state_survives_kill_9_and_the_service_returns(story):
    (url,) = story.service("--desired-count=2")["urls"]
    before = {t["id"] for t in story.tasks()}
    story.local.run.unfinished_allowed = True  # folders of what ran: the next prune takes them
    story.local.kill()
    story.local.start()
    until(lambda: len([t for t in story.tasks() if t["status"] == "RUNNING"]) == 2, what="two tasks again")
    assert not before & {t["id"] for t in story.tasks()}
    # the deploy that is done again changes nothing, though the target has another port
    answers_again(story, url)


def as_after_a_reboot(folder, bystander):
    """Every process that the documents name is of an earlier boot, and its number is somebody else's now."""
    def start_time(pid):
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return int(stat.read().rsplit(")", 1)[1].split()[19])

    def change(value):
        if isinstance(value, list):
            return sum(map(change, value))
        if not isinstance(value, dict):
            return 0
        if "boot" in value:
            value.update(boot="11111111-2222-3333-4444-555555555555", pid=bystander, start=start_time(bystander))
            return 1
        return sum(map(change, value.values()))

    changed = 0
    for path in [folder / "target.json", *(folder / "state").rglob("*.json")]:
        document = json.loads(path.read_text())
        if change(document):
            changed += 1
            path.write_text(json.dumps(document))
    return changed


def test_state_survives_a_reboot(story):
    """Whoever has the numbers of its processes after it is left alone; nothing is doubled, nothing lost."""
    (url,) = story.service("--desired-count=2")["urls"]
    before = {t["id"] for t in story.tasks()}
    story.local.run.unfinished_allowed = True
    story.local.kill()
    bystander = subprocess.Popen(["sleep", "100"])
    try:
        assert as_after_a_reboot(story.local.run.root / "local", bystander.pid) == 3
        assert json.loads(story.local.run("local", "status", "--json").out)["running"] is False
        story.local.start()
        until(lambda: len([t for t in story.tasks() if t["status"] == "RUNNING"]) == 2, what="two tasks again")
        answers_again(story, url)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    everything = json.loads(story.local.run("ps", "--local", "--all", "--json").ok().out)
    assert {t["id"] for t in everything if t["status"] == "STOPPED"} == before and len(everything) == 4


def test_a_job_ends_with_its_own_code(story):
    story.deploy("--task", "--wait", "--command", '["/usr/bin/busybox", "sh", "-c", "echo done; exit 7"]').fails(code=7)
    assert story.deploy("--task", "--wait", "--command", '["/usr/bin/busybox", "true"]').ok().code == 0


def test_scale_logs_and_destroy(story):
    story.service()
    story.local.run("scale", "--local", "web", "3").ok()
    assert len(story.tasks()) == 3
    until(lambda: story.local.run("logs", "--local", "--no-log-prefix", "web").ok().out == "listening\n" * 3)
    story.local.run("destroy", "--local", "web").fails("nothing of the app web", "slipway destroy --local app", code=1)
    story.local.run("destroy", "--local", "--yes", "--images", "app").ok()
    story.local.run("destroy", "--local", "app").fails("nothing of the app app", code=1)
    assert story.local.run("destroy", "--local", "--yes", "app").ok().out == "There is nothing of app here.\n"
    assert story.local.run("destroy", "--local", "--dry-run", "app").ok().out == "There is nothing of app here.\n"
    for client, call, key in (("ecs", "list_clusters", "clusterArns"), ("iam", "list_roles", "Roles"), ("logs", "describe_log_groups", "logGroups"),
                              ("ecr", "describe_repositories", "repositories")):
        assert getattr(story.local.client(client), call)()[key] == [], key


def test_nothing_is_uploaded_that_is_there(story):
    words = story.deploy("--service=web", "--progress=plain").ok().err
    assert "mounted from the registry's own store" in words and not re.search(r"uploading \S+ [1-9]", words)


def test_the_report_of_a_failure_leads_to_the_page(story):
    words = story.deploy("--task", "--command", '["/usr/bin/busybox", "false"]').fails("exited with code 1").err
    assert f"{story.local.url}/" in words and "console.aws.amazon.com" not in words


def test_exec_runs_in_the_container(story):
    story.service("--env=COLOUR=green")
    run = story.local.run
    assert run("exec", "--local", "web", "--", "/usr/bin/busybox", "pwd").ok().out == "/www\n"
    assert run("exec", "--local", "web", "/usr/bin/busybox", "sh", "-c", "echo $COLOUR; echo no >&2; exit 9").fails("no", code=9).out == "green\n"
    assert run("exec", "--local", "-i", "web", "/usr/bin/busybox", "cat", stdin=b"typed").ok().out == "typed"
    run("exec", "--local", "web", "/nowhere").fails("/nowhere", code=127)
    run("exec", "--local", "web", "/www/index.html").fails(code=126)
    run("exec", "--local", "--container=other", "web", "x").fails("other", "app", code=2)


def test_exec_with_a_terminal(story):
    """It has the size of the user's from the first, and a name in the container; Ctrl-C is the program's."""
    story.service()
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    script = "trap 'echo interrupted' INT; stty size; tty; (exec < /dev/tty) && echo a terminal; until read x; do :; done; echo got $x; exit 5"
    process = story.local.run.start("exec", "--local", "-it", "web", "/usr/bin/busybox", "sh", "-c", script, stdin=slave, stdout=slave,
                                    stderr=subprocess.STDOUT)
    os.close(slave)
    seen = b""
    while b"got word" not in seen:
        assert select.select([master], [], [], 20)[0], seen
        seen += os.read(master, 4096)
        if b"a terminal" in seen and b"word" not in seen:
            os.write(master, b"\x03word\n")
    assert process.wait(20) == 5
    assert re.match(rb"33 77\r\n/dev/pts/\d+\r\na terminal\r\n", seen), seen
    assert b"interrupted" in seen
    os.close(master)
    alone = story.local.run("exec", "--local", "-t", "web", "/usr/bin/busybox", "tty").ok().out
    assert re.fullmatch(r"/dev/pts/\d+\r\n", alone), alone
    story.local.run("exec", "--local", "-t", "web", "/nowhere").fails("/nowhere", code=127)


def test_rootless_deploy(slipway_user, context, tiny):
    from helpers.local_target import LocalTarget

    local = LocalTarget(slipway_user)
    try:
        made = context({"Dockerfile": DOCKERFILE, "index.html": "rootless"})
        slipway_user.give(made, recursive=True)
        done = slipway_user("deploy", "--local", "--name=app", "--service=web", "--json", "--build-context", f"tiny=oci-layout:{tiny}", made).ok()
        assert get(json.loads(done.out)["urls"][0]) == "rootless"
    finally:
        local.stop()

"""slipway logs: of a task, of a service, followed; and what it leaves of terminal sequences."""
import os
import pathlib
import pty
import re
import signal
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
pytest.importorskip("botocore")
from fakes.aws_cloud import faults, scenarios  # noqa: E402


def test_of_a_task_by_its_ways_to_be_named(slipway, running):
    running.define()
    task = running.run()
    running.write(task, "second", "third\twith a tab")
    arn = next(iter(running.tasks()))
    for word in (task, task[:12], task[:1], arn, "web"):
        assert slipway("logs", word).ok().out == "listening on port 3000\nsecond\nthird\twith a tab\n"


def test_group_and_stream_come_from_the_task_definition(slipway, cloud, running):
    cloud.logs.create_log_group({"logGroupName": "elsewhere"})
    container = running.container()
    container["logConfiguration"]["options"].update({"awslogs-group": "elsewhere", "awslogs-stream-prefix": "odd/prefix"})
    running.define("web", container)
    task = running.run()
    assert slipway("logs", task).ok().out == "listening on port 3000\n"
    assert cloud.of("GetLogEvents")[0]["logGroupName"] == "elsewhere"
    assert cloud.of("GetLogEvents")[0]["logStreamName"] == f"odd/prefix/web/{task}"


def test_several_containers_are_told_apart_and_in_the_order_of_time(slipway, cloud, running):
    running.define("web", running.container(), running.container("sidecar", essential=False))
    task = running.run()
    cloud.clock.advance(5)
    running.write(task, "from beside", container="sidecar")
    cloud.clock.advance(5)
    running.write(task, "two\nlines")
    assert slipway("logs", task).ok().out == ("web     | listening on port 3000\nsidecar | from beside\n"
                                            "web     | two\nweb     | lines\n")
    assert slipway("logs", "--container", "sidecar", task).ok().out == "from beside\n"
    assert slipway("logs", "--no-log-prefix", task).ok().out.splitlines()[0] == "listening on port 3000"
    slipway("logs", "--container", "other", task).fails("web, sidecar", code=2)


def test_of_a_service_are_those_of_all_its_tasks(slipway, cloud, running):
    running.define()
    tasks = running.service(count=2)
    for task in tasks:
        running.write(task, f"hello of {task[-4:]}")
    out = slipway("logs", "--since", "24h", "web").ok().out
    assert len(out.splitlines()) == 4
    for task in tasks:
        assert f"web/{task.rpartition('/')[2][:12]} | hello of {task[-4:]}\n" in out
    assert cloud.of("FilterLogEvents")[0]["logStreamNamePrefix"] == "run/web/"
    assert re.fullmatch(r"(web/\w{12} \| \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*Z .*\n){4}", slipway("logs", "-t", "web").ok().out)


def test_pages_empty_ones_and_more_than_one(slipway, cloud, running, monkeypatch):
    """GetLogEvents gives pages that are empty in the middle of a stream; its end is a token that repeats."""
    running.define()
    task = running.run()
    running.write(task, *[f"line {i}" for i in range(7)])
    real, asked = cloud.logs.get_log_events, []

    def paged(p):
        asked.append(p)
        token = p.get("nextToken", "")
        if token.startswith("empty/"):
            return real({**p, "nextToken": token.removeprefix("empty/"), "limit": 3})
        answer = real({**p, "limit": 3})
        if answer["nextForwardToken"] != token:
            answer["nextForwardToken"] = "empty/" + answer["nextForwardToken"]
        return answer if token.startswith("f/") or not token else {**answer, "events": []}

    monkeypatch.setattr(cloud.logs, "get_log_events", lambda p: paged(p))
    assert slipway("logs", task).ok().out.splitlines() == ["listening on port 3000"] + [f"line {i}" for i in range(7)]


def test_tail(slipway, cloud, running):
    running.define()
    task = running.run()
    running.write(task, *[f"line {i}" for i in range(30)])
    assert slipway("logs", "--tail", "3", task).ok().out == "line 27\nline 28\nline 29\n"
    assert len(slipway("logs", "-n", "500", task).ok().out.splitlines()) == 31
    assert len(slipway("logs", "--tail", "all", task).ok().out.splitlines()) == 31
    for wrong in ("0", "-1", "many", "10001"):
        slipway("logs", f"--tail={wrong}", task).fails("--tail", code=2)
    assert cloud.of("GetLogEvents")[0]["limit"] == 3


def test_tail_of_pages_that_hold_less_than_was_asked_for(slipway, cloud, running, monkeypatch):
    """Pages end by size, too: the lines before come with the token that leads backward."""
    running.define()
    task = running.run()
    running.write(task, *[f"line {i}" for i in range(30)])
    real = cloud.logs.get_log_events
    monkeypatch.setattr(cloud.logs, "get_log_events", lambda p: real({**p, "limit": min(p["limit"], 4)}))
    assert slipway("logs", "--tail", "10", task).ok().out == "".join(f"line {i}\n" for i in range(20, 30))
    assert len(slipway("logs", "--tail", "100", task).ok().out.splitlines()) == 31


def test_a_reader_that_has_enough_is_no_error(slipway, cloud, running):
    running.define()
    task = running.run()
    running.write(task, *["x" * 200] * 5000)
    process = slipway.start("logs", task)
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b"" and process.wait(20) == 128 + signal.SIGPIPE


def test_since(slipway, cloud, running):
    running.define()
    task = running.run()
    cloud.clock.advance(7200)
    running.write(task, "late")
    since = int(cloud.clock.now().timestamp()) - 60
    assert slipway("logs", "--since", str(since), task).ok().out == "late\n"
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since))
    assert slipway("logs", "--since", stamp, task).ok().out == "late\n"
    slipway("logs", "--since", "yesterday", task).fails("--since", code=2)


def test_follow_a_task_to_its_end(slipway, cloud, running):
    cloud.ecs.script({1: scenarios.Done(after=40)})
    running.define()
    task = running.run(seconds=8)
    cloud.on("GetLogEvents", lambda: running.write(task, "another line"), after=3)
    result = slipway("logs", "-f", task).ok()
    assert result.out == "migrated 3 tables\nanother line\n"
    assert cloud.ecs.tasks[cloud.arn("ecs", f"task/default/{task}")].data["lastStatus"] == "STOPPED"


def test_follow_a_service_tells_nothing_twice(slipway, cloud, running):
    """Lines of the last 10 s are asked for again, since streams arrive out of order."""
    running.define()
    task = running.service()[0]
    for i in range(40):
        cloud.on("FilterLogEvents", lambda i=i: running.write(task, f"line {i}"), after=i)
    process = slipway.start("logs", "-f", "--no-log-prefix", "web")
    lines = [process.stdout.readline().decode().strip() for _ in range(41)]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert lines == ["listening on port 3000"] + [f"line {i}" for i in range(40)]
    assert (process.returncode, out, err) == (130, b"", b"")


def test_follow_of_a_silent_service_does_not_search_its_past_for_ever(slipway, cloud, running):
    running.define()
    running.service()
    cloud.logs.groups["/ecs/web"]["streams"].clear()
    process = slipway.start("logs", "-f", "--since", "48h", "web")
    while len(cloud.of("FilterLogEvents")) < 3:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    first, second = (p["startTime"] / 1000 for p in cloud.of("FilterLogEvents")[:2])
    assert abs(time.time() - 48 * 3600 - first) < 60
    assert abs(time.time() - 15 * 60 - second) < 60


def test_follow_outlives_throttling_and_lost_answers(slipway, cloud, running):
    cloud.ecs.script({1: scenarios.Done(after=40)})
    running.define()
    task = running.run(seconds=8)
    cloud.fault("GetLogEvents", faults.throttled(), times=3)
    cloud.fault("DescribeTasks", faults.Lost(), times=1, after=1)
    assert slipway("logs", "-f", task).ok().out == "migrated 3 tables\n"


def test_what_is_not_there(slipway, cloud, running):
    running.define()
    running.service("shop")
    task = running.run()
    slipway("logs", "blog").fails("there is no task or service blog", "services there: shop", f"{task[:12]} (web:1)")
    slipway("logs", "--cluster", "test", "shop").fails("no cluster test", "there are: default")
    silent = running.run()
    cloud.logs.groups.clear()
    assert slipway("logs", silent).ok().out == ""
    assert "the log group /ecs/web does not exist" in slipway("logs", "shop").ok().err
    first = {t.rpartition("/")[2][0] for t in running.tasks()}
    if len(first) < len(running.tasks()):
        double = max(first, key=[t.rpartition("/")[2][0] for t in running.tasks()].count)
        slipway("logs", double).fails("the beginning of several tasks", code=2)


def test_lines_give_no_orders_to_githubs_runner(slipway, running):
    """Workflow commands begin a line, also after blanks; the runner takes a carriage return for the end of one."""
    running.define()
    task = running.run()
    running.write(task, "::error::mine", "  ::add-mask::x", "##[group]x", "fine\r::stop-commands::t", "a::b")
    plain = slipway("logs", "--tail", "5", task).ok().out
    assert plain == "::error::mine\n  ::add-mask::x\n##[group]x\nfine\r::stop-commands::t\na::b\n"
    slipway.env["GITHUB_ACTIONS"] = "true"
    assert slipway("logs", "--tail", "5", task).ok().out.splitlines() == [
        "| ::error::mine", "|   ::add-mask::x", "| ##[group]x", r"fine\x0d::stop-commands::t", "a::b"]


def test_other_log_drivers_are_said(slipway, running):
    running.define("web", running.container(logConfiguration={"logDriver": "awsfirelens"}))
    slipway("logs", running.run()).fails("awsfirelens", "awslogs")


def test_not_permitted_is_5(slipway, cloud, running):
    running.define()
    task = running.run()
    cloud.deny("logs:GetLogEvents")
    slipway("logs", task).fails("logs:GetLogEvents", "/ecs/web", code=5)


@pytest.mark.parametrize("line, shown", [
    ("\x1b[1;31mred\x1b[0m plain", "\x1b[1;31mred\x1b[0m plain\x1b[0m"),
    ("\x1b]0;title\x07x", r"\x1b]0;title\x07x"),
    ("\x1b[2Jgone", r"\x1b[2Jgone"),
    ("a\x1b[38:5:1mb", "a\x1b[38:5:1mb\x1b[0m"),
    ("50%\r100%\r", r"50%\x0d100%"),
    ("nul\x00byte", r"nul\x00byte"),
    ("\x9b31m", r"\xc2\x9b31m"),
    ("\x1b[", r"\x1b["),
])
def test_a_terminal_is_safe_from_lines(slipway, cloud, running, line, shown):
    cloud.ecs.script({1: scenarios.Fine(logs=())})
    running.define()
    task = running.run()
    running.write(task, line)
    assert slipway("logs", task).ok().raw == line.encode() + b"\n"
    master, slave = pty.openpty()
    process = slipway.start("logs", task, stdout=slave)
    assert process.wait(20) == 0
    os.close(slave)
    out = os.read(master, 4096).decode().replace("\r\n", "\n")
    os.close(master)
    assert out == shown + "\n"

"""CloudWatch Logs of the local target by botocore with AWS's models and by the aws command."""
import json
import os
import random
import subprocess
import time

import pytest

from helpers.local_ecs import NETWORK, checked_client, container, definition
from helpers.local_target import aws, aws_program, until

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
HOUR, DAY = 3600_000, 86400_000
GROUP_ARN = "arn:aws:logs:us-east-1:000000000000:log-group:"


def now():
    return int(time.time() * 1000)


@pytest.fixture
def logs(local):
    # What is wrong is to be refused over there.
    return checked_client(local, "logs", parameter_validation=False)


@pytest.fixture
def group(logs):
    logs.create_log_group(logGroupName="/ecs/app")
    return "/ecs/app"


def refused(call, code, *words, **arguments):
    """The call fails with AWS's code and words."""
    with pytest.raises(call.__self__.exceptions.ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code, caught.value
    for word in words:
        assert word in caught.value.response["Error"]["Message"]


def write(logs, group, stream, *texts, start=None, step=1):
    """Events one after the other, the first a minute ago; the stream is made when it is missing."""
    start = now() - 60_000 if start is None else start
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    except logs.exceptions.ResourceAlreadyExistsException:
        pass
    events = [{"timestamp": start + i * step, "message": text} for i, text in enumerate(texts)]
    return logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def messages(answer):
    return [e["message"] for e in answer["events"]]


def test_groups(logs, local):
    logs.create_log_group(logGroupName="/ecs/app", tags={"a": "b"})
    logs.create_log_group(logGroupName="/ecs/other")
    logs.create_log_group(logGroupName="third")
    refused(logs.create_log_group, "ResourceAlreadyExistsException", "already exists", logGroupName="/ecs/app")
    for bad in ("a b", "a:b", "x" * 513):
        refused(logs.create_log_group, "InvalidParameterException", "logGroupName", logGroupName=bad)
    refused(logs.create_log_group, "InvalidParameterException", "KMS", logGroupName="secret", kmsKeyId="arn:aws:kms:us-east-1:0:key/1")
    [app, other] = logs.describe_log_groups(logGroupNamePrefix="/ecs/")["logGroups"]
    assert app["logGroupName"] == "/ecs/app" and other["logGroupName"] == "/ecs/other"
    assert app["arn"] == GROUP_ARN + "/ecs/app:*" and app["logGroupArn"] == GROUP_ARN + "/ecs/app"
    assert abs(app["creationTime"] - now()) < 60_000 and app["storedBytes"] == 0 and "retentionInDays" not in app
    assert [g["logGroupName"] for g in logs.describe_log_groups(logGroupNamePattern="o")["logGroups"]] == ["/ecs/other"]
    pages = logs.get_paginator("describe_log_groups").paginate(PaginationConfig={"PageSize": 2})
    assert [g["logGroupName"] for page in pages for g in page["logGroups"]] == ["/ecs/app", "/ecs/other", "third"]
    local.restart()
    again = local.client("logs")
    assert again.list_tags_for_resource(resourceArn=GROUP_ARN + "/ecs/app:*")["tags"] == {"a": "b"}
    again.delete_log_group(logGroupName="third")
    refused(again.delete_log_group, "ResourceNotFoundException", "The specified log group does not exist", logGroupName="third")
    assert len(again.describe_log_groups()["logGroups"]) == 2


def test_tags(logs, group):
    arn = GROUP_ARN + group
    logs.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    logs.tag_log_group(logGroupName=group, tags={"a": "3"})
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "3", "b": "2"}
    logs.untag_resource(resourceArn=arn, tagKeys=["a", "none"])
    assert logs.list_tags_log_group(logGroupName=group)["tags"] == {"b": "2"}
    logs.untag_log_group(logGroupName=group, tags=["b"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {}
    refused(logs.list_tags_for_resource, "ResourceNotFoundException", resourceArn=arn + "x")
    refused(logs.tag_resource, "TooManyTagsException", resourceArn=arn, tags={f"k{i}": "" for i in range(51)})


def test_streams(logs, group):
    for name in ("b", "a", "empty"):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
    refused(logs.create_log_stream, "ResourceAlreadyExistsException", logGroupName=group, logStreamName="a")
    refused(logs.create_log_stream, "InvalidParameterException", logGroupName=group, logStreamName="a:b")
    refused(logs.create_log_stream, "ResourceNotFoundException", "log group", logGroupName="/none", logStreamName="a")
    start = now() - 5000
    write(logs, group, "a", "1", "2", start=start)
    write(logs, group, "b", "0", start=start - 1000)
    seen = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert [s["logStreamName"] for s in seen] == ["a", "b", "empty"]
    assert (seen[0]["firstEventTimestamp"], seen[0]["lastEventTimestamp"]) == (start, start + 1)
    assert abs(seen[0]["lastIngestionTime"] - now()) < 60_000 and seen[0]["arn"] == f"{GROUP_ARN}{group}:log-stream:a"
    assert "firstEventTimestamp" not in seen[2]

    def names(**options):
        return [s["logStreamName"] for s in logs.describe_log_streams(logGroupName=group, **options)["logStreams"]]

    assert names(orderBy="LastEventTime", descending=True) == ["a", "b", "empty"]
    assert names(orderBy="LastEventTime", descending=True, limit=1) == ["a"]
    assert names(descending=True) == ["empty", "b", "a"] and names(logStreamNamePrefix="e") == ["empty"]
    refused(logs.describe_log_streams, "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.",
            logGroupName=group, logStreamNamePrefix="a", orderBy="LastEventTime")
    by_arn = logs.describe_log_streams(logGroupIdentifier=GROUP_ARN + group, logStreamNamePrefix="a")["logStreams"]
    assert [s["logStreamName"] for s in by_arn] == ["a"]
    logs.delete_log_stream(logGroupName=group, logStreamName="a")
    refused(logs.delete_log_stream, "ResourceNotFoundException", "log stream", logGroupName=group, logStreamName="a")
    assert names() == ["b", "empty"]


def test_what_a_batch_may_be(logs, group):
    put = {"logGroupName": group, "logStreamName": "s"}
    refused(logs.put_log_events, "ResourceNotFoundException", "The specified log stream does not exist.", **put,
            logEvents=[{"timestamp": now(), "message": "x"}])
    logs.create_log_stream(**put)
    answer = logs.put_log_events(**put, logEvents=[{"timestamp": now(), "message": "x"}], sequenceToken="of old days")
    assert answer["nextSequenceToken"] and "rejectedLogEventsInfo" not in answer
    for events, word in (
            ([(5, "b"), (4, "a")], "chronological order"),
            ([(0, "a"), (DAY + 1, "b")], "more than 24 hours"),
            ([(0, "x" * (262144 + 1))], "Log event too large"),
            ([(0, "x" * 262000)] * 4 + [(0, "y" * 600)], "Upload too large")):
        refused(logs.put_log_events, "InvalidParameterException", word, **put,
                logEvents=[{"timestamp": now() - 2 * DAY + at, "message": text} for at, text in events])
    for events in ([], [{"timestamp": now(), "message": ""}]):
        refused(logs.put_log_events, "InvalidParameterException", "validation error", **put, logEvents=events)
    before = now()
    old, new = before - 15 * DAY, before + 3 * HOUR
    answer = logs.put_log_events(**put, logEvents=[{"timestamp": t, "message": m} for t, m in (
        (old, "old"), (old, "old"), (before, "good"), (new, "new"))])
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2, "tooNewLogEventStartIndex": 3}
    assert messages(logs.get_log_events(**put)) == ["x", "good"]
    # The largest batch there may be, of letters of several bytes.
    text = "\N{SNOWMAN}" * 100
    events = [{"timestamp": before, "message": text}] * (1048576 // (300 + 26))
    logs.put_log_events(**put, logEvents=events)
    assert logs.describe_log_groups()["logGroups"][0]["storedBytes"] > 900_000


def test_pages_in_both_directions(logs, group):
    texts = [f"line {i}" for i in range(25)]
    write(logs, group, "s", *texts)
    get = {"logGroupName": group, "logStreamName": "s", "limit": 10}
    # From the head to the end, where the token stays.
    token, seen = {}, []
    while True:
        page = logs.get_log_events(**get, startFromHead=True, **token)
        if token.get("nextToken") == page["nextForwardToken"]:
            break
        seen.append(messages(page))
        token = {"nextToken": page["nextForwardToken"]}
    assert seen == [texts[:10], texts[10:20], texts[20:]] and page["events"] == []
    write(logs, group, "s", "later", start=now())
    assert messages(logs.get_log_events(**get, **token)) == ["later"]
    # From the end to the head.
    page = logs.get_log_events(**get)
    assert messages(page) == [*texts[16:], "later"]
    back = logs.get_log_events(**get, nextToken=page["nextBackwardToken"])
    assert messages(back) == texts[6:16]
    last = logs.get_log_events(**get, nextToken=back["nextBackwardToken"])
    assert messages(last) == texts[:6]
    none = logs.get_log_events(**get, nextToken=last["nextBackwardToken"])
    assert none["events"] == [] and none["nextBackwardToken"] == last["nextBackwardToken"]
    # Forward again from a page in the middle.
    assert messages(logs.get_log_events(**get, nextToken=back["nextForwardToken"])) == [*texts[16:], "later"]
    for bad in ("x", "f/", "f/7", "q/1", "f/99999999999999999999"):
        refused(logs.get_log_events, "InvalidParameterException", "nextToken", **get, nextToken=bad)
    refused(logs.get_log_events, "ResourceNotFoundException", logGroupName=group, logStreamName="none")
    refused(logs.get_log_events, "InvalidParameterException", "between 1 and 10000", **{**get, "limit": 10001})
    empty = write(logs, group, "empty", "x") and logs.get_log_events(logGroupName=group, logStreamName="empty", endTime=1)
    assert empty["events"] == [] and empty["nextForwardToken"].startswith("f/")


def test_times_and_sizes_of_a_page(logs, group):
    start = now() - 10_000
    write(logs, group, "s", *[str(i) for i in range(10)], start=start, step=1000)
    write(logs, group, "s", "late, but early", start=start + 2500)
    get = {"logGroupName": group, "logStreamName": "s"}
    assert messages(logs.get_log_events(**get, startTime=start + 2000, endTime=start + 4000)) == ["2", "late, but early", "3"]
    assert messages(logs.filter_log_events(logGroupName=group, startTime=start + 8000)) == ["8", "9"]
    for _ in range(3):
        write(logs, group, "big", *["y" * 200_000] * 5)
    pages, token = [], {}
    while not pages or pages[-1]:
        page = logs.get_log_events(logGroupName=group, logStreamName="big", startFromHead=True, **token)
        pages.append(len(page["events"]))
        token = {"nextToken": page["nextForwardToken"]}
    assert pages == [5, 5, 5, 0]


def test_streams_are_interleaved(logs, group):
    start, wanted, rand = now() - 3600_000, [], random.Random(7)
    for batch in range(4):
        for stream in ("web/a", "web/b", "job/c"):
            times = sorted(start + rand.randrange(100_000) for _ in range(200))
            events = [{"timestamp": t, "message": f"{stream} {batch} {i} {'odd' if i % 2 else 'even'}"} for i, t in enumerate(times)]
            if batch == 0:
                logs.create_log_stream(logGroupName=group, logStreamName=stream)
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
            wanted += [(e["timestamp"], stream, e["message"]) for e in events]
    wanted.sort(key=lambda e: e[:2])

    def all_pages(size, **options):
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, PaginationConfig={"PageSize": size}, **options)
        return [e for page in pages for e in page["events"]]

    seen = all_pages(70)
    assert [(e["timestamp"], e["logStreamName"]) for e in seen] == [e[:2] for e in wanted]
    assert sorted(e["message"] for e in seen) == sorted(e[2] for e in wanted)
    assert len({e["eventId"] for e in seen}) == len(wanted) and all(len(e["eventId"]) == 56 for e in seen)
    assert [e["eventId"] for e in all_pages(1000)] == [e["eventId"] for e in seen]
    assert {e["logStreamName"] for e in all_pages(500, logStreamNamePrefix="web/")} == {"web/a", "web/b"}
    assert len(all_pages(500, logStreamNames=["job/c"], filterPattern="odd")) == 400
    newest = logs.filter_log_events(logGroupName=group, limit=10, startFromHead=False)["events"] if newest_first(logs) else None
    assert newest is None or [e["timestamp"] for e in newest] == [e[0] for e in wanted[:-11:-1]]
    refused(logs.filter_log_events, "ResourceNotFoundException", logGroupName=group, logStreamNames=["none"])
    refused(logs.filter_log_events, "InvalidParameterException", logGroupName=group, logStreamNames=["web/a"], logStreamNamePrefix="w")
    refused(logs.filter_log_events, "InvalidParameterException", "nextToken", logGroupName=group, nextToken="x")


def newest_first(logs):
    """Older models of AWS's do not have it."""
    return "startFromHead" in logs.meta.service_model.operation_model("FilterLogEvents").input_shape.members


LINES = ["ERROR disk full", "WARN disk slow", "INFO all good", "GET /a.html 200", 'say "no" now']


# AWS's documentation of the filter pattern syntax: which of the lines each fits.
@pytest.mark.parametrize("pattern, wanted", [
    ("", LINES), ("disk", LINES[:2]), ("disk ERROR", LINES[:1]), ("error", []), ('"/a.html"', LINES[3:4]),
    ('"disk slow"', LINES[1:2]), ('"slow disk"', []), ("?ERROR ?WARN", LINES[:2]), ("disk -ERROR", LINES[1:2]),
    ("-disk", LINES[2:]), ('-"disk full"', LINES[1:]), (r'"\"no\""', LINES[4:]), ('?"all good" ?full', [LINES[0], LINES[2]]),
    ("disk ?ERROR ?good", LINES[:2])])
def test_filter_patterns(logs, group, pattern, wanted):
    write(logs, group, "s", *LINES)
    assert messages(logs.filter_log_events(logGroupName=group, filterPattern=pattern)) == wanted


@pytest.mark.parametrize("pattern, word", [
    ('{ $.level = "error" }', "JSON"), ("[ip, user]", "columns"), ("%ERR.*%", "regular expressions"), ("a.b", "Invalid character"),
    ('"open', "no end"), ("word -other a.b", "Invalid character"), ('"a"b', "space is missing"), ("-", "Invalid character")])
def test_patterns_that_are_refused(logs, group, pattern, word):
    refused(logs.filter_log_events, "InvalidParameterException", word, logGroupName=group, filterPattern=pattern)


def test_retention(logs, local, group):
    start = now() - 4 * DAY
    write(logs, group, "s", *["old"] * 3, start=start)
    write(logs, group, "s", "new")
    write(logs, group, "t", "old too", start=start)
    size = logs.describe_log_groups()["logGroups"][0]["storedBytes"]
    refused(logs.put_retention_policy, "InvalidParameterException", "retentionInDays", logGroupName=group, retentionInDays=2)
    logs.put_retention_policy(logGroupName=group, retentionInDays=3)
    [seen] = logs.describe_log_groups()["logGroups"]
    assert seen["retentionInDays"] == 3 and 0 < seen["storedBytes"] < size / 2
    assert messages(logs.filter_log_events(logGroupName=group)) == ["new"]
    answer = write(logs, group, "s", "gone", "kept", start=start, step=2 * DAY // 1)
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    logs.delete_retention_policy(logGroupName=group)
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]
    local.restart()
    assert sorted(messages(local.client("logs").filter_log_events(logGroupName=group))) == ["kept", "new"]


def test_events_outlive_a_kill(logs, local, group):
    write(logs, group, "s", "one", "two")
    page = logs.get_log_events(logGroupName=group, logStreamName="s", startFromHead=True, limit=1)
    local.kill()
    local.start()
    again = local.client("logs")
    assert messages(again.get_log_events(logGroupName=group, logStreamName="s", nextToken=page["nextForwardToken"])) == ["two"]


def test_the_aws_command(local):
    aws(local, "logs", "create-log-group", "--log-group-name", "/ecs/app")
    aws(local, "logs", "create-log-stream", "--log-group-name", "/ecs/app", "--log-stream-name", "web/1")
    at = now() - 1000
    aws(local, "logs", "put-log-events", "--log-group-name", "/ecs/app", "--log-stream-name", "web/1", "--log-events",
        f"timestamp={at},message=hello", f"timestamp={at + 1},message=world")
    seen = aws(local, "logs", "get-log-events", "--log-group-name", "/ecs/app", "--log-stream-name", "web/1")
    assert messages(seen) == ["hello", "world"]
    tail = aws(local, "logs", "tail", "/ecs/app", "--since", "1h", text=True).splitlines()
    assert [line.split(" ", 1)[1] for line in tail] == ["web/1 hello", "web/1 world"]


def test_tail_follows(local, logs, group, folder):
    write(logs, group, "web/1", "first")
    env = {**local.keys, "PATH": os.environ["PATH"], "HOME": str(folder), "AWS_PAGER": "", "PYTHONUNBUFFERED": "1"}
    out = folder / "tail"
    command = [aws_program(), "--endpoint-url", local.url, "logs", "tail", group, "--follow", "--since", "1h"]
    with open(out, "wb") as file, subprocess.Popen(command, env=env, stdout=file) as tail:
        try:
            until(lambda: "first" in out.read_text(), what="the first line")
            write(logs, group, "web/2", "second", start=now())
            until(lambda: "web/2 second" in out.read_text(), what="a line that came later")
        finally:
            tail.terminate()
            tail.wait(20)
    assert out.read_text().count("first") == 1


def test_lines_of_a_task(local, logs, build):
    """The group is made where awslogs-create-group says so; both outputs come, in the order in which they were written."""
    build("FROM tiny\n", None, "-t", "app")
    ecs = local.client("ecs")
    ecs.create_cluster(clusterName="default")
    role = local.client("iam").create_role(RoleName="ecsTaskExecutionRole", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    options = {"awslogs-group": "/made/by/task", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "run", "awslogs-create-group": "true"}
    ecs.register_task_definition(executionRoleArn=role, **definition("app", [container(
        image="app", command=["sh", "-c", "echo one; sleep 1; echo two >&2; sleep 1; echo three"], portMappings=[],
        logConfiguration={"logDriver": "awslogs", "options": options})]))
    task = ecs.run_task(taskDefinition="app", launchType="FARGATE", networkConfiguration=NETWORK)["tasks"][0]["taskArn"]
    until(lambda: ecs.describe_tasks(tasks=[task])["tasks"][0]["lastStatus"] == "STOPPED", what="the task has ended")
    stream = f"run/web/{task.rpartition('/')[2]}"
    assert messages(logs.get_log_events(logGroupName="/made/by/task", logStreamName=stream, startFromHead=True)) == ["one", "two", "three"]
    lines = aws(local, "logs", "tail", "/made/by/task", "--since", "1h", text=True).splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [f"{stream} one", f"{stream} two", f"{stream} three"]

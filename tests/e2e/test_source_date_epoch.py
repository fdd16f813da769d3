"""SOURCE_DATE_EPOCH where it is no number: the time of the context, of a named context, of a stage that is one ADD.

BuildKit's docs/build-repro.md: a git context has its commit's time, an HTTP one Last-Modified, or without that the newest time in
the tar; a local one leaves it unset.
"""
import json
import time

import pytest

from helpers.git import GitWeb, Repository
from helpers.images import entry, make_tar, read_layout
from helpers.web import Web

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"  # RFC 9110's example: 784111777
TEXT = "FROM tiny\nARG SOURCE_DATE_EPOCH\nRUN echo \"${SOURCE_DATE_EPOCH-unset}\" > /seen\nWORKDIR /made\n"


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@pytest.fixture
def repository(folder):
    made = Repository(folder / "served", "app")
    made.commit({"Dockerfile": TEXT, "sub/Dockerfile": TEXT})
    return made


@pytest.fixture
def check(slipway, build):
    """Builds and says that the image is of this time: in config, history, made folders, and in what RUN saw."""
    def run(context, seconds, *options, value="context", **more):
        slipway.build(context, "-t", "x", *build.options, "--build-arg", f"SOURCE_DATE_EPOCH={value}", *options, **more).ok()
        image = read_layout(slipway.root, "x:latest").verify()
        own = [h for h in image.config["history"] if h.get("comment") == "buildkit.dockerfile.v0"]
        assert image.config["created"] == stamp(seconds) and {h["created"] for h in own} == {stamp(seconds)}
        tree = image.tree()
        assert tree["made"].mtime == seconds and tree.text("seen") == f"{seconds}\n"
        assert f"SOURCE_DATE_EPOCH={seconds}" in str(own)
        return image
    return run


def commit_time(repository):
    return int(repository("log", "-1", "--format=%ct").strip())


def test_of_a_git_context(check, repository, folder, build):
    with GitWeb(folder / "served") as web:
        seconds = commit_time(repository)
        assert abs(seconds - time.time()) > 60, "the clock must not pass for the commit"
        check(f"{web.url}/app.git", seconds)
        check(f"{web.url}/app.git#main:sub", seconds)
        check(f"{web.url}/app.git?mtime=checkout", seconds)


def test_of_the_environment(slipway, build, repository, folder):
    with GitWeb(folder / "served") as web:
        slipway.build(f"{web.url}/app.git", "-t", "x", *build.options, env={"SOURCE_DATE_EPOCH": "context"}).ok()
    assert read_layout(slipway.root, "x:latest").config["created"] == stamp(commit_time(repository))


def test_of_a_tar(check):
    tar = make_tar([entry("old", data=b"", mtime=1000), entry("Dockerfile", data=TEXT.encode(), mtime=700000000),
                    entry("d", "dir", mtime=5)])
    with Web({"/c": (200, {"Last-Modified": DATE}, tar), "/none": tar}) as web:
        check(f"{web.url}/c", 784111777)
        check(f"{web.url}/none", 700000000)
    check("-", 700000000, stdin=tar)


def test_of_a_folder_nothing_is_set(slipway, build):
    """Its times are whatever the checkout made of them."""
    built = build(TEXT, {"f": ""}, "--build-arg", "SOURCE_DATE_EPOCH=context")
    assert "a folder has no time of its own" in built.result.err
    assert built.tree["made"].mtime == 315532800 and abs(time.time() - time.mktime(time.strptime(
        built.document["created"][:19], "%Y-%m-%dT%H:%M:%S")) + time.timezone) < 600
    same = build(TEXT, {"f": ""}, "--build-arg", "SOURCE_DATE_EPOCH=ctx", "--build-context", f"ctx={build.last}")
    assert "SOURCE_DATE_EPOCH=ctx" in same.result.err and same.tree["made"].mtime == 315532800


def test_of_a_named_context(check, build, repository, folder):
    top = build.context({"Dockerfile": TEXT})
    tar = make_tar([entry("f", data=b"", mtime=1234)])
    with GitWeb(folder / "served") as git, Web({"/c": (200, {"Last-Modified": DATE}, b"x"), "/tar": tar}) as web:
        for source, seconds in ((f"{git.url}/app.git", commit_time(repository)), (f"{web.url}/c", 784111777), (f"{web.url}/tar", 1234)):
            check(top, seconds, "--build-context", f"src={source}", value="src")


def test_of_a_stage(check, build, repository, folder):
    """FROM scratch and one ADD: a release that is fetched gives the image its time, whether or not the target needs the stage."""
    with GitWeb(folder / "served") as git, Web({"/v1/f": (200, {"Last-Modified": DATE}, b"x"), "/no": b"x"}) as web:
        stages = (f"ARG BASE={web.url}\nFROM scratch AS Fetched\nARG BASE\nARG V=v1\nENV NAME=f\nADD $BASE/$V/$NAME /\n"
                  f"FROM scratch AS cloned\nADD {git.url}/app.git /\n")
        top = build.context({"Dockerfile": stages + TEXT + "COPY --from=fetched / /\n"})
        check(top, 784111777, value="fetched")
        check(top, 784111777, "--build-context", "other=target:fetched", value="other")
        check(top, commit_time(repository), value="cloned")
        # As the default of a global ARG.
        text = "ARG SOURCE_DATE_EPOCH=fetched\nARG SHOWN=at-$SOURCE_DATE_EPOCH\n" + stages + TEXT + "ARG SHOWN\nLABEL shown=$SHOWN\n"
        built = build(text, {})
        assert built.document["created"] == stamp(784111777) and built.text("/seen") == "784111777\n"
        assert built.config["Labels"]["shown"] == "at-784111777"
        option = ("--build-arg", "SOURCE_DATE_EPOCH=s")
        for body in ("COPY f /\n", f"ADD {web.url}/v1/f /\nRUN true\n", f"ADD {web.url}/v1/f {web.url}/v1/f /\n", "ADD f /\n",
                     "", "ADD <<x /f\nx\n", f"ADD {web.url}/no /\n"):
            build.fails(f"FROM scratch AS s\n{body}FROM scratch\nCOPY f /\n", "invalid SOURCE_DATE_EPOCH: s", files={"f": ""},
                        options=option, code=2)
        build.fails(f"FROM tiny AS s\nADD {web.url}/v1/f /\n", "invalid SOURCE_DATE_EPOCH: s", options=option, code=2)
        build.fails(f"FROM scratch AS s\nADD {web.url}/missing /\n", "404", "Dockerfile:2", options=option)


def test_what_has_no_time(build, slipway):
    for value, words in (("soon", "number of seconds"), ("-1", "number"), ("1.5", "number"), ("tiny", "is an image")):
        build.fails("FROM scratch\nLABEL a=b\n", f"invalid SOURCE_DATE_EPOCH: {value}", words,
                    options=("--build-arg", f"SOURCE_DATE_EPOCH={value}"), code=2)
    with Web({"/D": b"FROM scratch\nLABEL a=b\n"}) as web:
        slipway.build(f"{web.url}/D", "--build-arg", "SOURCE_DATE_EPOCH=context").fails("nothing tells the time", code=2)


def test_timestamp_goes_before_it(slipway, build, repository, folder):
    """--timestamp is the image's time; what RUN sees is the number that was meant."""
    with GitWeb(folder / "served") as web:
        slipway.build(f"{web.url}/app.git", "-t", "x", *build.options, "--build-arg", "SOURCE_DATE_EPOCH=context", "--timestamp", "5").ok()
    image = read_layout(slipway.root, "x:latest")
    assert image.config["created"] == stamp(5) and image.tree().text("seen") == f"{commit_time(repository)}\n"
    assert "context" not in json.dumps(image.config["history"])

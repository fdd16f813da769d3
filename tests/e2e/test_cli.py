"""The commands around builds: usage, images, tag, inspect, history, rmi, prune, df, fsck."""
import json
import re

import pytest

from helpers.images import read_layout

COMMANDS = ["build", "push", "pull", "tag", "images", "inspect", "history", "rmi", "save", "load", "login", "logout",
            "run", "registry", "doctor", "prune", "df", "fsck", "version"]


@pytest.fixture
def app(slipway, build):
    build("FROM tiny\nLABEL a=1\nCOPY f /f\nCMD [\"x\"]\n", {"f": "f"}, "-t", "app:1")
    return "app:1"


def test_help(slipway):
    for arguments in ([], ["--help"], ["-h"], ["help"]):
        shown = slipway(*arguments)
        assert shown.code in (0, 2) and all(f"  {c}" in shown.out + shown.err for c in COMMANDS), str(shown)
    for command in COMMANDS:
        shown = slipway(command, "--help").ok()
        assert f"slipway {command}" in shown.out
    assert re.fullmatch(r"slipway version \d+\.\d+\.\d+, (static|dynamic)\n", slipway("version").ok().out)
    assert slipway("--version").ok().out == slipway("version").out


@pytest.mark.parametrize("arguments, words", [
    (["biuld", "."], ["biuld", "build"]), (["build"], ["context"]), (["build", ".", "."], []),
    (["build", "--tga", "x", "."], ["--tga", "--tag"]), (["build", "-t"], ["-t"]), (["build", "-t", "UpperCase", "."], ["UpperCase"]),
    (["build", "--platform", "what", "."], ["what"]), (["build", "--progress", "loud", "."], ["loud"]),
    (["build", "--output", "type=floppy", "."], ["floppy"]), (["build", "--secret", "src=x", "."], ["id"]),
    (["tag", "one"], []), (["push"], []), (["images", "--what"], ["--what"]), (["run"], []), (["login", "--password-stdin"], []),
    (["build", "--timestamp", "soon", "."], ["soon"]), (["run", "-p", "99999:1", "x"], ["99999"]),
])
def test_wrong_usage(slipway, context, arguments, words):
    # run ends as docker run does: 125 tells slipway's own failure from the command's.
    code = 125 if arguments[0] == "run" else 2
    slipway(*arguments, cwd=context({"Dockerfile": "FROM scratch\nLABEL a=1\n"})).fails(*words, code=code)


@pytest.mark.parametrize("arguments, words", [
    (["build", "/no/such/folder"], ["/no/such/folder"]), (["build", "-f", "nope", "."], ["nope"]),
    (["tag", "none:1", "x:1"], ["none:1"]), (["inspect", "none:1"], ["none:1"]), (["history", "none:1"], ["none:1"]),
    (["rmi", "none:1"], ["none:1"]), (["save", "none:1"], ["none:1"]), (["load", "-i", "/no/file"], ["/no/file"]),
    (["build", "--secret", "id=a,src=/no/file", "."], ["/no/file"]),
    (["build", "--build-context", "a=/no/folder", "."], ["/no/folder"]),
])
def test_things_that_are_not_there(slipway, context, arguments, words):
    slipway(*arguments, cwd=context({"Dockerfile": "FROM scratch\nCOPY --from=a x /x\n"})).fails(*words)


def test_garbage_for_load(slipway, folder):
    (folder / "garbage").write_bytes(b"not an archive" * 1000)
    slipway("load", "-i", folder / "garbage").fails("garbage")
    slipway("load", stdin=b"").fails()


def test_images_tag_rmi(slipway, app):
    slipway("tag", app, "other/name:2").ok()
    shown = slipway("images").ok().out
    assert re.search(r"^app\s+1\s", shown, re.M) and re.search(r"^other/name\s+2\s", shown, re.M)
    digest = read_layout(slipway.root, app).descriptor["digest"]
    assert digest in slipway("images", "--digests", "--no-trunc").ok().out
    ids = slipway("images", "-q").ok().out.split()
    assert len(set(ids)) == 1
    slipway("rmi", app).ok()
    assert "other/name" in slipway("images").out and not re.search(r"^app\s", slipway("images").out, re.M)
    read_layout(slipway.root, "other/name:2").verify()
    slipway("rmi", "-f", ids[0]).ok()
    assert "other/name" not in slipway("images").out


def test_inspect_and_history(slipway, app):
    shown = json.loads(slipway("inspect", app).ok().out)[0]
    image = read_layout(slipway.root, app)
    assert shown["Config"]["Labels"] == {"a": "1"} and shown["Config"]["Cmd"] == ["x"]
    assert shown["RootFS"]["Layers"] == image.config["rootfs"]["diff_ids"]
    assert shown["Architecture"] == image.config["architecture"] and shown["Os"] == "linux"
    assert app in shown["RepoTags"]
    history = slipway("history", app).ok().out
    assert "COPY f /f" in history and "LABEL a=1" in history


def test_prune_df_fsck(slipway, app, build):
    (build.last / "f").write_text("changed")
    slipway.build(build.last, "-t", app, *build.options).ok()
    kept = read_layout(slipway.root, app)
    slipway("df").ok()
    slipway("rmi", "t1:latest").ok()
    before = len(list((slipway.root / "blobs/sha256").iterdir()))
    slipway("prune", "--all", "--force", "--grace", "0s").ok()
    after = list((slipway.root / "blobs/sha256").iterdir())
    assert len(after) < before
    kept.verify()
    needed = {layer["digest"][7:] for layer in kept.layers} | {kept.descriptor["digest"][7:],
                                                               kept.manifest["config"]["digest"][7:]}
    assert needed <= {p.name for p in after}
    slipway("fsck").ok()
    for index in (slipway.root / "meta/index").iterdir():
        index.chmod(0o600)
        index.write_bytes(index.read_bytes()[:-1])
    said = slipway("fsck").fails("the index of a layer is damaged")
    assert all(f"layer {layer['digest']}: the index" in said.out + said.err for layer in kept.layers), str(said)
    slipway("fsck", "--repair")
    slipway("fsck").ok()
    victim = kept.blob(kept.layers[-1]["digest"])
    victim.chmod(0o600)
    victim.write_bytes(b"damaged")
    slipway("fsck").fails(kept.layers[-1]["digest"][7:19])
    slipway("fsck", "--repair")
    slipway.unfinished_allowed = True
    slipway.build(build.last, "-t", app, *build.options).ok()
    slipway("fsck").ok()


def test_progress_kinds(slipway, build):
    text = "FROM tiny\nRUN echo from-the-step\n"
    top = build.context({"Dockerfile": text})
    plain = slipway.build(top, "--no-cache", "-t", "p:1", "--progress", "plain", *build.options).ok()
    assert "from-the-step" in plain.out + plain.err and "RUN echo" in plain.out + plain.err
    assert "\x1b" not in plain.out + plain.err
    quiet = slipway.build(top, "--no-cache", "-q", "-t", "p:1", *build.options).ok()
    assert quiet.err == "" and re.fullmatch(r"sha256:[0-9a-f]{64}\n", quiet.out)
    lines = slipway.build(top, "--no-cache", "-t", "p:1", "--progress", "json", *build.options).ok()
    events = [json.loads(line) for line in (lines.out + lines.err).splitlines() if line.startswith("{")]
    assert "from-the-step" in json.dumps(events)
    failing = build.context({"Dockerfile": "FROM tiny\nRUN echo before; exit 3\n"})
    slipway.build(failing, "-q", *build.options).fails("before", "exit code: 3", "Dockerfile:2")


def test_state_folder_is_private(slipway, app):
    assert slipway.root.stat().st_mode & 0o777 == 0o700

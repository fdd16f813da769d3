"""--cache-to type=local: the folder is shared by builds that know nothing of each other, and some of them die."""
import os
import re
import subprocess
import time

import pytest

from helpers.images import read_layout

TEXT = "FROM tiny\nCOPY f /f\nRUN head -c 3000000 /dev/urandom > /random\n"


@pytest.fixture
def run(build):
    """run(slipway, options) builds with them; run(slipway, options, start=...) gives that the arguments."""
    def run_(slipway, *options, files=None, start=None):
        top = build.context({"Dockerfile": TEXT, "f": "content", **(files or {})})
        arguments = ["build", "-t", "app:1", "--progress", "plain", *build.options, *options, top]
        return start(*arguments) if start else slipway(*arguments)
    return run_


def temporary(folder):
    return [p for p in folder.rglob("*") if p.name.startswith(".tmp-")]


def test_builds_of_equal_process_id(slipway, run, folder):
    """In containers all of them have the same: the names of files in the making do not clash."""
    to = f"type=local,dest={folder}/cache,mode=max,ignore-error=false"
    running = []
    for _ in range(3):
        other = slipway.other()
        running.append(run(other, "--cache-to", to, start=lambda *arguments, s=other: subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", s.binary, *map(str, arguments)], env=s.env,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)))
    for process in running:
        err = process.communicate(timeout=120)[1]
        assert process.returncode == 0, err
    read_layout(folder / "cache", "latest").verify()
    assert not temporary(folder / "cache")


def test_a_folder_of_something_else_is_left_alone(slipway, run, folder):
    mine = folder / "project"
    mine.mkdir()
    (mine / "index.json").write_text('{"name":"my-app"}')
    said = run(slipway, "--cache-to", f"type=local,dest={mine}").ok()
    assert "was not written" in said.err and "is not an OCI layout" in said.err
    assert os.listdir(mine) == ["index.json"]


@pytest.mark.parametrize("pause", [0.02, 0.1, 0.3])
def test_killed_exports(slipway, run, folder, pause):
    where = folder / "cache"
    to = f"type=local,dest={where},mode=max,ignore-error=false"
    files = {"f": os.urandom(30 << 20)}
    process = run(slipway, "--cache-to", to, files=files, start=slipway.start)
    for line in process.stderr:
        if b"exporting cache" in line:
            break
    time.sleep(pause)
    process.kill()
    process.communicate()
    slipway.unfinished_allowed = True
    left = temporary(where)
    for path in left:
        os.utime(path, (1, 1))
    again = run(slipway, "--cache-to", to, files=files).ok()
    assert len(re.findall(r"^#\d+ CACHED", again.err, re.M)) == 3
    read_layout(where, "latest").verify()
    # A day later nobody is at work on them.
    assert not temporary(where), left


@pytest.mark.parametrize("harm", ["changed", "shorter", "link", "missing"])
def test_what_is_damaged_in_the_folder_is_written_again(slipway, run, folder, harm):
    """Bytes that are not what their name says would else be believed by every machine that reads the cache."""
    where = folder / "cache"
    to = f"type=local,dest={where},mode=max,ignore-error=false"
    run(slipway, "--cache-to", to).ok()
    image = read_layout(where, "latest")
    for digest in (image.layers[0]["digest"], image.layers[-1]["digest"], image.manifest["config"]["digest"]):
        victim = image.blob(digest)
        data = victim.read_bytes()
        victim.chmod(0o600)
        if harm == "changed":
            victim.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        elif harm == "shorter":
            victim.write_bytes(data[:-1])
        else:
            victim.unlink()
            if harm == "link":
                elsewhere = folder / "elsewhere"
                elsewhere.write_bytes(data)
                victim.symlink_to(elsewhere)
    whole = image.blob(image.descriptor["digest"])
    inode = whole.stat().st_ino
    run(slipway, "--cache-to", to).ok()
    read_layout(where, "latest").verify()
    assert not any(p.is_symlink() for p in where.rglob("*"))
    # What is whole stays as it is.
    assert whole.stat().st_ino == inode
    other = slipway.other()
    said = run(other, "--cache-from", f"type=local,src={where}").ok().err
    assert len(re.findall(r"^#\d+ CACHED", said, re.M)) == 3 and "WARNING" not in said

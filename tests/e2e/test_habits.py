"""What people who have used docker for years type, and what they should read in answer."""
import json
import os
import pty
import subprocess

import pytest


@pytest.fixture
def app(build):
    build("FROM tiny\nENV FROM_IMAGE=1\nCMD [\"env\"]\n", {}, "-t", "app:1")
    return "app:1"


@pytest.mark.parametrize("arguments, words", [
    (["image", "ls"], ["slipway images"]), (["kill", "x"], ["keeps no containers"]), (["attach", "x"], ["keeps no containers"]),
    (["system", "prune"], ["slipway prune -a"]), (["builder", "prune"], ["slipway prune -a"]), (["buildx", "build", "."], ["slipway build"]),
    (["container", "ls"], ["keeps no containers"]), (["info"], ["doctor"]),
])
def test_commands_of_docker(slipway, arguments, words):
    slipway(*arguments).fails(*words, code=2)


@pytest.mark.parametrize("option, words", [
    (["-d"], ["--detach", "daemon"]), (["-itd"], ["--detach"]), (["--detach=true"], ["--detach"]), (["--name", "x"], ["--name", "names"]),
    (["--restart", "always"], ["service manager"]), (["--mount", "type=bind,src=/,dst=/x"], ["-v HOST:PATH"]),
    (["--memory", "1g"], ["limits"]), (["-m", "1g"], ["--memory"]), (["--privileged"], ["rights"]),
])
def test_refused_options_of_run(slipway, option, words):
    slipway("run", *option, "app:1").fails(*words, code=125)
    assert f" {option[0]}," not in slipway("run", "--help").out


@pytest.mark.parametrize("arguments, words", [
    (["-p", "80:80:80:80"], ["-p 80:80:80:80", "HOST"]), (["-e", "=x"], ['"=x"']), (["-e", "A B=x"], ['"A B=x"']),
])
def test_wrong_values_of_run(slipway, arguments, words):
    slipway("run", *arguments, "app:1").fails(*words, code=125)


def test_env_file(slipway, app, folder):
    (folder / "env").write_bytes(b"# comment\nA=1\n\n  B=two words\nC=\"quoted\"\r\nFROM_HERE\nMISSING\nE==x#y\nO=file")
    lines = slipway("run", "--env-file", folder / "env", "-e", "O=option", app, env={"FROM_HERE": "h"}).ok().out.splitlines()
    for line in ("A=1", "B=two words", 'C="quoted"', "FROM_HERE=h", "E==x#y", "O=option", "FROM_IMAGE=1"):
        assert line in lines, lines
    assert not [x for x in lines if x.startswith(("MISSING", "#"))]
    slipway("run", "--env-file", folder / "nope", app).fails("--env-file", "nope", "No such file", code=125)
    (folder / "env").write_text("A B=1\n")
    slipway("run", "--env-file", folder / "env", app).fails("A B=1", code=125)


@pytest.mark.parametrize("arguments, once", [
    (["tag", "x", "Upper"], "invalid image name"), (["pull", "a:b:c"], "invalid image name"), (["images"], "state folder"),
])
def test_an_error_says_a_thing_once(slipway, folder, arguments, once):
    (folder / "file").write_text("")
    root = {"SLIPWAY_ROOT": str(folder / "file")} if arguments == ["images"] else {}
    shown = slipway(*arguments, env=root)
    assert shown.code and shown.err.count(once) == 1, str(shown)


def test_prune_says_what_it_keeps(slipway, app, build):
    build("FROM tiny\nCOPY f /f\n", {"f": "1"}, "-t", "gone:1")
    slipway("rmi", "gone:1", "t2:latest").ok()
    assert "slipway prune -a" in slipway("df").ok().out
    assert "younger than 1h" in slipway("prune", "-af").ok().out
    shown = slipway("prune", "-af", "--grace", "0s").ok().out
    assert "younger" not in shown and " 0 blobs" not in shown
    assert "younger" not in slipway("prune", "-af", "--grace", "0s").ok().out


def closed(slipway, shell, *arguments):
    return subprocess.run(["sh", "-c", f'exec "$0" "$@" {shell}', slipway.binary, *arguments], env=slipway.env, cwd=slipway.folder,
                          capture_output=True, check=False, timeout=60)


def test_closed_standard_descriptors(slipway, app):
    for arguments in (["save", app], ["images"], ["version"]):
        lost = closed(slipway, ">&-", *arguments)
        assert lost.returncode == 1 and lost.stderr, arguments
    assert closed(slipway, "<&-", "run", "-i", app, "cat").returncode == 0
    assert closed(slipway, "2>&-", "images").returncode == 0
    assert closed(slipway, ">&- 2>&- <&-", "tag", app, "app:2").returncode == 0
    slipway("fsck").ok()


@pytest.mark.root
def test_store_on_a_read_only_file_system(slipway, app, build, folder):
    where = folder / "frozen"
    where.mkdir()
    subprocess.run(["cp", "-a", f"{slipway.root}/.", str(where)], check=True)
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'

    def frozen(*arguments):
        return subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", str(where), slipway.binary, *arguments],
                              env={**slipway.env, "SLIPWAY_ROOT": str(where)}, capture_output=True, text=True, check=False, timeout=60)

    for arguments in (["images"], ["inspect", app], ["history", app], ["df"], ["fsck"], ["save", app, "-o", str(folder / "s.tar")]):
        shown = frozen(*arguments)
        assert shown.returncode == 0, shown
    assert "app" in frozen("images").stdout and (folder / "s.tar").stat().st_size > 1000
    for arguments in (["rmi", app], ["tag", app, "x"], ["prune", "-f"], ["build", *build.options, str(build.last)]):
        shown = frozen(*arguments)
        assert shown.returncode == 1 and "Read-only file system" in shown.stderr, shown


def on_terminal(slipway, *arguments):
    """What a terminal of 80 columns gets, which nobody reads before the end."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(slipway.binary, [slipway.binary, *map(str, arguments)], slipway.env)
    text = b""
    try:
        while data := os.read(fd, 65536):
            text += data
    except OSError:
        pass
    os.close(fd)
    assert os.waitpid(pid, 0)[1] == 0, text
    return text.decode()


def test_output_of_steps_on_a_terminal(slipway, context, build):
    steps = r"""FROM tiny
RUN printf '\033[1;31mred\033[0m\033[K plain\n 10%%\r 99%%\r\ncol1\tcol2\n\033]0;title\007\n'
"""
    shown = on_terminal(slipway, "build", *build.options, "--no-cache", context({"Dockerfile": steps}))
    assert "#2 red plain\r\n" in shown and "#2  99%\r\n" in shown and "#2 col1\tcol2\r\n" in shown
    assert "\x1b]0;" not in shown and r"\x1b]0;title" in shown


def test_tail_of_a_failed_step_keeps_tabs(build):
    build.fails(r"""FROM tiny
RUN printf 'file.c:1:\terror\n'; false
""", "file.c:1:\terror")


def test_build_args_that_nothing_takes(build):
    said = build("FROM tiny AS a\nARG KNOWN\nFROM tiny\n", {}, "--build-arg", "KNOWN=1", "--build-arg", "KNOWM=1", "--build-arg",
                 "HTTP_PROXY=http://p", "--build-arg", "BUILDKIT_INLINE_CACHE=1").result.err
    assert "WARNING: --build-arg KNOWM" in said and said.count("WARNING") == 1
    # Quotes are not part of a name, and a variable may give any; above FROM a name is as it stands.
    said = build("""
        FROM tiny
        ENV WHICH=VARIABLE
        ARG "QUOTED" 'ALSO'=x
        ARG $WHICH
        RUN echo "$QUOTED $ALSO $VARIABLE" > /seen
        """, {}, *(f"--build-arg={name}={name[0]}" for name in ("QUOTED", "ALSO", "VARIABLE")))
    assert "WARNING: --build-arg" not in said.result.err and said.text("/seen") == "Q A V\n"
    assert "--build-arg GLOBAL" in build('ARG "GLOBAL"=x\nFROM tiny\nARG "OTHER"\n', {}, "--build-arg", "GLOBAL=1").result.err


def test_base_of_another_platform(build):
    said = build("FROM tiny\nCOPY f /f\n", {"f": ""}, "--platform", "linux/arm64").result.err
    assert "InvalidBaseImagePlatform: Base image tiny" in said and '"linux/amd64"' in said and '"linux/arm64"' in said
    assert "InvalidBaseImagePlatform" not in build("FROM tiny\nCOPY f /f\n", {"f": ""}).result.err


@pytest.mark.parametrize("text, mode, words, code", [
    (b"#!/bin/sh\r\necho\r\n", 0o755, ["/run.sh", "CR LF"], 127), (b"#!/bin/sh\necho\n", 0o644, ["/run.sh", "--chmod=755"], 126),
    (b"#!/no/shell\necho\n", 0o755, ["/run.sh", "interpreter"], 127),
])
def test_scripts_that_cannot_start(slipway, build, text, mode, words, code):
    build(f"FROM tiny\nCOPY --chmod={mode:o} run.sh /\nENTRYPOINT [\"/run.sh\"]\n", {"run.sh": text}, "-t", "s:1")
    slipway("run", "s:1").fails(*words, code=code)


@pytest.mark.parametrize("config, arguments, code, words", [
    ({}, [], 125, ["no command"]), ({"Cmd": []}, [], 125, ["no command"]), ({"Entrypoint": ["/bin/true"]}, ["--entrypoint", "", "IMAGE"], 125, ["no command"]),
    ({"Cmd": ["nosuch"]}, [], 127, ["nosuch"]), ({"Cmd": ["/no/such"]}, [], 127, ["/no/such"]), ({"Cmd": ["/bin"]}, [], 126, ["/bin"]),
    ({"Cmd": ["/data"]}, [], 126, ["/data"]), ({"Cmd": ["true"]}, ["-u", "nobody-here", "IMAGE"], 125, ["nobody-here"]),
    ({"Cmd": ["true"]}, ["--foo", "IMAGE"], 125, ["unknown flag", "--foo"]), ({"Cmd": ["true"]}, ["--shm-size", "abc", "IMAGE"], 125, ["--shm-size"]),
    ({"Cmd": ["true"]}, ["--network"], 125, ["--network"]), ({"Cmd": ["true"]}, ["127.0.0.1:1/no/image"], 125, ["127.0.0.1:1/no/image"]),
    ({"Cmd": ["true"]}, [], 0, []), ({"Cmd": ["sh", "-c", "exit 2"]}, [], 2, []),
], ids=str)
def test_exit_codes_of_run(slipway, build, config, arguments, code, words):
    """docker run's reference: 125 its own errors, those of the command line too; 126 cannot be invoked, 127 not found; else the command's."""
    lines = "".join(f"{key.upper()} {json.dumps(value)}\n" for key, value in config.items() if value)
    build("FROM tiny AS full\nFROM scratch\nCOPY --from=full / /\nCOPY --chmod=644 data /data\n" + lines, {"data": "x"}, "-t", "s:1")
    result = slipway("run", *([a.replace("IMAGE", "s:1") for a in arguments] or ["s:1"]))
    assert result.code == code, str(result)
    assert all(word in result.err for word in words), str(result)


def test_rmi_goes_on_after_a_failure(slipway, app):
    slipway("tag", app, "last:1").ok()
    shown = slipway("rmi", "none:1", app, "none:2", "last:1").fails("none:1", "none:2")
    assert "Untagged: last:1" in shown.out and "Untagged: app:1" in shown.out


def test_templates_are_refused_with_another_way(slipway, app):
    slipway("inspect", "-f", "{{.Id}}", app).fails("--format", "jq")
    slipway("images", "--format", "{{.ID}}").fails("--format", "-q")
    slipway("images", "--filter", "dangling=true").fails("--filter")


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o002])
def test_files_have_the_mode_that_the_user_wants(slipway, app, build, umask):
    for name, arguments in (("s.tar", ["save", app, "-o", "s.tar"]),
                            ("b.tar", ["build", *build.options, "-o", "type=tar,dest=b.tar", str(build.last)])):
        subprocess.run([slipway.binary, *arguments], env=slipway.env, cwd=slipway.folder, umask=umask, check=True, capture_output=True)
        assert (slipway.folder / name).stat().st_mode & 0o777 == 0o666 & ~umask, name
    for path in (slipway.root / "index.json", slipway.root / "oci-layout"):
        assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("who", ["slipway", "slipway_user", "slipway_single"])
def test_prune_after_a_killed_build(request, who, context, tiny):
    user = request.getfixturevalue(who)
    user.unfinished_allowed = True
    folder = context({"Dockerfile": "FROM tiny\nRUN dd if=/dev/zero of=/big bs=1M count=5 2>/dev/null; echo ready; sleep 60\n"})
    started = user.start("build", "--progress", "plain", "--build-context", f"tiny=oci-layout:{tiny}", folder)
    assert any(line.rstrip().endswith(b" ready") for line in started.stderr)
    started.kill()
    started.wait()
    assert any((user.root / "ingest").iterdir())
    assert "0 blobs" in user("prune", "-f").ok().out
    left = [p.name for p in (user.root / "ingest").iterdir()]
    assert not left
    (user.root / "ingest" / "tmp-1-0").write_bytes(b"x" * 100000)
    user("prune", "-f").ok()
    assert (user.root / "ingest" / "tmp-1-0").exists()
    user("prune", "-af", "--grace", "0s").ok()
    assert not any((user.root / "ingest").iterdir())

"""A secret reaches the step that asks for it, and nothing else of the machine ever holds it."""
import os
import pathlib

import pytest

from helpers import processes
from helpers.images import read_layout

VALUE = "k3-hunter2-7f"
WHOLE = b"first-line-9c\nsecond-line-1d\n"


def holders(top, *values):
    """Files below a folder with a value in their bytes or in their name."""
    found = []
    for folder, _, names in os.walk(top):
        for name in names:
            path = pathlib.Path(folder) / name
            if path.is_symlink() or not path.is_file():
                continue
            data = path.read_bytes() + os.fsencode(path)
            found += [str(path) for value in values if value in data]
    return found


def command_lines():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            yield int(pid), pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue


STEPS = """FROM tiny
RUN --mount=type=secret,id=file cat /run/secrets/file; wc -c < /run/secrets/file > /size
RUN --mount=type=secret,id=file,target=/etc/f,mode=0444,uid=1000,gid=4 stat -c '%a %u %g' /etc/f > /stat
RUN --mount=type=secret,id=env,env=TOKEN echo "token $TOKEN"; printf %s "$TOKEN" | wc -c > /env
RUN --mount=type=secret,id=env,env=TOKEN,target=/t cmp -s /t - <<EOF && echo same > /both || printf %s "$TOKEN" > /dev/null
EOF
RUN --mount=type=secret,id=env,env=TOKEN,dst=/t [ "$TOKEN" = "$(cat /t)" ] && echo same > /both
RUN --mount=type=secret,source=file [ -s /run/secrets/file ] && echo alias > /alias
RUN --mount=type=secret,target=/x/file [ -s /x/file ] && echo base > /base
RUN --mount=type=secret,id=a/b/file test ! -e /run/secrets/file && echo absent > /absent
RUN --mount=type=secret,id=nothing,env=GONE echo "${GONE-unset}" > /optional; test ! -e /run/secrets/nothing
RUN ls /run/secrets /etc/f /t 2>/dev/null | wc -l > /left; echo "${TOKEN-unset}" >> /left
RUN --mount=type=secret,id=file --mount=type=cache,target=/meet touch /meet/on && \\
    for i in $(seq 600); do [ -e /meet/go ] && break; sleep 0.1; done
RUN --mount=type=secret,id=env,env=TOKEN echo $TOKEN >&2; cat /proc/self/cmdline > /cmdline; exit 3
"""


@pytest.mark.root
@pytest.mark.parametrize("fixture, progress", [("slipway", "plain"), ("slipway", "json"), ("slipway_user", "plain"),
                                               ("slipway_single", "plain")])
def test_nothing_else_holds_it(request, fixture, progress, folder, context, tiny):
    slipway = request.getfixturevalue(fixture)
    given = folder / "given"
    given.write_bytes(WHOLE)
    top = context({"Dockerfile": STEPS})
    process = slipway.start(
        "build", "-t", "s:1", "--progress", progress, "--explain", "--secret", f"id=file,src={given}", "--secret",
        "type=env,id=env,env=MY_TOKEN", "--build-context", f"tiny=oci-layout:{tiny}", top, env={"MY_TOKEN": VALUE})
    meet = processes.wait_until(
        lambda: process.poll() is not None or list(slipway.root.glob("cache/mounts/*/on")), 100)
    values = [VALUE.encode(), WHOLE, *WHOLE.split()]
    assert meet and process.poll() is None
    # While a step has it: neither on the disk nor in an argument.
    assert not holders(slipway.folder, *values)
    for pid, line in command_lines():
        assert not any(value in line for value in values), pid
    next(iter(meet)).parent.joinpath("go").touch()
    out, err = process.communicate(timeout=100)
    assert process.returncode == 1 and b"exit code: 3" in err, err.decode()
    assert not holders(slipway.folder, *values)
    for value in values:
        assert value not in out + err
    assert b"token ***" in err


def test_what_the_steps_saw(slipway, folder, context, tiny):
    (folder / "given").write_bytes(WHOLE)
    top = context({"Dockerfile": STEPS.replace("RUN --mount=type=secret,id=file --mount=type=cache,target=/meet", "#")
                   .replace("    for i in", "#").replace("; exit 3", "")})
    slipway.build(top, "-t", "s:1", "--secret", f"id=file,src={folder}/given", "--secret", "id=env,env=MY_TOKEN",
                  "--build-context", f"tiny=oci-layout:{tiny}", env={"MY_TOKEN": VALUE}).ok()
    image = read_layout(slipway.root, "s:1")
    tree = image.tree()
    assert {p: tree.text(p).strip() for p in ("/size", "/stat", "/env", "/both", "/alias", "/base", "/absent",
                                              "/optional", "/left")} == {
        "/size": str(len(WHOLE)), "/stat": "444 1000 4", "/env": str(len(VALUE)), "/both": "same", "/alias": "alias",
        "/base": "base", "/absent": "absent", "/optional": "unset", "/left": "0\nunset"}
    assert VALUE not in str(image.config) and "--mount" not in str(image.config)
    assert "run/secrets" not in tree and "etc/f" not in tree and "x" not in tree


def test_a_changed_secret_is_no_miss(slipway, folder, build):
    text = "FROM tiny\nRUN --mount=type=secret,id=s,env=S cat /proc/sys/kernel/random/uuid > /made\n"
    given = folder / "given"
    made = []
    for value, options in [("one", []), ("two", []), ("", []), (None, [])]:
        if value is not None:
            given.write_text(value)
            options = ["--secret", f"id=s,src={given}"]
        made.append(build(text, {}, *options).text("/made"))
    assert len(set(made)) == 1


@pytest.mark.parametrize("options, words, code", [
    ([], ["Dockerfile:2", "secret s: not found", "--secret id=s"], 1),
    (["--secret", "src=/etc/hostname"], ["id= is missing"], 2),
    (["--secret", "id=s,scr=/x"], ['unknown field "scr"', "src"], 2),
    (["--secret", "id=s,type=fil,src=/x"], ['unknown type "fil"'], 2),
    (["--secret", "id=s,src=/nonexistent"], ["/nonexistent", "No such file"], 1),
    (["--secret", "id=s,env=NOT_SET_HERE"], ["NOT_SET_HERE", "not set"], 1),
    (["--secret", "id=s,src=/"], ["--secret id=s"], 1),
])
def test_refused(build, options, words, code):
    build.fails("FROM tiny\nRUN --mount=type=secret,id=s,required true\n", *words, options=options, code=code)


def test_sources_of_secrets(build, folder):
    (folder / "from-file").write_text("file")
    text = "FROM tiny\nRUN --mount=type=secret,id=S cat /run/secrets/S | tr a-z A-Z > /seen\n"

    def seen(*options, **env):
        return build(text, {}, "--no-cache", *options, env=env, cwd=folder).text("/seen")

    assert seen("--secret", f"id=S,source={folder}/from-file") == "FILE"
    assert seen("--secret", "id=S,type=env,src=V", V="var") == "VAR"
    # Without a source: the variable of that name, else the file.
    assert seen("--secret", "id=S", S="named") == "NAMED"
    (folder / "S").write_text("beside")
    assert seen("--secret", "id=S") == "BESIDE"
    # The later of two counts.
    assert seen("--secret", f"id=S,src={folder}/S", "--secret", f"id=S,src={folder}/from-file") == "FILE"
    (folder / "large").write_bytes(b"x" * (500 * 1024 + 1))
    build.fails(text, "--secret id=S", options=["--secret", f"id=S,src={folder}/large"])

"""Steps that want more memory than there is: they end, slipway does not, and it says what is known of the reason."""
import os
import pathlib
import subprocess

import pytest

from helpers import processes

LIMIT = 300 << 20
HOG = "dd if=/dev/zero of=/dev/null bs=700M count=1"
# None of them is larger than slipway may be.
SMALL_HOGS = "for i in $(seq 20); do (dd if=/dev/zero of=/dev/null bs=40M count=20 && sleep 1) & done; wait; exit 3"


def _group_folder():
    """(folder to make a group in, name of the limit's file), or None where no group can be limited."""
    with open("/proc/self/cgroup", encoding="utf-8") as f:
        rows = [line.rstrip("\n").split(":", 2) for line in f]
    for _, controllers, path in rows:
        if "memory" in controllers.split(","):
            return pathlib.Path("/sys/fs/cgroup/memory") / path.strip("/"), "memory.limit_in_bytes"
    top = pathlib.Path("/sys/fs/cgroup")
    try:
        (top / "cgroup.subtree_control").write_text("+memory")
    except OSError:
        return None
    return top, "memory.max"


@pytest.fixture
def limited(slipway):
    """limited(arguments...): slipway in a control group with LIMIT bytes, so that the kernel looks for a victim in there."""
    found = _group_folder()
    if not found:
        pytest.skip("needs: a control group with a limit on memory")
    group = found[0] / f"slipway-test-{os.getpid()}"
    group.mkdir()

    def run(*arguments, prefix=()):
        command = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', group / "cgroup.procs", *prefix, slipway.binary, *arguments]
        return subprocess.run(list(map(str, command)), env=slipway.env, cwd=slipway.folder, capture_output=True,
                              text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)

    try:
        (group / found[1]).write_text(str(LIMIT))
        yield run
    finally:
        assert processes.wait_until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


@pytest.fixture
def build_of(context, tiny):
    """build_of(command) -> arguments of a build with that RUN."""
    return lambda command: ["build", "--progress", "plain", "-t", "hog:1", "--build-context", f"tiny=oci-layout:{tiny}",
                            context({"Dockerfile": f"FROM tiny\nRUN {command}\n"})]


@pytest.mark.root
def test_a_hog_is_killed_and_slipway_is_not(slipway, limited, build_of):
    ended = limited(*build_of(HOG))
    assert ended.returncode == 1, ended.stderr
    message = ended.stderr.splitlines()
    assert any("Dockerfile:2:1" in line and "exit code: 137" in line and "perhaps for want of memory" in line
               and "of this control group" in line for line in message), ended.stderr
    # The store is as it was before, and within the same limit other steps work.
    assert limited(*build_of("echo fine > /f")).returncode == 0
    slipway("fsck").ok()


@pytest.mark.root
def test_many_small_hogs_are_killed_and_slipway_is_not(slipway, limited, build_of):
    ended = limited(*build_of(SMALL_HOGS))
    assert ended.returncode == 1 and "exit code: 3" in ended.stderr, ended.stderr
    assert "Killed" in ended.stderr, "the limit was never reached"
    slipway("fsck").ok()


@pytest.mark.root
def test_a_container_that_is_killed(slipway, limited, build_of):
    assert limited(*build_of("true")).returncode == 0
    ended = limited("run", "hog:1", *HOG.split())
    assert ended.returncode == 137 and "perhaps for want of memory" in ended.stderr, ended.stderr


@pytest.mark.root
def test_what_is_said_where_no_control_group_can_be_read(limited, build_of):
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"', "sh"]
    ended = limited(*build_of(HOG), prefix=hidden)
    assert ended.returncode == 1, ended.stderr
    assert "exit code: 137 (perhaps for want of memory" in ended.stderr and "of this machine" in ended.stderr
    # Neither a step that kills itself nor one that fails by itself is blamed on memory.
    for command in ("kill -9 $$", "exit 1"):
        ended = limited(*build_of(command), prefix=hidden)
        assert ended.returncode == 1 and "memory" not in ended.stderr, ended.stderr


@pytest.mark.parametrize("fixture", ["slipway", "slipway_user"])
def test_a_limit_of_the_shell(request, fixture, build_of):
    """Without any control group: the program is refused the memory, says so, and the step fails with its words."""
    runner = request.getfixturevalue(fixture)
    failed = runner(*build_of(f"ulimit -v 200000 && {HOG}")).fails("Dockerfile:2:1", "exit code: 1", "memory")
    assert "exit code: 137" not in failed.err


def test_a_step_goes_first_when_memory_runs_out(build):
    """oom_score_adj, proc(5): the kernel prefers the step to slipway, whose value stays as it was."""
    with open("/proc/self/oom_score_adj", encoding="utf-8") as f:
        mine = int(f.read())
    built = build("FROM tiny\nRUN cat /proc/self/oom_score_adj > /adj\n")
    assert int(built.text("/adj")) == max(500, mine)

"""Steps that try to get out: every way that is known, in each mode, with Landlock and without (tests/fixtures/hostile.c tells of each)."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import time

import pytest

from helpers import processes, refusing
from helpers.containers import Containers
from helpers.images import read_layout

pytestmark = pytest.mark.root

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures"
SECRET = {"VICTIM_SECRET": "of-the-victim"}
DOCKERFILE = """FROM tiny
ADD devices.tar /
COPY hostile /hostile
ARG VICTIMS
RUN /hostile $VICTIMS > /report
"""
# Without Landlock's scopes (Linux 6.12) the container is the boundary for these: docs/sandbox.md.
OF_THE_CONTAINER = {"signal-0", "signal-1000", "abstract-socket-0", "abstract-socket-1000"}
# The network namespace is the machine's, and with it these sockets.
OF_THE_NETWORK = {"abstract-socket-0", "abstract-socket-1000"}


@pytest.fixture(scope="module")
def hostile(session_folder):
    """A context with the program and an image's device files."""
    top = session_folder / "hostile"
    top.mkdir()
    subprocess.run(["cc", "-O1", "-static", "-o", top / "hostile", FIXTURES / "hostile.c"], check=True)
    with tarfile.open(top / "devices.tar", "w") as tar:
        device = tarfile.TarInfo("image-null")
        device.type, device.devmajor, device.devminor, device.mode = tarfile.CHRTYPE, 1, 3, 0o666
        tar.addfile(device)
    (top / "Dockerfile").write_text(DOCKERFILE)
    return top


@contextlib.contextmanager
def victims_of(hostile, folder):
    """Processes outside, of root and of another user; above the state folder, and in their own, is what a step must not read."""
    (folder / "outside-marker").write_text("outside-marker")
    env = {**os.environ, **SECRET}
    started = [subprocess.Popen([hostile / "hostile", "victim"], cwd=folder, env=env, user=uid, group=uid, extra_groups=[]) for uid in (0, 1000)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def escaped(report):
    lines = [line.split(" ", 2) for line in report.splitlines()]
    assert ["end", "kept"] == lines[-1][:2] and len(lines) > 25, report
    return {line[0] for line in lines if line[1] != "kept"}


MODES = {"chroot": set(), "without-landlock": OF_THE_CONTAINER, "root": OF_THE_NETWORK, "rootless-subuid": OF_THE_NETWORK,
         "rootless-single": OF_THE_NETWORK}


@pytest.mark.parametrize("mode", MODES)
def test_a_step_stays_inside(request, folder, tiny, hostile, mode):
    fixture = {"rootless-subuid": "slipway_user", "rootless-single": "slipway_single"}.get(mode, "slipway")
    slipway = request.getfixturevalue(fixture)
    env = {**slipway.env, "SLIPWAY_SANDBOX": "chroot"}
    with victims_of(hostile, folder) as victims:
        pids = " ".join(str(v.pid) for v in victims)
        prefix = "chroot " if mode in ("chroot", "without-landlock") else ""
        arguments = ["build", "--build-context", f"tiny=oci-layout:{tiny}", "--build-arg", f"VICTIMS={prefix}{pids}", "-t", "h:1", str(hostile)]
        if mode == "without-landlock":
            done = subprocess.run(refusing.landlock(slipway.binary, *arguments), env=env, cwd=slipway.folder,
                                  capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        else:
            slipway(*arguments, env={"SLIPWAY_SANDBOX": mode}).ok()
            assert all(v.poll() is None for v in victims), "one was killed"
    tree = read_layout(slipway.root, "h:1").verify().tree()
    assert escaped(tree.text("/report")) <= MODES[mode], tree.text("/report")
    assert tree["image-null"].kind == "char", "the image has its device, wherever a step finds none"


@pytest.mark.parametrize("options", [[], ["--security-opt", "no-new-privileges"], ["--security-opt", "seccomp=unconfined"],
                                     ["--cap-add", "SYS_ADMIN"]], ids=["default", "no-new-privileges", "unconfined", "sys-admin"])
@pytest.mark.soak
def test_a_step_stays_inside_in_a_container(session_folder, binary, tiny, debian_base, hostile, folder, options):
    shared = session_folder / f"hostile-containers-{os.getpid()}-{len(list(session_folder.iterdir()))}"
    shared.mkdir()
    shutil.copytree(hostile, shared / "context")
    containers = Containers(shared, binary, {"tiny": tiny, "debian-base": debian_base})
    try:
        here = containers.start(*options)
        here.exec("sh", "-c", "echo outside-marker > /outside-marker").ok()
        for user in ("0", "1000"):
            containers.docker("exec", "-d", "-u", user, "-e", "VICTIM_SECRET=of-the-victim", here.name, f"{shared}/context/hostile", "victim")
        pids = here.exec("sh", "-c", "cd /proc && grep -l victim [0-9]*/cmdline | grep -o '^[0-9]*'").ok().out.split()
        here.build(shared / "context", "--build-arg", f"VICTIMS=chroot 1 {' '.join(pids)}", "-t", "h:1",
                   env={"SLIPWAY_SANDBOX": "chroot"}).ok()
        report = here.image("h:1", folder).verify().tree().text("/report")
        assert escaped(report) == set(), report
    finally:
        containers.stop()


def inside(root):
    """Processes whose root that folder is: {pid: their working folder}."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/root").startswith(str(root)):
                found[int(pid)] = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            pass
    return found


def parent(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def test_a_cache_does_not_take_a_process_out_of_the_root(slipway, context, tiny):
    """Who kills both processes of slipway-init leaves the step's alive: what is moved out of the root would take them along."""
    slipway.unfinished_allowed = True
    top = context({"Dockerfile": "FROM tiny\nRUN --mount=type=cache,target=/c cd /c && touch /started && sleep 4322\n"})
    build = slipway.start("build", "--build-context", f"tiny=oci-layout:{tiny}", top, env={"SLIPWAY_SANDBOX": "chroot"})
    started = lambda: list(slipway.root.glob("ingest/run-*/root/started"))
    assert processes.wait_until(started, 60)
    root = started()[0].parent
    left = {}
    try:
        step = next(pid for pid, cwd in inside(root).items() if cwd == f"{root}/c")
        first = parent(step)
        while "slipway-init" not in pathlib.Path(f"/proc/{first}/comm").read_text():
            first = parent(first)
        os.kill(parent(first), signal.SIGKILL)  # and the first process with it
        assert build.wait(60) == 1, "a step whose first process was killed has failed"
        left = inside(root)
        assert left, "nobody is left: this test shows nothing"
        assert all(cwd.startswith(str(root)) for cwd in left.values()), left
    finally:
        build.kill()
        build.communicate()
        for pid in left or inside(root):
            os.kill(pid, signal.SIGKILL)


def test_a_step_that_is_hard_to_end_leaves_nothing(slipway, context, tiny):
    """Many processes take slipway-init longer than slipway waits, which must not kill it meanwhile."""
    script = "i=0; while [ $i -lt 400 ]; do (trap '' TERM INT; touch /up; sleep 4323) & i=$((i+1)); done; touch /started; wait"
    top = context({"Dockerfile": f"FROM tiny\nRUN {script}\n"})
    build = slipway.start("build", "--build-context", f"tiny=oci-layout:{tiny}", top, env={"SLIPWAY_SANDBOX": "chroot"})
    started = lambda: list(slipway.root.glob("ingest/run-*/root/started"))
    assert processes.wait_until(started, 120)
    root = started()[0].parent
    build.send_signal(signal.SIGINT)
    time.sleep(0.2)
    build.send_signal(signal.SIGINT)
    assert build.wait(120) == 130
    build.communicate()
    assert inside(root) == {}


@pytest.mark.parametrize("sent, code", [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)], ids=["SIGKILL", "SIGINT"])
def test_a_signal_to_the_whole_group_leaves_nothing(slipway, context, tiny, folder, sent, code):
    """As a CI runner ends a job, and a terminal at Ctrl-C."""
    slipway.unfinished_allowed = True
    (folder / "secret").write_text("s3cret")
    top = context({"Dockerfile": "FROM tiny\nRUN --mount=type=secret,id=s (setsid sleep 4324 &); touch /started; sleep 4324\n"})
    build = slipway.start("build", "--build-context", f"tiny=oci-layout:{tiny}", "--secret", f"id=s,src={folder}/secret", top,
                          env={"SLIPWAY_SANDBOX": "chroot"})
    started = lambda: list(slipway.root.glob("ingest/run-*/root/started"))
    assert processes.wait_until(started, 60)
    root = started()[0].parent
    assert len(inside(root)) >= 3
    os.killpg(build.pid, sent)
    try:
        assert build.wait(60) == code
        assert processes.wait_until(lambda: not inside(root) and not (root / "run/secrets/s").exists()), inside(root)
    finally:
        build.communicate()
        for pid in inside(root):
            os.kill(pid, signal.SIGKILL)

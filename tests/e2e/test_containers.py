"""RUN in the containers that CI lives in: docker's own defaults, fewer rights, more rights."""
import json

import pytest

from helpers.containers import Containers

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def containers(session_folder, binary, tiny, debian_base):
    folder = session_folder / "containers"
    folder.mkdir()
    running = Containers(folder, binary, {"tiny": tiny, "debian-base": debian_base})
    yield running
    running.stop()


@pytest.fixture
def start(containers):
    started = []

    def run(*options):
        started.append(containers.start(*options))
        return started[-1]

    yield run
    for container in started:
        container.remove()


@pytest.fixture
def context(containers, folder):
    """A context folder that containers see at the same path."""
    top = containers.folder / folder.name
    top.mkdir()

    def make(files):
        for path, content in files.items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_text(content)
        return top

    return make


def test_a_container_with_dockers_defaults(start, context, folder):
    here = start()
    assert here.mode() == "chroot"
    top = context({"Dockerfile": """FROM debian-base
RUN useradd -m app && mkdir /srv/data && chown app:app /srv/data && chmod 2750 /srv/data
COPY --chown=app f /srv/data/f
USER app
RUN id -un > /srv/data/who && cat /srv/data/f > /srv/data/copy && rm /srv/data/f
USER root
RUN ls -A /dev/shm /proc /sys > /listed; chroot / true 2> /no-chroot; mknod /x c 1 3 2> /no-mknod; true
""", "f": "f\n"})
    here.build(top, "-t", "m:1").ok()
    tree = here.image("m:1", folder).verify().tree()
    uid = int(next(line for line in tree.text("/etc/passwd").splitlines() if line.startswith("app:")).split(":")[2])
    assert tree.text("/srv/data/who") == "app\n" and tree.text("/srv/data/copy") == "f\n" and "srv/data/f" not in tree
    assert (tree["srv/data"].uid, tree["srv/data"].mode) == (uid, 0o2750) and tree["srv/data/copy"].uid == uid
    assert "Operation not permitted" in tree.text("/no-chroot") and "Operation not permitted" in tree.text("/no-mknod")
    assert not any(p.startswith(("dev/null", "dev/shm/", "proc/", "sys/")) for p in tree), sorted(tree)


def everything_outside(here):
    """
    A line for every file but the state folder's, with all that its status tells; find(1) goes into no mount but those named. The links of
    /proc are the machine's processes.
    """
    names = here.exec("find", "/", "/dev", "/dev/shm", "-xdev", "(", "-path", "/var/lib/slipway", "-o", "-path", "/proc", ")", "-prune", "-o",
                      "-printf", "%p %y %i %m %U %G %s %n %T@ %C@ %l\\n").ok().out.splitlines()
    assert len(names) > 500
    return names


def test_nothing_outside_the_state_folder_changes(start, context):
    here = start()
    assert here.mode() == "chroot"
    processes_before, before = here.exec("ps", "-eo", "args").ok().out.splitlines(), everything_outside(here)
    top = context({"Dockerfile": "FROM tiny\nRUN (sleep 500 &); echo x > /etc/x; rm -rf /dev /tmp; mkdir -p /run/a; touch /run/a/b\n"
                                 "RUN --mount=type=cache,target=/c echo 1 > /c/1\nRUN --mount=type=cache,target=/c test -s /c/1\n"})
    here.build(top, "-t", "m:1").ok()
    assert set(everything_outside(here)) ^ set(before) == set()
    left = here.exec("ls", "/var/lib/slipway/ingest").ok().out
    assert left == "" and here.exec("ps", "-eo", "args").ok().out.splitlines() == processes_before


def test_a_step_cannot_look_out(start, context, folder):
    """Rows 44 and 45: other processes of the container, the builder's environment and context, descriptors, a second chroot."""
    here = start("-e", "BUILDER_TOKEN=t0ken", "--hostname", "outer")
    top = context({"secret-in-context": "x", "Dockerfile": """FROM debian-base
RUN env > /env; cat /proc/*/environ > /environs 2>/dev/null; ls -d /proc/1 > /first 2>&1; ls /proc/self/fd > /fds; \
    chroot /tmp true 2> /again; find / -xdev -name 'secret-in-context*' > /found; kill -0 1 2> /killed; \
    ls /proc/self/root/var/lib/slipway /var/lib/slipway > /state 2>&1; echo x 2>/dev/null > /proc/self/exe; true
"""})
    here.build(top, "-t", "m:1", env={"BUILDER_TOKEN": "t0ken"}).ok()
    tree = here.image("m:1", folder).verify().tree()
    assert "t0ken" not in tree.text("/env") + tree.text("/environs") and tree.text("/environs")
    assert "cannot access" in tree.text("/first") and "not permitted" in tree.text("/again").lower()
    # 0 to 2, and the one that ls reads the folder with.
    assert len(tree.text("/fds").split()) <= 4 and tree.text("/found") == ""
    assert tree.text("/state").count("cannot access") == 2
    assert "not permitted" in tree.text("/killed").lower(), "Landlock keeps signals in"


# A container's own disk is an overlay, on which there can be no other.
@pytest.mark.parametrize("options, mode, storage", [
    (["--security-opt", "no-new-privileges"], "chroot", "copy"),
    (["--security-opt", "seccomp=unconfined"], "rootless-single", "copy"),
    (["--security-opt", "seccomp=unconfined", "-v", "/var/lib/slipway"], "rootless-single", "overlay"),
    (["--cap-add", "SYS_ADMIN"], "root", "copy"),
    (["--cap-add", "SYS_ADMIN", "-v", "/var/lib/slipway"], "root", "overlay"),
    (["--user", "1000", "--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined",
      "-e", "HOME=/tmp", "-e", "SLIPWAY_ROOT=/tmp/state"], "rootless-single", "copy"),
], ids=["no-new-privileges", "unconfined", "unconfined-and-volume", "sys-admin", "sys-admin-and-volume", "user-namespaces"])
def test_other_containers(start, context, folder, options, mode, storage):
    here = start(*options)
    shown = json.loads(here("doctor", "--json").ok().out)
    used = {row["mode"]: row for row in shown["modes"]}[mode]
    assert shown["mode"] == mode and used["storage"] == storage, shown
    here.build(context({"Dockerfile": "FROM tiny\nRUN echo 1 > /f && chown 3:4 /f && mkdir /d\n"}), "-t", "m:1").ok()
    tree = here.image("m:1", folder, shown["root"]).verify().tree()
    assert tree.text("/f") == "1\n" and (tree["f"].uid, tree["f"].gid) == (3, 4)
    # The container's first process collects no others: slipway must leave none, dead ones included.
    assert "slipway-init" not in here.exec("ps", "-eo", "stat,args").ok().out


@pytest.mark.parametrize("options", [["--network", "none"], ["--pid", "host"], ["--ipc", "none"]], ids=" ".join)
def test_more_or_less_of_the_machine(start, context, folder, options):
    here = start(*options)
    assert here.mode() == "chroot"
    here.build(context({"Dockerfile": "FROM debian-base\nRUN (sleep 617 &); useradd -m app; cat /proc/self/status /etc/resolv.conf > /f\n"}),
               "-t", "m:1").ok()
    assert "Uid:" in here.image("m:1", folder).verify().tree().text("/f")
    assert here.exec("true").code == 0 and "sleep 617" not in here.exec("ps", "-eo", "args").ok().out


@pytest.mark.parametrize("options, words", [
    (["--user", "1000"], ["runs as user 1000", "let the container's user be root"]),
    (["--cap-drop", "ALL"], ["root lacks the capabilities", "SYS_CHROOT", "--cap-drop"]),
    (["--read-only", "--tmpfs", "/tmp"], ["/tmp/state is mounted noexec", "--tmpfs FOLDER:exec"]),
], ids=["user", "no-capabilities", "noexec"])
def test_less_than_that(start, context, options, words):
    """RUN is refused with what to change; all the rest works."""
    here = start(*options, "-e", "HOME=/tmp")
    state = {"SLIPWAY_ROOT": "/tmp/state"}
    plain = "FROM tiny\nCOPY --chown=app f /f\nUSER app\nWORKDIR /w\nCMD [\"x\"]\n"
    top = context({"Dockerfile": plain, "R": plain + "RUN id\n", "f": "f\n"})
    here.build(top, "-t", "m:1", env=state).ok()
    assert '"User": "app"' in here("inspect", "m:1", env=state).ok().out
    here.build(top, "-f", f"{top}/R", "-t", "m:2", env=state).fails("no sandbox mode works", *words)
    here("doctor", env=state).ok()

"""RUN and run in each mode of the sandbox: what a step may do, what it may not, and that it leaves nothing."""
import os
import pathlib
import signal
import time
import urllib.request

import pytest

from helpers import processes
from helpers.images import capability, read_layout
from helpers.registry import free_port

MODES = {"slipway": "root", "slipway_user": "rootless-subuid", "slipway_single": "rootless-single"}


@pytest.fixture(params=["slipway", "slipway_user"], ids=["root", "rootless"])
def runner(request):
    if os.geteuid() == 0:
        return request.getfixturevalue(request.param)
    if request.param == "slipway":
        pytest.skip("needs: root")
    # Whoever runs the tests is a user with subordinate ids, as Debian makes them.
    return request.getfixturevalue("slipway")


@pytest.fixture
def step(runner, context, tiny):
    """step(command, more lines before) builds FROM tiny with one RUN: the tree."""
    def run(command, before="", *options, **run_options):
        top = context({"Dockerfile": f"FROM tiny\n{before}\nRUN {command}\n"})
        runner.build(top, "-t", "s:1", "--build-context", f"tiny=oci-layout:{tiny}", *options, **run_options).ok()
        return read_layout(runner.root, "s:1").verify().tree()

    return run


@pytest.mark.root
@pytest.mark.parametrize("fixture", MODES)
def test_doctor_names_the_mode(request, fixture):
    shown = request.getfixturevalue(fixture)("doctor")
    assert MODES[fixture] in shown.out, str(shown)


@pytest.mark.root
@pytest.mark.parametrize("fixture", MODES)
def test_a_build_in_each_mode(request, fixture, context, tiny):
    slipway = request.getfixturevalue(fixture)
    top = context({"Dockerfile": """FROM tiny
RUN echo one > /one && mkdir /d && chmod 700 /d && echo in > /d/in
COPY f /copied
RUN id -u > /id && cat /copied /one > /both && rm /one && ln /both /linked
CMD ["cat", "/both"]
""", "f": "f\n"})
    slipway.build(top, "-t", "m:1", "--build-context", f"tiny=oci-layout:{tiny}").ok()
    tree = read_layout(slipway.root, "m:1").verify().tree()
    assert tree.text("/id") == "0\n" and tree.text("/both") == "f\none\n" and "one" not in tree
    assert tree["both"] is tree["linked"] and tree["d"].mode == 0o700
    assert {(e.uid, e.gid) for p, e in tree.items() if p in ("both", "d", "d/in")} == {(0, 0)}
    assert slipway("run", "m:1").ok().out == "f\none\n"


@pytest.mark.root
@pytest.mark.parametrize("fixture", MODES)
def test_owners_that_a_step_gives(request, fixture, context, tiny):
    """They go with the file, whatever its name, and end with it."""
    slipway = request.getfixturevalue(fixture)
    top = context({"Dockerfile": """FROM tiny AS one
RUN echo 1 > /one && chown 1000:4 /one
FROM tiny
RUN echo 2 > /two && chown 1000:4 /two && mv /two /moved && ln /moved /linked && mkdir /d && chown 5 /d && chgrp 6 /d
COPY --from=one /one /one
COPY --chown=1000:4 f /given
RUN chown 7:7 /given && ln -s x /l && chown -h 8:9 /l && stat -c %u:%g /moved /d /l /given > /seen
RUN rm /linked && cp /moved /linked && chmod 4755 /moved && chown 11 /moved && stat -c %a:%u:%g /moved > /changed
""", "f": "f\n"})
    built = slipway.build(top, "-t", "m:1", "--progress", "plain", "--build-context", f"tiny=oci-layout:{tiny}").ok()
    tree = read_layout(slipway.root, "m:1").verify().tree()
    assert {name: (tree[name].uid, tree[name].gid) for name in ("one", "moved", "linked", "d", "l", "given")} == {
        "one": (1000, 4), "moved": (11, 4), "linked": (0, 0), "d": (5, 6), "l": (8, 9), "given": (7, 7)}
    assert tree.text("/changed") == "755:11:4\n" and "WARNING" not in built.err, str(built)
    # With one id a symbolic link shows root's while the step runs.
    assert tree.text("/seen").split()[:2] == ["1000:4", "5:6"] and tree.text("/seen").split()[3] == "7:7"
    assert not [x for e in tree.values() for x in e.xattrs if "slipway" in x]


def test_users_and_owners(step):
    tree = step("touch /root-made && su nobody -s /bin/sh -c 'id -u > /tmp/nobody; touch /x 2>/dev/null || echo no >> "
                "/tmp/nobody' && touch /given && chown 1000:4 /given && chmod 4755 /given && touch /big && "
                "chown 65533:65533 /big")
    assert tree.text("/tmp/nobody") == "65534\nno\n" and tree["tmp/nobody"].uid == 65534
    assert (tree["given"].uid, tree["given"].gid, tree["given"].mode) == (1000, 4, 0o4755)
    assert tree["big"].uid == 65533


@pytest.mark.slow
def test_setuid_programs_work(runner, context, debian_base):
    top = context({"Dockerfile": "FROM debian\nRUN cp /usr/bin/id /suid && chmod 4755 /suid && "
                                 "su nobody -s /bin/sh -c /suid > /seen\n"})
    runner.build(top, "-t", "s:1", "--build-context", f"debian=oci-layout:{debian_base}").ok()
    tree = read_layout(runner.root, "s:1").verify().tree()
    assert tree["suid"].mode == 0o4755
    assert tree.text("/seen").startswith("uid=65534(nobody) gid=65534(nogroup) euid=0(root)")


def status(tree, path="/status"):
    return dict(line.split(":\t", 1) for line in tree.text(path).splitlines() if ":\t" in line)


def test_capabilities(step):
    root = status(step("cat /proc/self/status > /status"))
    assert root["CapEff"] == root["CapPrm"] == root["CapBnd"] == "00000000a80425fb"
    assert root["CapInh"] == root["CapAmb"] == "0000000000000000"
    assert root["Seccomp"] == "2"
    user = status(step("cat /proc/self/status > /tmp/status", "USER app"), "/tmp/status")
    assert user["CapEff"] == user["CapPrm"] == user["CapAmb"] == "0000000000000000"


def test_processes_and_hosts_are_apart(step, runner):
    tree = step("ps > /ps; ls -d /proc/[0-9]* | wc -l > /n; readlink /proc/self/ns/pid > /pid; "
                "readlink /proc/self/ns/mnt >> /pid; readlink /proc/self/ns/ipc >> /pid; readlink /proc/self/ns/uts >> /pid")
    assert int(tree.text("/n")) < 10 and "slipway build" not in tree.text("/ps")
    mine = {os.readlink(f"/proc/self/ns/{n}") for n in ("pid", "mnt", "ipc", "uts")}
    assert not mine & set(tree.text("/pid").split())


FORBIDDEN = [
    "mount -t tmpfs none /tmp", "umount /proc", "unshare -U true", "unshare -m true", "chroot / mount -t proc p /mnt",
    "echo x > /proc/sys/kernel/core_pattern", "echo b > /proc/sysrq-trigger", "echo x > /sys/kernel/uevent_helper",
    "cat /proc/kcore | head -c1 | grep -q .", "cat /proc/keys | grep -q .", "cat /proc/timer_list | grep -q .",
    "echo x > /proc/1/exe", "cat /proc/1/environ | tr '\\0' '\\n' | grep -v -E '^(PATH|HOME|PWD|HOSTNAME|SHLVL|_)=' | grep -q .",
    "hostname other", "date -s 2001-01-01; test $(date +%Y) = 2001", "ls /sys/firmware/* 2>/dev/null | grep -q .", "swapoff -a && swapon -a",
    "mknod /dev/sda b 8 0 && head -c1 /dev/sda",
]


def test_what_a_step_may_not_do(step):
    tree = step("; ".join(f"({command}) > /out{i} 2>&1 && echo allowed > /seen{i} || echo refused > /seen{i}"
                          for i, command in enumerate(FORBIDDEN)))
    allowed = {command: tree.text(f"/out{i}") for i, command in enumerate(FORBIDDEN) if tree.text(f"/seen{i}") != "refused\n"}
    assert allowed == {}


def test_no_descriptor_leaks(step, runner):
    reader, writer = os.pipe()
    try:
        tree = step("ls /proc/self/fd | tr '\\n' ' ' > /fds")
    finally:
        os.close(reader)
        os.close(writer)
    assert tree.text("/fds") == "0 1 2 3 "


def test_workdir_in_proc(runner, context, tiny):
    top = context({"Dockerfile": "FROM tiny\nWORKDIR /proc/self/fd/8\nRUN cd ../../../../.. && ls > /listed; cat /etc/hostname\n"})
    result = runner.build(top, "-t", "w:1", "--build-context", f"tiny=oci-layout:{tiny}")
    if result.code == 0:
        host = set(os.listdir("/"))
        listed = set(read_layout(runner.root, "w:1").tree().text("/listed").split())
        assert not (host - {"bin", "dev", "etc", "home", "lib", "proc", "root", "run", "sbin", "sys", "tmp", "usr",
                            "var"}) & listed
    else:
        result.fails("/proc")


@pytest.mark.parametrize("mount", ["type=cache,id=../../../../../../../etc,target=/c", "type=cache,id=/,target=/c",
                                   "type=cache,target=/c,id=a/../../../b"])
def test_cache_ids_do_not_climb(runner, step, mount):
    before = sorted(os.listdir("/etc"))
    tree = step("true", f"RUN --mount={mount} ls /c > /listed; touch /c/planted")
    assert tree.text("/listed") == ""
    assert before == sorted(os.listdir("/etc")) and not os.path.exists("/planted")
    inside = [p for p in runner.folder.rglob("planted")]
    assert inside and all(str(p).startswith(str(runner.root / "cache")) for p in inside)


def test_bind_sources_stay_in_their_root(runner, context, tiny):
    top = context({"Dockerfile": """FROM tiny AS s
RUN ln -s / /link && ln -s ../../../../../etc /up && ln -s /etc/hostname /file
FROM tiny
RUN --mount=type=bind,from=s,source=/link,target=/m ls /m > /top
RUN --mount=type=bind,from=s,source=/up,target=/m ls /m > /etc-of-stage
""", "out": ("link", "/etc")})
    runner.build(top, "-t", "b:1", "--build-context", f"tiny=oci-layout:{tiny}").ok()
    tree = read_layout(runner.root, "b:1").tree()
    assert "link" in tree.text("/top").split()
    assert set(tree.text("/etc-of-stage").split()) <= {"passwd", "group", "hosts", "resolv.conf", "hostname"}
    copied = context({"Dockerfile": "FROM scratch\nCOPY out/passwd /p\n", "out": ("link", "/etc")})
    runner.build(copied, "-t", "c:1").fails("out/passwd")


def test_context_is_never_written(runner, context, tiny):
    top = context({"Dockerfile": "FROM tiny\nRUN --mount=type=bind,target=/c,rw echo x > /c/f; rm -f /c/g; touch /c/new\n",
                   "f": "f", "g": "g"})
    runner.build(top, "-t", "c:1", "--build-context", f"tiny=oci-layout:{tiny}").ok()
    assert sorted(os.listdir(top)) == ["Dockerfile", "f", "g"] and (top / "f").read_text() == "f"


@pytest.mark.parametrize("user", ["4294967296", "-1", "0x0", "1e3", "a:b:c", "4294967295", " ", "root:4294967296"])
def test_strange_users_are_never_root(runner, context, tiny, user):
    top = context({"Dockerfile": f"FROM tiny\nUSER {user}\nRUN id -u\n"})
    runner.build(top, "-t", "u:1", "--build-context", f"tiny=oci-layout:{tiny}").fails("Dockerfile:")


def test_a_replaced_mount_target_hurts_nobody(runner, step, folder):
    victim = folder / "victim"
    victim.mkdir()
    (victim / "y").write_text("kept")
    victim.chmod(0o777)
    step("true", f"RUN --mount=type=tmpfs,target=/x/y sh -c 'mv /x /z; ln -s {victim} /x' || true")
    assert (victim / "y").read_text() == "kept"


def test_a_lot_of_output(runner, context, tiny, count, sanitized):
    size = count(50, 1000)
    top = context({"Dockerfile": f"FROM tiny\nRUN dd if=/dev/zero bs=1M count={size} 2>/dev/null | tr '\\0' 'x'\nRUN true\n"})
    with open(runner.folder / "output", "wb") as out:
        process = runner.start("build", "--progress", "plain", "-t", "o:1", "--build-context", f"tiny=oci-layout:{tiny}",
                               top, stdout=out, stderr=out)
        peak = 0
        while process.poll() is None:
            try:
                text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                peak = max([peak] + [int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")])
            except OSError:
                pass
            time.sleep(0.02)
    assert process.returncode == 0
    assert (runner.folder / "output").stat().st_size >= size << 20, "nothing is clipped"
    if not sanitized:
        assert peak < 64 << 10, f"{peak} KiB resident"


@pytest.mark.parametrize("number, trap", [(signal.SIGINT, ""), (signal.SIGTERM, ""), (signal.SIGINT, "trap '' INT TERM; ")],
                         ids=["INT", "TERM", "ignored"])
def test_a_signal_ends_all_of_it(runner, context, tiny, number, trap):
    top = context({"Dockerfile": f"FROM tiny\nRUN {trap}echo started; sleep 300 & sleep 300\n"})
    process = runner.start("build", "--progress", "plain", "-t", "i:1", "--build-context", f"tiny=oci-layout:{tiny}", top)
    assert processes.wait_until(lambda: "sleep" in processes.descendants(process.pid).values())
    begin = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, (out + err).decode()
    assert time.monotonic() - begin < 30
    runner.build(top.parent / "context0", "-t", "i:2", "--target", "nosuch").fails("nosuch")


def test_sigkill_leaves_nothing_running(runner, context, tiny, count):
    top = context({"Dockerfile": "FROM tiny\nRUN echo 1 > /1\nRUN trap '' HUP TERM; sleep 1; echo 2 > /2\n"})
    runner.unfinished_allowed = True
    options = ["--progress", "plain", "-t", "k:1", "--build-context", f"tiny=oci-layout:{tiny}"]
    for number in range(count(5, 200)):
        process = runner.start("build", *options, top)
        time.sleep(0.02 * (number % 25))
        process.kill()
        process.communicate(timeout=20)
        assert processes.wait_until(lambda: not processes.descendants()), processes.descendants()
    assert processes.mounts(runner.folder) == []
    runner.build(top, *options).ok()
    assert read_layout(runner.root, "k:1").verify().tree().text("/2") == "2\n"
    runner("fsck").ok()


def test_a_killed_helper_ends_the_step_alone(runner, context, tiny):
    """As the kernel does when memory runs out: pid 1 of the step is gone, all of the step with it, and slipway says so."""
    top = context({"Dockerfile": "FROM tiny\nRUN echo 1 > /1\nRUN sleep 100 & sleep 101\n"})
    options = ["--progress", "plain", "-t", "h:1", "--build-context", f"tiny=oci-layout:{tiny}"]
    process = runner.start("build", *options, top)
    assert processes.wait_until(lambda: list(processes.descendants(process.pid).values()).count("sleep") == 2)
    parents = {pid: parent for pid, (parent, _, _) in processes.table().items()}
    sleeper = next(pid for pid, name in processes.descendants(process.pid).items() if name == "sleep")
    # Up to the first process of the step's own pid namespace.
    def space(pid):
        return os.readlink(f"/proc/{pid}/ns/pid")

    first = sleeper
    while parents[first] != process.pid and space(parents[first]) == space(sleeper):
        first = parents[first]
    os.kill(first, signal.SIGKILL)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1 and "Dockerfile:3:1" in err.decode(), err.decode()
    assert not processes.descendants()
    runner.unfinished_allowed = True
    (top / "Dockerfile").write_text("FROM tiny\nRUN echo 1 > /1\nRUN echo 2 > /2\n")
    assert "CACHED" in runner.build(top, *options).ok().err
    runner("fsck").ok()


def test_run_passes_code_signals_and_streams(runner, context, tiny):
    top = context({"Dockerfile": "FROM tiny\nENV A=image\nCMD [\"sh\", \"-c\", \"echo $A; exit 7\"]\n"})
    runner.build(top, "-t", "r:1", "--build-context", f"tiny=oci-layout:{tiny}").ok()
    default = runner("run", "r:1")
    assert (default.code, default.out) == (7, "image\n")
    assert runner("run", "-e", "A=cli", "r:1").out == "cli\n"
    assert runner("run", "r:1", "sh", "-c", "echo err >&2; exit 0").ok().err.endswith("err\n")
    assert runner("run", "-i", "r:1", "cat", stdin="through").ok().out == "through"
    assert runner("run", "--entrypoint", "echo", "r:1", "a", "b").ok().out == "a b\n"
    assert runner("run", "r:1", "/no/such").code == 127
    assert runner("run", "r:1", "/etc/passwd").code == 126
    assert runner("run", "nosuchimage.invalid/x:1").code == 125
    # docker's codes (docker-run(1), Exit Status), save that wrong usage is 2 in every command of slipway
    assert runner("run", "-u", "nobody-knows", "r:1", "true").code == 125
    assert runner("run", "-v", "/no/such/folder:/x", "r:1", "true").code == 125
    assert runner("run", "--no-such-option", "r:1").code == 125
    assert runner("run", "r:1", "sh", "-c", "exit 2").code == 2
    process = runner.start("run", "r:1", "sh", "-c", "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    out, _ = process.communicate(timeout=20)
    assert (out, process.returncode) == (b"got\n", 9)


def test_two_containers_on_one_port(runner, context, tiny):
    top = context({"Dockerfile": "FROM tiny\nRUN mkdir /www\nEXPOSE 3000\n"
                                 "CMD [\"sh\", \"-c\", \"echo $NAME > /www/index.html; exec httpd -f -p 3000 -h /www\"]\n"})
    runner.build(top, "-t", "web:1", "--build-context", f"tiny=oci-layout:{tiny}").ok()
    ports = [free_port(), free_port()]
    running = [runner.start("run", "-e", f"NAME=number{n}", "-p", f"{port}:3000", "web:1")
               for n, port in enumerate(ports)]
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def page(port):
            try:
                with opener.open(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                    return answer.read()
            except OSError:
                return None
        for n, port in enumerate(ports):
            assert processes.wait_until(lambda port=port: page(port)) == b"number%d\n" % n
    finally:
        for process in running:
            process.terminate()
        codes = [process.wait(20) for process in running]
    assert set(codes) <= {0, 143}


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.parametrize("fixture", ["slipway", "slipway_user"])
def test_apt_get_install(request, fixture, context, debian_base):
    slipway = request.getfixturevalue(fixture)
    top = context({"Dockerfile": """FROM debian
RUN apt-get update && apt-get install -y --no-install-recommends libcap2-bin && rm -rf /var/lib/apt/lists/*
RUN cp /bin/true /capable && setcap cap_net_raw+ep /capable && getcap /capable > /seen
RUN su nobody -s /bin/sh -c 'id -un > /tmp/who'
"""})
    slipway.build(top, "-t", "apt:1", "--build-context", f"debian=oci-layout:{debian_base}", timeout=280).ok()
    tree = read_layout(slipway.root, "apt:1").verify().tree()
    assert "cap_net_raw=ep" in tree.text("/seen") and tree.text("/tmp/who") == "nobody\n"
    assert tree["capable"].xattrs["security.capability"] == capability([13])
    assert tree["usr/bin/su"].mode == 0o4755
    assert tree.follow("/sbin/setcap").kind == "file"


@pytest.mark.slow
@pytest.mark.root
def test_apt_get_install_with_one_id(slipway_single, context, debian_base):
    """The owners that packages ask for are in the layer."""
    top = context({"Dockerfile": """FROM debian
RUN apt-get update && apt-get install -y --no-install-recommends openssh-client && rm -rf /var/lib/apt/lists/*
RUN useradd -m app && stat -c %U:%G /home/app > /seen
"""})
    slipway_single.build(top, "-t", "apt:1", "--build-context", f"debian=oci-layout:{debian_base}", timeout=280).ok()
    tree = read_layout(slipway_single.root, "apt:1").verify().tree()
    groups = dict(line.split(":")[0:3:2] for line in tree.text("/etc/group").splitlines())
    assert (tree["usr/bin/ssh-agent"].gid, tree["usr/bin/ssh-agent"].mode) == (int(groups["_ssh"]), 0o2755)
    assert tree.text("/seen") == "app:app\n" and tree["home/app"].gid == int(groups["app"])


@pytest.mark.root
def test_state_folder_of_somebody_else(slipway, slipway_user, context):
    top = context({"Dockerfile": "FROM scratch\nLABEL a=1\n"})
    slipway.build(top, "-t", "a:1").ok()
    slipway.root.chmod(0o777)
    slipway_user.build(top, "-t", "a:1", env={"SLIPWAY_ROOT": str(slipway.root)}).fails(str(slipway.root))
    slipway.build(top, "-t", "a:2").fails(str(slipway.root))
    slipway.root.chmod(0o700)
    slipway.build(top, "-t", "a:2").ok()

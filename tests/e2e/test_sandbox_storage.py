"""State folders on file systems that take no overlay: a whole root a stage instead, and the same images."""
import errno
import json
import os
import shutil
import subprocess

import pytest

from helpers import processes, refusing
from helpers.images import read_layout

pytestmark = pytest.mark.root

USERS = {"slipway": "root", "slipway_user": "rootless-subuid", "slipway_single": "rootless-single"}


def users(*usual):
    """All of them; those that are not named here with --soak alone."""
    return pytest.mark.parametrize("user", [u if u in usual else pytest.param(u, marks=pytest.mark.soak) for u in USERS])


STEPS = """FROM tiny AS first
RUN mkdir -p /srv/app/deep/er && echo 1 > /srv/app/f && chown -R 1000:4 /srv/app && chmod 775 /srv/app && chmod 600 /srv/app/f
RUN ln /srv/app/f /srv/app/hard && ln -s ../f /srv/app/deep/link && mkfifo /srv/app/pipe && cp /bin/busybox /setuid && chmod 4755 /setuid
COPY --chown=1000:4 f /srv/app/copied
RUN mv /srv/app/deep /srv/deep && rm -r /home && mkdir /home && echo x >> /etc/passwd && touch /etc/made && chmod 700 /etc/made
RUN chown -h 7:8 /srv/deep/link && mkdir /srv/group && chown 5:6 /srv/group && chmod 2775 /srv/group && mv /srv/deep /srv/deeper
RUN touch /srv/group/f && mkdir /srv/group/d && mv /srv/deeper /srv/deep
RUN --mount=type=bind,source=d,target=/not/in/the/image,rw --mount=type=tmpfs,target=/t --mount=type=cache,target=/root/c \\
    --mount=type=bind,source=d/sub,target=/opt/ro echo gone > /not/in/the/image/new && ls -R /not/in/the/image /opt/ro > /t/x && \\
    cp /t/x /from-mounts && cp /from-mounts /root/c/kept && (echo no > /opt/ro/y) 2>> /from-mounts; echo $? >> /from-mounts
RUN --mount=type=cache,target=/root/c --mount=type=secret,id=s cat /root/c/kept /run/secrets/s | md5sum > /sum
RUN echo changed >> /etc/hosts; echo changed > /etc/hostname; touch /dev/x /dev/shm/y; mkdir /proc/x 2>/dev/null; true
RUN touch -d '2001-02-03 04:05:06' /old && chown 7:8 /old && rm /srv/app/hard && : > /srv/app/hard
FROM tiny AS second
RUN rm -rf /usr/share /var/spool; ls / > /listed
COPY --from=first /srv /srv
RUN --mount=from=first,target=/y,rw --mount=from=first,source=/srv/deep,target=/z touch /y/new /y/srv/app/new && \\
    ls /y /z > /seen && cp /y/srv/app/f /f && chown 3:4 /srv
RUN ls /proc/self/fd > /dev/null && test ! -e /y && test ! -e /not && readlink /proc/self/ns/pid > /dev/null
"""


WANTED = {}  # made by the first test that needs it


def comparable(tree):
    return {path: (e.kind, e.mode, e.uid, e.gid, e.digest, e.link, e.xattrs) for path, e in tree.items()}


@pytest.fixture
def overlaid(folder):
    """A folder on an overlay, where there can be no upper side of another one."""
    parts = [folder / f"overlay-{name}" for name in ("lower", "upper", "work", "merged")]
    for part in parts:
        part.mkdir(mode=0o755)
    lower, upper, work, merged = parts
    subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", "overlay", merged],
                   check=True)
    yield merged
    subprocess.run(["umount", "-l", merged], check=True)


@pytest.fixture
def fused(folder):
    """A folder on a FUSE file system."""
    if not os.path.exists("/dev/fuse") or not shutil.which("bindfs"):
        pytest.skip("needs: /dev/fuse and the package bindfs")
    source, mounted = folder / "fuse-source", folder / "fuse"
    source.mkdir(mode=0o755)
    mounted.mkdir(mode=0o755)
    serving = subprocess.Popen(["bindfs", "-f", "-o", "allow_other,use_ino", source, mounted])
    processes.servers.add(serving.pid)
    assert processes.wait_until(lambda: os.path.ismount(mounted))
    yield mounted
    subprocess.run(["umount", "-l", mounted], check=True)
    serving.wait(30)


@pytest.fixture
def in_memory(folder):
    """in_memory(size): a folder on a tmpfs of that size."""
    mounted = []

    def make(size):
        place = folder / "tmpfs"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", place], check=True)
        mounted.append(place)
        return place

    yield make
    for place in mounted:
        subprocess.run(["umount", "-l", place], check=True)


def settle(slipway, place):
    """Lets the state folder of a runner be in the place."""
    slipway.root = place / "state"
    slipway.root.mkdir()
    slipway.give(slipway.root)
    slipway.env["SLIPWAY_ROOT"] = str(slipway.root)
    return slipway


def build_steps(slipway, context, folder, tiny):
    (folder / "secret").write_text("s3cret")
    (folder / "secret").chmod(0o644)
    top = context({"Dockerfile": STEPS, "f": "f\n", "d/in": "1\n", "d/sub/deep": "2\n"})
    trees = {}
    for target in ("first", "second"):
        slipway.build(top, "-t", f"m:{target}", "--target", target, "--build-context", f"tiny=oci-layout:{tiny}",
                      "--secret", f"id=s,src={folder}/secret").ok()
        trees[target] = comparable(read_layout(slipway.root, f"m:{target}").verify().tree())
    return trees


@pytest.fixture
def wanted(slipway, context, folder, tiny):
    """The images of the mode root on an ordinary disk."""
    if not WANTED:
        other = slipway.other(SLIPWAY_SANDBOX="root", SLIPWAY_STORAGE="overlay")
        WANTED.update(build_steps(other, context, folder, tiny))
    return WANTED


def assert_same(ours, wanted):
    for target, tree in wanted.items():
        assert tree and {p: (ours[target].get(p), tree.get(p)) for p in {*ours[target], *tree}
                         if ours[target].get(p) != tree.get(p)} == {}


@users(*USERS)
def test_the_same_images_on_an_overlay(request, overlaid, wanted, user, context, folder, tiny):
    slipway = settle(request.getfixturevalue(user), overlaid)
    assert_same(build_steps(slipway, context, folder, tiny), wanted)
    shown = slipway("doctor").ok().out
    row = json.loads(slipway("doctor", "--json").ok().out)
    used = {m["mode"]: m for m in row["modes"]}[USERS[user]]
    assert row["mode"] == USERS[user] and used["works"] and used["storage"] == "copy", row
    assert "Invalid argument" in used["storageReason"] and "is an overlay itself" in used["remedy"], row
    assert "storage: copy" in shown and "SLIPWAY_ROOT" in shown, shown


@users("slipway_single")
def test_the_same_images_on_fuse(request, fused, wanted, user, context, folder, tiny):
    slipway = settle(request.getfixturevalue(user), fused)
    trees = build_steps(slipway, context, folder, tiny)
    # docs/sandbox.md: the owner of a link is lost there with one id.
    links = {target: tree["srv/deep/link"] for target, tree in trees.items()}
    assert all(link[:2] + link[4:] == wanted[target]["srv/deep/link"][:2] + wanted[target]["srv/deep/link"][4:] for target, link in links.items())
    assert_same(trees, {target: {**tree, "srv/deep/link": links[target]} for target, tree in wanted.items()})
    assert "is on FUSE" in slipway("doctor").ok().out


@users("slipway", "slipway_single")
def test_the_same_images_in_memory(request, in_memory, wanted, user, context, folder, tiny):
    """What SLIPWAY_ROOT can name where the disk takes no overlay: a tmpfs takes one."""
    slipway = settle(request.getfixturevalue(user), in_memory("256m"))
    assert_same(build_steps(slipway, context, folder, tiny), wanted)
    row = json.loads(slipway("doctor", "--json").ok().out)
    assert {m["mode"]: m for m in row["modes"]}[USERS[user]]["storage"] == "overlay", row


@users("slipway", "slipway_single")
def test_a_tmpfs_that_is_too_small(request, in_memory, user, context, folder, tiny):
    """The step fails with the reason, nothing of it stays, and smaller ones go on."""
    slipway = settle(request.getfixturevalue(user), in_memory("16m"))
    options = ["--build-context", f"tiny=oci-layout:{tiny}"]
    top = context({"Dockerfile": "FROM tiny\nRUN dd if=/dev/zero of=/big bs=1M count=64\n", "small": "FROM tiny\nRUN echo 1 > /f\n"})
    slipway.build(top, *options).fails("Dockerfile:2:1", "No space left on device")
    slipway.build(top, "-f", top / "small", "-t", "m:1", *options).ok()
    assert read_layout(slipway.root, "m:1").verify().tree().text("/f") == "1\n"


@users("slipway_user")
def test_a_storage_that_is_asked_for(request, user, context, folder, tiny, overlaid):
    slipway = request.getfixturevalue(user)
    top = context({"Dockerfile": "FROM tiny\nRUN grep ' / ' /proc/mounts | cut -d' ' -f3 > /kind\n"})
    options = ["--build-context", f"tiny=oci-layout:{tiny}", "--no-cache"]
    kinds = {}
    for storage in (None, "auto", "overlay", "copy"):
        slipway.build(top, "-t", "k:1", *options, env={"SLIPWAY_STORAGE": storage}).ok()
        kinds[storage] = read_layout(slipway.root, "k:1").verify().tree().text("/kind").strip()
    assert kinds.pop("copy") not in ("overlay", ""), "the root of the step is a folder of the state folder's file system"
    assert set(kinds.values()) == {"overlay"}
    slipway.build(top, env={"SLIPWAY_STORAGE": "tape"}).fails("unknown storage \"tape\"", "auto, overlay, copy", code=2)
    # What was asked for is taken, or nothing.
    refused = settle(slipway, overlaid)
    refused.build(top, *options, env={"SLIPWAY_STORAGE": "overlay", "SLIPWAY_SANDBOX": USERS[user]}).fails(
        "no sandbox mode works", "mount the overlay of the step: Invalid argument", "is an overlay itself")


@users("slipway_user")
def test_a_state_folder_that_moves(request, overlaid, user, context, tiny, folder):
    """As a CI's cache does: what was found out about the disk it was on does not hold."""
    slipway = request.getfixturevalue(user)
    top = context({"Dockerfile": "FROM tiny\nRUN echo 1 > /f\n", "Next": "FROM tiny\nRUN echo 1 > /f\nRUN cat /f > /g\n"})
    options = ["--build-context", f"tiny=oci-layout:{tiny}"]
    slipway.build(top, "-t", "m:1", *options).ok()
    before = slipway.root
    settle(slipway, overlaid)
    subprocess.run(["cp", "-a", f"{before}/.", slipway.root], check=True)
    shutil.rmtree(slipway.root / "layers")
    slipway.build(top, "-f", f"{top}/Next", "-t", "m:2", *options).ok()
    assert read_layout(slipway.root, "m:2").verify().tree().text("/g") == "1\n"


@users("slipway_single")
def test_a_container_on_a_copy(request, overlaid, user, context, tiny):
    """slipway run: a root that is read-only, a volume, a network of its own."""
    slipway = settle(request.getfixturevalue(user), overlaid)
    top = context({"Dockerfile": "FROM tiny\nCMD [\"cat\", \"/etc/passwd\"]\n", "v/f": "volume\n"})
    slipway.build(top, "-t", "c:1", "--build-context", f"tiny=oci-layout:{tiny}").ok()
    assert "root:" in slipway("run", "c:1").ok().out
    shown = slipway("run", "--read-only", "-v", f"{top}/v:/in/side:ro", "--network", "none", "c:1", "sh", "-c",
                    "cat /in/side/f; touch /x 2>/dev/null || echo no; ls /sys/class/net")
    assert shown.ok().out == "volume\nno\nlo\n"


@users("slipway_user")
def test_two_builds_at_once(request, overlaid, user, context, tiny):
    slipway = settle(request.getfixturevalue(user), overlaid)
    builds = []
    for i in range(2):
        top = context({"Dockerfile": f"FROM tiny\nRUN echo {i} > /one && mkdir /d{i}\nRUN cat /one > /two && rm /one\n"})
        builds.append(slipway.start("build", top, "-t", f"b:{i}", "--build-context", f"tiny=oci-layout:{tiny}"))
    for i, process in enumerate(builds):
        _, err = process.communicate(timeout=250)
        assert process.returncode == 0, err
        tree = read_layout(slipway.root, f"b:{i}").verify().tree()
        assert tree.text("/two") == f"{i}\n" and f"d{i}" in tree and f"d{1 - i}" not in tree and "one" not in tree


@users("slipway_user")
def test_a_killed_build_leaves_nothing(request, overlaid, user, context, tiny):
    slipway = settle(request.getfixturevalue(user), overlaid)
    top = context({"Dockerfile": "FROM tiny\nRUN chown 5:5 /home; (setsid sleep 4321 &); trap '' TERM; touch /started; sleep 4321\n",
                   "Next": "FROM tiny\nRUN true\n"})
    options = ["--build-context", f"tiny=oci-layout:{tiny}"]
    build = slipway.start("build", top, *options)
    assert processes.wait_until(lambda: list(slipway.root.glob("ingest/run-*/root/started")), 60)
    started = list(slipway.root.glob("ingest/run-*/root/started"))[0]
    build.kill()
    build.communicate()
    assert processes.wait_until(lambda: not holders(started)), holders(started)
    slipway.build(top, "-f", f"{top}/Next", *options).ok()
    assert not list(slipway.root.glob("ingest/run-*"))
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        assert str(slipway.root) not in mounts.read()


def holders(path):
    """Processes whose root has the file."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.samestat(os.stat(f"/proc/{process}/root/started"), os.stat(path)):
                found.append(process)
        except OSError:
            pass
    return found


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPERM, errno.EINVAL, errno.EUSERS, errno.ENOSYS],
                         ids=lambda n: errno.errorcode[n])
def test_a_user_for_whom_unshare_fails(slipway_user, number, context, tiny):
    """There is nothing less to fall back to: RUN is refused, with the reason; all else works."""
    becoming = ["/usr/bin/setpriv", f"--reuid={slipway_user.entry.pw_uid}", f"--regid={slipway_user.entry.pw_gid}", "--clear-groups"]

    def run(*arguments):
        return subprocess.run(refusing.unshare(number, *becoming, slipway_user.binary, *arguments), env=slipway_user.env,
                              check=False, capture_output=True, text=True, cwd=slipway_user.folder)

    shown = run("doctor")
    assert shown.returncode == 0 and "Sandbox for RUN: none" in shown.stdout and os.strerror(number) in shown.stdout, shown
    top = context({"Dockerfile": "FROM tiny\nCOPY Dockerfile /f\n", "R": "FROM tiny\nRUN true\n"})
    options = ["--build-context", f"tiny=oci-layout:{tiny}", str(top)]
    assert run("build", *options).returncode == 0
    refused = run("build", "-f", f"{top}/R", *options)
    assert refused.returncode == 1 and "no sandbox mode works" in refused.stderr and os.strerror(number) in refused.stderr


def test_where_the_kernel_gives_no_user_namespaces(slipway):
    """The setting is that of a user namespace: those inside it get ENOSPC, as on Fargate."""
    shown = subprocess.run(
        ["unshare", "-U", "-r", "sh", "-c", "echo 0 > /proc/sys/user/max_user_namespaces && "
         "echo 0 > /proc/sys/user/max_mnt_namespaces && exec \"$0\" doctor", slipway.binary],
        env=slipway.env, capture_output=True, text=True, check=True).stdout
    assert "Sandbox for RUN: chroot" in shown and shown.count("No space left on device") == 3, shown
    assert "sysctl -w user.max_user_namespaces" in shown

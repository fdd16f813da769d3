"""The sandbox mode chroot against the mode root: the same images. What containers add is in test_containers.py."""
import errno
import os
import subprocess
import sys

import pytest

from helpers import processes, refusing
from helpers.images import read_layout

pytestmark = pytest.mark.root

STEPS = """FROM debian AS first
RUN useradd -m app && groupadd -g 777 team && usermod -aG team app && install -d -o app -g team -m 2775 /srv/app
COPY --chown=app:team f /srv/app/f
USER app
WORKDIR /srv/app
RUN cp f copy && mkdir -p deep/er && ln -s ../f deep/link && ln f hard && mkfifo pipe && id > who
USER root
RUN cp /bin/true /setuid && chmod 4755 /setuid && cp /bin/true /setgid && chgrp team /setgid && chmod 2755 /setgid
RUN mv /srv/app/deep /srv/deep && rm -r /usr/share/common-licenses && find /usr/bin -newer /etc/hostname -type f | head -n 0
RUN --mount=type=bind,source=f,target=/mnt/f --mount=type=tmpfs,target=/mnt/t --mount=type=cache,target=/mnt/c \\
    cp /mnt/f /mnt/t/x && cp /mnt/t/x /from-mounts && cp /mnt/f /mnt/c/kept
RUN --mount=type=cache,target=/mnt/c --mount=type=secret,id=s cat /mnt/c/kept /run/secrets/s | md5sum > /sum
RUN perl -e 'print "perl\\n"' > /perl && bash -c 'cat <(echo substituted)' > /bash && sed -i s/perl/PERL/ /perl
RUN (setsid sleep 900 >/dev/null 2>&1 &) ; awk '/MemTotal/ {print ($2 > 0)}' /proc/meminfo > /memory
RUN find / -xdev -path '/proc/sys/*' > /dev/null && du -s /proc/sys > /dev/null && test -d /proc/sys/vm
RUN tar -C /etc -cf /t.tar passwd group && mkdir /x && tar -C /x -xf /t.tar && rm /t.tar
FROM debian AS second
COPY --from=first /srv /srv
RUN --mount=from=first,source=/x,target=/y cp /y/passwd /passwd && chown 65534:7 /passwd && touch -d 2001-02-03T04:05:06Z /passwd
RUN rm -rf /srv/app/copy /var/lib/dpkg/info && : > /etc/hosts && mkdir /dev/x 2>/dev/null; ls /srv > /listed
"""


def comparable(tree):
    """What does not depend on the clock."""
    return {path: (e.kind, e.mode, e.uid, e.gid, e.digest, e.link, e.xattrs) for path, e in tree.items()
            if path not in ("etc/shadow", "etc/shadow-")}


def test_the_same_image_as_in_mode_root(slipway, context, debian_base, folder):
    (folder / "secret").write_text("s3cret")
    top = context({"Dockerfile": STEPS, "f": "f\n"})
    trees = {}
    for mode in ("root", "chroot"):
        other = slipway.other(SLIPWAY_SANDBOX=mode)
        for target in ("first", "second"):
            other.build(top, "-t", f"m:{target}", "--target", target, "--build-context", f"debian=oci-layout:{debian_base}",
                        "--secret", f"id=s,src={folder}/secret", timeout=280).ok()
            trees[mode, target] = comparable(read_layout(other.root, f"m:{target}").verify().tree())
    for target in ("first", "second"):
        ours, wanted = trees["chroot", target], trees["root", target]
        assert {p: (ours.get(p), wanted.get(p)) for p in {*ours, *wanted} if ours.get(p) != wanted.get(p)} == {}


LINKS = """FROM debian
RUN mkdir -p /var/log/nginx /logs /made && cd /var/log/nginx && ln -sf /dev/stdout access.log && ln -s ../../../dev/stderr error.log && \\
    ln -s access.log again.log && ln -s /var/log/nginx /logs/there && ln -s /dev/fd/1 one && ln -s /proc/self/fd fds && \\
    ln -s /proc/self/status status && ln -s /made/new dangling && ln -s loop loop && ln -s /proc p && ln -sf ../proc/self/mounts /etc/mtab
RUN echo absolute >> /var/log/nginx/access.log && echo error > /var/log/nginx/error.log
RUN cd /var/log/nginx && echo relative > access.log && echo between > /logs/there/again.log && echo one > ./one && echo up > ../nginx/one
RUN (cd /var/log && echo caught >> nginx/again.log && echo by-fd >> /logs/there/../nginx/one) > /caught && echo made > /var/log/nginx/dangling
RUN grep -c ^Name /var/log/nginx/status > /read; ls /var/log/nginx/fds/ | head -n 1 >> /read; cd /usr && head -c 4 ../proc/self/stat > /dev/null && \\
    test -r /var/log/nginx/p/ && head -n 1 /etc/mtab > /dev/null
RUN stat -c '%N %F' /var/log/nginx/* > /seen; readlink /var/log/nginx/error.log >> /seen; cat /var/log/nginx/loop 2>> /seen; \\
    perl -MFcntl -e 'print sysopen(F, $_, O_CREAT|O_EXCL|O_WRONLY) ? "made" : $!, "\\n" for "/var/log/nginx/access.log", "/dev/stdout"' >> /seen
RUN su nobody -s /bin/sh -c 'echo nobody > /var/log/nginx/access.log' 2>> /seen; chmod 700 /logs; \\
    su nobody -s /bin/sh -c 'echo closed > /logs/there/again.log' 2> /refused || echo refused >> /seen
RUN touch /w && chown 5:6 /dev/stdout > /w && chmod 640 /dev/fd/1 >> /w && chmod 777 /dev/stdout /dev/stderr && chown nobody /dev/stdout /dev/stderr
RUN touch /x && chown 7:8 /var/log/nginx/access.log > /x && (cd /var/log/nginx && chmod 604 one) > /x && chown -h 9:10 /var/log/nginx/access.log
RUN touch /y && chmod 666 /y && su nobody -s /bin/sh -c 'chown nobody /dev/stdout > /y || echo refused >> /seen; chmod 700 /dev/stdout > /y' || echo refused >> /seen
"""


def test_links_to_descriptors_and_proc(slipway, context, debian_base):
    """The logs of servers are such links."""
    top = context({"Dockerfile": LINKS})
    trees, shown = {}, {}
    for mode in ("root", "chroot"):
        other = slipway.other(SLIPWAY_SANDBOX=mode)
        shown[mode] = other.build(top, "-t", "m:1", "--build-context", f"debian=oci-layout:{debian_base}", timeout=280).ok().err
        trees[mode] = comparable(read_layout(other.root, "m:1").verify().tree())
        for word in ("absolute", "error", "relative", "between", "one", "up"):
            assert any(line.split()[-1:] == [word] for line in shown[mode].splitlines()), (mode, word, shown[mode])
    ours, wanted = trees["chroot"], trees["root"]
    assert {p: (ours.get(p), wanted.get(p)) for p in {*ours, *wanted} if ours.get(p) != wanted.get(p)} == {}
    assert (ours["w"][1:4], ours["x"][1:4]) == ((0o640, 5, 6), (0o604, 7, 8)) and ours["var/log/nginx/access.log"][2:4] == (9, 10)


@pytest.mark.slow
def test_apt_get_install(slipway, context, debian_base):
    top = context({"Dockerfile": """FROM debian
RUN apt-get update && apt-get install -y --no-install-recommends libcap2-bin openssh-client && rm -rf /var/lib/apt/lists/*
RUN cp /bin/true /capable && setcap cap_net_raw+ep /capable && getcap /capable > /seen
RUN su nobody -s /bin/sh -c 'id -un > /tmp/who'
"""})
    slipway.build(top, "-t", "apt:1", "--build-context", f"debian=oci-layout:{debian_base}", timeout=280,
                  env={"SLIPWAY_SANDBOX": "chroot"}).ok()
    tree = read_layout(slipway.root, "apt:1").verify().tree()
    assert "cap_net_raw=ep" in tree.text("/seen") and tree.text("/tmp/who") == "nobody\n"
    groups = dict(line.split(":")[0:3:2] for line in tree.text("/etc/group").splitlines())
    assert tree["usr/bin/ssh-agent"].gid == int(groups["_ssh"]) and tree["usr/bin/ssh-agent"].mode == 0o2755


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPERM, errno.EINVAL, errno.EUSERS, errno.ENOSYS],
                         ids=lambda n: errno.errorcode[n])
def test_whatever_unshare_says_means_not_here(slipway, number):
    shown = subprocess.run(refusing.unshare(number, slipway.binary, "doctor"), env=slipway.env,
                           capture_output=True, text=True, check=True).stdout
    assert "Sandbox for RUN: chroot" in shown and os.strerror(number) in shown


# A listener of the program's own, for a call that nobody makes: the kernel takes no second one.
SUPERVISED = """
import ctypes, os, struct, sys
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 0x7fff), (0x06, 0, 0, 0x7fc00000), (0x06, 0, 0, 0x7fff0000)]
program = b"".join(struct.pack("HBBI", *i) for i in code)
held = ctypes.create_string_buffer(program)
libc = ctypes.CDLL(None, use_errno=True)
filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(held)))
assert libc.prctl(38, 1, 0, 0, 0) == 0
listener = libc.syscall({"x86_64": 317, "aarch64": 277}[os.uname().machine], 1, 8, filter_)
assert listener >= 0
os.set_inheritable(listener, True)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_container_that_is_supervised_itself(slipway, context, tiny):
    """Steps run there, without a /proc."""
    top = context({"Dockerfile": "FROM tiny\nRUN ls -A /proc > /seen; id -u > /id; chroot / true 2> /refused || true\n"})
    done = subprocess.run([sys.executable, "-c", SUPERVISED, slipway.binary, "build", "-t", "m:1", "--build-context", f"tiny=oci-layout:{tiny}", top],
                          env={**slipway.env, "SLIPWAY_SANDBOX": "chroot"}, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    tree = read_layout(slipway.root, "m:1").verify().tree()
    assert tree.text("/seen") == "" and tree.text("/id") == "0\n" and "not permitted" in tree.text("/refused")


def test_builds_with_one_cache_take_turns(slipway, context, tiny):
    top = context({"Dockerfile": "FROM tiny\nARG N\nRUN --mount=type=cache,target=/c test ! -e /c/mine && touch /c/mine && echo $N >> /c/all && sleep 1 && "
                                 "rm /c/mine && wc -l < /c/all > /n\n"})
    builds = [slipway.start("build", "-t", f"m:{n}", "--build-arg", f"N={n}", "--build-context", f"tiny=oci-layout:{tiny}", top,
                            env={"SLIPWAY_SANDBOX": "chroot"}) for n in range(3)]
    for build in builds:
        _, err = build.communicate(timeout=200)
        assert build.returncode == 0, err
    seen = [read_layout(slipway.root, f"m:{n}").verify().tree().text("/n") for n in range(3)]
    assert sorted(seen) == ["1\n", "2\n", "3\n"], "each saw what those before it left"


def test_a_killed_build_leaves_no_process_and_no_secret(slipway, context, tiny, folder):
    slipway.unfinished_allowed = True  # the root is swept by a later process
    (folder / "secret").write_text("s3cret-of-a-killed-build")
    top = context({"Dockerfile": "FROM tiny\nRUN --mount=type=secret,id=s cat /run/secrets/s; trap '' TERM; "
                                 "(setsid sleep 4321 &); touch /started; sleep 4321\n"})
    options = ["--build-context", f"tiny=oci-layout:{tiny}", "--secret", f"id=s,src={folder}/secret"]
    env = {**slipway.env, "SLIPWAY_SANDBOX": "chroot"}
    build = subprocess.Popen([slipway.binary, "build", *options, top], env=env, stderr=subprocess.DEVNULL)
    started = lambda: list(slipway.root.glob("ingest/run-*/root/started"))
    assert processes.wait_until(started, 60)
    root = started()[0].parent
    assert (root / "run/secrets/s").read_text() == "s3cret-of-a-killed-build"
    build.kill()
    build.wait()

    def inside():
        links = [f"/proc/{p}/root" for p in os.listdir("/proc") if p.isdigit()]
        return [link for link in links if os.path.lexists(link) and readable(link).startswith(str(root))]

    def readable(link):
        try:
            return os.readlink(link)
        except OSError:
            return ""

    assert processes.wait_until(lambda: not inside() and not (root / "run/secrets/s").exists())


def test_a_killed_build_removes_its_secret_only_below_the_root(slipway, context, tiny, folder):
    """Though the step has put a link to a folder of the machine where the secret's folder was."""
    slipway.unfinished_allowed = True
    (folder / "secret").write_text("x")
    (folder / "outside").mkdir()
    (folder / "outside/passwd").write_text("of the machine")
    top = context({"Dockerfile": f"FROM tiny\nRUN --mount=type=secret,id=s,target=/run/x/passwd mv /run/x /run/y && ln -s {folder}/outside /run/x && "
                                 "touch /started && sleep 4321\n"})
    build = subprocess.Popen([slipway.binary, "build", "--build-context", f"tiny=oci-layout:{tiny}", "--secret", f"id=s,src={folder}/secret", top],
                             env={**slipway.env, "SLIPWAY_SANDBOX": "chroot"}, stderr=subprocess.DEVNULL)
    assert processes.wait_until(lambda: list(slipway.root.glob("ingest/run-*/root/started")), 60)
    build.kill()
    build.wait()
    assert processes.wait_until(lambda: not processes.descendants())
    assert (folder / "outside/passwd").read_text() == "of the machine"


@pytest.mark.parametrize("command, words", [
    ("RUN --network=none true", "without network"),
    ("RUN --security=insecure true", "privileged"),
])
def test_what_needs_namespaces_is_refused_by_name(slipway, context, tiny, command, words):
    slipway.build(context({"Dockerfile": f"FROM tiny\n{command}\n"}), "--build-context", f"tiny=oci-layout:{tiny}",
                  "--allow", "security.insecure", env={"SLIPWAY_SANDBOX": "chroot"}).fails(words, "slipway doctor")

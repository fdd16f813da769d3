"""RUN for other architectures: through binfmt_misc and qemu-user, each test with a table of emulators of its own."""
import json
import os
import platform
import signal
import subprocess
import time

import pytest

from helpers import binfmt, foreign, processes
from helpers.building import Builder
from helpers.images import Layout, entry, make_tar, read_layout
from helpers.packages import unpacked
from helpers.runner import Slipway
from oci_layout import INDEX

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="needs: a machine that is not arm64 itself")
ARM64 = ["--platform", "linux/arm64"]
ALL_MODES = pytest.mark.parametrize("mode", ["root", "rootless-single"])


@pytest.fixture(scope="session")
def private_tables():
    """Kernels from 6.7 on have a table a user namespace."""
    if os.geteuid() != 0:
        pytest.skip("needs: root")
    probe = ["/usr/bin/env", "BINFMT_ENTRIES=" + binfmt.line("aarch64", "/bin/true", ""), "python3", binfmt.__file__]
    done = subprocess.run([*probe, "/bin/true"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("needs: a kernel from 6.7 on with binfmt_misc: " + done.stderr[-200:])


@pytest.fixture(scope="session")
def qemu():
    """The static emulator, under the name by which it knows that argv[0] comes too (flag P)."""
    return str(unpacked("qemu-user-static", "usr/libexec/qemu-binfmt/aarch64-binfmt-P"))


@pytest.fixture(scope="session")
def tinies(session_folder, tiny):
    """A layout with an index of tiny for this machine and for arm64."""
    folder = session_folder / "images" / "tinies"
    layout = Layout(folder)
    arm = foreign.add_tiny(layout, "arm", tiny, "arm64")
    native = foreign.add_tiny(layout, "native", tiny, "amd64")
    layout.name("tiny", layout.blob(INDEX, json.dumps({
        "schemaVersion": 2, "mediaType": INDEX, "manifests": [native, arm]}).encode()))
    return folder


@pytest.fixture
def table(private_tables, binary, folder):
    """table(lines, switch, hide) makes a slipway that sees only these emulators."""
    made = []

    def make(lines=(), switch="", hide=False, mode=None):
        top = folder / f"table{len(made)}"
        top.mkdir()
        wrapper = top / "slipway"
        wrapper.write_text("#!/bin/sh\nexec python3 '%s' '%s' \"$@\"\n" % (binfmt.__file__, binary))
        wrapper.chmod(0o755)
        slipway = Slipway(wrapper, top / "home", env={
            "BINFMT_ENTRIES": "\n".join(lines), "BINFMT_SWITCH": switch, "BINFMT_HIDE": "1" if hide else "",
            **({"SLIPWAY_SANDBOX": mode} if mode else {})})
        made.append(slipway)
        return slipway

    yield make
    found = [words for slipway in made for words in slipway.leftovers()]
    for slipway in made:
        slipway.remove()
    assert not found, "left behind: " + "; ".join(found)


@pytest.fixture
def builder(table, context, tinies):
    """builder(**as table) -> build() on the image "tiny" of both architectures."""
    def make(*arguments, **options):
        made = Builder(table(*arguments, **options), context, tinies)
        made.options = ["--build-context", f"tiny=oci-layout:{tinies}:tiny"]
        return made
    return make


def fixed(qemu, flags="OPF"):
    return [binfmt.line("aarch64", qemu, flags)]


@ALL_MODES
def test_run_for_another_architecture(builder, qemu, mode):
    build = builder(fixed(qemu), mode=mode)
    built = build("""
        FROM tiny
        RUN uname -m > /machine && echo "$0 $PATH" > /shell
        RUN cat /run/nothing 2> /error; echo $? > /status; (sleep 0.1; echo child) | cat > /child
        RUN --mount=type=tmpfs,target=/t --mount=type=cache,target=/c df /t /c > /mounts && ls -l /proc/self/exe
        RUN grep -E 'Seccomp:|NoNewPrivs|CapEff' /proc/self/status > /confined
        RUN <<EOF
        set -e
        for i in 1 2 3; do echo $i; done > /heredoc
        EOF
        """, {}, *ARM64)
    assert built.text("/machine") == "aarch64\n" and built.document["architecture"] == "arm64"
    assert built.text("/status") == "1\n" and "/run/nothing" in built.text("/error")
    assert built.text("/child") == "child\n" and built.text("/heredoc") == "1\n2\n3\n"
    # The emulator is a program of this machine and runs under the filter all the same.
    assert "Seccomp:\t2" in built.text("/confined")
    build.fails("FROM tiny\nRUN echo before; exit 7\n", "exit code: 7", "before", options=ARM64)


def test_users_of_another_architecture(builder, qemu):
    built = builder(fixed(qemu, "OCPF"))("""
        FROM tiny
        USER app
        RUN id -u > /home/app/id
        USER root
        RUN touch /own && chown 65534 /own && chmod 4755 /usr/bin/busybox
        """, {}, *ARM64)
    assert built.text("/home/app/id") == "1000\n"
    assert built.tree["own"].uid == 65534 and built.tree["usr/bin/busybox"].mode == 0o4755


def test_both_platforms_in_one_build(builder, qemu):
    build = builder(fixed(qemu))
    build("FROM tiny\nARG TARGETARCH\nRUN echo $TARGETARCH $(uname -m) > /machine\n", {}, "--platform",
          "linux/amd64,linux/arm64")
    for arch, machine in (("amd64", "x86_64"), ("arm64", "aarch64")):
        image = read_layout(build.slipway.root, "t1:latest", f"linux/{arch}").verify()
        assert image.tree().text("/machine") == f"{arch} {machine}\n"


def test_a_signal_ends_it(builder, qemu, context):
    build = builder(fixed(qemu))
    top = context({"Dockerfile": "FROM tiny\nRUN echo begun; sleep 1000\n"})
    process = build.slipway.start("build", "--progress", "plain", *build.options, *ARM64, top)
    out = b""
    while b" begun" not in out:
        out += os.read(process.stderr.fileno(), 4096) or pytest.fail(out.decode())
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    process.communicate(timeout=60)
    assert process.returncode == 130 and time.monotonic() - begin < 30
    assert not build.slipway.leftovers()


def test_a_table_that_cannot_be_seen(builder, qemu):
    """In a container the host's emulators work although binfmt_misc is not mounted there."""
    built = builder(fixed(qemu), hide=True)("FROM tiny\nRUN uname -m > /machine\n", {}, *ARM64)
    assert built.text("/machine") == "aarch64\n"


def test_an_emulator_in_the_image(builder, qemu):
    """Without F the kernel looks for the interpreter where the program runs."""
    build = builder([binfmt.line("aarch64", "/emulator/qemu-binfmt-P", "P")])
    with open(qemu, "rb") as f:
        files = {"qemu": f.read()}
    built = build("FROM tiny\nCOPY --chmod=755 qemu /emulator/qemu-binfmt-P\nRUN uname -m > /machine\n", files, *ARM64)
    assert built.text("/machine") == "aarch64\n"
    mounted = build("""
        FROM --platform=$BUILDPLATFORM scratch AS emulator
        COPY --chmod=755 qemu /qemu
        FROM tiny
        RUN --mount=type=bind,from=emulator,source=/qemu,target=/emulator/qemu-binfmt-P uname -m > /machine
        """, files, *ARM64)
    assert mounted.text("/machine") == "aarch64\n"
    build.fails("FROM tiny\nRUN true\n", "Dockerfile:2", "linux/arm64 needs emulation", "qemu-aarch64", "flag F",
                "/emulator/qemu-binfmt-P", "in the image", options=ARM64)


def test_refusals_name_the_remedy(builder, qemu):
    text = "FROM tiny\nRUN true\n"
    builder().fails(text, "Dockerfile:2", "linux/arm64 needs emulation", "linux/amd64", "no emulator is registered",
                    "qemu-user-static", "$BUILDPLATFORM", options=ARM64)
    builder(fixed(qemu), switch="qemu-aarch64=0").fails(
        text, "qemu-aarch64 is registered but disabled", "echo 1 > /proc/sys/fs/binfmt_misc/qemu-aarch64",
        options=ARM64)
    builder(fixed(qemu), switch="status=0").fails(
        text, "binfmt_misc is disabled", "echo 1 > /proc/sys/fs/binfmt_misc/status", options=ARM64)
    builder(hide=True).fails(text, "binfmt_misc is not mounted", "mount -t binfmt_misc", options=ARM64)


def test_no_emulation_for_files_alone(builder):
    built = builder()("FROM tiny\nCOPY f /f\nWORKDIR /w\nUSER app\n", {"f": "f"}, *ARM64)
    assert built.text("/f") == "f" and built.tree["w"].kind == "dir" and built.document["architecture"] == "arm64"


def test_steps_that_are_cached_need_no_emulation(builder, qemu):
    build = builder(fixed(qemu))
    first = build("FROM tiny\nRUN uname -m > /machine\n", {}, *ARM64)
    build.slipway.env["BINFMT_ENTRIES"] = ""
    again = build.again(*ARM64)
    assert again.image.descriptor["digest"] == first.image.descriptor["digest"]


def test_run_of_an_image(builder, qemu):
    build = builder(fixed(qemu))
    build("FROM tiny\nCMD [\"uname\", \"-m\"]\n", {}, "--platform", "linux/amd64,linux/arm64")
    assert build.slipway("run", "t1").ok().out == "x86_64\n"
    assert build.slipway("run", "--platform", "linux/arm64", "t1").ok().out == "aarch64\n"
    build.slipway.env["BINFMT_ENTRIES"] = ""
    refused = build.slipway("run", "--platform", "linux/arm64", "t1")
    refused.fails("the image is for linux/arm64", "no emulator is registered", "qemu-user-static", "exec format error",
                  code=126)


def test_doctor_lists_the_platforms(table, qemu):
    assert "linux/amd64" in table()("doctor").ok().out and "linux/arm64" not in table()("doctor").ok().out
    listed = json.loads(table(fixed(qemu))("doctor", "--json").ok().out)["platforms"]
    assert listed[0] == "linux/amd64" and "linux/arm64" in listed
    # One that has to be in the image is none that always works.
    assert "linux/arm64" not in table(fixed(qemu, "P"))("doctor").ok().out


def test_386_needs_no_emulator(table, context):
    """mov eax, 1; xor ebx, ebx; mov bl, 5; int 0x80"""
    program = foreign.exit_program(3, b"\xb8\x01\x00\x00\x00\x31\xdb\xb3\x05\xcd\x80", wide=False)
    slipway = table()
    layout = Layout(slipway.folder / "base")
    layout.image("base", [make_tar([entry("five", mode=0o755, data=program)])], arch="386")
    top = context({"Dockerfile": "FROM base\nRUN [\"/five\"]\n"})
    slipway.build(top, "--platform", "linux/386", "--build-context", f"base=oci-layout:{layout.folder}",
                  "--progress", "plain").fails("exit code: 5")

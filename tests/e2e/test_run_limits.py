"""RUN's network, security and limits, and the build options that shape them."""
import re

import pytest

from helpers.images import read_layout

# What a step may: docker's 14 capabilities, and all that this kernel knows.
SANDBOX_CAPS = "00000000a80425fb"


@pytest.fixture
def step(build):
    """step(command, *options): what it wrote to /seen."""
    def run(command, *options, flags="", **more):
        built = build(f"FROM tiny\nRUN {flags} ({command}) > /seen\n", {}, *options, **more)
        step.log = built.result.err
        return built.text("/seen")

    return run


def test_networks(step):
    count = "tail -n +3 /proc/net/dev | grep -vc ' lo:' || true"
    with open("/proc/net/dev", encoding="utf-8") as f:
        host = sum(1 for line in f.read().splitlines()[2:] if " lo:" not in f" {line}")
    assert int(step(count, flags="--network=none")) == 0
    assert int(step(count)) == int(step(count, flags="--network=host")) == host
    assert int(step(count, "--network", "none")) == 0
    assert int(step(count, "--network", "none", flags="--network=host")) == host
    assert int(step(count, "--network", "none", flags="--network=default")) == 0
    assert int(step(count, "--network=host", "--allow", "network.host")) == host
    # Loopback is up where it is all there is.
    assert step("ping -c1 -W2 127.0.0.1 > /dev/null && echo up", flags="--network=none") == "up\n"


def test_refused_flags(build):
    for flag, words in {
            "--network=hots": 'network mode "hots" is not valid (did you mean host?)',
            "--network=bridge": 'network mode "bridge" is not valid',
            "--network": "missing a value on flag: --network",
            "--network=none --network=none": "duplicate flag specified: --network",
            "--security=insecur": 'security mode "insecur" is not valid (did you mean insecure?)',
            "--security": "missing a value on flag: --security",
            "--device=vendor.com/gpu": "RUN --device is not supported",
            "--mounts=x": "unknown flag: --mounts (did you mean --mount?)",
    }.items():
        build.fails(f"FROM tiny\nRUN {flag} true\n", "Dockerfile:2:", words)


def test_hosts(step):
    shown = step("cat /etc/hosts", "--add-host", "a:1.2.3.4", "--add-host=b=[fe80::1]", "--add-host", "gw:host-gateway")
    # What docker 20.10 writes, and then ours.
    assert shown == ("127.0.0.1\tlocalhost buildkitsandbox\n::1\tlocalhost ip6-localhost ip6-loopback\n"
                     "1.2.3.4\ta\nfe80::1\tb\n127.0.0.1\tgw\n")
    assert step("hostname; cat /etc/hostname", "--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=other") == "other\nother\n"


def test_limits(step):
    assert step("df -k /dev/shm | tail -1") .split()[1] == "65536"
    assert step("df -k /dev/shm | tail -1; stat -c %a /dev/shm", "--shm-size", "10m").split()[1] == "10240"
    assert step("ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -Hf", "--ulimit", "nofile=100:200", "--ulimit=core=0",
                "--ulimit", "fsize=5:6", "--ulimit", "fsize=2048:4096") == "100\n200\n0\n8\n"
    # So few descriptors that nothing of slipway's own could be open under it.
    assert step("ulimit -n", "--ulimit", "nofile=4", flags="--mount=type=tmpfs,target=/t") == "4\n"


@pytest.mark.root
def test_limits_above_slipways_own(request, context, tiny):
    """Root raises them; another user cannot, is told, and builds on."""
    for fixture in ("slipway", "slipway_user"):
        slipway = request.getfixturevalue(fixture)
        top = context({"Dockerfile": "FROM tiny\nRUN ulimit -Hn > /seen\n"})
        done = slipway.build(top, "-t", "u:1", "--ulimit", "nofile=1000:1048577", "--build-context",
                             f"tiny=oci-layout:{tiny}").ok()
        seen = int(read_layout(slipway.root, "u:1").tree().text("/seen"))
        if seen != 1048577:
            assert seen < 1048577 and re.search("limit nofile stays at [0-9]+", done.err), str(done)


def test_these_options_are_in_the_key(build):
    text = "FROM tiny\nRUN cat /proc/sys/kernel/random/uuid > /seen\n"
    ways = [[], ["--add-host", "a:1.2.3.4"], ["--add-host", "b:1.2.3.4"], ["--ulimit", "nofile=100"],
            ["--shm-size", "1m"], ["--network", "none"]]
    seen = [build(text, {}, *way).text("/seen") for way in ways]
    assert len(set(seen)) == len(ways)
    assert [build(text, {}, *way).text("/seen") for way in ways] == seen
    # The same said otherwise, and what allows but does not change, are hits.
    assert build(text, {}, "--add-host", "a=1.2.3.9").text("/seen") == seen[1]  # the address is the machine's, as with BuildKit
    assert build(text, {}, "--allow", "security.insecure", "--network", "host").text("/seen") == seen[0]


@pytest.mark.parametrize("option, words", [
    (["--add-host", "a"], "want NAME:ADDRESS"),
    (["--add-host", "a:nowhere"], "neither an IP address nor host-gateway"),
    (["--ulimit", "nofiles=1"], "did you mean nofile?"),
    (["--ulimit", "nofile=2:1"], "the soft limit is above the hard one"),
    (["--shm-size", "big"], "--shm-size big"),
    (["--allow", "security.insecur"], "did you mean security.insecure?"),
])
def test_wrong_options(build, option, words):
    build.fails("FROM tiny\nRUN true\n", words, options=option, code=2)


@pytest.mark.parametrize("option", ["--memory=1g", "-m1g", "--cpu-quota=5", "--cpuset-cpus=0", "--cgroup-parent=/x",
                                    "--security-opt=seccomp=unconfined", "--squash", "--isolation=default"])
def test_options_of_docker_that_are_not_here(build, option):
    result = build.fails("FROM tiny\nRUN true\n", "is not supported", options=[option])
    assert "CACHED" not in result.err


def test_the_sandbox_is_the_default(step):
    plain = step("grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status; grep Seccomp: /proc/self/status",
                 flags="--security=sandbox")
    assert plain.split() == ["CapPrm:", SANDBOX_CAPS, "CapEff:", SANDBOX_CAPS, "CapBnd:", SANDBOX_CAPS, "Seccomp:", "2"]
    assert plain == step("grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status; grep Seccomp: /proc/self/status")


@pytest.mark.root
def test_security_insecure(build, step):
    text = "FROM tiny\nRUN true\nRUN --security=insecure touch /ran\n"
    # Nothing runs of a build that is not allowed.
    refused = build.fails(text, "Dockerfile:3", "security.insecure", "--allow security.insecure")
    assert "RUN true" not in refused.err.split("slipway:")[0]
    build.fails("FROM tiny AS a\nONBUILD RUN --security=insecure true\nFROM a\n", "--allow security.insecure")
    # A stage that is not needed asks for nothing.
    build("FROM tiny AS a\nRUN --security=insecure true\nFROM tiny\n")
    allow = ["--allow", "security.insecure"]
    with open("/proc/self/status", encoding="utf-8") as f:
        mine = re.search(r"CapPrm:\s(\w+)", f.read()).group(1)
    seen = step("grep -E 'Cap(Eff|Bnd)' /proc/self/status; grep Seccomp: /proc/self/status", *allow,
                flags="--security=insecure").split()
    # Everything that whoever builds has.
    assert seen == ["CapEff:", mine, "CapBnd:", mine, "Seccomp:", "0"]
    assert step("mkdir /mnt && mount -t tmpfs x /mnt && touch /mnt/f && ls /mnt && mknod /n c 1 3 && echo x > /n && echo opened && "
                "test -w /proc/sys/kernel/hostname && test -b /dev/loop0 && echo writable",
                *allow, flags="--security=insecure") == "f\nopened\nwritable\n"
    assert step("id -u; grep CapEff /proc/self/status", *allow,
                flags="--security=insecure --network=none").split()[0] == "0"
    built = build("FROM tiny\nUSER app\nRUN --security=insecure grep CapEff /proc/self/status > /tmp/seen\n", {}, *allow)
    assert built.text("/tmp/seen").split() == ["CapEff:", "0000000000000000"]
    # The layer holds what the step made, and nothing of its mounts.
    built = build("FROM tiny\nRUN --security=insecure mkdir /mnt && mount -t tmpfs x /mnt && touch /mnt/f /g\n", {}, *allow)
    built.has("g")
    built.lacks("mnt/f", "dev/loop0")


@pytest.mark.root
@pytest.mark.parametrize("fixture", ["slipway_user", "slipway_single"])
def test_security_insecure_needs_root(request, fixture, context, tiny):
    slipway = request.getfixturevalue(fixture)
    top = context({"Dockerfile": "FROM tiny\nRUN --security=insecure true\n"})
    slipway.build(top, "--allow", "security.insecure", "--build-context", f"tiny=oci-layout:{tiny}").fails(
        "sandbox mode root", "Dockerfile:2")


def test_containers_have_limits_too(slipway, build):
    build("FROM tiny\n")
    shown = slipway("run", "--ulimit", "nofile=50", "--shm-size", "1m", "--add-host", "gw:host-gateway", "t1", "sh", "-c",
                    "ulimit -n; df -k /dev/shm | tail -1; grep gw /etc/hosts").ok().out.split()
    assert shown[0] == "50" and shown[2] == "1024" and shown[-2:] == ["127.0.0.1", "gw"]
    slipway("run", "--network", "none", "--add-host", "gw:host-gateway", "t1", "true").fails(
        "only with --network host", code=125)
    slipway("run", "--ulimit", "x", "t1", "true").fails("--ulimit x", code=125)

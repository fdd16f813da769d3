"""Mirrors, registries.conf, proxies, private authorities: where requests go, and what is said when they cannot."""
import contextlib
import errno
import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from helpers.images import read_layout
from helpers.registry import Registry, free_port

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fakes"))
from fault_registry import FaultRegistry  # noqa: E402
from proxy import Proxy  # noqa: E402


@pytest.fixture
def home_registry(slipway):
    """The registry that images belong to."""
    slipway.env.update({"SLIPWAY_TEST_RETRY_MS": "20", "CONTAINERS_REGISTRIES_CONF": "/dev/null"})
    with FaultRegistry() as running:
        yield running


@pytest.fixture
def mirror():
    with FaultRegistry() as running:
        yield running


@pytest.fixture
def image(slipway, context, home_registry, mirror):
    """team/app:1 in its own registry, and as hub/team/app:1 in the mirror."""
    name = f"{home_registry.host}/team/app:1"
    there = f"{mirror.host}/hub/team/app:1"
    slipway.build(context({"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": os.urandom(50000)}), "-q", "-t", name, "-t", there).ok()
    slipway("push", name, there).ok()
    home_registry.state.log.clear()
    mirror.state.log.clear()
    return name


def option(home_registry, mirror):
    return f"--mirror={home_registry.host}={mirror.host}/hub"


def gets(fake):
    return [e["path"] for e in fake.log if e["method"] in ("GET", "HEAD")]


def test_a_mirror_is_asked_first(slipway, image, home_registry, mirror):
    other = slipway.other()
    other("pull", option(home_registry, mirror), image).ok()
    read_layout(other.root, image).verify()
    assert gets(home_registry) == [] and len(gets(mirror)) >= 3
    assert all("/v2/hub/team/app/" in path for path in gets(mirror))


def test_a_build_and_a_copy_use_it(slipway, image, home_registry, mirror, context):
    other = slipway.other()
    top = context({"Dockerfile": f"FROM {image}\nCOPY g /g\n", "g": "g"})
    # What came from the mirror's registry is mounted there, not sent.
    target = f"{mirror.host}/mine/app:1"
    other.build(top, "-t", target, option(home_registry, mirror), "--push").ok()
    assert gets(home_registry) == []
    base = read_layout(slipway.root, image).layers[0]["digest"]
    assert [e for e in mirror.log if e["method"] == "POST" and f"mount={base}" in e["path"] and e["status"] == 201]
    assert not [e for e in mirror.log if e["method"] == "PUT" and base.replace(":", "%3A") in e["path"]]
    slipway.other()("copy", option(home_registry, mirror), image, f"{mirror.host}/mine/copy:1").ok()
    assert gets(home_registry) == []


@pytest.mark.parametrize("rule, words", [
    ({"status": 404}, ["404"]),
    ({"status": 500}, ["500"]),
    ({"status": 429, "headers": {"Retry-After": "300"}}, ["429"]),
    ({"status": 401}, ["401"]),
    ({"path": "/blobs/", "corrupt": 10}, ["digest"]),
    ({"path": "/manifests/sha256", "corrupt": 10}, ["digest"]),
    ({"path": "/blobs/", "status": 404}, ["404"]),
    ({"path": "/blobs/", "truncate": 5}, ["remaining to read"]),
], ids=["404", "500", "429", "401", "corrupt blob", "corrupt manifest", "no blob", "cut"])
def test_26_mirrors_that_fail(slipway, image, home_registry, mirror, rule, words):
    """The next place is asked, soon, and the mirror is named."""
    mirror.rule(**{"method": "GET", "path": "", "times": -1, **rule})
    if "path" not in rule:
        mirror.rule(method="HEAD", path="", times=-1, **rule)
    other = slipway.other()
    said = other("pull", "--progress", "plain", option(home_registry, mirror), image, timeout=30).ok()
    read_layout(other.root, image).verify()
    assert f"mirror {mirror.host}/hub/team/app" in said.err and all(word in said.err for word in words)
    assert gets(home_registry)


def test_26_mirror_that_is_down(slipway, image, home_registry):
    nobody = f"127.0.0.1:{free_port()}"
    other = slipway.other()
    said = other("pull", f"--mirror={home_registry.host}={nobody}/hub", image, timeout=30).ok()
    assert said.err.count(f"mirror {nobody}/hub") == 1, "asked once, not for every blob"
    read_layout(other.root, image).verify()


def test_a_mirror_learns_no_password(slipway, image, home_registry, mirror):
    home_registry.state.settings["auth"] = "basic"
    slipway("login", "-u", "user", "--password-stdin", home_registry.host, stdin="secret").ok()
    mirror.rule(method="GET", path="/blobs/", status=401, times=-1, headers={"WWW-Authenticate": 'Basic realm="x"'})
    slipway.other()("pull", option(home_registry, mirror), image).ok()
    assert not [e for e in mirror.log if "Authorization" in e["headers"]]


def test_short_names_of_docker_hub(slipway, mirror, context, home_registry):
    name = f"{mirror.host}/hub/library/busybox:1"
    slipway.build(context({"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": "f"}), "-q", "-t", name, "--push").ok()
    other = slipway.other()
    other("pull", f"--mirror=docker.io={mirror.host}/hub", "busybox:1").ok()
    read_layout(other.root, "busybox:1").verify()
    slipway("pull", "--mirror=docker.io", "busybox").fails("--mirror", "NAME=HOST", code=2)


# ---- registries.conf ----

def write_conf(slipway, text):
    file = slipway.folder / "registries.conf"
    file.write_text(text)
    slipway.env["CONTAINERS_REGISTRIES_CONF"] = str(file)
    return file


def test_locations_and_mirrors_of_a_file(slipway, image, home_registry, mirror):
    write_conf(slipway, f"""
# what podman reads
short-name-mode = "enforcing"
unqualified-search-registries = ['docker.io']
[[registry]]
prefix = "images.example.com"
location = "{home_registry.host}"   # nobody is asked for images.example.com
[[registry]]
prefix = "images.example.com/team"
location = '{home_registry.host}/team'
[[registry.mirror]]
location = "{mirror.host}/hub/team"
insecure = true
[aliases]
"app" = "images.example.com/team/app"
""")
    name = "images.example.com/team/app:1"
    other = slipway.other()
    other("pull", name).ok()
    assert gets(mirror) and not gets(home_registry)
    read_layout(other.root, name).verify()
    mirror.rule(path="", status=404, times=-1)
    slipway.other()("pull", name).ok()
    assert gets(home_registry)


def test_mirrors_for_digests_only(slipway, image, home_registry, mirror):
    write_conf(slipway, f'[[registry]]\nlocation="{home_registry.host}"\nmirror-by-digest-only=true\n'
                        f'[[registry.mirror]]\nlocation="{mirror.host}/hub"\n')
    slipway.other()("pull", image).ok()
    # The tag is looked up where it belongs; what it names comes from the mirror.
    assert all("/manifests/1" in path for path in gets(home_registry)) and gets(home_registry)
    assert [path for path in gets(mirror) if "/blobs/" in path]
    mirror.state.log.clear()
    digest = read_layout(slipway.root, image).descriptor["digest"]
    home_registry.state.log.clear()
    slipway.other()("pull", image.rpartition(":")[0] + "@" + digest).ok()
    assert gets(mirror) and not gets(home_registry)


def test_blocked(slipway, image, home_registry, context):
    file = write_conf(slipway, f'[[registry]]\nlocation = "{home_registry.host}/team"\nblocked = true\n')
    other = slipway.other()
    other("pull", image).fails("is blocked by", f"{file}:1")
    other.build(context({"Dockerfile": f"FROM {image}\n"}), "-t", "x").fails("is blocked by")
    assert gets(home_registry) == []
    slipway("push", image).ok()


@pytest.mark.parametrize("text, words", [
    ('unqualified-search-registries = ["docker.io", "quay.io"]', [":1", "unqualified-search-registries", "docker.io"]),
    ("\n[registries.search]\nregistries = ['docker.io']\n", [":2", "version 1"]),
    ('[[registry]]\nlocation = "x"\nbogus = "y"\n', [":3", "bogus"]),
    ('[[registry]]\nlocation = "https://x"\n', [":2", "without a scheme"]),
    ("[[registry]]\nlocation = x\n", [":2", "no string"]),
    ('[[registry]]\nlocation = "x\n', [":2", "does not end"]),
    ("[[registry]]\ninsecure = true\n", [":1", "no location"]),
    ('[[registry.mirror]]\nlocation = "x"\n', [":1", "without a registry"]),
])
def test_what_a_file_may_not_hold(slipway, home_registry, text, words):
    file = write_conf(slipway, text)
    slipway("pull", f"{home_registry.host}/a:1").fails(str(file), *words)
    del slipway.env["CONTAINERS_REGISTRIES_CONF"]


def test_the_users_own_file(slipway, image, home_registry, mirror):
    del slipway.env["CONTAINERS_REGISTRIES_CONF"]
    other = slipway.other()
    folder = other.home / ".config/containers/registries.conf.d"
    folder.mkdir(parents=True)
    (folder.parent / "registries.conf").write_text(
        f'unqualified-search-registries = ["quay.io"]\n[[registry]]\nlocation = "{home_registry.host}"\nblocked = true\n')
    other("pull", image).fails("blocked")
    (folder / "01.conf").write_text(f'[[registry]]\nlocation = "{home_registry.host}"\n'
                                    f'[[registry.mirror]]\nlocation = "{mirror.host}/hub"\n')
    other("pull", image).ok()
    assert gets(mirror) and not gets(home_registry)
    # A list of podman's does not keep images of other hosts from being pulled.
    slipway.env["SLIPWAY_CONNECT_TO"] = f"registry-1.docker.io:443:127.0.0.1:{free_port()}"
    said = slipway.other()("pull", "busybox", env=slipway.env)
    assert said.code == 1


# ---- proxies ----

@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """docker-registry over TLS by a name that no DNS knows."""
    running = Registry(tmp_path_factory.mktemp("named"), login=False, names=["registry.test"])
    yield running
    running.stop()


@pytest.fixture
def behind(slipway, context, named):
    slipway.env.update({k: None for k in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")})
    slipway.env.update({"SSL_CERT_FILE": str(named.ca), "SLIPWAY_TEST_RETRY_MS": "20"})
    slipway.build(context({"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": "f"}), "-q", "-t", "registry.test/a/b:1").ok()
    return slipway


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_https_proxy(behind, named, variable):
    with Proxy(named.port) as proxy:
        behind.env[variable] = proxy.url
        behind("push", "registry.test/a/b:1").ok()
        assert {(method, target) for method, target, _ in proxy.seen} == {("CONNECT", "registry.test:443")}
        seen = len(proxy.seen)
        behind.env["NO_PROXY"] = "example.com,.test"
        behind("push", "registry.test/a/b:1").fails("registry.test", "no address")
        assert len(proxy.seen) == seen


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_http_proxy(behind, variable):
    with Proxy() as proxy:
        behind.env.update({variable: proxy.url, "SLIPWAY_CONNECT_TO": f"registry.test:443:127.0.0.1:{free_port()}"})
        behind("push", "--insecure-registry", "registry.test", "registry.test/a/b:1").fails("418")
        assert proxy.seen and all(target.startswith("http://registry.test/v2/") for _, target, _ in proxy.seen)


def test_loopback_needs_no_proxy(slipway, image, home_registry):
    with Proxy() as proxy:
        slipway.env.update({"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url, "NO_PROXY": "", "no_proxy": ""})
        slipway.other()("pull", image).ok()
        assert proxy.seen == []


# ---- 27: what is wrong with the way ----

def test_27_proxy_that_refuses(behind):
    with Proxy(status=407) as proxy:
        behind.env["HTTPS_PROXY"] = proxy.url
        behind("push", "registry.test/a/b:1").fails("the proxy answered 407")
        assert len(proxy.seen) == 1


def test_27_unknown_name(behind):
    said = behind("push", "registry.test/a/b:1", timeout=30).fails("registry.test", "no address is known", "spelling")
    assert said.seconds < 20


@contextlib.contextmanager
def silent(port):
    """Nobody answers at [::1]:PORT: a listener whose queue is full drops what knocks, as a route that leads nowhere does."""
    with contextlib.ExitStack() as stack:
        def knock():
            s = stack.enter_context(socket.socket(socket.AF_INET6))
            s.settimeout(0.3)
            return s.connect_ex(("::1", port, 0, 0))

        listener = stack.enter_context(socket.socket(socket.AF_INET6))
        try:
            listener.bind(("::1", port, 0, 0))
        except OSError:
            pytest.skip("needs: IPv6 on the loopback interface")
        listener.listen(0)
        assert [code for code in (knock() for _ in range(10)) if code], "every knock was answered"
        assert knock() == errno.EAGAIN
        yield


def test_27_ipv6_that_leads_nowhere(slipway, context):
    """The name has two addresses, and the first is never heard of: the other is tried a moment later, for each connection."""
    with FaultRegistry() as fault, silent(fault.port):
        name = f"localhost:{fault.port}/team/app:1"
        slipway.build(context({"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": os.urandom(100000)}), "-q", "-t", name).ok()
        assert slipway("push", name, timeout=60).ok().seconds < 10
        other = slipway.other()
        assert other("pull", name, timeout=60).ok().seconds < 10
        read_layout(other.root, name).verify()


def test_27_both_ways_lead_nowhere(slipway, context):
    """Then it ends by itself, and says what it tried."""
    port = free_port()
    with silent(port):
        name = f"localhost:{port}/team/app:1"
        slipway.build(context({"Dockerfile": "FROM scratch\n"}), "-q", "-t", name).ok()
        said = slipway("push", name, timeout=60).fails(f"localhost:{port}")
        assert "refused" in said.err.lower() or "no connection in time" in said.err.lower(), said
        assert said.seconds < 30


def own_certificate(folder, name, days):
    """ca.crt and server.key of a server that signs for itself."""
    folder.mkdir(exist_ok=True)

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "server.key",
            "-out", "own.csr", "-subj", "/CN=own", "-addext", f"subjectAltName={name}")
    openssl("x509", "-req", "-in", "own.csr", "-signkey", "server.key", "-copy_extensions", "copy", "-days", str(days),
            "-out", "ca.crt")


@pytest.mark.parametrize("name, days, trusted, words", [
    ("IP:127.0.0.1", 2, False, ["certificate", "certs.d"]),
    ("DNS:other.test", 2, True, ["certificate", "127.0.0.1"]),
    ("IP:127.0.0.1", -1, True, ["expired", "clock"]),
], ids=["self-signed", "other name", "expired"])
def test_27_certificates(slipway, context, folder, name, days, trusted, words):
    """Named for what is wrong; a repetition would change nothing."""
    own_certificate(folder / "tls", name, days)
    if trusted:
        slipway.env["SSL_CERT_FILE"] = str(folder / "tls/ca.crt")
    with FaultRegistry(tls=str(folder / "tls")) as tls:
        slipway.build(context({"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": "f"}), "-q", "-t", f"{tls.host}/a:1").ok()
        said = slipway("push", f"{tls.host}/a:1").fails(*words)
        assert "retry" not in said.err and tls.log == []
        if not trusted:
            slipway("push", "--insecure-registry", tls.host, f"{tls.host}/a:1").ok()


def test_private_authority_of_a_host(slipway, context, folder):
    """~/.docker/certs.d/HOST:PORT/ca.crt, for that host alone."""
    with FaultRegistry(tls=str(folder)) as tls:
        place = slipway.home / ".docker/certs.d" / tls.host
        place.mkdir(parents=True)
        (place / "ca.crt").write_text(pathlib.Path(tls.ca).read_text())
        slipway.build(context({"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": "f"}), "-q", "-t", f"{tls.host}/a:1").ok()
        slipway("push", f"{tls.host}/a:1").ok()
        (place / "ca.crt").rename(slipway.home / "ca.crt")
        slipway("push", f"{tls.host}/a:2".replace(":2", ":1")).fails("certificate")


def test_insecure_by_file(slipway, context, folder):
    """As --insecure-registry, for that host alone."""
    with FaultRegistry(tls=str(folder)) as tls:
        name = f"{tls.host}/a:1"
        slipway.build(context({"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": "f"}), "-q", "-t", name).ok()
        write_conf(slipway, '[[registry]]\nlocation = "other.test"\ninsecure = true\n')
        slipway("push", name).fails("certificate")
        write_conf(slipway, f'[[registry]]\nlocation = "{tls.host}"\ninsecure = true\n')
        slipway("push", name).ok()


def test_registry_auth_file(slipway, image, home_registry):
    """Where podman is told to look, before docker's own."""
    home_registry.state.settings["auth"] = "bearer"
    other = slipway.other()
    other("pull", image).fails("401")
    file = slipway.folder / "auth.json"
    file.write_text(json.dumps({"auths": {f"{home_registry.host}/team": {"auth": "dXNlcjpzZWNyZXQ="}}}))
    file.chmod(0o600)
    other("pull", image, env={"REGISTRY_AUTH_FILE": str(file)}).ok()

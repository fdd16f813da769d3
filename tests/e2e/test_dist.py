"""What ./dev dist makes: one program that needs nothing of the system, its image, its package."""
import gzip
import hashlib
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import tarfile
import time

import pytest

from helpers import deploying as deploys
from helpers.alone import Alone, Names
from helpers.registry import Registry
from helpers.runner import Slipway

TOP = pathlib.Path(__file__).resolve().parents[2]
DIST = pathlib.Path(os.environ.get("SLIPWAY_DIST", TOP / "build/dist"))
MACHINE = platform.machine()
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[MACHINE]
DOCKERFILE = "FROM scratch\nCOPY . /srv/\nWORKDIR /srv\nENV A=b\nCMD [\"/srv/a\"]\n"
# Names beyond ASCII, a long one, and one that is no UTF-8: where the C library could want its converters.
FILES = {"a": "a\n", "grüße/naïve-日本": "b\n", "l" * 120 + "/" + "m" * 120: "c\n"}

pytestmark = [pytest.mark.release, pytest.mark.root]


@pytest.fixture(scope="module")
def program():
    """The static program of this machine."""
    found = DIST / f"slipway-linux-{MACHINE}"
    assert found.exists(), f"{found} is missing: ./dev dist"
    return found


@pytest.fixture(scope="module")
def named_registry(session_folder):
    running = Registry(session_folder / "named-registry", names=["registry.test", "registry.corp.test"])
    yield running
    running.stop()


@pytest.fixture
def alone(program, folder):
    run = Alone(program, folder / "alone")
    yield run
    assert not run.leftovers()


@pytest.fixture
def names():
    """names(ADDRESS, {NAME: ADDRESS}) starts a DNS server."""
    made = []

    def start(address, known, **options):
        made.append(Names(address, known, **options))
        return made[-1]

    yield start
    for server in made:
        server.stop()


def output_of(*command):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout


def make_context(folder):
    for path, content in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    with open(os.fsencode(folder) + b"/\xff\xfe", "wb") as out:
        out.write(b"d\n")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    return folder


# ---- the file itself --------------------------------------------------------------


def test_it_needs_no_library(program):
    headers = output_of("readelf", "-lW", program)
    dynamic = output_of("readelf", "-dW", program)
    assert "INTERP" not in headers and "(NEEDED)" not in dynamic
    linked = subprocess.run(["ldd", program], check=False, capture_output=True, text=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})
    assert re.search("statically linked|not a dynamic executable", linked.stdout + linked.stderr)
    assert os.path.getsize(program) < 8_000_000


def test_it_is_hardened(program):
    kind = output_of("readelf", "-hW", program)
    headers = output_of("readelf", "-lW", program)
    dynamic = output_of("readelf", "-dW", program)
    assert re.search(r"Type:\s+DYN", kind) and "PIE" in dynamic, "a static program at a random address"
    assert "GNU_RELRO" in headers and re.search(r"FLAGS.*(BIND_NOW|NOW)", dynamic)
    stack = next(line for line in headers.splitlines() if "GNU_STACK" in line)
    assert " RW " in stack and "RWE" not in stack
    assert "TEXTREL" not in dynamic
    symbols = output_of("nm", DIST / f".build-{ARCHITECTURE}/slipway")
    assert "__stack_chk_fail" in symbols and "__memcpy_chk" in symbols and "__snprintf_chk" in symbols


def test_it_opens_no_library(slipway, program, registry, context):
    """Whatever the system has: no plugin for names, no configuration of OpenSSL, no converter is loaded."""
    static = Slipway(program, slipway.folder / "static", env={"SSL_CERT_FILE": str(registry.ca)})
    app = context({"Dockerfile": DOCKERFILE, **FILES})
    static("login", "-u", registry.user, "--password-stdin", registry.host, stdin=registry.password).ok()
    trace = slipway.folder / "trace"
    subprocess.run(["strace", "-f", "-qq", "-e", "trace=openat,open", "-o", trace, program, "build", "-t", f"{registry.host}/opens:1", "--push", app],
                   check=True, capture_output=True, env=static.env)
    opened = re.findall(r'open(?:at)?\((?:AT_FDCWD, )?"([^"]*)"', trace.read_text())
    assert any(path.endswith("/etc/hosts") or path.endswith("resolv.conf") for path in opened), "names are looked up by the program"
    wrong = [p for p in opened if re.search(r"\.so(\.|$)|openssl\.cnf|/etc/passwd|/etc/services|locale-archive", p)]
    assert not wrong


def test_its_sum_is_beside_it(program):
    line = (DIST / f"{program.name}.sha256").read_text()
    assert line == f"{hashlib.sha256(program.read_bytes()).hexdigest()}  {program.name}\n"
    subprocess.run(["sha256sum", "-c", "--quiet", f"{program.name}.sha256"], cwd=DIST, check=True)


def test_the_action_downloads_what_is_made(program):
    text = (TOP / "action.yml").read_text()
    name = re.search(r"file=(.+)", text)[1].replace("$(uname -m)", MACHINE)
    assert name == program.name and '"$from/$file.sha256"' in text


def test_version_tells_what_it_is(slipway, program):
    assert re.fullmatch(r"slipway version \S+, static\n", output_of(program, "version"))
    if slipway("version").out.endswith(", dynamic\n"):
        assert "libcurl" in output_of("ldd", slipway.binary)


def test_it_starts_in_two_milliseconds(program):
    """The least of many starts: what it takes when nobody else is at the machine. An empty program takes about one."""
    least = 1
    for _ in range(200):
        begin = time.perf_counter()
        os.waitpid(os.posix_spawn(program, ["slipway", "version"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]), 0)
        least = min(least, time.perf_counter() - begin)
    assert least < 0.002


def test_licences_of_all_that_is_linked(program):
    text = (DIST / f"{program.name}.licenses.txt").read_text()
    for library in ("c-ares", "curl", "libarchive", "libisal", "libmicrohttpd", "openssl", "zlib1g-dev", "libzstd-dev", "libjansson-dev",
                    "libseccomp-dev", "libcrypt-dev", "liblzma-dev", "libbz2-dev", "glibc"):
        assert re.search(rf"^{re.escape(library)} \S+ \((compiled|Debian)\)$", text, re.MULTILINE), library
        assert f"======== {library}\n" in text, library
    archives = re.findall(r"/usr/lib/(lib\w+)\.a", (DIST / f".build-{ARCHITECTURE}/build.ninja").read_text())
    assert {"libarchive", "libcurl", "libcares", "libcrypto"} <= set(archives)


# ---- where nothing else is --------------------------------------------------------


def test_the_same_bytes_as_the_ordinary_program(alone, program, folder):
    """Layers do not depend on how slipway was linked, nor on what the system has for names."""
    make_context(folder / "alone/app")
    ordinary = Slipway(TOP / "build/slipway", folder / "ordinary")
    static = Slipway(program, folder / "static")
    digests = {run.build(folder / "alone/app", "-q", "-t", "app", env={"SOURCE_DATE_EPOCH": "1700000000"}).ok().out for run in (alone, ordinary, static)}
    assert len(digests) == 1
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", digests.pop())


def test_build_push_and_pull(alone, folder, named_registry):
    """In an empty folder but for a CA and a name of /etc/hosts."""
    host = f"registry.test:{named_registry.port}"
    alone.put("etc/hosts", "127.0.0.1 registry.test\n")
    alone.put("etc/ssl/certs/ca-certificates.crt", named_registry.ca.read_bytes())
    make_context(folder / "alone/app")
    alone("login", "-u", named_registry.user, "--password-stdin", host, stdin=named_registry.password).ok()
    alone("build", "-t", f"{host}/alone:1", "--push", folder / "alone/app").ok()
    other = alone.env["SLIPWAY_ROOT"]
    alone.env["SLIPWAY_ROOT"] = "/second"
    alone("pull", f"{host}/alone:1").ok()
    made = json.loads(alone("inspect", f"{host}/alone:1").ok().out)[0]
    assert made["Config"]["Env"][-1] == "A=b"
    alone("build", "-t", "above", "-f", alone.put("Dockerfile.above", f"FROM {host}/alone:1\nCOPY a /b\n"), folder / "alone/app").ok()
    alone("save", "-o", alone.top / "saved.tar", "above").ok()
    alone.env["SLIPWAY_ROOT"] = other
    with tarfile.open(folder / "alone/saved.tar") as saved:
        assert "manifest.json" in saved.getnames() or "index.json" in saved.getnames()


def test_run_in_an_empty_folder(alone, folder, tiny):
    shutil.copytree(tiny, folder / "alone/tiny")
    (folder / "alone/app").mkdir()
    (folder / "alone/app/Dockerfile").write_text("FROM tiny\nRUN id -u > /who && echo ran > /ran\n")
    for made in ("proc", "dev", "etc", "sys"):
        (folder / "alone" / made).mkdir(exist_ok=True)
    # A container has /proc and some devices: those of the machine, for this process alone.
    result = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", 'mount --bind "$1" "$1"; mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; '
         'cd "$1"; exec chroot . /slipway --root /state build -t app --build-context tiny=oci-layout:/tiny '
         '--output type=tar,dest=/out.tar /app', "sh", alone.top], check=False, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert result.returncode == 0, result.stderr
    with tarfile.open(folder / "alone/out.tar") as out:
        assert out.extractfile("ran").read() == b"ran\n" and out.extractfile("who").read() == b"0\n"


@deploys.needs_models
def test_deploy(alone, cloud, ecr_blobs, folder):
    alone.put("etc/ssl/cert.pem", ecr_blobs.ca.read_bytes())
    app = deploys.Deploying(alone, cloud, ecr_blobs, folder / "alone")
    del alone.env["SSL_CERT_FILE"]
    app.service().ok()
    image = app.container()["image"]
    assert re.fullmatch(rf"{re.escape(app.repository)}@sha256:[0-9a-f]{{64}}", image)


def test_without_certificates_the_message_says_so(alone, named_registry):
    result = alone("pull", f"{named_registry.host}/nothing:1").fails("certificate")
    assert "SSL_CERT_FILE" in result.err


def hashed(folder, ca):
    """The file under the name by which OpenSSL looks for it."""
    name = output_of("openssl", "x509", "-in", ca, "-noout", "-subject_hash").strip()
    (folder / f"{name}.0").write_bytes(pathlib.Path(ca).read_bytes())


@pytest.mark.parametrize("place", ["etc/ssl/certs/ca-certificates.crt", "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                                   "etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/ca-bundle.pem", "etc/ssl/cert.pem", "etc/ssl/certs",
                                   "var/lib/ca-certificates/openssl", "SSL_CERT_FILE", "SSL_CERT_DIR", "etc/docker/certs.d"])
def test_where_certificates_are_found(alone, named_registry, place):
    """Debian, Alpine; Red Hat new and old; SUSE; folders of hashed names; and where somebody says."""
    ca = named_registry.ca.read_bytes()
    if place == "etc/docker/certs.d":
        alone.put(f"{place}/{named_registry.host}/ca.crt", ca)
    elif place == "SSL_CERT_FILE":
        alone.env[place] = str(alone.put("some/ca.pem", ca))
    elif "." in place:
        alone.put(place, ca)
    else:
        folder = alone.top / ("some/folder" if place == "SSL_CERT_DIR" else place)
        folder.mkdir(parents=True)
        hashed(folder, named_registry.ca)
        if place == "SSL_CERT_DIR":
            alone.env[place] = str(folder)
    alone("login", "-u", named_registry.user, "--password-stdin", named_registry.host, stdin=named_registry.password).ok()


# ---- names ------------------------------------------------------------------------


def login_at(alone, registry, name):
    begin = time.monotonic()
    result = alone("login", "-u", registry.user, "--password-stdin", f"{name}:{registry.port}", stdin=registry.password)
    return result, time.monotonic() - begin


def test_names_of_dns(alone, named_registry, names):
    server = names("127.0.0.77", {"registry.test": "127.0.0.1"})
    alone.put("etc/resolv.conf", "nameserver 127.0.0.77\n")
    alone.put("etc/ssl/cert.pem", named_registry.ca.read_bytes())
    login_at(alone, named_registry, "registry.test")[0].ok()
    assert ("registry.test", "A") in server.asked
    result, _ = login_at(alone, named_registry, "unknown.test")
    result.fails("unknown.test", "no address is known")


def test_hosts_come_before_dns(alone, named_registry, names):
    server = names("127.0.0.77", {})
    alone.put("etc/hosts", "# a comment\n127.0.0.9 else\n127.0.0.1\tother registry.test # and another\n")
    alone.put("etc/resolv.conf", "nameserver 127.0.0.77\n")
    alone.put("etc/ssl/cert.pem", named_registry.ca.read_bytes())
    login_at(alone, named_registry, "registry.test")[0].ok()
    assert not server.asked


def test_search_and_ndots(alone, named_registry, names):
    """A name with fewer dots than ndots is looked for in the search list first, as in Kubernetes."""
    server = names("127.0.0.77", {"registry.corp.test": "127.0.0.1"})
    alone.put("etc/resolv.conf", "nameserver 127.0.0.77\nsearch default.svc.test test\noptions ndots:5\n")
    alone.put("etc/ssl/cert.pem", named_registry.ca.read_bytes())
    login_at(alone, named_registry, "registry.corp")[0].fails("registry.corp")  # found, but its certificate is for the whole name
    asked = list(dict.fromkeys(name for name, _ in server.asked))
    assert asked == ["registry.corp.default.svc.test", "registry.corp.test"]
    login_at(alone, named_registry, "registry.corp.test")[0].ok()
    assert [name for name, _ in server.asked][-1] == "registry.corp.test"


def test_a_name_server_that_is_silent(alone, named_registry, names):
    """The next one is asked after the time that resolv.conf says."""
    silent = names("127.0.0.78", {}, silent=True)
    server = names("127.0.0.77", {"registry.test": "127.0.0.1"})
    alone.put("etc/resolv.conf", "nameserver 127.0.0.78\nnameserver 127.0.0.77\noptions timeout:1 attempts:2\n")
    alone.put("etc/ssl/cert.pem", named_registry.ca.read_bytes())
    result, seconds = login_at(alone, named_registry, "registry.test")
    result.ok()
    assert silent.asked and server.asked and seconds < 4.5


def test_a_name_server_that_is_not_there(alone, named_registry, names):
    names("127.0.0.77", {"registry.test": "127.0.0.1"})
    alone.put("etc/resolv.conf", "nameserver 127.0.0.79\nnameserver 127.0.0.77\noptions timeout:1\n")
    alone.put("etc/ssl/cert.pem", named_registry.ca.read_bytes())
    result, seconds = login_at(alone, named_registry, "registry.test")
    result.ok()
    assert seconds < 4


def test_no_name_server_at_all(alone, named_registry):
    result, seconds = login_at(alone, named_registry, "registry.test")
    result.fails("registry.test")
    assert seconds < 60


# ---- the embedded registry --------------------------------------------------------


def test_registry_serve_says_that_it_has_no_tls(alone, named_registry):
    tls = named_registry.folder / "tls"
    for name in ("server.crt", "server.key"):
        alone.put(name, (tls / name).read_bytes())
    alone("registry", "serve", "--listen", "127.0.0.1:0", "--tls-cert", "/server.crt", "--tls-key", "/server.key").fails("TLS", "not static")


# ---- what comes with it -----------------------------------------------------------


def test_the_image_holds_slipway_and_certificates(folder):
    archive = DIST / "slipway-image.tar"
    subprocess.run(["skopeo", "copy", "-q", f"oci-archive:{archive}", f"oci:{folder}/image:it"], check=True)
    config = json.loads(output_of("skopeo", "inspect", "--config", f"oci:{folder}/image:it"))
    assert config["config"]["Entrypoint"] == ["/usr/local/bin/slipway"] and config["architecture"] == ARCHITECTURE
    subprocess.run(["umoci", "unpack", "--image", f"{folder}/image:it", folder / "bundle"], check=True, capture_output=True)
    root = folder / "bundle/rootfs"
    files = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
    assert files == {"usr/local/bin/slipway", "usr/share/doc/slipway/licenses.txt", "etc/ssl/certs/ca-certificates.crt"}
    assert (root / "etc/ssl/certs/ca-certificates.crt").read_text().count("BEGIN CERTIFICATE") > 100
    assert "static" in output_of("chroot", root, "/usr/local/bin/slipway", "version")


def test_the_package(folder):
    package = next(DIST.glob(f"slipway_*_{ARCHITECTURE}.deb"))
    subprocess.run(["dpkg-deb", "-x", package, folder / "tree"], check=True)
    tree = folder / "tree"
    assert (tree / "usr/bin/slipway").read_bytes() == (DIST / f"slipway-linux-{MACHINE}").read_bytes()
    assert gzip.decompress((tree / "usr/share/man/man1/slipway.1.gz").read_bytes()) == (TOP / "docs/slipway.1").read_bytes()
    control = output_of("dpkg-deb", "-f", package)
    assert "\nDepends:" not in control and f"Architecture: {ARCHITECTURE}" in control
    listing = output_of("dpkg-deb", "-c", package)
    assert all(" root/root " in line for line in listing.splitlines())
    found = subprocess.run(["lintian", "--fail-on", "error,warning", "--suppress-tags", "initial-upload-closes-no-bugs", package],
                           check=False, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


@pytest.mark.slow
def test_made_again_it_is_the_same(folder):
    """In another folder, from the same sources: byte for byte."""
    again = folder / "again"
    subprocess.run([TOP / "packaging/dist.sh", ARCHITECTURE], check=True, capture_output=True, env={**os.environ, "SLIPWAY_DIST": str(again)})
    for name in (f"slipway-linux-{MACHINE}", f"slipway-linux-{MACHINE}.licenses.txt", next(again.glob("*.deb")).name):
        assert (again / name).read_bytes() == (DIST / name).read_bytes(), name


def test_for_arm64(folder):
    program = DIST / "slipway-linux-aarch64"
    if MACHINE == "aarch64" or not program.exists():
        pytest.skip("needs: ./dev dist arm64 on another machine")
    assert re.search(r"Machine:\s+AArch64", output_of("readelf", "-hW", program)) and "INTERP" not in output_of("readelf", "-lW", program)
    assert output_of("qemu-aarch64-static", program, "version").endswith(", static\n")
    make_context(folder / "app")
    digests = {output_of(*command, "--root", folder / f"state{i}", "build", "-q", "--platform", "linux/arm64", "-t", "app", folder / "app")
               for i, command in enumerate([["qemu-aarch64-static", program], [DIST / f"slipway-linux-{MACHINE}"]])}
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\n", d) for d in digests)

"""Fixtures of the end-to-end tests: the real binary (SLIPWAY_BIN) against real peers.

slipway        the binary with a state folder, home and TMPDIR of the test's own; what it leaves behind (process,
               mount, temporary file, unfinished blob) fails the test
slipway_user   the same as the user slipway-test, who has subordinate ids; slipway_single as one who has none
registry       docker-registry over TLS with a login, one for the session: registry.host, .ca, .user, .password
login          slipway logged in there, which trusts its CA
tiny, debian_base, python_slim   OCI layout folders of base images
build          build("FROM tiny\\nRUN ...", {"a": "b"}).text("/a"); build.fails(...)
podman         ["podman", ...] with a storage of the test's own
serve          slipway registry serve, one for a file: serve.host, serve(METHOD, PATH); repository: a name there of the test's own
context        context({"Dockerfile": "FROM scratch", "a/b": b"..."}) makes a context folder
cloud          a scripted AWS: cloud.script({1: Crash(1)}), cloud.changes(); requests that AWS does not know fail the test
deploying      deploying(*options) deploys an app of the test's own there: deploying.name, deploying.cloud
local          a local target of slipway's state folder: local.client("ecs"), local.url, local.run("ps", "--local")
count          count(small, full): how many rounds; the full number with --soak
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from helpers import processes, users  # noqa: E402
from helpers.building import Builder  # noqa: E402
from helpers.local_target import LocalTarget  # noqa: E402
from helpers.registry import Registry  # noqa: E402
from helpers.runner import Slipway  # noqa: E402
from helpers.serve import Serve, repository_of  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]

# The files that take longest, the longest first.
LONGEST = ["test_sandbox", "test_containers_dockerfiles", "test_local_acceptance", "test_local_ecs", "test_local_tasks", "test_sandbox_chroot",
           "test_containers", "test_local_network", "test_local_page", "test_local_deploy", "test_registry_faults", "test_sources_git", "test_cache_faults", "test_faults",
           "test_dockerfile_cache", "test_sources_url", "test_habits", "test_cache_remote", "test_sources_contexts", "test_run_mounts", "test_outputs",
           "test_run_surroundings", "test_registry_client", "test_registry_copy", "test_dockerfile_run", "test_emulation",
           "test_abuse_images", "test_platforms", "test_ecr", "test_registry_serve_ecr", "test_cache_explain", "test_dockerfile_peers",
           "test_registry_serve_abuse", "test_run_limits", "test_cache_random", "test_dockerfile_configs", "test_registry_roundtrip"]

# A shell's background job ignores SIGINT, and so would everything it starts: programs under test must see it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true", help="full counts instead of small ones")
    parser.addoption("--release", action="store_true", help="the tests of what ./dev dist made, too")
    parser.addoption("--keep", action="store_true", help="keep the folders of the tests")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: not run with the sanitized binary")
    config.addinivalue_line("markers", "root: needs root")
    config.addinivalue_line("markers", "soak: only with --soak")
    config.addinivalue_line("markers", "release: only with --release, which ./dev dist --test gives")
    processes.adopt_orphans()
    # Before the workers begin: two would make them at the same time, and tests look at /etc.
    if not hasattr(config, "workerinput") and os.geteuid() == 0 and not config.option.collectonly:
        users.ensure(users.WITH_SUBIDS)
        users.ensure(users.WITHOUT_SUBIDS)
    # pytest keeps the folders of three runs; here nothing stays.
    if not hasattr(config, "workerinput") and not config.option.basetemp and not config.getoption("--keep"):
        config.option.basetemp = tempfile.mkdtemp(prefix="slipway-e2e-")
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))


def pytest_collection_modifyitems(config, items):
    left_out = [i for i in items if any(i.get_closest_marker(m) and not config.getoption(f"--{m}") for m in ("soak", "release"))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [i for i in items if i not in left_out]
    # Files are handed out whole: a long one that comes last would be waited for alone.
    rank = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


def pytest_runtest_setup(item):
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs: root")


@pytest.fixture(scope="session")
def session_folder(request):
    """Readable by every user, unlike pytest's own; on disk, since overlay needs a real file system."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="slipway-e2e-", dir=os.environ.get("SLIPWAY_TEST_DIR", "/var/tmp")))
    folder.chmod(0o755)
    yield folder
    if not request.config.getoption("--keep"):
        shutil.rmtree(folder, ignore_errors=True)
        assert not folder.exists(), f"left behind: {sorted(map(str, folder.rglob('*')))[:20]}; mounted: {processes.mounts(folder)}"


@pytest.fixture(scope="session")
def binary(session_folder):
    """A copy that other users can run, wherever the checkout is."""
    built = pathlib.Path(os.environ.get("SLIPWAY_BIN", TOP / "build/slipway")).resolve()
    if not built.exists():
        pytest.fail(f"{built} does not exist: run ./dev build, or set SLIPWAY_BIN")
    copy = session_folder / "bin" / "slipway"
    copy.parent.mkdir(mode=0o755)
    shutil.copy(built, copy)
    copy.chmod(0o755)
    return copy


@pytest.fixture(scope="session")
def sanitized(binary):
    """Is it compiled with AddressSanitizer, whose memory is not the program's?"""
    return b"__asan_init" in binary.read_bytes()


@pytest.fixture
def folder(request, session_folder):
    """An empty folder for this test."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name)[:60]
    made = pathlib.Path(tempfile.mkdtemp(prefix=name + "-", dir=session_folder))
    made.chmod(0o755)
    yield made
    if not request.config.getoption("--keep"):
        shutil.rmtree(made, ignore_errors=True)


def _slipway(request, binary, folder, entry=None):
    run = Slipway(binary, folder / request.fixturename, entry)
    yield run
    found = run.leftovers()
    if not request.config.getoption("--keep"):
        run.remove()
    assert not found, "left behind: " + "; ".join(found)


@pytest.fixture
def slipway(request, binary, folder):
    yield from _slipway(request, binary, folder)


@pytest.fixture
def slipway_user(request, binary, folder):
    yield from _slipway(request, binary, folder, users.ensure(users.WITH_SUBIDS))


@pytest.fixture
def slipway_single(request, binary, folder):
    yield from _slipway(request, binary, folder, users.ensure(users.WITHOUT_SUBIDS))


@pytest.fixture(scope="session")
def registry(session_folder):
    running = Registry(session_folder / "registry")
    yield running
    running.stop()


@pytest.fixture
def login(slipway, registry):
    slipway.env["SSL_CERT_FILE"] = str(registry.ca)
    slipway("login", "-u", registry.user, "--password-stdin", registry.host, stdin=registry.password).ok()
    return slipway


def _base_image(session_folder, name):
    made = subprocess.run([TOP / "tests/fixtures/make_base_images.sh", name], check=False, capture_output=True,
                          text=True)
    assert made.returncode == 0, made.stderr
    copy = session_folder / "images" / name
    shutil.copytree(made.stdout.strip(), copy)
    return copy


@pytest.fixture(scope="session")
def tiny(session_folder):
    return _base_image(session_folder, "tiny")


@pytest.fixture(scope="session")
def debian_base(session_folder):
    return _base_image(session_folder, "debian-base")


@pytest.fixture(scope="session")
def python_slim(session_folder):
    return _base_image(session_folder, "python-slim")


@pytest.fixture
def context(folder):
    """Makes context folders: {path: text or bytes; None for a folder; ("link", target) for a symlink}."""
    made = []

    def make(files):
        top = folder / f"context{len(made)}"
        made.append(top)
        top.mkdir()
        for path, content in files.items():
            target = top / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                target.mkdir(exist_ok=True)
            elif isinstance(content, tuple):
                target.symlink_to(content[1])
            else:
                target.write_bytes(content.encode() if isinstance(content, str) else content)
        return top

    return make


@pytest.fixture
def build(slipway, context, tiny):
    """build(dockerfile, {path: content}, *options) with the base image "tiny": see helpers/building.py."""
    return Builder(slipway, context, tiny)


@pytest.fixture
def cloud():
    from helpers import deploying as helper  # pylint: disable=import-outside-toplevel
    made = helper.make_cloud()
    yield made
    made.finish()


@pytest.fixture(scope="session")
def ecr_blobs(session_folder):
    from helpers import deploying as helper  # pylint: disable=import-outside-toplevel
    running = helper.start_registry(session_folder / "ecr-blobs")
    yield running
    running.stop()


@pytest.fixture
def deploying(slipway, cloud, ecr_blobs, folder):
    from helpers import deploying as helper  # pylint: disable=import-outside-toplevel
    return helper.Deploying(slipway, cloud, ecr_blobs, folder)


@pytest.fixture
def running(slipway, cloud):
    """A cluster in which tests start tasks and services behind slipway's back."""
    from helpers import ecs  # pylint: disable=import-outside-toplevel
    slipway.env.update(ecs.KEYS, AWS_ENDPOINT_URL=cloud.url)
    return ecs.Running(cloud)


@pytest.fixture
def local(slipway):
    """Stopped at the test's end: then no process, mount or socket may be left of it."""
    target = LocalTarget(slipway)
    yield target
    target.stop()


@pytest.fixture
def podman(folder):
    if not shutil.which("podman"):
        pytest.skip("needs: podman")
    # It takes no long path for what it keeps of a run.
    short = tempfile.mkdtemp(prefix="pod-", dir="/tmp")
    yield ["podman", "--storage-driver", "vfs", "--root", folder / "storage", "--runroot", f"{short}/run", "--tmpdir",
           f"{short}/tmp", "--events-backend", "none"]
    shutil.rmtree(short, ignore_errors=True)


@pytest.fixture(scope="module")
def shared_local(binary, tmp_path_factory):
    """A local target that the tests of a file share."""
    target = LocalTarget(Slipway(binary, tmp_path_factory.mktemp("local")))
    yield target
    assert target.stop() == 0, target.log()
    assert "Sanitizer" not in target.log() and "runtime error" not in target.log()


@pytest.fixture
def count(request):
    return lambda small, full: full if request.config.getoption("--soak") else small


@pytest.fixture(scope="module")
def serve(binary, tmp_path_factory):
    running = Serve(binary, tmp_path_factory.mktemp("serve"))
    yield running
    assert running.stop() == 0, running.log()
    assert "Sanitizer" not in running.log() and "runtime error" not in running.log()


@pytest.fixture
def repository(request):
    return repository_of(request)

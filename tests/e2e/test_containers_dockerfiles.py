"""Real Dockerfiles in every mode of the sandbox: the tree that mode root makes, owners included, but for what is documented.

What a Dockerfile needs, and what comes out otherwise in a mode (docs/sandbox.md), it says in its first lines: helpers/dockerfiles.py.
"""
import pytest

from helpers import dockerfiles
from helpers.containers import Containers
from helpers.images import read_layout
from helpers.runner import Slipway

pytestmark = [pytest.mark.root, pytest.mark.slow]

QUICK = ["users", "capabilities"]  # the others take longest, or the network
FIXTURES = {"chroot": "slipway", "rootless-subuid": "slipway_user", "rootless-single": "slipway_single"}

# The options of docker run, whether the state folder is a volume, and the mode that is found there.
KINDS = {
    "default": ([], False, "chroot"),
    "no-new-privileges": (["--security-opt", "no-new-privileges"], True, "chroot"),
    "seccomp-unconfined": (["--security-opt", "seccomp=unconfined"], True, "rootless-single"),
    "sys-admin": (["--cap-add", "SYS_ADMIN"], True, "root"),
}
USERNS = "sandbox: make a user namespace: Operation not permitted (start the container with --security-opt seccomp=unconfined " \
         "--security-opt systempaths=unconfined)"
REFUSED = {
    "user-1000": (["--user", "1000"], ["root: slipway runs as user 1000, not as root", "chroot: slipway runs as user 1000, not as root (let "
                                       "the container's user be root)"]),
    "cap-drop-all": (["--cap-drop", "ALL"], [
        "root: make namespaces: Operation not permitted (start the container with --privileged, or with --cap-add SYS_ADMIN and a volume for the "
        "state folder)", "chroot: root lacks the capabilities CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID, SYS_CHROOT (start the container "
        "as root with docker's usual capabilities (no --cap-drop, or Kubernetes' drop: [ALL]))"]),
}


@pytest.fixture(scope="module")
def bases(tiny, debian_base, python_slim):
    return {"tiny": tiny, "debian-base": debian_base, "python-slim": python_slim}


@pytest.fixture(scope="module")
def wanted():
    """The trees that mode root made, by the Dockerfile's name."""
    return {}


@pytest.fixture(scope="module")
def registries(session_folder):
    return dockerfiles.Registries(session_folder / "registries")


@pytest.fixture(scope="module")
def containers(session_folder, binary, bases, registries):  # pylint: disable=redefined-outer-name
    """containers(kind): a container of that kind, one for all tests."""
    folder = session_folder / "containers-of-dockerfiles"
    folder.mkdir()
    made = Containers(folder, binary, bases, [registries.folder])
    running = {}

    def get(kind):
        if kind not in running:
            options, volume = KINDS[kind][:2] if kind in KINDS else (REFUSED[kind][0], False)
            running[kind] = made.start(*options, *(["-v", "/var/lib/slipway"] if volume else []))
        return running[kind]

    get.folder = folder
    yield get
    for container in running.values():
        container.remove()
    made.stop()


def options_of(bases):
    return [o for name, layout in bases.items() for o in ("--build-context", f"{name}=oci-layout:{layout}")]


def build_here(slipway, name, mode, bases, registries, folder):
    top = dockerfiles.context_of(name, folder / f"context-{mode}")
    return slipway.build(top, "-t", "m:1", "--no-cache", *options_of(bases), *registries.options, timeout=1800, env={"SLIPWAY_SANDBOX": mode})


@pytest.fixture
def tree_of_root(binary, wanted, bases, registries, folder):
    """tree_of_root(name): what mode root makes; a skip where a package registry is missing that it needs."""
    def get(name):
        if name not in wanted:
            # Not the fixture slipway, which ends what runs besides: the containers.
            other = Slipway(binary, folder / "root")
            missing = registries.missing(name, lambda top: other.build(top, *options_of(bases), *registries.options, timeout=600))
            if missing:
                pytest.skip(f"needs: the package registries ({missing})")
            build_here(other, name, "root", bases, registries, folder).ok()
            wanted[name] = dockerfiles.comparable(read_layout(other.root, "m:1").verify().tree())
            other.remove()
        return wanted[name]

    return get


def compare(name, mode, built, open_image, theirs):
    """Equal to mode root's tree, or refused as the Dockerfile says."""
    refused = dockerfiles.said(name, f"refused in {mode}")
    if refused:
        built.fails(refused)
        return
    built.ok()
    of_others = f"{dockerfiles.said(name, 'made as another user')} {dockerfiles.said(name, f'owner lost in {mode}')}".split()
    of_others = of_others if mode == "rootless-single" else ()
    assert dockerfiles.differences(dockerfiles.comparable(open_image().tree()), theirs, of_others) == {}


@pytest.mark.parametrize("mode", FIXTURES)
@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.soak) for n in dockerfiles.NAMES])
def test_on_a_host(request, bases, registries, tree_of_root, folder, name, mode):
    theirs = tree_of_root(name)
    slipway = request.getfixturevalue(FIXTURES[mode])
    built = build_here(slipway, name, mode, bases, registries, folder)
    compare(name, mode, built, lambda: read_layout(slipway.root, "m:1").verify(), theirs)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", dockerfiles.NAMES)
def test_in_a_container(registries, containers, tree_of_root, folder, name, kind):
    theirs = tree_of_root(name)
    mode = KINDS[kind][2]
    here = containers(kind)
    assert here.mode() == mode, str(here("doctor"))
    top = dockerfiles.context_of(name, containers.folder / f"{kind}-{name}")
    built = here.build(top, "-t", f"{name}:1", "--no-cache", *registries.options, timeout=1800)
    compare(name, mode, built, lambda: here.image(f"{name}:1", folder), theirs)
    here("rmi", f"{name}:1")
    here("prune", "--all", "--force", "--grace", "0s")


@pytest.mark.soak
@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", dockerfiles.NAMES)
def test_refused_in_a_container(registries, containers, name, kind):
    """With the first RUN, and with what to change; in the words that docs/sandbox.md has."""
    here = containers(kind)
    top = dockerfiles.context_of(name, containers.folder / f"{kind}-{name}")
    first = next(i for i, line in enumerate(dockerfiles.text_of(name).splitlines(), 1) if line.startswith("RUN"))
    refused = here.build(top, "-t", f"{name}:1", *registries.options, env={"SLIPWAY_ROOT": "/tmp/state", "HOME": "/tmp"}).fails(
        f"slipway: Dockerfile:{first}:1: programs of an image cannot run here: no sandbox mode works")
    lines = refused.err.splitlines()
    for line in REFUSED[kind][1] + [f"rootless-subuid: {USERNS}", f"rootless-single: {USERNS}",
                                    "\"slipway doctor\" shows every mode and what would change it"]:
        assert line in lines, str(refused)

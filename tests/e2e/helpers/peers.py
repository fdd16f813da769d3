"""Other builders and engines, each with storage of its own below a folder of the test run."""
import json
import os
import shutil
import subprocess
import tarfile

import pytest

from helpers import processes
from helpers.images import read_with_skopeo, skopeo


def _run(*arguments, env=None, **options):
    for _ in range(3):
        done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False,
                              env={**os.environ, **(env or {})}, **options)
        # docker 20.10 gives up on its own locks when many stages start at once on a slow machine.
        if "flightcontrol: exceeded retry timeout" not in done.stderr:
            break
    assert done.returncode == 0, f"{' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}"
    return done.stdout


def _read_archive(file, folder):
    """A docker archive: the files by way of skopeo, the config as it stands there, since OCI's knows less."""
    image = read_with_skopeo(f"docker-archive:{file}", folder)
    with tarfile.open(file) as tar:
        name = json.load(tar.extractfile("manifest.json"))[0]["Config"]
        image.config = json.load(tar.extractfile(name))
    return image


class Buildah:
    """buildah in its chroot isolation, which needs nothing of the kernel that a container lacks."""

    def __init__(self, folder):
        if not shutil.which("buildah"):
            pytest.skip("buildah is not installed")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.storage = ["--storage-driver", "vfs", "--root", folder / "storage", "--runroot", folder / "run"]
        self.n_built = 0

    def add(self, layout, name):
        """Makes a layout's only image known as localhost/NAME."""
        skopeo("copy", f"oci:{layout}",
               f"containers-storage:[vfs@{self.folder}/storage+{self.folder}/run]localhost/{name}:latest")

    def build(self, context, *options):
        """The image of a context, as an Image."""
        self.n_built += 1
        name = f"built{self.n_built}"
        _run("buildah", *self.storage, "bud", "--isolation", "chroot", "--pull-never", "--format", "docker",
             *options, "-t", name, context)
        # An OCI archive would drop what only docker's config has.
        _run("buildah", *self.storage, "push", name, f"docker-archive:{self.folder}/{name}.tar:{name}:latest")
        return _read_archive(self.folder / f"{name}.tar", self.folder / name)


class Docker:
    """A dockerd without network, ended with the session."""

    def __init__(self, folder):
        if not shutil.which("dockerd") or os.geteuid() != 0:
            pytest.skip("needs: dockerd and root")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.socket = f"unix://{folder}/sock"
        # Debian's client, of the same version as its daemon, before any other in the path.
        self.client = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else shutil.which("docker")
        self.n_built = 0
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--data-root", folder / "data", "--exec-root", folder / "exec", "-p", folder / "pid",
                 "-H", self.socket, "--iptables=false", "--ip6tables=false", "--bridge=none"],
                # containerd writes there, too, when it is slow to answer.
                stdout=log, stderr=log, start_new_session=True, env={**os.environ, "TMPDIR": str(folder)})
        processes.servers.add(self.process.pid)
        processes.wait_until(lambda: self.process.poll() is not None or self._answers(), 60)
        if not self._answers():
            self.stop()
            pytest.skip("needs: a kernel that dockerd can use: " + (folder / "log").read_text()[-300:])

    def _answers(self):
        return self.process.poll() is None and subprocess.run(
            [self.client, "-H", self.socket, "version"], capture_output=True, check=False).returncode == 0

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        processes.servers.discard(self.process.pid)
        # The network namespace of containers with --network host stays mounted, and its folder could not be removed.
        for point in sorted(processes.mounts(self.folder), reverse=True):
            subprocess.run(["umount", "-l", point], check=True)

    def __call__(self, *arguments, env=None):
        # Logins are its own, not of whoever runs the tests.
        return _run(self.client, "-H", self.socket, *arguments, env={"DOCKER_CONFIG": str(self.folder / "config"), **(env or {})})

    def add(self, layout, name):
        archive = self.folder / f"{name}.tar"
        archive.unlink(missing_ok=True)
        skopeo("copy", f"oci:{layout}", f"docker-archive:{archive}:{name}:latest")
        self("load", "-i", archive)

    def build(self, context, *options):
        self.n_built += 1
        name = f"built{self.n_built}"
        self("build", "--network=none", *options, "-t", name, context, env={"DOCKER_BUILDKIT": "1"})
        self("save", "-o", self.folder / f"{name}.tar", name)
        return _read_archive(self.folder / f"{name}.tar", self.folder / name)


# What both docker and OCI configs say of a container, without what an engine adds for itself.
FIELDS = ("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "StopSignal", "Healthcheck",
          "Shell", "OnBuild")


def comparable(config):
    """The fields of an image's config that two builders must agree on; empty ones count as absent."""
    found = {f: config[f] for f in FIELDS if config.get(f)}
    labels = {k: v for k, v in (config.get("Labels") or {}).items() if k != "io.buildah.version"}
    if labels:
        found["Labels"] = labels
    if found.get("WorkingDir") == "/":
        del found["WorkingDir"]
    return found

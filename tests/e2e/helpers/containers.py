"""Containers as CI gives them, by a dockerd of the tests' own: what slipway can do inside them.

The container's root is the test image debian-base; the programs and libraries below /usr are this machine's, read-only, so that the
binary under test runs in it. The state folder is in the container, on whatever file system it has there.
"""
import io
import json
import os
import subprocess
import tarfile

from helpers.images import read_layout
from helpers.peers import Docker
from helpers.runner import Result

STATE = "/var/lib/slipway"


class Container:
    def __init__(self, containers, name):
        self.containers, self.name = containers, name

    def exec(self, *argv, env=None, user=None, timeout=300):
        """A command in the container as a Result."""
        docker = self.containers.docker
        options = [o for k, v in (env or {}).items() for o in ("-e", f"{k}={v}")] + (["-u", user] if user else [])
        argv = [str(a) for a in argv]
        done = subprocess.run([docker.client, "-H", docker.socket, "exec", *options, self.name, *argv], capture_output=True,
                              check=False, timeout=timeout)
        if b"is not running" in done.stderr:
            raise AssertionError(f"the container {self.name} ended: {self.why_it_ended()}")
        return Result(argv, done.returncode, done.stdout.decode(errors="backslashreplace"),
                      done.stderr.decode(errors="backslashreplace"), 0, done.stdout)

    def why_it_ended(self):
        state = self.containers.docker("inspect", "-f", "{{json .State}}", self.name)
        return f"{state}\n{(self.containers.folder / 'docker/log').read_text()[-3000:]}"

    def __call__(self, *argv, env=None, **options):
        """slipway in the container."""
        return self.exec("/slipway", *argv, env={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""), **(env or {})}, **options)

    def build(self, context, *options, **run_options):
        """context: a folder below the one that all containers see at the same path."""
        images = [o for name, layout in self.containers.images.items()
                  for o in ("--build-context", f"{name}=oci-layout:{layout}")]
        return self("build", "--progress", "plain", *images, *options, context, **run_options)

    def mode(self):
        return json.loads(self("doctor", "--json").ok().out)["mode"]

    def image(self, name, folder, state=STATE):
        """The image of the container's state folder, read outside."""
        packed = self.exec("tar", "-C", state, "-c", "--exclude=./ingest", "--exclude=./layers", ".").ok()
        (folder / "state").mkdir()
        with tarfile.open(fileobj=io.BytesIO(packed.raw)) as tar:
            tar.extractall(folder / "state")
        return read_layout(folder / "state", name)

    def remove(self):
        self.containers.docker("rm", "-f", self.name)


class Containers:
    def __init__(self, folder, binary, images, seen=()):
        """seen: further folders that containers see at the same path."""
        self.docker = Docker(folder / "docker")
        self.folder, self.binary, self.images, self.seen = folder, binary, images, seen
        self.docker.add(images["debian-base"], "debian-base")
        self.n = 0

    def start(self, *options):
        """A container that waits, with further options of docker run."""
        self.n += 1
        name = f"ci{self.n}"
        volumes = ["/usr:/usr:ro", f"{self.binary}:/slipway:ro", f"{self.folder}:{self.folder}:ro",
                   *(f"{path}:{path}:ro" for path in (*self.images.values(), *self.seen))]
        network = [] if "--network" in options else ["--network", "host"]
        self.docker("run", "-d", *network, "--name", name, "-e", f"SLIPWAY_ROOT={STATE}",
                    *(o for v in volumes for o in ("-v", v)), *options, "debian-base", "sleep", "7200")
        return Container(self, name)

    def stop(self):
        self.docker.stop()

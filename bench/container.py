#!/usr/bin/env python3
"""Times RUN where CI lives: slipway inside a container with docker's defaults (mode chroot), and on this machine (modes chroot and
root), beside docker and buildah's chroot isolation, which run outside of any container because inside they cannot, and beside kaniko in
a container of its own where its program is given.

Cold: the base image is in the store, nothing is extracted and no step is known. docker and buildah keep the base extracted, so only
slipway's and kaniko's figures hold that work; kaniko's also hold the base's way from a registry on loopback. The minimum of the rounds
is compared; the first line tells how busy the machine was."""
import argparse
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import peers

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests/e2e"))
from helpers.containers import STATE, Container, Containers  # noqa: E402
from helpers.packages import unpacked  # noqa: E402
from helpers.registry import Registry  # noqa: E402

BASE = "debian-base"
# Small ones that need nothing that Debian's minimal system has not.
PACKAGES = ["make", "patch", "bzip2", "xz-utils"]
FURTHER = 10

# name: steps after FROM
WORKLOADS = {
    "run": "RUN true\n",
    "steps": "RUN true\n" + "".join(f"RUN true {i}\n" for i in range(FURTHER)),
    "apt": "COPY *.deb /debs/\nRUN apt-get install -y --no-install-recommends /debs/*.deb\n",
}


def base_layout():
    made = subprocess.run([HERE.parent / "tests/fixtures/make_base_images.sh", BASE], check=True, text=True, capture_output=True)
    return made.stdout.split()[-1]


def make_contexts(top):
    contexts = {}
    for name, steps in {"empty": "", **WORKLOADS}.items():
        contexts[name] = top / name
        contexts[name].mkdir(parents=True)
        (contexts[name] / "Dockerfile").write_text(f"FROM {BASE}\n{steps}")
    # apt's own user may not enter the folder
    subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *PACKAGES], cwd=contexts["apt"], check=True)
    return contexts


class Inside:
    """slipway in a container with docker's defaults; the time is taken in there, without docker's own."""
    name = "slipway, in a container"

    def __init__(self, containers):
        # Else all of the container counts as one process, beside others that the machine may run.
        self.container = containers.start("--cpu-shares", "262144")
        mode = self.container.mode()
        if mode != "chroot":
            raise peers.Failed(f"the mode in a default container is {mode}")

    def prepare(self, contexts):
        self.container.exec("sh", "-c", f"rm -rf {STATE}/*").ok()
        self.container.build(contexts["empty"], "-q").ok()

    def build(self, context):
        shell = ('TIMEFORMAT="%R %U %S"; time /slipway build -q --build-context "$0" "$1" > /tmp/out 2>&1 || '
                 '{ cat /tmp/out; exit 1; }')
        layout = self.container.containers.images[BASE]
        done = self.container.exec("bash", "-c", shell, f"{BASE}=oci-layout:{layout}", context)
        if done.code:
            raise peers.Failed(done.out + done.err)
        real, user, system = map(float, done.err.split()[-3:])
        return {"seconds": real, "cpu": user + system}

    def stop(self):
        self.container.remove()


class Outside:
    """slipway on this machine, in a mode."""

    def __init__(self, folder, binary, layout, mode):
        self.name = f"slipway, mode {mode}"
        self.root, self.binary, self.layout = folder / mode, binary, layout
        self.env = {"SLIPWAY_ROOT": str(self.root), "SLIPWAY_SANDBOX": mode}

    def prepare(self, contexts):
        shutil.rmtree(self.root, ignore_errors=True)
        self.build(contexts["empty"])

    def build(self, context):
        return peers.timed([self.binary, "build", "-q", "--build-context", f"{BASE}=oci-layout:{self.layout}", context], self.env)

    def stop(self):
        pass


class Docker:
    name = "docker"

    def __init__(self, containers):
        self.docker = containers.docker

    def prepare(self, _):
        self.docker("builder", "prune", "-af")

    def build(self, context):
        return peers.timed([self.docker.client, "-H", self.docker.socket, "build", "-q", "--network=host", context],
                           {"DOCKER_BUILDKIT": "1"})

    def stop(self):
        pass


class Buildah(peers.Buildah):
    name = "buildah"

    def __init__(self, folder, layout):
        super().__init__(folder)
        image = f"containers-storage:[overlay@{self.folder}/storage+{self.folder}/run]localhost/{BASE}:latest"
        peers.timed(["skopeo", "copy", "-q", f"oci:{layout}", image])

    def prepare(self, _):
        self.forget()


class Kaniko:
    """Each build in a new container, since kaniko builds over its own root; the time is taken in there. Nothing is pushed."""
    name = "kaniko, in a container"

    def __init__(self, containers, executor, folder, layout):
        self.containers, self.container, self.contexts = containers, None, folder / "contexts"
        folder.joinpath("kaniko").mkdir()
        self.registry = Registry(folder / "kaniko", tls=False, login=False)
        peers.timed(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}", f"docker://{self.registry.host}/library/{BASE}"])
        self._import(executor, folder / "kaniko/image.tar")

    def _import(self, executor, archive):
        with tarfile.open(archive, "w") as tar:
            tar.add(executor, "kaniko/executor")
            tar.add(unpacked("busybox-static", "bin/busybox"), "busybox/busybox")
            # its own directory for credentials
            config = tarfile.TarInfo("kaniko/.docker/config.json")
            config.size = 2
            tar.addfile(config, io.BytesIO(b"{}"))
        self.containers.docker("import", archive, "kaniko")

    def prepare(self, _):
        self.remove()
        self.containers.docker(
            "run", "-d", "--name", "kaniko", "--network", "host", "--cpu-shares", "262144", "-e", "DOCKER_CONFIG=/kaniko/.docker",
            "-v", f"{self.contexts}:{self.contexts}:ro", "kaniko", "/busybox/busybox", "sleep", "7200")
        self.container = Container(self.containers, "kaniko")

    def build(self, context):
        command = ('/kaniko/executor --force --no-push -c "$0" --registry-mirror "$1" --insecure-registry "$1" > /kaniko/log 2>&1 || '
                   '{ /busybox/busybox cat /kaniko/log; exit 1; }')
        done = self.container.exec("/busybox/busybox", "time", "/busybox/busybox", "sh", "-c", command, context, self.registry.host)
        if done.code:
            raise peers.Failed(done.out + done.err)
        seconds = [60 * int(m) + float(s) for m, s in re.findall(r"(?:real|user|sys)\s+(\d+)m ?([\d.]+)s", done.err)]
        return {"seconds": seconds[0], "cpu": seconds[1] + seconds[2]}

    def remove(self):
        if self.container:
            self.container.remove()
        self.container = None

    def stop(self):
        self.remove()
        self.registry.stop()


def measure(builders, contexts, rounds):
    figures = {name: {b.name: [] for b in builders} for name in WORKLOADS}
    for _ in range(rounds):
        for name, results in figures.items():
            for builder in builders:
                builder.prepare(contexts)
                results[builder.name].append(builder.build(contexts[name]))
    return figures


def show(figures):
    best = {name: {b: min(r["seconds"] for r in rows) for b, rows in results.items()} for name, results in figures.items()}
    print(f"{'':24} {'RUN true, cold':>15} {'a further step':>15} {'apt-get, cold':>15}   CPU of the first")
    for builder, run in best["run"].items():
        step = max(best["steps"][builder] - run, 0) / FURTHER
        cpu = min(r["cpu"] for r in figures["run"][builder])
        print(f"{builder:24} {run:13.2f} s {step * 1000:12.0f} ms {best['apt'][builder]:13.2f} s   {cpu:6.2f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--binary", default=HERE.parent / "build/slipway", type=pathlib.Path)
    parser.add_argument("--kaniko", metavar="EXECUTOR", type=pathlib.Path,
                        help="kaniko's static program: CGO_ENABLED=0 go build ./cmd/executor, with the sources of its Go module")
    options = parser.parse_args()
    if os.geteuid():
        parser.error("dockerd needs root")
    layout, binary = base_layout(), options.binary.resolve()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs", flush=True)
    with tempfile.TemporaryDirectory(prefix="slipway-bench-", dir=os.environ.get("BENCH_DIR", "/var/tmp")) as folder:
        scratch = pathlib.Path(folder)
        scratch.chmod(0o755)
        contexts = make_contexts(scratch / "contexts")
        containers = Containers(scratch, binary, {BASE: layout})
        builders = [Inside(containers), Outside(scratch, binary, layout, "chroot"), Outside(scratch, binary, layout, "root"),
                    Docker(containers)]
        try:
            if shutil.which("buildah"):
                builders.append(Buildah(scratch, layout))
            else:
                print("left out: buildah: not installed")
            if options.kaniko:
                builders.append(Kaniko(containers, options.kaniko, scratch, layout))
            else:
                print("left out: kaniko: no --kaniko")
            show(measure(builders, contexts, options.rounds))
        finally:
            for builder in builders:
                builder.stop()
            containers.stop()
            # dockerd leaves its network's namespace mounted
            subprocess.run(["umount", "-l", containers.docker.folder / "exec/netns/default"], capture_output=True, check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())

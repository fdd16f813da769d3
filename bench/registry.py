#!/usr/bin/env python3
"""Times pushes and pulls of an image with one big layer that does not compress, round by round in one run: slipway,
skopeo and docker as clients, slipway's registry and docker-registry as servers, on loopback without TLS. A pull ends
with the files unpacked, but skopeo's. The minimum of the rounds is compared; peak memory is the client's own, and of
slipway's registry its greatest so far."""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import peers
import workloads

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests/e2e"))
from helpers.registry import Registry  # noqa: E402
from helpers.serve import Serve  # noqa: E402
from run import base_layout  # noqa: E402

NAME = "bench/big"


class Slipway:
    name = "slipway"

    def __init__(self, folder, binary, layout):
        self.folder, self.binary, self.layout = folder, binary, layout
        self.env = {"SLIPWAY_ROOT": str(folder / "root")}
        peers.timed([binary, "load", "-q", "-i", layout], self.env)

    def push(self, host, repository):
        peers.timed([self.binary, "tag", NAME, f"{host}/{repository}:1"], self.env)
        return peers.timed([self.binary, "push", "-q", f"{host}/{repository}:1"], self.env)

    def pull(self, host, repository):
        root = self.folder / "pulled"
        figures = peers.timed([self.binary, "run", f"{host}/{repository}:1", "true"], {"SLIPWAY_ROOT": str(root)})
        shutil.rmtree(root)
        return figures

    def stop(self):
        pass


class Skopeo:
    name = "skopeo"

    def __init__(self, folder, layout):
        self.folder, self.layout = folder, layout

    def push(self, host, repository):
        return peers.timed(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci-archive:{self.layout}",
                            f"docker://{host}/{repository}:1"])

    def pull(self, host, repository):
        layout = self.folder / "pulled"
        figures = peers.timed(["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{host}/{repository}:1",
                               f"oci:{layout}:1"])
        shutil.rmtree(layout)
        return figures

    def stop(self):
        pass


class Docker(peers.Docker):
    def __init__(self, folder, archive):
        super().__init__(folder)
        self.run("load", "-i", archive)

    def push(self, host, repository):
        self.run("tag", NAME, f"{host}/{repository}:1")
        return self.run("push", "-q", f"{host}/{repository}:1")

    def pull(self, host, repository):
        # its layers are there under the name that was loaded, too
        self.run("rmi", "-f", *self.names())
        return self.run("pull", "-q", f"{host}/{repository}:1")

    def names(self):
        listed = subprocess.run([self.client, "-H", self.host, "images", "-q"], capture_output=True, text=True, check=True)
        return sorted(set(listed.stdout.split()))


def make_image(binary, scratch, size):
    """OCI and docker archives of NAME."""
    context = scratch / "context"
    workloads.bigfile(context, size)
    (context / "Dockerfile").write_text("FROM bench/base\nCOPY big /big\n")
    root = {"SLIPWAY_ROOT": str(scratch / "make")}
    oci, docker = scratch / "big.oci.tar", scratch / "big.docker.tar"
    peers.timed([binary, "build", "-q", "-t", NAME, "--build-context", f"bench/base=oci-layout:{base_layout()}",
                 "-o", f"type=oci,dest={oci}", "-o", f"type=docker,dest={docker}", context], root)
    shutil.rmtree(context)
    shutil.rmtree(scratch / "make")
    return oci, docker


def peak_of(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def show(title, results):
    ours = min(r["seconds"] for r in results["slipway"])
    print(f"\n{title}")
    for client, rows in results.items():
        best = min(r["seconds"] for r in rows)
        ratio = "" if client == "slipway" else f"   slipway takes {ours / best:.2f} of it"
        print(f"  {client:8} min {best:7.2f} s   cpu {min(r['cpu'] for r in rows):6.2f} s   peak "
              f"{max(r['rss'] for r in rows) / 1024:6.1f} MiB{ratio}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=2048, metavar="MIB", help="of the layer")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--binary", default=HERE.parent / "build/slipway", type=pathlib.Path)
    options = parser.parse_args()
    binary = options.binary.resolve()
    with tempfile.TemporaryDirectory(prefix="slipway-bench-", dir=os.environ.get("BENCH_DIR", "/var/tmp")) as folder:
        scratch = pathlib.Path(folder)
        oci, archive = make_image(binary, scratch, options.size << 20)
        places = {name: scratch / name for name in ("slipway", "skopeo", "docker")}
        for place in places.values():
            place.mkdir()
        clients = [Slipway(places["slipway"], binary, oci), Skopeo(places["skopeo"], oci)]
        try:
            clients.append(Docker(places["docker"], archive))
        except (peers.Failed, FileNotFoundError) as error:
            print(f"left out: docker: {error}")
        totals = {}
        try:
            for title in ("slipway registry serve", "docker-registry"):
                pushes, pulls = {c.name: [] for c in clients}, {c.name: [] for c in clients}
                peak = 0
                for number in range(options.rounds):
                    # a server of its own for each push: no client remembers where it has seen the layer
                    for client in clients:
                        folder = scratch / f"server-{client.name}{number}"
                        server = Serve(binary, folder) if title.startswith("slipway") else Registry(folder, tls=False, login=False)
                        try:
                            pushes[client.name].append(client.push(server.host, "big"))
                            pulls[client.name].append(client.pull(server.host, "big"))
                            if title.startswith("slipway"):
                                peak = max(peak, peak_of(server.process.pid))
                        finally:
                            server.stop()
                            shutil.rmtree(folder)
                        if isinstance(client, Docker):
                            client.run("load", "-i", archive)
                show(f"push of {options.size} MiB to {title}", pushes)
                show(f"pull of {options.size} MiB from {title}", pulls)
                if peak:
                    print(f"  peak memory of the server {peak / 1024:.1f} MiB", flush=True)
                totals[title] = min(r["seconds"] for r in pushes["skopeo"])
            print(f"\nskopeo's push to slipway's registry takes "
                  f"{totals['slipway registry serve'] / totals['docker-registry']:.2f} of that to docker-registry")
        finally:
            for client in clients:
                client.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())

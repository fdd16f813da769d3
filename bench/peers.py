"""The builders that are compared, each with storage of its own: slipway, docker (BuildKit) and buildah."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

CLEAN_ENV = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "http_proxy", "https_proxy")}


class Failed(Exception):
    """A builder ended with an error."""


def timed(arguments, env=None):
    """Runs a command; seconds, CPU seconds and peak resident KiB of it and its children."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        child = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=output,
                                 stderr=subprocess.STDOUT, env={**CLEAN_ENV, **(env or {})})
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            output.seek(0)
            raise Failed(f"{' '.join(map(str, arguments))}\n{output.read()[-4000:].decode(errors='replace')}")
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss}


class Slipway:
    name = "slipway"

    def __init__(self, folder, binary):
        self.folder, self.binary = folder, binary
        self.env = {"SLIPWAY_ROOT": str(folder / "slipway")}

    def prepare(self, base):
        """The base image is known as bench/base."""
        self.base = base

    def build(self, context, *options):
        return timed([self.binary, "build", "-q", "-t", "bench", "--build-context",
                      f"bench/base=oci-layout:{self.base}", *options, context], self.env)

    def forget(self):
        """No cache, the base still there."""
        shutil.rmtree(self.folder / "slipway" / "cache", ignore_errors=True)

    def stop(self):
        pass


class Docker:
    name = "docker"

    def __init__(self, folder):
        self.folder = folder / "docker"
        self.folder.mkdir()
        self.host = f"unix://{self.folder}/sock"
        self.client = "/usr/bin/docker"
        self.log = open(self.folder / "log", "wb")
        self.daemon = subprocess.Popen(
            ["dockerd", "--data-root", self.folder / "data", "--exec-root", self.folder / "exec", "-p",
             self.folder / "pid", "-H", self.host, "--iptables=false", "--ip6tables=false", "--bridge=none"],
            stdout=self.log, stderr=self.log, start_new_session=True)
        end = time.monotonic() + 30
        while subprocess.run([self.client, "-H", self.host, "version"], capture_output=True, check=False).returncode:
            if time.monotonic() > end or self.daemon.poll() is not None:
                self.stop()
                raise Failed("dockerd does not start: " + (self.folder / "log").read_text()[-500:])
            time.sleep(0.1)

    def run(self, *arguments):
        return timed([self.client, "-H", self.host, *arguments], {"DOCKER_BUILDKIT": "1"})

    def prepare(self, base):
        archive = self.folder / "base.tar"
        timed(["skopeo", "copy", "-q", f"oci:{base}", f"docker-archive:{archive}:bench/base:latest"])
        self.run("load", "-i", archive)

    def build(self, context, *options):
        # the host's network for RUN, as slipway has it: a bridge would cost docker more
        return self.run("build", "-q", "--network=host", "-t", "bench", *options, context)

    def forget(self):
        self.run("builder", "prune", "-af")

    def stop(self):
        if self.daemon.poll() is None:
            self.daemon.terminate()
            self.daemon.wait(30)
        self.log.close()


class Buildah:
    name = "buildah"

    def __init__(self, folder):
        self.folder = folder / "buildah"
        self.folder.mkdir()
        self.storage = ["--storage-driver", "overlay", "--root", self.folder / "storage", "--runroot",
                        self.folder / "run"]

    def prepare(self, base):
        timed(["skopeo", "copy", "-q", f"oci:{base}", f"containers-storage:[overlay@{self.folder}/storage+"
               f"{self.folder}/run]localhost/bench/base:latest"])

    def build(self, context, *options):
        return timed(["buildah", *self.storage, "bud", "-q", "--layers", "--isolation", "chroot", "--network", "host",
                      "--pull-never", "-t", "bench", *options, context])

    def forget(self):
        timed(["buildah", *self.storage, "rmi", "--prune", "-f"])
        try:
            timed(["buildah", *self.storage, "rmi", "-f", "bench"])
        except Failed:
            pass

    def stop(self):
        # containers/storage leaves its folder mounted over itself
        subprocess.run(["umount", "-l", self.folder / "storage" / "overlay"], capture_output=True, check=False)


def available(folder, binary, wanted, beside=None):
    """The peers that this machine has, and why others are left out."""
    folder = pathlib.Path(folder)
    found, left_out = [Slipway(folder, binary)], []
    if beside:
        found.append(Slipway(folder / "beside", beside.resolve()))
        found[1].name = "beside"
    for name, make, program in (("docker", Docker, "dockerd"), ("buildah", Buildah, "buildah")):
        if name not in wanted:
            continue
        if not shutil.which(program) or os.geteuid():
            left_out.append(f"{name}: {'not root' if os.geteuid() else 'not installed'}")
            continue
        try:
            found.append(make(folder))
        except Failed as why:
            left_out.append(f"{name}: {why}")
    return found, left_out

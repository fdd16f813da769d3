#!/usr/bin/env python3
"""Times "deploy --local" of an image that is built already, from exec until its service answers 200: with the target's own start, in
a state folder where nothing is deployed, and with a target that runs. Beside it, what the app takes by itself."""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[1]
DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY index.html /
EXPOSE 3000
CMD ["/bin/busybox", "httpd", "-f", "-p", "3000", "-h", "/"]
"""
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def await_answer(url, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with HTTP.open(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.005)
    raise SystemExit(f"{url} does not answer")


def start_alone(busybox, folder):
    begin = time.perf_counter()
    with subprocess.Popen([busybox, "httpd", "-f", "-p", "127.0.0.1:3999", "-h", folder]) as app:
        try:
            await_answer("http://127.0.0.1:3999/index.html")
            return time.perf_counter() - begin
        finally:
            app.terminate()


class Target:
    def __init__(self, binary, folder, context):
        self.binary, self.context = binary, context
        self.env = {**os.environ, "SLIPWAY_ROOT": str(folder / "state")}
        self.deploy_words = ["deploy", "--local", "--name", "bench", "--service", "web", str(context)]
        self.url = re.search(r"http://127\.65\.\d+\.\d+:\d+", self.run(*self.deploy_words)).group() + "/index.html"

    def run(self, *words):
        done = subprocess.run([self.binary, *words], env=self.env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"slipway {' '.join(words)}: {done.stderr}")
        return done.stdout + done.stderr

    def deploy(self):
        begin = time.perf_counter()
        with subprocess.Popen([self.binary, *self.deploy_words], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as deploy:
            await_answer(self.url)
            taken = time.perf_counter() - begin
        if deploy.returncode:
            raise SystemExit(f"deploy ended with {deploy.returncode}")
        return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--binary", type=pathlib.Path, default=TOP / "build/slipway")
    options = parser.parse_args()
    busybox = subprocess.run([TOP / "tests/fixtures/fetch_deb.sh", "busybox-static", "bin/busybox"], capture_output=True, text=True,
                             check=True).stdout.strip()
    taken = {"app alone": [], "deploy, target starts": [], "deploy, target runs": []}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        folder = pathlib.Path(folder)
        context = folder / "context"
        context.mkdir()
        (context / "Dockerfile").write_text(DOCKERFILE)
        (context / "index.html").write_text("well\n")
        shutil.copy(busybox, context / "busybox")
        target = Target(options.binary, folder, context)
        try:
            for _ in range(options.rounds):
                target.run("local", "reset", "--force")
                taken["app alone"].append(start_alone(busybox, context))
                taken["deploy, target starts"].append(target.deploy())
                target.run("destroy", "--local", "--yes", "bench")
                taken["deploy, target runs"].append(target.deploy())
        finally:
            target.run("local", "reset", "--force")
    for name, seconds in taken.items():
        print(f"{name:22} min {min(seconds):6.3f} s   median {sorted(seconds)[len(seconds) // 2]:6.3f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

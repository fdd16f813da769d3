"""A local target of a test's own: slipway local in the foreground, and botocore as a foreign client."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from helpers.runner import Slipway

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from fakes.aws_cloud import models  # noqa: E402


# Whose newest rules for endpoints Debian's botocore cannot read: its own models serve.
TOO_NEW = ("elbv2", "dynamodb")


class LocalTarget:
    """On a free port; target.run is the slipway whose state folder it serves: target.run("ps", "--local")."""

    def __init__(self, run: Slipway, *options):
        self.run, self.options = run, options
        run.env.setdefault("SLIPWAY_TEST_SETTLE_MS", "500")
        self.process = None
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self):
        with open(self.run.folder / "local.log", "ab") as log:
            self.process = self.run.start("local", "start", "--foreground", "--port=0", *self.options, stderr=log)
        line = self.process.stdout.readline().decode()
        match = re.fullmatch(r"listening on (http://127\.0\.0\.1:(\d+))\n", line)
        assert match, f"{line!r}\n{self.log()}"
        self.url, self.port = match[1], int(match[2])
        self.registry = f"127.0.0.1:{self.port}"
        self.keys = json.loads(self.run("local", "env", "--json").ok().out)
        self.page = json.loads(self.run("local", "status", "--json").ok().out)["statusPage"]

    def log(self):
        return (self.run.folder / "local.log").read_text(errors="replace")

    def client(self, service, key=None, secret=None, token=None, **config):
        """botocore with AWS's own newest models, and the target's keys."""
        import botocore.config
        import botocore.session

        session = botocore.session.get_session()
        if service not in TOO_NEW:
            session.register_component("data_loader", models.loader())
        options = {"retries": {"total_max_attempts": 1}, "connect_timeout": 5, "read_timeout": 30, **config}
        return session.create_client(service, endpoint_url=self.url, region_name=self.keys["AWS_REGION"],
                                     aws_access_key_id=key or self.keys["AWS_ACCESS_KEY_ID"],
                                     aws_secret_access_key=secret or self.keys["AWS_SECRET_ACCESS_KEY"],
                                     aws_session_token=token, config=botocore.config.Config(**options))

    def stop(self, number=signal.SIGTERM, seconds=60):
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(seconds)
        self.process.stdout.close()
        return self.process.returncode

    def kill(self):
        return self.stop(signal.SIGKILL)

    def restart(self):
        self.stop()
        self.start()


def aws_program():
    """Debian's, of version 2, before one that pip has brought: "logs tail" is not in version 1."""
    found = shutil.which("aws", path=f"/usr/bin:{os.environ['PATH']}")
    if not found:
        pytest.skip("needs: awscli (./dev test installs it)")
    return found


def aws(target, *arguments, text=False):
    """The aws command against it: what it prints, as JSON or as text."""
    env = {**target.keys, "PATH": os.environ["PATH"], "HOME": str(target.run.home), "AWS_PAGER": ""}
    command = [aws_program(), "--endpoint-url", target.url, "--region", target.keys["AWS_REGION"], *[str(a) for a in arguments]]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout if text else json.loads(done.stdout or "null")


def until(condition, seconds=60, what=""):
    """Waits for a true value and gives it."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} s: {what or condition}"
        time.sleep(0.05)

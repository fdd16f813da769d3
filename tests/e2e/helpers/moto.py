"""moto's server, AWS's interface as others understand it, on a loopback port."""
import os
import shutil
import socket
import subprocess

import pytest

from helpers import processes
from helpers.packages import TOP
from helpers.registry import free_port

boto = pytest.importorskip("botocore.session")

# What moto says of its accounts (moto/ecr/models.py): the host, the user AWS and this password.
ACCOUNT, REGION = "123456789012", "us-east-1"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
PASSWORD = f"{ACCOUNT}-auth-token"


def program():
    own = TOP / ".dev/moto/bin/moto_server"
    return str(own) if own.exists() else shutil.which("moto_server")


class Moto:
    def __init__(self, folder, **env):
        self.port, self.log = free_port(), folder / "moto.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([program(), "-H", "127.0.0.1", "-p", str(self.port)], stdout=log, stderr=log,
                                            start_new_session=True, env={"PATH": os.environ["PATH"], "HOME": str(folder), **env})
        processes.servers.add(self.process.pid)
        self.url = f"http://127.0.0.1:{self.port}"
        assert processes.wait_until(self._answers, 60), self.log.read_text()

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def client(self, service="ecr"):
        return boto.get_session().create_client(service, region_name=REGION, endpoint_url=self.url,
                                                aws_access_key_id="AKIDTEST", aws_secret_access_key="secret")

    def calls(self):
        return self.log.read_text().count('"POST / ')

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        processes.servers.discard(self.process.pid)

"""The login at ECR and its repositories against moto, AWS's interface as others understand it."""
import base64
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import pytest

from helpers import processes
from helpers.images import read_layout
from helpers.registry import TOP, Registry, free_port

sys.path.insert(0, str(TOP / "tests/fakes"))
from fault_registry import FaultRegistry  # noqa: E402

boto = pytest.importorskip("botocore.session")

# What moto says of its accounts (moto/ecr/models.py): the host, the user AWS and this password.
ACCOUNT, REGION = "123456789012", "us-east-1"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
PASSWORD = f"{ACCOUNT}-auth-token"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret"}


def program():
    own = TOP / ".dev/moto/bin/moto_server"
    return str(own) if own.exists() else shutil.which("moto_server")


class Moto:
    def __init__(self, folder):
        self.port, self.log = free_port(), folder / "moto.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([program(), "-H", "127.0.0.1", "-p", str(self.port)], stdout=log, stderr=log,
                                            start_new_session=True, env={"PATH": os.environ["PATH"], "HOME": str(folder)})
        processes.servers.add(self.process.pid)
        self.url = f"http://127.0.0.1:{self.port}"
        assert processes.wait_until(self._answers, 60), self.log.read_text()

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def client(self):
        return boto.get_session().create_client("ecr", region_name=REGION, endpoint_url=self.url,
                                                aws_access_key_id="AKIDTEST", aws_secret_access_key="secret")

    def calls(self):
        return self.log.read_text().count('"POST / ')

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        processes.servers.discard(self.process.pid)


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    if not program():
        pytest.skip("needs: moto (./dev test installs it)")
    running = Moto(pathlib.Path(tmp_path_factory.mktemp("moto")))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def data_plane(tmp_path_factory):
    """docker-registry under the name that moto hands out, with the password that it hands out."""
    registry = Registry(tmp_path_factory.mktemp("moto-ecr"), user="AWS", password=PASSWORD, names=[HOST])
    yield registry
    registry.stop()


@pytest.fixture
def place(slipway, moto, data_plane):
    slipway.env.update({**KEYS, "SLIPWAY_CONNECT_TO": f"{HOST}:443:127.0.0.1:{data_plane.port}",
                        "SSL_CERT_FILE": str(data_plane.ca), "AWS_ENDPOINT_URL": moto.url})
    return slipway


def test_push_and_pull(place, moto, data_plane, context):
    """The production name, TLS and login. moto's token ended in 2015: that must not make a login of every request."""
    name = f"{HOST}/moto/app:1"
    place.build(context({"Dockerfile": "FROM scratch\nCOPY a /\n", "a": "a"}), "-q", "-t", name).ok()
    calls, since = moto.calls(), data_plane.mark()
    place("push", name).ok()
    assert moto.calls() == calls + 1
    assert ("PUT", "/v2/moto/app/manifests/1", 201) in data_plane.requests(since)
    other = place.other()
    other("pull", name).ok()
    read_layout(other.root, name).verify()
    assert moto.calls() == calls + 2
    assert PASSWORD not in place("push", "--progress", "plain", name).ok().err


def test_the_token_is_what_aws_own_client_gets(moto):
    """The fixture's password is moto's, as botocore reads it."""
    data = moto.client().get_authorization_token()["authorizationData"][0]
    assert data["proxyEndpoint"] == f"https://{HOST}"
    assert base64.b64decode(data["authorizationToken"]).decode() == f"AWS:{PASSWORD}"


def test_a_missing_repository_is_made(place, moto, context):
    with FaultRegistry(auth="basic", user="AWS", password=PASSWORD) as fault:
        place.env["SLIPWAY_CONNECT_TO"] = f"{HOST}::127.0.0.1:{fault.port}"
        unknown = '{"errors":[{"code":"NAME_UNKNOWN","message":"The repository does not exist in the registry"}]}'
        fault.rule(method="POST", path="/uploads/", status=404, body=unknown, times=1)
        name = f"{HOST}/team/made:1"
        place.build(context({"Dockerfile": "FROM scratch\nCOPY a /\n", "a": "a"}), "-q", "-t", name).ok()
        place("push", "--insecure-registry", HOST, "--progress", "plain", name).ok()
    assert [r["repositoryName"] for r in moto.client().describe_repositories()["repositories"]] == ["team/made"]

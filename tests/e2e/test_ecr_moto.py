"""The login at ECR and its repositories against moto, AWS's interface as others understand it."""
import base64
import pathlib
import sys

import pytest

from helpers.images import read_layout
from helpers.moto import HOST, PASSWORD, Moto, program
from helpers.packages import TOP
from helpers.registry import Registry

sys.path.insert(0, str(TOP / "tests/fakes"))
from fault_registry import FaultRegistry  # noqa: E402

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret"}


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

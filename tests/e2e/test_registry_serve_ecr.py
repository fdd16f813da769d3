"""registry serve --ecr-quirks: what Amazon ECR does otherwise, and slipway's own commands against it."""
import base64
import json
import os
import pathlib
import subprocess
import sys

import pytest

from helpers.images import read_layout
from helpers.registry import make_certificates
from helpers.serve import CONFIG, EMPTY, INDEX, LAYER, MANIFEST, Serve, digest_of

TOKEN = {"Authorization": "Basic " + base64.b64encode(b"AWS:a-token").decode()}


class Ecr(Serve):
    """Logged in."""

    def __call__(self, method, path, body=None, **headers):
        return super().__call__(method, path, body, **{**TOKEN, **headers})


@pytest.fixture(scope="module")
def ecr(binary, tmp_path_factory):
    running = Ecr(binary, tmp_path_factory.mktemp("ecr"), "--ecr-quirks", "--repository", "app", "--repository", "team/other")
    yield running
    assert running.stop() == 0, running.log()


def test_a_login_is_asked_for(ecr):
    answer = ecr("GET", "/v2/", Authorization="")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == f'Basic realm="https://{ecr.host}/",service="ecr.amazonaws.com"'
    wrong = "Basic " + base64.b64encode(b"maria:a-token").decode()
    assert ecr("GET", "/v2/", Authorization=wrong).status == 401
    assert ecr("GET", "/v2/").status == 200


def test_repositories_must_exist(ecr):
    for method, path in (("POST", "blobs/uploads/"), ("PUT", "manifests/1"), ("GET", "manifests/1"), ("GET", "tags/list")):
        answer = ecr(method, f"/v2/none/{path}")
        assert answer.status == 404 and answer.code() == "NAME_UNKNOWN"
        assert "The repository with name 'none' does not exist" in answer.json()["errors"][0]["message"]
    assert ecr("POST", "/v2/team/other/blobs/uploads/").status == 202


def test_nothing_is_mounted(ecr):
    blob = ecr.blob("app", b"mine")
    for query in (f"mount={blob['digest']}&from=app", f"mount={blob['digest']}"):
        assert ecr("POST", f"/v2/team/other/blobs/uploads/?{query}").status == 202
    assert ecr("HEAD", f"/v2/team/other/blobs/{blob['digest']}").status == 404


def test_chunks_are_lost(ecr):
    data = os.urandom(1000)
    session = ecr.upload("app")
    for first, last in ((0, 499), (500, 999)):
        answer = ecr("PATCH", session, data[first:last + 1], Content_Range=f"{first}-{last}")
        assert answer.status == 201 and answer.headers["Range"] == "0-499"
    assert ecr("PUT", f"{session}?digest={digest_of(data)}").code() == "DIGEST_INVALID"


def test_one_patch_is_kept(ecr):
    """docker's own way: a PATCH with everything, and a PUT without a body."""
    data = os.urandom(1000)
    session = ecr.upload("app")
    assert ecr("PATCH", session, data).status == 201
    assert ecr("PUT", f"{session}?digest={digest_of(data)}").status == 201
    assert ecr("GET", f"/v2/app/blobs/{digest_of(data)}").body == data


def test_a_session_does_not_begin_again(ecr):
    data = os.urandom(1000)
    session = ecr.upload("app")
    ecr("PATCH", session, data[:400])
    answer = ecr("PUT", f"{session}?digest={digest_of(data)}", data)
    assert answer.status == 416 and answer.code() == "BLOB_UPLOAD_INVALID"
    assert "First byte of the layer part is 0 instead of 400" in answer.json()["errors"][0]["message"]


def test_empty_blobs(ecr):
    answer = ecr("PUT", f"{ecr.upload('app')}?digest={digest_of(b'')}")
    assert answer.status == 400 and "does not have any parts" in answer.json()["errors"][0]["message"]


def test_the_largest_layer(ecr):
    """52,000 MiB, told before the first byte."""
    session = ecr.upload("app")
    for size, expected in ((52000 << 20, b" 100 "), ((52000 << 20) + 1, b" 413 ")):
        answer = ecr.raw(f"PUT {session}?digest={digest_of(b'x')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n"
                         f"Authorization: {TOKEN['Authorization']}\r\nExpect: 100-continue\r\n\r\n".encode(), 0.5)
        assert expected in answer.partition(b"\r\n")[0], answer[:200]


def test_manifests(ecr):
    config, layer = {**ecr.blob("app", b"{}"), "mediaType": CONFIG}, ecr.blob("app", b"l")
    good = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    answer, digest = ecr.put("app", "1", good)
    assert answer.status == 201 and answer.headers["Docker-Content-Digest"] == digest and not answer.headers["Location"]
    for bad in ({**good, "artifactType": "application/x"}, {**good, "config": {**config, "mediaType": EMPTY}},
                {**good, "layers": [{**layer, "mediaType": "application/vnd.buildkit.cacheconfig.v0"}]},
                {k: v for k, v in good.items() if k != "mediaType"}):
        answer, _ = ecr.put("app", "bad", bad)
        assert answer.status == 405 and answer.code() == "UNSUPPORTED"
    answer, _ = ecr.put("app", "bad", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [layer]}, INDEX)
    assert answer.status == 405 and answer.code() == "UNSUPPORTED", "BuildKit's cache without image-manifest=true"
    assert ecr("GET", "/v2/app/tags/list?n=1000").status == 200
    assert ecr("GET", "/v2/app/tags/list?n=1001").status == 400
    assert ecr("DELETE", f"/v2/app/blobs/{layer['digest']}").status == 405
    assert LAYER == layer["mediaType"]


def test_immutable_tags(binary, folder):
    for quirks in (["--ecr-quirks"], []):
        serve = Ecr(binary, folder / f"serve{len(quirks)}", "--immutable-tags", "--repository", "app", *quirks)
        serve.image("app", "1")
        body = serve("GET", "/v2/app/manifests/1").body
        serve.image("app", "2", "other")
        other = serve("GET", "/v2/app/manifests/2").body
        answer = serve("PUT", "/v2/app/manifests/1", other, Content_Type=MANIFEST)
        assert answer.status == 400 and answer.code() == "TAG_INVALID"
        assert "already exists in the 'app' repository and cannot be overwritten because the tag is immutable" in \
            answer.json()["errors"][0]["message"]
        # ECR refuses what would change nothing, too.
        assert serve("PUT", "/v2/app/manifests/1", body, Content_Type=MANIFEST).status == (400 if quirks else 201)
        serve.stop()


@pytest.fixture
def logged_in(slipway, ecr):
    slipway("login", "-u", "AWS", "--password-stdin", ecr.host, stdin="token").ok()
    return slipway


def test_slipway_pushes_and_pulls(logged_in, ecr, build):
    name = f"{ecr.host}/app:slipway"
    top = build.context({"Dockerfile": "FROM tiny\nRUN echo made > /made\nCMD [\"cat\", \"/made\"]\n"})
    logged_in.build(top, "-t", name, "--push", *build.options).ok()
    assert logged_in.other()("run", name).ok().out == "made\n"
    # The second repository cannot have the layers by a mount.
    logged_in("tag", name, f"{ecr.host}/team/other:1").ok()
    logged_in("push", f"{ecr.host}/team/other:1").ok()
    logged_in("tag", name, f"{ecr.host}/missing:1").ok()
    logged_in("push", f"{ecr.host}/missing:1").fails("missing", "does not exist")


def test_slipway_pushes_an_immutable_tag_again(binary, slipway, build, folder):
    serve = Ecr(binary, folder / "serve", "--ecr-quirks", "--immutable-tags", "--repository", "app")
    slipway("login", "-u", "AWS", "--password-stdin", serve.host, stdin="token").ok()
    name = f"{serve.host}/app:1"
    slipway.build(build.context({"Dockerfile": "FROM tiny\nLABEL a=1\n"}), "-t", name, *build.options).ok()
    slipway("push", name).ok()
    slipway("push", name).ok()
    slipway.build(build.context({"Dockerfile": "FROM tiny\nLABEL a=2\n"}), "-t", name, *build.options).ok()
    slipway("push", name).fails("immutable")
    serve.stop()


def test_the_cache_of_builds(logged_in, ecr, build):
    """--cache-to and --cache-from: an ordinary image, which ECR takes."""
    ref = f"type=registry,ref={ecr.host}/app:cache"
    top = build.context({"Dockerfile": "FROM tiny\nRUN echo step > /step\nCOPY f /f\nRUN cat /f > /g\n", "f": "x"})
    logged_in.build(top, "-t", "a:1", "--cache-to", f"{ref},mode=max", *build.options).ok()
    assert json.loads(ecr("GET", "/v2/app/manifests/cache").body)["config"]["mediaType"] == CONFIG
    elsewhere = logged_in.other()
    said = elsewhere.build(top, "-t", "a:1", "--cache-from", ref, "--load", "--progress", "plain", *build.options).ok()
    assert said.err.count("CACHED") >= 3, said
    assert read_layout(elsewhere.root, "a:1").verify().tree().text("/g") == "x"


def test_under_ecrs_own_name(binary, slipway, build, folder):
    """TLS, the host name, the password that AWS gives: all as in production but the address."""
    pytest.importorskip("botocore")
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    from fakes import aws_api
    host = f"{aws_api.ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
    api = aws_api.Api()
    make_certificates(folder / "tls", [host])
    (folder / "htpasswd").write_bytes(subprocess.run(["htpasswd", "-Bbn", "-C", "4", "AWS", api.password], check=True,
                                                     capture_output=True).stdout)
    serve = Serve(binary, folder / "serve", "--ecr-quirks", "--repository", "app", "--htpasswd", folder / "htpasswd",
                  tls=folder / "tls")
    try:
        slipway.env.update({"SLIPWAY_CONNECT_TO": f"{host}:443:127.0.0.1:{serve.port}", "SSL_CERT_FILE": str(folder / "tls/ca.crt"),
                            "AWS_ENDPOINT_URL": api.url, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "AKIDTEST",
                            "AWS_SECRET_ACCESS_KEY": "secret/with+odd=characters"})
        top = build.context({"Dockerfile": "FROM tiny\nRUN echo x > /x\nCMD [\"cat\", \"/x\"]\n"})
        slipway.build(top, "-t", f"{host}/app:1", "--push", *build.options).ok()
        assert slipway.other()("run", f"{host}/app:1").ok().out == "x\n"
        slipway("push", f"{host}/app:1").ok()
        slipway("tag", f"{host}/app:1", f"{host}/none:1").ok()
        slipway("push", "--no-create-repo", f"{host}/none:1").fails("none", "does not exist")
    finally:
        api.stop()
        serve.stop()

"""registry serve --ecr-quirks: what Amazon ECR does otherwise, and slipway's own commands against it."""
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

from helpers.images import read_layout
from helpers.registry import make_certificates
from helpers.serve import CONFIG, EMPTY, INDEX, LAYER, MANIFEST, Serve, basic, digest_of

pytest.importorskip("botocore")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from fakes import aws_api  # noqa: E402

TOKEN = {"Authorization": basic("AWS", "a-token")}


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
    wrong = basic("maria", "a-token")
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


PART = 5 << 20


def test_chunks_are_lost(ecr):
    data = os.urandom(PART + 500)
    session = ecr.upload("app")
    for first, last in ((0, PART - 1), (PART, PART + 499)):
        answer = ecr("PATCH", session, data[first:last + 1], Content_Range=f"{first}-{last}")
        assert answer.status == 201 and answer.headers["Range"] == f"0-{PART - 1}"
    assert ecr("PUT", f"{session}?digest={digest_of(data)}").code() == "DIGEST_INVALID"


def test_only_the_last_part_is_small(ecr):
    """5 MiB (UploadLayerPart's limit); it shows when the next one comes, with or without Content-Range."""
    data = os.urandom(PART - 1 + 10)
    for method, query, headers in (("PATCH", "", {"Content_Range": f"{PART - 1}-{PART + 8}"}), ("PATCH", "", {}),
                                   ("PUT", f"?digest={digest_of(data)}", {"Content_Range": f"{PART - 1}-{PART + 8}"})):
        session = ecr.upload("app")
        assert ecr("PATCH", session, data[:PART - 1], Content_Range=f"0-{PART - 2}").status == 201
        answer = ecr(method, session + query, data[PART - 1:], **headers)
        assert answer.status == 400 and answer.code() == "BLOB_UPLOAD_INVALID" and str(PART) in answer.body.decode()
    session = ecr.upload("app")
    assert ecr("PATCH", session, data[:PART - 1], Content_Range=f"0-{PART - 2}").status == 201
    assert ecr("PUT", f"{session}?digest={digest_of(data[:PART - 1])}").status == 201


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
                         f"Authorization: {TOKEN['Authorization']}\r\nExpect: 100-continue\r\n\r\n".encode(), 5)
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


def test_tokens_that_end(binary, slipway, build, folder):
    """12 hours of ECR's are a second here: counted from the first use, each for itself, and 403 instead of 401."""
    ecr = Ecr(binary, folder / "serve", "--ecr-quirks", "--ecr-token-seconds", "1", "--repository", "app")
    assert ecr("GET", "/v2/").status == 200
    time.sleep(1.1)
    other = {"Authorization": basic("AWS", "another")}
    assert ecr("GET", "/v2/", **other).status == 200
    answer = ecr("GET", "/v2/")
    assert answer.status == 403 and answer.code() == "DENIED" and "authorization token has expired" in answer.body.decode()
    assert ecr("GET", "/v2/", Authorization="Basic x").status == 401
    # A login that somebody else made cannot be renewed: the user has to know.
    slipway.build(build.context({"Dockerfile": "FROM tiny\n"}), "-t", f"{ecr.host}/app:1", *build.options).ok()
    slipway("login", "-u", "AWS", "--password-stdin", ecr.host, stdin="a-third").ok()
    time.sleep(1.1)
    slipway("push", f"{ecr.host}/app:1").fails("authorization token has expired")
    assert ecr.stop() == 0, ecr.log()


def test_too_many_requests(binary, slipway, build, folder):
    ecr = Ecr(binary, folder / "serve", "--ecr-quirks", "--ecr-throttle", "7", "--repository", "app")
    answers = [ecr("GET", "/v2/") for _ in range(14)]
    assert [a.status for a in answers] == ([200] * 6 + [429]) * 2
    assert answers[6].code() == "TOOMANYREQUESTS" and answers[6].headers["Retry-After"] == "1"
    slipway("login", "-u", "AWS", "--password-stdin", ecr.host, stdin="token").ok()
    name = f"{ecr.host}/app:1"
    slipway.build(build.context({"Dockerfile": "FROM tiny\nRUN echo x > /x\n"}), "-t", name, *build.options).ok()
    said = slipway("push", "--progress", "plain", name).ok()
    assert "429 Too Many Requests: TOOMANYREQUESTS: Rate exceeded; retry 1 in 1.0 s" in said.out + said.err
    elsewhere = slipway.other()
    elsewhere("pull", name).ok()
    read_layout(elsewhere.root, name).verify()
    assert ecr.stop() == 0, ecr.log()


@pytest.mark.parametrize("options, words", [
    (["--ecr-throttle", "1", "--ecr-quirks"], ["--ecr-throttle: 2 to"]), (["--ecr-throttle", "5"], ["need --ecr-quirks"]),
    (["--ecr-token-seconds", "-1", "--ecr-quirks"], ["--ecr-token-seconds: 1 to"]),
])
def test_options_that_make_no_sense(slipway, options, words):
    slipway("registry", "serve", "--listen", "127.0.0.1:0", *options).fails(*words, code=2)


class Production:
    """ECR under its own name: TLS, the host name, the passwords that AWS gives out, a new one each time; all but the address."""

    def __init__(self, binary, folder, slipway, *options):
        self.api = aws_api.Api()
        self.host = f"{aws_api.ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
        self.given = self.api.GetAuthorizationToken
        self.api.GetAuthorizationToken = self.give
        make_certificates(folder / "tls", [self.host])
        self.serve = Serve(binary, folder / "serve", "--ecr-quirks", "--repository", "app", *options, tls=folder / "tls")
        slipway.env.update({"SLIPWAY_CONNECT_TO": f"{self.host}:443:127.0.0.1:{self.serve.port}",
                            "SSL_CERT_FILE": str(folder / "tls/ca.crt"), "AWS_ENDPOINT_URL": self.api.url,
                            "AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "AKIDTEST",
                            "AWS_SECRET_ACCESS_KEY": "secret/with+odd=characters"})

    def give(self, parameters):
        self.api.password = f"password-{self.asked()}"
        return self.given(parameters)

    def asked(self):
        return len([c for c in self.api.calls if c[0] == "GetAuthorizationToken"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.api.stop()
        self.serve.stop()


def test_a_token_that_ends_in_the_middle_of_a_push(binary, slipway, build, folder):
    with Production(binary, folder, slipway, "--ecr-token-seconds", "2") as ecr:
        top = build.context({"Dockerfile": "FROM tiny\nRUN echo a > /a\nRUN sleep 2.2; echo b > /b\nCMD [\"cat\", \"/a\", \"/b\"]\n"})
        slipway.build(top, "-t", f"{ecr.host}/app:1", "--push", *build.options).ok()
        assert ecr.asked() >= 2
        assert slipway.other()("run", f"{ecr.host}/app:1").ok().out == "a\nb\n"


def test_the_cache_of_builds_through_all_of_it(binary, slipway, build, folder):
    """Tokens that end and requests that are too many, besides everything else."""
    with Production(binary, folder, slipway, "--ecr-token-seconds", "3", "--ecr-throttle", "16") as ecr:
        ref = f"type=registry,ref={ecr.host}/app:cache"
        top = build.context({"Dockerfile": "FROM tiny\nRUN echo step > /step\nCOPY f /f\nRUN cat /f > /g\n", "f": "x"})
        slipway.build(top, "-t", f"{ecr.host}/app:1", "--push", "--cache-to", f"{ref},mode=max", *build.options).ok()
        time.sleep(3.1)
        elsewhere = slipway.other()
        said = elsewhere.build(top, "-t", f"{ecr.host}/app:1", "--cache-from", ref, "--push", "--progress", "plain", *build.options).ok()
        assert said.err.count("CACHED") >= 3, said
        assert slipway.other()("run", f"{ecr.host}/app:1", "cat", "/g").ok().out == "x"


def test_under_ecrs_own_name(binary, slipway, build, folder):
    """A password of a file, and a repository that is not there."""
    (folder / "htpasswd").write_bytes(subprocess.run(["htpasswd", "-Bbn", "-C", "4", "AWS", "password-1"], check=True,
                                                     capture_output=True).stdout)
    with Production(binary, folder, slipway, "--htpasswd", folder / "htpasswd") as ecr:
        ecr.api.password, ecr.api.GetAuthorizationToken = "password-1", ecr.given
        top = build.context({"Dockerfile": "FROM tiny\nRUN echo x > /x\nCMD [\"cat\", \"/x\"]\n"})
        slipway.build(top, "-t", f"{ecr.host}/app:1", "--push", *build.options).ok()
        assert slipway.other()("run", f"{ecr.host}/app:1").ok().out == "x\n"
        slipway("push", f"{ecr.host}/app:1").ok()
        slipway("tag", f"{ecr.host}/app:1", f"{ecr.host}/none:1").ok()
        slipway("push", "--no-create-repo", f"{ecr.host}/none:1").fails("none", "does not exist")

"""The login at ECR: AWS credentials from every source that needs no AWS, signatures checked by botocore, a real registry
behind ECR's own host name."""
import base64
import datetime
import hashlib
import http.server
import json
import pathlib
import sys
import threading

import pytest

from helpers.registry import Registry

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
pytest.importorskip("botocore")
from fakes import aws_api  # noqa: E402

HOST = f"{aws_api.ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret/with+odd=characters"}


@pytest.fixture(scope="module")
def ecr(tmp_path_factory):
    """docker-registry with the name, the certificate and the password that ECR would have."""
    registry = Registry(tmp_path_factory.mktemp("ecr"), user="AWS", password="ecr-password", names=[HOST])
    yield registry
    registry.stop()


@pytest.fixture
def aws():
    api = aws_api.Api()
    yield api
    api.stop()


@pytest.fixture
def place(slipway, aws, ecr):
    """slipway that reaches both; without any source of credentials yet."""
    slipway.env.update({"SLIPWAY_CONNECT_TO": f"{HOST}:443:127.0.0.1:{ecr.port}", "SSL_CERT_FILE": str(ecr.ca),
                        "AWS_ENDPOINT_URL": aws.url, "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "2"})
    return slipway


@pytest.fixture
def image(place, context):
    place("build", "-q", "-t", f"{HOST}/app:1", context({"Dockerfile": "FROM scratch\nCOPY a /\n", "a": "x"})).ok()
    return f"{HOST}/app:1"


def operations(aws):
    return [call[0] for call in aws.calls]


def test_push_logs_in_by_itself(place, image, aws, ecr):
    place.env.update(KEYS)
    since = ecr.mark()
    place("push", image).ok()
    assert operations(aws) == ["GetAuthorizationToken"]
    assert ("PUT", "/v2/app/manifests/1", 201) in ecr.requests(since)
    aws.calls.clear()
    place("pull", image).ok()
    assert operations(aws) == ["GetAuthorizationToken"]


def write_aws(slipway, config="", credentials=""):
    folder = slipway.home / ".aws"
    folder.mkdir(exist_ok=True)
    (folder / "config").write_text(config)
    (folder / "credentials").write_text(credentials)


def test_profile(place, image, aws):
    write_aws(place, "[profile work]\nregion = us-west-2\n",
              "[work]\naws_access_key_id = AKIDTEST\naws_secret_access_key = secret/with+odd=characters\n")
    place.env["AWS_PROFILE"] = "work"
    place("push", image).ok()
    place.env["AWS_PROFILE"] = "wrok"
    place("push", image).fails("profile", "wrok", ".aws/config")


def test_assumed_role_of_a_profile(place, image, aws):
    write_aws(place, "[default]\nrole_arn = arn:aws:iam::123456789012:role/push\nsource_profile = base\n"
                     "external_id = e\nregion = eu-west-1\n",
              "[base]\naws_access_key_id = AKIDTEST\naws_secret_access_key = secret/with+odd=characters\n")
    place("push", image).ok()
    assert operations(aws) == ["AssumeRole", "GetAuthorizationToken"]
    assert aws.calls[0][1]["RoleArn"] == "arn:aws:iam::123456789012:role/push"
    assert aws.calls[0][1]["ExternalId"] == "e"
    assert aws.calls[1][2].startswith("ASIAROLE")


def test_roles_in_a_circle(place, image):
    write_aws(place, "[default]\nrole_arn = a\nsource_profile = b\nregion = eu-west-1\n"
                     "[profile b]\nrole_arn = b\nsource_profile = default\n")
    place("push", image).fails("circle")


def test_web_identity_token_is_not_signed_and_not_shown(place, image, aws, folder):
    token = folder / "token"
    token.write_text("header.payload.signature\n")
    place.env.update({"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": "arn:role", "AWS_REGION": "eu-west-1"})
    result = place("-v", "push", image).ok()
    assert operations(aws) == ["AssumeRoleWithWebIdentity", "GetAuthorizationToken"]
    assert aws.calls[0][1]["WebIdentityToken"] == "header.payload.signature"
    assert "payload" not in result.err + result.out


def test_credential_process(place, image, aws, folder):
    program = folder / "get keys"
    program.write_text("#!/bin/sh\n[ \"$1\" = 'for me' ] || exit 3\n"
                       'echo \'{"Version": 1, "AccessKeyId": "AKIDTEST", "SecretAccessKey": "secret/with+odd=characters"}\'\n')
    program.chmod(0o755)
    write_aws(place, f"[default]\nregion = eu-west-1\ncredential_process = \"{program}\" 'for me'\n")
    place("push", image).ok()
    write_aws(place, f"[default]\nregion = eu-west-1\ncredential_process = \"{program}\"\n")
    place("push", image).fails("get keys", "exit code 3")


def serve(answers):
    """A metadata service: {(method, path): (needed header or None, status, text)}."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            needed, status, text = answers.get((self.command, self.path), (None, 404, ""))
            if needed and self.headers.get(needed[0]) != needed[1]:
                status, text = 401, ""
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_PUT = do_GET

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def metadata_keys(aws):
    aws.keys["ASIAMETA"] = ("meta-secret", "meta-token")
    return json.dumps({"AccessKeyId": "ASIAMETA", "SecretAccessKey": "meta-secret", "Token": "meta-token",
                       "Expiration": f"{datetime.datetime.now() + datetime.timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"})


def test_container_role(place, image, aws, folder):
    token = folder / "token"
    token.write_text("pod token")
    server = serve({("GET", "/keys"): (("Authorization", "pod token"), 200, metadata_keys(aws))})
    place.env.update({"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{server.server_address[1]}/keys",
                      "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token)})
    place("push", image).ok()
    assert aws.calls[0][2] == "ASIAMETA"
    place.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://example.com/keys"
    place("push", image).fails("example.com", "without TLS")
    server.shutdown()


def test_instance_role(place, image, aws):
    role = "/latest/meta-data/iam/security-credentials/"
    session = ("X-aws-ec2-metadata-token", "session")
    server = serve({("PUT", "/latest/api/token"): (("X-aws-ec2-metadata-token-ttl-seconds", "21600"), 200, "session"),
                    ("GET", role): (session, 200, "builder"),
                    ("GET", role + "builder"): (session, 200, metadata_keys(aws))})
    place.env.update({"AWS_EC2_METADATA_DISABLED": "false",
                      "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{server.server_address[1]}"})
    place("push", image).ok()
    assert aws.calls[0][2] == "ASIAMETA"
    server.shutdown()


def write_sso(place, expires):
    write_aws(place, "[default]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Dev Ops\n"
                     "[sso-session corp]\nsso_start_url = https://corp.example\nsso_region = eu-west-1\n")
    cache = place.home / ".aws/sso/cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / (hashlib.sha1(b"corp").hexdigest() + ".json")).write_text(
        json.dumps({"accessToken": "portal token", "expiresAt": expires}))


def test_sso_session(place, image, aws):
    aws.keys["ASIASSO"] = ("sso-secret", "sso-token")
    keys = {"roleCredentials": {"accessKeyId": "ASIASSO", "secretAccessKey": "sso-secret", "sessionToken": "sso-token",
                                "expiration": 4102444800000}}
    path = "/federation/credentials?role_name=Dev%20Ops&account_id=123456789012"
    server = serve({("GET", path): (("x-amz-sso_bearer_token", "portal token"), 200, json.dumps(keys))})
    place.env["AWS_ENDPOINT_URL_SSO"] = f"http://127.0.0.1:{server.server_address[1]}"
    write_sso(place, "2099-01-01T00:00:00Z")
    place("push", image).ok()
    assert aws.calls[0][2] == "ASIASSO"
    write_sso(place, "2020-01-01T00:00:00Z")
    place("push", image).fails("has ended", "aws sso login --profile default")
    server.shutdown()


def test_no_credentials(place, image):
    place("push", image).fails("no AWS credentials", "aws configure")


def test_dockers_own_login_is_the_last_resort(place, image, aws):
    place("login", "-u", "AWS", "--password-stdin", HOST, stdin="ecr-password").ok()
    place("push", image).ok()
    assert not aws.calls


def test_refused_keys(place, image, aws):
    place.env.update(KEYS)
    place.env["AWS_SECRET_ACCESS_KEY"] = "wrong"
    result = place("push", image).fails("SignatureDoesNotMatch", "GetAuthorizationToken", "eu-west-1")
    assert "wrong" not in result.err.replace("SignatureDoesNotMatch", "")


def test_throttling_is_tried_again_and_denial_is_not(place, image, aws):
    place.env.update(KEYS)
    aws.answers["GetAuthorizationToken"] = [aws.error(True, 400, "ThrottlingException", "Rate exceeded"),
                                            aws.GetAuthorizationToken(None)]
    place("push", image).ok()
    assert operations(aws) == ["GetAuthorizationToken"] * 2
    aws.calls.clear()
    aws.answers["GetAuthorizationToken"] = aws.error(True, 400, "AccessDeniedException", "not authorized to perform")
    place("push", image).fails("AccessDeniedException", "not authorized")
    assert operations(aws) == ["GetAuthorizationToken"]


@pytest.mark.parametrize("minutes", [-30, 45])
def test_a_wrong_clock_is_repaired_once(place, image, aws, minutes):
    place.env.update(KEYS)
    aws.clock = datetime.timedelta(minutes=minutes)
    result = place("push", image).ok()
    assert operations(aws) == ["GetAuthorizationToken"] * 2
    assert "clock is" in result.err and ("ahead" if minutes < 0 else "behind") in result.err


def test_malformed_token(place, image, aws):
    place.env.update(KEYS)
    for token in ("", "not base64!", base64.b64encode(b"no colon").decode()):
        text = json.dumps({"authorizationData": [{"authorizationToken": token}]}).encode()
        aws.answers["GetAuthorizationToken"] = (200, "application/x-amz-json-1.1", text)
        place("push", image).fails("GetAuthorizationToken")


class MissingRepository:
    """An ECR that lacks the repository until it is made: 404 NAME_UNKNOWN at the start of an upload."""

    def __init__(self, aws):
        test = self
        self.uploads = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def reply(self, status, text=b"", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            def do_GET(self):
                self.reply(404)

            do_HEAD = do_GET

            def do_POST(self):
                if "team/app" not in aws.repositories:
                    self.reply(404, b'{"errors":[{"code":"NAME_UNKNOWN","message":"The repository with name \'team/app\' does not exist"}]}')
                else:
                    self.reply(202, Location="/v2/team/app/blobs/uploads/1")

            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                test.uploads += "uploads" in self.path
                self.reply(201, Docker_Content_Digest="sha256:" + hashlib.sha256(body).hexdigest())

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


def test_the_missing_repository_is_made(place, context, aws):
    place.env.update(KEYS)
    missing = MissingRepository(aws)
    place.env["SLIPWAY_CONNECT_TO"] = f"{HOST}::127.0.0.1:{missing.port}"
    place("build", "-q", "-t", f"{HOST}/team/app:1", context({"Dockerfile": "FROM scratch\nCOPY a /\n", "a": "x"})).ok()
    place("push", "--insecure-registry", HOST, "--no-create-repo", f"{HOST}/team/app:1").fails("NAME_UNKNOWN", "--no-create-repo forbids")
    assert not aws.repositories
    place("push", "--insecure-registry", HOST, f"{HOST}/team/app:1").ok()
    assert aws.repositories == {"team/app"}
    assert missing.uploads == 2
    missing.server.shutdown()

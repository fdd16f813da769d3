"""Who may ask the local target what: signatures in every way wrong, clocks, hosts, pages of other places, bodies, mutated requests."""
import datetime
import http.client
import json
import random

import pytest

from helpers.local_target import LocalTarget, until
from helpers.runner import Slipway

pytest.importorskip("botocore.auth")
import botocore.auth as auth  # noqa: E402
import botocore.awsrequest  # noqa: E402
import botocore.credentials  # noqa: E402

from helpers.local_api import EC2, ECS, STS, answer_to, code_of, flip, raw, send, signed, with_host  # noqa: E402

ACCOUNT = "000000000000"
CHANGES = {
    "signature": lambda h, b: ({**h, "Authorization": flip(h["Authorization"])}, b),
    "body": lambda h, b: (h, b + (" " if b == "{}" else "&Extra=1")),
    "type": lambda h, b: ({**h, "Content-Type": "text/plain"}, b),
    "date": lambda h, b: ({**h, "X-Amz-Date": h["X-Amz-Date"][:-2] + ("0Z" if h["X-Amz-Date"][-2] != "0" else "1Z")}, b),
}


@pytest.mark.parametrize("what, code, status", [(ECS, "InvalidSignatureException", 400), (STS, "SignatureDoesNotMatch", 403),
                                                (EC2, "AuthFailure", 401)], ids=["ecs", "sts", "ec2"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_request_is_refused(shared_local, what, code, status, change):
    headers, body = signed(shared_local, what)
    assert send(shared_local, headers, body)[0] == 200
    got, text = send(shared_local, *CHANGES[change](headers, body))
    assert (got, code_of(what, text)) == (status, code), text


@pytest.mark.parametrize("what, code, status", [(ECS, "InvalidSignatureException", 400), (STS, "SignatureDoesNotMatch", 403),
                                                (EC2, "RequestExpired", 400)], ids=["ecs", "sts", "ec2"])
@pytest.mark.parametrize("minutes, words", [(-6, "Signature expired: "), (6, "Signature not yet current: ")])
def test_five_minutes_of_clock(shared_local, what, code, status, minutes, words):
    headers, body = signed(shared_local, what, datetime.datetime.utcnow() + datetime.timedelta(minutes=minutes))
    got, text = send(shared_local, headers, body)
    assert (got, code_of(what, text)) == (status, code) and words in text
    headers, body = signed(shared_local, what, datetime.datetime.utcnow() + datetime.timedelta(minutes=minutes / 2))
    assert send(shared_local, headers, body)[0] == 200


@pytest.mark.parametrize("what, unknown, missing", [
    (ECS, "UnrecognizedClientException", "MissingAuthenticationTokenException"), (STS, "InvalidClientTokenId", "MissingAuthenticationToken"),
    (EC2, "AuthFailure", "MissingAuthenticationToken")], ids=["ecs", "sts", "ec2"])
def test_keys_of_nobody(shared_local, what, unknown, missing):
    headers, body = signed(shared_local, what, keys=("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
    assert code_of(what, send(shared_local, headers, body)[1]) == unknown
    headers, body = signed(shared_local, what, keys=(shared_local.keys["AWS_ACCESS_KEY_ID"], shared_local.keys["AWS_SECRET_ACCESS_KEY"], "token"))
    assert code_of(what, send(shared_local, headers, body)[1]) == unknown
    headers.pop("Authorization")
    assert code_of(what, send(shared_local, headers, body)[1]) == missing


def test_scope(shared_local):
    headers, body = signed(shared_local, ECS, region="eu-west-1")
    status, text = send(shared_local, headers, body)
    assert status == 400 and "Credential should be scoped to a valid region, not 'eu-west-1'" in text and "us-east-1" in text
    headers, body = signed(shared_local, ECS, service="ecr")
    assert "Credential should be scoped to correct service: 'ecs'" in send(shared_local, headers, body)[1]


def test_a_header_twice_is_signed_joined(shared_local):
    headers, body = signed(shared_local, ECS)
    request = botocore.awsrequest.AWSRequest(method="POST", url=shared_local.url + "/", data=body, headers={
        "Host": shared_local.registry, "X-Amz-Target": ECS[1], "X-Twice": "a,b"})
    auth.SigV4Auth(botocore.credentials.Credentials(shared_local.keys["AWS_ACCESS_KEY_ID"], shared_local.keys["AWS_SECRET_ACCESS_KEY"]), "ecs",
                   "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", shared_local.port, timeout=20)
    connection.putrequest("POST", "/", skip_host=True)
    for name, value in request.headers.items():
        for each in value.split(",") if name == "X-Twice" else [value]:
            connection.putheader(name, each)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body.encode())
    assert connection.getresponse().status == 200
    connection.close()


def test_presigned_and_get(shared_local):
    request = botocore.awsrequest.AWSRequest(method="GET", url=f"{shared_local.url}/?{STS[2]}")
    keys = botocore.credentials.Credentials(shared_local.keys["AWS_ACCESS_KEY_ID"], shared_local.keys["AWS_SECRET_ACCESS_KEY"])
    auth.SigV4QueryAuth(keys, "sts", "us-east-1").add_auth(request)
    status, text = send(shared_local, {"Host": shared_local.registry}, None, "GET", request.url.removeprefix(shared_local.url))
    assert status == 400 and "presigned" in text
    request = botocore.awsrequest.AWSRequest(method="GET", url=f"{shared_local.url}/", params={"Action": "GetCallerIdentity", "Version": "2011-06-15"})
    auth.SigV4Auth(keys, "sts", "us-east-1").add_auth(request)
    status, text = send(shared_local, {"Host": shared_local.registry, **request.headers}, None, "GET", f"/?{STS[2]}")
    assert status == 200 and f"<Account>{ACCOUNT}</Account>" in text


@pytest.mark.parametrize("host, status", [("evil.example", 403), ("127.0.0.1:1", 403), ("localhost.evil.example", 403), ("", 403), (None, 400)])
def test_another_host_is_refused(shared_local, host, status):
    """A name that leads to loopback by DNS shows in Host, whatever else is right."""
    headers, body = signed(shared_local, ECS)
    headers.pop("Host", None)
    got, text = send(shared_local, headers if host is None else {**headers, "Host": host}, body)
    assert got == status, text


def test_pages_of_other_places_are_refused(shared_local):
    headers, body = signed(shared_local, ECS)
    assert send(shared_local, {**headers, "Host": shared_local.registry, "Origin": "https://evil.example"}, body)[0] == 403
    assert send(shared_local, {**headers, "Host": shared_local.registry, "Origin": f"http://localhost:{shared_local.port}"}, body)[0] == 200


@pytest.mark.parametrize("body, code", [("", None), ("[]", "SerializationException"), ("{", "SerializationException"),
                                        ('{"a":1,"a":2}', "SerializationException"), ("[" * 10000, "SerializationException"), ('{"a":["x\\u0000y"]}', "SerializationException"),
                                        ('{"maxResults":"x"}', "SerializationException")])
def test_bodies_that_are_no_input(shared_local, body, code):
    headers, body = signed(shared_local, (ECS[0], ECS[1], body))
    status, text = send(shared_local, {**headers, "Host": shared_local.registry}, body)
    assert (status == 200) if code is None else (status == 400 and json.loads(text)["__type"] == code), text


def test_bodies_that_are_too_large(shared_local):
    headers, _ = signed(shared_local, ECS)
    status, text = send(shared_local, {**headers, "Host": shared_local.registry, "Content-Length": str(17 << 20)}, None)
    assert status == 413 and "16777216 bytes" in text
    status, _ = send(shared_local, {"Host": shared_local.registry}, "a" * 70000)
    assert status == 413
    status, text = send(shared_local, {**headers, "Host": shared_local.registry, "Content-Encoding": "gzip"}, "{}")
    assert status == 415 and "gzip" in text


def test_no_auth_takes_any_key(binary, tmp_path):
    running = LocalTarget(Slipway(binary, tmp_path), "--no-auth")
    try:
        assert running.client("sts", "AKIAANYBODY", "anything").get_caller_identity()["Account"] == ACCOUNT
        assert send(running, {"Host": running.registry}, STS[2])[0] == 200
        assert send(running, {"Host": "evil.example"}, STS[2])[0] == 403
        # An image of a foreign page is asked for without Origin.
        assert send(running, {"Host": running.registry}, None, "GET", f"/?{STS[2]}")[0] == 403
        assert send(running, {"Host": running.registry, "Authorization": "any"}, None, "GET", f"/?{STS[2]}")[0] == 200
    finally:
        running.stop()


def test_a_connection_is_kept(shared_local):
    """Success, refusal and nothing found, one after another on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", shared_local.port, timeout=20)
    for what, status in ((ECS, 200), (EC2, 200), (("ecs", ECS[1] + "x", "{}"), 400), (STS, 200)):
        headers, body = signed(shared_local, what)
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        assert answer.status == status and len(answer.getheader("x-amzn-RequestId")) == 36
        answer.read()
        assert connection.sock is not None, "it was closed"
    connection.close()


@pytest.mark.parametrize("what", [ECS, STS, EC2], ids=["ecs", "sts", "ec2"])
def test_mutated_requests(shared_local, what, count):
    """Bytes changed, taken out, put in and doubled anywhere: refused or, where nothing signed is touched, answered; never an error of ours."""
    draw = random.Random(f"local {what[0]}")
    good = raw(shared_local, what)
    assert answer_to(shared_local, good).startswith(b"HTTP/1.1 200 ")
    # What is signed: such a request asks for something only when all of it is there.
    vital = [value.encode() for name, value in signed(shared_local, what)[0].items() if name in ("Host", "X-Amz-Target", "Content-Type")] + [what[2].encode()]
    for n in range(count(150, 3000)):
        at, size = draw.randrange(len(good)), draw.randrange(1, 20)
        put = {0: bytes([draw.randrange(256)]), 1: b"", 2: good[at:at + size] * 2, 3: bytes(draw.randrange(256) for _ in range(size))}[draw.randrange(4)]
        changed = good[:at] + put + good[at + (0 if len(put) > 1 else 1):]
        status = answer_to(shared_local, changed)[9:12]
        assert status in (b"", b"200", b"400", b"401", b"403", b"404", b"405", b"408", b"413", b"414", b"415", b"431", b"501", b"505"), (n, status, changed)
        if status == b"200" and changed.startswith(b"POST / "):
            assert all(part in changed for part in vital), (n, changed)
    assert answer_to(shared_local, good).startswith(b"HTTP/1.1 200 ") and shared_local.process.poll() is None


def test_many_large_bodies_have_a_limit_together(shared_local):
    """96 MiB at once: who comes then is told to come again, and everybody is served when they are gone."""
    headers, _ = signed(shared_local, ECS)
    waiting = []
    try:
        for _ in range(8):
            connection = http.client.HTTPConnection("127.0.0.1", shared_local.port, timeout=30)
            connection.putrequest("POST", "/", skip_host=True)
            for name, value in {**headers, "Host": shared_local.registry, "Content-Length": str(16 << 20)}.items():
                connection.putheader(name, value)
            connection.endheaders()
            connection.send(b"a" * (15 << 20))
            waiting.append(connection)
        waiting[-1].send(b"a" * (1 << 20))
        answer = waiting[-1].getresponse()
        assert (answer.status, json.loads(answer.read())["__type"]) == (503, "ServiceUnavailable")
    finally:
        for connection in waiting:
            connection.close()
    until(lambda: send(shared_local, *with_host(shared_local, ECS))[0] == 200)

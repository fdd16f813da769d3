"""Requests to the local target's API by hand: signed by botocore's signer, sent as bytes, so that they can be changed on their way."""
import datetime
import http.client
import json
import socket

import botocore.auth as auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import pytest

# (signing name, X-Amz-Target, body) of a call that always succeeds, one for each protocol.
ECS, STS = ("ecs", "AmazonEC2ContainerServiceV20141113.ListClusters", "{}"), ("sts", None, "Action=GetCallerIdentity&Version=2011-06-15")
EC2 = ("ec2", None, "Action=DescribeVpcs&Version=2016-11-15")


def refused(code, call, *args, match="", **params):
    with pytest.raises(botocore.exceptions.ClientError, match=match) as caught:
        call(*args, **params)
    assert caught.value.response["Error"]["Code"] == code, caught.value
    return caught.value.response


def signed(target, what, when=None, region=None, keys=None, service=None):
    """Headers and body of a request as botocore signs it."""
    name, operation, body = what
    headers = {"Host": target.registry, "Content-Type": "application/x-amz-json-1.1" if operation else "application/x-www-form-urlencoded"}
    if operation:
        headers["X-Amz-Target"] = operation
    request = botocore.awsrequest.AWSRequest(method="POST", url=target.url + "/", data=body, headers=headers)
    keys = keys or (target.keys["AWS_ACCESS_KEY_ID"], target.keys["AWS_SECRET_ACCESS_KEY"])
    signer = auth.SigV4Auth(botocore.credentials.Credentials(*keys), service or name, region or target.keys["AWS_REGION"])
    now = when or datetime.datetime.utcnow()
    with pytest.MonkeyPatch.context() as patch:
        for clock in ("get_current_datetime", "datetime"):
            if hasattr(auth, clock):
                patch.setattr(auth, clock, Clock(now) if clock == "datetime" else lambda remove_tzinfo=True: now)
        signer.add_auth(request)
    return dict(request.headers), body


class Clock:
    """botocore.auth's datetime, stopped."""

    def __init__(self, now):
        class Stopped(datetime.datetime):
            @classmethod
            def utcnow(cls):
                return now

            @classmethod
            def now(cls, tz=None):
                return now
        self.datetime = Stopped

    def __getattr__(self, name):
        return getattr(datetime, name)


def send(target, headers, body, method="POST", path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=20)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    if "Content-Length" not in headers and body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body.encode() if isinstance(body, str) else body)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def flip(text, at=-1):
    return text[:at] + ("0" if text[at] != "0" else "1")


def code_of(what, text):
    return json.loads(text)["__type"] if what[1] else text.partition("<Code>")[2].partition("</Code>")[0]


def with_host(target, what):
    headers, body = signed(target, what)
    return {"Host": target.registry, **headers}, body


def raw(target, what):
    headers, body = signed(target, what)
    lines = [f"{name}: {value}" for name, value in {"Host": target.registry, **headers, "Content-Length": len(body), "Connection": "close"}.items()]
    return "\r\n".join(["POST / HTTP/1.1", *lines, "", body]).encode()


def answer_to(target, data):
    with socket.create_connection(("127.0.0.1", target.port), timeout=20) as s:
        s.settimeout(20)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            try:
                piece = s.recv(65536)
            except ConnectionResetError:
                return got
            if not piece:
                return got
            got += piece

"""Answers of a registry."""
import hashlib
import json


class Answer:
    def __init__(self, status, body=b"", headers=None):
        self.status, self.body, self.headers = status, body, dict(headers or {})


def error(status, code, message="", headers=None):
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Answer(status, body, {"Content-Type": "application/json", **(headers or {})})


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()

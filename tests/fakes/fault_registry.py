#!/usr/bin/env python3
"""A registry in memory that fails as told: for tests of everything that can go wrong between client and registry.

In Python:    with FaultRegistry(auth="bearer") as r: r.rule(method="GET", path="/blobs/", reset=100); ... r.log
As a program: fault_registry.py [--auth basic|bearer] [--tls DIR] prints one line of JSON ({"host", "url", "ca"}) and serves
              until its standard input ends. Tests steer it over /_fake/rules, /_fake/log, /_fake/settings, /_fake/reset.

A rule is a dict. It applies to requests whose method equals "method" (any when absent) and whose path and query match
the regular expression "path"; after "skip" such requests (0), "times" times (1; -1: for ever). What it does:
  status, headers, body   this answer instead of the real one; headers may be a function
  set_headers             headers of the real answer, replaced or added ("" removes)
  delay                   seconds before the answer
  truncate, reset         the real answer; its body is cut after so many bytes, by FIN or by RST
  reset_upload            the request's body is read so far, then RST
  reset_after             the request is carried out, then RST instead of the answer
  ignore_range            Range is not looked at
  hold_at, hold           so many bytes of the answer's body, a call of hold, the rest
  corrupt                 the byte at this place of the answer's body is changed
  drip                    seconds between the bytes of the answer's body
  expire_tokens           all tokens end before the request is looked at
  new_password            nobody gets in with the old one from then on
  expect                  how Expect: 100-continue is answered: 417
  only_body               only requests with a body of at least so many bytes

Settings: auth ("basic", "bearer"), user, password, identity_token, expires_in, anonymous_pull, realm, mount_scope, immutable,
referrer_checks; max_body (a larger body is refused with 413), stuck_chunks (ECR: PATCH answers 201, and all but the first
piece of a session is lost), min_chunk (OCI-Chunk-Min-Length), etags (If-Match is looked at), subjects (OCI-Subject is
answered), no_tags (tags cannot be listed).
"""
import argparse
import base64
import http.server
import json
import os
import re
import secrets
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fault_answers import Answer, digest_of, error  # noqa: E402
from fault_socket import drain, reset  # noqa: E402
from fault_uploads import Uploads  # noqa: E402

SERVICE = "fault registry"


class Hangup(Exception):
    """The connection was ended on purpose."""


def make_certificate(folder):
    """A self-signed certificate for this machine's loopback names: (certificate, key)."""
    cert, key = os.path.join(folder, "ca.crt"), os.path.join(folder, "server.key")
    if not os.path.exists(cert):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=fault registry", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
             "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


class State:
    """What the registry holds and how it behaves; every use is under its lock."""

    def __init__(self):
        self.lock = threading.RLock()
        self.settings = {"auth": None, "user": "user", "password": "secret", "identity_token": "refresh-me",
                         "expires_in": 300, "anonymous_pull": False, "realm": None, "mount_scope": False,
                         "immutable": False, "referrer_checks": True, "max_body": None, "stuck_chunks": False,
                         "min_chunk": None, "etags": False, "subjects": False, "no_tags": False}
        self.reset()

    def reset(self):
        with self.lock:
            self.blobs, self.manifests, self.uploads, self.tokens = {}, {}, {}, {}
            self.rules, self.log = [], []
            self.under_way, self.most_under_way = 0, 0  # transfers of blobs

    def take_rule(self, method, path, body_bytes):
        with self.lock:
            for rule in self.rules:
                if rule.get("method") not in (None, method) or not re.search(rule["path"], path):
                    continue
                if body_bytes < rule.get("only_body", 0):
                    continue
                if rule.setdefault("skip", 0) > 0:
                    rule["skip"] -= 1
                    continue
                if rule.setdefault("times", 1) == 0:
                    continue
                rule["times"] -= 1
                return rule
        return {}


class Handler(Uploads, http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True

    def setup(self):
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self):
        super().finish()
        # The server closes only the socket it accepted, which TLS has replaced.
        self.request.close()

    def log_message(self, *_):
        pass

    def handle_expect_100(self):
        # Sent when the body is wanted: a refusal comes before it.
        return True

    def handle_one_request(self):
        if not self.server.tls and self.connection.recv(1, socket.MSG_PEEK) == b"\x16":
            self.connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nThis is a plain HTTP server\n")
            self.close_connection = True
            return
        super().handle_one_request()

    # ---- one request ----

    def read_body(self, limit=None):
        """The request's body, or its first bytes with a limit."""
        if self.body is None:
            left = int(self.headers.get("Content-Length") or 0)
            if limit is not None:
                left = min(left, limit)
            if left and self.headers.get("Expect", "").lower() == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            self.body = b""
            while len(self.body) < left:
                piece = self.rfile.read(min(65536, left - len(self.body)))
                if not piece:
                    self.entry["broken"] = True
                    raise Hangup
                self.body += piece
                self.entry["body"] = len(self.body)
        return self.body

    def hang_up(self):
        reset(self.connection)
        self.wfile = self.rfile = open(os.devnull, "r+b")
        raise Hangup

    def serve(self):
        state = self.server.state
        self.body = None
        self.entry = {"method": self.command, "path": self.path, "headers": dict(self.headers.items()),
                      "body": 0, "time": time.monotonic()}
        if self.path.startswith("/_fake/"):
            self.send(self.control(), {})
            return
        with state.lock:
            state.log.append(self.entry)
        length = int(self.headers.get("Content-Length") or 0)
        rule = state.take_rule(self.command, self.path, length)
        moves = self.command in ("PUT", "PATCH", "GET") and "/blobs/" in self.path
        with state.lock:
            state.under_way += moves
            state.most_under_way = max(state.most_under_way, state.under_way)
        try:
            if rule.get("expire_tokens"):
                with state.lock:
                    state.tokens.clear()
            state.settings["password"] = rule.get("new_password", state.settings["password"])
            if "reset_upload" in rule:
                self.read_body(rule["reset_upload"])
                self.hang_up()
            if rule.get("expect") and self.headers.get("Expect"):
                answer = Answer(rule["expect"])
            elif length > (state.settings["max_body"] or length):
                answer = Answer(413, b"<html>413 Request Entity Too Large</html>")
            elif "status" in rule:
                if rule["status"] < 300 or not self.headers.get("Expect"):
                    self.read_body()
                headers = rule.get("headers")
                answer = Answer(rule["status"], rule.get("body", "").encode(), headers() if callable(headers) else headers)
            else:
                answer = self.route(rule)
            self.entry["status"] = answer.status
            if rule.get("delay"):
                time.sleep(rule["delay"])
            if rule.get("reset_after"):
                self.hang_up()
            # Who has the answer may send the next request before this thread goes on.
            with state.lock:
                state.under_way -= moves
            moves = False
            self.send(answer, rule)
        except (Hangup, ConnectionError, ssl.SSLError):
            self.close_connection = True
        finally:
            with state.lock:
                state.under_way -= moves

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def send(self, answer, rule):
        headers = {"Content-Length": str(len(answer.body)), **answer.headers, **rule.get("set_headers", {})}
        body = bytearray(answer.body)
        if rule.get("corrupt", len(body)) < len(body):
            body[rule["corrupt"]] ^= 0x5a
        if self.body is None and int(self.headers.get("Content-Length") or 0) > 0:
            # A body that was not asked for does not come; one that comes anyway must not be met by RST.
            if not self.headers.get("Expect"):
                self.read_body()
            headers["Connection"] = "close"
            self.close_connection = True
        self.send_response(answer.status)
        for name, value in headers.items():
            if value != "":
                self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        end = rule.get("truncate", rule.get("reset", len(body)))
        if rule.get("drip"):
            for i in range(end):
                self.wfile.write(body[i:i + 1])
                self.wfile.flush()
                time.sleep(rule["drip"])
        else:
            self.wfile.write(body[:rule.get("hold_at", 0)])
            rule.get("hold", int)()
            self.wfile.write(body[rule.get("hold_at", 0):end])
        if "reset" in rule:
            # What was sent shall arrive first: a reset takes the rest with it.
            drain(self.connection)
            self.hang_up()
        if "truncate" in rule:
            self.close_connection = True

    def control(self):
        state = self.server.state
        body = self.read_body()
        with state.lock:
            if self.path == "/_fake/rules":
                state.rules.append(json.loads(body))
            elif self.path == "/_fake/settings":
                state.settings.update(json.loads(body))
            elif self.path == "/_fake/reset":
                state.reset()
            elif self.path == "/_fake/forget":
                # Blobs are gone, as after a registry's clean-up; names stay.
                state.blobs.clear()
            elif self.path == "/_fake/log":
                return Answer(200, json.dumps(state.log).encode())
            else:
                return Answer(404)
        return Answer(200, b"{}")

    # ---- authorization ----

    def base(self):
        return ("https" if self.server.tls else "http") + "://" + self.headers.get("Host", "")

    def has_basic(self):
        settings = self.server.state.settings
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        pair = f"{settings['user']}:{settings['password']}".encode()
        return kind.lower() == "basic" and base64.b64decode(value or "") == pair

    def refuse_login(self, scopes, reason=None):
        state = self.server.state
        if state.settings["auth"] == "basic":
            challenge = f'Basic realm="{SERVICE}"'
        else:
            realm = state.settings["realm"] or self.base() + "/token"
            challenge = f'Bearer realm="{realm}",service="{SERVICE}",scope="{" ".join(scopes)}"'
            if reason:
                challenge += f',error="{reason}"'
        return error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})

    def authorize(self, scopes):
        """None when the request may go on."""
        state = self.server.state
        if not state.settings["auth"]:
            return None
        if state.settings["auth"] == "basic":
            return None if self.has_basic() else self.refuse_login(scopes)
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        with state.lock:
            token = state.tokens.get(value) if kind == "Bearer" else None
        if not token or token["end"] < time.monotonic():
            return self.refuse_login(scopes, "invalid_token" if kind == "Bearer" else None)
        if not set(expand(scopes)) <= token["scopes"]:
            return self.refuse_login(scopes, "insufficient_scope")
        return None

    def token(self):
        state = self.server.state
        settings = state.settings
        if self.command == "POST":
            form = urllib.parse.parse_qs(self.read_body().decode())
            scopes = " ".join(form.get("scope", [])).split()
            if form.get("grant_type") != ["refresh_token"] or form.get("refresh_token") != [settings["identity_token"]]:
                return Answer(401, b'{"error": "invalid_grant", "error_description": "unknown refresh token"}')
        else:
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            scopes = query.get("scope", [])
            if self.headers.get("Authorization"):
                if not self.has_basic():
                    return Answer(401, b'{"details": "incorrect username or password"}')
            elif not settings["anonymous_pull"]:
                return error(401, "UNAUTHORIZED", "no anonymous access")
            elif any("push" in s for s in scopes):
                scopes = [s.replace(",push", "") for s in scopes]
        value = secrets.token_hex(16)
        with state.lock:
            state.tokens[value] = {"scopes": set(expand(scopes)),
                                   "end": time.monotonic() + settings["expires_in"]}
        body = {"token": value, "expires_in": settings["expires_in"]}
        return Answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    # ---- the registry ----

    def route(self, rule):
        path, _, query = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(query))
        if path == "/token":
            return self.token()
        if path == "/v2/":
            return self.authorize([]) or Answer(200, b"{}")
        match = re.fullmatch(r"/v2/(.+)/tags/list", path)
        if match:
            return self.authorize([f"repository:{match[1]}:pull"]) or self.tags(match[1])
        match = re.fullmatch(r"/v2/(.+)/(manifests|blobs|blobs/uploads)/([^/]*)", path)
        if not match:
            return error(404, "UNSUPPORTED", "no such endpoint")
        name, kind, reference = match.groups()
        write = self.command not in ("GET", "HEAD")
        scopes = [f"repository:{name}:pull,push" if write else f"repository:{name}:pull"]
        if "from" in query and self.server.state.settings["mount_scope"]:
            scopes.append(f"repository:{query['from']}:pull")
        refused = self.authorize(scopes)
        if refused:
            return refused
        if kind == "manifests":
            return self.manifest(name, reference)
        if kind == "blobs":
            return self.blob(name, reference, rule)
        return self.upload(name, reference, query)

    def tags(self, name):
        state = self.server.state
        if state.settings["no_tags"]:
            return error(403, "DENIED", "tags are not listed")
        with state.lock:
            tags = sorted(tag for n, tag in state.manifests if n == name and ":" not in tag)
            if not any(n == name for n, _ in state.manifests):
                return error(404, "NAME_UNKNOWN", name)
        return Answer(200, json.dumps({"name": name, "tags": tags}).encode(), {"Content-Type": "application/json"})

    def manifest(self, name, reference):
        state = self.server.state
        if self.command == "PUT":
            return self.put_manifest(name, reference)
        if self.command == "DELETE":
            with state.lock:
                return Answer(202) if state.manifests.pop((name, reference), None) else error(404, "MANIFEST_UNKNOWN")
        with state.lock:
            found = state.manifests.get((name, reference))
            known = any(n == name for n, _ in state.manifests)
        if not found:
            return error(404, "MANIFEST_UNKNOWN" if known else "NAME_UNKNOWN", f"{name}:{reference} is not here")
        headers = {"Content-Type": found[0], "Docker-Content-Digest": digest_of(found[1])}
        if state.settings["etags"]:
            headers["ETag"] = f'"{digest_of(found[1])}"'
        return Answer(200, found[1], headers)

    def put_manifest(self, name, reference):
        state = self.server.state
        body = self.read_body()
        document = json.loads(body)
        if ":" in reference and digest_of(body) != reference:
            return error(400, "DIGEST_INVALID", "the content has another digest")
        with state.lock:
            if state.settings["immutable"] and (name, reference) in state.manifests and ":" not in reference:
                return error(400, "TAG_INVALID", "The image tag already exists and cannot be overwritten")
            now = state.manifests.get((name, reference))
            if state.settings["etags"] and self.headers.get("If-Match", "*") != "*" and \
                    (not now or self.headers["If-Match"] != f'"{digest_of(now[1])}"'):
                return error(412, "UNKNOWN", "the manifest has changed")
            for part in [document.get("config"), *document.get("layers", [])]:
                if part and (name, part["digest"]) not in state.blobs:
                    return error(404, "MANIFEST_BLOB_UNKNOWN", part["digest"])
            for part in document.get("manifests", []):
                if state.settings["referrer_checks"] and (name, part["digest"]) not in state.manifests:
                    return error(404, "MANIFEST_UNKNOWN", part["digest"])
            entry = (self.headers.get("Content-Type"), body)
            state.manifests[name, reference] = state.manifests[name, digest_of(body)] = entry
        headers = {"Docker-Content-Digest": digest_of(body)}
        if state.settings["subjects"] and "subject" in document:
            headers["OCI-Subject"] = document["subject"]["digest"]
        return Answer(201, b"", headers)

    def blob(self, name, digest, rule):
        with self.server.state.lock:
            data = self.server.state.blobs.get((name, digest))
        if data is None:
            return error(404, "BLOB_UNKNOWN", digest)
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not wanted or rule.get("ignore_range"):
            return Answer(200, data, headers)
        start = int(wanted[1])
        if start >= len(data):
            return Answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return Answer(206, data[start:], headers)

def expand(scopes):
    """Each action of each scope alone."""
    for scope in scopes:
        name, _, actions = scope.rpartition(":")
        for action in actions.split(","):
            yield f"{name}:{action}"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that leaves is part of the tests."""
        if not isinstance(sys.exc_info()[1], (Hangup, OSError, ValueError)):
            super().handle_error(request, client_address)

    def shutdown_request(self, request):
        try:
            super().shutdown_request(request)
        except (OSError, ValueError):
            pass


class FaultRegistry:
    def __init__(self, auth=None, tls=None, **settings):
        """tls: a folder for the certificate, which is made when missing."""
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.state = self.state = State()
        self.state.settings.update(auth=auth, **settings)
        self.server.tls, self.ca = None, None
        if tls:
            self.ca, key = make_certificate(tls)
            self.server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.server.tls.load_cert_chain(self.ca, key)
        self.port = self.server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = ("https" if tls else "http") + "://" + self.host
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def rule(self, **rule):
        with self.state.lock:
            self.state.rules.append(rule)

    @property
    def log(self):
        with self.state.lock:
            return list(self.state.log)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def main():
    options = argparse.ArgumentParser(description="A registry in memory that fails as told.")
    options.add_argument("--auth", choices=["basic", "bearer"])
    options.add_argument("--tls", metavar="DIR", help="serve TLS with a certificate made in this folder")
    options = options.parse_args()
    with FaultRegistry(auth=options.auth, tls=options.tls) as registry:
        print(json.dumps({"host": registry.host, "url": registry.url, "ca": registry.ca or ""}), flush=True)
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()

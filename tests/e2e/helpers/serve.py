"""slipway registry serve on a loopback port, and plain HTTP to it."""
import atexit
import base64
import hashlib
import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess
import time

from helpers import processes
from helpers.registry import free_port

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Answer:
    """status, headers (of http.client), body; json() and code(), the first error's."""

    def __init__(self, answer):
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    def json(self):
        return json.loads(self.body)

    def code(self):
        return self.json()["errors"][0]["code"]

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:400]!r}"


class Serve:
    """A registry that runs; stop(), kill() and start() keep port and data."""

    def __init__(self, binary, folder, *options, tls=None, env=None):
        self.binary, self.folder, self.options = binary, pathlib.Path(folder), list(options)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.root = self.folder / "root"
        self.env = {**os.environ, **(env or {})}
        self.tls = tls  # the folder of helpers.registry.make_certificates
        if tls:
            self.options += ["--tls-cert", tls / "server.crt", "--tls-key", tls / "server.key"]
        self.port, self.process = free_port(), None
        # A test that failed in the middle leaves none running.
        atexit.register(lambda: self.process and self.process.poll() is None and self.process.kill())
        self.start()

    def command(self):
        return [self.binary, "registry", "serve", "--listen", f"127.0.0.1:{self.port}", "--root", self.root, *self.options]

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([str(a) for a in self.command()], stdout=subprocess.PIPE, stderr=log, text=True,
                                            start_new_session=True, env=self.env)
        processes.servers.add(self.process.pid)
        line = self.process.stdout.readline()
        scheme = "https" if self.tls else "http"
        assert line.startswith(f"listening on {scheme}://127.0.0.1:"), line + self.log()
        self.port = int(line.rpartition(":")[2])
        self.host = f"127.0.0.1:{self.port}"
        return self

    def _ended(self):
        processes.servers.discard(self.process.pid)
        self.process.stdout.close()
        return self.process.returncode

    def stop(self, signal=15):
        self.process.send_signal(signal)
        self.process.wait(20)
        return self._ended()

    def kill(self):
        self.process.kill()
        self.process.wait(20)
        self._ended()

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def connect(self):
        if self.tls:
            context = ssl.create_default_context(cafile=self.tls / "ca.crt")
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def __call__(self, method, path, body=None, **headers):
        """One request; header names with '_' for '-'."""
        connection = self.connect()
        headers = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        if body is None and method in ("POST", "PUT", "PATCH"):
            headers.setdefault("Content-Length", "0")
        connection.request(method, path, body, headers, encode_chunked="Transfer-Encoding" in headers)
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    def raw(self, data, wait=5.0):
        """Bytes on a socket of their own, and all that comes back until the server closes or nothing comes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as s:
            s.sendall(data)
            got = b""
            try:
                while True:
                    piece = s.recv(65536)
                    if not piece:
                        return got
                    got += piece
            except OSError:
                return got

    def blob(self, repository, data, algorithm="sha256"):
        """Pushes a blob; its descriptor."""
        digest = digest_of(data, algorithm)
        answer = self("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", data,
                      Content_Type="application/octet-stream")
        assert answer.status == 201, answer
        return {"mediaType": LAYER, "digest": digest, "size": len(data)}

    def put(self, repository, reference, document, media_type=MANIFEST):
        """Pushes a manifest: a dict or bytes; (answer, digest)."""
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self("PUT", f"/v2/{repository}/manifests/{reference}", data, Content_Type=media_type), digest_of(data)

    def image(self, repository, tag, seed="x", **more):
        """Pushes a small image; its descriptor."""
        config = {**self.blob(repository, json.dumps({"os": "linux", "architecture": "amd64", "seed": seed}).encode()),
                  "mediaType": CONFIG}
        layer = self.blob(repository, f"layer {seed}".encode())
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer], **more}
        answer, digest = self.put(repository, tag, manifest)
        assert answer.status == 201, answer
        return {"mediaType": MANIFEST, "digest": digest, "size": len(json.dumps(manifest))}

    def upload(self, repository):
        """Begins an upload; its location."""
        answer = self("POST", f"/v2/{repository}/blobs/uploads/")
        assert answer.status == 202, answer
        return answer.headers["Location"]


def repository_of(request):
    """A repository of the test's own."""
    return "spec/" + "".join(c for c in request.node.name.lower() if c.isalnum())[:60]


def digest_of(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)

"""Debian's docker-registry on a loopback port, with TLS of a throw-away CA and a login."""
import contextlib
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

from helpers import processes
from helpers.packages import unpacked

USER, PASSWORD = "maria", "correct horse"
ACCESS = re.compile(r'^\S+ - \S* ?\[[^]]*\] "([A-Z]+) (\S+) HTTP/[\d.]+" (\d{3}) ')


def binary():
    """The path of docker-registry: installed, or unpacked from its package."""
    return shutil.which("docker-registry") or unpacked("docker-registry", "usr/bin/docker-registry")


def make_certificates(folder, names=()):
    """ca.crt and a server certificate of it for 127.0.0.1, localhost and more names: server.crt, server.key."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-days", 30, "-subj", "/CN=test CA",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    more = "".join(f",DNS:{name}" for name in names)
    (folder / "server.ext").write_text(f"subjectAltName=IP:127.0.0.1,DNS:localhost{more}\n"
                                       "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "server.crt", "-days", 30, "-extfile", "server.ext")


_ports = itertools.count(random.randrange(1000))


def free_port():
    """Of a range of this worker's own, below those that the kernel hands out: nobody takes it before it is used, or while its server is down."""
    first = 20000 + 1000 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 10)
    for number in itertools.islice(_ports, 1000):
        number %= 1000
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                s.bind(("127.0.0.1", first + number))
                return first + number
    raise AssertionError(f"all ports from {first} on are taken")


class Registry:
    """A running registry; stop() and start() keep port and data."""

    def __init__(self, folder, tls=True, login=True, user=USER, password=PASSWORD, names=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tls, self.user, self.password = tls, user if login else None, password if login else None
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        self.data = self.folder / "data"
        self.certs = self.folder / "certs"  # ca.crt alone: what skopeo calls a cert dir
        self.ca = self.certs / "ca.crt"
        self.process = None
        if tls:
            make_certificates(self.folder / "tls", names)
            self.certs.mkdir(exist_ok=True)
            shutil.copy(self.folder / "tls/ca.crt", self.ca)
        if login:
            hashed = subprocess.run(["htpasswd", "-Bbn", "-C", "4", user, password], check=True,
                                    capture_output=True).stdout
            (self.folder / "htpasswd").write_bytes(hashed)
        self._write_config()
        self.start()

    def _write_config(self):
        # JSON is YAML.
        config = {
            "version": "0.1", "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(self.data)}, "delete": {"enabled": True},
                        "cache": {"blobdescriptor": "inmemory"}},
            "http": {"addr": self.host, "secret": "tests"},
        }
        if self.tls:
            config["http"]["tls"] = {"certificate": str(self.folder / "tls/server.crt"),
                                     "key": str(self.folder / "tls/server.key")}
        if self.user:
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(self.folder / "htpasswd")}}
        (self.folder / "config.yml").write_text(json.dumps(config))

    def start(self):
        with open(self.folder / "access.log", "ab") as access, open(self.folder / "errors.log", "ab") as errors:
            self.process = subprocess.Popen([binary(), "serve", self.folder / "config.yml"], stdout=access,
                                            stderr=errors, start_new_session=True,
                                            env={**os.environ, "OTEL_TRACES_EXPORTER": "none"})
        processes.servers.add(self.process.pid)
        assert processes.wait_until(self._answers), (self.folder / "errors.log").read_text()[-2000:]

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "errors.log").read_text()[-2000:]
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            processes.servers.discard(self.process.pid)
            self.process = None

    def request(self, path, method="GET", headers=None):
        """An answer of the registry itself, logged in: (status, headers, body)."""
        asked = urllib.request.Request(self.url + path, method=method, headers=headers or {})
        handlers = []
        if self.tls:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.ca)))
        if self.user:
            passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
            passwords.add_password(None, self.url, self.user, self.password, is_authenticated=True)
            handlers.append(urllib.request.HTTPBasicAuthHandler(passwords))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)
        try:
            with opener.open(asked, timeout=20) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read()

    def _log(self):
        text = (self.folder / "access.log").read_text(errors="replace")
        return [(m.group(1), m.group(2), int(m.group(3))) for m in map(ACCESS.match, text.splitlines()) if m]

    def mark(self):
        """A place in the log, for requests(since)."""
        name = f"/v2/?mark={os.urandom(6).hex()}"
        self.request(name)
        logged = processes.wait_until(
            lambda: [i for i, (_, path, _) in enumerate(self._log()) if path == name], 10)
        assert logged, "the registry did not log a request"
        return logged[0] + 1

    def requests(self, since=0):
        """(method, path, status) of each request since the mark; every answered one is there."""
        return self._log()[since:self.mark() - 1]

    def uploads(self, since=0):
        """(repository, digest) of each blob whose upload was finished since the mark."""
        found = []
        for method, path, status in self.requests(since):
            path, _, query = path.partition("?")
            if method == "PUT" and "/blobs/uploads/" in path and status == 201:
                digest = urllib.parse.parse_qs(query)["digest"][0]
                found.append((path.removeprefix("/v2/").split("/blobs/uploads/")[0], digest))
        return found


def main():
    """python3 -m helpers.registry FOLDER: serves until SIGTERM; FOLDER/ready then holds host, user and password."""
    folder = pathlib.Path(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        running = Registry(folder)
        (folder / "ready.new").write_text(f"{running.host}\n{running.user}\n{running.password}\n")
        (folder / "ready.new").rename(folder / "ready")
        running.process.wait()
    finally:
        for pid in processes.servers:
            os.kill(pid, signal.SIGTERM)


if __name__ == "__main__":
    main()

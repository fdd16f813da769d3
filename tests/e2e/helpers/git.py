"""Git repositories served on loopback by git itself: http-backend behind a web server, and git daemon."""
import base64
import os
import pathlib
import socket
import subprocess
import time

from helpers.registry import free_port
from helpers.web import WebServer

PLAIN = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
         "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "PATH": os.environ["PATH"], "LC_ALL": "C"}


class Repository:
    """A working folder; publish() makes a bare copy that the servers show as NAME.git."""

    def __init__(self, served, name):
        self.name, self.bare = name, served / f"{name}.git"
        self.work = served / f"{name}.work"
        self.work.mkdir(parents=True)
        self("init", "-q", "-b", "main")

    def __call__(self, *arguments, at=None, **env):
        run = subprocess.run(["git", "-c", "protocol.file.allow=always", *map(str, arguments)], cwd=at or self.work,
                             env={**PLAIN, **env}, capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"git {arguments}: {run.stderr}"
        return run.stdout.strip()

    def commit(self, files=None, seconds=1500000000, message="m"):
        """Writes files ({path: text, ("link", target) or None to remove it}), commits and publishes. The commit's id."""
        for path, content in (files or {}).items():
            where = self.work / path
            where.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                where.unlink()
            elif isinstance(content, tuple):
                where.symlink_to(content[1])
            else:
                where.write_text(content)
        self("add", "-A")
        date = f"{seconds} +0000"
        self("commit", "-q", "--allow-empty", "-m", message, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
        self.publish()
        return self("rev-parse", "HEAD")

    def publish(self):
        if not self.bare.exists():
            self("clone", "-q", "--bare", self.work, self.bare)
            self("config", "http.uploadpack", "true", at=self.bare)
        self("push", "-q", "--force", "--prune", self.bare, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
        self("update-server-info", at=self.bare)

    def exported(self, ref, into):
        """The files of a commit, as git archive gives them: {path: mode}."""
        into.mkdir()
        tar = subprocess.run(["git", "-c", "tar.umask=022", "archive", ref], cwd=self.work, env=PLAIN, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", into], input=tar, check=True)
        return into


class GitWeb(WebServer):
    """http(s)://127.0.0.1:PORT/NAME.git; password: Basic logins that are let in; redirect: {path prefix: other prefix}."""

    def __init__(self, served, password=None, dumb=False):
        super().__init__()
        self.served, self.password, self.dumb = pathlib.Path(served), password, dumb
        self.asked, self.headers, self.redirect = [], [], {}

    def answer(self, request):
        path, _, query = request.path.partition("?")
        self.asked.append(request.path)
        self.headers.append(dict(request.headers))
        for start, other in self.redirect.items():
            if path.startswith(start):
                request.send_response(301)
                request.send_header("Location", other + request.path[len(start):])
                request.end_headers()
                return
        wanted = "basic " + base64.b64encode(self.password.encode()).decode() if self.password else None
        given = request.headers.get("Authorization", "")
        if wanted and (given[:6].lower() + given[6:]) != wanted:
            request.send_response(401)
            request.send_header("WWW-Authenticate", "Basic realm=x")
            request.end_headers()
            return
        if self.dumb:
            self.file(request, path)
        else:
            self.backend(request, path, query)

    def file(self, request, path):
        where = self.served / path.lstrip("/")
        body = where.read_bytes() if where.is_file() else None
        request.send_response(200 if body is not None else 404)
        request.send_header("Content-Length", str(len(body or b"")))
        request.end_headers()
        request.wfile.write(body or b"")

    def backend(self, request, path, query):
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        env = {**PLAIN, "GIT_PROJECT_ROOT": str(self.served), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
               "QUERY_STRING": query, "REQUEST_METHOD": request.command, "CONTENT_LENGTH": str(length),
               "CONTENT_TYPE": request.headers.get("Content-Type", ""),
               "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
               "GIT_PROTOCOL": request.headers.get("Git-Protocol", "")}
        answer = subprocess.run(["git", "-c", "safe.directory=*", "http-backend"], input=body, env=env,
                                capture_output=True, check=False).stdout
        head, _, body = answer.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in fields if name == "Status"), 200)
        request.send_response(status)
        for name, value in fields:
            if name != "Status":
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


class GitDaemon:
    """git://127.0.0.1:PORT/NAME.git"""

    def __init__(self, served):
        port = free_port()
        self.url = f"git://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            ["git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}", "--export-all",
             f"--base-path={served}", str(served)],
            env={**PLAIN, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"},
            stderr=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("git daemon did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

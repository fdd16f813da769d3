"""The status page as the binary serves it, shown to a browser with documents that a test makes up: whatever a target may one day say."""
import http.server
import json
import threading
import urllib.parse
import urllib.request


def task(number, state="RUNNING", **members):
    """As /status.json has one."""
    ident = f"{number:08x}" + "0" * 24
    return {"id": ident, "definition": "web:3", "service": "web", "group": "service:web", "lastStatus": state, "desiredStatus": "RUNNING",
            "healthStatus": "UNKNOWN", "createdAt": 1000.5, "startedAt": 1010.25, "address": f"127.64.0.{number}",
            "ports": [{"containerPort": 3000, "hostPort": 3000}],
            "containers": [{"name": "app", "image": "127.0.0.1:4599/web:1", "imageDigest": "sha256:" + "ab" * 32, "lastStatus": state,
                            "log": {"group": "/ecs/web", "stream": f"ecs/app/{ident}"}}], **members}


def stopped(number, reason="Essential container in task exited", code=1, **members):
    made = task(number, "STOPPED", desiredStatus="STOPPED", stopCode="EssentialContainerExited", stoppedReason=reason, stoppedAt=1030, **members)
    made["containers"][0]["exitCode"] = code
    return made


def service(name="web", running=2, desired=2, **members):
    return {"serviceName": name, "status": "ACTIVE", "desiredCount": desired, "runningCount": running, "pendingCount": desired - running,
            "definition": "web:3", "address": "127.65.0.1", "ports": [{"containerPort": 3000, "hostPort": 3000}],
            "deployments": [{"id": "ecs-svc/1", "status": "PRIMARY", "rolloutState": "COMPLETED", "desiredCount": desired, "runningCount": running,
                             "pendingCount": 0, "failedTasks": 0, "definition": "web:3"}],
            "events": [{"id": "e1", "createdAt": 1020, "message": f"(service {name}) has reached a steady state."}], **members}


def status(services=(), tasks=(), **members):
    n_stopped = sum(t["lastStatus"] == "STOPPED" for t in tasks)
    return {"clusters": [{"name": "default", "status": "ACTIVE", "services": list(services), "tasks": list(tasks), "stopped": n_stopped,
                          "tasksLeftOut": 0}],
            "target": {"region": "us-east-1", "account": "000000000000", "now": 1060}, **members}


class Shown:
    """Set status, images and logs (a list of lines); requests are counted by path and answer: shown.asked["/status.json", 304]."""

    def __init__(self, target_url):
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(target_url + "/") as answer:
            self.page, self.headers = answer.read(), dict(answer.headers)
        self.status, self.images, self.logs = status(), {"repositories": []}, []
        self.asked, self.failing = {}, False
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def _answer(self, path, query):
        """(headers, body)"""
        if path == "/":
            return {k: v for k, v in self.headers.items() if k not in ("Date", "Content-Length", "Connection")}, self.page
        if path == "/status/logs":
            position = int(query.get("position", ["0"])[0])
            events = [{"time": 1000 * i, "text": text} for i, text in enumerate(self.logs)][position:]
            return {}, json.dumps({"events": events, "next": position + len(events), "more": False}).encode()
        body = json.dumps(self.status if path == "/status.json" else self.images).encode()
        return {"ETag": f'"{hash(body):x}"'}, body

    def _handler(self):
        shown = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # pylint: disable=invalid-name
                path, _, query = self.path.partition("?")
                headers, body = shown._answer(path, urllib.parse.parse_qs(query))
                code = 500 if shown.failing else 304 if headers.get("ETag", "") == self.headers["If-None-Match"] else 200
                shown.asked[path, code] = shown.asked.get((path, code), 0) + 1
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                body = body if code == 200 else b""
                if code != 304:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

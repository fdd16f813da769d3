"""The few AWS operations that slipway calls, on a loopback port. Signatures are checked by botocore's own signer."""
import base64
import datetime
import http.server
import json
import threading
import urllib.parse

from .aws_cloud import signing

ACCOUNT = "123456789012"
STS = "https://sts.amazonaws.com/doc/2011-06-15/"


class Api:
    """A server with known keys. calls: (operation, parameters, access key); answers[operation] takes over an answer."""

    def __init__(self):
        self.keys = {"AKIDTEST": ("secret/with+odd=characters", None)}
        self.password = "ecr-password"
        self.calls, self.answers, self.repositories = [], {}, set()
        self.clock = datetime.timedelta()
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, kind, text = api.answer(self, body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def date_time_string(self, timestamp=None):
                return api.now().strftime("%a, %d %b %Y %H:%M:%S GMT")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def now(self):
        return datetime.datetime.now(datetime.timezone.utc) + self.clock

    def answer(self, request, body):
        target = request.headers.get("X-Amz-Target")
        form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True)) if not target else {}
        operation = target.partition(".")[2] if target else form.get("Action")
        fault = signing.fault(request, body, self.keys, self.now()) if operation != "AssumeRoleWithWebIdentity" else None
        parameters = json.loads(body) if target else form
        key = request.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        self.calls.append((operation, parameters, key))
        if fault:
            return self.error(bool(target), 403, *fault)
        scripted = self.answers.get(operation)
        if scripted:
            return scripted.pop(0) if isinstance(scripted, list) else scripted
        return getattr(self, operation)(parameters)

    @staticmethod
    def error(is_json, status, code, message):
        if is_json:
            return status, "application/x-amz-json-1.1", json.dumps({"__type": f"com.amazonaws#{code}", "message": message}).encode()
        return status, "text/xml", (f'<ErrorResponse xmlns="{STS}"><Error><Type>Sender</Type><Code>{code}</Code>'
                                    f"<Message>{message}</Message></Error></ErrorResponse>").encode()

    def GetAuthorizationToken(self, _):
        token = base64.b64encode(f"AWS:{self.password}".encode()).decode()
        data = {"authorizationToken": token, "expiresAt": 1420070400.0,
                "proxyEndpoint": f"https://{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"}
        return 200, "application/x-amz-json-1.1", json.dumps({"authorizationData": [data]}).encode()

    def CreateRepository(self, parameters):
        name = parameters["repositoryName"]
        if name in self.repositories:
            return self.error(True, 400, "RepositoryAlreadyExistsException", f"The repository with name '{name}' already exists")
        self.repositories.add(name)
        return 200, "application/x-amz-json-1.1", json.dumps({"repository": {"repositoryName": name}}).encode()

    def role(self, operation):
        access = f"ASIAROLE{len(self.keys)}"
        self.keys[access] = ("role secret".replace(" ", "-"), "role-token//+=")
        until = (self.now() + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 200, "text/xml", (
            f'<{operation}Response xmlns="{STS}"><{operation}Result><Credentials><AccessKeyId>{access}</AccessKeyId>'
            f"<SecretAccessKey>role-secret</SecretAccessKey><SessionToken>role-token//+=</SessionToken>"
            f"<Expiration>{until}</Expiration></Credentials></{operation}Result></{operation}Response>").encode()

    def AssumeRole(self, _):
        return self.role("AssumeRole")

    def AssumeRoleWithWebIdentity(self, _):
        return self.role("AssumeRoleWithWebIdentity")

"""The endpoint: one loopback port for all services, a record of the calls, and what each call costs in virtual time."""
import dataclasses
import datetime
import http.server
import json
import socket
import threading
import urllib.parse
import uuid

from . import errors, models, signing
from .clock import Clock
from .errors import Error

ACCOUNT, REGION = "123456789012", "eu-west-1"
READS = ("Describe", "List", "Get", "BatchGet", "BatchCheck", "Filter", "Simulate")


@dataclasses.dataclass
class Call:
    """A request: when on the fake's clock, by whom, and the code it was refused with ("" when it was not)."""
    index: int
    service: str
    operation: str
    parameters: dict
    key: str
    seconds: float
    refused: str = ""

    def changes(self):
        return not self.operation.startswith(READS)

    def __str__(self):
        return f"{self.index} {self.seconds:.0f}s {self.service} {self.operation} {self.refused}".rstrip()


class Cloud:
    """A region of AWS. violations must be empty at the end of a test: finish() says so."""

    def __init__(self, seconds_per_call=1.0):
        from . import control_plane  # pylint: disable=import-outside-toplevel
        self.account, self.region, self.partition = ACCOUNT, REGION, "aws"
        self.keys = {"AKIDTEST": ("secret/with+odd=characters", None)}
        self.who = f"arn:aws:iam::{ACCOUNT}:user/dev"
        self.clock, self.seconds_per_call = Clock(), seconds_per_call
        self.wall = datetime.timedelta()  # how far AWS's clock is ahead of this machine's
        self.calls, self.violations, self.happened = [], [], []
        self.faults, self.hooks, self.denied, self.expired = [], [], set(), {}
        self.lock = threading.Lock()
        self.services = control_plane.make(self)
        for name, service in self.services.items():
            setattr(self, name.replace("-", "_"), service)
        self.server = _serve(self)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def finish(self):
        """Ends it, and fails when a request was none that AWS would understand."""
        self.stop()
        assert not self.violations, "requests that AWS does not know:\n" + "\n".join(self.violations)

    # ---- what a test scripts and asks ---------------------------------------

    def script(self, by_revision):
        """{revision of a task definition: scenario of its tasks, or a list: one each, the last for all further ones}."""
        self.ecs.script(by_revision)

    def fault(self, operation, fault, times=1, after=0):
        """The next calls of an operation, but for the first `after`, meet a fault."""
        self.faults.append([operation, fault, times, after])

    def on(self, operation, function, after=0):
        """Calls function() once, before the operation's call number after + 1 from now."""
        self.hooks.append([operation, function, after])

    def deny(self, *actions):
        """IAM says no: deny("ecs:CreateCluster")."""
        self.denied.update(actions)

    def expire(self, key="AKIDTEST"):
        """The session of an access key ends now."""
        self.expired[key] = True

    def event(self, what):
        """Notes something that happened in the cloud, and after how many calls."""
        self.happened.append((what, len(self.calls), self.clock.seconds))

    def when(self, what):
        """The number of calls made before the first event that begins so."""
        return next(index for name, index, _ in self.happened if name.startswith(what))

    def operations(self, service=None, since=0):
        return [c.operation for c in self.calls[since:] if service in (None, c.service)]

    def of(self, operation, since=0):
        """The parameters of the calls of an operation that were not refused."""
        return [c.parameters for c in self.calls[since:] if c.operation == operation and not c.refused]

    def changes(self, since=0):
        """Operations that made, changed or removed something."""
        return [c.operation for c in self.calls[since:] if c.changes() and not c.refused]

    def arn(self, service, rest, region=None, account=None):
        region = self.region if region is None else region
        return f"arn:{self.partition}:{service}:{region}:{self.account if account is None else account}:{rest}"

    # ---- a request -----------------------------------------------------------

    def answer(self, request, body):
        """(status, content type, body, announced length) of a request; status None: hang up."""
        request_id = str(uuid.uuid4())
        with self.lock:
            self.clock.advance(self.seconds_per_call)
            try:
                service, operation, raw = self._route(request, body)
            except models.Invalid as e:
                self.violations.append(str(e))
                return (*errors.write("json", Error("UnknownOperationException", str(e)), request_id), None)
            return self._answer(request, body, service, operation, raw, request_id)

    def _route(self, request, body):
        """(service, operation, parameters as they came)."""
        target = request.headers.get("X-Amz-Target")
        if target:
            prefix, _, operation = target.partition(".")
            service = models.routes().get(prefix)
            raw = body
            kind = request.headers.get("Content-Type", "")
            if kind != "application/x-amz-json-1.1":
                raise models.Invalid(f"{target}: Content-Type is {kind!r}")
        else:
            raw = urllib.parse.parse_qs(body.decode(), keep_blank_values=True, strict_parsing=bool(body))
            if any(len(v) > 1 for v in raw.values()):
                raise models.Invalid(f"a parameter is there twice: {raw}")
            raw = {k: v[0] for k, v in raw.items()}
            operation, service = raw.get("Action", ""), models.routes().get(raw.get("Version"))
        if not service or operation not in models.model(service).operation_names:
            raise models.Invalid(f"no such operation: {target or raw}")
        return service, operation, raw

    def _answer(self, request, body, service, operation, raw, request_id):
        protocol = models.protocol(service)
        call = Call(len(self.calls), service, operation, {}, signing.scope(request.headers)[0], self.clock.seconds)
        self.calls.append(call)
        for hook in [h for h in self.hooks if h[0] == operation]:
            hook[2] -= 1
            if hook[2] < 0:
                self.hooks.remove(hook)
                hook[1]()
        fault = None
        try:
            call.parameters = self._parameters(service, operation, raw)
            self._permit(request, body, service, operation, protocol)
            fault = self._fault(operation)
            instead = fault.instead() if fault else None
            if instead:
                call.refused = str(instead[0])
                return (*instead, len(instead[2]))
            value = self._do(service, operation, call.parameters)
            answer = (200, *models.write(service, operation, value, request_id))
        except models.Invalid as e:
            self.violations.append(f"{service} {operation}: {e}")
            call.refused = "ValidationException"
            answer = errors.write(protocol, Error("ValidationException", str(e)), request_id)
        except Error as e:
            call.refused = e.code
            answer = errors.write(protocol, e, request_id)
        except Exception as e:  # pylint: disable=broad-except
            self.violations.append(f"{service} {operation}: the fake failed: {e!r}")
            answer = errors.write(protocol, Error("InternalFailure", repr(e), 500), request_id)
        return fault.after(*answer) if fault else (*answer, len(answer[2]))

    def _parameters(self, service, operation, raw):
        if isinstance(raw, bytes):
            try:
                parameters = json.loads(raw)
            except ValueError as e:
                raise models.Invalid(f"no JSON: {raw[:200]!r}: {e}") from None
            if not isinstance(parameters, dict):
                raise models.Invalid(f"no object: {raw[:200]!r}")
        else:
            parameters = models.read_form(service, operation, raw)
        models.check(models.model(service).operation_model(operation).input_shape, parameters)
        return parameters

    def _permit(self, request, body, service, operation, protocol):
        if operation == "AssumeRoleWithWebIdentity":
            return  # the token is who asks
        access, region, name = signing.scope(request.headers)
        if self.expired.get(access):
            raise Error("ExpiredTokenException" if protocol == "json" else "ExpiredToken",
                        "The security token included in the request is expired", 400 if protocol == "json" else 403)
        wrong = signing.fault(request, body, self.keys, self.wall_time())
        if wrong:
            raise Error(*wrong, status=400 if protocol == "json" else 403)
        if name != models.SERVICES[service] or region != ("us-east-1" if service == "iam" else self.region):
            raise models.Invalid(f"signed for {name} in {region}")
        prefix = {"elbv2": "elasticloadbalancing"}.get(service, service)
        if f"{prefix}:{operation}" in self.denied:
            raise errors.denied(service, protocol, f"{prefix}:{operation}", self.who)

    def wall_time(self):
        return datetime.datetime.now(datetime.timezone.utc) + self.wall

    def _fault(self, operation):
        for entry in [e for e in self.faults if e[0] == operation]:
            if entry[3] > 0:
                entry[3] -= 1
                continue
            entry[2] -= 1
            if entry[2] <= 0:
                self.faults.remove(entry)
            return entry[1]
        return None

    def _do(self, service, operation, parameters):
        handler = getattr(self.services[service], models.attribute(operation), None)
        if not handler:
            raise models.Invalid("not in this fake: add it to tests/fakes/aws_cloud")
        return handler(parameters) or {}


def _serve(cloud):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def setup(self):
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def do_POST(self):
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            # Who was interrupted in mid-request has asked for nothing.
            status, kind, text, announced = cloud.answer(self, body) if len(body) == length else (None, "", b"", 0)
            if status is None:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text) if announced is None else announced))
            self.end_headers()
            self.wfile.write(text)
            self.close_connection = announced is not None and announced != len(text)

        def date_time_string(self, timestamp=None):
            return cloud.wall_time().strftime("%a, %d %b %Y %H:%M:%S GMT")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server

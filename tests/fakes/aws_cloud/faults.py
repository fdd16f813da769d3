"""What goes wrong around a call: cloud.fault("RunTask", throttled(), times=2)."""
from .errors import Error


class Fault:
    """instead(): an answer in place of the operation, or the error it raises. after(): may spoil the answer."""

    def instead(self):
        return None

    def after(self, status, kind, body):
        return status, kind, body, len(body)


class Refused(Fault):
    def __init__(self, code, message, status=400):
        self.error = Error(code, message, status)

    def instead(self):
        raise self.error


class Truncated(Fault):
    """The answer's first bytes; the connection then ends, though Content-Length announced all."""

    def __init__(self, keep=10):
        self.keep = keep

    def after(self, status, kind, body):
        return status, kind, body[:self.keep], len(body)


class Nonsense(Fault):
    """A whole answer of 200 that is no document: half of one."""

    def after(self, status, kind, body):
        half = body[:len(body) // 2]
        return status, kind, half, len(half)


class Lost(Fault):
    """The operation is done, and the connection breaks before a byte of the answer."""

    def after(self, status, kind, body):
        return None, kind, b"", 0


class Page(Fault):
    """What a proxy or load balancer writes in AWS's place."""

    def __init__(self, status=503, body=b"<html><body>Service Unavailable</body></html>"):
        self.status, self.body = status, body

    def instead(self):
        return self.status, "text/html", self.body


def throttled():
    return Refused("ThrottlingException", "Rate exceeded")


def server_error():
    return Refused("ServerException", "Service Unavailable. Please try again later.", 500)


def no_service_role():
    """What a new account says until its service-linked role is known everywhere."""
    return Refused("InvalidParameterException", "Unable to assume the service linked role. Please verify that the ECS service "
                   "linked role exists.")


def role_not_ready(arn):
    return Refused("ClientException", f"ECS was unable to assume the role '{arn}' that was provided for this task. Please verify "
                   "that the role being passed has the proper trust relationship and permissions and that your IAM user has "
                   "permissions to pass this role.")

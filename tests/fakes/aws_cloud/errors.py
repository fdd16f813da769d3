"""AWS's errors, in the three shapes that its protocols give them."""
import json
import xml.sax.saxutils


class Error(Exception):
    """What an operation refuses with; status None: what the protocol usually has."""

    def __init__(self, code, message, status=400, **members):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status, self.members = code, message, status, members


def write(protocol, error, request_id):
    """(status, content type, body)."""
    if protocol == "json":
        # ECS and Logs write "message", older services "Message"; the namespace before # is to be cut off.
        body = {"__type": f"com.amazonaws.service#{error.code}", "message": error.message, **error.members}
        return error.status, "application/x-amz-json-1.1", json.dumps(body).encode()
    code, message = xml.sax.saxutils.escape(error.code), xml.sax.saxutils.escape(error.message)
    if protocol == "ec2":
        return error.status, "text/xml;charset=UTF-8", (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message>'
            f"</Error></Errors><RequestID>{request_id}</RequestID></Response>").encode()
    kind = "Sender" if error.status < 500 else "Receiver"
    return error.status, "text/xml", (
        f"<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>").encode()


def denied(service, protocol, action, who):
    """The refusal of IAM, as each protocol words it."""
    message = (f"User: {who} is not authorized to perform: {action} on resource: * because no identity-based policy allows "
               f"the {action} action")
    if service == "ec2":
        return Error("UnauthorizedOperation", "You are not authorized to perform this operation. " + message, 403)
    if protocol == "json":
        return Error("AccessDeniedException", message)
    return Error("AccessDenied", message, 403)

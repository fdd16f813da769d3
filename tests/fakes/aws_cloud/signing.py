"""Whether a request is signed as AWS wants it: botocore's own signer is the judge."""
import datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

TIME = "%Y%m%dT%H%M%SZ"


def reference_signature(method, url, headers, body, keys, region, service, when):
    """What botocore writes into Authorization for this request."""
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    request.context["timestamp"] = when
    signer = SigV4Auth(keys, service, region)
    if keys.token:
        del request.headers["X-Amz-Security-Token"]
        request.headers["X-Amz-Security-Token"] = keys.token
    canonical = signer.canonical_request(request)
    text = signer.string_to_sign(request, canonical)
    return signer.signature(text, request)


def scope(headers):
    """(access key, region, service) of a request; empty strings of one that is not signed."""
    credential = headers.get("Authorization", "").partition("Credential=")[2].partition(",")[0].split("/")
    return (credential[0], credential[2], credential[3]) if len(credential) == 5 else ("", "", "")


def fault(request, body, keys, now):
    """None, or the (code, message) that AWS would give. keys: {access key: (secret, session token or None)}."""
    authorization = request.headers.get("Authorization", "")
    if not authorization.startswith("AWS4-HMAC-SHA256 "):
        return "MissingAuthenticationToken", "Missing Authentication Token"
    parts = dict(p.strip().split("=", 1) for p in authorization.removeprefix("AWS4-HMAC-SHA256 ").split(","))
    access, region, service = scope(request.headers)
    if access not in keys:
        return "UnrecognizedClientException", "The security token included in the request is invalid."
    secret, token = keys[access]
    when = request.headers["X-Amz-Date"]
    sent = datetime.datetime.strptime(when, TIME).replace(tzinfo=datetime.timezone.utc)
    if abs(now - sent) > datetime.timedelta(minutes=5):
        return "InvalidSignatureException", f"Signature expired: {when} is now earlier than {now:{TIME}}"
    signed = parts["SignedHeaders"].split(";")
    assert "host" in signed and "x-amz-date" in signed
    if token and request.headers.get("X-Amz-Security-Token") != token:
        return "UnrecognizedClientException", "The security token included in the request is invalid."
    headers = {name: request.headers[name] for name in signed if name != "host"}
    expected = reference_signature("POST", f"http://{request.headers['Host']}{request.path}", headers, body,
                                   Credentials(access, secret, token), region, service, when)
    if expected != parts["Signature"]:
        return "SignatureDoesNotMatch", "The request signature we calculated does not match"
    return None

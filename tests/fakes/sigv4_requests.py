#!/usr/bin/env python3
"""Random requests with the signatures that botocore makes of them, a line of JSON each: sigv4_requests.py SEED COUNT."""
import datetime
import json
import random
import string
import sys
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

TIME = "%Y%m%dT%H%M%SZ"
WORD = string.ascii_letters + string.digits
ODD = WORD + " -_.~!*'();:@&=+$,/?%#[]{}|\\\"<>^`\t" + "äß漢"


def text(rng, letters, least, most):
    return "".join(rng.choice(letters) for _ in range(rng.randint(least, most)))


def quoted(rng, least, most):
    return urllib.parse.quote(text(rng, ODD, least, most), safe="-_.~")


def path_of(rng):
    parts = [rng.choice(["", ".", "..", quoted(rng, 1, 8), text(rng, WORD, 1, 8)]) for _ in range(rng.randint(0, 5))]
    return "/" + "/".join(parts)


def query_of(rng):
    pairs = [quoted(rng, 1, 6) + rng.choice(["", "=", "=" + quoted(rng, 0, 8)]) for _ in range(rng.randint(0, 6))]
    return "&".join(pairs + rng.sample(pairs, min(len(pairs), rng.randint(0, 1))))


def value_of(rng):
    """With blanks of all kinds, which are made one."""
    return rng.choice(["", " ", "  "]) + text(rng, WORD + "  ;,=:/\"", 0, 20) + rng.choice(["", "   "])


def headers_of(rng, host, when, token):
    names = ["X-Amz-Target", "Content-Type", "x-custom", "X-Custom-2", "X-Amz-Date-X", "Zeta", "A"]
    headers = [("Host", host)]
    headers += [(name, value_of(rng)) for name in rng.sample(names, rng.randint(0, len(names)))]
    if rng.random() < 0.3:
        headers += [("X-Repeated", value_of(rng)) for _ in range(rng.randint(2, 3))]
    rng.shuffle(headers)
    headers.append(("X-Amz-Date", when.strftime(TIME)))
    if token:
        headers.append(("X-Amz-Security-Token", token))
    return headers


def request(rng):
    keys = Credentials("AKID" + text(rng, string.ascii_uppercase, 4, 12), text(rng, WORD + "/+", 20, 40),
                       text(rng, WORD + "/+=", 20, 60) if rng.random() < 0.5 else None)
    when = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=rng.randint(0, 3 * 10**9))
    host = rng.choice(["ecr.eu-west-1.amazonaws.com", "example.test:8443", "127.0.0.1:5000"])
    path, query = path_of(rng), query_of(rng)
    region, service = rng.choice(["us-east-1", "eu-west-1", "cn-north-1"]), rng.choice(["ecr", "sts", "ecs", "logs"])
    body = text(rng, ODD, 0, 200).encode()
    sent = AWSRequest(method=rng.choice(["GET", "POST", "PUT", "DELETE", "HEAD"]),
                      url=f"https://{host}{path}" + (f"?{query}" if query else ""), data=body)
    headers = headers_of(rng, host, when, keys.token)
    for name, value in headers:
        sent.headers.add_header(name, value)
    sent.context["timestamp"] = when.strftime(TIME)
    signer = SigV4Auth(keys, service, region)
    signature = signer.signature(signer.string_to_sign(sent, signer.canonical_request(sent)), sent)
    signed = signer.signed_headers(signer.headers_to_sign(sent))
    return {
        "method": sent.method, "path": path, "query": query or None, "region": region, "service": service,
        "time": int(when.timestamp()), "headers": [h for h in headers if h[0] not in ("X-Amz-Date", "X-Amz-Security-Token")],
        "payload": signer.payload(sent), "access_key": keys.access_key, "secret_key": keys.secret_key, "token": keys.token,
        "authorization": f"AWS4-HMAC-SHA256 Credential={signer.scope(sent)}, SignedHeaders={signed}, Signature={signature}",
    }


def main():
    rng = random.Random(int(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        print(json.dumps(request(rng)))


if __name__ == "__main__":
    main()

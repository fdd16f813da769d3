"""registry serve against the text of the OCI distribution specification 1.1: names, errors, pull, push. Lists, deletion and
referrers are in test_registry_serve_lists.py."""
import json
import os

import pytest

from helpers.serve import CONFIG, EMPTY, INDEX, MANIFEST, digest_of
MISSING = digest_of(b"what nobody pushed")


# ---- API version check, errors, methods ----

def test_version_check(serve):
    answer = serve("GET", "/v2/")
    assert answer.status == 200
    assert answer.headers["Docker-Distribution-API-Version"] == "registry/2.0"
    assert serve("GET", "/v2").status == 200


def test_errors_have_their_form(serve):
    answer = serve("GET", f"/v2/no/such/manifests/{MISSING}")
    assert answer.status == 404 and answer.headers["Content-Type"] == "application/json"
    for error in answer.json()["errors"]:
        assert error["code"] == "NAME_UNKNOWN" and error["message"]


@pytest.mark.parametrize("method, path, allowed", [
    ("POST", "/v2/a/manifests/x", {"GET", "HEAD", "PUT", "DELETE"}),
    ("PUT", f"/v2/a/blobs/{MISSING}", {"GET", "HEAD", "DELETE"}),
    ("GET", "/v2/a/blobs/uploads/", {"POST"}),
    ("DELETE", "/v2/a/tags/list", {"GET"}),
    ("PATCH", f"/v2/a/referrers/{MISSING}", {"GET"}),
    ("OPTIONS", "/v2/", {"GET", "HEAD"}),
])
def test_methods_that_are_not_there(serve, method, path, allowed):
    answer = serve(method, path)
    assert answer.status == 405 and answer.code() == "UNSUPPORTED"
    assert {m.strip() for m in answer.headers["Allow"].split(",")} == allowed


@pytest.mark.parametrize("name, good", [
    ("a", True), ("a0/b.c/d_e/f__g/h-i/j--k", True), ("a" * 255, True), ("a/" * 100 + "b", True),
    ("A", False), ("a/B", False), ("-a", False), ("a-", False), ("a..b", False), ("a___b", False), (".", False), ("..", False),
    ("a//b", False), ("a/", False), ("_a", False), ("a@b", False), ("a%20b", False), ("%C3%A4", False), ("a" * 256, False),
])
def test_names_of_repositories(serve, name, good):
    answer = serve("POST", f"/v2/{name}/blobs/uploads/")
    assert answer.status == (202 if good else 400), answer
    if not good:
        assert answer.code() == "NAME_INVALID"


@pytest.mark.parametrize("tag, good", [
    ("a", True), ("A_b-c.9", True), ("_x", True), ("0" * 128, True),
    (".a", False), ("-a", False), ("a" * 129, False), ("a%2Fb", None), ("a+b", False), ("%C3%A4", False),
])
def test_names_of_tags(serve, repository, tag, good):
    manifest = serve("GET", f"/v2/{repository}/manifests/{tag}")
    assert manifest.status == (400 if good is None else 404)
    pushed = serve("PUT", f"/v2/{repository}/manifests/{tag}", b"{}", Content_Type=MANIFEST)
    assert pushed.status == 400
    assert pushed.code() == {True: "MANIFEST_INVALID", False: "TAG_INVALID", None: "NAME_INVALID"}[good]


@pytest.mark.parametrize("digest", [
    "sha256:baddigeststring", "sha256:" + "0" * 63, "sha256:" + "A" * 64, "sha256:" + "0" * 65, "sha512:" + "0" * 64,
    "md5:" + "0" * 32, "sha256:", ":", "sha256:..", "sha256+x:" + "0" * 64,
])
def test_digests_that_are_none(serve, repository, digest):
    for method, path in [("GET", "manifests"), ("PUT", "manifests"), ("DELETE", "manifests"), ("GET", "blobs"),
                         ("DELETE", "blobs"), ("GET", "referrers")]:
        answer = serve(method, f"/v2/{repository}/{path}/{digest}", b"{}" if method == "PUT" else None)
        assert answer.status == 400 and answer.code() == "DIGEST_INVALID", (method, path, answer)
    session = serve.upload(repository)
    for answer in (serve("PUT", f"{session}?digest={digest}", b"x"),
                   serve("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", b"x"),
                   serve("POST", f"/v2/{repository}/blobs/uploads/?mount={digest}&from=a")):
        assert answer.status == 400 and answer.code() == "DIGEST_INVALID", answer


# ---- pull ----

def test_pull_of_blobs(serve, repository):
    data = os.urandom(5000)
    blob = serve.blob(repository, data)
    for method in ("GET", "HEAD"):
        answer = serve(method, f"/v2/{repository}/blobs/{blob['digest']}")
        assert answer.status == 200 and answer.headers["Content-Length"] == "5000"
        assert answer.headers["Docker-Content-Digest"] == blob["digest"]
        assert answer.body == (data if method == "GET" else b"")
    # Escaped, as some clients write it.
    assert serve("GET", f"/v2/{repository}/blobs/{blob['digest'].replace(':', '%3A')}").body == data
    answer = serve("GET", f"/v2/{repository}/blobs/{MISSING}")
    assert answer.status == 404 and answer.code() == "BLOB_UNKNOWN"
    answer = serve("HEAD", f"/v2/{repository}/blobs/{MISSING}")
    assert answer.status == 404 and answer.body == b""


@pytest.mark.parametrize("asked, first, last", [
    ("bytes=500-1499", 500, 1499), ("bytes=500-", 500, 2999), ("bytes=-500", 2500, 2999), ("bytes=2000-5000", 2000, 2999),
    ("bytes=0-0", 0, 0), ("bytes=2999-2999", 2999, 2999), ("bytes=-5000", 0, 2999), ("BYTES=1-2", 1, 2),
    ("bytes=500-0", None, None), ("bytes=5000-10000", None, None), ("bytes=3000-", None, None), ("bytes=-0", None, None),
    ("bytes=0-1,3-4", 0, -1), ("lines=1-2", 0, -1), ("bytes=x", 0, -1), ("bytes=1x-2", 0, -1),
    ("bytes=99999999999999999999-", None, None), ("bytes=0-99999999999999999999", 0, 2999),
])
def test_ranges(serve, asked, first, last):
    data = bytes(i * i % 251 for i in range(3000))
    blob = serve.blob("spec/ranges", data)
    answer = serve("GET", f"/v2/spec/ranges/blobs/{blob['digest']}", Range=asked)
    if first is None:
        assert answer.status == 416 and answer.headers["Content-Range"] == "bytes */3000"
    elif last < 0:
        assert answer.status == 200 and answer.body == data, "a header that is not understood is ignored"
    else:
        assert answer.status == 206 and answer.body == data[first:last + 1]
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/3000"
        assert answer.headers["Content-Length"] == str(last + 1 - first)


def test_a_range_is_of_get_alone(serve, repository):
    """RFC 9110 sections 14.2 and 13.1.5."""
    blob = serve.blob(repository, b"0123456789")
    path = f"/v2/{repository}/blobs/{blob['digest']}"
    for asked in ("bytes=2-3", "bytes=20-30"):
        answer = serve("HEAD", path, Range=asked)
        assert answer.status == 200 and answer.headers["Content-Length"] == "10" and not answer.headers["Content-Range"]
    etag = serve("HEAD", path).headers["ETag"]
    for validator, expected in ((etag, 206), ('"another"', 200), (f"W/{etag}", 200), ("Sat, 29 Oct 1994 19:43:31 GMT", 200)):
        answer = serve("GET", path, Range="bytes=2-3", If_Range=validator)
        assert answer.status == expected and answer.body == (b"23" if expected == 206 else b"0123456789"), validator


def test_pull_of_manifests(serve, repository):
    pushed = serve.image(repository, "1.0", annotations={"b": "1", "a": "ä"})
    for reference in ("1.0", pushed["digest"]):
        got = serve("GET", f"/v2/{repository}/manifests/{reference}", Accept=f"{MANIFEST}, {INDEX}")
        assert got.status == 200 and got.headers["Content-Type"] == MANIFEST
        assert digest_of(got.body) == pushed["digest"] == got.headers["Docker-Content-Digest"], "the exact bytes"
        head = serve("HEAD", f"/v2/{repository}/manifests/{reference}")
        assert head.status == 200 and head.body == b"" and head.headers["Content-Length"] == str(len(got.body))
        assert head.headers["Content-Type"] == MANIFEST
    for reference in (MISSING, "2.0", ".INVALID_MANIFEST_NAME"):
        answer = serve("GET", f"/v2/{repository}/manifests/{reference}")
        assert answer.status == 404 and answer.code() == "MANIFEST_UNKNOWN"
        assert serve("HEAD", f"/v2/{repository}/manifests/{reference}").status == 404


# ---- push ----

def is_there(serve, repository, answer, data, digest):
    assert answer.status == 201, answer
    assert answer.headers["Docker-Content-Digest"] == digest
    location = answer.headers["Location"]
    assert serve("GET", location).body == data and serve("GET", f"/v2/{repository}/blobs/{digest}").body == data


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
class TestPush:
    def test_post_and_put(self, serve, repository, algorithm):
        data = os.urandom(3000)
        begun = serve("POST", f"/v2/{repository}/blobs/uploads/")
        assert begun.status == 202 and begun.headers["Docker-Upload-UUID"]
        digest = digest_of(data, algorithm)
        is_there(serve, repository, serve("PUT", f"{begun.headers['Location']}?digest={digest}", data), data, digest)
        assert serve("GET", begun.headers["Location"]).status == 404, "the session is over"

    def test_one_post(self, serve, repository, algorithm):
        data = os.urandom(3000)
        digest = digest_of(data, algorithm)
        is_there(serve, repository, serve("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", data), data, digest)

    def test_stream(self, serve, repository, algorithm):
        data = os.urandom(300000)
        session = serve.upload(repository)
        answer = serve("PATCH", session, iter([data[:100000], data[100000:]]), Transfer_Encoding="chunked")
        assert answer.status == 202 and answer.headers["Range"] == "0-299999"
        digest = digest_of(data, algorithm)
        is_there(serve, repository, serve("PUT", f"{answer.headers['Location']}?digest={digest}"), data, digest)

    @pytest.mark.parametrize("last_in_put", [False, True])
    def test_chunks(self, serve, repository, algorithm, last_in_put):
        data = os.urandom(1000)
        digest = digest_of(data, algorithm)
        session = serve("POST", f"/v2/{repository}/blobs/uploads/?digest-algorithm={algorithm}").headers["Location"]
        for first, last in ((0, 399), (400, 799)):
            answer = serve("PATCH", session, data[first:last + 1], Content_Range=f"{first}-{last}")
            assert answer.status == 202 and answer.headers["Range"] == f"0-{last}"
            session = answer.headers["Location"]
            status = serve("GET", session)
            assert status.status == 204 and status.headers["Range"] == f"0-{last}" and status.headers["Location"]
        if not last_in_put:
            assert serve("PATCH", session, data[800:], Content_Range="800-999").status == 202
            answer = serve("PUT", f"{session}?digest={digest}")
        else:
            answer = serve("PUT", f"{session}?digest={digest}", data[800:], Content_Range="800-999")
        is_there(serve, repository, answer, data, digest)

    def test_wrong_bytes(self, serve, repository, algorithm):
        digest = digest_of(b"right", algorithm)
        session, other = serve.upload(repository), serve.upload(repository)
        serve("PATCH", other, b"wrong")
        for answer in (serve("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", b"wrong"),
                       serve("PUT", f"{session}?digest={digest}", b"wrong"), serve("PUT", f"{other}?digest={digest}")):
            assert answer.status == 400 and answer.code() == "DIGEST_INVALID"
        assert serve("HEAD", f"/v2/{repository}/blobs/{digest}").status == 404

    def test_manifests(self, serve, repository, algorithm):
        blob = {**serve.blob(repository, b"{}", algorithm), "mediaType": EMPTY}
        document = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x", "config": blob,
                               "layers": [blob]}).encode()
        digest = digest_of(document, algorithm)
        pushed = serve("PUT", f"/v2/{repository}/manifests/{digest}", document, Content_Type=MANIFEST)
        assert pushed.status == 201 and pushed.headers["Docker-Content-Digest"] == digest
        assert serve("GET", pushed.headers["Location"]).body == document
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": MANIFEST, "digest": digest, "size": len(document)}]}).encode()
        top = digest_of(index, algorithm)
        assert serve("PUT", f"/v2/{repository}/manifests/{top}?tag=by-{algorithm}&tag=two", index,
                     Content_Type=INDEX).headers.get_all("OCI-Tag") == [f"by-{algorithm}", "two"]
        assert serve("HEAD", f"/v2/{repository}/manifests/by-{algorithm}").headers["Docker-Content-Digest"] == top


def test_chunks_out_of_order(serve, repository):
    data = os.urandom(1000)
    session = serve.upload(repository)
    for first, last, here in ((400, 799, 0), (1, 2, 0)):
        answer = serve("PATCH", session, data[first:last + 1], Content_Range=f"{first}-{last}")
        assert answer.status == 416 and answer.headers["Range"] == "0-0" and answer.headers["Location"] == session
    assert serve("PATCH", session, data[:400], Content_Range="0-399").status == 202
    for first, last in ((0, 399), (399, 500), (401, 500), (800, 999)):
        answer = serve("PATCH", session, data[first:last + 1], Content_Range=f"{first}-{last}")
        assert answer.status == 416 and answer.headers["Range"] == "0-399"
    digest = digest_of(data)
    answer = serve("PUT", f"{session}?digest={digest}", data[:400], Content_Range="0-399")
    assert answer.status == 416 and answer.headers["Range"] == "0-399"
    is_there(serve, repository, serve("PUT", f"{session}?digest={digest}", data[400:], Content_Range="400-999"), data, digest)


def test_chunks_of_another_length_than_they_say(serve, repository):
    session = serve.upload(repository)
    serve("PATCH", session, b"0123")
    for body, said in ((b"4567", "4-6"), (b"4567", "4-9"), (b"4567", "5-4"), (b"4567", "4"), (b"4567", "-7"), (b"4567", "x-y")):
        answer = serve("PATCH", session, body, Content_Range=said)
        assert answer.status == 400 or (said == "5-4" and answer.status == 416), (said, answer)
    for body, said in ((b"4567", "4-6"), (b"4567", "4-9")):
        answer = serve("PATCH", session, iter([body]), Transfer_Encoding="chunked", Content_Range=said)
        assert answer.status == 400 and answer.code() == "SIZE_INVALID"
        assert serve("GET", session).headers["Range"] == "0-3", "as if it had not come"
    assert serve("PATCH", session, b"4567", Content_Range="bytes 4-7/*").status == 202, "the form of RFC 9110"
    assert serve("PUT", f"{session}?digest={digest_of(b'01234567')}").status == 201


def test_an_upload_is_cancelled(serve, repository):
    session = serve.upload(repository)
    serve("PATCH", session, b"x")
    assert serve("DELETE", session).status == 204
    for method in ("GET", "PATCH", "DELETE"):
        answer = serve(method, session, b"y" if method == "PATCH" else None)
        assert answer.status == 404 and answer.code() == "BLOB_UPLOAD_UNKNOWN"
    assert serve("PUT", f"{session}?digest={digest_of(b'x')}").status == 404


def test_an_upload_belongs_to_its_repository(serve, repository):
    session = serve.upload(repository)
    elsewhere = session.replace(repository, repository + "other")
    assert serve("GET", elsewhere).status == 404
    assert serve("PUT", f"{elsewhere}?digest={digest_of(b'x')}", b"x").status == 404
    for guess in ("0" * 32, session[-32:-1] + "x", "..", "short"):
        assert serve("GET", f"/v2/{repository}/blobs/uploads/{guess}").status == 404


def test_a_put_without_digest(serve, repository):
    answer = serve("PUT", serve.upload(repository), b"x")
    assert answer.status == 400 and answer.code() == "DIGEST_INVALID"


def test_empty_blobs(serve, repository):
    for algorithm in ("sha256", "sha512"):
        digest = digest_of(b"", algorithm)
        is_there(serve, repository, serve("PUT", f"{serve.upload(repository)}?digest={digest}"), b"", digest)
        head = serve("HEAD", f"/v2/{repository}/blobs/{digest}")
        assert head.status == 200 and head.headers["Content-Length"] == "0"


def test_mounts(serve, repository):
    data = os.urandom(100)
    blob = serve.blob(repository + "/from", data)
    # A blob shows where it was pushed, and nowhere else.
    assert serve("HEAD", f"/v2/{repository}/to/blobs/{blob['digest']}").status == 404
    mounted = serve("POST", f"/v2/{repository}/to/blobs/uploads/?mount={blob['digest']}&from={repository}/from")
    is_there(serve, f"{repository}/to", mounted, data, blob["digest"])
    # Without from: whatever repository has it.
    mounted = serve("POST", f"/v2/{repository}/third/blobs/uploads/?mount={blob['digest']}")
    is_there(serve, f"{repository}/third", mounted, data, blob["digest"])
    # What is not there, or not in that repository, becomes an ordinary upload.
    for query in (f"mount={MISSING}&from={repository}/from", f"mount={MISSING}", f"mount={blob['digest']}&from={repository}/none",
                  f"mount={blob['digest']}&from=../{repository}/from", f"mount={blob['digest']}&from=NONE"):
        answer = serve("POST", f"/v2/{repository}/fourth/blobs/uploads/?{query}")
        assert answer.status == 202 and answer.headers["Location"], query
    answer = serve("PUT", f"{answer.headers['Location']}?digest={blob['digest']}", data)
    is_there(serve, f"{repository}/fourth", answer, data, blob["digest"])


def test_manifests_that_name_what_is_missing(serve, repository):
    blob = serve.blob(repository, b"here")
    elsewhere = serve.blob(repository + "other", b"elsewhere")
    image = serve.image(repository, "image")
    config = {**blob, "mediaType": CONFIG}
    missing = {**blob, "digest": MISSING}
    for document, kind in [
            ({"config": {**config, "digest": MISSING}, "layers": []}, MANIFEST),
            ({"config": config, "layers": [blob, missing]}, MANIFEST),
            ({"config": config, "layers": [elsewhere]}, MANIFEST),
            ({"manifests": [image, {**image, "digest": MISSING}]}, INDEX),
            ({"manifests": [{**image, "digest": blob["digest"], "size": 4}]}, INDEX)]:
        answer, digest = serve.put(repository, "broken", {"schemaVersion": 2, "mediaType": kind, **document}, kind)
        assert answer.status == 404 and answer.code() == "MANIFEST_BLOB_UNKNOWN", document
        assert serve("GET", f"/v2/{repository}/manifests/{digest}").status == 404
    assert serve("GET", f"/v2/{repository}/manifests/broken").status == 404
    answer, _ = serve.put(repository, "broken", {"schemaVersion": 2, "mediaType": MANIFEST, "config": config,
                                           "layers": [{**blob, "size": 5}]})
    assert answer.status == 400 and answer.code() == "SIZE_INVALID"


def test_documents_that_are_no_manifests(serve, repository):
    config = {**serve.blob(repository, b"c"), "mediaType": CONFIG}
    good = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}
    for document, kind in [
            (b"", MANIFEST), (b"no JSON", MANIFEST), (b"[]", MANIFEST), (b"{}", MANIFEST), (b"{}", INDEX),
            (json.dumps(good).encode() + b"trailing", MANIFEST), (b'{"schemaVersion":2,"schemaVersion":2}', MANIFEST),
            (good, INDEX), ({**good, "manifests": []}, MANIFEST), ({**good, "schemaVersion": 1}, MANIFEST),
            ({**good, "mediaType": "text/plain"}, "text/plain"), ({**good, "config": {**config, "digest": "x"}}, MANIFEST),
            ({**good, "config": {**config, "size": -1}}, MANIFEST), ({**good, "subject": {"digest": "x"}}, MANIFEST),
            (b"[" * 100000, MANIFEST)]:
        answer, _ = serve.put(repository, "x", document, kind)
        assert answer.status == 400 and answer.code() == "MANIFEST_INVALID", (document, answer)
    assert serve.put(repository, "x", good)[0].status == 201
    assert serve("PUT", f"/v2/{repository}/manifests/y", json.dumps(good).encode()).status == 201, "mediaType says enough"


def test_a_manifest_by_another_digest(serve, repository):
    config = {**serve.blob(repository, b"c"), "mediaType": CONFIG}
    document = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}).encode()
    answer = serve("PUT", f"/v2/{repository}/manifests/{digest_of(document)}", document + b" ", Content_Type=MANIFEST)
    assert answer.status == 400 and answer.code() == "DIGEST_INVALID"
    assert serve("PUT", f"/v2/{repository}/manifests/{digest_of(document)}", document, Content_Type=MANIFEST).status == 201


def test_size_of_manifests(serve, repository):
    config = {**serve.blob(repository, b"c"), "mediaType": CONFIG}

    def document(size):
        text = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [], "annotations": {"a": ""}}
        text["annotations"]["a"] = "A" * (size - len(json.dumps(text)))
        return json.dumps(text).encode()

    limit = 4 << 20
    answer, digest = serve.put(repository, "largest", document(limit))
    assert answer.status == 201
    assert digest_of(serve("GET", f"/v2/{repository}/manifests/largest").body) == digest
    assert serve.put(repository, "larger", document(limit + 1))[0].status == 413
    answer = serve("PUT", f"/v2/{repository}/manifests/larger", iter([document(limit + 1)]), Content_Type=MANIFEST,
                   Transfer_Encoding="chunked")
    assert answer.status == 413 and answer.code() == "SIZE_INVALID"


def test_kinds_of_manifests(serve, repository):
    """Indexes of indexes, empty ones, artifacts, layers that nobody pushes, fields that nobody knows."""
    config, layer = {**serve.blob(repository, b"{}"), "mediaType": CONFIG}, serve.blob(repository, b"l")
    image = serve.image(repository, "image")
    foreign = {"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "digest": MISSING, "size": 123456,
               "urls": ["https://store.example.com/x"]}
    level = image
    for depth in range(6):
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [level]}
        answer, digest = serve.put(repository, f"nested{depth}", document, INDEX)
        assert answer.status == 201
        level = {"mediaType": INDEX, "digest": digest, "size": len(json.dumps(document))}
    for tag, kind, document in [
            ("empty", INDEX, {"manifests": []}), ("none", MANIFEST, {"config": config, "layers": []}),
            ("artifact", MANIFEST, {"artifactType": "application/x", "config": {**config, "mediaType": EMPTY},
                                    "layers": [{**layer, "mediaType": "text/plain"}]}),
            ("chart", MANIFEST, {"config": {**config, "mediaType": "application/vnd.cncf.helm.config.v1+json"}, "layers": [layer]}),
            ("foreign", MANIFEST, {"config": config, "layers": [foreign, layer]}),
            ("data", MANIFEST, {"config": {**config, "data": "e30="}, "layers": [layer]}),
            ("custom", INDEX, {"manifests": [image], "org.example": {"x": [1, None, 1.5]}}),
            ("docker", "application/vnd.docker.distribution.manifest.v2+json",
             {"config": {**config, "mediaType": "application/vnd.docker.container.image.v1+json"},
              "layers": [{**layer, "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"}]}),
            ("list", "application/vnd.docker.distribution.manifest.list.v2+json",
             {"manifests": [{**image, "platform": {"os": "linux", "architecture": "amd64"}}]})]:
        answer, digest = serve.put(repository, tag, {"schemaVersion": 2, "mediaType": kind, **document}, kind)
        assert answer.status == 201, (tag, answer)
        got = serve("GET", f"/v2/{repository}/manifests/{tag}")
        assert got.headers["Content-Type"] == kind and digest_of(got.body) == digest


def test_a_tag_moves_and_may_be_guarded(serve, repository):
    first, second = serve.image(repository, "t", "1"), serve.image(repository, "other", "2")
    body = serve("GET", f"/v2/{repository}/manifests/other").body

    def put(**headers):
        return serve("PUT", f"/v2/{repository}/manifests/t", body, Content_Type=MANIFEST, **headers)

    etag = serve("HEAD", f"/v2/{repository}/manifests/t").headers["ETag"]
    assert put(If_Match='"sha256:0"').status == 412
    assert put(If_None_Match="*").status == 412
    assert serve("HEAD", f"/v2/{repository}/manifests/t").headers["Docker-Content-Digest"] == first["digest"]
    assert put(If_Match=etag).status == 201
    assert serve("HEAD", f"/v2/{repository}/manifests/t").headers["Docker-Content-Digest"] == second["digest"]
    assert serve("HEAD", f"/v2/{repository}/manifests/{first['digest']}").status == 200, "it stays without the tag"

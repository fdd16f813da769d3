"""registry serve against the text of the OCI distribution specification 1.1: content discovery, content management,
referrers; and Docker's catalog."""
import json
import os

import pytest

from helpers.serve import EMPTY, INDEX, MANIFEST, digest_of
MISSING = digest_of(b"what nobody pushed")


# ---- content discovery ----

def test_lists_of_tags(serve, repository):
    pushed = serve.image(repository, "base")
    body = serve("GET", f"/v2/{repository}/manifests/base").body
    tags = ["base", "a", "B", "c", "10", "9", "Z"]
    for tag in tags[1:]:
        serve.put(repository, tag, body)
    in_order = sorted(tags, key=str.lower)
    got = serve("GET", f"/v2/{repository}/tags/list")
    assert got.status == 200 and got.json() == {"name": repository, "tags": in_order} and not got.headers["Link"]
    assert pushed["digest"] == digest_of(body)
    pages, path = [], f"/v2/{repository}/tags/list?n=3"
    while path:
        got = serve("GET", path)
        pages.append(got.json()["tags"])
        link = got.headers["Link"]
        assert not link or link.endswith('>; rel="next"')
        path = link and link[1:link.index(">")]
    assert [len(p) for p in pages] == [3, 3, 1] and sum(pages, []) == in_order
    assert serve("GET", f"/v2/{repository}/tags/list?last=c").json()["tags"] == ["Z"]
    assert serve("GET", f"/v2/{repository}/tags/list?n=2&last=az").json()["tags"] == ["B", "base"], "last need not be a tag"
    assert serve("GET", f"/v2/{repository}/tags/list?n=0").json()["tags"] == []
    assert serve("GET", f"/v2/{repository}/tags/list?n=7").headers["Link"] is None
    for bad in ("-1", "x", "", "1.5"):
        assert serve("GET", f"/v2/{repository}/tags/list?n={bad}").status == 400
    answer = serve("GET", f"/v2/{repository}none/tags/list")
    assert answer.status == 404 and answer.code() == "NAME_UNKNOWN"


def test_the_catalog(serve):
    for name in ("catalog/a", "catalog/b-c", "catalog"):
        serve.blob(name, b"x")
    names = serve("GET", "/v2/_catalog").json()["repositories"]
    assert {"catalog/a", "catalog/b-c", "catalog"} <= set(names)
    assert serve("GET", "/v2/_catalog?n=1&last=catalog/a").json()["repositories"] == ["catalog/b-c"]


# ---- content management ----

def test_deletion(serve, repository):
    pushed = serve.image(repository, "a")
    body = serve("GET", f"/v2/{repository}/manifests/a").body
    serve.put(repository, "b", body)
    assert serve("DELETE", f"/v2/{repository}/manifests/a").status == 202
    assert serve("HEAD", f"/v2/{repository}/manifests/a").status == 404
    assert serve("HEAD", f"/v2/{repository}/manifests/b").status == 200
    assert serve("HEAD", f"/v2/{repository}/manifests/{pushed['digest']}").status == 200, "a tag alone goes"
    assert serve("DELETE", f"/v2/{repository}/manifests/{pushed['digest']}").status == 202
    assert serve("HEAD", f"/v2/{repository}/manifests/b").status == 404
    assert serve("GET", f"/v2/{repository}/tags/list").json()["tags"] == []
    layer = json.loads(body)["layers"][0]["digest"]
    assert serve("DELETE", f"/v2/{repository}/blobs/{layer}").status == 202
    assert serve("HEAD", f"/v2/{repository}/blobs/{layer}").status == 404
    for path, code in ((f"manifests/{pushed['digest']}", "MANIFEST_UNKNOWN"), ("manifests/a", "MANIFEST_UNKNOWN"),
                       (f"blobs/{layer}", "BLOB_UNKNOWN")):
        answer = serve("DELETE", f"/v2/{repository}/{path}")
        assert answer.status == 404 and answer.code() == code
    assert serve("DELETE", f"/v2/{repository}none/manifests/x").code() == "NAME_UNKNOWN"
    # What was deleted can be pushed again.
    serve.image(repository, "a")


def test_deletion_in_one_repository(serve, repository):
    data = os.urandom(50)
    blob = serve.blob(repository + "/one", data)
    serve("POST", f"/v2/{repository}/two/blobs/uploads/?mount={blob['digest']}&from={repository}/one")
    assert serve("DELETE", f"/v2/{repository}/one/blobs/{blob['digest']}").status == 202
    assert serve("GET", f"/v2/{repository}/two/blobs/{blob['digest']}").body == data


# ---- referrers ----

def refer(serve, repository, subject, kind, **more):
    """An artifact about a subject; its descriptor as the API must give it."""
    empty = {**serve.blob(repository, b"{}"), "mediaType": EMPTY}
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": empty, "layers": [empty], "subject": subject,
                "annotations": {"org.example": kind, **more}}
    if kind:
        document["artifactType"] = kind
    answer, digest = serve.put(repository, digest_of(json.dumps(document).encode()), document)
    assert answer.status == 201 and answer.headers["OCI-Subject"] == subject["digest"]
    return {"mediaType": MANIFEST, "digest": digest, "size": len(json.dumps(document)), "artifactType": kind or EMPTY,
            "annotations": document["annotations"]}


def by_digest(descriptors):
    return sorted(descriptors, key=lambda d: d["digest"])


def test_referrers(serve, repository):
    subject = serve.image(repository, "image")
    path = f"/v2/{repository}/referrers/{subject['digest']}"
    empty = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    assert serve("GET", path).json() == empty
    first, second = refer(serve, repository, subject, "application/one"), refer(serve, repository, subject, "application/two", x="ä")
    third = refer(serve, repository, subject, "")
    document = {"schemaVersion": 2, "mediaType": INDEX, "artifactType": "application/one", "manifests": [],
                "subject": subject}
    answer, digest = serve.put(repository, "index", document, INDEX)
    assert answer.status == 201 and answer.headers["OCI-Subject"] == subject["digest"]
    index = {"mediaType": INDEX, "digest": digest, "size": len(json.dumps(document)), "artifactType": "application/one"}
    got = serve("GET", path)
    assert got.status == 200 and got.headers["Content-Type"] == INDEX and not got.headers["OCI-Filters-Applied"]
    assert by_digest(got.json()["manifests"]) == by_digest([first, second, third, index])
    got = serve("GET", f"{path}?artifactType=application%2Fone")
    assert got.headers["OCI-Filters-Applied"] == "artifactType"
    assert by_digest(got.json()["manifests"]) == by_digest([first, index])
    assert serve("GET", f"{path}?artifactType=none").json() == empty
    for gone in (first, index):
        assert serve("DELETE", f"/v2/{repository}/manifests/{gone['digest']}").status == 202
    assert by_digest(serve("GET", path).json()["manifests"]) == by_digest([second, third])
    # They outlive their subject.
    serve("DELETE", f"/v2/{repository}/manifests/{subject['digest']}")
    assert len(serve("GET", path).json()["manifests"]) == 2


def test_referrers_of_what_is_not_there(serve, repository):
    answer = serve("GET", f"/v2/{repository}/referrers/{MISSING}")
    assert answer.status == 200 and answer.json()["manifests"] == [], "also in a repository that is not there"
    one = refer(serve, repository, {"mediaType": MANIFEST, "digest": MISSING, "size": 123}, "application/x")
    assert serve("GET", f"/v2/{repository}/referrers/{MISSING}").json()["manifests"] == [one]
    assert serve("GET", f"/v2/{repository}other/referrers/{MISSING}").json()["manifests"] == []


def test_many_referrers_come_in_pages(serve, repository):
    """A client reads at most 4 MiB."""
    subject = serve.image(repository, "image")
    pushed = [refer(serve, repository, subject, "application/x", large="A" * 1500000, n=str(i)) for i in range(4)]
    path, got = f"/v2/{repository}/referrers/{subject['digest']}?artifactType=application/x", []
    while path:
        answer = serve("GET", path)
        assert len(answer.body) <= 4 << 20
        got += answer.json()["manifests"]
        link = answer.headers["Link"]
        path = link and link[1:link.index(">")]
    assert by_digest(got) == by_digest(pushed)

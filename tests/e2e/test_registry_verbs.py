"""copy, tags and delete against docker-registry, and what only a registry that pages or refuses can show."""
import json
import pathlib
import sys

import pytest

from helpers.images import Layout, entry, make_tar, skopeo
from helpers.registry import Registry

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fakes"))
from fault_registry import FaultRegistry  # noqa: E402

INDEX = {"Accept": "application/vnd.oci.image.index.v1+json"}


@pytest.fixture
def multi(registry, folder):
    """An index of two platforms and an attestation, put there by skopeo; its digest."""
    layout = Layout(folder / "multi")
    children = []
    for arch in ("amd64", "arm64"):
        child = layout.image(arch, [make_tar([entry("arch", data=arch)])], arch=arch)
        children.append({**child, "platform": {"os": "linux", "architecture": arch}})
    attestation = layout.image("proof", [make_tar([entry("proof", data="x")])])
    children.append({**attestation, "platform": {"os": "unknown", "architecture": "unknown"}})
    media_type = "application/vnd.oci.image.index.v1+json"
    layout.name("all", layout.blob(media_type, json.dumps({"schemaVersion": 2, "mediaType": media_type,
                                                           "manifests": children}).encode()))
    skopeo("copy", "--all", "--dest-creds", f"{registry.user}:{registry.password}", f"--dest-cert-dir={registry.certs}",
           f"oci:{folder}/multi:all", f"docker://{registry.host}/verbs/multi:1")
    return registry.request("/v2/verbs/multi/manifests/1", "HEAD", INDEX)[1]["Docker-Content-Digest"]


def digest_at(registry, repository, reference):
    status, headers, _ = registry.request(f"/v2/{repository}/manifests/{reference}", "HEAD", INDEX)
    return headers["Docker-Content-Digest"] if status == 200 else status


def test_copy_within_a_registry_mounts(login, registry, multi):
    since = registry.mark()
    login("copy", f"{registry.host}/verbs/multi:1", f"{registry.host}/verbs/other:2").ok()
    assert digest_at(registry, "verbs/other", 2) == multi
    assert not registry.uploads(since)
    got = [path for method, path, _ in registry.requests(since) if method == "GET" and "/blobs/" in path]
    assert not got, "blobs were downloaded"
    login("copy", f"{registry.host}/verbs/multi@{multi}", f"{registry.host}/verbs/other:3").ok()
    assert digest_at(registry, "verbs/other", 3) == multi


def test_copy_to_another_registry(login, registry, multi, folder):
    other = Registry(folder / "second", tls=False, login=False)
    try:
        result = login("copy", "-q", f"{registry.host}/verbs/multi:1", f"{other.host}/a/b:c").ok()
        assert result.out.strip() == multi
        assert digest_at(other, "a/b", "c") == multi
        document = json.loads(other.request("/v2/a/b/manifests/c", headers=INDEX)[2])
        assert len(document["manifests"]) == 3
        for child in document["manifests"]:
            manifest = json.loads(other.request(f"/v2/a/b/manifests/{child['digest']}",
                                                headers={"Accept": child["mediaType"]})[2])
            for blob in [manifest["config"], *manifest["layers"]]:
                assert other.request(f"/v2/a/b/blobs/{blob['digest']}", "HEAD")[0] == 200
        since = other.mark()
        login("copy", f"{registry.host}/verbs/multi:1", f"{other.host}/a/b:c").ok()
        assert not other.uploads(since)
    finally:
        other.stop()


def test_inspect_remote(login, registry, multi):
    """What the registry has, without a layer and without a name in the store."""
    name = f"{registry.host}/verbs/multi:1"
    since = registry.mark()
    found = json.loads(login("inspect", "--remote", "--platform", "linux/arm64", name).ok().out)[0]
    theirs = json.loads(skopeo("inspect", "--override-arch=arm64", "--creds", f"{registry.user}:{registry.password}",
                               f"--cert-dir={registry.certs}", f"docker://{name}"))
    assert (found["Digest"], found["RepoTags"], found["Architecture"], found["Os"]) == (multi, [name], "arm64", "linux")
    manifest = json.loads(registry.request(f"/v2/verbs/multi/manifests/{found['Descriptor']['digest']}",
                                           headers={"Accept": found["Descriptor"]["mediaType"]})[2])
    assert theirs["Architecture"] == "arm64" and sum(layer["size"] for layer in manifest["layers"]) == found["Size"]
    assert len(found["Manifests"]) == 3 and len(found["RootFS"]["Layers"]) == 1
    layer = theirs["Layers"][0]
    assert not [path for method, path, _ in registry.requests(since) if layer in path]
    assert not (login.root / "blobs/sha256" / layer[7:]).exists()
    login("inspect", name).fails(name)
    login("inspect", "--remote", f"{registry.host}/verbs/multi:none").fails("verbs/multi", "404")
    login("inspect", "--remote", "--platform", "linux/s390x", name).fails("no image for platform linux/s390x")


def test_copy_of_what_is_not_there(login, registry):
    login("copy", f"{registry.host}/verbs/nothing:1", f"{registry.host}/verbs/other:1").fails("verbs/nothing", "404")
    login("copy", f"{registry.host}/verbs/nothing:1").fails("copy", code=2)


def test_tags_and_delete(login, registry, multi):
    for tag in ("a", "b"):
        login("copy", "-q", f"{registry.host}/verbs/multi:1", f"{registry.host}/verbs/tags:{tag}").ok()
    assert sorted(login("tags", f"{registry.host}/verbs/tags").ok().out.split()) == ["a", "b"]
    login("tags", f"{registry.host}/verbs/none").fails("verbs/none", "NAME_UNKNOWN")
    # docker-registry 2.8 cannot delete tags: nothing else may be deleted in their stead
    login("delete", f"{registry.host}/verbs/tags:a").fails("tags", "by digest")
    assert sorted(login("tags", f"{registry.host}/verbs/tags").ok().out.split()) == ["a", "b"]
    login("delete", f"{registry.host}/verbs/tags@{multi}").ok()
    assert digest_at(registry, "verbs/tags", "a") == 404
    login("delete", f"{registry.host}/verbs/tags@{multi}").fails("404")
    login("delete", f"{registry.host}/verbs/tags").fails("which tag", code=2)


@pytest.fixture
def fault():
    with FaultRegistry() as running:
        yield running


def page(fault, tags, link=None, **match):
    headers = {"Content-Type": "application/json"}
    if link:
        headers["Link"] = link
    fault.rule(method="GET", status=200, headers=headers, body=json.dumps({"name": "a", "tags": tags}), **match)


def test_tags_come_in_pages(slipway, fault):
    page(fault, ["a", "b"], '</v2/team/app/tags/list?last=b&n=2>; rel="next"', path="/tags/list")
    page(fault, ["c"], f'<http://{fault.host}/v2/team/app/tags/list?last=c>; rel="next"', path="last=b")
    page(fault, None, path="last=c")
    assert slipway("tags", f"{fault.host}/team/app").ok().out.split() == ["a", "b", "c"]


@pytest.mark.parametrize("link, words", [
    ('<http://127.0.0.2:1/v2/team/app/tags/list>; rel="next"', ["another server"]),
    ('<https://example.com/v2/team/app/tags/list>; rel="next"', ["another server"]),
])
def test_pages_elsewhere_are_not_asked(slipway, fault, link, words):
    page(fault, ["a"], link, path="/tags/list")
    slipway("tags", f"{fault.host}/team/app").fails(*words)


@pytest.mark.parametrize("tags", [[], ["t"], ["s", "t"]])
def test_pages_in_a_circle_end(slipway, fault, tags):
    fault.rule(method="GET", path="/tags/list", times=-1, status=200, body=json.dumps({"tags": tags}),
               headers={"Link": '</v2/team/app/tags/list?n=1>; rel="next"'})
    slipway("tags", f"{fault.host}/team/app").fails("without a new tag")


def test_names_that_are_no_tags(slipway, fault):
    """They could steer a terminal, or pass for several lines."""
    page(fault, ["a", "b\u001b[31m", "c\nd", "e" * 129, "", ".f", "g"], path="/tags/list")
    result = slipway("tags", f"{fault.host}/team/app").ok()
    assert result.out == "a\ng\n" and "5 names that are no tags" in result.err


def test_nothing_is_deleted_when_a_name_is_none(slipway, fault):
    slipway("delete", f"{fault.host}/team/app:old", f"{fault.host}/team/app:.").fails("tag is not valid", code=2)
    assert not [e for e in fault.log if e["method"] == "DELETE"]


def test_a_registry_that_deletes_tags(slipway, fault):
    fault.rule(method="DELETE", path="/manifests/old$", status=202)
    slipway("delete", f"{fault.host}/team/app:old").ok()
    assert [e["path"] for e in fault.log if e["method"] == "DELETE"] == ["/v2/team/app/manifests/old"]

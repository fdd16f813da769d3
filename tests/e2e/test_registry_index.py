"""Indexes out of images that different machines push, also at the same time; what refers to other manifests."""
import json
import pathlib
import sys

import pytest

from helpers.images import Layout, entry, make_tar, read_layout, skopeo
from helpers.registry import Registry

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fakes"))
from fault_registry import FaultRegistry, digest_of  # noqa: E402

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PLATFORMS = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/386", "linux/ppc64le", "linux/s390x",
             "linux/riscv64"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    running = Registry(tmp_path_factory.mktemp("plain"), tls=False, login=False)
    yield running
    running.stop()


@pytest.fixture
def fault():
    with FaultRegistry() as running:
        yield running


def build(slipway, context, name, platform, content=""):
    top = context({"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": platform + content})
    slipway.build(top, "-q", "-t", name, "--platform", platform).ok()
    return read_layout(slipway.root, name, platform).descriptor["digest"]


def index_at(registry, repository, tag):
    status, _, body = registry.request(f"/v2/{repository}/manifests/{tag}", headers={"Accept": INDEX})
    assert status == 200, body
    document = json.loads(body)
    assert document["mediaType"] == INDEX
    return document


def platforms_of(document):
    return {"/".join(filter(None, (p["os"], p["architecture"], p.get("variant")))): d["digest"]
            for d in document["manifests"] for p in [d["platform"]]}


def test_create_and_add(slipway, context, plain, folder):
    name = f"{plain.host}/index/app"
    digests = {p: build(slipway, context, f"{name}:local-{p.split('/')[1]}", p) for p in PLATFORMS[:3]}
    said = slipway("index", "create", f"{name}:1", f"{name}:local-amd64", f"{name}:local-arm64").ok()
    assert "linux/amd64, linux/arm64" in said.out
    assert platforms_of(index_at(plain, "index/app", 1)) == {p: digests[p] for p in PLATFORMS[:2]}
    # Another machine adds one, and replaces one.
    other = slipway.other()
    changed = build(other, context, f"{name}:local-arm64", "linux/arm64", "changed")
    digests["linux/arm/v7"] = build(other, context, f"{name}:local-arm", "linux/arm/v7")
    result = other("index", "add", "-q", f"{name}:1", f"{name}:local-arm64", f"{name}:local-arm").ok()
    document = index_at(plain, "index/app", 1)
    assert platforms_of(document) == {**digests, "linux/arm64": changed}
    assert result.out.strip() == plain.request("/v2/index/app/manifests/1", "HEAD", {"Accept": INDEX})[1]["Docker-Content-Digest"]
    # A foreign reader takes all of it, and we take our part.
    skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{name}:1", f"oci:{folder}/all:x")
    third = slipway.other()
    third("pull", "--platform", "linux/arm64", f"{name}:1").ok()
    assert read_layout(third.root, f"{name}:1", "linux/arm64").tree().text("/a") == "linux/arm64changed"
    # Nothing to add: nothing is put.
    since = plain.mark()
    other("index", "add", f"{name}:1", f"{name}:local-arm").ok()
    assert not [r for r in plain.requests(since) if r[0] == "PUT"]


def test_images_of_registries_and_indexes(slipway, context, plain, folder):
    """An index of two platforms and an attestation, put there by skopeo in another repository, and one image of ours."""
    layout = Layout(folder / "multi")
    children = []
    for arch in ("amd64", "arm64"):
        child = layout.image(arch, [make_tar([entry("arch", data=arch)])], arch=arch)
        children.append({**child, "platform": {"os": "linux", "architecture": arch}})
    proof = layout.image("proof", [make_tar([entry("proof", data="x")])])
    children.append({**proof, "platform": {"os": "unknown", "architecture": "unknown"},
                     "annotations": {"vnd.docker.reference.digest": children[0]["digest"],
                                     "vnd.docker.reference.type": "attestation-manifest"}})
    layout.name("all", layout.blob(INDEX, json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                                                      "manifests": children}).encode()))
    skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{folder}/multi:all", f"docker://{plain.host}/elsewhere/multi:1")
    name = f"{plain.host}/merged/app:1"
    ours = build(slipway, context, f"{plain.host}/merged/ours:1", "linux/s390x")
    slipway("index", "add", name, f"{plain.host}/elsewhere/multi:1", f"{plain.host}/merged/ours:1").ok()
    document = index_at(plain, "merged/app", 1)
    assert {d["digest"] for d in document["manifests"]} == {c["digest"] for c in children} | {ours}
    skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{name}", f"oci:{folder}/all:x")
    # A new image of the platform takes the old one's attestation with it.
    replaced = build(slipway, context, f"{plain.host}/merged/ours:2", "linux/amd64")
    slipway("index", "add", name, f"{plain.host}/merged/ours:2").ok()
    document = index_at(plain, "merged/app", 1)
    assert {d["digest"] for d in document["manifests"]} == {replaced, children[1]["digest"], ours}


@pytest.mark.parametrize("verb", ["create", "add"])
def test_a_machine_that_has_none_of_the_images(slipway, context, plain, verb):
    """The collecting job of a pipeline: what two machines pushed, one with slipway and one with skopeo, becomes an index."""
    name = f"{plain.host}/collected/{verb}"
    first, second = slipway.other(), slipway.other()
    digests = {"linux/amd64": build(first, context, f"{name}:a", "linux/amd64"),
               "linux/arm64": build(second, context, f"{name}:b", "linux/arm64")}
    first("push", f"{name}:a").ok()
    skopeo("copy", "--preserve-digests", "--dest-tls-verify=false", f"oci:{second.root}:{name}:b", f"docker://{name}:b")
    slipway("index", verb, f"{name}:1", f"{name}:a", f"{name}:b").ok()
    assert platforms_of(index_at(plain, f"collected/{verb}", 1)) == digests
    slipway("pull", "--platform", "linux/arm64", f"{name}:1").ok()
    assert read_layout(slipway.root, f"{name}:1", "linux/arm64").tree().text("/a") == "linux/arm64"


def test_many_add_at_the_same_time(slipway, context, plain, count):
    """Each machine with its own image, and its own store; none is lost, in any order of requests."""
    machines = [slipway.other() for _ in PLATFORMS]
    since, rounds = plain.mark(), count(3, 30)
    for round_number in range(rounds):
        name = f"{plain.host}/race/app{round_number}"
        digests = {}
        for machine, platform in zip(machines, PLATFORMS):
            digests[platform] = build(machine, context, f"{name}:mine", platform, str(round_number))
        running = [machine.start("index", "add", f"{name}:1", f"{name}:mine") for machine in machines]
        for process in running:
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, (out + err).decode()
        assert platforms_of(index_at(plain, f"race/app{round_number}", 1)) == digests
    puts = [r for r in plain.requests(since) if r[0] == "PUT" and r[1].endswith("/manifests/1")]
    print(f"{len(puts)} puts of {rounds} indexes of {len(PLATFORMS)}")
    assert len(puts) > rounds * len(PLATFORMS), "they do get into each other's way"


@pytest.mark.parametrize("settings", [{"no_tags": True}, {"etags": True}, {"no_tags": True, "etags": True}],
                         ids=lambda s: "+".join(s))
def test_registries_with_and_without(slipway, context, fault, settings):
    """Without the right to list tags, and with a condition for the put that fails once."""
    fault.state.settings.update(settings)
    name = f"{fault.host}/team/app"
    wanted = {}
    for platform in PLATFORMS[:3]:
        machine = slipway.other()
        if settings.get("etags") and wanted:
            fault.rule(method="PUT", path="/manifests/1$", status=412)
        wanted[platform] = build(machine, context, f"{name}:mine", platform)
        machine("index", "add", f"{name}:1", f"{name}:mine").ok()
    assert platforms_of(json.loads(fault.state.manifests["team/app", "1"][1])) == wanted
    conditions = [e["headers"].get("If-Match") for e in fault.log if e["method"] == "PUT" and e["path"].endswith("/manifests/1")]
    assert bool(conditions[-1]) == bool(settings.get("etags"))


def test_what_another_overwrites_is_added_again(slipway, context, fault):
    """Somebody puts an index without ours right after us: it is there again, beside theirs."""
    name = f"{fault.host}/team/app"
    first, second = (slipway.other() for _ in range(2))
    digests = {"linux/amd64": build(first, context, f"{name}:mine", "linux/amd64"),
               "linux/arm64": build(second, context, f"{name}:mine", "linux/arm64")}
    first("index", "add", f"{name}:1", f"{name}:mine").ok()
    alone = fault.state.manifests["team/app", "1"]
    second("index", "add", f"{name}:1", f"{name}:mine").ok()
    fault.state.manifests["team/app", "1"] = alone
    first("index", "add", f"{name}:1", f"{name}:mine").ok()
    assert platforms_of(json.loads(fault.state.manifests["team/app", "1"][1])) == digests


def test_refusals(slipway, context, fault):
    name = f"{fault.host}/team/app"
    build(slipway, context, f"{name}:a", "linux/amd64")
    build(slipway, context, f"{name}:b", "linux/amd64", "b")
    slipway("push", f"{name}:a").ok()
    slipway("index", "add", f"{name}:a", f"{name}:b").fails("is an image, not an index", "index create")
    slipway("index", "create", f"{name}:1", f"{name}:a", f"{name}:b").fails("two of the images are for linux-amd64", code=2)
    assert [tag for _, tag in fault.state.manifests if not tag.startswith("sha256:")] == ["a"], "nothing is put before that"
    slipway("index", "create", f"{name}@sha256:{'0' * 64}", f"{name}:a").fails("under a tag", code=2)
    slipway("index", "add", f"{name}:1", f"{name}:nothing").fails(f"{name}:nothing", "not in the store")
    slipway("index", "make", f"{name}:1", f"{name}:a").fails("create or add", code=2)
    slipway("index", "add", f"{name}:1").fails("at least 3", code=2)
    slipway("index", "add", f"{name}:{'1' * 120}", f"{name}:a").fails("is no tag", code=2)
    slipway("index", "create", f"{name}:a", f"{name}:a").ok()


def test_push_of_an_index_puts_children_first(slipway, context, fault):
    name = f"{fault.host}/team/app:1"
    top = context({"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "a"})
    slipway.build(top, "-t", name, "--platform", "linux/amd64,linux/arm64", "--push").ok()
    puts = [e["path"].rpartition("/")[2] for e in fault.log if e["method"] == "PUT" and "/manifests/" in e["path"]]
    assert len(puts) == 3 and puts[-1] == "1" and all(p.startswith("sha256:") for p in puts[:2])


@pytest.mark.parametrize("listed", [False, True])
def test_what_refers_to_a_subject(slipway, fault, folder, plain, listed):
    """Under the subject's own tag, once, where the registry does not list it itself (OCI distribution-spec 1.1)."""
    fault.state.settings["subjects"] = listed
    layout = Layout(folder / "signed")
    subject = layout.image("app", [make_tar([entry("a", data="a")])])
    empty = layout.blob("application/vnd.oci.empty.v1+json", b"{}")
    signature = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x-test",
                            "config": empty, "layers": [empty], "subject": subject, "annotations": {"k": "v"}}).encode()
    layout.name("signature", layout.blob(MANIFEST, signature))
    skopeo("copy", "--dest-tls-verify=false", f"oci:{folder}/signed:signature", f"docker://{plain.host}/signed/app:{int(listed)}")
    for tag in ("s1", "s2"):
        slipway("copy", f"{plain.host}/signed/app:{int(listed)}", f"{fault.host}/signed/app:{tag}").ok()
    tag = subject["digest"].replace(":", "-")
    assert (("signed/app", tag) in fault.state.manifests) is not listed
    if not listed:
        found = json.loads(fault.state.manifests["signed/app", tag][1])["manifests"]
        assert found == [{"mediaType": MANIFEST, "digest": digest_of(signature), "size": len(signature),
                          "artifactType": "application/x-test", "annotations": {"k": "v"}}]

"""Builds for several platforms: an index of images, what they share, and what other tools read of it."""
import json
import subprocess
import tarfile

import pytest
from oci_layout import architecture

from helpers.images import Layout, blob_path, entry, folder_tree, make_tar, read_index, read_layout, skopeo
from helpers.peers import Docker

ALL = ("linux/amd64", "linux/arm64", "linux/arm/v7")
SEVERAL = ["--platform", ",".join(ALL)]
ARGUMENTS = """
    FROM multi
    ARG TARGETPLATFORM
    ARG TARGETOS
    ARG TARGETARCH
    ARG TARGETVARIANT
    ARG BUILDPLATFORM
    LABEL t=$TARGETPLATFORM os=$TARGETOS arch=$TARGETARCH variant=v-$TARGETVARIANT build=$BUILDPLATFORM
    COPY f /copied-$TARGETARCH
    """


def add_index(layout, ref, platforms):
    """An index of images whose file /arch tells the platform, which is its descriptor's alone."""
    children = []
    for name in platforms:
        os_, arch, *variant = name.split("/")
        tar = make_tar([entry("arch", data=name)])
        child = layout.manifest([layout.layer(tar)], {"Labels": {"base": name}}, arch=arch)
        platform = {"os": os_, "architecture": arch, **({"variant": variant[0]} if variant else {})}
        children.append({**child, "platform": platform})
    index = layout.blob("application/vnd.oci.image.index.v1+json", json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": children}).encode())
    layout.name(ref, index)
    return index


@pytest.fixture
def multi(build, folder):
    """The option for a base "multi" of all platforms, under the builder's options."""
    add_index(Layout(folder / "multi"), "multi", ALL)
    build.options += ["--build-context", f"multi=oci-layout:{folder}/multi"]
    return folder / "multi"


def build_platform():
    return f"linux/{architecture()}"


def build_entry(slipway, name):
    """The digest that a name of the store points at."""
    return next(d["digest"] for d in read_index(slipway.root)["manifests"]
                if d["annotations"]["org.opencontainers.image.ref.name"] == name)


def members(root, name):
    """The index under a name, and {platform: (config, files)} of what it lists."""
    entry_ = next(d for d in read_index(root)["manifests"]
                  if d["annotations"]["org.opencontainers.image.ref.name"] == name)
    index = json.loads(blob_path(root, entry_["digest"]).read_text())
    found = {}
    for child in index["manifests"]:
        p = child["platform"]
        image = read_layout(root, name, f"{p['os']}/{p['architecture']}").verify()
        assert image.descriptor == child
        found["/".join(filter(None, (p["os"], p["architecture"], p.get("variant"))))] = (image.config, image.tree())
    return index, found


def test_an_image_of_each_platform(slipway, build, multi):
    built = build(ARGUMENTS, {"f": "f"}, *SEVERAL)
    index, found = members(slipway.root, "t1:latest")
    assert index["schemaVersion"] == 2 and index["mediaType"] == "application/vnd.oci.image.index.v1+json"
    assert tuple(found) == ALL, "they are in the order asked for"
    for platform, (config, tree) in found.items():
        os_, arch, *variant = platform.split("/")
        assert (config["os"], config["architecture"], config.get("variant")) == (os_, arch, (variant or [None])[0])
        labels = config["config"]["Labels"]
        assert labels.pop("build") == build_platform()
        assert labels == {"base": platform, "t": platform, "os": os_, "arch": arch,
                          "variant": "v-" + "".join(variant)}
        assert tree.text("/arch") == platform and tree.text(f"/copied-{arch}") == "f"
    assert "[linux/arm64 2/2]" in built.result.err
    # The same build is the same index, to the byte.
    build.again(*SEVERAL)
    assert members(slipway.root, "t2:latest")[0] == index


def test_the_option_given_several_times(slipway, build, multi):
    build("FROM multi\n", {}, "--platform", "arm64", "--platform", "linux/arm64/v8,linux/arm", "--platform", "aarch64")
    assert tuple(members(slipway.root, "t1:latest")[1]) == ("linux/arm64", "linux/arm/v7"), "each once, normalised"
    build("FROM multi\n", {}, "--platform", "linux/amd64,linux/amd64")
    assert "manifests" not in json.loads(blob_path(slipway.root, build_entry(slipway, "t2:latest")).read_text())
    build("FROM multi\n", {}, env={"DOCKER_DEFAULT_PLATFORM": "linux/arm/v7"})
    assert read_layout(slipway.root, "t3:latest").config["variant"] == "v7"
    build("FROM multi\n", {}, "--platform", "local", env={"DOCKER_DEFAULT_PLATFORM": "linux/arm/v7"})
    assert f"linux/{read_layout(slipway.root, 't4:latest').config['architecture']}" == build_platform()
    for bad in ("linux/amd64,", "linux/amd64,nosuch", ""):
        slipway.build(build.last, "--platform", bad).fails("--platform", code=2)


def test_an_index_of_one_platform(slipway, build, multi):
    build("FROM multi\n", {}, "--platform", "linux/arm64", "--build-arg", "BUILDKIT_MULTI_PLATFORM=1")
    assert tuple(members(slipway.root, "t1:latest")[1]) == ("linux/arm64",)


SHARED = """
    FROM --platform=$BUILDPLATFORM tiny AS tools
    RUN cat /proc/sys/kernel/random/uuid > /id
    FROM tools AS cross
    ARG TARGETARCH
    RUN cat /proc/sys/kernel/random/uuid > /for-$TARGETARCH
    FROM multi
    COPY --from=cross /id /for-* /
    """


@pytest.mark.parametrize("options", [[], ["--no-cache"]], ids=["cache", "no-cache"])
def test_what_does_not_depend_on_the_target_runs_once(slipway, build, multi, options):
    """The reference: stages FROM --platform=$BUILDPLATFORM are the builder's own."""
    build(SHARED, {}, *SEVERAL, *options)
    found = members(slipway.root, "t1:latest")[1]
    ids = {tree.text("/id") for _, tree in found.values()}
    assert len(ids) == 1, "one process made it for all"
    crossed = {tree.text(f"/for-{config['architecture']}") for config, tree in found.values()}
    assert len(crossed) == len(ALL), "a step that knows its target is made for each"
    build.again(*SEVERAL, "--no-cache")
    assert {t.text("/id") for _, t in members(slipway.root, "t2:latest")[1].values()} != ids


def test_images_to_copy_from_are_the_targets(slipway, build, multi):
    """BuildKit takes --from=IMAGE for the target, whatever the stage runs on."""
    build("""
        FROM --platform=$BUILDPLATFORM tiny AS b
        COPY --from=multi /arch /copied
        RUN --mount=type=bind,from=multi,target=/m cp /m/arch /mounted
        FROM multi
        COPY --from=b /copied /mounted /
        """, {}, *SEVERAL)
    for platform, (_, tree) in members(slipway.root, "t1:latest")[1].items():
        assert tree.text("/copied") == tree.text("/mounted") == platform


def test_the_result_is_of_the_platform_asked_for(slipway, build, multi):
    """BuildKit: a final stage FROM another platform is labelled with the one of the option; without the option with its own."""
    build("FROM --platform=linux/arm64 multi\n", {}, "--platform", "linux/amd64")
    assert read_layout(slipway.root, "t1:latest").config["architecture"] == "amd64"
    build("FROM --platform=linux/arm64 multi\n")
    assert read_layout(slipway.root, "t2:latest").config["architecture"] == "arm64"
    build("FROM --platform=linux/arm64 scratch\nCOPY f /f\n", {"f": ""}, "--platform", "linux/amd64")
    assert read_layout(slipway.root, "t3:latest").config["architecture"] == "amd64"


def test_variants_of_the_base(slipway, build, folder):
    """registry-sandbox.md A1: arm64 is arm64/v8, arm v7 takes v6 and v5, the best first."""
    layout = Layout(folder / "base")
    add_index(layout, "old", ("linux/arm/v5", "linux/arm/v6", "linux/arm64/v8", "linux/amd64/v1"))
    options = ["--build-context", f"old=oci-layout:{folder}/base"]
    build("FROM old\n", {}, "--platform", "linux/arm/v7,linux/arm64,linux/amd64,linux/arm/v5", *options)
    entry_ = build_entry(slipway, "t1:latest")
    index = json.loads(blob_path(slipway.root, entry_).read_text())
    based = []
    for child in index["manifests"]:
        manifest = json.loads(blob_path(slipway.root, child["digest"]).read_text())
        config = json.loads(blob_path(slipway.root, manifest["config"]["digest"]).read_text())
        based.append((child["platform"], config["config"]["Labels"]["base"]))
    assert based == [({"architecture": "arm", "os": "linux", "variant": "v7"}, "linux/arm/v6"),
                     ({"architecture": "arm64", "os": "linux"}, "linux/arm64/v8"),
                     ({"architecture": "amd64", "os": "linux"}, "linux/amd64/v1"),
                     ({"architecture": "arm", "os": "linux", "variant": "v5"}, "linux/arm/v5")]
    build.fails("FROM scratch\nFROM old\n", "Dockerfile:2", "linux/s390x", "linux/arm/v5", "linux/arm64/v8", "linux/amd64",
                options=["--platform", "linux/amd64,linux/s390x", *options])
    build.fails("FROM old\n", "linux/arm/v4", options=["--platform", "linux/arm/v4", *options])


def test_a_failure_names_the_platform(build, multi):
    build.fails("FROM multi\nARG TARGETARCH\nCOPY only-$TARGETARCH /\n", "linux/arm64", "Dockerfile:3",
                files={"only-amd64": "", "only-arm": ""}, options=SEVERAL)


def test_warnings_are_said_once(build, multi):
    said = build("FROM multi\nENV A=$NOSUCH\n", {}, *SEVERAL).result.err
    assert said.count("UndefinedVar") == 1


def test_files_that_tell_the_result(slipway, build, multi, folder):
    build("FROM multi\n", {}, *SEVERAL, "--iidfile", folder / "iid", "--metadata-file", folder / "metadata")
    digest = build_entry(slipway, "t1:latest")
    told = json.loads((folder / "metadata").read_text())
    assert (folder / "iid").read_text() == told["containerimage.digest"] == digest
    assert told["containerimage.descriptor"]["digest"] == digest
    assert told["containerimage.descriptor"]["mediaType"] == "application/vnd.oci.image.index.v1+json"
    assert "containerimage.config.digest" not in told and told["image.name"] == "docker.io/library/t1:latest"
    quiet = slipway.build(build.last, "-q", *SEVERAL, *build.options).ok()
    assert quiet.out == digest + "\n"


def test_outputs(slipway, build, multi, folder):
    build(ARGUMENTS, {"f": "f"}, *SEVERAL, "-o", "type=image", "-o", f"type=oci,dest={folder}/oci.tar",
          "-o", f"type=local,dest={folder}/local", "-o", f"type=tar,dest={folder}/flat.tar")
    digest = build_entry(slipway, "t1:latest")
    raw = skopeo("inspect", "--raw", f"oci-archive:{folder}/oci.tar")
    assert [m["platform"] for m in json.loads(raw)["manifests"]] == [
        {"architecture": "amd64", "os": "linux"}, {"architecture": "arm64", "os": "linux"},
        {"architecture": "arm", "os": "linux", "variant": "v7"}]
    for platform, (_, tree) in members(slipway.root, "t1:latest")[1].items():
        arch, variant = platform.split("/")[1], "".join(platform.split("/")[2:])
        skopeo("--override-arch", arch, "--override-variant", variant, "copy", f"oci-archive:{folder}/oci.tar",
               f"oci:{folder}/read-{arch}:image")
        assert read_layout(folder / f"read-{arch}", "image").tree().text("/arch") == platform
        # buildx: a folder of its own a platform.
        where = platform.replace("/", "_")
        assert set(folder_tree(folder / "local" / where)) == set(tree)
        assert (folder / "local" / where / "arch").read_text() == platform
        with tarfile.open(folder / "flat.tar") as tar:
            names = {m.name for m in tar.getmembers() if m.name.startswith(where + "/")}
            assert names == {f"{where}/{name}" for name in tree}
    # The archive comes back as the same index.
    other = slipway.other()
    other("load", "-i", folder / "oci.tar").ok()
    assert build_entry(other, "t1:latest") == digest
    # docker's own archive holds one platform.
    refused = slipway.build(build.last, *SEVERAL, *build.options, "-o", f"type=docker,dest={folder}/docker.tar")
    refused.fails("docker load", "linux/amd64, linux/arm64, linux/arm/v7", "type=oci")
    assert not (folder / "docker.tar").exists()


def test_commands_on_an_index(slipway, build, multi, folder):
    build(ARGUMENTS, {"f": "f"}, *SEVERAL)
    digest = build_entry(slipway, "t1:latest")
    assert digest in slipway("images", "--digests").ok().out
    seen = json.loads(slipway("inspect", "t1").ok().out)[0]
    assert f"linux/{seen['Architecture']}" == build_platform() and seen["Digest"] == digest
    assert [m["Descriptor"]["platform"]["architecture"] for m in seen["Manifests"]] == ["amd64", "arm64", "arm"]
    assert all(m["Available"] for m in seen["Manifests"])
    seen = json.loads(slipway("inspect", "--platform", "linux/arm64", "t1").ok().out)[0]
    assert seen["Architecture"] == "arm64" and seen["Config"]["Labels"]["t"] == "linux/arm64"
    history = slipway("history", "--no-trunc", "--platform", "linux/arm/v7", "t1").ok().out
    assert "ARG TARGETVARIANT=v7" in history
    slipway("inspect", "--platform", "linux/s390x", "t1").fails("s390x", "linux/arm/v7")
    slipway("tag", "t1", "again:2").ok()
    assert build_entry(slipway, "again:2") == digest
    slipway("fsck").ok()
    slipway("save", "-o", folder / "saved.tar", "again:2").ok()
    assert json.loads(skopeo("inspect", "--raw", f"oci-archive:{folder}/saved.tar"))["manifests"]
    slipway("rmi", "t1", "again:2").ok()
    assert read_index(slipway.root)["manifests"] == []
    slipway("inspect", digest).fails(digest)


def test_rmi_by_id(slipway, build, multi):
    """What images -q prints is the ID of the host's image, and removes the whole; a part cannot go alone."""
    build(ARGUMENTS, {"f": "f"}, *SEVERAL)
    index = build_entry(slipway, "t1:latest")
    shown = slipway("images", "-q").ok().out.split()
    arm = members(slipway.root, "t1:latest")[0]["manifests"][2]["digest"]
    slipway("rmi", arm).fails("one platform of the image t1:latest")
    slipway("tag", "t1", "again:2").ok()
    slipway("rmi", *shown).fails("2 names")
    assert slipway("rmi", "-f", *shown).ok().out.split() == [
        "Untagged:", "t1:latest", "Untagged:", "again:2", "Deleted:", index]
    assert read_index(slipway.root)["manifests"] == []


def test_annotations(slipway, build, multi):
    """buildx: manifest where nothing is said, types before a colon."""
    build("FROM multi\n", {}, *SEVERAL, "--annotation", "org.example.a=1", "--annotation", "index:org.example.b=x:y",
          "--annotation", "index,manifest:c=3")
    index = members(slipway.root, "t1:latest")[0]
    assert index["annotations"] == {"org.example.b": "x:y", "c": "3"}
    for child in index["manifests"]:
        manifest = json.loads(blob_path(slipway.root, child["digest"]).read_text())
        assert manifest["annotations"] == {"org.example.a": "1", "c": "3"}
    slipway.build(build.last, *build.options, "--annotation", "index:a=1").fails("several platforms", code=2)
    slipway.build(build.last, *build.options, "--annotation", "index-descriptor:a=1").fails("index-descriptor", code=2)
    slipway.build(build.last, *build.options, *SEVERAL, "--annotation", "manifest[linux/s390x]:a=1").fails("s390x", code=2)
    slipway.build(build.last, *build.options, "--annotation", "manifests:a=1").fails('unknown annotation type "manifests"', code=2)
    slipway.build(build.last, *build.options, "--annotation", "a").fails("NAME=VALUE", code=2)


def test_annotations_of_descriptors_and_platforms(slipway, build, multi, folder):
    """What an index says of a manifest, and the list of images of either."""
    build("FROM multi\n", {}, *SEVERAL, "--annotation", "manifest[linux/arm64],manifest-descriptor[linux/arm64]:arm=1",
          "--annotation", "manifest-descriptor:d=2", "--annotation", "index-descriptor,index:e=3", "--output", "type=image",
          "--output", f"type=oci,dest={folder}/a.tar", "--metadata-file", folder / "meta")
    index = members(slipway.root, "t1:latest")[0]
    assert index["annotations"] == {"e": "3"}
    for child in index["manifests"]:
        arm = {"arm": "1"} if child["platform"]["architecture"] == "arm64" else {}
        assert child["annotations"] == {"d": "2", **arm}
        assert json.loads(blob_path(slipway.root, child["digest"]).read_text()).get("annotations", {}) == arm

    def listed(root):
        entry_, = read_index(root)["manifests"]
        return {k: v for k, v in entry_["annotations"].items() if "." not in k}

    assert listed(slipway.root) == {"e": "3"}
    assert json.loads((folder / "meta").read_text())["containerimage.descriptor"]["annotations"] == {"e": "3"}
    (folder / "a").mkdir()
    subprocess.run(["tar", "-xf", folder / "a.tar", "-C", folder / "a"], check=True)
    assert listed(folder / "a") == {"e": "3"}
    slipway.build(build.last, "-t", "t1", *build.options, *SEVERAL).ok()
    assert "t1:latest" in (slipway.root / "index.json").read_text()


def test_annotations_of_an_output(slipway, build, multi):
    """As BuildKit's exporters take them; a name may have dots."""
    spec = ("type=image,annotation.org.example.a=1,annotation-index.b=2,annotation-manifest[linux/arm64].c=3,"
            "annotation-manifest-descriptor.d=4")
    build("FROM multi\n", {}, *SEVERAL, "--output", spec)
    index = members(slipway.root, "t1:latest")[0]
    assert index["annotations"] == {"b": "2"} and {m["annotations"]["d"] for m in index["manifests"]} == {"4"}
    for child in index["manifests"]:
        found = json.loads(blob_path(slipway.root, child["digest"]).read_text())["annotations"]
        assert found == {"org.example.a": "1", **({"c": "3"} if child["platform"]["architecture"] == "arm64" else {})}
    slipway.build(build.last, *build.options, "--output", "type=image,annotation-nope.a=1").fails('"nope"', code=2)
    slipway.build(build.last, *build.options, "--output", "type=image,annotations=1").fails("annotations", code=2)


def test_annotations_of_a_single_images_descriptor(slipway, build, multi):
    """The same manifest: the list of images is what changes."""
    digests = set()
    for value in ("1", "2", None):
        option = ("--annotation", f"manifest-descriptor:a={value}") if value else ()
        slipway.build(build.context({"Dockerfile": "FROM multi\n"}), "-t", "x", *build.options, *option).ok()
        entry_, = read_index(slipway.root)["manifests"]
        digests.add(entry_["digest"])
        assert entry_["annotations"].get("a") == value and "annotations" not in read_layout(slipway.root, "x:latest").manifest
    assert len(digests) == 1


def test_one_platform_of_an_index(login, registry, build, multi, folder):
    name = f"{registry.host}/several/one:1"
    login.build(build.context({"Dockerfile": "FROM multi\n"}), "-t", name, *SEVERAL, *build.options).ok()
    arm = next(m for m in members(login.root, name)[0]["manifests"] if m["platform"]["architecture"] == "arm64")
    login("save", "--platform", "linux/arm64", "-o", folder / "arm.tar", name).ok()
    saved = json.loads(skopeo("inspect", "--raw", f"oci-archive:{folder}/arm.tar"))
    assert "layers" in saved
    login("push", "--platform", "linux/arm64", name).ok()
    flags = ["--creds", f"{registry.user}:{registry.password}", "--tls-verify=false"]
    pushed = skopeo("inspect", "--raw", *flags, f"docker://{name}")
    assert pushed == blob_path(login.root, arm["digest"]).read_text()
    login("push", "--platform", "linux/s390x", name).fails("s390x", "linux/arm/v7")
    login("save", "--platform", "nonsense", "-o", folder / "no.tar", name).fails("nonsense", code=2)


def test_an_index_without_the_hosts_platform(slipway, build, multi):
    others = ",".join(p for p in ALL if p != build_platform())
    build("FROM multi\n", {}, "--platform", others)
    first = json.loads(slipway("inspect", "t1").ok().out)[0]
    assert "/".join(filter(None, (first["Os"], first["Architecture"], first.get("Variant")))) == others.split(",")[0]
    assert "t1" in slipway("images").ok().out
    slipway("history", "t1").ok()


def test_prune_keeps_what_the_index_lists(slipway, build, multi):
    build(ARGUMENTS, {"f": "f"}, *SEVERAL)
    slipway("prune", "--all", "--force", "--grace", "0s").ok()
    slipway("fsck").ok()
    for _, tree in members(slipway.root, "t1:latest")[1].values():
        assert "arch" in tree


def test_push(login, registry, build, multi, folder):
    name = f"{registry.host}/several/app:1"
    top = build.context({"Dockerfile": ARGUMENTS.replace("    ", "").strip() + "\n", "f": "f"})
    login.build(top, "-t", name, *SEVERAL, *build.options, "--push").ok()
    digest = build_entry(login, name)
    flags = ["--creds", f"{registry.user}:{registry.password}", "--tls-verify=false"]
    raw = skopeo("inspect", "--raw", *flags, f"docker://{name}")
    assert raw == blob_path(login.root, digest).read_text()
    for platform in ALL:
        arch, variant = platform.split("/")[1], "".join(platform.split("/")[2:])
        skopeo("--override-arch", arch, "--override-variant", variant, "copy", "--src-creds", flags[1],
               "--src-tls-verify=false", f"docker://{name}", f"oci:{folder}/pulled-{arch}:image")
        assert read_layout(folder / f"pulled-{arch}", "image").verify().tree().text("/arch") == platform
    # Another store pulls one platform of it, or builds FROM it for several.
    other = login.other()
    other("pull", "--platform", "linux/arm64", name).ok()
    assert json.loads(other("inspect", "--platform", "linux/arm64", name).ok().out)[0]["Architecture"] == "arm64"
    child = build.context({"Dockerfile": f"FROM {name}\nLABEL child=1\n"})
    other.build(child, "-t", "child", *SEVERAL).ok()
    assert tuple(members(other.root, "child:latest")[1]) == ALL
    # What is there already is not uploaded again.
    again = login("push", name).ok()
    assert "uploaded 0 blobs" in again.out


def test_children_are_pushed_before_the_index(login, registry, build, multi):
    name = f"{registry.host}/several/order:1"
    top = build.context({"Dockerfile": "FROM multi\n"})
    since = registry.mark()
    login.build(top, "-t", name, *SEVERAL, *build.options, "--push").ok()
    puts = [path.rpartition("/")[2] for method, path, _ in registry.requests(since)
            if method == "PUT" and "/manifests/" in path]
    index = json.loads(blob_path(login.root, build_entry(login, name)).read_text())
    assert puts == [m["digest"] for m in index["manifests"]] + ["1"]


@pytest.mark.root
@pytest.mark.slow  # what docker reads is the same bytes; the sanitizers see save in other tests
def test_docker_loads_the_hosts_image_of_a_saved_index(slipway, build, multi, folder, session_folder):
    docker = Docker(session_folder / "docker-platforms")
    try:
        build(ARGUMENTS, {"f": "f"}, *SEVERAL)
        slipway("save", "-o", folder / "saved.tar", "t1").ok()
        docker("load", "-i", folder / "saved.tar")
        assert f"linux/{docker('inspect', '-f', '{{.Architecture}}', 't1').strip()}" == build_platform()
    finally:
        docker.stop()


def test_other_tools_read_the_store(slipway, build, multi):
    build("FROM multi\n", {}, *SEVERAL)
    inspected = json.loads(skopeo("--override-arch", "arm64", "inspect", f"oci:{slipway.root}:t1:latest"))
    assert inspected["Architecture"] == "arm64"

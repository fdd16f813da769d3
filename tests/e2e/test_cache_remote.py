"""--cache-to and --cache-from: what one machine built, another does not build again, nor download before it needs it.

A RUN that writes a random number tells whether it ran; the registry's own log tells what was downloaded.
"""
import json
import os
import re
import shutil
import stat

import pytest

from helpers.images import read_layout, skopeo

RANDOM = "cat /proc/sys/kernel/random/uuid"


def creds(registry):
    return [f"--cert-dir={registry.certs}", f"--creds={registry.user}:{registry.password}"]


@pytest.fixture
def repo(registry, request):
    """A name space in the registry of the test's own."""
    return f"{registry.host}/{''.join(c for c in request.node.name if c.isalnum()).lower()}"


@pytest.fixture
def base(registry, repo, tiny):
    skopeo("copy", "--dest-cert-dir=" + str(registry.certs), f"--dest-creds={registry.user}:{registry.password}",
           f"oci:{tiny}", f"docker://{repo}/base:1")
    return f"{repo}/base:1"


@pytest.fixture
def app(base):
    return {"Dockerfile": f"FROM {base}\nRUN {RANDOM} > /uuid\nCOPY f /f\nWORKDIR /work\n", "f": "content"}


def downloads(registry, since):
    """Digests of the blobs whose bytes were asked for."""
    return [path.rsplit("/", 1)[1] for method, path, status in registry.requests(since)
            if method == "GET" and "/blobs/" in path and status in (200, 206)]


def layers_of(registry, name):
    return [layer["digest"] for layer in json.loads(skopeo("inspect", "--raw", *creds(registry), f"docker://{name}"))
            ["layers"]]


def steps(result):
    """How each shown step ended: {"RUN": "CACHED", ..}."""
    names = {number: word for number, word in re.findall(r"^#(\d+) \[[^]]*\d+/\d+\] (\w+)", result.err, re.M)}
    ends = {number: how for number, how in re.findall(r"^#(\d+) (CACHED|DONE|ERROR|CANCELED)", result.err, re.M)}
    return [f"{word} {ends.get(number)}" for number, word in names.items() if word != "FROM"]


def builder(slipway, *options, name="app:1", **run_options):
    def run(context, *more):
        return slipway.build(context, "-t", name, "--progress", "plain", *options, *more, **run_options).ok()
    return run


def test_a_cached_build_in_an_empty_store_downloads_no_layer(login, context, registry, repo, app, base):
    cache = f"{repo}/cache:main"
    built = builder(login, "--cache-to", f"type=registry,ref={cache},mode=max")(context(app))
    assert steps(built) == ["RUN DONE", "COPY DONE", "WORKDIR DONE"]
    other = login.other()
    since = registry.mark()
    # Another folder, and other times of the files: neither is in a key.
    top = context(app)
    os.utime(top / "f", (1, 1))
    again = builder(other, "--cache-from", f"type=registry,ref={cache}")(top)
    assert steps(again) == ["RUN CACHED", "COPY CACHED", "WORKDIR CACHED"], str(again)
    layers = set(layers_of(registry, cache)) | set(layers_of(registry, base))
    assert not layers & set(downloads(registry, since))
    one, two = read_layout(login.root, "app:1"), read_layout(other.root, "app:1")
    assert two.descriptor["digest"] == one.descriptor["digest"]
    assert not any((other.root / "blobs/sha256" / d.split(":")[1]).exists() for d in layers)
    # What was left there comes when something needs it.
    assert other("run", "app:1", "cat", "/uuid", "/f").ok().out == one.verify().tree().text("/uuid") + "content"
    assert other("fsck").ok()


def test_a_store_says_nothing_is_wrong_and_saves_what_it_left_behind(login, context, repo, app, folder):
    builder(login, "--cache-to", f"{repo}/cache")(context(app))
    other = login.other()
    builder(other, "--cache-from", f"{repo}/cache")(context(app))
    assert "missing" not in other("fsck").ok().err
    other("save", "-o", folder / "app.tar", "app:1").ok()
    assert json.loads(skopeo("inspect", f"docker-archive:{folder}/app.tar"))["Layers"]


def test_what_was_left_behind_is_a_base(login, context, registry, repo, app):
    builder(login, "--cache-to", f"{repo}/cache")(context(app))
    other = login.other()
    builder(other, "--cache-from", f"{repo}/cache")(context(app))
    since = registry.mark()
    # Its name is no registry's: nobody else is asked for its layers.
    builder(other, name="top:1")(context({"Dockerfile": "FROM app:1\nRUN cp /f /g\n"}))
    assert set(layers_of(registry, f"{repo}/cache")) <= set(downloads(registry, since))
    assert read_layout(other.root, "top:1").verify().tree().text("/g") == "content"


def test_push_of_a_cached_build_downloads_no_layer(login, context, registry, repo, app):
    builder(login, "--cache-to", f"type=registry,ref={repo}/cache,mode=max")(context(app))
    other = login.other()
    since = registry.mark()
    builder(other, "--cache-from", f"{repo}/cache", "--push", name=f"{repo}/app:1")(context(app))
    fetched = downloads(registry, since)
    assert not set(fetched) & set(layers_of(registry, f"{repo}/app:1"))
    pulled = login.other()
    pulled("pull", f"{repo}/app:1").ok()
    assert pulled("run", f"{repo}/app:1", "cat", "/f").ok().out == "content"


def test_only_what_changed_is_built(login, context, registry, repo, base):
    text = f"FROM {base}\nRUN {RANDOM} > /one\nCOPY f /f\nRUN cp /one /two && cat /f >> /two\n"
    builder(login, "--cache-to", f"type=registry,ref={repo}/cache")(context({"Dockerfile": text, "f": "1"}))
    one = read_layout(login.root, "app:1").verify().tree().text("/one")
    other = login.other()
    again = builder(other, "--cache-from", f"{repo}/cache", "--cache-to", f"{repo}/cache", "--explain")(
        context({"Dockerfile": text, "f": "2"}))
    assert steps(again) == ["RUN CACHED", "COPY DONE", "RUN DONE"]
    assert f"CACHED from {repo}/cache" in again.err and "MISS step 3" in again.err
    other("run", "app:1", "true").ok()
    assert read_layout(other.root, "app:1").verify().tree().text("/two") == one + "2"
    # The cache has what the last build had.
    third = login.other()
    assert steps(builder(third, "--cache-from", f"{repo}/cache")(context({"Dockerfile": text, "f": "2"}))) == \
        ["RUN CACHED", "COPY CACHED", "RUN CACHED"]
    # And the second build is a hit in its own store, without any cache of others.
    assert steps(builder(other)(context({"Dockerfile": text, "f": "2"}))) == ["RUN CACHED", "COPY CACHED", "RUN CACHED"]


STAGES = ("FROM {base} AS make\nRUN {random} > /made\nRUN cp /made /copy\n"
          "FROM {base}\nCOPY --from=make /copy /other\nRUN test -s /other\n")


@pytest.mark.parametrize("mode", ["min", "max"])
def test_stages_between(login, context, registry, repo, base, mode):
    files = {"Dockerfile": STAGES.format(base=base, random=RANDOM)}
    builder(login, "--cache-to", f"type=registry,ref={repo}/cache,mode={mode}")(context(files))
    assert len(layers_of(registry, f"{repo}/cache")) == {"min": 2, "max": 4}[mode]
    other = login.other()
    since = registry.mark()
    again = builder(other, "--cache-from", f"{repo}/cache")(context(files))
    if mode == "max":
        assert steps(again) == ["RUN CACHED"] * 2 + ["COPY CACHED", "RUN CACHED"]
        assert not set(downloads(registry, since)) & set(layers_of(registry, f"{repo}/cache"))
        assert read_layout(other.root, "app:1").descriptor == read_layout(login.root, "app:1").descriptor
    else:
        assert steps(again)[:2] == ["RUN DONE", "RUN DONE"]


def test_what_the_cache_is_to_others(login, context, registry, repo, app):
    """An ordinary image manifest, as ECR takes it (image-manifest=true): skopeo and the registry read it."""
    name = f"{repo}/cache:main"
    builder(login, "--build-arg", "TOKEN=geheim", "--cache-to",
            f"type=registry,ref={name},mode=max,image-manifest=true,oci-mediatypes=true")(context(
                {**app, "Dockerfile": app["Dockerfile"].replace("RUN", "ARG TOKEN\nRUN")}))
    raw = json.loads(skopeo("inspect", "--raw", *creds(registry), f"docker://{name}"))
    assert raw["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert raw["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert {layer["mediaType"] for layer in raw["layers"]} == {"application/vnd.oci.image.layer.v1.tar+gzip"}
    assert set(raw) <= {"schemaVersion", "mediaType", "config", "layers"}
    inspected = json.loads(skopeo("inspect", *creds(registry), f"docker://{name}"))
    assert inspected["Layers"] == [layer["digest"] for layer in raw["layers"]]
    config = skopeo("inspect", "--config", "--raw", *creds(registry), f"docker://{name}")
    assert len(json.loads(config)["rootfs"]["diff_ids"]) == len(raw["layers"]) == 3
    # Neither variables nor commands nor paths of the machine travel.
    for word in ("geheim", "TOKEN", "uuid", str(login.folder), "content"):
        assert word not in config
    assert re.findall(r'"key":"[0-9a-f]{64}"', config)


def test_second_export_of_the_same_writes_nothing(login, context, registry, repo, app):
    run = builder(login, "--cache-to", f"{repo}/cache")
    top = context(app)
    run(top)
    since = registry.mark()
    run(top)
    assert not [r for r in registry.requests(since) if r[0] in ("POST", "PUT", "PATCH")]


def test_several_caches(login, context, repo, base):
    one = {"Dockerfile": f"FROM {base}\nRUN {RANDOM} > /one\n"}
    two = {"Dockerfile": f"FROM {base}\nRUN {RANDOM} > /two\n"}
    both = {"Dockerfile": f"FROM {base} AS one\nRUN {RANDOM} > /one\nFROM {base} AS two\nRUN {RANDOM} > /two\n"
                          "FROM scratch\nCOPY --from=one /one /\nCOPY --from=two /two /\n"}
    builder(login, "--cache-to", f"{repo}/one")(context(one))
    builder(login, "--cache-to", f"{repo}/two", "--cache-to", f"type=registry,ref={repo}/more")(context(two))
    other = login.other()
    said = builder(other, "--cache-from", f"{repo}/none", "--cache-from", f"{repo}/one,{repo}/two")(context(both))
    assert sorted(steps(said))[2:] == ["RUN CACHED", "RUN CACHED"]
    assert "warning" not in said.err.lower() and "there is no cache yet" in said.err


def test_local_folder(login, slipway, build, folder, registry):
    files = {"Dockerfile": f"FROM tiny AS make\nRUN {RANDOM} > /made\nFROM tiny\nCOPY --from=make /made /\nCOPY f /f\n",
             "f": "content"}
    where = folder / "cache dir"
    run = builder(slipway, *build.options, "--cache-to", f"type=local,dest={where},mode=max")
    run(build.context(files))
    assert json.loads(skopeo("inspect", f"oci:{where}:latest"))["Layers"]
    assert (where / "oci-layout").exists()
    assert [p for p in where.rglob("*") if p.name.endswith(".tmp")] == []
    for other, options in ((slipway.other(), f"src={where}"), (
            slipway.other(), f"src={where},digest={json.loads((where / 'index.json').read_text())['manifests'][0]['digest']}")):
        again = builder(other, *build.options, "--cache-from", f"type=local,{options}")(build.context(files))
        assert steps(again) == ["RUN CACHED", "COPY CACHED", "COPY CACHED"]
        # A folder may be gone tomorrow: nothing of the result is left there.
        assert read_layout(other.root, "app:1").verify().tree() == read_layout(slipway.root, "app:1").verify().tree()
    # From one folder into another: layers that no step needed go with it.
    third = slipway.other()
    builder(third, *build.options, "--cache-from", f"type=local,src={where}",
            "--cache-to", f"type=local,dest={folder / 'second'},mode=max")(build.context(files))
    assert read_layout(folder / "second", "latest").verify().layers == read_layout(where, "latest").verify().layers


def test_local_folder_out_of_a_registry(login, context, repo, app, folder):
    builder(login, "--cache-to", f"{repo}/cache")(context(app))
    other = login.other()
    builder(other, "--cache-from", f"{repo}/cache", "--cache-to", f"type=local,dest={folder}/here")(context(app))
    assert len(read_layout(folder / "here", "latest").verify().layers) == 3


def test_damaged_local_folders(slipway, build, folder):
    files = {"Dockerfile": f"FROM tiny\nRUN {RANDOM} > /a\nRUN cp /a /b\n"}
    where = folder / "cache"
    builder(slipway, *build.options, "--cache-to", f"type=local,dest={where}")(build.context(files))
    layers = [where / "blobs/sha256" / layer["digest"].split(":")[1] for layer in read_layout(where, "latest").layers]
    other = slipway.other()
    other.unfinished_allowed = True
    data = bytearray(layers[0].read_bytes())
    data[len(data) // 2] ^= 1
    layers[0].chmod(0o644)
    layers[0].write_bytes(data)
    said = builder(other, *build.options, "--cache-from", f"type=local,src={where}")(build.context(files))
    assert "are carried out" in said.err
    tree = read_layout(other.root, "app:1").verify().tree()
    assert tree.text("/a") == tree.text("/b")
    (where / "index.json").write_text("{")
    said = builder(slipway.other(), *build.options, "--cache-from", f"type=local,src={where}")(build.context(files))
    assert "goes on without it" in said.err
    shutil.rmtree(where)
    said = builder(slipway.other(), *build.options, "--cache-from", f"type=local,src={where}")(build.context(files))
    assert "there is no cache yet" in said.err


def test_inline(login, context, registry, repo, base, app):
    name = f"{repo}/app:1"
    builder(login, "--cache-to", "type=inline", "--push", name=name)(context(app))
    other = login.other()
    since = registry.mark()
    again = builder(other, "--cache-from", name, "--cache-to", "type=inline", name=name)(context(app))
    assert steps(again) == ["RUN CACHED", "COPY CACHED", "WORKDIR CACHED"]
    assert not set(downloads(registry, since)) & set(layers_of(registry, name))
    assert read_layout(other.root, name).descriptor["digest"] == read_layout(login.root, name).descriptor["digest"]
    # An image on top of it is not one of its steps.
    builder(other, name="top:1")(context({"Dockerfile": f"FROM {name}\nENV A=1\n"}))
    assert "slipway.cache" not in read_layout(other.root, "top:1").config
    assert "slipway.cache" in read_layout(other.root, name).config


def test_an_image_without_records(login, context, repo, base):
    said = builder(login, "--cache-from", base)(context({"Dockerfile": f"FROM {base}\nRUN {RANDOM} > /a\n"}))
    assert "without cache records" in said.err and steps(said) == ["RUN DONE"]


def test_load_brings_every_layer(login, context, repo, app):
    builder(login, "--cache-to", f"{repo}/cache")(context(app))
    other = login.other()
    again = builder(other, "--cache-from", f"{repo}/cache", "--load")(context(app))
    assert steps(again) == ["RUN CACHED", "COPY CACHED", "WORKDIR CACHED"]
    assert read_layout(other.root, "app:1").verify().tree() == read_layout(login.root, "app:1").verify().tree()


def test_outputs_have_their_layers(login, context, repo, app, folder):
    builder(login, "--cache-to", f"{repo}/cache")(context(app))
    other = login.other()
    other.build(context(app), "--cache-from", f"{repo}/cache", "-o", f"type=local,dest={folder}/out").ok()
    assert (folder / "out/f").read_text() == "content"
    assert stat.S_ISDIR(os.stat(folder / "out/work").st_mode)


def test_no_cache_asks_nobody(login, context, registry, repo, app):
    builder(login, "--cache-to", f"{repo}/cache")(context(app))
    since = registry.mark()
    said = builder(login.other(), "--cache-from", f"{repo}/cache", "--no-cache")(context(app))
    assert steps(said) == ["RUN DONE", "COPY DONE", "WORKDIR DONE"]
    assert not [path for _, path, _ in registry.requests(since) if "/cache/" in path]


def test_hits_here_ask_nobody(login, context, registry, repo, app):
    top = context(app)
    builder(login)(top)
    since = registry.mark()
    builder(login, "--cache-from", f"{repo}/cache")(top)
    assert registry.requests(since) == []


def test_metadata_only(login, context, repo, base):
    """A build without layers of its own has nothing to write."""
    said = builder(login, "--cache-to", f"{repo}/cache")(context({"Dockerfile": f"FROM {base}\nENV A=1\n"}))
    assert "nothing is written" in said.err


@pytest.mark.parametrize("option, words", [
    (["--cache-to", "type=gha"], ["type=gha", "not supported"]),
    (["--cache-from", "type=s3,region=x,bucket=y"], ["type=s3", "not supported"]),
    (["--cache-from", "type=inline"], ["type=registry,ref=IMAGE"]),
    (["--cache-from", "type=registry"], ["ref= is missing"]),
    (["--cache-from", "ref=a/b:c"], ["type= is missing"]),
    (["--cache-to", "type=local,src=x"], ["unknown field", "src"]),
    (["--cache-to", "type=local"], ["dest= is missing"]),
    (["--cache-to", "type=registry,ref=a/UPPER"], ["must be lower-case"]),
    (["--cache-to", "type=registry,ref=a/b,mode=most"], ["mode=most"]),
    (["--cache-to", "type=registry,ref=a/b,image-manifest=false"], ["image-manifest=false"]),
    (["--cache-to", "type=registry,ref=a/b,ignore-error=perhaps"], ["ignore-error=perhaps"]),
    (["--cache-to", "type=registry,ref=a/b,compression=zstd"], ["--compression"]),
    (["--cache-from", "type=registry,ref=a/b,timeout=soon"], ["timeout=soon"]),
    (["--cache-from", "type=local,src=x,digest=md5:1"], ["digest="]),
])
def test_what_is_refused(slipway, context, option, words):
    result = slipway.build(context({"Dockerfile": "FROM scratch\n"}), *option)
    assert result.code in (1, 2), str(result)
    result.fails(*words, code=result.code)


def test_several_platforms(login, context, registry, repo, folder):
    """One cache has the steps of all platforms, and is read for any of them."""
    top = {"Dockerfile": "FROM scratch\nCOPY f /f\nARG TARGETARCH\nCOPY f /$TARGETARCH\n", "f": "content"}
    builder(login, "--platform", "linux/arm64,linux/amd64", "--cache-to", f"{repo}/cache")(context(top))
    assert len(layers_of(registry, f"{repo}/cache")) == 3
    again = builder(login, "--platform", "linux/arm64,linux/amd64", "--cache-to", f"{repo}/again")(context(top))
    assert layers_of(registry, f"{repo}/again") == layers_of(registry, f"{repo}/cache"), str(again)
    for platform in ("linux/amd64", "linux/arm64", "linux/amd64,linux/arm64"):
        other = login.other()
        said = builder(other, "--platform", platform, "--cache-from", f"{repo}/cache")(context(top))
        assert set(how.split()[1] for how in steps(said)) == {"CACHED"}, str(said)
        assert "is made for" not in said.err
        other("save", "-o", folder / "app.tar", "--format", "oci", "app:1").ok()
    since = registry.mark()
    builder(login.other(), "--platform", "linux/amd64,linux/arm64", "--cache-from", f"{repo}/cache", "--push",
            name=f"{repo}/app:1")(context(top))
    assert not set(downloads(registry, since)) & set(layers_of(registry, f"{repo}/cache"))
    assert json.loads(skopeo("inspect", "--raw", *creds(registry), f"docker://{repo}/app:1"))["manifests"]


def test_inline_of_several_platforms(login, context, repo):
    """Each image of the index has the records of its own steps: all are read, for whatever is built now."""
    name = f"{repo}/app:1"
    top = {"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY f /$TARGETARCH\n", "f": "content"}
    both = ["--platform", "linux/amd64,linux/arm64"]
    builder(login, *both, "--cache-to", "type=inline", "--push", name=name)(context(top))
    for platforms in (both, ["--platform", "linux/arm64,linux/amd64"], ["--platform", "linux/arm64"],
                      ["--platform", "linux/s390x,linux/arm64"]):
        said = builder(login.other(), *platforms, "--cache-from", name)(context(top))
        made = {line for line in steps(said) if "DONE" in line}
        assert len(made) == ("s390x" in platforms[1]), str(said)
        assert "goes on without it" not in said.err

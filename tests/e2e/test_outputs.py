"""What leaves the store: --output, save and load, and the store itself, as other tools read them."""
import json
import os
import subprocess
import zlib

import pytest

from helpers.images import differences, folder_tree, layer_of, read_layout, read_with_skopeo, skopeo
from helpers.peers import Docker

DOCKERFILE = """FROM tiny
RUN echo made > /made && ln /made /linked && chmod 4755 /made && chown 1000:1000 /made && mkdir -m 1777 /sticky
COPY d /d
ENV A=1
HEALTHCHECK --interval=5s CMD true
USER app
CMD ["cat", "/made"]
"""


@pytest.fixture
def app(slipway, build):
    top = build.context({"Dockerfile": DOCKERFILE, "d/f": "f", "d/l": ("link", "f")})
    slipway.build(top, "-t", "app:1", *build.options).ok()
    build.last = top
    return read_layout(slipway.root, "app:1").verify()


@pytest.fixture(scope="session")
def docker(session_folder):
    made = Docker(session_folder / "docker-load")
    yield made
    made.stop()


def test_the_store_is_an_oci_layout(slipway, app, folder):
    inspected = json.loads(skopeo("inspect", f"oci:{slipway.root}:app:1"))
    assert inspected["Digest"] == app.descriptor["digest"]
    assert inspected["Layers"] == [layer["digest"] for layer in app.layers]
    copied = read_with_skopeo(f"oci:{slipway.root}:app:1", folder / "copy")
    assert differences(copied.tree(), app.tree()) == []


@pytest.mark.slow  # what others read is the same bytes; the sanitizers see save and load in test_load
@pytest.mark.root
def test_umoci_unpacks_it(slipway, app, folder):
    subprocess.run(["umoci", "unpack", "--image", f"{slipway.root}:app:1", folder / "bundle"], check=True,
                   capture_output=True)
    assert differences(app.tree(), folder_tree(folder / "bundle/rootfs")) == []


@pytest.mark.parametrize("kind, transport", [("oci", "oci-archive"), ("docker", "docker-archive")])
def test_archives(slipway, build, app, folder, kind, transport):
    slipway.build(build.last, "-t", "app:1", *build.options, "--output", f"type={kind},dest={folder}/image.tar").ok()
    read = read_with_skopeo(f"{transport}:{folder}/image.tar", folder / "read")
    assert differences(read.tree(), app.tree()) == []
    assert read.config["rootfs"] == app.config["rootfs"] and read.config["config"]["Cmd"] == ["cat", "/made"]
    # The same archive on standard output.
    piped = slipway.build(build.last, "-t", "app:1", *build.options, "--output", f"type={kind},dest=-").ok()
    (folder / "piped.tar").write_bytes(piped.raw)
    assert differences(read_with_skopeo(f"{transport}:{folder}/piped.tar", folder / "read2").tree(), app.tree()) == []


def test_flattened_tar_and_folder(slipway, build, app, folder):
    slipway.build(build.last, "-t", "app:1", *build.options, "--output", f"type=tar,dest={folder}/flat.tar",
                  "--output", f"type=local,dest={folder}/flat").ok()
    from_tar = type(app.tree())()
    from_tar.apply(layer_of(folder / "flat.tar"))
    assert differences(from_tar, app.tree()) == []
    assert set(folder_tree(folder / "flat")) == set(app.tree())
    # A folder belongs to who asked for it, as docker's does; the rest is what the image has.
    assert differences(folder_tree(folder / "flat"), app.tree(), ignore=("uid", "gid")) == []
    assert {(e.uid, e.gid) for e in folder_tree(folder / "flat").values()} == {(os.geteuid(), os.getegid())}
    assert (folder / "flat/made").read_text() == "made\n"


def test_save_is_read_by_both_transports(slipway, app, folder):
    slipway("save", "-o", folder / "saved.tar", "app:1").ok()
    for transport in ("oci-archive", "docker-archive"):
        read = read_with_skopeo(f"{transport}:{folder}/saved.tar", folder / transport)
        assert differences(read.tree(), app.tree()) == []
    piped = slipway("save", "app:1").ok()
    assert piped.raw == (folder / "saved.tar").read_bytes(), "the same bytes each time"


@pytest.mark.parametrize("source", ["save", "save-piped", "docker-archive", "oci-archive"])
def test_load(slipway, app, folder, source):
    other = slipway.other()
    file = folder / "image.tar"
    if source.startswith("save"):
        slipway("save", "-o", file, "app:1").ok()
    else:
        skopeo("copy", f"oci:{slipway.root}:app:1", f"{source}:{file}:app:1")
    if source == "save-piped":
        shown = other("load", stdin=file.read_bytes()).ok()
    else:
        shown = other("load", "-i", file).ok()
    assert "app:1" in shown.out
    loaded = read_layout(other.root, "app:1").verify()
    assert differences(loaded.tree(), app.tree()) == []
    assert loaded.config["rootfs"] == app.config["rootfs"]
    if source.startswith("save"):
        assert loaded.descriptor["digest"] == app.descriptor["digest"]


@pytest.mark.slow  # what others read is the same bytes; the sanitizers see save and load in test_load
def test_docker_loads_it(slipway, app, folder, docker):
    slipway("save", "-o", folder / "saved.tar", "app:1").ok()
    assert "app:1" in docker("load", "-i", folder / "saved.tar")
    config = json.loads(docker("inspect", "app:1"))[0]
    assert config["RootFS"]["Layers"] == app.config["rootfs"]["diff_ids"]
    assert config["Config"]["Cmd"] == ["cat", "/made"] and config["Config"]["Healthcheck"]["Interval"] == 5 * 10**9
    assert docker("run", "--rm", "--network=none", "app:1") == "made\n"
    saved = folder / "from-docker.tar"
    docker("save", "-o", saved, "app:1")
    other = slipway.other()
    other("load", "-i", saved).ok()
    assert differences(read_layout(other.root, "app:1").verify().tree(), app.tree()) == []


@pytest.mark.slow  # what others read is the same bytes; the sanitizers see save and load in test_load
@pytest.mark.root
def test_podman_loads_it(slipway, app, podman, folder):
    slipway("save", "-o", folder / "saved.tar", "app:1").ok()
    loaded = subprocess.run([*podman, "load", "-i", folder / "saved.tar"], check=False, capture_output=True, text=True)
    assert loaded.returncode == 0, loaded.stderr
    listed = subprocess.run([*podman, "inspect", "app:1"], check=True, capture_output=True).stdout
    assert json.loads(listed)[0]["RootFS"]["Layers"] == app.config["rootfs"]["diff_ids"]


def test_compressions(slipway, build, folder):
    top = build.context({"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": "text " * 100000})
    found = {}
    for kind in ("gzip", "gzip:zlib-6", "zstd", "none"):
        slipway.build(top, "-t", "c:1", "--compression", kind, "--no-cache").ok()
        image = read_layout(slipway.root, "c:1").verify()
        found[kind] = image.layers[0]["mediaType"].rpartition(".")[2]
        assert image.tree()["f"].size == 500000
        if kind != "zstd":
            skopeo("copy", f"oci:{slipway.root}:c:1", f"docker-archive:{folder}/{kind[:4]}{len(kind)}.tar:c:1")
    assert found == {"gzip": "tar+gzip", "gzip:zlib-6": "tar+gzip", "zstd": "tar+zstd", "none": "tar"}
    build.fails("FROM scratch\n", "lzma", options=["--compression", "lzma"], code=2)


def test_gzip_is_one_member_that_gunzip_reads(slipway, build):
    data = os.urandom(3 << 20)
    top = build.context({"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": data})
    slipway.build(top, "-t", "g:1").ok()
    image = read_layout(slipway.root, "g:1").verify()
    blob = image.blob(image.layers[0]["digest"]).read_bytes()
    one = zlib.decompressobj(31)
    plain = one.decompress(blob)
    assert one.eof and one.unused_data == b"" and data in plain
    assert blob[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00" + blob[8:10], "no name and no time in the header"
    subprocess.run(["gzip", "-t"], input=blob, check=True)

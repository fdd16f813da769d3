"""The harness itself: its registry, its base images and its reading of images are judged by other tools."""
import os
import subprocess

import pytest

from helpers import processes
from helpers.images import Layout, differences, folder_tree, layered_tars, read_layout, read_with_skopeo, skopeo

pytestmark = pytest.mark.slow  # nothing of slipway runs here, sanitized or not


def cert_and_login(registry, side):
    return [f"--{side}-cert-dir={registry.certs}", f"--{side}-creds={registry.user}:{registry.password}"]


def test_skopeo_brings_an_image_there_and_back(registry, tiny, folder):
    since = registry.mark()
    skopeo("copy", *cert_and_login(registry, "dest"), f"oci:{tiny}:tiny:latest", f"docker://{registry.host}/harness/tiny:1")
    original = read_layout(tiny).verify()
    # A layer that another repository has is mounted from there; the rest is uploaded, to this one.
    mounted = [path for method, path, status in registry.requests(since)
               if method == "POST" and "mount=" in path and status == 201]
    assert {repository for repository, _ in registry.uploads(since)} <= {"harness/tiny"}
    assert len(registry.uploads(since)) + len(mounted) >= 1
    back = read_with_skopeo(f"docker://{registry.host}/harness/tiny:1", folder / "back", *cert_and_login(registry, "src"))
    assert back.verify().layers == original.layers
    assert back.config == original.config


def test_wrong_password_is_refused(registry, tiny):
    done = subprocess.run(["skopeo", "copy", f"--dest-cert-dir={registry.certs}", "--dest-creds=maria:wrong",
                           f"oci:{tiny}:tiny:latest", f"docker://{registry.host}/harness/refused:1"],
                          capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "unauthorized" in done.stderr or "authentication required" in done.stderr
    assert registry.request("/v2/harness/refused/tags/list")[0] == 404


def test_unknown_ca_is_refused(registry):
    done = subprocess.run(["skopeo", "inspect", f"docker://{registry.host}/harness/tiny:1"],
                          capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "certificate" in done.stderr


@pytest.mark.root
def test_our_flattening_agrees_with_umoci(folder):
    Layout(folder / "layout").image("layered", layered_tars())
    image = read_layout(folder / "layout", "layered").verify()
    subprocess.run(["umoci", "unpack", "--image", f"{folder}/layout:layered", folder / "bundle"], check=True,
                   capture_output=True)
    ours = image.tree()
    assert differences(ours, folder_tree(folder / "bundle/rootfs"), ignore=("mtime",)) == []
    # What the layers were made to show, so that both cannot be wrong in the same way.
    assert {"keep/b", "opaque/new", "real/upper", "real/lower", "hard/three", "name-\udcff\udcfe"} <= set(ours)
    assert not {"keep/a", "gone", "gone/x", "opaque/old", "opaque/sub", "turns/inside", "alias/upper"} & set(ours)
    assert ours["turns"].kind == "file" and ours["alias"].kind == "symlink"
    assert ours.links() == [["hard/one", "hard/three", "hard/two"]]
    assert len(ours["cap"].xattrs["security.capability"]) == 20


def test_tiny_is_merged_usr_and_runs(tiny):
    files = read_layout(tiny).verify().tree()
    assert files["bin"].link == "usr/bin" and files["lib"].link == "usr/lib" and files["var/run"].link == "/run"
    assert files.follow("/bin/sh").kind == "file"
    assert (files["home/app"].uid, files["home/app"].gid) == (1000, 1000)
    assert "nobody:x:65534:65534:" in files.text("/etc/passwd")


@pytest.mark.parametrize("name, programs", [
    ("debian_base", ["/usr/bin/apt-get", "/bin/bash", "/usr/bin/dpkg"]),
    ("python_slim", ["/usr/bin/python", "/usr/bin/python3", "/usr/bin/pip"]),
])
def test_base_images_hold_what_they_are_for(request, name, programs):
    image = read_layout(request.getfixturevalue(name)).verify()
    files = image.tree()
    assert [p for p in programs if not files.follow(p)] == []
    assert not [p for p in files if p.endswith("/EXTERNALLY-MANAGED")] or name == "debian_base"
    assert files["bin"].kind == "symlink" and files["dev"].kind == "dir"
    assert not [p for p in files if p.startswith("dev/")]
    assert any(v.startswith("PATH=") for v in image.config["config"]["Env"])


def test_leftovers_are_found(folder):
    """An orphan that moved to a session of its own is found and ended."""
    subprocess.run(["sh", "-c", "setsid sleep 300 & sleep 0.1"], check=True, stdout=subprocess.DEVNULL)
    assert any("(sleep) still runs" in found for found in processes.leftovers(folder, patience=0.5))
    assert processes.leftovers(folder) == []


@pytest.mark.root
def test_left_mounts_are_found(folder):
    point = folder / "mounted here"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
    try:
        assert processes.leftovers(folder) == [f"still mounted: {point}"]
    finally:
        subprocess.run(["umount", point], check=True)
    assert os.path.ismount(folder) is False

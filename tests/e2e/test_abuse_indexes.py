"""Indexes of few bytes with billions of paths through them: each document is looked at once."""
import json
import pathlib
import sys

import pytest

from helpers.images import INDEX, Layout, entry, make_tar

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fakes"))
from fault_registry import FaultRegistry  # noqa: E402

TIMES = 2000


@pytest.fixture
def bomb(folder):
    """A layout whose index "bomb" lists one index many times, and that one another, which lists an image of another platform."""
    layout = Layout(folder / "bomb")
    child = {**layout.manifest([layout.layer(make_tar([entry("f", data="x")]))], {}, arch="s390x"),
             "platform": {"os": "linux", "architecture": "s390x"}}
    for times in (1, TIMES, TIMES):
        child = layout.blob(INDEX, json.dumps(
            {"schemaVersion": 2, "mediaType": INDEX, "manifests": [child] * times}).encode())
    layout.name("bomb", child)
    return folder / "bomb"


@pytest.fixture
def registry(bomb):
    """It has the index as team/bomb:1."""
    with FaultRegistry() as running:
        for document in (bomb / "blobs/sha256").iterdir():
            data, digest = document.read_bytes(), f"sha256:{document.name}"
            running.state.blobs["team/bomb", digest] = data
            if b'"mediaType"' in data:
                running.state.manifests["team/bomb", digest] = (json.loads(data)["mediaType"], data)
        top = json.loads((bomb / "index.json").read_text())["manifests"][0]["digest"]
        running.state.manifests["team/bomb", "1"] = running.state.manifests["team/bomb", top]
        yield running


def test_copy(slipway, registry):
    slipway("copy", f"{registry.host}/team/bomb:1", f"{registry.host}/team/copy:1", timeout=60).ok()
    assert registry.state.manifests["team/copy", "1"] == registry.state.manifests["team/bomb", "1"]


def test_commands_of_the_store(slipway, registry, folder):
    name = f"{registry.host}/team/bomb"
    pulled = slipway("pull", "--platform", "linux/s390x", f"{name}:1", timeout=60).ok()
    assert registry.host in slipway("images", timeout=60).ok().out, str(pulled)
    slipway("inspect", "0123456789ab", timeout=60).fails("0123456789ab")
    slipway("inspect", f"{name}@sha256:" + "0" * 64, timeout=60).fails("0" * 64)
    for command in (["prune", "-f"], ["df"], ["fsck"], ["save", "-o", folder / "x.tar", f"{name}:1"], ["push", f"{name}:1"], ["rmi", f"{name}:1"]):
        slipway(*command, timeout=60).ok()

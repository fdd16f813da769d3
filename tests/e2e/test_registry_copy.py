"""slipway copy from one registry to another: blobs go on while they come in, and either side may fail."""
import json
import os
import pathlib
import random
import signal
import sys
import threading
import time

import pytest

from helpers import processes
from helpers.images import read_layout
from helpers.serve import Serve

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fakes"))
from fault_registry import FaultRegistry, digest_of  # noqa: E402

SIZE = 3000000


class Pair:
    """Two registries and an image of one large layer in the first of them."""

    def __init__(self, slipway, source, target, name):
        self.slipway, self.source, self.target, self.name = slipway, source, target, name
        self.layer = read_layout(slipway.root, name).layers[0]["digest"]
        self.copier = slipway.other()
        self.there = f"{target.host}/b/c:2"

    def copy(self, *options, **run):
        return self.copier("copy", *options, self.name, self.there, **run)

    def at(self, registry, method, part):
        return [e for e in registry.log if e["method"] == method and part in e["path"]]

    def downloads(self):
        return self.at(self.source, "GET", self.layer)

    def sent(self):
        """PUT requests of the layer."""
        return self.at(self.target, "PUT", self.layer[7:])

    def right(self):
        """What has arrived is what its digests say; a tag names the same image, with all its parts."""
        with self.target.state.lock:
            blobs, manifests = dict(self.target.state.blobs), dict(self.target.state.manifests)
        for (_, digest), data in blobs.items():
            assert digest_of(data) == digest
        for text in [text for _, text in manifests.values()]:
            assert text == self.source.state.manifests["team/app", "1"][1]
            assert all(("b/c", part["digest"]) in blobs for part in [json.loads(text)["config"], *json.loads(text)["layers"]])
        return ("b/c", "2") in manifests

    def kept(self):
        """What a copy leaves in its store: documents alone. (blobs that are no documents, files in the making)"""
        documents = {digest_of(text)[7:] for _, text in self.source.state.manifests.values()}
        root = self.copier.root
        return ([b.name for b in root.glob("blobs/*/*") if b.name not in documents], [f.name for f in root.glob("ingest/*")])

    def done(self):
        assert self.right() and self.kept() == ([], [])


@pytest.fixture
def pair(slipway, context):
    slipway.env["SLIPWAY_TEST_RETRY_MS"] = "20"
    with FaultRegistry() as source, FaultRegistry() as target:
        name = f"{source.host}/team/app:1"
        top = context({"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": os.urandom(SIZE)})
        slipway.build(top, "-q", "-t", name, "--push").ok()
        with source.state.lock:
            source.state.log.clear()
        made = Pair(slipway, source, target, name)
        yield made
        assert made.right() in (True, False)


def bytes_of(entries):
    return sum(e["body"] for e in entries)


def test_the_upload_begins_before_the_download_ends(pair):
    """The source gives the second half only when the destination has bytes of the first."""
    seen = []
    pair.source.rule(method="GET", path=pair.layer, hold_at=SIZE // 2,
                     hold=lambda: seen.append(processes.wait_until(lambda: bytes_of(pair.sent()) > 0, 20)))
    pair.copy().ok()
    assert seen == [True]
    assert len(pair.downloads()) == len(pair.sent()) == 1
    pair.done()


def test_a_slow_source_is_no_stall(pair):
    pair.source.rule(method="GET", path=pair.layer, hold_at=SIZE // 2, hold=lambda: time.sleep(2))
    pair.copier.env["SLIPWAY_TEST_STALL_MS"] = "5000"
    pair.copy().ok()
    assert len(pair.sent()) == 1
    pair.done()


@pytest.mark.parametrize("rules", [
    [{"reset": 1}], [{"reset": SIZE // 2}], [{"truncate": SIZE // 2}, {"status": 503}, {"truncate": SIZE // 2 - 100}],
    [{"truncate": SIZE // 2}, {"ignore_range": True}], [{"truncate": SIZE - 1}, {"status": 416}],
], ids=["reset early", "reset", "breaks", "no ranges", "416"])
def test_a_source_that_breaks(pair, rules):
    """Resumed, or begun again, below an upload that goes on: it is sent once."""
    for rule in rules:
        pair.source.rule(method="GET", path=pair.layer, **rule)
    pair.copy().ok()
    assert len(pair.downloads()) == len([r for r in rules if "ignore_range" not in r]) + 1 and len(pair.sent()) == 1
    pair.done()


@pytest.mark.parametrize("at", [0, SIZE // 2, SIZE - 1])
def test_wrong_bytes_of_the_source(pair, at):
    """They are sent, but for the last, and the session given up; the right ones go into another."""
    pair.source.rule(method="GET", path=pair.layer, corrupt=at)
    pair.copy().ok()
    assert len(pair.downloads()) == 2 and len(pair.sent()) in (1, 2)
    for entry in pair.sent()[:-1]:
        assert entry["body"] < SIZE, "wrong bytes were sent to their end"
    assert len(pair.at(pair.target, "DELETE", "/uploads/")) == len(pair.sent()) - 1
    pair.done()


@pytest.mark.parametrize("rules, words", [
    ([{"corrupt": 1000, "times": -1}], ["once more", "digest"]),
    ([{"truncate": SIZE // 2}, {"status": 404, "times": -1}], ["404"]),
    ([{"truncate": SIZE // 2}, {"status": 503, "times": -1}], ["503"]),
], ids=["corrupt", "404", "503"])
def test_a_source_that_fails_for_good(pair, rules, words):
    for rule in rules:
        pair.source.rule(method="GET", path=pair.layer, **rule)
    pair.copier.unfinished_allowed = True
    pair.copy("--progress", "plain").fails("copy", pair.layer, f"{pair.source.host}/team/app", *words)
    assert not pair.right() and ("b/c", pair.layer) not in pair.target.state.blobs
    assert not pair.target.state.uploads, "a session was left"
    assert len(pair.sent()) <= 2
    blobs, _ = pair.kept()
    assert not blobs
    # What is left is done by the next, and no byte fetched twice.
    with pair.source.state.lock:
        pair.source.state.rules.clear()
        pair.source.state.log.clear()
    pair.copy().ok()
    if "truncate" in rules[0]:
        assert pair.downloads()[0]["headers"]["Range"] == f"bytes={SIZE // 2}-"
    pair.done()


def test_a_source_that_refuses_opens_no_session(pair):
    pair.source.rule(method="GET", path=pair.layer, status=404, times=-1)
    pair.copy().fails(pair.layer, "404")
    assert not [e for e in pair.at(pair.target, "PUT", "/uploads/") if pair.layer[7:] in e["path"]]
    assert not pair.target.state.uploads and not pair.right()


@pytest.mark.parametrize("rule", [
    {"method": "PUT", "reset_upload": 0}, {"method": "PUT", "reset_upload": SIZE // 2}, {"method": "PUT", "reset_after": True},
    {"method": "PUT", "status": 503}, {"method": "PUT", "status": 404, "body": '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}'},
    {"method": "PUT", "expect": 417},
], ids=["reset at once", "reset", "lost answer", "503", "session lost", "417"])
def test_a_destination_that_breaks(pair, rule):
    """What was fetched is sent again from here."""
    pair.target.rule(path="/uploads/.*" + pair.layer[7:], only_body=SIZE, **rule)
    pair.copy().ok()
    assert len(pair.downloads()) == 1
    assert bytes_of(pair.sent()) <= 2 * SIZE + 200000
    pair.done()


def test_a_destination_behind_a_small_proxy(pair):
    """413: in pieces, of which none is sent before all is here and right."""
    pair.target.state.settings["max_body"] = 1000000
    pair.copy().ok()
    assert len(pair.downloads()) == 1 and len(pair.at(pair.target, "PATCH", "/uploads/")) >= 3
    pair.done()


@pytest.mark.parametrize("silent", [True, False], ids=["before the first byte", "in the middle"])
def test_a_destination_that_refuses_does_not_wait_for_the_source(pair, silent):
    end = threading.Event()
    hold = {"delay": 30} if silent else {"hold_at": SIZE // 2, "hold": lambda: end.wait(30)}
    pair.source.rule(method="GET", path=pair.layer, **hold)
    pair.target.rule(method="POST", path="/uploads/", status=403, times=-1)
    pair.copier.unfinished_allowed = True
    try:
        assert pair.copy().fails("b/c", "403").seconds < 10
    finally:
        end.set()
    assert not pair.right()


def test_nothing_is_fetched_that_is_there(pair):
    data = pair.source.state.blobs["team/app", pair.layer]
    pair.target.state.blobs["b/c", pair.layer] = data
    pair.copy().ok()
    assert not pair.downloads() and not pair.sent()
    pair.done()
    # What the store has is not fetched either, and stays.
    pair.target.state.blobs.clear()
    pair.target.state.manifests.clear()
    pair.slipway("copy", pair.name, pair.there).ok()
    assert not pair.downloads() and pair.right()
    read_layout(pair.slipway.root, pair.name).verify()


def test_an_interrupted_copy(pair):
    """Ctrl-C in the middle: no session stays, and the next copy goes on where this one was."""
    end = threading.Event()
    pair.source.rule(method="GET", path=pair.layer, hold_at=SIZE // 2, hold=lambda: end.wait(30))
    running = pair.copier.start("copy", pair.name, pair.there)
    config = json.loads(pair.source.state.manifests["team/app", "1"][1])["config"]["digest"]
    # A session whose address is still on its way when the user ends it cannot be given back: the configuration's is over.
    assert processes.wait_until(lambda: bytes_of(pair.sent()) > SIZE // 4 and ("b/c", config) in pair.target.state.blobs)
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=20)
    assert running.returncode == 130 and time.monotonic() - began < 20
    end.set()
    assert processes.wait_until(lambda: not pair.target.state.uploads)
    blobs, partial = pair.kept()
    # The registry has the configuration; that it has may not have been heard.
    assert not blobs and not pair.right()
    assert pair.layer[7:] + ".part" in partial and set(partial) <= {d[7:] + ".part" for d in (pair.layer, config)}
    pair.copy().ok()
    assert pair.downloads()[-1]["headers"].get("Range")
    pair.done()


def test_a_copy_interrupted_before_the_answer(pair):
    """The registry has stored the last blob, and the client was gone before it heard so: the next copy cleans up."""
    pair.target.rule(method="PUT", path="/uploads/.*" + pair.layer[7:], delay=30)
    running = pair.copier.start("copy", pair.name, pair.there)
    assert processes.wait_until(lambda: ("b/c", pair.layer) in pair.target.state.blobs)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=20)
    assert running.returncode == 130
    assert pair.layer[7:] + ".part" in pair.kept()[1]
    pair.copy().ok()
    assert len(pair.downloads()) == len(pair.sent()) == 1
    pair.done()


def test_two_copies_at_once(pair):
    """Of one store: each is whole."""
    second = [pair.copier.start("copy", pair.name, f"{pair.target.host}/b/c:{n}") for n in (2, 2)]
    for running in second:
        _, said = running.communicate(timeout=60)
        assert running.returncode == 0, said
    pair.done()


SOURCE_FAULTS = [{"reset": SIZE // 3}, {"truncate": SIZE // 2}, {"truncate": 0}, {"status": 500}, {"status": 429}, {"corrupt": SIZE // 2},
                 {"ignore_range": True}, {"status": 404}, {"delay": 0.1}]
TARGET_FAULTS = [{"reset_upload": SIZE // 3}, {"reset_after": True}, {"status": 502}, {"status": 404}, {"status": 416}, {"status": 403},
                 {"delay": 0.1}]


def test_random_faults_of_both_sides(pair, count):
    """Success, or an error with nothing wrong on either side; and then a copy without faults does what is left."""
    pair.copier.unfinished_allowed = True
    done = 0
    for seed in range(count(12, 300)):
        dice = random.Random(seed)
        for registry, faults, methods in ((pair.source, SOURCE_FAULTS, ["GET"]), (pair.target, TARGET_FAULTS, ["POST", "PUT", "HEAD"])):
            for _ in range(dice.randrange(3)):
                registry.rule(method=dice.choice(methods), path="/blobs/", skip=dice.randrange(2), **dice.choice(faults))
        result = pair.copy(timeout=60)
        assert result.code in (0, 1), f"seed {seed}: {result}"
        assert pair.right() == (result.code == 0), f"seed {seed}: {result}"
        done += result.code == 0
        assert not pair.kept()[0], f"seed {seed}"
        for registry in (pair.source, pair.target):
            with registry.state.lock:
                registry.state.rules.clear()
        assert result.code == 0 or pair.copy().ok() and pair.right(), f"seed {seed}"
        with pair.target.state.lock:
            pair.target.state.blobs.clear()
            pair.target.state.manifests.clear()
    assert done


@pytest.mark.slow  # what the sanitizers add to memory is not the program's
def test_memory_of_a_copy(binary, slipway, folder):
    """From one embedded registry to another: the same whatever the size."""
    source, target = Serve(binary, folder / "source"), Serve(binary, folder / "target")
    try:
        layer = source.blob("a", os.urandom(1 << 20) * 150)
        source.put("a", "1", {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [layer],
                              "config": {**source.blob("a", b"{}"), "mediaType": "application/vnd.oci.image.config.v1+json"}})
        peak = processes.peak_memory(slipway.start("copy", f"{source.host}/a:1", f"{target.host}/b:1"))
        assert 1 << 10 < peak < 64 << 10, f"{peak} KiB"
        assert target("HEAD", f"/v2/b/blobs/{layer['digest']}").status == 200
        assert not (slipway.root / "blobs/sha256" / layer["digest"][7:]).exists()
    finally:
        source.stop()
        target.stop()

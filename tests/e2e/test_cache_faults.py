"""A remote cache that is gone, broken, slow or lies: a build ends well all the same, and soon."""
import gzip
import hashlib
import json
import pathlib
import re
import signal
import socket
import sys

import pytest

from helpers import processes
from helpers.images import entry, make_tar, read_layout
from helpers.registry import free_port

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fakes"))
from fault_registry import FaultRegistry  # noqa: E402

TEXT = "FROM tiny\nRUN cat /proc/sys/kernel/random/uuid > /one\nRUN cp /one /two\nCOPY f /f\n"
# Where it does not matter what a step is, copies are made in no time; whether they were made anew, CACHED tells.
PLAIN = "FROM scratch\nCOPY f /one\nCOPY f /two\nCOPY f /f\n"
FIELD = "slipway.cache"


@pytest.fixture
def fault():
    with FaultRegistry() as running:
        yield running


@pytest.fixture
def world(fault, slipway, build):
    return World(fault, slipway, build)


class World:
    """A registry that misbehaves, with the cache of a build in it."""

    def __init__(self, fault, slipway, build):
        self.fault, self.slipway, self.make = fault, slipway, build
        self.name = f"{fault.host}/team/cache:main"

    def build(self, slipway, *options, content="content", text=PLAIN):
        top = self.make.context({"Dockerfile": text, "f": content})
        return slipway.build(top, "-t", "app:1", "--progress", "plain", *self.make.options, *options)

    def export(self, *options, text=PLAIN):
        return self.build(self.slipway, "--cache-to", f"type=registry,ref={self.name},mode=max", *options, text=text).ok()

    def again(self, *options, content="content", text=PLAIN, **fields):
        """Builds with the cache in a store of its own: (result, tree), the image being whole."""
        other = self.slipway.other()
        other.unfinished_allowed = True
        spec = "".join(f",{key}={value}" for key, value in fields.items())
        result = self.build(other, "--cache-from", f"type=registry,ref={self.name}{spec}", "--load", *options,
                            content=content, text=text).ok()
        assert not [line for line in result.err.splitlines() if "ERROR" in line], str(result)
        if "--load=false" in options:
            # What no step needed may still be at the registry.
            other("save", "-o", other.folder / "whole.tar", "app:1").ok()
        tree = read_layout(other.root, "app:1").verify().tree()
        assert tree.text("/one") == tree.text("/two") and tree.text("/f") == content
        return result, tree

    @property
    def original(self):
        return read_layout(self.slipway.root, "app:1").verify().tree().text("/one")

    @property
    def manifest(self):
        return json.loads(self.fault.state.manifests["team/cache", "main"][1])

    @property
    def layers(self):
        return [layer["digest"] for layer in self.manifest["layers"]]

    def config(self):
        return json.loads(self.fault.state.blobs["team/cache", self.manifest["config"]["digest"]])

    def put(self, data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.fault.state.blobs["team/cache", digest] = data
        return {"digest": digest, "size": len(data)}

    def replace(self, config=None, manifest=None):
        """Another configuration, bytes or a document, under the same name; or another manifest."""
        if config is not None:
            data = config if isinstance(config, bytes) else json.dumps(config).encode()
            manifest = {**self.manifest, "config": {**self.manifest["config"], **self.put(data)}}
        data = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        entry_ = ("application/vnd.oci.image.manifest.v1+json", data)
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.fault.state.manifests["team/cache", "main"] = self.fault.state.manifests["team/cache", digest] = entry_


def cached(result):
    """How many steps, FROM apart."""
    froms = re.findall(r"^#(\d+) \[[^]]*\] FROM ", result.err, re.M)
    return len([number for number in re.findall(r"^#(\d+) CACHED", result.err, re.M) if number not in froms])


def test_it_works_when_nothing_is_wrong(world):
    world.export(text=TEXT)
    result, tree = world.again(text=TEXT)
    assert tree.text("/one") == world.original and "goes on without" not in result.err and cached(result) == 3
    world.export()
    assert cached(world.again()[0]) == 3


RECORDS = {
    "no object": lambda field: [],
    "another version": lambda field: {**field, "version": 2},
    "no records": lambda field: {"version": 1},
    "records of text": lambda field: {**field, "records": ["x"]},
    "a layer that is not there": lambda field: {**field, "records": [{**field["records"][0], "layer": 3}]},
    "a negative layer": lambda field: {**field, "records": [{**field["records"][0], "layer": -1}]},
    "a key that climbs": lambda field: {**field, "records": [{**field["records"][0], "key": "../../../../etc/passwd"}]},
    "an upper-case key": lambda field: {**field, "records": [{**field["records"][0], "key": "A" * 64}]},
    "no key": lambda field: {**field, "records": [{"kind": "run", "layer": 0, "uncompressed": 1, "created": 1}]},
    "a time beyond all calendars": lambda field: {**field, "records": [{**field["records"][0], "created": 1 << 62}]},
    "a kind with a path": lambda field: {**field, "records": [{**field["records"][0], "kind": "../x"}]},
    "an image without a key": lambda field: {**field, "images": [{"created": 1}]},
}


@pytest.mark.parametrize("name", RECORDS)
def test_malformed_records(world, name):
    world.export()
    config = world.config()
    world.replace(config={**config, FIELD: RECORDS[name](config[FIELD])})
    result, _ = world.again()
    assert result.err.count("the build goes on without it") == 1 and cached(result) == 0


@pytest.mark.parametrize("config", [b"", b"{", b"null", b"\x00\xff", b"[" * 100000, b'{"rootfs":{"type":"layers","diff_ids":[]}}'])
def test_malformed_configurations(world, config):
    world.export()
    world.replace(config=config)
    result, _ = world.again()
    assert result.err.count("the build goes on without it") == 1 and cached(result) == 0


@pytest.mark.parametrize("manifest", [b"", b"{", b"[]", b'{"schemaVersion":2}', b'{"schemaVersion":1,"name":"x"}'])
def test_malformed_manifests(world, manifest):
    world.export()
    world.replace(manifest=manifest)
    result, _ = world.again()
    assert result.err.count("the build goes on without it") == 1 and cached(result) == 0


def test_bytes_that_were_changed_on_the_way(world):
    world.export()
    world.fault.rule(method="GET", path="/manifests/", corrupt=20, times=-1)
    result, _ = world.again()
    assert result.err.count("the build goes on without it") == 1 and cached(result) == 0
    world.fault.state.rules.clear()
    world.fault.rule(method="GET", path=world.manifest["config"]["digest"], corrupt=20, times=-1)
    result, _ = world.again()
    assert result.err.count("the build goes on without it") == 1 and cached(result) == 0


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("load", [True, False])
def test_a_layer_that_is_gone(world, which, load):
    """Whether a step needs it (the last file is another one), or only the result."""
    world.export(text=TEXT)
    del world.fault.state.blobs["team/cache", world.layers[which]]
    result, tree = world.again(*([] if load else ["--load=false"]), text=TEXT)
    assert "the steps that it stood for are carried out" in result.err
    assert (tree.text("/one") == world.original) == (which != 0)
    assert result.err.count("are carried out") == 1


def test_a_layer_that_is_gone_when_a_step_needs_it(world):
    world.export(text=TEXT)
    del world.fault.state.blobs["team/cache", world.layers[0]]
    text = TEXT.replace("COPY f /f\n", "RUN cmp /one /two\nCOPY f /f\n")
    result, tree = world.again(text=text)
    assert "are carried out" in result.err and tree.text("/one") != world.original


def test_all_layers_are_gone(world):
    world.export(text=TEXT)
    config = world.manifest["config"]["digest"]
    for key in list(world.fault.state.blobs):
        if key[1] != config:
            del world.fault.state.blobs[key]
    result, tree = world.again(text=TEXT)
    assert tree.text("/one") != world.original and 1 <= result.err.count("are carried out") <= 3


@pytest.mark.parametrize("rule", [{"corrupt": 0}, {"status": 403}, {"status": 500}, {"truncate": 0}, {"reset": 0},
                                  {"delay": 60}, {"status": 429, "headers": {"Retry-After": "300"}},
                                  {"status": 307, "headers": {"Location": "http://169.254.169.254/x"}}],
                         ids=lambda rule: "-".join(map(str, rule)) + str(rule.get("status", "")))
def test_layers_that_cannot_be_fetched(world, rule):
    world.export()
    world.fault.rule(method="GET", path="|".join(world.layers), times=-1, **rule)
    result, _ = world.again(**({"timeout": "3s"} if "delay" in rule else {}))
    # In vain: the steps were begun again, at once or one after the other, as their layers turned out to be lost; those that were
    # carried out meanwhile are hits then.
    assert 3 <= cached(result) <= 3 + 2 + 1
    assert 1 <= result.err.count("are carried out") <= 3
    assert result.seconds < 30


def test_a_diff_id_that_lies(world):
    """Keys above were made with it: whoever counted on the layer finds out before anything is made of it."""
    world.export(text=TEXT)
    config = world.config()
    wrong = "sha256:" + "1" * 64
    config["rootfs"]["diff_ids"][0] = wrong
    world.replace(config=config)
    text = TEXT.replace("RUN cp", "RUN true && cp")
    result, tree = world.again(text=text)
    assert "are carried out" in result.err and tree.text("/one") != world.original


def test_a_diff_id_that_is_another_layers(world):
    world.export(text=TEXT)
    config = world.config()
    ids = config["rootfs"]["diff_ids"]
    ids[0], ids[1] = ids[1], ids[0]
    world.replace(config=config)
    result, _ = world.again(text=TEXT.replace("RUN cp", "RUN true && cp"))
    assert "are carried out" in result.err


def test_a_layer_that_is_none(world):
    """Right digest and diff ID, but no tar; and a tar whose names leave the root."""
    world.export(text=TEXT)
    for bytes_ in (b"no tar at all" * 100, make_tar([entry("../evil", data=b"x")])):
        packed = gzip.compress(bytes_)
        config, manifest = world.config(), world.manifest
        config["rootfs"]["diff_ids"][0] = "sha256:" + hashlib.sha256(bytes_).hexdigest()
        manifest["layers"][0].update(world.put(packed))
        manifest["config"].update(world.put(json.dumps(config).encode()))
        world.replace(manifest=manifest)
        result, tree = world.again(text=TEXT.replace("RUN cp", "RUN true && cp"))
        assert "are carried out" in result.err and tree.text("/one") != world.original


SLOW = [{"delay": 60}, {"drip": 0.2}]


@pytest.mark.parametrize("rule", SLOW, ids=["hangs", "drips"])
def test_a_registry_that_does_not_answer_in_time(world, rule):
    world.export()
    world.fault.rule(path="/v2/", times=-1, **rule)
    result, _ = world.again(timeout="1s")
    assert result.err.count("the build goes on without it") == 1 and "1s" in result.err
    assert result.seconds < 20  # of which the clock takes one; the sanitized binary the rest


def test_a_registry_that_accepts_and_says_nothing(world, slipway):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        world.name = f"127.0.0.1:{silent.getsockname()[1]}/a/b:c"
        result, _ = world.again(timeout="1s")
        assert "the build goes on without it" in result.err
        result = world.build(slipway, "--cache-to", f"type=registry,ref={world.name},timeout=1s").ok()
        assert "was not written" in result.err and result.seconds < 20


@pytest.mark.parametrize("option", ["--cache-from", "--cache-to"])
def test_the_user_need_not_wait_for_it(world, slipway, option):
    world.fault.rule(path="/v2/", times=-1, delay=60)
    top = world.make.context({"Dockerfile": PLAIN, "f": "x"})
    process = slipway.start("build", option, world.name, top)
    assert processes.wait_until(lambda: world.fault.log)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, (out, err)


def test_a_registry_that_is_not_there(world):
    world.name = f"127.0.0.1:{free_port()}/a/b:c"
    assert "was not written" in world.export().err
    result, _ = world.again()
    assert result.err.count("the build goes on without it") == 1 and cached(result) == 0


ANSWERS = [{"status": 401}, {"status": 403}, {"status": 500}, {"status": 503},
           {"status": 429, "headers": {"Retry-After": "300"}}, {"status": 200, "body": "<html>welcome</html>"},
           {"status": 302, "headers": {"Location": "http://169.254.169.254/latest"}}, {"reset": 0}]


@pytest.mark.parametrize("rule", ANSWERS, ids=lambda rule: str(rule.get("status", "reset")))
def test_answers_that_are_none(world, rule):
    world.export()
    world.fault.rule(path="/v2/team/cache/manifests/", times=-1, **rule)
    result, _ = world.again()
    assert result.err.count("the build goes on without it") == 1 and cached(result) == 0
    assert result.seconds < 30


def test_a_login_that_is_refused(world):
    world.export()
    world.fault.state.settings["auth"] = "bearer"
    result, _ = world.again()
    assert result.err.count("the build goes on without it") == 1 and cached(result) == 0
    assert "slipway login" in result.err or "denied" in result.err.lower() or "401" in result.err


@pytest.mark.parametrize("rule", [{"method": "PUT", "path": "/manifests/", "status": 500},
                                  {"method": "PUT", "path": "/manifests/", "status": 405, "body":
                                   '{"errors":[{"code":"UNSUPPORTED","message":"Invalid parameter"}]}'},
                                  {"method": "POST", "path": "/uploads/", "status": 401},
                                  {"method": "PUT", "path": "/uploads/", "reset_upload": 10},
                                  {"method": "POST", "path": "/uploads/", "status": 429,
                                   "headers": {"Retry-After": "300"}}],
                         ids=["500", "405", "401", "reset", "429"])
def test_a_cache_that_cannot_be_written(world, rule):
    world.fault.rule(times=-1, **rule)
    result = world.export()
    assert "was not written" in result.err and result.seconds < 30
    assert ("team/cache", "main") not in world.fault.state.manifests
    strict = world.build(world.slipway, "--cache-to", f"type=registry,ref={world.name},ignore-error=false")
    strict.fails("cache", world.name)


def test_export_after_a_start_over_has_what_was_built(world):
    world.export(text=TEXT)
    gone = world.layers[0]
    del world.fault.state.blobs["team/cache", gone]
    world.again("--cache-to", f"type=registry,ref={world.name}", text=TEXT)
    assert gone not in world.layers
    result, tree = world.again(text=TEXT)
    assert "are carried out" not in result.err and cached(result) == 3
    assert tree.text("/one") != world.original


@pytest.mark.parametrize("rule", [{"status": 500}, {"corrupt": 30}, {"diff_id": "sha256:" + "1" * 64}],
                         ids=["500", "corrupt", "diff-id"])
def test_push_to_another_registry_does_not_depend_on_the_cache(world, slipway, rule):
    """Layers that are not where the result goes are fetched, and looked at, before the image is made of them."""
    world.export(text=TEXT)
    if "diff_id" in rule:
        config = world.config()
        config["rootfs"]["diff_ids"][2] = rule["diff_id"]
        world.replace(config=config)
    else:
        world.fault.rule(method="GET", path="|".join(world.layers), times=-1, **rule)
    other = slipway.other()
    other.unfinished_allowed = True
    with FaultRegistry() as target:
        result = other.build(
            world.make.context({"Dockerfile": TEXT, "f": "content"}), "-t", f"{target.host}/team/app:1", "--push",
            *world.make.options, "--progress", "plain", "--cache-from", f"type=registry,ref={world.name}").ok()
        assert "the steps that it stood for are carried out" in result.err
        third = slipway.other()
        third("pull", f"{target.host}/team/app:1").ok()
        tree = read_layout(third.root, f"{target.host}/team/app:1").verify().tree()
    assert tree.text("/one") == tree.text("/two") and tree.text("/f") == "content"

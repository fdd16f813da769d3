"""Power cuts under registry serve: what was answered lasts, a tag never stands for half an image, and the next start and push
need no repair."""
import os
import random
import shutil
import signal

import pytest

from helpers.power import CALLS, WAYS, Disk, parse
from helpers.serve import Serve, digest_of

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("strace"), reason="needs: strace")]


class Recorded(Serve):
    """The server under strace; its calls are there when it has ended."""

    def __init__(self, binary, folder):
        self.calls_file = folder / "calls"
        options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"]))
        super().__init__(binary, folder, env={"ASAN_OPTIONS": options})

    def command(self):
        return ["strace", "-f", "-qq", "-y", "-xx", "-s", str(64 << 20), "-e", "signal=none", "-e",
                "trace=" + ",".join(CALLS), "-o", self.calls_file, *super().command()]

    def calls(self):
        # strace itself does not end before what it watches.
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)
        assert self._ended() == 0, self.log()
        # What goes to a client changes no disk.
        return [c for c in parse(self.calls_file.read_text().splitlines()) if c.name != "sendfile"]


def check(serve, wanted):
    """wanted: {tag: digest, or None where the tag may be missing too}."""
    found = serve("GET", "/v2/power/app/tags/list")
    tags = found.json()["tags"] if found.status == 200 else []
    assert set(tags) <= set(wanted)
    for tag in tags:
        manifest = serve("GET", f"/v2/power/app/manifests/{tag}")
        assert manifest.status == 200, tag
        for blob in (manifest.json()["config"], *manifest.json()["layers"]):
            assert digest_of(serve("GET", f"/v2/power/app/blobs/{blob['digest']}").body) == blob["digest"]
    for tag, digest in wanted.items():
        if digest:
            assert tag in tags and digest_of(serve("GET", f"/v2/power/app/manifests/{tag}").body) == digest


def test_pushes(binary, slipway, folder, count):
    own = slipway.other()
    place = folder / "serve"
    serve = Serve(binary, place)
    serve.stop()
    disk = Disk(serve.root)
    recorded = Recorded(binary, place)
    first = recorded.image("power/app", "1", "one")["digest"]
    session = recorded.upload("power/app")
    assert recorded("PATCH", session, b"chunked ").status == 202
    assert recorded("PUT", f"{session}?digest={digest_of(b'chunked upload')}", b"upload").status == 201
    second = recorded.image("power/app", "2", "two")["digest"]
    body = recorded("GET", "/v2/power/app/manifests/2").body
    assert recorded.put("power/app", "1", body)[0].status == 201
    calls = disk.own(recorded.calls())
    assert len(calls) > 30, "the recorder saw next to nothing"
    last = len(calls) - 1
    chosen = [(number, way) for number in range(last) for way in WAYS]
    if count(1, 0):
        chosen = random.Random(last).sample(chosen, count(6, None))
    own.env["SLIPWAY_ROOT"] = str(serve.root)
    own.unfinished_allowed = True
    for number, call in enumerate(calls):
        disk.apply(call)
        for way in WAYS:
            if (number, way) not in chosen and number != last:
                continue
            try:
                disk.crash(way, number).write(serve.root)
                serve.port = 0
                serve.start()
                check(serve, {"1": second, "2": second} if number == last else {"1": None, "2": None})
                if number == last:
                    assert serve("GET", f"/v2/power/app/blobs/{digest_of(b'chunked upload')}").body == b"chunked upload"
                assert serve.image("power/app", "1", "one")["digest"] == first
                assert serve.stop() == 0
                own("fsck").ok()
            except BaseException:
                print(f"power cut after call {number} of {last}, {call}, way: {way}")
                raise

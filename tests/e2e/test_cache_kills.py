"""A build of parallel stages with cache mounts, killed at any moment: the next one succeeds, with the right result."""
import hashlib
import json
import os
import random
import signal
import subprocess

import pytest

from helpers import processes
from helpers.images import read_layout

DOCKERFILE = """FROM tiny AS common
COPY common /common
RUN cp -r /common /made
FROM common AS left
RUN --mount=type=cache,target=/cache,id=c,sharing=locked echo left >> /cache/log && cp /made/f /left && sleep 0.1
RUN --mount=type=bind,source=src,target=/src cat /src/a /left > /both
FROM common AS right
RUN --mount=type=cache,target=/cache,id=c,sharing=locked echo right >> /cache/log && cp /made/f /right && sleep 0.1
RUN --mount=type=cache,target=/own,sharing=private echo x > /own/x && rm -r /made
FROM tiny AS third
RUN --mount=type=cache,target=/shared echo y > /shared/y && dd if=/dev/zero of=/zeros bs=65536 count=30 2>/dev/null
FROM tiny
COPY --from=left /both /left /l/
COPY --from=right /right /r/
COPY --from=third /zeros /zeros
RUN --mount=from=right,target=/m ls /m > /seen
WORKDIR /w
"""
FILES = {"Dockerfile": DOCKERFILE, "common/f": os.urandom(60000), "src/a": "a"}


def sound(slipway):
    slipway("fsck").ok()
    for blob in (slipway.root / "blobs/sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    json.loads((slipway.root / "index.json").read_text())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["KILL", "TERM"])
def test_killed_at_any_moment(slipway, context, tiny, count, number):
    options = ["--build-context", f"tiny=oci-layout:{tiny}", "--timestamp", "1000000000"]
    top = context(FILES)
    undisturbed = slipway.other()
    took = undisturbed.build(top, "-t", "app:1", *options).ok().seconds
    wanted = read_layout(undisturbed.root, "app:1").verify().descriptor["digest"]
    slipway.unfinished_allowed = True
    moments = random.Random(54)
    rounds = count(8, 150)
    for one in range(rounds):
        # Now and then from the beginning, else on from where the last one came to.
        again = ["--no-cache"] if one % 3 == 0 else []
        process = slipway.start("build", "-t", "app:1", *options, *again, top)
        try:
            process.wait(timeout=moments.uniform(0, took * 1.1))
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        process.communicate(timeout=30)
        assert processes.wait_until(lambda: not processes.descendants()), processes.descendants()
        index = slipway.root / "index.json"
        if index.exists():
            json.loads(index.read_text())
    slipway.build(top, "-t", "app:1", *options, timeout=120).ok()
    sound(slipway)
    image = read_layout(slipway.root, "app:1").verify()
    assert image.descriptor["digest"] == wanted
    assert image.tree()["l/both"].data == b"a" + FILES["common/f"]
    # Nobody holds the lock of a cache mount any more, and what ended whole is still in it.
    top.joinpath("Dockerfile").write_text(
        "FROM tiny\nRUN --mount=type=cache,target=/cache,id=c,sharing=locked sort -u /cache/log > /log\n")
    slipway.build(top, "-t", "log:1", *options[:2], timeout=60).ok()
    assert read_layout(slipway.root, "log:1").tree().text("/log") == "left\nright\n"

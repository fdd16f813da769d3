"""Full disks, kills, damaged blobs, many at once: a clear error or a right result, and a store that stays sound."""
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from helpers import processes
from helpers.images import read_layout

DOCKERFILE = """FROM tiny
COPY data /data
RUN cp /data/f /copy && echo x > /x
WORKDIR /w
COPY more /more
"""
FILES = {"Dockerfile": DOCKERFILE, "data/f": os.urandom(300000), "more": "m"}
EPOCH = ["--build-arg", "SOURCE_DATE_EPOCH=1000000000", "--timestamp", "1000000000"]


@pytest.fixture
def options(tiny):
    return ["--build-context", f"tiny=oci-layout:{tiny}", *EPOCH]


def sound(slipway):
    """fsck is content, and every blob has the digest of its name."""
    slipway("fsck").ok()
    for blob in (slipway.root / "blobs/sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    json.loads((slipway.root / "index.json").read_text())


@contextlib.contextmanager
def small_disk(slipway, what):
    slipway.root.mkdir(mode=0o700, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=0700,{what}", "none", slipway.root], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", slipway.root], check=True)


@pytest.mark.root
@pytest.mark.parametrize("what, words", [("size=600k", ["space"]), ("size=1200k", ["space"]), ("size=1700k", ["space"]),
                                         ("nr_inodes=12", ["space"]), ("nr_inodes=40", ["space"])])
def test_full_disk(slipway, context, options, what, words):
    top = context(FILES)
    with small_disk(slipway, what):
        failed = slipway.build(top, "-t", "app:1", *options).fails(*words)
        assert str(slipway.root) in failed.err or "app" in failed.err or "Dockerfile" in failed.err
        left = [p for p in (slipway.root / "ingest").rglob("*") if p.is_file()] if (slipway.root / "ingest").exists() else []
        assert left == [], "half-written blobs take the space that is missing"
        subprocess.run(["mount", "-o", "remount,size=200m,nr_inodes=100000", slipway.root], check=True)
        slipway.build(top, "-t", "app:1", *options).ok()
        sound(slipway)
        read_layout(slipway.root, "app:1").verify()


@pytest.mark.root
@pytest.mark.parametrize("mode", ["root", "chroot"])
def test_full_disk_within_a_step(slipway, context, options, mode):
    """A program's own words tell of no state folder."""
    slipway.env["SLIPWAY_SANDBOX"] = mode
    top = context({"Dockerfile": "FROM tiny\nRUN head -c 100000000 /dev/zero > /big\n"})
    with small_disk(slipway, "size=20m"):
        slipway.build(top, *options).fails("exit code: 1", f"free space on the file system of {slipway.root}")
    assert "free space" not in slipway.build(context({"Dockerfile": "FROM tiny\nRUN exit 3\n"}), *options).fails("exit code: 3").err


@pytest.mark.root
def test_full_disk_for_an_output(slipway, context, options, folder):
    top = context(FILES)
    out = folder / "small"
    out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", out], check=True)
    try:
        slipway.build(top, "-t", "app:1", *options, "--output", f"type=oci,dest={out}/image.tar").fails("space", "image.tar")
        assert os.listdir(out) == [], "no half-written archive"
    finally:
        subprocess.run(["umount", out], check=True)


def test_kill_at_any_time(slipway, context, options, count):
    """The result after any number of kills is the image that an undisturbed build makes."""
    top = context(FILES)
    undisturbed = slipway.other()
    took = undisturbed.build(top, "-t", "app:1", *options).ok().seconds
    wanted = read_layout(undisturbed.root, "app:1").descriptor["digest"]
    slipway.unfinished_allowed = True
    rounds = count(15, 200)
    for number in range(rounds):
        process = slipway.start("build", "-t", "app:1", *options, top)
        time.sleep(took * 1.1 * number / rounds)
        process.kill()
        process.communicate(timeout=20)
        index = slipway.root / "index.json"
        if index.exists():
            json.loads(index.read_text())
        for blob in (slipway.root / "blobs/sha256").glob("*"):
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    assert processes.wait_until(lambda: not processes.descendants())
    slipway.build(top, "-t", "app:1", *options).ok()
    sound(slipway)
    assert read_layout(slipway.root, "app:1").verify().descriptor["digest"] == wanted


DAMAGES = {"bit": lambda d: bytes([d[0] ^ 1]) + d[1:], "cut": lambda d: d[:-1], "empty": lambda d: b"",
           "longer": lambda d: d + b"x"}


@pytest.mark.parametrize("which", ["layer", "config", "manifest"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_blobs_are_never_used(login, registry, context, options, which, damage):
    name = f"{registry.host}/damaged/{which}-{damage}:1"
    top = context(FILES)
    login.build(top, "-t", name, *options).ok()
    image = read_layout(login.root, name)
    digest = {"layer": image.layers[-1]["digest"], "config": image.manifest["config"]["digest"],
              "manifest": image.descriptor["digest"]}[which]
    blob = image.blob(digest)
    blob.chmod(0o600)
    blob.write_bytes(DAMAGES[damage](blob.read_bytes()))
    since = registry.mark()
    login("push", name).fails(digest[7:19])
    assert not [r for r in registry.requests(since) if r[0] == "PUT" and "/manifests/" in r[1]]
    found = login("fsck")
    assert found.code == 1 or not blob.exists(), str(found)
    # Building again makes what is missing.
    login.build(top, "-t", name, *options).ok()
    login("fsck", "--repair")
    sound(login)
    login("push", name).ok()
    assert read_layout(login.root, name).verify().descriptor["digest"] == image.descriptor["digest"]
    login.unfinished_allowed = True  # what was damaged is kept aside


def test_everything_but_blobs_and_index_can_go(slipway, context, options):
    top = context(FILES)
    slipway.build(top, "-t", "app:1", *options).ok()
    before = read_layout(slipway.root, "app:1").descriptor["digest"]
    for name in ("meta", "cache", "layers", "leases", "ingest"):
        subprocess.run(["rm", "-rf", slipway.root / name], check=True)
    slipway("images").ok()
    slipway("fsck", "--repair").ok()
    assert slipway("run", "app:1", "cat", "/x").ok().out == "x\n"
    slipway.build(top, "-t", "app:2", *options).ok()
    assert read_layout(slipway.root, "app:2").verify().descriptor["digest"] == before


def test_a_state_folder_that_goes_away(slipway, context, options):
    top = context({**FILES, "Dockerfile": DOCKERFILE + "RUN echo waiting && sleep 2\nCOPY more /last\n"})
    process = slipway.start("build", "--progress", "plain", "-t", "app:1", *options, top)
    assert processes.wait_until(lambda: "sleep" in processes.descendants(process.pid).values())
    slipway.root.rename(slipway.folder / "moved")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and process.returncode != -signal.SIGSEGV, (out + err).decode()
    (slipway.folder / "moved").rename(slipway.root) if not slipway.root.exists() else None
    slipway.unfinished_allowed = True


@pytest.mark.parametrize("same", [True, False], ids=["same Dockerfile", "different ones"])
def test_many_builds_at_once(slipway, context, options, count, same):
    n = count(4, 16)
    tops = [context({**FILES, "more": "m" if same else f"m{number}"}) for number in range(n)]
    running = [slipway.start("build", "-t", f"app:{number}", *options, top) for number, top in enumerate(tops)]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (out + err).decode()
    images = [read_layout(slipway.root, f"app:{number}").verify() for number in range(n)]
    assert len({image.descriptor["digest"] for image in images}) == (1 if same else n)
    sound(slipway)


def test_prune_while_building(slipway, context, options, count):
    top = context(FILES)
    stop = threading.Event()
    failures = []

    def prune():
        while not stop.is_set():
            result = slipway("prune", "--all", "--force", "--grace", "0s")
            if result.code:
                failures.append(str(result))

    pruner = threading.Thread(target=prune)
    pruner.start()
    try:
        for number in range(count(5, 50)):
            slipway.build(top, "-t", f"app:{number}", *options).ok()
    finally:
        stop.set()
        pruner.join()
    assert failures == []
    for number in range(count(5, 50)):
        read_layout(slipway.root, f"app:{number}").verify()
    sound(slipway)


def test_file_that_grows_while_it_is_read(slipway, context, options):
    top = context({"Dockerfile": "FROM scratch\nCOPY . /c/\n", "big": bytes(30 << 20)})
    stop = threading.Event()

    def grow():
        with open(top / "big", "ab") as f:
            while not stop.is_set():
                f.write(b"x" * 5000)
                f.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        result = slipway.build(top, "-t", "g:1")
    finally:
        stop.set()
        writer.join()
    if result.code == 0:
        read_layout(slipway.root, "g:1").verify()
    else:
        result.fails("big", "changed")


def make_many(folder, files):
    for number in range(files):
        if number % 1000 == 0:
            (folder / f"{number // 1000}").mkdir(parents=True)
        (folder / f"{number // 1000}/file-{number}").write_text(str(number))


def peak_of_build(slipway, top):
    """KiB of resident memory."""
    return processes.peak_memory(slipway.start("build", "-q", "-t", "big:1", top, stdout=subprocess.DEVNULL))


@pytest.mark.slow
def test_memory_of_big_layers(slipway, context, count):
    """A big file and many files within 64 MiB of resident memory."""
    size, files = count(128 << 20, 2 << 30), count(5000, 200000)
    top = context({"Dockerfile": "FROM scratch\nCOPY big /big\nCOPY many /many\n"})
    with open(top / "big", "wb") as f:
        block = os.urandom(1 << 20)
        for _ in range(size >> 20):
            f.write(block)
    make_many(top / "many", files)
    peak = peak_of_build(slipway, top)
    print(f"\npeak resident memory: {peak >> 10} MiB for {size >> 20} MiB and {files} files")
    assert 1 << 10 < peak < 64 << 10


@pytest.mark.slow
def test_memory_of_copied_files(slipway, context, count):
    """Many files of a context and then of a stage, in one build, within 64 MiB (36 when they are a fifth)."""
    files, bound = count(40000, 200000), count(36, 64)
    top = context({"Dockerfile": "FROM scratch AS a\nCOPY many /a\nFROM scratch\nCOPY --from=a /a /b\n"})
    make_many(top / "many", files)
    peak = peak_of_build(slipway, top)
    print(f"\npeak resident memory: {peak} KiB for {files} files copied twice")
    assert 1 << 10 < peak < bound << 10

"""Power cuts: after any of the system calls that change the store, and whatever of it had not reached the disk, the
store is sound, names stand for whole images, and the next command does its work."""
import hashlib
import os
import random
import shutil

import pytest

from helpers.images import REF_NAME, read_index, read_layout
from helpers.power import WAYS, Disk, record

DOCKERFILE = """FROM tiny
COPY data /data
RUN cp /data/f /copy && chmod 4755 /copy && echo x > /x
WORKDIR /w
COPY --chown=app more /more
"""
FILES = {"Dockerfile": DOCKERFILE, "data/f": os.urandom(100000)}
EPOCH = ["--build-arg", "SOURCE_DATE_EPOCH=1000000000", "--timestamp", "1000000000"]

# What fsck may find after a cut: builds see the damage too, and make it again.
HARMLESS = ("is half-made", "cache record ", "the index of a layer is damaged", "the store has problems")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("strace"), reason="needs: strace")]


@pytest.fixture
def build(context, tiny):
    """build(text, name) -> arguments of a build whose last layer holds the text."""
    def arguments(text, name="app:1"):
        if text not in tops:
            tops[text] = context({**FILES, "more": text})
        return ["build", "-q", "-t", name, "--build-context", f"tiny=oci-layout:{tiny}", *EPOCH, tops[text]]

    tops = {}
    return arguments


@pytest.fixture
def cuts(slipway, count):
    return Cuts(slipway, count(8, None))


def digest(slipway, name="app:1"):
    return read_layout(slipway.root, name).verify().descriptor["digest"]


def check_found(slipway, names):
    """names: {name: the digests that it may stand for; None: it may be missing}."""
    slipway("images").ok()
    for blob in slipway.root.glob("blobs/*/*"):
        assert hashlib.new(blob.parent.name, blob.read_bytes()).hexdigest() == blob.name
    listed = [entry.get("annotations", {}).get(REF_NAME) or entry["digest"]
              for entry in read_index(slipway.root)["manifests"]]
    found = {name: digest(slipway, name) for name in listed}
    for name, allowed in names.items():
        assert found.get(name) in allowed, (name, found)
    check_harmless(slipway)


def check_harmless(slipway):
    checked = slipway("fsck")
    for line in checked.err.splitlines():
        assert any(words in line for words in HARMLESS), str(checked)


class Cuts:
    """Records commands, then cuts the power after each call that changes the store, in each way; or in a number of the cases."""

    def __init__(self, slipway, number):
        self.slipway, self.number = slipway, number

    def play(self, commands, during, after, work, top=None):
        """during, after: what names may stand for while the commands run, and once they have ended; work(): what comes next."""
        top = top or self.slipway.root
        self.slipway.unfinished_allowed = True
        disk = Disk(top)
        own = disk.own([call for command in commands for call in record(self.slipway, *command)])
        assert len(own) > 10, "the recorder saw next to nothing"
        last = len(own) - 1
        chosen = [(number, way) for number in range(last) for way in WAYS]
        if self.number:
            chosen = random.Random(len(own)).sample(chosen, self.number)
        chosen = {*chosen, *((last, way) for way in WAYS)}
        seen = set()
        for number, call in enumerate(own):
            disk.apply(call)
            for way in WAYS:
                crash = disk.crash(way, number)
                if (number, way) in chosen and crash.files not in seen:
                    seen.add(crash.files)
                    try:
                        crash.write(top)
                        check_found(self.slipway, after if number == last else during)
                        crash.write(top)  # looking may have mended it
                        work()
                        check_harmless(self.slipway)
                        self.slipway("fsck", "--repair").ok()
                        self.slipway("fsck").ok()
                    except BaseException:
                        print(f"power cut after call {number} of {last}, {call}, way: {way}")
                        raise
        print(f"\n{len(seen)} different power cuts in {len(own)} calls")


def test_first_build(slipway, cuts, build):
    """The store, and folders on the way to it, are made by the build that is cut short."""
    undisturbed = slipway.other()
    slipway.root = slipway.folder / "new/folders/root"
    slipway.env["SLIPWAY_ROOT"] = str(slipway.root)
    undisturbed(*build("m")).ok()
    wanted = digest(undisturbed)

    def work():
        slipway(*build("m")).ok()
        assert digest(slipway) == wanted

    cuts.play([build("m")], {"app:1": {None, wanted}}, {"app:1": {wanted}}, work, slipway.folder / "new")


def test_name_moves_to_another_image(slipway, cuts, build):
    slipway(*build("new")).ok()
    new = digest(slipway)
    shutil.rmtree(slipway.root)
    slipway(*build("old")).ok()
    old = digest(slipway)

    def work():
        slipway(*build("new")).ok()
        assert digest(slipway) == new

    cuts.play([build("new")], {"app:1": {old, new}}, {"app:1": {new}}, work)


def test_removal(slipway, cuts, build):
    """What prune removes is needed by no name that is left, whichever half of it got to the disk."""
    slipway(*build("kept")).ok()
    slipway(*build("gone", "app:gone")).ok()
    kept, gone = digest(slipway), digest(slipway, "app:gone")
    prune = ["prune", "--all", "--force", "--grace", "0s"]

    def work():
        slipway(*prune).ok()
        assert digest(slipway) == kept
        slipway(*build("gone", "app:gone")).ok()
        assert digest(slipway, "app:gone") == gone

    cuts.play([["rmi", "app:gone"], prune], {"app:1": {kept}, "app:gone": {None, gone}},
              {"app:1": {kept}, "app:gone": {None}}, work)


def test_load(slipway, cuts, build, folder):
    saved = folder / "saved.tar"
    slipway(*build("m")).ok()
    slipway("save", "-o", saved, "app:1").ok()
    wanted = digest(slipway)
    shutil.rmtree(slipway.root)

    def work():
        slipway("load", "-i", saved).ok()
        assert digest(slipway) == wanted

    cuts.play([["load", "-i", saved]], {"app:1": {None, wanted}}, {"app:1": {wanted}}, work)


def test_pull(login, registry, cuts, build):
    """Downloads continue where they were cut, also when what is there of them is not what had come."""
    name = f"{registry.host}/power/app:1"
    login(*build("m", name)).ok()
    login("push", name).ok()
    wanted = digest(login, name)
    shutil.rmtree(login.root)

    def work():
        login("pull", name).ok()
        assert digest(login, name) == wanted

    cuts.play([["pull", name]], {name: {None, wanted}}, {name: {wanted}}, work)

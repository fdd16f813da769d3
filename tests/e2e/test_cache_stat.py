"""The stat cache: unchanged files are not read again, and changed ones always are, however fast the change was."""
import ctypes
import itertools
import os
import struct
import time

import pytest

IN_OPEN, IN_NONBLOCK = 0x20, 0o4000
libc = ctypes.CDLL(None, use_errno=True)


class Opened:
    """The names of files of a folder that were opened since: inotify(7)."""

    def __init__(self, folder):
        self.fd = libc.inotify_init1(IN_NONBLOCK)
        assert self.fd >= 0 and libc.inotify_add_watch(self.fd, os.fsencode(folder), IN_OPEN) >= 0

    def names(self):
        found = set()
        while True:
            try:
                data = os.read(self.fd, 1 << 16)
            except BlockingIOError:
                return found - {""}
            while data:
                size = struct.unpack_from("iIII", data)[3]
                found.add(data[16:16 + size].rstrip(b"\0").decode())
                data = data[16 + size:]


@pytest.fixture
def watched():
    made = []

    def watch(folder):
        made.append(Opened(folder))
        return made[-1]

    yield watch
    for opened in made:
        os.close(opened.fd)


TEXT = "FROM scratch\nCOPY d /d\n"


def settled(build, files):
    """A context built twice, old enough for its files to be trusted."""
    build(TEXT, files)
    time.sleep(2.2)
    build.again()


def test_unchanged_files_are_not_read_and_no_stat_cache_reads_them(build, watched):
    settled(build, {"d/a": "1", "d/b": "2"})
    opened = watched(build.last / "d")
    build.again()
    assert opened.names() == set()
    build.again("--no-stat-cache")
    assert opened.names() == {"a", "b"}
    build.again()
    assert opened.names() == set(), "it forgets nothing"


def test_only_what_changed_is_read(build, watched):
    settled(build, {"d/a": "1", "d/b": "2"})
    opened = watched(build.last / "d")
    os.utime(build.last / "d/a", (5, 5))
    assert build.again().text("/d/a") == "1"
    assert opened.names() == {"a"}


def test_young_files_are_read_again(build, watched):
    """git's racy files: what was hashed within two seconds of its change is not believed the next time."""
    build(TEXT, {"d/a": "1"})
    for text in itertools.count():
        (build.last / "d/a").write_text(str(text))
        build.again()
        if time.time() - (build.last / "d/a").stat().st_ctime < 2:
            break
    opened = watched(build.last / "d")
    build.again()
    assert opened.names() == {"a"}


EDITS = {
    "in place": lambda path, text: path.write_text(text),
    "mtime put back": lambda path, text: keep_times(path, lambda: path.write_text(text)),
    "renamed over": lambda path, text: (path.with_name("new").write_text(text), path.with_name("new").rename(path)),
    "renamed, same mtime": lambda path, text: keep_times(path, lambda: (path.with_name("new").write_text(text),
                                                                       path.with_name("new").rename(path))),
    "two files swapped": lambda path, text: (path.with_name("spare").write_text(text), swap(path, path.with_name("spare"))),
}


def keep_times(path, change):
    before = os.stat(path)
    change()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def swap(one, other):
    parked = one.with_name("parked")
    one.rename(parked)
    other.rename(one)
    parked.rename(other)


@pytest.mark.parametrize("edit", EDITS)
def test_edits_of_the_same_size_within_a_second_are_seen(build, count, edit):
    """Build and edit as fast as it goes: the image always has what the file had when the build began."""
    build(TEXT, {"d/a": "0000"})
    path = build.last / "d/a"
    for number in range(1, count(8, 100)):
        EDITS[edit](path, f"{number:04}")
        assert build.again().text("/d/a") == f"{number:04}"


def test_an_edit_between_two_settled_builds_is_seen(build):
    settled(build, {"d/a": "old"})
    keep_times(build.last / "d/a", lambda: (build.last / "d/a").write_text("new"))
    assert build.again().text("/d/a") == "new"


def test_a_damaged_stat_cache_is_as_good_as_none(build, slipway):
    settled(build, {"d/a": "1"})
    files = list((slipway.root / "cache/stat").iterdir())
    assert files
    for damage in (b"", b"x", b"slipway stat 2\n\0" + b"\xff" * 480, os.urandom(5000)):
        files[0].write_bytes(damage)
        assert build.again().text("/d/a") == "1"


def test_two_users_of_one_context_do_not_share_it(build, slipway, tiny):
    """Another state folder has a stat cache of its own."""
    settled(build, {"d/a": "1"})
    other = slipway.other()
    other.build(build.last, "-t", "o:1").ok()
    assert {p.name for p in (other.root / "cache/stat").iterdir()} == {p.name
                                                                      for p in (slipway.root / "cache/stat").iterdir()}

"""Reading and making images without slipway: an independent witness of what it makes and takes.

    image = read_layout(folder, "app:latest")      config, manifest, layers of an OCI layout
    files = image.tree()                           {path: Entry} after all layers and whiteouts
    assert differences(files, folder_tree(unpacked)) == []

Layouts are written by tests/fixtures/oci_layout.py: Layout(folder).image(ref, [make_tar([entry(...)])]).
"""
import copy
import dataclasses
import functools
import gzip
import hashlib
import io
import json
import os
import pathlib
import stat
import struct
import subprocess
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "fixtures"))
from oci_layout import (CONFIG, INDEX, LAYER, MANIFEST, REF_NAME, Layout, entry,  # noqa: E402,F401
                        make_tar)

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"


@dataclasses.dataclass
class Entry:
    """A file of an image. Hard links are one Entry under several paths."""
    kind: str  # file dir symlink fifo char block
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    digest: str = ""  # sha256 of the content
    link: str = ""
    mtime: int = 0
    device: tuple = (0, 0)
    xattrs: dict = dataclasses.field(default_factory=dict)
    data: bytes = b""  # content of files up to 64 KiB


KINDS = {tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "symlink", tarfile.FIFOTYPE: "fifo",
         tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block"}


def _content(entry_, stream):
    hashed = hashlib.sha256()
    while block := stream.read(1 << 20):
        hashed.update(block)
        if entry_.size <= 1 << 16:
            entry_.data += block
    entry_.digest = hashed.hexdigest()


def _of_member(tar, member):
    found = Entry(KINDS.get(member.type, "file"), member.mode & 0o7777, member.uid, member.gid,
                  mtime=int(member.mtime), link=member.linkname if member.issym() else "")
    for key, value in member.pax_headers.items():
        if key.startswith("SCHILY.xattr."):
            found.xattrs[key.removeprefix("SCHILY.xattr.")] = value.encode("utf-8", "surrogateescape")
    if found.kind in ("char", "block"):
        found.device = (member.devmajor, member.devminor)
    if found.kind == "file":
        found.size = member.size
        _content(found, tar.extractfile(member))
    return found


def _read_layer(stream):
    """[(name, the name it is a hard link to, Entry)] of a tar file."""
    with tarfile.open(fileobj=stream, errors="surrogateescape") as tar:
        return [(m.name, m.linkname, None) if m.islnk() else (m.name, None, _of_member(tar, m)) for m in tar.getmembers()]


class Tree(dict):
    """{path without leading slash: Entry}."""

    def __init__(self):
        super().__init__()
        self.above = set()  # folders of all paths that ever were here

    def __setitem__(self, path, added):
        super().__setitem__(path, added)
        while path := path.rpartition("/")[0]:
            if path in self.above:
                break
            self.above.add(path)

    def resolve(self, path, depth=0):
        """The path with symlinks in its folders followed, inside the root."""
        assert depth < 40, f"too many links in {path}"
        done = []
        for i, part in enumerate(parts := [p for p in path.split("/") if p not in ("", ".")]):
            if part == "..":
                done = done[:-1]
                continue
            here = self.get("/".join(done + [part]))
            if here and here.kind == "symlink" and i < len(parts) - 1:
                target = here.link if here.link.startswith("/") else "/".join(done + [here.link])
                return self.resolve("/".join([target] + parts[i + 1:]), depth + 1)
            done.append(part)
        return "/".join(done)

    def follow(self, path):
        """The entry that a program opening the path in this root would see, or None."""
        for _ in range(40):
            path = self.resolve(path)
            found = self.get(path)
            if not found or found.kind != "symlink":
                return found
            path = found.link if found.link.startswith("/") else f"{os.path.dirname(path)}/{found.link}"
        raise AssertionError(f"too many links in {path}")

    def remove(self, path, itself=True):
        if path and path not in self.above:
            if itself:
                self.pop(path, None)
            return
        for known in [p for p in self if p.startswith(path + "/") or (itself and p == path) or path == ""]:
            del self[known]

    def apply(self, layer):
        """Puts a layer on top: whiteouts first, since they concern lower layers only."""
        for member, _, _ in layer:
            folder, _, name = member.rpartition("/")
            if name == OPAQUE:
                self.remove(self.resolve(folder), itself=False)
            elif name.startswith(WHITEOUT):
                self.remove(self.resolve(f"{folder}/{name.removeprefix(WHITEOUT)}"))
        for member, link, found in layer:
            path = self.resolve(member)
            if path.rpartition("/")[2].startswith(WHITEOUT) or path == "":
                continue
            added = self[self.resolve(link)] if link is not None else copy.copy(found)
            if added.kind != "dir":
                self.remove(path)
            self[path] = added

    def links(self):
        """Groups of two and more paths that are one file."""
        groups = {}
        for path, found in self.items():
            groups.setdefault(id(found), []).append(path)
        return sorted(sorted(g) for g in groups.values() if len(g) > 1)

    def text(self, path):
        found = self.follow(path)
        assert found, f"{path} is not in the image: {sorted(self)[:50]}"
        return found.data.decode()


def decompressed(path):
    """A blob of any compression as a readable stream."""
    with open(path, "rb") as f:
        magic = f.read(4)
    if magic[:2] == b"\x1f\x8b":
        return gzip.open(path, "rb")
    if magic == b"\x28\xb5\x2f\xfd":
        return io.BytesIO(subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout)
    return open(path, "rb")


@dataclasses.dataclass
class Image:
    folder: pathlib.Path
    descriptor: dict
    manifest: dict
    config: dict

    @property
    def layers(self):
        return self.manifest["layers"]

    def blob(self, digest):
        return blob_path(self.folder, digest)

    def open_layer(self, index):
        stream = decompressed(self.blob(self.layers[index]["digest"]))
        return tarfile.open(fileobj=stream, errors="surrogateescape")

    def members(self, index=-1):
        """Names of one layer's entries, as they stand in it."""
        with self.open_layer(index) as tar:
            return tar.getnames()

    def tree(self):
        files = Tree()
        for layer in self.layers:
            files.apply(layer_of(self.blob(layer["digest"])))
        return files

    def verify(self):
        """Every blob has its digest and size, every layer its diff ID."""
        for described in [self.descriptor, self.manifest["config"], *self.layers]:
            path = self.blob(described["digest"])
            assert path.stat().st_size == described["size"], described
            algorithm, _, value = described["digest"].partition(":")
            assert hash_of(path, algorithm) == value, described
        found = [diff_id(self.blob(layer["digest"])) for layer in self.layers]
        assert found == self.config["rootfs"]["diff_ids"]
        assert len([h for h in self.config.get("history", []) if not h.get("empty_layer")]) == len(self.layers)
        return self


def hash_of(path, algorithm="sha256"):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, algorithm).hexdigest()


class Blob:
    """A file, told from others by its bytes: base images come again in test after test, and take seconds to read."""

    def __init__(self, path):
        self.path, self.hash = path, hash_of(path)

    def __hash__(self):
        return hash(self.hash)

    def __eq__(self, other):
        return self.hash == other.hash


def diff_id(path):
    return _diff_id(Blob(path))


def layer_of(path):
    return _layer_of(Blob(path))


@functools.lru_cache(maxsize=8)
def _diff_id(blob):
    hashed = hashlib.sha256()
    with decompressed(blob.path) as stream:
        while block := stream.read(1 << 20):
            hashed.update(block)
    return "sha256:" + hashed.hexdigest()


@functools.lru_cache(maxsize=8)
def _layer_of(blob):
    with decompressed(blob.path) as stream:
        return _read_layer(stream)


def blob_path(folder, digest):
    algorithm, _, value = digest.partition(":")
    return pathlib.Path(folder) / "blobs" / algorithm / value


def read_index(folder):
    return json.loads((pathlib.Path(folder) / "index.json").read_text())


def read_layout(folder, ref=None, platform=None):
    """An image of a layout folder, by its name or the only one; of an index the platform (os/arch), or the first."""
    folder = pathlib.Path(folder)
    named = [d for d in read_index(folder)["manifests"]
             if ref is None or ref in (d.get("annotations", {}).get(REF_NAME), d["digest"])]
    assert len(named) == 1, f"{len(named)} images match {ref}: {read_index(folder)}"
    descriptor = named[0]
    manifest = json.loads(blob_path(folder, descriptor["digest"]).read_text())
    while "manifests" in manifest:
        fitting = [d for d in manifest["manifests"] if platform in
                   (None, f"{d['platform']['os']}/{d['platform']['architecture']}")]
        descriptor = fitting[0]
        manifest = json.loads(blob_path(folder, descriptor["digest"]).read_text())
    config = json.loads(blob_path(folder, manifest["config"]["digest"]).read_text())
    return Image(folder, descriptor, manifest, config)


def skopeo(*arguments):
    """Runs skopeo, returns its output; a failure shows its words."""
    done = subprocess.run(["skopeo", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"skopeo {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}"
    return done.stdout


def read_with_skopeo(source, folder, *options):
    """Whatever skopeo can read (docker-archive:, docker://, oci-archive: ...), copied into a layout folder."""
    skopeo("copy", *options, source, f"oci:{folder}:image")
    return read_layout(folder, "image")


def folder_tree(top):
    """The tree of an unpacked image or of --output type=local."""
    top, files, seen = os.fsencode(str(top)), Tree(), {}
    for folder, folders, names in os.walk(top):
        for name in sorted(folders) + sorted(names):
            path = os.path.join(folder, name)
            st = os.lstat(path)
            key = os.fsdecode(os.path.relpath(path, top))
            if (st.st_dev, st.st_ino) in seen:
                files[key] = seen[st.st_dev, st.st_ino]
                continue
            files[key] = _of_path(path, st)
            if not stat.S_ISDIR(st.st_mode):
                seen[st.st_dev, st.st_ino] = files[key]
    return files


def _of_path(path, st):
    kinds = {stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo", stat.S_IFCHR: "char",
             stat.S_IFBLK: "block", stat.S_IFREG: "file", stat.S_IFSOCK: "socket"}
    found = Entry(kinds[stat.S_IFMT(st.st_mode)], stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid,
                  mtime=int(st.st_mtime))
    if found.kind == "symlink":
        found.link = os.fsdecode(os.readlink(path))
    elif found.kind in ("char", "block"):
        found.device = (os.major(st.st_rdev), os.minor(st.st_rdev))
    elif found.kind == "file":
        found.size = st.st_size
        with open(path, "rb") as f:
            _content(found, f)
    if found.kind != "symlink":
        found.xattrs = {name: os.getxattr(path, name, follow_symlinks=False)
                        for name in os.listxattr(path, follow_symlinks=False)}
    return found


def differences(left, right, ignore=()):
    """What differs between two trees, a sentence each; ignore: field names, such as "mtime"."""
    found = [f"only left: {p}" for p in sorted(set(left) - set(right))]
    found += [f"only right: {p}" for p in sorted(set(right) - set(left))]
    fields = [f.name for f in dataclasses.fields(Entry) if f.name not in ("data", *ignore)]
    for path in sorted(set(left) & set(right)):
        for field in fields:
            a, b = getattr(left[path], field), getattr(right[path], field)
            if field == "mode" and left[path].kind == "symlink":
                continue
            if a != b:
                found.append(f"{path}: {field} {a!r} != {b!r}")
    if left.links() != right.links():
        found.append(f"hard links {left.links()} != {right.links()}")
    return found


def capability(permitted):
    """The value of security.capability for a set of capability numbers (version 2, effective)."""
    bits = sum(1 << number for number in permitted)
    return struct.pack("<IIIII", 0x02000001, bits & 0xFFFFFFFF, 0, bits >> 32, 0)


def layered_tars():
    """Three layers that use all of the format: whiteouts, an opaque folder, hard links, xattrs, odd names."""
    long_name = "long/" + "n" * 180
    first = make_tar([
        entry("etc", "dir"), entry("etc/passwd", data="root:x:0:0:root:/root:/bin/sh\n"),
        entry("keep", "dir", mode=0o750, uid=7, gid=8), entry("keep/a", data="a1"), entry("keep/b", data="b1"),
        entry("opaque", "dir"), entry("opaque/old", data="old"), entry("opaque/sub", "dir"),
        entry("opaque/sub/old", data="old"), entry("gone", "dir"), entry("gone/x", data="x"),
        entry("real", "dir"), entry("real/lower", data="lower"), entry("alias", "symlink", link="real"),
        entry("turns", "dir"), entry("turns/inside", data="inside"),
    ])
    second = make_tar([
        entry("keep/.wh.a"), entry(".wh.gone"), entry("opaque", "dir"), entry("opaque/" + OPAQUE),
        entry("opaque/new", data="new"), entry("turns", data="a file now"),
        entry("long", "dir"), entry(long_name, data="long"), entry("name-\udcff\udcfe", data="not UTF-8"),
        entry("setuid", mode=0o4755, data="#!/bin/sh\n"), entry("sticky", "dir", mode=0o1777),
        entry("cap", mode=0o755, data="cap", xattrs={"security.capability": capability([10])}),
        entry("xattr", data="x", xattrs={"user.note": b"value"}), entry("pipe", "fifo"),
    ])
    third = make_tar([
        entry("hard", "dir"), entry("hard/one", data="linked", mode=0o600, uid=1000, gid=1000),
        entry("hard/two", "hardlink", link="hard/one"), entry("hard/three", "hardlink", link="hard/one"),
        entry("alias/upper", data="through the link"), entry("empty"), entry("dangling", "symlink", link="/no/where"),
    ])
    return [first, second, third]

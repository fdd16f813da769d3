"""Images that lie or try to get out: refused or confined, and nothing outside the root is touched."""
import gzip
import hashlib
import json
import os
import struct
import zlib

import pytest

from helpers.images import CONFIG, INDEX, LAYER, MANIFEST, Layout, entry, make_tar, read_layout


def with_shell(tiny, *tars):
    """The layers of tiny below the given ones, so that a RUN can look at the result."""
    image = read_layout(tiny)
    with open(image.blob(image.layers[0]["digest"]), "rb") as f:
        return [gzip.decompress(f.read()), *tars]


@pytest.fixture
def evil(build, folder, tiny):
    """evil(tars, command) builds FROM an image with these layers on tiny and RUNs the command: Result."""
    def run(tars, command="true", **options):
        Layout(folder / "evil").image("evil", with_shell(tiny, *tars))
        top = build.context({"Dockerfile": f"FROM evil\nRUN {command}\n"})
        return build.slipway.build(top, "-t", "evil", "--build-context", f"evil=oci-layout:{folder}/evil", **options)

    return run


def planted(folder):
    """Traces of a successful escape: a file called planted anywhere it might have gone."""
    places = [folder, "/etc", "/", "/tmp", "/var/tmp", "/root"]
    found = [p for p in places if os.path.lexists(os.path.join(p, "planted"))]
    return found + [p for p in (folder / "slipway").rglob("planted") if "/layers/" not in str(p)]


@pytest.mark.parametrize("name", ["../../planted", "a/../../planted", "../planted", "d/../../../planted", ".."])
def test_names_that_climb(evil, folder, name):
    evil([make_tar([entry("d", "dir"), entry(name, data="x")])]).fails("unsafe")
    assert planted(folder) == []


def test_absolute_names_lose_their_slash(evil, folder):
    evil([make_tar([entry("/abs/planted", data="x")])], "test -f /abs/planted").ok()
    assert planted(folder) == []


@pytest.mark.parametrize("layers", [
    [[entry("d", "symlink", link="/etc"), entry("d/planted", data="x")]],
    [[entry("d", "symlink", link="../../../../../../etc"), entry("d/planted", data="x")]],
    [[entry("d", "symlink", link="/etc")], [entry("d/planted", data="x")]],
    [[entry("d", "dir"), entry("d/f", data="x")], [entry("d", "symlink", link="/etc")], [entry("d/planted", data="x")]],
], ids=["absolute", "climbing", "two layers", "folder replaced"])
def test_links_in_the_way_stay_inside(evil, folder, layers):
    evil([make_tar(entries) for entries in layers], "test -f /etc/planted").ok()
    assert planted(folder) == []


@pytest.mark.parametrize("count, loop", [(60, False), (2, True)], ids=["chain", "loop"])
def test_endless_links(evil, folder, count, loop):
    links = [entry(f"l{n}", "symlink", link=f"l{n + 1}") for n in range(count)]
    links.append(entry(f"l{count}", "symlink", link="l0") if loop else entry(f"l{count}", "dir"))
    evil([make_tar([*links, entry("l0/planted", data="x")])]).fails("l0")
    assert planted(folder) == []


@pytest.mark.parametrize("target", ["../../etc/shadow", "/etc/shadow", "nothing", "../planted"])
def test_hard_links_to_the_outside(evil, target):
    evil([make_tar([entry("h", "hardlink", link=target)])], "cat /h").fails()


def test_hard_link_to_a_symbolic_link(evil, folder):
    """As docker makes and takes them: both are links, and neither is followed."""
    evil([make_tar([entry("s", "symlink", link=f"{folder}/planted"), entry("h", "hardlink", link="s")])], 'test -L /h && test ! -e /h && rm /s && test -L /h').ok()
    assert planted(folder) == []


def test_hard_link_to_a_lower_layer(evil):
    """Either it is found in the merged root, or refused by name."""
    result = evil([make_tar([entry("low", data="low")]), make_tar([entry("h", "hardlink", link="low")])],
                  "test $(cat /h) = low")
    assert result.code == 0 or result.fails("hard link", "low")


@pytest.mark.parametrize("name", [".wh...", ".wh..", ".wh.", "etc/.wh...", ".wh./x"])
def test_whiteouts_of_nothing_good(evil, name):
    evil([make_tar([entry(name)])]).fails("whiteout")


def test_whiteouts(evil):
    """A whiteout of a link removes the link alone; those of the same layer do not matter to what it adds."""
    lower = make_tar([entry("real", "dir"), entry("real/f", data="f"), entry("d", "symlink", link="real"),
                      entry("o", "dir"), entry("o/old", data="old")])
    upper = make_tar([entry(".wh.d"), entry("o/sibling", data="s"), entry("o/.wh..wh..opq"), entry("both", data="b"),
                      entry(".wh.both")])
    evil([lower, upper], "test -f /real/f && ! test -e /d && test -f /o/sibling && ! test -e /o/old && test -f /both").ok()


def raw_header(name, size_field, kind=b"0"):
    header = bytearray(512)
    header[0:len(name)] = name
    header[100:108], header[108:116], header[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    header[124:136], header[136:148], header[156:157] = size_field, b"00000000000\0", kind
    header[257:265] = b"ustar\x0000"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def pax(records):
    """A PAX extended header with these records, as raw bytes, before a file called f."""
    body = b"".join(b"%d %s" % (len(r) + 1 + len(str(len(r) + 2 + len(str(len(r))))), r) for r in records)
    return (raw_header(b"x", b"%011o\0" % len(body), b"x") + body + bytes(-len(body) % 512)
            + raw_header(b"f", b"00000000001\0") + b"x".ljust(512, b"\0") + bytes(1024))


@pytest.mark.parametrize("tar", [
    pax([b"size=9223372036854775808\n"]), pax([b"size=-5\n"]),
    raw_header(b"f", b"\x80" + struct.pack(">11s", b"\x00\x00\x00\x7f" + b"\xff" * 7)) + bytes(1024),
    raw_header(b"f", b"77777777777\0") + bytes(1024),
    raw_header(b"x", b"10000000000\0", b"x") + bytes(1024),
    b"not a tar at all" * 100,
    make_tar([entry("a", data="x" * 2000)])[:1100],
], ids=["pax 2^63", "pax negative", "base-256", "8 GiB and nothing", "1 GiB of PAX", "garbage", "cut"])
def test_broken_tars(evil, tar):
    result = evil([tar])
    result.fails()
    assert result.seconds < 30


def test_deep_and_long_paths(evil):
    deep = "/".join(["d"] * 200)
    evil([make_tar([entry(deep, "dir"), entry(deep + "/f", data="x")])], f"test -f /{deep}/f").ok()
    evil([make_tar([entry("/".join(["d"] * 5000), "dir")])]).fails()


@pytest.mark.slow
def test_decompression_bomb(build, folder):
    layout = Layout(folder / "bomb")
    info, _ = entry("zeros")
    info.size = 1 << 30
    deflate, plain = zlib.compressobj(9, zlib.DEFLATED, 31), hashlib.sha256()
    data = b""
    for block in [info.tobuf()] + [bytes(1 << 20)] * 1024 + [bytes(1024)]:
        plain.update(block)
        data += deflate.compress(block)
    layer = layout.blob(LAYER + "+gzip", data + deflate.flush())
    layout.name("bomb", layout.manifest([(layer, "sha256:" + plain.hexdigest())]))
    build.fails("FROM bomb\nCOPY --from=bomb /zeros /z\n", "bomb",
                options=["--build-context", f"bomb=oci-layout:{folder}/bomb"])


def layout_with(folder, change, index_change=None):
    """A layout whose manifest, config or index a function has changed: change(manifest, config) -> manifest bytes."""
    layout = Layout(folder / "lying")
    layer, diff_id = layout.layer(make_tar([entry("f", data="f")]))
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": None, "layers": [layer]}
    text = change(manifest, config)
    if text is None:
        manifest["config"] = layout.blob(CONFIG, json.dumps(config).encode())
        text = json.dumps(manifest).encode()
    descriptor = layout.blob(MANIFEST, text)
    if index_change:
        descriptor = index_change(layout, descriptor) or descriptor
    layout.name("lying", descriptor)
    return f"lying=oci-layout:{folder}/lying"


def set_in(which, *path_and_value):
    *path, value = path_and_value

    def change(manifest, config):
        place = manifest if which == "manifest" else config
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
    return change


def replaced(old, new):
    def change(manifest, config):
        manifest["config"] = {"mediaType": CONFIG, "digest": "sha256:" + "0" * 64, "size": 2}
        return json.dumps(manifest).replace(old, new).encode()
    return change


LIES = {
    "wrong diff ID": set_in("config", "rootfs", "diff_ids", ["sha256:" + "1" * 64]),
    "too few diff IDs": set_in("config", "rootfs", "diff_ids", []),
    "too many diff IDs": set_in("config", "rootfs", "diff_ids", ["sha256:" + "1" * 64] * 2),
    "size too small": set_in("manifest", "layers", 0, "size", 10),
    "size too big": set_in("manifest", "layers", 0, "size", 100000),
    "size enormous": set_in("manifest", "layers", 0, "size", 1 << 60),
    "size negative": set_in("manifest", "layers", 0, "size", -1),
    "both manifests and layers": set_in("manifest", "manifests", []),
    "media type of an index": set_in("manifest", "mediaType", INDEX),
    "climbing digest": set_in("manifest", "layers", 0, "digest", "sha256:../../x"),
    "upper-case digest": set_in("manifest", "layers", 0, "digest", "sha256:" + "A" * 64),
    "short digest": set_in("manifest", "layers", 0, "digest", "sha256:" + "a" * 63),
    "md5 digest": set_in("manifest", "layers", 0, "digest", "md5:" + "a" * 32),
    "missing layer": set_in("manifest", "layers", 0, "digest", "sha256:" + "a" * 64),
    "a million layers": lambda m, c: m.update(layers=m["layers"] * 1000000),
    "duplicate keys": replaced('"schemaVersion": 2', '"schemaVersion": 2, "schemaVersion": 2'),
    "bytes after the end": replaced("]}", "]} {}"),
    "not JSON": lambda m, c: b"<html>",
    "deep JSON": lambda m, c: b"[" * 100000,
    "schema 1": replaced('"schemaVersion": 2', '"schemaVersion": 1'),
    "unknown layer type": set_in("manifest", "layers", 0, "mediaType", LAYER + "+lzma"),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies(build, folder, lie):
    context = layout_with(folder, LIES[lie])
    result = build.fails("FROM lying\nCOPY --from=lying /f /copied\nRUN true\n", options=["--build-context", context])
    assert result.seconds < 20 and len(result.err) < 10000


def test_changed_layer_bytes(build, folder):
    def change_blob(layout, _):
        layer = read_layer_path(layout)
        data = bytearray(layer.read_bytes())
        data[-20] ^= 1
        layer.write_bytes(bytes(data))

    def read_layer_path(layout):
        manifests = [p for p in (folder / "lying/blobs/sha256").iterdir() if b'"layers"' in p.read_bytes()]
        return folder / "lying/blobs/sha256" / json.loads(manifests[0].read_text())["layers"][0]["digest"][7:]

    context = layout_with(folder, lambda m, c: None, change_blob)
    build.fails("FROM lying\nCOPY --from=lying /f /copied\n", "sha256:", options=["--build-context", context])


def test_index_in_itself_and_too_deep(build, folder):
    def nest(layout, descriptor):
        for _ in range(10):
            descriptor = layout.blob(INDEX, json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                                                        "manifests": [descriptor]}).encode())
        return descriptor

    context = layout_with(folder, lambda m, c: None, nest)
    build.fails("FROM lying\nLABEL a=1\n", options=["--build-context", context])


def test_sha512_is_a_digest(build, folder):
    layout = Layout(folder / "sha512")
    tar = make_tar([entry("f", data="f")])
    data = gzip.compress(tar, mtime=0)
    digest = hashlib.sha512(data).hexdigest()
    os.mkdir(folder / "sha512/blobs/sha512")
    (folder / "sha512/blobs/sha512" / digest).write_bytes(data)
    descriptor = {"mediaType": LAYER + "+gzip", "digest": "sha512:" + digest, "size": len(data)}
    layout.name("x", layout.manifest([(descriptor, "sha256:" + hashlib.sha256(tar).hexdigest())]))
    built = build("FROM x\nCOPY --from=x /f /g\n", {}, "--build-context", f"x=oci-layout:{folder}/sha512")
    assert built.tree["g"].data == b"f"


@pytest.mark.parametrize("entries", [
    [entry("dev", "symlink", link="/etc")], [entry("proc", "symlink", link="/etc")],
    [entry("sys", "symlink", link="../../../..")], [entry("dev", data="a file")], [entry("proc", "fifo")],
    [entry("dev", "dir"), entry("dev/null", "symlink", link="/planted"), entry("dev/pts", "symlink", link="/etc"),
     entry("dev/ptmx", "fifo"), entry("dev/shm", "symlink", link="/")],
    [entry("etc", "dir"), entry("etc/hosts", "symlink", link="/../../planted"),
     entry("etc/resolv.conf", "symlink", link="/dev/null"), entry("etc/hostname", "fifo")],
], ids=["dev link", "proc link", "sys link", "dev file", "proc fifo", "inside dev", "etc stubs"])
def test_mount_points_that_are_something_else(evil, folder, entries):
    host = [p for p in ("/etc/passwd", "/etc/hosts", "/etc/resolv.conf") if os.path.exists(p)]
    before = [os.stat(p).st_mtime_ns for p in host]
    result = evil([make_tar([entry(".wh." + entries[0][0].name.split("/")[0]), *entries])],
                  "echo x > /dev/null; test ! -s /proc/kcore || test ! -r /proc/kcore", timeout=60)
    assert result.code in (0, 1), str(result)
    assert planted(folder) == [] and os.path.exists("/dev/null")
    assert before == [os.stat(p).st_mtime_ns for p in host]


@pytest.mark.parametrize("passwd", [
    entry("etc/passwd", "symlink", link="/../../../etc/passwd"), entry("etc/passwd", "fifo"), entry("etc/passwd", "dir"),
    entry("etc/passwd", data="app:x:" + "9" * (1 << 20) + "\n"),
    entry("etc/passwd", data="app:x:-1:-1::/:\n"), entry("etc/passwd", data="app:x:4294967296:0::/:\n"),
], ids=["link", "fifo", "folder", "long line", "negative", "too big"])
def test_passwd_of_the_image(build, folder, tiny, passwd):
    Layout(folder / "evil").image("evil", with_shell(tiny, make_tar([entry("etc", "dir"), passwd])))
    build.fails("FROM evil\nUSER app\nRUN id\n", "Dockerfile:3", options=["--build-context", f"evil=oci-layout:{folder}/evil"],
                timeout=60)


def test_config_values_are_data(build, folder, tiny):
    config = {"Env": ["PATH=", "LD_PRELOAD=/evil.so", "A=\x1b]0;title\x07\nB=2", "NOEQUALS"],
              "Labels": {"x\x1b[2J": "\n\x1b]52;c;AAAA\x07"}, "Cmd": ["\x1b[31m"], "WorkingDir": "/w\nx"}
    Layout(folder / "evil").image("evil", with_shell(tiny), config)
    top = build.context({"Dockerfile": 'FROM evil\nRUN ["/usr/bin/busybox", "true"]\n'})
    result = build.slipway.build(top, "-t", "evil:1", "--build-context", f"evil=oci-layout:{folder}/evil")
    assert result.code in (0, 1) and "\x1b" not in result.out + result.err
    for command in (["images"], ["history", "evil:1"]):
        shown = build.slipway(*command)
        assert "\x1b" not in shown.out + shown.err

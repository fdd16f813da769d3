"""What BuildKit's COPY and ADD do, statement by statement, and .dockerignore. No expectation comes from slipway."""
import gzip
import hashlib
import io
import os
import subprocess
import tarfile

import pytest

from helpers.images import Layout, capability, entry, make_tar, read_layout
from helpers.web import Web

FILES = {"a.txt": "a", "b.txt": "b", ".hid": "h", "dir/x": "x", "dir/sub/y": "y", "dir/sub/deep/z": "z",
         "dir/empty": None, "dir/in": ("link", "x"), "todir": ("link", "dir"), "abs": ("link", "/dir/sub"),
         "up": ("link", "../../dir/x"), "tofile": ("link", "a.txt"), "star*": "s", "q/a.md": "", "q/b.md": "",
         "q/sub/c.md": ""}


def below(built, folder):
    return sorted(p[len(folder) + 1:] for p in built.tree if p.startswith(folder + "/"))


def wrong(rows):
    """Rows of (what, found, expected) that differ."""
    return [row for row in rows if row[1] != row[2]]


def facts(tree, path):
    return tree[path].uid, tree[path].gid, tree[path].mode


# 9. Sources.

def test_sources(build):
    built = build(r"""
        FROM tiny AS s
        WORKDIR /elsewhere
        COPY dir /from/dir
        FROM scratch
        WORKDIR /w
        # Relative to the root of --from, never to that stage's WORKDIR; ".." is clamped.
        COPY --from=s from/dir/x ../../from/dir/sub/y clamped/
        # Wildcards: not across "/", leading dots too, "**" is "*", sorted, each match like a named source.
        COPY ** /starstar/
        COPY */x /level/
        COPY q/[^a].?d /class/
        COPY star\\* /literal/
        COPY to* /followed/
        # A folder's contents, with or without slash and dot; absolute links resolve in the root.
        COPY dir/ /slash
        COPY abs /absolute
        COPY up /upwards
        # No match is no error, and copies nothing, not even the folder.
        COPY none*.txt /nothing/
        COPY none* a.txt /some/
        # An empty folder is kept, and an empty one as the source makes the destination.
        COPY dir/empty /emptied
        """, FILES)
    top = ["Dockerfile", "a.txt", "b.txt", ".hid", "star*"]
    contents = ["empty", "in", "sub", "sub/deep", "sub/deep/z", "sub/y", "x"]
    assert wrong([
        ("clamped", below(built, "w/clamped"), ["x", "y"]),
        # The links are followed: the folders' contents land in the destination.
        ("starstar", set(below(built, "starstar")) >= {*top, *contents, "a.md", "sub/c.md", "tofile", "deep/z"}, True),
        ("level", below(built, "level"), ["x"]), ("class", below(built, "class"), ["b.md"]),
        ("literal", below(built, "literal"), ["star*"]),
        ("followed", below(built, "followed"), sorted(contents + ["tofile"])),
        ("file link", built.tree["followed/tofile"].data, b"a"), ("inner link", built.tree["followed/in"].link, "x"),
        ("slash", below(built, "slash"), contents), ("absolute", below(built, "absolute"), ["deep", "deep/z", "y"]),
        ("upwards", built.tree["upwards"].data, b"x"), ("some", below(built, "some"), ["a.txt"]),
        ("nothing", "nothing" in built.tree, False), ("emptied", built.tree["emptied"].kind, "dir"),
    ]) == []
    build.fails("FROM scratch\nCOPY a.txt dir/nope /d/\n", "/dir/nope", "not found", files=FILES)
    build.fails("FROM scratch\nCOPY git@example.com:x.git /d/\n", "Dockerfile:2", files=FILES)


def test_what_is_kept_of_a_context(build, context):
    top = context({"Dockerfile": "FROM scratch\nCOPY . /all/\nCOPY tree /tree\n", "tree/d/f": "f", "tree/l": ("link", "d"),
                   "tree/empty": None})
    os.chmod(top / "tree/d/f", 0o6755)
    os.chmod(top / "tree/d", 0o1777)
    os.chmod(top / "tree", 0o2770)
    if os.geteuid() == 0:
        os.chown(top / "tree/d/f", 7, 8)
        os.chmod(top / "tree/d/f", 0o6755)
        os.mknod(top / "tree/null", 0o20666, os.makedev(1, 3))
    try:
        os.setxattr(top / "tree/d/f", "user.note", b"x")
    except OSError:
        pass
    os.utime(top / "tree/d/f", (1e9, 1e9))
    os.utime(top / "tree/d", (1e9, 1e9))
    build.slipway.build(top, "-t", "t", *build.options).ok()
    tree = read_layout(build.slipway.root, "t:latest").verify().tree()
    f, d = tree["tree/d/f"], tree["tree/d"]
    assert wrong([
        ("file", (f.uid, f.gid, f.mode, f.mtime, f.xattrs), (0, 0, 0o6755, 10**9, {})),
        # A nested folder keeps mode and time, the destination folder takes nothing of the source.
        ("folder", (d.uid, d.gid, d.mode, d.mtime), (0, 0, 0o1777, 10**9)), ("top", facts(tree, "tree"), (0, 0, 0o755)),
        ("nested", facts(tree, "all/tree"), (0, 0, 0o2770)), ("empty", tree["tree/empty"].kind, "dir"),
        ("device", "tree/null" not in tree or tree["tree/null"].device, (1, 3) if os.geteuid() == 0 else True),
    ]) == []


# 9. Destinations.

def test_destinations(build):
    built = build(r"""
        FROM tiny
        WORKDIR /w
        COPY a.txt "one"/.
        COPY ["a.txt", ""]
        COPY a.txt ./x/../y/
        COPY dir /tree
        # Symlinks: to a folder, to a file, dangling, with a slash; always inside the root.
        RUN ln -s /real/deep /dl && mkdir -p /real/deep && ln -s ../../../esc /real/up && echo old > /real/file && \
            ln -s file /real/fl && ln /real/file /real/hard && ln -s /made/there /real/dang && chmod 600 /real/file
        COPY a.txt /dl
        COPY b.txt /dl/
        COPY dir/sub /dl/sub
        COPY a.txt /real/up/
        COPY a.txt /real/fl
        COPY a.txt /real/dang
        # Several sources and no slash: each is written to that path, the last one wins.
        COPY a.txt b.txt /several
        COPY dir a.txt /several-with-folder
        """, FILES)
    tree = built.tree
    assert wrong([
        ("one", built.text("/w/one/a.txt"), "a"), ("empty is here", built.text("/w/a.txt"), "a"),
        ("cleaned", built.text("/w/y/a.txt"), "a"), ("x", "w/x" in tree, False),
        ("through a link", below(built, "real/deep"), ["a.txt", "b.txt", "sub", "sub/deep", "sub/deep/z", "sub/y"]),
        ("link", tree["dl"].link, "/real/deep"), ("up", tree["esc/a.txt"].data, b"a"),
        # Overwriting through the link: the link stays; inode and mode are new, the other name keeps the content.
        ("file", (tree["real/file"].data, tree["real/file"].mode, tree["real/fl"].link), (b"a", 0o644, "file")),
        ("hard", (tree["real/hard"].data, tree["real/hard"].mode), (b"old\n", 0o600)),
        ("dangling", (tree["real/dang"].kind, tree["made/there"].data), ("symlink", b"a")),
        ("several", (tree["several"].kind, tree["several"].data), ("file", b"b")),
        ("with folder", tree["several-with-folder/a.txt"].data, b"a"),
    ]) == []


def test_conflicts(build):
    for lines, words in (
            ("COPY a.txt /d\nCOPY dir /d", ["cannot copy to non-directory"]),
            ("COPY dir /t\nCOPY q /t/x/", ["non-directory", "/t/x"]),
            ("COPY dir/sub /d/x/sub\nCOPY dir /d", ["/d/x"])):
        build.fails("FROM scratch\n" + lines + "\n", *words, files=FILES)
    # A folder of the source meets a link to a folder.
    build.fails("FROM tiny\nRUN mkdir /r /d && ln -s /r /d/sub\nCOPY dir /d\n", "non-directory", "/d/sub", files=FILES)


def test_owners(build, folder):
    """--chown: names from the passwd of the stage that is written to, not of the one that is read."""
    Layout(folder / "l").image("s", [make_tar([
        entry("etc", "dir"), entry("etc/passwd", data="app:x:77:78::/:/bin/sh\nonly:x:5:6::/:/\n"), entry("f", uid=9, gid=9),
        entry("t", "dir", mode=0o2770, uid=3), entry("t/d", "dir", mode=0o711, uid=3, gid=4), entry("t/d/f", uid=3)])])
    options = ["--build-context", f"s=oci-layout:{folder}/l"]
    built = build("""
        FROM tiny
        ENV WHO=app
        COPY --from=s --chown=$WHO /f /by-name
        COPY --from=s --chown=app:4 /f /name-number
        COPY --from=s --chown=12 /f /number
        COPY --from=s --chown=:app /f /group
        COPY --from=s --chown=0 /f /zero
        COPY --from=s /f /kept
        COPY --from=s --chown=1:2 /t /new/parent/t
        COPY --from=s /t /kept-tree
        RUN mkdir -p /old/d && chown 50:60 /old /old/d && chmod 700 /old && chmod 777 /old/d
        COPY --from=s --chown=1:2 /t /old
        USER app
        COPY --from=s --chown=1:2 /f /old/below/f
        COPY f /user
        RUN echo 'app:x:31:32::/:/bin/sh' > /tmp/passwd
        USER 0
        RUN cp /tmp/passwd /etc/passwd
        COPY --chown=app f /now
        """, {"f": "f"}, *options)
    tree = built.tree
    assert wrong([
        ("by name", facts(tree, "by-name")[:2], (1000, 1000)), ("name, number", facts(tree, "name-number")[:2], (1000, 4)),
        # A number without a group takes the same number; a group without a user is the user 0.
        ("number", facts(tree, "number")[:2], (12, 12)), ("group", facts(tree, "group")[:2], (0, 1000)),
        ("zero", facts(tree, "zero")[:2], (0, 0)), ("kept", facts(tree, "kept")[:2], (9, 9)),
        # Created parents take it, and all that is copied; the folder never takes the source's mode.
        ("parent", facts(tree, "new/parent"), (1, 2, 0o755)), ("top", facts(tree, "new/parent/t"), (1, 2, 0o755)),
        ("nested", facts(tree, "new/parent/t/d"), (1, 2, 0o711)), ("top of kept", facts(tree, "kept-tree"), (0, 0, 0o755)),
        ("kept nested", facts(tree, "kept-tree/d"), (3, 4, 0o711)),
        # An existing destination stays what it is, an existing folder in it does not.
        ("old", facts(tree, "old"), (50, 60, 0o700)), ("old nested", facts(tree, "old/d"), (1, 2, 0o711)),
        ("below", facts(tree, "old/below"), (1, 2, 0o755)), ("user", facts(tree, "user")[:2], (0, 0)),
        # What the stage's own files say now.
        ("now", facts(tree, "now")[:2], (31, 32)),
    ]) == []


def test_modes(build):
    built = build("""
        FROM scratch
        COPY --chmod=0750 dir /a/octal
        COPY --chmod=a+x,o-r dir /symbolic
        COPY --chmod=u=rw,go=u a.txt /copied
        COPY --chmod=7777 a.txt /all
        ADD --chmod=600 a.txt /add/
        COPY --link --chmod=640 a.txt /linked/f
        """, FILES)
    tree = built.tree
    assert wrong([
        # Files and folders, but not the parents.
        ("parent", tree["a"].mode, 0o755), ("top", tree["a/octal"].mode, 0o750), ("d", tree["a/octal/sub"].mode, 0o750),
        ("f", tree["a/octal/sub/y"].mode, 0o750), ("symbolic", tree["symbolic/x"].mode, 0o751),
        ("folder", tree["symbolic/sub"].mode, 0o751), ("copied", tree["copied"].mode, 0o666),
        ("all", tree["all"].mode, 0o7777), ("add", (tree["add"].mode, tree["add/a.txt"].mode), (0o755, 0o600)),
        ("link", tree["linked/f"].mode, 0o640),
    ]) == []
    for mode in ("9z", "10000", "u?x", "-1"):
        build.fails(f"FROM scratch\nCOPY --chmod={mode} a.txt /\n", "Dockerfile:2",
                    f"invalid chmod parameter: '{mode}'", files=FILES)


def test_link_is_independent_of_the_base(build):
    built = build("""
        FROM tiny
        RUN mkdir -p /real/x /meta/in && ln -s /real /alias && chmod 700 /meta && chown 5:5 /meta
        COPY --link a.txt /alias/a.txt
        COPY --link b.txt /meta/in/
        """, FILES)
    tree = built.tree
    assert wrong([
        ("replaced", (tree["alias"].kind, tree["alias/a.txt"].data), ("dir", b"a")), ("real", "real/a.txt" in tree, False),
        ("parents", facts(tree, "meta"), (0, 0, 0o755)), ("kept", tree["meta/in"].kind, "dir"),
        ("history", built.history[-1]["created_by"], "COPY b.txt /meta/in/ # buildkit"),
        ("layer", built.image.members(-1), ["meta", "meta/in", "meta/in/b.txt"]),
    ]) == []
    build.fails("FROM tiny\nCOPY --link --chown=app a.txt /f\n", "Dockerfile:2", "app", files=FILES)


def test_parents_and_exclude(build):
    built = build(r"""
        FROM tiny AS s
        COPY . /src
        FROM scratch
        COPY --parents dir/**/z q/*.md /p/
        COPY --parents ./dir/./sub/y /pivot/
        COPY --parents none*/x /none/
        COPY --from=s --parents /src/dir/./sub/deep /from/
        # Patterns are relative to each source folder; "!" takes back; files named themselves too.
        COPY --exclude=sub --exclude=*.md --exclude=!b.md dir q /ex/
        COPY --exclude=**/z --exclude=x dir /deep/
        COPY --from=s --exclude=sub /src/dir /from-ex/
        ADD --exclude=*.md q /add-ex/
        """, FILES)
    assert wrong([
        ("parents", below(built, "p"), ["dir", "dir/sub", "dir/sub/deep", "dir/sub/deep/z", "q", "q/a.md", "q/b.md"]),
        ("pivot", below(built, "pivot"), ["sub", "sub/y"]), ("none", "none" in built.tree, False),
        ("from", below(built, "from"), ["sub", "sub/deep", "sub/deep/z"]),
        ("new parents", facts(built.tree, "p/dir/sub"), (0, 0, 0o755)),
        ("exclude", below(built, "ex"), ["b.md", "empty", "in", "x"]),
        ("deep", below(built, "deep"), ["empty", "in", "sub", "sub/deep", "sub/y"]),
        ("from ex", below(built, "from-ex"), ["empty", "in", "x"]), ("add", below(built, "add-ex"), ["sub", "sub/c.md"]),
    ]) == []
    build.fails("FROM scratch\nCOPY --parents dir/nope /p/\n", "/dir/nope", "not found", files=FILES)


# 9. ADD.

def archive(members, compression=""):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{compression}", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


MEMBERS = [entry("./", "dir", mode=0o700, uid=9), entry("t", "dir", mode=0o2750, uid=3, gid=4, mtime=10**9),
           entry("t/f", data="f", mode=0o4640, uid=5, gid=6, mtime=10**9,
                 xattrs={"security.capability": capability([10]), "user.note": b"x"}),
           entry("t/h", "hardlink", link="t/f"), entry("t/l", "symlink", link="/nowhere"), entry("t/p", "fifo"),
           entry("t/null", "char", device=(1, 3)), entry("/abs", data="abs"), entry("was-link", "dir", mode=0o700),
           entry("was-link/new", data="n"), entry("was-file", data="new", mode=0o600)]


def test_archives(build):
    plain = archive(MEMBERS)
    zst = subprocess.run(["zstd", "-q", "-c"], input=archive([entry("zst", data="z")]), capture_output=True, check=True)
    built = build("""
        FROM tiny
        RUN mkdir -p /old/real && ln -s real /old/was-link && echo old > /old/was-file && chmod 711 /old
        # By content, whatever the name; the destination is always a folder.
        ADD archive.txt /old
        ADD z.zst [bx]*.arc /several
        ADD --chown=1:2 --chmod=777 archive.txt /owned
        # No archives: text of such a name, gzip without a tar in it, an archive in a folder.
        ADD text.tar only.gz /plain/
        ADD folder /folder
        COPY archive.txt /copied/
        """, {"archive.txt": plain, "z.zst": zst.stdout, "b.arc": archive([entry("bz", data="b")], "bz2"),
              "x.arc": archive([entry("xz", data="x")], "xz"), "text.tar": "text", "only.gz": gzip.compress(b"text"),
              "folder/a.tar": plain})
    tree = built.tree
    f = tree["old/t/f"]
    assert wrong([
        ("folder", facts(tree, "old/t"), (3, 4, 0o2750)), ("time", tree["old/t"].mtime, 10**9),
        ("file", (f.uid, f.gid, f.mode, f.mtime, f.xattrs),
         (5, 6, 0o4640, 10**9, {"security.capability": capability([10])})),
        ("hard link", tree["old/t/h"] is f, True), ("link", tree["old/t/l"].link, "/nowhere"),
        ("fifo", tree["old/t/p"].kind, "fifo"), ("device", tree["old/t/null"].device, (1, 3)),
        ("absolute", tree["old/abs"].data, b"abs"), ("stays", tree["old"].mode, 0o711),
        ("link replaced", (tree["old/was-link"].kind, below(built, "old/real")), ("dir", [])),
        ("in it", tree["old/was-link/new"].data, b"n"), ("file replaced", tree["old/was-file"].data, b"new"),
        ("several", below(built, "several"), ["bz", "xz", "zst"]),
        # --chown overrides the owners, --chmod does not matter to what is unpacked.
        ("owned", facts(tree, "owned/t/f"), (1, 2, 0o4640)), ("owned folder", facts(tree, "owned/t"), (1, 2, 0o2750)),
        ("plain", [tree[f"plain/{n}"].data[:4] for n in ("text.tar", "only.gz")], [b"text", b"\x1f\x8b\x08\x00"]),
        ("in a folder", tree["folder/a.tar"].kind, "file"), ("copied", tree["copied/archive.txt"].kind, "file"),
    ]) == []


def test_checksums_are_for_one_remote_source(build):
    digest = "sha256:" + "0" * 64
    for sources in ("a.txt", f"https://example.invalid/a a.txt", "<<EOF"):
        text = f"FROM scratch\nADD --checksum={digest} {sources} /d/\n" + ("x\nEOF\n" if "<<" in sources else "")
        build.fails(text, "Dockerfile:2", "checksum", files=FILES)
    for bad in ("md5:0", "sha256:xyz"):
        build.fails(f"FROM scratch\nADD --checksum={bad} https://example.invalid/a /d/\n", "Dockerfile:2", bad[:3])


def test_urls(build):
    packed = archive([entry("in", data="in")], "gz")
    at = {"Last-Modified": "Sun, 09 Sep 2001 01:46:40 GMT"}
    with Web({"/path/f.txt": (200, at, b"body"), "/a.tgz": packed, "/gone": (404, {}, b""),
              "/a%20b%2Bc": (200, {"Content-Disposition": "attachment; filename=other"}, b"coded")}) as web:
        built = build(f"""
            FROM tiny
            # The last element of the path without the query; 0600, root's, of the time that the server names.
            ADD {web.url}/path/f.txt?version=1 /d/
            # Decoded, and not what the server calls it.
            ADD {web.url}/a%20b%2Bc /d/
            ADD --chown=app --chmod=644 {web.url}/path/f.txt /named
            # Not unpacked unless asked.
            ADD {web.url}/a.tgz /packed/
            ADD --unpack {web.url}/a.tgz /unpacked
            ADD --checksum=sha256:{hashlib.sha256(b"body").hexdigest()} {web.url}/path/f.txt /checked
            """)
        tree = built.tree
        f = tree["d/f.txt"]
        assert wrong([
            ("file", (f.uid, f.gid, f.mode, f.mtime, f.data), (0, 0, 0o600, 10**9, b"body")),
            ("decoded", tree["d/a b+c"].data, b"coded"), ("named", facts(tree, "named"), (1000, 1000, 0o644)), ("packed", tree["packed/a.tgz"].data, packed),
            ("unpacked", tree["unpacked/in"].data, b"in"), ("checked", tree["checked"].data, b"body"),
        ]) == []
        build.fails(f"FROM scratch\nADD {web.url}/gone /d/\n", "Dockerfile:2", "404", "/gone")
        build.fails(f"FROM scratch\nADD {web.url}/ /d/\n", "Dockerfile:2")
        build.fails(f"FROM scratch\nADD --checksum=sha256:{'0' * 64} {web.url}/path/f.txt /d\n", "Dockerfile:2", "0000")
        build.fails(f"FROM scratch\nCOPY {web.url}/path/f.txt /d\n", "source can't be a URL for COPY")


# 10. .dockerignore.

def test_ignoring_concerns_the_context_alone(build, slipway, folder):
    outside = folder / "outside"
    outside.mkdir()
    (outside / "D").write_text("FROM scratch\nCOPY . /c/\n")
    (outside / "D.dockerignore").write_text("*\n!keep\n")
    top = build.context({"keep": "", "drop": "", ".dockerignore": "keep\n"})
    slipway.build(top, "-t", "o", "-f", outside / "D").ok()
    # The Dockerfile's own file wins wherever it lies, and the other one is not read at all.
    assert sorted(read_layout(slipway.root, "o:latest").tree()) == ["c", "c/keep"]
    built = build("""
        FROM tiny AS s
        RUN mkdir /d && touch /d/skip.log /d/x
        FROM tiny
        COPY --from=s /d /from/
        COPY . /context/
        RUN --mount=target=/m ls -A /m /m/sub > /mounted
        """, {"skip.log": "", "sub/skip.log": "", "sub/.git": "", " #indented": "", ".dotfile": "",
              ".dockerignore": "**/*.log\n # indented\n"})
    assert wrong([
        ("stage", below(built, "from"), ["skip.log", "x"]),
        ("context", below(built, "context"), sorted([" #indented", ".dockerignore", ".dotfile", "Dockerfile", "sub", "sub/.git"])),
        ("mount", "skip.log" in built.text("/mounted"), False),
    ]) == []


@pytest.mark.parametrize("lines, left", [
    # A pattern that matches a parent matches all below; a later "!" takes back, and the parents come with it.
    ("a\n!a/b/keep\n", {"a/b/keep", "z/a/x", "zz"}),
    ("*\n!a/b\n", {"a/b/keep", "a/b/x"}),
    ("**\n!**/x\n", {"a/b/x", "z/a/x"}),
    ("**/a\n", {"zz"}),
    ("a/*\n!a/b\na/b/x\n", {"a/b/keep", "z/a/x", "zz"}),
    ("a/b/**\n", {"z/a/x", "zz"}),
    ("./a/../z/\n", {"a/b/keep", "a/b/x", "zz"}),
    ("z?\n/z/*/[w-y]\n", {"a/b/keep", "a/b/x"}),
])
def test_ignore_rules(build, lines, left):
    files = {"a/b/keep": "", "a/b/x": "", "z/a/x": "", "zz": ""}
    built = build("FROM scratch\nCOPY . /c/\n", {**files, ".dockerignore": lines + "Dockerfile\n.dockerignore\n"})
    assert {p.removeprefix("c/") for p, e in built.tree.items() if e.kind == "file"} == left

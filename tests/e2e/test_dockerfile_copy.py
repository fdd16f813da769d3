"""COPY and ADD: sources, destinations, flags, archives."""
import io
import os
import socket
import tarfile

import pytest

from helpers.images import Layout, capability, entry, make_tar, read_layout

FILES = {"a.txt": "a", "b.txt": "b", "c.md": "c", ".hidden": "h", "dir/x": "x", "dir/sub/y": "y", "dir/empty": None,
         "dir/link": ("link", "x"), "toplink": ("link", "dir"), "filelink": ("link", "a.txt"),
         "with blank": "blank", "[odd]": "odd"}


def names(built, below):
    return sorted(p[len(below) + 1:] for p in built.tree if p.startswith(below + "/"))


def test_sources(build):
    built = build("""
        FROM scratch
        COPY dir /folder
        COPY dir/. /dot/
        COPY /dir/x ../b.txt /clamped/
        COPY ["with blank", "[[]odd]", "/json/"]
        COPY *.txt .h* /glob/
        COPY d?r/[w-z] /class/
        COPY nothing* /never/
        COPY toplink /followed
        COPY filelink /filelink
        COPY . /all
        """, FILES)
    assert names(built, "folder") == ["empty", "link", "sub", "sub/y", "x"] == names(built, "dot")
    assert names(built, "clamped") == ["b.txt", "x"] and names(built, "json") == ["[odd]", "with blank"]
    assert names(built, "glob") == [".hidden", "a.txt", "b.txt"] and names(built, "class") == ["x"]
    built.lacks("never")
    # A named link is followed, one inside a folder stays a link.
    assert names(built, "followed") == names(built, "folder")
    assert built.tree["filelink"].data == b"a" and built.tree["folder/link"].link == "x"
    assert built.tree["all/toplink"].link == "dir" and built.tree["all/dir/empty"].kind == "dir"
    built.has("all/Dockerfile")


def test_missing_sources(build):
    build.fails("FROM scratch\nCOPY a.txt nope /d/\n", "Dockerfile:2", "/nope", "not found", files=FILES)
    build.fails("FROM scratch\nCOPY ignored /d/\n", "Dockerfile:2", "/ignored", "not found",
                files={"ignored": "x", ".dockerignore": "ignored"})
    build.fails("FROM scratch AS s\nFROM scratch\nCOPY --from=s /nope /d\n", "Dockerfile:3", "/nope", "not found")


def test_destinations(build):
    built = build("""
        FROM tiny
        WORKDIR /w
        COPY a.txt name
        COPY a.txt slash/
        COPY a.txt .
        COPY a.txt /deep/er/file
        COPY a.txt slash
        COPY dir newdir
        COPY a.txt b.txt /last
        """, FILES)
    built.has("w/name", "w/slash/a.txt", "w/a.txt", "deep/er/file", "w/newdir/x")
    assert built.tree["w/name"].kind == "file" and built.tree["last"].data == b"b"


def test_destination_links_of_a_merged_usr_base(build):
    """Nothing is extracted for it, and links of the base stay links."""
    built = build("""
        FROM tiny
        COPY a.txt /lib/
        COPY a.txt /bin/tool
        COPY a.txt /var/run/file
        COPY dir /lib/dir
        """, FILES)
    built.has("usr/lib/a.txt", "usr/bin/tool", "run/file", "usr/lib/dir/x")
    assert built.tree["lib"].link == "usr/lib" and built.tree["bin"].link == "usr/bin"
    assert built.tree["var/run"].link == "/run"
    built.has("usr/bin/sh")
    assert not (build.slipway.root / "layers").exists() or not list((build.slipway.root / "layers").rglob("busybox"))


def test_destination_links_to_files(build, folder):
    Layout(folder / "l").image("b", [make_tar([
        entry("file", data="old"), entry("tofile", "symlink", link="file"), entry("dangling", "symlink", link="/made"),
        entry("up", "symlink", link="../../outside"), entry("hard", "hardlink", link="file")])])
    built = build("FROM b\nCOPY a.txt /tofile\nCOPY a.txt /dangling\nCOPY a.txt /up\n", FILES,
                  "--build-context", f"b=oci-layout:{folder}/l")
    assert built.tree["tofile"].link == "file" and built.tree["file"].data == b"a"
    assert built.tree["hard"].data == b"old", "another name of the old file keeps the old content"
    assert built.tree["dangling"].kind == "symlink" and built.tree["made"].data == b"a"
    assert built.tree["outside"].data == b"a"


@pytest.mark.parametrize("text, words", [
    ("COPY a.txt /d\nCOPY dir /d\n", ["/d"]),
    ("COPY dir /d\nCOPY a.txt /d/sub/y/\n", ["/d/sub/y"]),
    ("COPY dir/sub /t/\nCOPY a.txt /t/x/file\nCOPY dir /t\n", ["x"]),
])
def test_type_conflicts(build, text, words):
    build.fails("FROM scratch\n" + text, *words, files=FILES)


def test_owners_and_modes(build, context):
    top = context({"Dockerfile": """FROM tiny
COPY f /plain
COPY --chown=app f /by-name
COPY --chown=1000 f /by-number
COPY --chown=:adm f /group-only
COPY --chown=app:4 --chmod=0640 tree /new/parent/t
COPY --chmod=u=rwX,go=rX tree /symbolic
USER app
COPY f /as-user
WORKDIR /home/app
COPY tree nested
""", "f": "f", "tree/d/g": "g", "tree/s": "s"})
    if os.geteuid() == 0:
        os.chown(top / "f", 77, 88)
    os.chmod(top / "f", 0o4751)
    os.chmod(top / "tree", 0o700)
    os.chmod(top / "tree/d", 0o2770)
    os.chmod(top / "tree/d/g", 0o600)
    os.utime(top / "f", (1000000000, 1000000000.5))
    build.slipway.build(top, "-t", "t", *build.options).ok()
    tree = read_layout(build.slipway.root, "t:latest").verify().tree()

    def facts(path):
        return tree[path].uid, tree[path].gid, tree[path].mode

    assert facts("plain") == (0, 0, 0o4751) and tree["plain"].mtime == 1000000000
    assert facts("by-name") == (1000, 1000, 0o4751) and facts("by-number")[:2] == (1000, 1000)
    assert facts("group-only")[:2] == (0, 4)
    # Created parents take --chown and not --chmod; the destination folder never the source's own mode.
    assert facts("new") == (1000, 4, 0o755) and facts("new/parent") == (1000, 4, 0o755)
    assert facts("new/parent/t") == (1000, 4, 0o640)
    assert facts("new/parent/t/d") == (1000, 4, 0o640) and facts("new/parent/t/d/g") == (1000, 4, 0o640)
    assert facts("symbolic/d/g") == (0, 0, 0o644) and facts("symbolic/d")[2] & 0o777 == 0o755
    assert facts("as-user") == (0, 0, 0o4751), "USER does not matter to COPY"
    assert facts("home/app") == (1000, 1000, 0o755) and facts("home/app/nested") == (0, 0, 0o755)
    assert facts("home/app/nested/d") == (0, 0, 0o2770)


def test_unknown_owner_names_are_refused(build):
    build.fails("FROM tiny\nCOPY --chown=nosuch f /f\n", "Dockerfile:2", "nosuch", files={"f": "f"})
    build.fails("FROM scratch\nCOPY --chown=app f /f\n", "Dockerfile:2", "app", files={"f": "f"})


def test_from_a_stage_keeps_what_a_file_is(build, folder):
    tar = make_tar([entry("o", "dir", mode=0o2770, uid=5, gid=6),
                    entry("o/cap", mode=0o755, data="c", uid=7, gid=8, mtime=1000000000,
                          xattrs={"security.capability": capability([10])}),
                    entry("o/h1", data="h"), entry("o/h2", "hardlink", link="o/h1"),
                    entry("o/in", "dir", mode=0o711, uid=9, gid=9), entry("o/l", "symlink", link="/nowhere"),
                    entry("o/pipe", "fifo"), entry("big", "file", data="b", uid=3000000, gid=3000000)])
    Layout(folder / "l").image("b", [tar])
    options = ["--build-context", f"b=oci-layout:{folder}/l"]
    built = build("FROM scratch\nCOPY --from=b /o /o\nCOPY --from=b --chown=1:2 /o/cap /mine\nCOPY --from=b /big /big\n",
                  {}, *options)
    tree = built.tree
    assert (tree["o"].uid, tree["o"].mode) == (0, 0o755), "the top folder is made new"
    assert (tree["o/in"].uid, tree["o/in"].gid, tree["o/in"].mode) == (9, 9, 0o711)
    cap = tree["o/cap"]
    assert (cap.uid, cap.gid, cap.mtime, cap.xattrs) == (7, 8, 1000000000, {"security.capability": capability([10])})
    assert tree["o/h1"] is tree["o/h2"] and tree["o/l"].link == "/nowhere" and tree["o/pipe"].kind == "fifo"
    assert (tree["mine"].uid, tree["mine"].gid) == (1, 2) and "security.capability" in tree["mine"].xattrs
    assert tree["big"].uid == 3000000


def test_existing_folders(build):
    built = build("""
        FROM tiny
        RUN mkdir -p /t/d && chmod 700 /t && chown 5:5 /t && chmod 711 /t/d && chown 6:6 /t/d && echo k > /t/d/kept
        COPY tree /t
        """, {"tree/d/f": "f"})
    assert (built.tree["t"].uid, built.tree["t"].mode) == (5, 0o700), "the destination itself stays"
    assert (built.tree["t/d"].uid, built.tree["t/d"].mode) == (0, 0o755), "a nested folder takes the source's"
    built.has("t/d/kept", "t/d/f")


def test_exclude_parents_and_link(build):
    built = build("""
        FROM tiny
        COPY --exclude=*.md --exclude=dir/sub . /excluded/
        COPY --parents dir/sub/y dir/x /parents/
        COPY --parents dir/./sub/y /pivot/
        COPY --link a.txt /linked/deep/
        """, FILES)
    assert "c.md" not in names(built, "excluded") and "dir/sub" not in names(built, "excluded")
    assert "dir/x" in names(built, "excluded")
    assert names(built, "parents") == ["dir", "dir/sub", "dir/sub/y", "dir/x"]
    assert names(built, "pivot") == ["sub", "sub/y"] and names(built, "linked") == ["deep", "deep/a.txt"]


def archive(compression=""):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{compression}") as tar:
        for info, data in [entry("top", "dir", mode=0o750, uid=3, gid=4),
                           entry("top/f", data="f", mode=0o640, uid=5, gid=6, mtime=1000000000),
                           entry("top/l", "symlink", link="f"), entry("top/h", "hardlink", link="top/f"),
                           entry("/absolute", data="abs")]:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_add_unpacks_archives_by_content(build, compression):
    built = build("FROM scratch\nADD some.data /into\nADD plain.tar.gz /dir/\nCOPY some.data /copied\n",
                  {"some.data": archive(compression), "plain.tar.gz": "not an archive"})
    tree = built.tree
    assert tree["into"].kind == "dir" and tree["into/top/l"].link == "f" and tree["into/absolute"].data == b"abs"
    top, inner = tree["into/top"], tree["into/top/f"]
    assert (top.mode, top.uid, top.gid) == (0o750, 3, 4)
    assert (inner.mode, inner.uid, inner.gid, inner.mtime) == (0o640, 5, 6, 1000000000)
    assert tree["into/top/h"] is inner
    assert tree["dir/plain.tar.gz"].data == b"not an archive" and tree["copied"].kind == "file"


def test_add_chown_and_archives_inside_folders(build):
    built = build("FROM scratch\nADD --chown=9:9 a.tar /into\nADD folder /folder\n",
                  {"a.tar": archive(), "folder/a.tar": archive()})
    assert (built.tree["into/top/f"].uid, built.tree["into/top"].gid) == (9, 9)
    assert built.tree["folder/a.tar"].kind == "file"


@pytest.mark.parametrize("members", [
    [entry("../evil", data="x")],
    [entry("a/../../evil", data="x")],
    [entry("d", "symlink", link="/"), entry("d/../../evil", data="x")],
])
def test_add_keeps_archives_inside(build, folder, members):
    top = build.context({"Dockerfile": "FROM scratch\nADD a.tar /into/\n", "a.tar": make_tar(members)})
    result = build.slipway.build(top, "-t", "t", *build.options)
    assert not list(folder.rglob("evil")) and not os.path.exists("/evil")
    if result.code == 0:
        files = read_layout(build.slipway.root, "t:latest").verify().tree()
        assert all(p.startswith("into") for p in files), sorted(files)
    else:
        result.fails("a.tar")


def test_add_through_an_escaping_link(build):
    evil = make_tar([entry("d", "symlink", link="../../../etc"), entry("d/planted", data="x")])
    top = build.context({"Dockerfile": "FROM scratch\nADD a.tar /into/\n", "a.tar": evil})
    result = build.slipway.build(top, "-t", "t", *build.options)
    assert not os.path.exists("/etc/planted")
    if result.code == 0:
        tree = read_layout(build.slipway.root, "t:latest").verify().tree()
        assert {p for p in tree if p.endswith("planted")} <= {"into/d/planted", "etc/planted"}
    else:
        result.fails("a.tar")


def test_special_files_of_a_context(build, context):
    top = context({"Dockerfile": "FROM scratch\nCOPY . /c/\n", "f": "f"})
    os.mkfifo(top / "pipe")
    server = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(top)
    try:
        server.bind("socket")
    finally:
        os.chdir(here)
    (top / os.fsdecode(b"b\xffd")).write_text("x")
    os.link(top / "f", top / "g")
    result = build.slipway.build(top, "-t", "t", *build.options, timeout=60).ok()
    server.close()
    tree = read_layout(build.slipway.root, "t:latest").verify().tree()
    assert tree["c/pipe"].kind == "fifo" and "c/socket" not in tree and "c/b\udcffd" in tree
    assert tree["c/f"] is tree["c/g"]
    assert "socket" in result.out + result.err


def test_unreadable_file(context, slipway_user):
    top = context({"Dockerfile": "FROM scratch\nCOPY . /c/\n", "secret": "s"})
    os.chmod(top / "secret", 0)
    slipway_user.build(top, "-t", "t").fails("secret", "permission denied")

"""ADD from URLs: names, times, modes, checksums, unpacking, proxies, what is asked again; hostile archives from everywhere."""
import hashlib
import io
import os
import subprocess
import tarfile

import pytest

from helpers.images import entry, make_tar
from helpers.web import Web

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"  # RFC 9110's example: 784111777
UUID = "RUN cat /proc/sys/kernel/random/uuid > /uuid\n"
TREE = [entry("d", "dir", mode=0o750, uid=7, gid=8, mtime=1000), entry("d/f", data=b"f", mode=0o640, uid=7, gid=8, mtime=1000),
        entry("d/l", "symlink", link="f")]


def packed(kind, data):
    if kind == "none":
        return data
    return subprocess.run([kind, "-c"], input=data, capture_output=True, check=True).stdout


def test_names_modes_and_times(build):
    with Web({"/a/f.txt": (200, {"Last-Modified": DATE}, b"f"), "/a%20b%2Fc": b"c", "/": b"root", "/d/": b"d"}) as web:
        built = build(f"""
            FROM tiny
            ADD {web.url}/a/f.txt /x/
            ADD {web.url}/a/f.txt?v=1 /y
            ADD {web.url}/a%20b%2Fc {web.url}/ {web.url}/d/ /names/
            WORKDIR /w
            ADD --chmod=u=rwx,go=r --chown=app {web.url}/a/f.txt .
            """)
    f = built.tree["x/f.txt"]
    assert (f.mode, f.uid, f.gid, f.mtime, f.data) == (0o600, 0, 0, 784111777, b"f")
    assert built.tree["y"].data == b"f" and built.text("/names/__unnamed__") == "root"
    assert built.text("/names/c") == "c" and built.text("/names/d") == "d"
    assert (built.tree["w/f.txt"].mode, built.tree["w/f.txt"].uid) == (0o744, 1000)


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_checksums(build, algorithm):
    right, wrong = (hashlib.new(algorithm, data).hexdigest() for data in (b"right", b"wrong"))
    with Web({"/f": b"right"}) as web:
        assert build(f"FROM scratch\nADD --checksum={algorithm}:{right} {web.url}/f /f\n").text("/f") == "right"
        build.fails(f"FROM scratch\nADD --checksum={algorithm}:{wrong} {web.url}/f /f\n", "Dockerfile:2", wrong, right)
        build.fails(f"FROM scratch\nADD --checksum={algorithm}:{right[1:]} {web.url}/f /f\n", "hex digits")
        web.asked.clear()
        build.fails(f"FROM scratch\nADD --checksum=md5:{'0' * 32} {web.url}/f /f\n", "invalid checksum digest")
        build.fails(f"FROM scratch\nADD --checksum={algorithm}:{right} {web.url}/f {web.url}/f /f/\n", "multiple sources")
        build.fails(f"FROM scratch\nADD --checksum={algorithm}:{right} f /f\n", "requires HTTP(S) or Git", files={"f": ""})
        assert web.asked == []
        build(f"FROM scratch\nADD --checksum={algorithm}:{right} {web.url}/f /f\n")
        assert web.asked == [], "what the checksum names is cached: nothing is asked"


@pytest.mark.parametrize("status", [404, 500, 403])
def test_failures_say_what(build, status):
    with Web({"/f": (status, {}, b"sorry")}) as web:
        build.fails(f"FROM scratch\nADD {web.url}/f /f\n", "Dockerfile:2", f"{web.url}/f", str(status))
    build.fails("FROM scratch\nADD http://127.0.0.1:1/f /f\n", "Dockerfile:2", "127.0.0.1")


@pytest.mark.parametrize("header, condition, value", [("ETag", "If-None-Match", '"one"'), ("ETag", "If-None-Match", 'W/"weak"'),
                                                      ("Last-Modified", "If-Modified-Since", DATE)])
def test_unchanged_files_are_not_brought_again(build, header, condition, value):
    state = {"value": value, "body": b"one", "sent": 0}

    def page(headers):
        if headers.get(condition) == state["value"]:
            return 304, {header: state["value"]}, b""
        state["sent"] += 1
        return 200, {header: state["value"]}, state["body"]

    text = f"FROM tiny\nADD URL/f /f\n{UUID}"
    with Web({"/f": page}) as web:
        text = text.replace("URL", web.url)
        one = build(text)
        assert build(text).text("/uuid") == one.text("/uuid") and state["sent"] == 1
        # Another validator, the same bytes: still a hit, though they came.
        state["value"] = value.replace("o", "O").replace("06", "07").replace("weak", "week")
        assert build(text).text("/uuid") == one.text("/uuid") and state["sent"] == 2
        state.update(value=value, body=b"two")
        assert build(text).text("/f") == "two"
        # What is needed is brought, whatever the server says of it.
        sent = state["sent"]
        built = build(text.replace("/f\n", "/g\n", 1), None, "--no-cache")
        assert built.text("/g") == "two" and state["sent"] == sent + 1


def test_a_server_that_tells_of_other_bytes_than_it_sends(build):
    """Its record would stand for what the server told of."""
    state = {"body": b"one"}

    def page(headers):
        return (304, {"ETag": '"e"'}, b"") if headers.get("If-None-Match") else (200, {"ETag": '"e"'}, state["body"])

    with Web({"/f": page}) as web:
        text = f"FROM scratch\nADD {web.url}/f /f\n"
        assert build(text).text("/f") == "one"
        state["body"] = b"two"
        second = build(text.replace("ADD", "ADD --chmod=600"))
        assert second.text("/f") == "two" and "not cached" in second.result.err
        state["body"] = b"one"
        build(text, None, "--no-cache")
        assert build(text.replace("ADD", "ADD --chmod=600")).text("/f") == "one"


def test_changed_bytes_name_the_cause(build):
    with Web({"/f": b"one"}) as web:
        build(f"FROM scratch\nADD {web.url}/f /f\n")
        web.pages["/f"] = b"two"
        assert f"{web.url}/f changed" in build.again("--explain").result.err


def test_redirects(build):
    with Web({"/f.txt": b"moved"}) as to, Web({}) as web:
        web.pages = {"/a": (302, {"Location": "/b"}, b""), "/b": (301, {"Location": to.url + "/f.txt"}, b"")}
        built = build(f"FROM scratch\nADD {web.url}/a /d/\n")
    assert built.text("/d/a") == "moved", "the name is that of the address asked for"


def test_proxies(build):
    """http_proxy of the user's environment; no_proxy keeps hosts from it."""
    with Web({}) as proxy:
        proxy.pages["http://nowhere.example/f"] = b"by proxy"
        built = build("FROM scratch\nADD http://nowhere.example/f /f\n", env={"http_proxy": proxy.url})
        assert built.text("/f") == "by proxy" and proxy.asked == ["http://nowhere.example/f"]
        with Web({"/f": b"direct"}) as web:
            env = {"http_proxy": proxy.url, "no_proxy": "127.0.0.1"}
            assert build(f"FROM scratch\nADD {web.url}/f /f\n", env=env).text("/f") == "direct"


@pytest.mark.parametrize("kind", ["none", "gzip", "bzip2", "xz", "zstd"])
def test_unpack(build, kind, tmp_path):
    """Local archives are unpacked unless told otherwise, downloads only when told; tar says what is in them."""
    archive = packed(kind, make_tar(TREE))
    (tmp_path / "a").write_bytes(archive)
    listed = subprocess.run(["tar", "-tf", tmp_path / "a"], check=True, capture_output=True, text=True).stdout.split()
    with Web({"/a.tar": archive}) as web:
        built = build(f"""
            FROM scratch
            ADD local /local/
            ADD --unpack local /local-flag/
            ADD --unpack=false local /kept/
            ADD {web.url}/a.tar /remote/
            ADD --unpack=false {web.url}/a.tar /remote-false/
            ADD --unpack {web.url}/a.tar /remote-true
            ADD --unpack=true --chown=3:4 {web.url}/a.tar /owned/
            COPY local /copied/
            """, {"local": archive})
    for top in ("local", "local-flag", "remote-true", "owned"):
        below = {p[len(top) + 1:] for p in built.tree if p.startswith(top + "/")}
        assert below == {name.rstrip("/") for name in listed}, top
        d, f = built.tree[f"{top}/d"], built.tree[f"{top}/d/f"]
        assert (d.mode, f.mode, f.mtime) == (0o750, 0o640, 1000)
        assert (f.uid, f.gid) == ((3, 4) if top == "owned" else (7, 8))
    assert built.tree["kept/local"].data == archive == built.tree["copied/local"].data
    assert built.tree["remote/a.tar"].data == archive == built.tree["remote-false/a.tar"].data
    assert built.tree["remote/a.tar"].mode == 0o600


def test_what_is_no_tar_is_copied(build):
    """Also with --unpack; compressions that docker does not know are data."""
    tar = make_tar(TREE)
    files = {"text.gz": packed("gzip", b"text"), "empty": b"", "zeros": b"\0" * 4, "a.lzma": packed("lzma", tar), "nested": tar}
    with Web({"/t.gz": files["text.gz"]}) as web:
        built = build(f"FROM scratch\nADD text.gz empty zeros a.lzma /d/\nADD --unpack {web.url}/t.gz /d/\n"
                      "ADD dir /nested\n", {**files, "dir/nested": tar})
    for name in ("text.gz", "empty", "zeros", "a.lzma"):
        assert built.tree[f"d/{name}"].data == files[name], name
    assert built.tree["d/t.gz"].data == files["text.gz"]
    assert built.tree["nested/nested"].data == tar, "an archive inside a folder is a file"


HOSTILE = {
    "up": [entry("../up", data=b"x")],
    "deep up": [entry("a/../../up", data=b"x")],
    "hard link out": [entry("h", "hardlink", link="../../etc/passwd")],
    "hard link to nothing": [entry("h", "hardlink", link="etc/shadow")],
}
CONFINED = {
    "absolute": ([entry("/abs/f", data=b"x")], "t/abs/f"),
    "absolute link": ([entry("l", "symlink", link="/"), entry("l/f", data=b"x")], "f"),
    "link up": ([entry("l", "symlink", link="../../../.."), entry("l/f", data=b"x")], "f"),
    "link to a link": ([entry("a", "symlink", link="b"), entry("b", "symlink", link="/etc"), entry("a/f", data=b"x")], "etc/f"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("remote", [False, True], ids=["file", "url"])
def test_hostile_members_are_refused(build, name, remote):
    archive = make_tar(HOSTILE[name])
    with Web({"/a": archive}) as web:
        source = f"--unpack {web.url}/a" if remote else "a"
        build.fails(f"FROM scratch\nADD {source} /t/\n", "Dockerfile:2", "unpack", files={"a": archive})


@pytest.mark.parametrize("name", CONFINED)
def test_members_behind_links_stay_in_the_image(build, name, folder):
    members, lands = CONFINED[name]
    built = build("FROM scratch\nADD a /t/\n", {"a": make_tar(members)})
    assert built.tree[lands].data == b"x"
    assert not os.path.exists("/abs/f") and not os.path.exists("/etc/f") and not os.path.exists("/f")


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_damaged_archives(build, kind):
    """Cut after the first member: it is an archive, so it is an error."""
    tar = make_tar([entry("a", data=os.urandom(300000)), entry("b", data=os.urandom(3000000))])
    data = packed(kind, tar)
    build.fails("FROM scratch\nADD a /t/\n", "Dockerfile:2", "unpack", files={"a": data[:len(data) * 2 // 3]})


def test_an_archive_bomb_does_not_fill_the_disk(build):
    """Half a GiB of zeros, a thousand times smaller: refused by its ratio."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=9) as tar:
        member = tarfile.TarInfo("zeros")
        member.size = 1 << 29
        tar.addfile(member, open("/dev/zero", "rb"))
    build.fails("FROM scratch\nADD a /t/\n", "Dockerfile:2", files={"a": out.getvalue()})


TOKEN = "hunter2-token"


class Guarded(Web):
    """Serves /f to whom knows the header's value alone; headers is what was sent as Authorization."""

    def __init__(self, wanted):
        self.headers = []

        def page(headers):
            self.headers.append(headers.get("Authorization"))
            known = self.headers[-1] == wanted
            return (200, {"ETag": '"1"'}, b"guarded") if known else (401, {"WWW-Authenticate": "Bearer"}, b"who?")

        super().__init__({"/f": page})
        self.host = self.url.split("//")[1]


def test_a_password_in_an_address(build, slipway):
    """Refused with what to do instead, for ADD and for contexts; it is not said again."""
    web = "127.0.0.1:1"
    add = build.fails(f"FROM scratch\nADD http://maria:{TOKEN}@{web}/f /f\n", "Dockerfile:2", f"id=HTTP_AUTH_TOKEN_{web}")
    context = slipway("build", f"http://maria:{TOKEN}@{web}/f.tar").fails(f"id=HTTP_AUTH_TOKEN_{web}")
    assert TOKEN not in context.err
    assert TOKEN not in add.err.replace(f"ADD http://maria:{TOKEN}@", "")


@pytest.mark.parametrize("value, id, wanted", [
    (TOKEN + "\n", "HTTP_AUTH_TOKEN_HOST", f"Bearer {TOKEN}"), (f"Basic {TOKEN}", "HTTP_AUTH_HEADER_HOST", f"Basic {TOKEN}"),
], ids=["token", "header"])
def test_logins(build, slipway, value, id, wanted):
    """docker's secrets for files: in no layer, history, key, log or file of the store."""
    with Guarded(wanted) as web:
        text = f"FROM scratch\nADD {web.url}/f /f\n"
        secret = ("--secret", f"id={id.replace('HOST', web.host)},env=T")
        build.fails(text, "401", "Dockerfile:2", f"HTTP_AUTH_TOKEN_{web.host}")
        built = build(text, None, *secret, env={"T": value})
        assert built.text("/f") == "guarded" and web.headers == [None, wanted]
        again = build(text, None, *secret, "--no-cache", env={"T": value})
        assert again.text("/f") == "guarded"
        # Also where the context or a named one comes from.
        assert build("FROM scratch\nCOPY --from=c context /c\n", None, *secret, "--build-context", f"c={web.url}/f",
                     env={"T": value}).text("/c") == "guarded"
        # Who lost the secret is asked again, whatever the store remembers.
        build.fails(text, "401")
        for one in (built, again):
            assert TOKEN not in str(one.document) + one.result.err + one.result.out
        assert [p for p in slipway.root.rglob("*") if p.is_file() and TOKEN.encode() in p.read_bytes()] == []


def test_logins_of_other_hosts_are_not_sent(build):
    with Guarded("never") as web, Web({}) as proxy:
        text = f"FROM scratch\nADD {web.url}/f /f\n"
        port = web.host.split(":")[1]
        for id in ("HTTP_AUTH_TOKEN", "HTTP_AUTH_HEADER", "HTTP_AUTH_TOKEN_127.0.0.1", f"HTTP_AUTH_TOKEN_localhost:{port}",
                   f"HTTP_AUTH_HEADER_127.0.0.1:{port}0", "GIT_AUTH_TOKEN", f"GIT_AUTH_HEADER.{web.host}"):
            build.fails(text, "401", options=("--secret", f"id={id},env=T"), env={"T": TOKEN})
        assert set(web.headers) == {None}
        # In the clear over a network: not at all.
        build.fails("FROM scratch\nADD http://nowhere.example/f /f\n", "Dockerfile:2", "use https",
                    options=("--secret", "id=HTTP_AUTH_TOKEN_nowhere.example,env=T"), env={"T": TOKEN, "http_proxy": proxy.url})
        build.fails(text, "control characters", options=("--secret", f"id=HTTP_AUTH_HEADER_{web.host},env=T"), env={"T": "a\nb: c"})
        assert proxy.asked == [] and set(web.headers) == {None}


def test_a_login_does_not_follow_a_redirect(build):
    """Nor does it come back with one: a server that was led to must not choose what is asked in our name."""
    seen = {}

    def page(name, answer):
        def ask(headers):
            seen[name] = headers.get("Authorization")
            return answer
        return ask

    with Web({}) as web, Web({}) as other:
        host = web.url.split("//")[1]
        web.pages = {"/a": page("a", (302, {"Location": "/b"}, b"")), "/b": page("b", (302, {"Location": f"{other.url}/c"}, b"")),
                     "/d": page("d", b"end")}
        other.pages = {"/c": page("c", (302, {"Location": f"{web.url}/d"}, b""))}
        built = build(f"FROM scratch\nADD {web.url}/a /f\n", None, "--secret", f"id=HTTP_AUTH_TOKEN_{host},env=T", env={"T": TOKEN})
    assert built.text("/f") == "end"
    assert seen == {"a": f"Bearer {TOKEN}", "b": f"Bearer {TOKEN}", "c": None, "d": None}

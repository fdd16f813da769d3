"""RUN --mount=type=bind|cache|tmpfs beyond the common cases, which test_dockerfile_run.py has.

Expectations are BuildKit's: its words for what it refuses, and what docker 20.10 answered to the same lines.
"""
import io
import signal
import tarfile
import threading

import pytest

from helpers import processes
from helpers.git import GitWeb, Repository
from helpers.images import read_layout
from helpers.peers import Docker


# What docker refuses, each with a part of its message.
REFUSED = {
    "targt=/x": "unexpected key 'targt' in 'targt=/x' (did you mean target?)",
    "type=tmpf,target=/x": 'unsupported mount type "tmpf" (did you mean tmpfs?)',
    "target=/x,foo": "unexpected key 'foo'",
    "target=/x,source": "invalid field 'source' must be a key=value pair",
    "target=/x,ro=maybe": "invalid value for ro: maybe",
    "target=/x,size=3": "unexpected key 'size'",
    "target=/x,required": "unexpected key 'required' for mount type 'bind'",
    "target=/x,sharing=locked": "invalid cache sharing set for bind mount",
    "target=/x,mode=0700": 'mode not allowed for "bind" type mounts',
    "type=tmpfs,target=/x,uid=1": 'uid not allowed for "tmpfs" type mounts',
    "type=tmpfs,target=/x,size=abc": "invalid value for size",
    "type=cache,target=/x,sharing=lock": 'unsupported sharing value "lock" (did you mean locked?)',
    "type=cache,target=/x,mode=9": "invalid value 9 for mode",
    "type=cache,target=/x,uid=-1": "invalid value -1 for uid",
    "type=cache,target=/": 'invalid mount target "/"',
    "type=cache": 'invalid mount target "/"',
    "source=/sub": 'invalid mount target "/"',
    "type=secret": "one of source, target required",
    "type=secret,id=a,source=b": "both source and id can't be set",
    "type=secret,id=a,required=maybe": "invalid value for required: maybe",
    "from=$X,target=/x": "'from' doesn't support variable expansion",
    "from=nobody.invalid/x,target=/x": "nobody.invalid/x",
    "source=missing,target=/x": '"/missing": not found',
    "from=b,source=/missing,target=/x": '"/missing": not found',
    "type=cache,from=b,source=/missing,target=/x": '"/missing": not found',
    "type=cache,source=/missing,target=/x": "/missing",
}


@pytest.mark.parametrize("option", REFUSED)
def test_refused(build, option):
    build.fails(f"FROM tiny AS b\nFROM tiny\nRUN --mount={option} true\n", "Dockerfile:3", REFUSED[option],
                files={"sub/f": "f"})


@pytest.mark.slow
def test_docker_refuses_the_same(build, session_folder, tiny, context):
    engine = Docker(session_folder / "docker-mounts")
    try:
        engine.add(tiny, "tiny")
        for option in REFUSED:
            if "foo" in option or "invalid/x" in option:
                continue  # a network; and 20.10 has other words
            top = context({"Dockerfile": f"FROM tiny AS b\nFROM tiny\nRUN --mount={option} true\n", "sub/f": "f"})
            with pytest.raises(AssertionError):
                engine.build(top, "--no-cache")
    finally:
        engine.stop()


def test_keys_in_any_case_and_quotes(build):
    built = build(r"""
        FROM tiny
        ARG WHERE=/expanded
        RUN --mount=TYPE=bind,Target=/a,SOURCE=sub,ReadOnly cat /a/f > /case
        RUN --mount=type=bind,\"source=a,b\",target=/q cat /q/f > /comma
        RUN --mount=type=bind,'source=sub',"target=/q" cat /q/f > /quotes
        RUN --mount=type=bind,src=sub,dst=$WHERE cat /expanded/f > /variable
        RUN --mount=type=cache,destination=/c,ro=false,readwrite touch /c/x && echo w > /writable
        RUN --mount=type=tmpfs,target=/t,ro touch /t/x 2>/dev/null || echo r > /read-only
        """, {"sub/f": "sub\n", "a,b/f": "comma\n"})
    assert [built.text(p) for p in ("/case", "/comma", "/variable", "/writable", "/read-only")] == \
        ["sub\n", "comma\n", "sub\n", "w\n", "r\n"]
    build.fails('FROM tiny\nRUN --mount=type=bind,"source=a,b",target=/q true\n', "unexpected key 'b'",
                files={"a,b/f": ""})


def test_sources_of_binds(build, slipway, context, tiny):
    named = context({"n": "named\n", "skipped": "s", ".dockerignore": "skipped\n"})
    built = build("""
        FROM tiny AS zero
        RUN mkdir -p /out/deep && echo zero > /out/deep/f && ln -s deep /out/link && ln -s /out/deep/f /abs
        FROM scratch AS void
        FROM tiny
        RUN --mount=from=0,source=/out,target=/i cat /i/deep/f > /by-index
        RUN --mount=from=ZERO,source=/out/link,target=/l cat /l/f > /by-link
        RUN --mount=from=zero,source=/abs,target=/f cat /f > /absolute-link
        RUN --mount=from=named,target=/n ls /n > /named
        RUN --mount=from=tiny,source=/etc/passwd,target=/p grep -c root /p > /image
        RUN --mount=from=void,target=/v ls -A /v | wc -l > /void
        RUN --mount=from=scratch,target=/v ls -A /v | wc -l > /scratch
        RUN --mount=source=../../sub,target=/clamped cat /clamped/f > /up
        RUN --mount=from=zero,target=/z,rw rm -r /z/out && echo new > /z/etc/new && ls /z | grep -c out > /gone || true
        RUN --mount=from=zero,source=/out/deep/f,target=/z,rw echo over > /z && cat /z > /file
        RUN --mount=from=zero,source=/out,target=/z cat /z/deep/f > /unchanged
        RUN --mount=target=/ctx,rw rm -r /ctx/sub && mkdir /ctx/sub && ls -A /ctx/sub | wc -l > /emptied
        RUN --mount=source=sub/f,target=/etc/passwd cat /etc/passwd > /over-a-file
        """, {"sub/f": "sub\n"}, "--build-context", f"named={named}")
    assert {p: built.text(p) for p in ("/by-index", "/by-link", "/absolute-link", "/image", "/void", "/scratch", "/up",
                                       "/gone", "/file", "/unchanged", "/emptied", "/over-a-file")} == {
        "/by-index": "zero\n", "/by-link": "zero\n", "/absolute-link": "zero\n", "/image": "1\n", "/void": "0\n",
        "/scratch": "0\n", "/up": "sub\n", "/gone": "0\n", "/file": "over\n", "/unchanged": "zero\n",
        "/emptied": "0\n", "/over-a-file": "sub\n"}
    assert built.text("/named").split() == ["n"]
    assert "root" in built.text("/etc/passwd") and (build.last / "sub/f").read_text() == "sub\n"
    built.lacks("i", "l", "f", "n", "p", "v", "clamped", "z", "ctx")


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o777])
def test_the_top_of_a_context_is_readable(slipway, context, build, mode):
    """docker 20.10 shows 755 whatever the folder is; else no USER could read a context made by mktemp."""
    top = context({"x": "1\n", "Dockerfile": "FROM tiny\nWORKDIR /w\nRUN chmod 777 .\nUSER app\n"
                   "RUN --mount=target=/src stat -c %a /src > a && cat /src/x >> a\n"
                   "RUN --mount=target=/src,rw stat -c %a /src > b && cat /src/x >> b\n"})
    top.chmod(mode)
    slipway.build(top, "-t", "m:1", *build.options).ok()
    tree = read_layout(slipway.root, "m:1").tree()
    assert tree.text("/w/a") == tree.text("/w/b") == "755\n1\n"


def test_the_top_of_a_context_that_was_fetched_is_readable(slipway, build, folder):
    text = "FROM tiny\nWORKDIR /w\nRUN chmod 777 .\nUSER app\nRUN --mount=FROMtarget=/src cat /src/x > a\n"
    repository = Repository(folder / "served", "r")
    repository.commit({"x": "1\n", "Dockerfile": text.replace("FROMt", "t")})
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as out:
        out.add(repository.work / "x", "x")
        out.add(repository.work / "Dockerfile", "Dockerfile")
    with GitWeb(folder / "served") as web:
        url = f"{web.url}/r.git"
        for arguments, stdin in (([url], ""), (["-"], tar.getvalue()),
                                 (["-", "--build-context", f"n={url}"], text.replace("FROMt", "from=n,t"))):
            slipway.build(*arguments, "-t", "m:1", "--no-cache", *build.options, stdin=stdin).ok()
            assert read_layout(slipway.root, "m:1").tree().text("/w/a") == "1\n"


@pytest.mark.parametrize("ignore", ["", "d/no\n"], ids=["as it is", "with an ignore file"])
def test_the_mode_of_a_mounted_folder_is_shown_and_counts(build, ignore):
    """As docker 20.10; that of a folder that COPY copies from is neither."""
    build("FROM tiny\nRUN --mount=source=d,target=/m stat -c %a /m > /o\n", {"d/x": "1", ".dockerignore": ignore})
    for mode in (0o700, 0o751, 0o2755):
        (build.last / "d").chmod(mode)
        assert build.again().text("/o") == f"{mode:o}\n"
    assert "CACHED" in build.again().result.err


def test_mounts_in_mounts(build):
    built = build("""
        FROM tiny
        RUN --mount=type=tmpfs,target=/a/sub --mount=target=/a ls -A /a/sub | wc -l > /parents-first && cat /a/f > /f
        RUN --mount=type=tmpfs,target=/a --mount=target=/a cat /a/f > /later
        RUN --mount=target=/a --mount=type=tmpfs,target=/a ls -A /a | wc -l > /covered
        RUN --mount=type=cache,target=/c --mount=source=sub,target=/c/in cat /c/in/g > /g
        RUN --mount=type=cache,target=/c ls /c > /left
        """, {"f": "f\n", "sub/g": "g\n"})
    assert [built.text(p) for p in ("/parents-first", "/f", "/later", "/covered", "/g")] == \
        ["0\n", "f\n", "f\n", "0\n", "g\n"]
    built.lacks("a", "c")


def test_a_cache_that_begins_with_files(build):
    lines = """
        FROM tiny AS b
        RUN mkdir -p /s/x && echo base > /s/f && echo x > /s/x/g && ln /s/f /s/hard && ln -s f /s/soft && \
            chmod 750 /s && chown 5:6 /s && chmod 640 /s/x/g && chown 7:8 /s/x/g
        FROM tiny
        RUN --mount=type=cache,from=b,source=/s,target=/c stat -c '%a %u %g' /c /c/x/g > /stat && ls /c > /ls && \
            cat /c/soft > /soft && stat -c %h /c/f > /links && echo more > /c/new
        RUN --mount=type=cache,from=b,source=/s,target=/c cat /c/new > /kept
        RUN --mount=type=cache,from=b,source=/s,target=/c,uid=3,mode=0700 stat -c '%a %u %g' /c > /owned && \
            ls /c > /owned-ls
        RUN --mount=type=cache,from=ctx,target=/n cat /n/a > /context && stat -c '%a %u %g' /n > /context-stat
        RUN --mount=type=cache,target=/c ls /c > /other
        """
    named = build.context({"a": "a\n", "skip": "s", ".dockerignore": "skip\n"})
    built = build(lines, {}, "--build-context", f"ctx={named}")
    # As docker: the folder is what it is in the stage.
    assert built.text("/stat") == "750 5 6\n640 7 8\n" and built.text("/ls").split() == ["f", "hard", "soft", "x"]
    assert built.text("/soft") == "base\n" and built.text("/links") == "2\n" and built.text("/kept") == "more\n"
    assert built.text("/owned") == "700 3 6\n" and built.text("/owned-ls").split() == ["f", "hard", "soft", "x"]
    assert built.text("/context") == "a\n" and built.text("/context-stat") == "755 0 0\n"
    assert built.text("/other") == ""
    # Other files to begin with: another folder; the same again: the old one.
    changed = build(lines.replace("echo base", "echo changed"), {}, "--build-context", f"ctx={named}")
    assert changed.text("/soft") == "changed\n"
    again = build(lines.replace("ls /c > /ls", "ls /c > /ls && true"), {}, "--build-context", f"ctx={named}")
    assert again.text("/ls").split() == ["f", "hard", "new", "soft", "x"]
    build.fails("FROM tiny AS b\nRUN echo > /f\nFROM tiny\nRUN --mount=type=cache,from=b,source=/f,target=/c true\n",
                "Dockerfile:4", "source=/f is a file")


def test_cache_ids_owners_and_survival(build):
    built = build("""
        FROM tiny
        WORKDIR /w
        RUN --mount=type=cache,target=rel echo relative > rel/f
        RUN --mount=type=cache,target=/elsewhere,id=rel cat /elsewhere/f > /by-id
        RUN --mount=type=cache,target=/a//b/../c/ echo x > /a/c/f
        RUN --mount=type=cache,target=/other,id=/a/c cat /other/f > /cleaned
        RUN --mount=type=cache,target=/c,id=../../../../etc ls -A /c | wc -l > /odd-id
        RUN --mount=type=cache,target=/c,id=own,uid=1000,gid=4,mode=2770 stat -c '%a %u %g' /c > /made && chmod 755 /c
        RUN --mount=type=cache,target=/c,id=own,uid=1000,gid=4,mode=2770 stat -c '%a %u %g' /c > /only-when-made
        RUN --mount=type=cache,target=/c,id=own ls -A /c | wc -l > /another && stat -c '%a %u %g' /c >> /another
        RUN --mount=type=cache,target=/c,id=sub mkdir /c/sub && echo in > /c/sub/f
        RUN --mount=type=cache,target=/c,id=sub,source=sub cat /c/f > /part
        """)
    assert {p: built.text(p) for p in ("/by-id", "/cleaned", "/odd-id", "/made", "/only-when-made", "/another",
                                       "/part")} == {
        "/by-id": "relative\n", "/cleaned": "x\n", "/odd-id": "0\n", "/made": "2770 1000 4\n",
        "/only-when-made": "755 1000 4\n", "/another": "0\n755 0 0\n", "/part": "in\n"}
    build.fails("FROM tiny\nRUN --mount=type=cache,target=/k,id=kept echo half > /k/f && exit 7\n", "exit code: 7")
    assert build("FROM tiny\nRUN --mount=type=cache,target=/k,id=kept cat /k/f > /f\n").text("/f") == "half\n"
    # What is in a cache is not in the key.
    assert "CACHED" in build.again().result.err
    spaced = build("FROM tiny\nRUN --mount=type=cache,target=/k,id=kept ls -A /k > /f\n", {}, "--build-arg",
                   "BUILDKIT_CACHE_MOUNT_NS=team")
    assert spaced.text("/f") == ""


class Side:
    """One of several builds at the same time in one store."""

    def __init__(self, slipway, context, tiny, run):
        top = context({"Dockerfile": f"FROM tiny\nRUN {run}\n"})
        self.process = slipway.start("build", "-t", f"side{id(self)}:1", "--progress", "plain", "--build-context",
                                     f"tiny=oci-layout:{tiny}", top)
        self.text = ""
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.text += line.decode()

    def says(self, words, seconds=60):
        assert processes.wait_until(lambda: words in self.text or self.process.poll() is not None, seconds), self.text
        assert words in self.text, self.text

    def ends(self, code=0):
        assert self.process.wait(60) == code, self.text
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def side(slipway, context, tiny):
    made = []

    def start(run):
        made.append(Side(slipway, context, tiny, run))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        one.reader.join()


MEET = "--mount=type=cache,target=/meet"
WAIT = "for i in $(seq 600); do [ -e /meet/%s ] && break; sleep 0.1; done; [ -e /meet/%s ]"


def wait_for(name):
    return WAIT % (name, name)


def test_shared_caches_are_used_at_the_same_time(side):
    first = side(f"{MEET} --mount=type=cache,target=/c touch /c/1 /meet/a && {wait_for('b')} && [ -e /c/2 ]")
    second = side(f"{MEET} --mount=type=cache,target=/c touch /c/2 /meet/b && {wait_for('a')} && [ -e /c/1 ]")
    first.ends()
    second.ends()


def test_private_caches_are_apart(side, build):
    private = "--mount=type=cache,target=/c,sharing=private"
    first = side(f"{MEET} {private} touch /c/1 /meet/a && {wait_for('b')}")
    second = side(f"{MEET} {private} {wait_for('a')} && [ -z \"$(ls /c)\" ] && touch /c/2 /meet/b")
    first.ends()
    second.ends()
    # Alone again: one of the two.
    seen = build(f"FROM tiny\nRUN {private} ls /c > /seen\n").text("/seen")
    assert seen in ("1\n", "2\n")


def test_locked_caches_wait_and_can_be_cancelled(side, slipway):
    locked = "--mount=type=cache,target=/c,id=lock,sharing=locked"
    first = side(f"{MEET} {locked} echo 1 >> /c/f; touch /meet/a && {wait_for('go')}")
    meet = processes.wait_until(lambda: list(slipway.root.glob("cache/mounts/*/a")), 60)
    assert meet, first.text
    cancelled = side(f"{locked} echo 2 >> /c/f")
    cancelled.says("waiting for the cache mount lock")
    cancelled.process.send_signal(signal.SIGINT)
    cancelled.ends(130)
    second = side(f"{locked} echo 3 >> /c/f && [ \"$(tr -d '\\n' < /c/f)\" = 13 ]")
    second.says("waiting for the cache mount lock")
    assert first.process.poll() is None and second.process.poll() is None
    (meet[0].parent / "go").touch()
    first.ends()
    second.ends()


@pytest.mark.root
@pytest.mark.parametrize("fixture", ["slipway_user", "slipway_single"])
def test_without_root(request, fixture, context, tiny):
    slipway = request.getfixturevalue(fixture)
    single = fixture == "slipway_single"
    top = context({"sub/f": "f\n", "Dockerfile": """
FROM tiny AS b
RUN mkdir /s && echo s > /s/f && chmod 750 /s
FROM tiny
RUN --mount=type=cache,target=/c,uid=1000,mode=0770 stat -c '%a %u' /c > /made && touch /c/f
RUN --mount=type=cache,target=/c,uid=1000,mode=0770 ls /c > /kept
RUN --mount=type=cache,target=/d,from=b,source=/s cat /d/f > /filled && stat -c %a /d >> /filled && touch /d/new
RUN --mount=type=cache,target=/d,from=b,source=/s ls /d > /filled-again
RUN --mount=target=/x stat -c %a /x > /top
RUN --mount=target=/x,rw echo w > /x/sub/f && cat /x/sub/f > /written
RUN --mount=from=b,source=/s,target=/x,rw echo w > /x/f && cat /x/f >> /written
RUN --mount=source=sub/f,target=/x,rw echo w > /x && cat /x >> /written
RUN --mount=type=tmpfs,target=/t,size=1m stat -c %a /t > /tmpfs
"""})
    top.chmod(0o777)
    slipway.build(top, "-t", "m:1", "--build-context", f"tiny=oci-layout:{tiny}").ok()
    tree = read_layout(slipway.root, "m:1").tree()
    assert tree.text("/top") == "755\n"
    # Of one id there is only that one.
    assert tree.text("/made") == f"770 {0 if single else 1000}\n" and tree.text("/kept") == "f\n"
    assert tree.text("/filled") == "s\n750\n" and tree.text("/filled-again").split() == ["f", "new"]
    assert tree.text("/written") == "w\nw\nw\n" and tree.text("/tmpfs") == "1777\n"
    assert (top / "sub/f").read_text() == "f\n"

"""The same Dockerfile built by buildah and docker: the same files, the same config."""
import random

import pytest

from helpers.images import differences, entry, make_tar, read_layout
from helpers.peers import Buildah, Docker, comparable

FILES = {"a.txt": "a", "b.txt": "b", "run.sh": "#!/bin/sh\necho hi\n", "dir/x": "x", "dir/sub/y": "y",
         "dir/link": ("link", "x"), "ignored/z": "z", ".dockerignore": "ignored\n", "with blank": "blank", ".hid": "h",
         "tofolder": ("link", "dir"), "tofile": ("link", "a.txt"), "text.tar.gz": "no archive",
         "packed.bin": make_tar([
             entry("./", "dir", mode=0o700, uid=9), entry("implied/below/f", data="i"),
             entry("f", data="new", mode=0o4640, uid=5, gid=6), entry("t", "dir", mode=0o750, uid=7),
             entry("z", "symlink", link="t"), entry("z/through", data="t"), entry("twice", data="1"),
             entry("twice", data="2"), entry("t/l", "symlink", link="../f"),
             entry("t/h", "hardlink", link="f", mode=0o4640, uid=5, gid=6)]),
         "sub/a.tar": make_tar([entry("x", data="x")])}

CASES = {
    "an app": """
        FROM tiny
        ENV APP=/srv/app \\
            MODE="pro duction"
        WORKDIR $APP
        COPY a.txt ./
        RUN mkdir -p var && cp a.txt var/copy && chmod 750 var && ln -s copy var/link
        COPY . .
        EXPOSE 3000
        CMD ["sh", "run.sh"]
        """,
    "stages": """
        FROM tiny AS build
        COPY dir /src
        RUN mkdir /out && cp -r /src/. /out && echo made > /out/made && chown -R app:app /out
        FROM tiny
        COPY --from=build /out /opt/out
        COPY --from=build --chown=nobody /out/made /opt/owned
        USER app
        ENTRYPOINT ["cat"]
        CMD ["/opt/out/made"]
        """,
    "removals": """
        FROM tiny
        RUN mkdir -p /d/e && echo 1 > /d/1 && echo 2 > /d/e/2 && echo 3 > /3
        RUN rm -r /d/e /3 && echo new > /d/new && rm /usr/bin/wget && mv /d/1 /d/moved
        RUN rm -rf /d && mkdir /d && echo again > /d/again && mkdir -p /k/dir/in /k/gone && echo f > /k/file && \
            ln -s file /k/link && ln /k/file /k/hard && mkfifo /k/pipe
        RUN rm -r /k/dir /k/link /k/gone && echo d > /k/dir && mkdir /k/link && rm /k/file && mkdir /k/file && \
            chown 3000000:7 /k/pipe && mkdir -m 2770 /k/setgid && touch /k/setgid/f
        """,
    "owners and links": """
        FROM tiny
        COPY --chown=app:adm dir /chowned
        COPY --chown=7:8 a.txt b.txt /numbers/
        RUN echo l > /one && ln /one /two && chmod 4755 /one && chown 1000:4 /one && chmod 1777 /numbers
        RUN chmod 600 /chowned/x && ln -s one /three && ln /three /four
        RUN rm /three && test "$(readlink /four)" = one
        """,
    "metadata": r"""
        FROM tiny
        ARG VERSION=1.2
        LABEL version=$VERSION "a b"='c d'
        ENV A=1 B=${A:-x} C="q\"q" PATH=/opt/bin:$PATH
        EXPOSE 80 53/udp
        VOLUME ["/data"]
        USER 1000:4
        STOPSIGNAL SIGUSR1
        SHELL ["/bin/sh", "-ec"]
        HEALTHCHECK --interval=10s --retries=2 CMD wget -q localhost
        ENTRYPOINT exec app $A
        CMD ["--flag"]
        """,
    "merged usr": """
        FROM tiny
        COPY a.txt /lib/
        COPY run.sh /bin/run
        COPY dir /var/run/dir
        RUN test -f /usr/lib/a.txt && sh /bin/run && test -f /run/dir/x && echo yes > /seen
        """,
    "copies": r"""
        FROM tiny AS s
        WORKDIR /elsewhere
        COPY dir /from/dir
        FROM tiny
        RUN mkdir -p /real/deep /t/sub /old && ln -s /real /alias && echo old | tee /real/file > /old/f && \
            chmod 700 /t && chmod 711 /t/sub && chown 5:6 /t /t/sub && ln /real/file /real/hard
        COPY --from=s /from/dir/x /from/dir/sub /clamped/
        COPY --from=s from/dir/sub/ /sub
        COPY *.txt .h* /glob/
        COPY d?r/[w-z] /class/
        COPY tofolder tofile /followed/
        COPY ["with blank", "/json/"]
        COPY dir/. /dot
        WORKDIR /w
        COPY a.txt name
        COPY a.txt folder/
        COPY b.txt .
        COPY b.txt folder
        COPY a.txt /alias/deep
        COPY a.txt /real/file
        COPY dir /t
        COPY dir /alias/made/here
        ADD packed.bin /old
        ADD packed.bin text.tar.gz /several/
        ADD sub /folder
        COPY packed.bin /copied/
        """,
    "working folders and triggers": """
        FROM tiny AS parent
        ENV V=base
        RUN mkdir -m 711 /there && chown 5:6 /there && ln -s /there /alias
        ONBUILD COPY a.txt /on/$V
        ONBUILD RUN cat /on/base > /ran
        ONBUILD ENV V=child
        ONBUILD LABEL v=${V}
        FROM parent AS child
        LABEL own=$V
        FROM child
        WORKDIR /there
        WORKDIR /alias/a/../b
        WORKDIR c
        ENV D=/var
        WORKDIR ${D}/made/x
        RUN echo $V > seen
        ONBUILD RUN make  --all
        """,
    "config across stages": r"""
        ARG BASE=tiny
        FROM $BASE AS p
        SHELL ["/bin/sh", "-ec"]
        CMD ["inherited"]
        EXPOSE 80/udp 7000-7002
        VOLUME /v /w
        USER app:adm
        LABEL a=1
        HEALTHCHECK --timeout=3s CMD ["x"]
        ARG A=arg
        ARG B=${A}2
        ENV A=env C=${A:+set}${B} D='$A' E="$A \"q\"" F=a\ b G=${U:-${A}}
        ENV A=later OLD=$A
        FROM p
        ENTRYPOINT ["own"]
        HEALTHCHECK --interval=3s CMD y
        LABEL a=2 b="x y" c=$A d=$B "quoted key"="v" e=${U}
        ENV Z=1 PATH=$PATH:/z
        ARG A=again
        USER root
        RUN mkdir /v && echo "$A $B" > /v/kept
        COPY ${U:-a}.txt /$A/
        """,
}
# What docker says of each step; 20.10 words EXPOSE, HEALTHCHECK, ONBUILD and --chown in another way than BuildKit now.
HISTORY = """
    FROM tiny
    ARG A=1
    ARG N
    MAINTAINER me <a@b>
    ENV E="x y" F=2
    LABEL "k l"='v w' m=n
    RUN echo  "$A"   > /a
    RUN ["/bin/touch", "/b c"]
    COPY a.txt b.txt /d/
    ADD a.txt /f
    WORKDIR /w
    WORKDIR rel
    WORKDIR /
    USER app:adm
    VOLUME /v /w
    STOPSIGNAL 9
    SHELL ["/bin/sh", "-ec"]
    ENTRYPOINT run "$A"
    CMD ["x", "y z"]
    """
# buildah 1.28 does not apply SHELL to ENTRYPOINT, orders Env otherwise, keeps ranges of ports, lets ENV win over a later
# ARG and drops what is written into volumes.
KNOWN_TO_DIFFER = {("metadata", "buildah"), ("config across stages", "buildah")}
FILE_FIELDS = ("mtime",)


@pytest.fixture(scope="session")
def buildah(session_folder, tiny):
    made = Buildah(session_folder / "buildah")
    made.add(tiny, "tiny")
    return made


@pytest.fixture(scope="session")
def docker(session_folder, tiny):
    made = Docker(session_folder / "docker")
    made.add(tiny, "tiny")
    yield made
    made.stop()


# buildah lets "./" of an archive change the destination folder.
OTHERWISE = {("copies", "buildah"): ["old: mode 493 != 448", "old: uid 0 != 9", "several: mode 493 != 448",
                                     "several: uid 0 != 9"]}


def without_stubs(tree):
    """Without the files that engines leave where they mounted something, empty as they are."""
    stubs = ("etc/hosts", "etc/resolv.conf", "etc/hostname", "etc/mtab", "dev/console", "dev/null", ".dockerenv", "dev/pts",
             "dev/shm", "run/.containerenv")
    for stub in stubs:
        if stub in tree and (tree[stub].size == 0 or tree[stub].kind == "symlink"):
            del tree[stub]
    return tree


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.parametrize("case, peer", [(case, peer) for case in CASES for peer in ("buildah", "docker")
                                        if (case, peer) not in KNOWN_TO_DIFFER])
def test_agrees(request, build, case, peer):
    other = request.getfixturevalue(peer)
    ours = build(CASES[case], FILES)
    theirs = other.build(build.last)
    assert differences(without_stubs(ours.tree), without_stubs(theirs.tree()), FILE_FIELDS) == OTHERWISE.get((case, peer), [])
    assert comparable(ours.config) == comparable(theirs.config["config"])
    assert ours.document["architecture"] == theirs.config["architecture"]


@pytest.mark.slow
@pytest.mark.root
def test_history_agrees(build, docker):
    ours = build(HISTORY, FILES)
    theirs = docker.build(build.last)
    assert [(h["created_by"], h.get("empty_layer", False), h.get("comment")) for h in ours.history[1:]] == \
        [(h["created_by"], h.get("empty_layer", False), h.get("comment")) for h in theirs.config["history"][1:]]
    assert ours.document.get("author") == theirs.config.get("author")


SOURCES = ["a.txt", "b.txt", "dir", "dir/", "dir/sub", "dir/*", "*.txt", "tofolder", "tofile", "d*", "sub", "dir/x", "./dir/.",
           "none*", "dir/link", "t*", "/dir/../b.txt", "../a.txt", "[ab].txt", "packed.bin"]
PLACES = ["/x", "/x/", "x", "./", ".", "/x/y", "/x/y/", "/l", "/l/", "/l/z", "/lf", "/dangling", "/dangling/", "/f", "/d", "/d/",
          "/d/e", "/d/e/f/", "/up/q", "/etc/x/", "/lib/y", "/bin/", "..", "../w2/", "/d/lnk", "/d/lnk/", "/loop/l/m"]
GROUND = """FROM tiny AS src
COPY --chown=3:4 dir /dir
COPY . /
RUN chmod 2750 /dir /dir/sub && chown 8:9 /dir/sub /a.txt
FROM tiny
RUN mkdir -p /d/e /real /loop && chmod 700 /d && chown 5:5 /d/e && echo f > /f && ln -s /real /l && ln -s f /lf && \\
    ln -s /made/by /dangling && ln -s ../../.. /up && ln -s e /d/lnk && ln -s . /loop/l
WORKDIR /w
"""


def random_copies(rng):
    text = GROUND
    for _ in range(rng.randint(3, 7)):
        stage = rng.choice(["", "", "--from=src "])
        owner = rng.choice(["", "", "", "--chown=app ", "--chown=7 ", "--chown=:9 "])
        sources = [rng.choice(SOURCES) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
        # 20.10 does not apply --chown to what it unpacks.
        command = "COPY" if stage or owner else rng.choice(["COPY", "ADD"])
        text += f"{command} {stage}{owner}{' '.join(sources)} {rng.choice(PLACES)}\n"
    return text


@pytest.mark.soak
@pytest.mark.slow
@pytest.mark.root
@pytest.mark.parametrize("seed", range(60))
def test_random_copies_agree(build, docker, seed):
    """The same files, or both refuse."""
    text = random_copies(random.Random(seed))
    top = build.context({**FILES, "Dockerfile": text})
    ours = build.slipway.build(top, "-t", "ours", *build.options)
    try:
        theirs = without_stubs(docker.build(top).tree())
    except AssertionError as refused:
        assert ours.code == 1, f"docker refuses:\n{text}\n{refused}"
        return
    ours.ok()
    tree = read_layout(build.slipway.root, "ours:latest").verify().tree()
    assert differences(without_stubs(tree), theirs, FILE_FIELDS) == [], text

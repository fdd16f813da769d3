"""The same Dockerfile built by buildah and docker: the same files, the same config."""
import pytest

from helpers.images import differences
from helpers.peers import Buildah, Docker, comparable

FILES = {"a.txt": "a", "b.txt": "b", "run.sh": "#!/bin/sh\necho hi\n", "dir/x": "x", "dir/sub/y": "y",
         "dir/link": ("link", "x"), "ignored/z": "z", ".dockerignore": "ignored\n"}

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
        RUN rm -rf /d && mkdir /d && echo again > /d/again
        """,
    "owners and links": """
        FROM tiny
        COPY --chown=app:adm dir /chowned
        COPY --chown=7:8 a.txt b.txt /numbers/
        RUN echo l > /one && ln /one /two && chmod 4755 /one && chown 1000:4 /one && chmod 1777 /numbers
        RUN chmod 600 /chowned/x
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
}
# buildah 1.28 does not apply SHELL to ENTRYPOINT and orders Env otherwise.
KNOWN_TO_DIFFER = {("metadata", "buildah")}
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
    assert differences(without_stubs(ours.tree), without_stubs(theirs.tree()), FILE_FIELDS) == []
    assert comparable(ours.config) == comparable(theirs.config["config"])
    assert ours.document["architecture"] == theirs.config["architecture"]

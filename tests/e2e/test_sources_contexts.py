"""Where a context may come from: folders, tars on standard input, URLs; --build-context in every form."""
import subprocess

import pytest

from helpers.git import GitWeb, Repository
from helpers.images import Layout, entry, make_tar, read_layout
from helpers.web import Web

COPY_ALL = "FROM scratch\nCOPY . /\n"


def tar_of(files, kind="none"):
    data = make_tar([entry(name, data=text.encode()) for name, text in files.items()])
    return data if kind == "none" else subprocess.run([kind, "-c"], input=data, capture_output=True, check=True).stdout


@pytest.fixture
def names(slipway):
    """The paths of the image that a build makes."""
    def run(*arguments, **options):
        slipway.build(*arguments, "-t", "x", **options).ok()
        return {path for path in read_layout(slipway.root, "x:latest").verify().tree()}
    return run


@pytest.mark.parametrize("kind", ["none", "gzip", "bzip2", "xz", "zstd"])
def test_tar_on_standard_input_and_from_a_url(names, kind):
    files = {"Dockerfile": COPY_ALL, "a/f": "f", "ignored": "i", ".dockerignore": "ignored\n.dockerignore\n"}
    wanted = {"Dockerfile", "a", "a/f"}
    assert names("-", stdin=tar_of(files, kind)) == wanted
    with Web({"/context.tar.gz": tar_of(files, kind)}) as web:
        assert names(web.url + "/context.tar.gz") == wanted


@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_sparse_files_of_a_tar(slipway, folder, form):
    """As tar writes them: a hole before, between, after the data; a file that is one hole."""
    sizes = {"before": 60000, "after": 50000, "hole": 40000}
    for name, size in sizes.items():
        with open(folder / name, "wb") as out:
            out.seek(0 if name == "after" else size - 1)
            out.write(b"x" if name != "hole" else b"")
            out.truncate(size)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\nADD in.tar /in/\n")
    inner = subprocess.run(["tar", "-S", f"--format={form}", "-c", *sizes], cwd=folder, capture_output=True, check=True).stdout
    (folder / "in.tar").write_bytes(inner)
    assert len(inner) < 40000
    tar = subprocess.run(["tar", "-S", f"--format={form}", "-c", "Dockerfile", "in.tar", *sizes], cwd=folder, capture_output=True,
                         check=True).stdout
    slipway.build("-", "-t", "x", stdin=tar).ok()
    tree = read_layout(slipway.root, "x:latest").verify().tree()
    for name in sizes:
        assert tree[name].data == tree[f"in/{name}"].data == (folder / name).read_bytes(), name


def test_what_is_wrong_in_a_tar_is_told_by_its_name(slipway):
    slipway.build("-", stdin=tar_of({"x": ""})).fails("read the Dockerfile of standard input")
    slipway.build("-", stdin=tar_of({"Dockerfile": COPY_ALL, ".dockerignore/x": ""})).fails("ignore file of standard input")


def test_files_of_a_tar_and_their_ignore_files(names, slipway):
    tar = tar_of({"Dockerfile": "FROM scratch\nCOPY . /default/\n", "sub/Other": "FROM scratch\nCOPY . /other/\n", "f": "f",
                  ".dockerignore": "f\n", "sub/Other.dockerignore": "sub\n", "Dockerfile.dockerignore": "sub\n"})
    with Web({"/c": tar}) as web:
        for where, options in (("-", {"stdin": tar}), (web.url + "/c", {})):
            assert "default/sub" not in names(where, **options) and "default/f" in names(where, **options)
            assert "other/f" in names(where, "-f", "sub/Other", **options)
            assert "other/sub" not in names(where, "-f", "sub/Other", **options)
            slipway.build(where, "-f", "missing", **options).fails("missing")


def test_dockerfiles_from_elsewhere(names, context, slipway, folder):
    top = context({"f": "f", "Dockerfile": "FROM nosuch\n", "dir/D": "FROM scratch\nCOPY f /beside\n"})
    text = "FROM scratch\nCOPY f /stdin\n"
    assert names(top, "-f", "-", stdin=text) == {"stdin"}
    assert names(top, "-f", top / "dir/D") == {"beside"}
    assert names("-", stdin="FROM scratch\nADD <<x /x\ny\nx\n") == {"x"}
    (folder / "Here").write_text("FROM scratch\nCOPY f /here\n")
    with Web({"/c.tar": tar_of({"f": "f"}), "/D": text.replace("COPY f", "COPY context").encode()}) as web:
        assert names(web.url + "/c.tar", "-f", "-", stdin=text) == {"stdin"}
        assert names(web.url + "/c.tar", "-f", folder / "Here") == {"here"}
        # A URL of a Dockerfile: the context is that file alone.
        assert names(web.url + "/D") == {"stdin"}
        slipway.build(web.url + "/none").fails("404", web.url + "/none")
        slipway.build(web.url + "/c.tar").fails("Dockerfile")
    slipway.build("-", "-f", "-", stdin=text).fails("standard input", code=2)
    slipway.build("-", stdin="").fails("empty", code=2)
    slipway.build("-", "-f", "x", stdin=text).fails("-f", code=2)
    slipway.build("ftp://127.0.0.1/x").fails("only http, https, ssh and git")
    slipway.build(folder / "nosuch").fails("nosuch")
    assert not list((slipway.root / "ingest").glob("*"))


def test_a_tar_whose_build_fails_leaves_nothing(slipway):
    slipway.build("-", stdin=tar_of({"Dockerfile": "FROM scratch\nCOPY nosuch /\n"})).fails("standard input", "nosuch")
    slipway.build("-", stdin=tar_of({"Dockerfile": COPY_ALL})[:700]).fails("unpack the context from standard input")
    assert not list((slipway.root / "ingest").glob("*"))


# --build-context

@pytest.fixture
def sources(folder, tiny):
    """One source of each kind, each with a file "who" that tells which."""
    (folder / "dir").mkdir()
    (folder / "dir/who").write_text("folder")
    (folder / "dir/skip").write_text("x")
    (folder / "dir/.dockerignore").write_text("skip\n")
    layout = Layout(folder / "layout")
    layout.image("v1", [make_tar([entry("who", data=b"layout")])], {"Env": ["PATH=/", "FROM=layout"]})
    repository = Repository(folder / "served", "r")
    repository.commit({"who": "git", "sub/who": "sub"})
    pages = {"/c.tgz": tar_of({"who": "tar"}, "gzip"), "/plain": b"plain"}
    with GitWeb(folder / "served") as git, Web(pages) as web:
        yield {"folder": f"{folder}/dir", "layout": f"oci-layout://{folder}/layout:v1", "git": f"{git.url}/r.git",
               "sub": f"{git.url}/r.git#main:sub", "tar": f"{web.url}/c.tgz", "layout:": f"oci-layout:{folder}/layout:v1"}


@pytest.mark.parametrize("kind, who", [("folder", "folder"), ("layout", "layout"), ("layout:", "layout"), ("git", "git"),
                                       ("sub", "sub"), ("tar", "tar")])
def test_named_contexts_of_every_kind(build, sources, kind, who):
    built = build("""
        FROM ctx AS base
        LABEL a=b
        FROM tiny
        COPY --from=ctx who /copied
        COPY --from=base /who /based
        RUN --mount=type=bind,from=ctx,target=/m cat /m/who > /mounted
        """, None, "--build-context", f"ctx={sources[kind]}")
    assert [built.text(f"/{p}") for p in ("copied", "based", "mounted")] == [who] * 3


def test_from_files(build, sources, slipway):
    """FROM of a context that is files: one layer of them and no configuration, as in BuildKit."""
    built = build("FROM ctx\n", None, "--build-context", f"ctx={sources['folder']}")
    assert sorted(built.tree) == [".dockerignore", "who"] and built.config["Env"][0].startswith("PATH=/usr/local/sbin")
    assert built.config["WorkingDir"] == "/" and len(built.image.layers) == len(built.history) == 1
    again = build("FROM ctx\nCOPY f /f\n", {"f": "f"}, "--build-context", f"ctx={sources['folder']}")
    assert again.image.layers[0]["digest"] == built.image.layers[0]["digest"] and "CACHED" in again.result.err


def test_a_url_of_one_file(build, sources):
    url = sources["tar"].replace("/c.tgz", "/plain")
    assert build("FROM scratch\nCOPY --from=ctx / /\n", None, "--build-context", f"ctx={url}").text("/context") == "plain"


@pytest.mark.parametrize("given, used", [("debian", "debian"), ("debian", "debian:latest"), ("debian:latest", "docker.io/library/debian"),
                                         ("docker.io/library/debian:12", "debian:12"), ("debian:12", "index.docker.io/library/debian:12"),
                                         ("quay.io/a/b", "quay.io/a/b:latest"), ("Mixed", "mixed")])
def test_names_of_images(build, sources, given, used):
    contexts = ("--build-context", f"{given}={sources['layout']}")
    assert build(f"FROM {used}\n", None, *contexts).env()["FROM"] == "layout"
    assert build(f"FROM scratch\nCOPY --from={used} /who /w\n", None, *contexts).text("/w") == "layout"


def test_a_name_does_not_match_another_tag(build, sources):
    build.fails("FROM 127.0.0.1:1/debian:11\n", "127.0.0.1:1",
                options=("--build-context", f"127.0.0.1:1/debian:12={sources['layout']}"))


def test_a_context_takes_the_place_of_a_stage(build, sources):
    """Nothing of the stage is carried out; its index and --target mean the context, too."""
    text = """
        FROM nosuch AS Base
        RUN exit 1
        COPY --from=nosuch2 / /
        FROM base AS child
        COPY --from=base who /copied
        COPY --from=0 who /by-index
        """
    for kind in ("layout", "folder", "git"):
        contexts = ("--build-context", f"base={sources[kind]}")
        built = build(text, None, *contexts)
        assert built.text("/who") == built.text("/copied") == built.text("/by-index") == kind
        assert build(text, None, *contexts, "--target", "base").text("/who") == kind


def test_other_targets(build):
    """target:STAGE, as docker's bake has it: a name for a stage of the same file."""
    text = """
        FROM scratch AS made
        COPY f /f
        FROM alpine:3 AS app
        COPY --from=debian f /g
        RUN --mount=type=bind,from=debian,target=/m true
        """
    contexts = ("--build-context", "alpine:3=target:made", "--build-context", "debian=target:made")
    built = build(text.replace("        RUN --mount=type=bind,from=debian,target=/m true\n", ""), {"f": "f"}, *contexts)
    assert built.text("/f") == built.text("/g") == "f"
    # A stage that is replaced by another one.
    replaced = build("FROM scratch AS a\nCOPY f /a\nFROM nosuch AS b\nRUN exit 1\nFROM b\nCOPY f /c\n", {"f": "f"},
                     "--build-context", "b=target:a")
    assert sorted(replaced.tree) == ["a", "c"]
    build.fails(text, "there is no such stage", "target:nosuch", files={"f": ""},
                options=("--build-context", "alpine:3=target:nosuch", "--build-context", "debian=target:made"))
    build.fails("FROM x AS a\nFROM a\n", "circular dependency", options=("--build-context", "x=target:a"))


def test_targets_that_come_later_in_the_file(build):
    """In bake targets are files of their own: nothing but a cycle is wrong."""
    late = ("--build-context", "late=target:c", "--progress", "plain")
    text = """
        FROM late AS a
        COPY f /a
        FROM tiny AS b
        COPY --from=late /c /b
        RUN --mount=type=bind,from=late,target=/m cat /m/c > /mounted
        FROM a
        COPY --from=b /b /mounted /
        FROM scratch AS c
        ENV FROM=c
        ARG LATE=yes
        ONBUILD COPY f /triggered
        COPY f /c
        LABEL late=$LATE
        """
    for jobs in ((), ("--no-cache",)):
        built = build(text.replace("FROM a\n", "FROM a AS last\n"), {"f": "f"}, *late, *jobs, "--target", "last")
        assert sorted(built.tree) == ["a", "b", "c", "mounted", "triggered"]
        assert built.text("/b") == built.text("/mounted") == "f"
        assert built.env()["FROM"] == "c" and built.config["Labels"] == {"late": "yes"}
    assert build(text, {"f": "f"}, *late, "--target", "c").config["OnBuild"] == ["COPY f /triggered"]
    # The stage of that name which is the last so far, else one that comes.
    assert sorted(build("FROM scratch AS c\nCOPY f /1\nFROM late AS x\nFROM scratch AS c\nCOPY f /2\nFROM x\n",
                        {"f": ""}, *late).tree) == ["1"]
    build.fails("FROM late AS a\nFROM a AS b\nFROM scratch AS c\nCOPY --from=b / /\n", "circular dependency",
                options=late)
    build.fails("FROM late AS a\nCOPY --from=z / /\nFROM scratch AS z\nFROM scratch AS c\n", "defined before",
                options=(*late, "--target", "a"))


def test_contexts_of_one_platform(slipway, context, sources, folder):
    """NAME::PLATFORM, as BuildKit's frontend asks before it asks for NAME; FROM --platform counts, elsewhere the target's."""
    (folder / "arm").mkdir()
    (folder / "arm/who").write_text("arm")
    given = ("--build-context", f"ctx={sources['folder']}", "--build-context", f"ctx::linux/arm64/v8={folder}/arm",
             "--build-context", f"only::linux/aarch64={folder}/arm", "--build-context", f"st::arm64={folder}/arm")
    text = ("FROM scratch AS st\nCOPY f /who\n"
            "FROM --platform=linux/arm64 ctx AS there\nFROM ctx AS mine\n"
            "FROM scratch\nCOPY --from=ctx who /ctx\nCOPY --from=there who /there\nCOPY --from=mine who /mine\n"
            "COPY --from=st who /st\n")
    top = context({"Dockerfile": text, "f": "stage", "Only": "FROM only\n"})
    for platform, mine, stage in (("linux/amd64", "folder", "stage"), ("linux/arm64", "arm", "arm"), ("linux/arm/v7", "folder", "stage")):
        slipway.build(top, "-t", "x", "--platform", platform, *given).ok()
        tree = read_layout(slipway.root, "x:latest").verify().tree()
        assert {p: tree.text(p) for p in tree} == {"ctx": mine, "there": "arm", "mine": mine, "st": stage}, platform
    slipway.build(top, "-f", top / "Only", "--platform", "linux/arm64", *given).ok()
    both = slipway.build(top, "-t", "x", "--platform", "linux/amd64,linux/arm64", "--output", f"type=local,dest={folder}/out", *given)
    both.ok()
    assert (folder / "out/linux_amd64/mine").read_text() == "folder" and (folder / "out/linux_arm64/mine").read_text() == "arm"
    slipway.build(top, "--build-context", f"x::nosuch/a/b/c={folder}").fails("--build-context x::nosuch/a/b/c", code=2)


def test_triggers_of_an_image_in_the_place_of_a_stage(build, folder):
    """The stage is that image: they fire in what is FROM it. Those of the stage's own text are gone with it."""
    Layout(folder / "l").image("v1", [make_tar([entry("who", data=b"l")])], {"OnBuild": ["COPY f /image"]})
    built = build("FROM nosuch AS base\nONBUILD COPY f /stage\nFROM base\nCOPY f /own\n", {"f": "f"},
                  "--build-context", f"base=oci-layout://{folder}/l:v1")
    assert sorted(built.tree) == ["image", "own", "who"] and "OnBuild" not in built.config


def test_scratch_as_an_image(build):
    assert build("FROM alpine\nCOPY f /f\n", {"f": "f"}, "--build-context", "alpine=docker-image://scratch").text("/f") == "f"


@pytest.mark.parametrize("source, words, code", [
    ("input:x", ["not supported"], 1), ("file:///etc", ["not supported"], 1), ("", ["want NAME=SOURCE"], 2), ("git@127.0.0.1:x#-u", ["not a valid git ref"], 1),
    ("/no/such/folder", ["/no/such/folder"], 1), ("oci-layout:///no/such", ["/no/such"], 1),
    ("http://127.0.0.1:1/x.git#-u", ["not a valid git ref"], 1), ("http://127.0.0.1:1/x.tar", ["127.0.0.1:1"], 1),
    ("docker-image://127.0.0.1:1/x", ["127.0.0.1:1"], 1),
])
def test_sources_that_are_not_there(build, source, words, code):
    build.fails("FROM scratch\nCOPY --from=ctx a /\n", *words, options=("--build-context", f"ctx={source}"), code=code)


def test_a_context_that_is_not_used_is_not_fetched(build):
    build("FROM scratch\nLABEL a=b\n", None, "--build-context", "ctx=http://127.0.0.1:1/x.git",
          "--build-context", "other=git@127.0.0.1:x.git")

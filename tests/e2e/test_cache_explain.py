"""build --explain: each miss names its cause, also when no build before it was asked to explain."""
import json
import os
import re
import shutil
import subprocess

import pytest

from helpers.web import Web

TEXT = """FROM tiny
ARG GIT_SHA=1
COPY src /src
RUN --mount=type=bind,source=lib,target=/lib2 cat /src/app.ts /lib2/l > /out
WORKDIR /w
"""
FILES = {"src/app.ts": "one", "src/b": "b", "lib/l": "l", "other": "o"}
MISS = re.compile(r"MISS step (\d+)(?: of (\S+))?: (.*)")


def misses(result):
    """{step: reason} of a stage, {"name step": reason} where there are several."""
    return {f"{m[2]} {m[1]}" if m[2] else int(m[1]): m[3] for m in MISS.finditer(result.out + result.err)}


def explained(build, *options):
    return misses(build.again("--explain", *options).result)


def edit(build, old, new):
    path = build.last / "Dockerfile"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


CAUSES = [
    ("a file changed", lambda b: (b.last / "src/app.ts").write_text("two"), (),
     {2: "src/app.ts changed", 3: "step 2 was made anew", 4: "step 3 was made anew"}),
    ("a file added", lambda b: (b.last / "src/new").write_text(""), (), {2: "src/new added", 3: "step 2 was made anew"}),
    ("a file removed", lambda b: (b.last / "src/b").unlink(), (), {2: "src/b removed"}),
    ("a mode changed", lambda b: os.chmod(b.last / "src/b", 0o755), (), {2: "mode of src/b changed 644 -> 755"}),
    ("a link instead", lambda b: ((b.last / "src/b").unlink(), (b.last / "src/b").symlink_to("app.ts")), (),
     {2: "src/b changed"}),
    ("a mount source changed", lambda b: (b.last / "lib/l").write_text("m"), (), {3: "lib/l changed"}),
    ("an ARG", lambda b: None, ("--build-arg", "GIT_SHA=2"), {3: "ARG GIT_SHA changed"}),
    ("an ENV", lambda b: edit(b, "COPY src", "ENV E=1\nCOPY src"), (), {3: "ENV E added"}),
    ("USER", lambda b: edit(b, "WORKDIR", "USER 5\nWORKDIR"), (), {4: "USER changed"}),
    ("an instruction edited", lambda b: edit(b, "cat /src", "cat  /src"), (), {3: "instruction changed"}),
    ("an instruction inserted", lambda b: edit(b, "COPY src", "COPY other /o\nCOPY src"), (),
     {2: "instruction changed", 3: "step 2 was made anew"}),
    ("an instruction added", lambda b: edit(b, "WORKDIR /w", "WORKDIR /w\nCOPY other /o"), (), {5: "new instruction"}),
    ("--no-cache", lambda b: None, ("--no-cache",), {2: "--no-cache", 3: "--no-cache", 4: "--no-cache"}),
    ("SOURCE_DATE_EPOCH", lambda b: None, ("--build-arg", "SOURCE_DATE_EPOCH=5"), {2: "SOURCE_DATE_EPOCH changed"}),
    ("--timestamp", lambda b: None, ("--timestamp", "7"), {2: "--timestamp changed, SOURCE_DATE_EPOCH changed"}),
    ("compression", lambda b: None, ("--compression", "zstd"), {2: "--compression changed"}),
]


@pytest.mark.parametrize("name, change, options, wanted", CAUSES, ids=[c[0] for c in CAUSES])
def test_names_the_cause(build, name, change, options, wanted):
    build(TEXT, FILES)
    change(build)
    found = explained(build, *options)
    assert {step: found.get(step) for step in wanted} == wanted, found
    # Only those that missed.
    assert min(found) == min(wanted)


def test_the_first_build(build):
    assert misses(build(TEXT, FILES, "--explain").result) == dict.fromkeys((2, 3, 4), "first build of this step")


def test_a_hit_says_nothing(build):
    build(TEXT, FILES)
    assert not explained(build)


def test_several_causes_are_all_named(build):
    build(TEXT, FILES)
    for number in range(5):
        (build.last / f"src/n{number}").write_text("")
    assert explained(build)[2] == "src/n0 added, src/n1 added, src/n2 added, and 2 more"


def test_compares_with_the_last_build_not_with_the_last_miss(build):
    """One, two, one again (all cached), three: that is a change from one, not from two."""
    build(TEXT, FILES)
    (build.last / "src/b").write_text("two")
    build.again()
    (build.last / "src/b").write_text("b")
    assert not explained(build)
    (build.last / "src/app.ts").write_text("three")
    assert explained(build)[2] == "src/app.ts changed"


def test_a_failed_build_is_no_build_to_compare_with(build):
    build(TEXT, FILES)
    edit(build, "cat /src", "false && cat  /src")
    result = build.slipway.build(build.last, "--progress", "plain", *build.options)
    assert result.code == 1
    edit(build, "false && cat  /src", "cat /src")
    assert not explained(build)
    (build.last / "lib/l").write_text("m")
    assert explained(build) == {3: "lib/l changed", 4: "step 3 was made anew"}


def test_the_layer_is_gone(build, slipway):
    built = build("FROM scratch\nCOPY src /src\n", FILES)
    slipway("rmi", "t1:latest").ok()
    built.image.blob(built.image.layers[-1]["digest"]).unlink()
    assert explained(build) == {1: "nothing changed, but its layer is no longer in the store"}
    slipway("rmi", "t2:latest").ok()
    slipway("prune", "-a", "-f", "--grace", "0s").ok()
    assert explained(build) == {1: "first build of this step"}


def other_base(slipway, context, tiny, folder):
    """tiny with one layer more, as an OCI layout."""
    top = context({"Dockerfile": "FROM tiny\nRUN touch /more\n"})
    slipway.build(top, "--build-context", f"tiny=oci-layout:{tiny}", "-t", "more:1").ok()
    copy = folder / "more"
    copy.mkdir()
    archive = folder / "more.tar"
    slipway("save", "--format", "oci", "-o", archive, "more:1").ok()
    subprocess.run(["tar", "-xf", archive, "-C", copy], check=True)
    return copy


def test_the_base_moved(build, slipway, context, tiny, folder):
    moved = folder / "base"
    shutil.copytree(tiny, moved)
    build.options = ["--build-context", f"tiny=oci-layout:{moved}"]
    old = read_digest(moved)
    build(TEXT, FILES)
    new = other_base(slipway, context, tiny, folder)
    shutil.rmtree(moved)
    shutil.copytree(new, moved)
    found = explained(build)
    assert found[2] == f"base moved {old} -> {read_digest(moved)} (tiny)", found
    edit(build, "FROM tiny", "FROM scratch")
    edit(build, "RUN --mount=type=bind,source=lib,target=/lib2 cat /src/app.ts /lib2/l > /out\n", "")
    assert explained(build)[1] == "base changed tiny -> scratch"


def read_digest(layout):
    return json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]


def test_the_platform(build):
    text = "FROM scratch\nCOPY src /src\nWORKDIR /w\n"
    build(text + "LABEL a=1\n", FILES, "--platform", "linux/amd64")
    # Nothing of these steps depends on the platform: they hit, and the next change is told as it is.
    assert not explained(build, "--platform", "linux/arm64")
    (build.last / "src/b").write_text("x")
    assert explained(build, "--platform", "linux/arm64")[1] == "src/b changed"


def test_several_platforms_do_not_stand_for_each_other(build):
    """The same stage is made for each of them: a miss is told from what that one was, not from the other's."""
    text = ("FROM --platform=$BUILDPLATFORM tiny AS made\nARG TARGETARCH\nRUN echo $TARGETARCH > /arch\nCOPY src/b /b\n"
            "FROM scratch\nCOPY --from=made /arch /b /\n")
    both = ("--platform", "linux/amd64,linux/arm64")
    build(text, FILES, *both)
    assert not explained(build, *both)
    (build.last / "src/b").write_text("x")
    result = build.again("--explain", *both).result
    found = MISS.findall(result.out + result.err)
    assert sorted(found) == [("1", "stage-1", "b changed")] * 2 + [("3", "made", "src/b changed")] * 2


def test_stages_have_their_names(build):
    build("FROM tiny AS one\nCOPY src/b /b\nFROM one AS two\nRUN cat /b > /c\nFROM tiny\nCOPY --from=two /c /c\n", FILES)
    (build.last / "src/b").write_text("x")
    assert explained(build) == {"one 2": "src/b changed", "two 1": "step 2 of one was made anew",
                                "stage-2 2": "c changed"}


def test_values_are_never_shown(build, slipway):
    text = "FROM tiny\nARG TOKEN\nRUN echo x > /x\n"
    build(text, {}, "--build-arg", "TOKEN=hunter-one")
    assert explained(build, "--build-arg", "TOKEN=hunter-two")[2] == "ARG TOKEN changed"
    for path in (slipway.root / "cache").rglob("*"):
        assert not path.is_file() or b"hunter" not in path.read_bytes(), path


def test_a_noop_build_writes_nothing_for_it(build, slipway):
    build(TEXT, FILES)
    build.again()

    def state():
        return {p: (p.stat().st_ino, p.stat().st_mtime_ns)
                for name in ("parts", "last") for p in (slipway.root / "cache" / name).iterdir()}

    before = state()
    assert before
    build.again()
    build.again("--explain")
    assert state() == before


@pytest.mark.slow
def test_very_many_files(build, slipway, count):
    """Beyond a limit the files are not listed: what is kept stays small, and a change is still a miss with a reason."""
    number = count(3000, 150000)
    build("FROM scratch\nCOPY src /src\n", {f"src/{'d' * 60}/{i // 1000}/file-{i:06}": "x" for i in range(number)})
    kept = max(p.stat().st_size for p in (slipway.root / "cache/parts").iterdir())
    assert 0 < kept <= (8 << 20) + 4096
    (build.last / f"src/{'d' * 60}/0/file-000007").write_text("y")
    named = number * 100 < 8 << 20
    assert explained(build)[1] == (f"src/{'d' * 60}/0/file-000007 changed" if named else "a source file changed")


def test_urls_keep_their_secrets(build, slipway):
    """The query of a URL may be a signature: it is not kept."""
    with Web({"/f": b"1"}) as web:
        build(f"FROM scratch\nADD {web.url}/f?signature=hunter2 /f\n", {})
        web.pages["/f"] = b"22"
        assert explained(build)[1] == f"{web.url}/f changed"
    for path in (slipway.root / "cache").rglob("*"):
        assert not path.is_file() or b"hunter" not in path.read_bytes(), path

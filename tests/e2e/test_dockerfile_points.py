"""Points of BuildKit's language that users trip over and the other files leave out, a test a group. No expectation comes from
slipway: they are what BuildKit's frontend does."""
import json
import subprocess

import pytest

from helpers.images import Layout, entry, make_tar

RANDOM = "cat /proc/sys/kernel/random/uuid > /uuid"


def below(built, folder):
    return sorted(p[len(folder) + 1:] for p in built.tree if p.startswith(folder + "/"))


# Lines, words, heredocs.

def test_what_ends_a_name(build):
    """A run of blanks of every kind: the vertical ones too."""
    built = build("FROM\vscratch\nLABEL\f\v a=1\nENV\t \tB=2\n")
    assert built.config["Labels"] == {"a": "1"} and built.env()["B"] == "2"


def test_old_form_of_env_and_label(build):
    """Without "=" in the first word the rest of the line is the value, whatever is in it."""
    built = build("FROM scratch\nENV A b=c  d\nLABEL l  x y=z\nENV Q 'a  b' c\n")
    assert (built.env()["A"], built.env()["Q"], built.config["Labels"]) == ("b=c  d", "a  b c", {"l": "x y=z"})


def test_heredocs_are_no_json_and_quotes_may_be_anywhere(build):
    built = build("""
        FROM scratch
        ENV V=value
        COPY ["<<EOF", "/json"]
        COPY <<E"O"F <<'A'B <<C\\D /quoted/
        $V
        EOF
        $V
        AB
        $V
        CD
        ONBUILD COPY ["<<EOF", "/json"]
        """, {"<<EOF": "a file"})
    assert built.text("/json") == "a file" and built.text("/quoted/EOF") == "$V\n" and built.text("/quoted/AB") == "$V\n"
    # Quotes alone count: a backslash does not stop expansion.
    assert built.text("/quoted/CD") == "value\n"
    assert built.config["OnBuild"] == ['COPY ["<<EOF", "/json"]']


@pytest.mark.parametrize("text, words", [
    ("FROM scratch\nCOPY a <<EOF\nEOF\n", ["Dockerfile:2", "heredoc as a destination"]),
    ("ARG P=\nFROM --platform=$P scratch\n", ["Dockerfile:2", "empty platform"]),
    ("FROM --platform=bad/plat/form/of/it scratch\n", ["Dockerfile:1"]),
    ("FROM scratch\nONBUILD MAINTAINER me\n", ["Dockerfile:2", "MAINTAINER"]),
    ("FROM scratch\nHEALTHCHECK --interval=500us CMD x\n", ["Dockerfile:2", "interval"]),
    ("FROM scratch\nHEALTHCHECK CMD\n", ["Dockerfile:2", "HEALTHCHECK"]),
    ("FROM scratch\nEXPOSE 90-80\n", ["Dockerfile:2", "90-80"]),
    ("FROM scratch\nADD --keep-git-dir=maybe a /b\n", ["Dockerfile:2", "keep-git-dir"]),
    ("FROM scratch\nRUN --security=none x\n", ["Dockerfile:2", "security"]),
    ("FROM scratch\nUSER\n", ["Dockerfile:2", "USER"]),
    ("FROM scratch\nWORKDIR\n", ["Dockerfile:2", "WORKDIR"]),
    ("FROM scratch\nLABEL a=$$A ${A\n", ["Dockerfile:2"]),
    ("FROM scratch AS a\nFROM 0\n", ["image 0"]),
    ("FROM scratch\nCOPY --from=$X a b\n", ["Dockerfile:2", "expansion"]),
])
def test_refused(build, text, words):
    build.fails(text, *words, files={"a": ""})


# Stages, arguments.

def test_platform_arguments_in_from_at_once(build, folder):
    """And a default for what is not set; ${..} within the name."""
    for arch in ("amd64", "arm64"):
        Layout(folder / arch).image("b", [make_tar([entry("arch", data=arch)])], arch=arch)
    options = [x for a in ("amd64", "arm64") for x in ("--build-context", f"base-{a}=oci-layout:{folder}/{a}")]
    built = build("FROM base-${TARGETARCH}${NOPE}\nLABEL a=$TARGETARCH\n", {}, "--platform", "linux/arm64", *options)
    assert built.text("/arch") == "arm64" and built.config["Labels"] == {"a": ""}
    assert build("ARG NOPE\nFROM ${NOPE:-tiny}\n").config["Cmd"] == ["sh"]


def test_name_of_the_target_stage(build):
    text = "FROM scratch AS One\nARG TARGETSTAGE\nLABEL s=$TARGETSTAGE\nFROM one\nLABEL t=$TARGETSTAGE\n"
    assert build(text, {}, "--target", "one").config["Labels"] == {"s": "one"}
    assert build(text).config["Labels"] == {"s": "default", "t": "default"}


def test_bool_flags(build):
    """--link=false follows a link of the destination, --link and --link=true replace it; with --chmod there is no --link."""
    files = {"f": "f"}
    for flag, linked in (("--link=false", False), ("--link=true", True), ("--link", True), ("--link --chmod=640", False)):
        built = build(f"FROM tiny\nRUN mkdir /real && ln -s /real /alias\nCOPY {flag} f /alias/f\n", files)
        assert ("real/f" in built.tree, built.tree["alias"].kind) == ((False, "dir") if linked else (True, "symlink")), flag


def test_matches_are_sorted(build):
    """So of several files for one name the last in the order of names stays."""
    built = build("FROM scratch\nCOPY [ac]* b /one\nCOPY ?? /two\n", {"c": "c", "a": "a", "b": "b", "z1": "z1", "a1": "a1"})
    assert built.text("/one") == "b" and built.text("/two") == "z1"
    assert build("FROM scratch\nCOPY [a-c] /one\n", {"c": "c", "a": "a", "b": "b"}).text("/one") == "c"


# RUN.

def test_mounts_of_secrets_and_agents_by_default(build):
    """id is the last part of the target, source another word for it; the variable of an agent that is not there is set all the same."""
    built = build("""
        FROM tiny
        RUN --mount=type=secret,target=/a/token cat /a/token > /by-target
        RUN --mount=type=secret,source=token cat /run/secrets/token > /by-source
        RUN --mount=type=ssh echo "$SSH_AUTH_SOCK" > /agent; test ! -S "$SSH_AUTH_SOCK"
        """, {}, "--secret", "id=token,env=T", env={"T": "t"})
    assert built.text("/by-target") == built.text("/by-source") == "t"
    assert built.text("/agent") == "/run/buildkit/ssh_agent.0\n"


def ran_again(build, one, two, files=None, first=(), second=()):
    return build(one, files, *first).text("/uuid") != build(two, files, *second).text("/uuid")


def test_what_is_in_the_key_of_a_step(build):
    base, declared = f"FROM tiny\nRUN {RANDOM}\n", f"FROM tiny\nARG HTTP_PROXY\nRUN {RANDOM}\n"
    proxy = ("--build-arg", "HTTP_PROXY=http://p.example:1")
    assert not ran_again(build, base, base, None, (), proxy) and ran_again(build, declared, declared, None, (), proxy)
    assert ran_again(build, base, base, None, (), ("--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=me"))
    # FROM counts by digest, not by name.
    again = ("--build-context", f"other=oci-layout:{build.tiny}")
    assert not ran_again(build, base, base.replace("tiny", "other"), None, (), again)


def test_of_a_mount_what_it_shows_counts_alone(build):
    text = f"FROM tiny\nRUN --mount=source=d,target=/m {RANDOM}\n"
    first = build(text, {"d/f": "1", "other": "1"})
    (build.last / "other").write_text("2")
    assert build.again().text("/uuid") == first.text("/uuid")
    (build.last / "d/f").write_text("2")
    assert build.again().text("/uuid") != first.text("/uuid")
    stage = "FROM tiny AS s\nRUN mkdir /d && echo {0} > /d/f && echo {1} > /noise\nFROM tiny\n" \
        f"RUN --mount=from=s,source=/d,target=/m {RANDOM}\n"
    assert not ran_again(build, stage.format(1, 1), stage.format(1, 2))
    assert ran_again(build, stage.format(1, 1), stage.format(2, 1))


# SOURCE_DATE_EPOCH.

def test_a_list_of_images_tells_the_epoch(slipway, build, folder):
    """The index of an OCI archive says when the image was made; without an epoch nothing that differs each time."""
    top = build.context({"Dockerfile": "FROM scratch\nLABEL a=b\n"})
    created = "org.opencontainers.image.created"
    for options, wanted in ((("--build-arg", "SOURCE_DATE_EPOCH=1000000000"), "2001-09-09T01:46:40Z"), ((), None),
                            (("--build-arg", "SOURCE_DATE_EPOCH=1", "--annotation", f"manifest-descriptor:{created}=mine"), "mine")):
        slipway.build(top, "-t", "x", *options, "--output", f"type=oci,dest={folder}/x.tar").ok()
        index = subprocess.run(["tar", "-xOf", folder / "x.tar", "index.json"], capture_output=True, check=True).stdout
        listed, = json.loads(index)["manifests"]
        assert listed["annotations"].get(created) == wanted


def test_files_that_leave_the_store_take_the_epoch_on_demand(slipway, build, folder):
    top = build.context({"Dockerfile": "FROM tiny\nCOPY f /f\nRUN mkdir /d && echo x > /d/x && ln -s x /d/l\n", "f": "f"})
    epoch = ("--build-arg", "SOURCE_DATE_EPOCH=1000000000")
    slipway.build(top, *build.options, *epoch, "--output", f"type=local,dest={folder}/kept").ok()
    assert (folder / "kept/d/x").lstat().st_mtime > 10**9
    slipway.build(top, *build.options, *epoch, "--output", f"type=local,dest={folder}/out,rewrite-timestamp=true",
                  "--output", f"type=tar,dest={folder}/out.tar").ok()
    assert {(folder / "out" / p).lstat().st_mtime for p in ("f", "d", "d/x", "d/l")} == {10**9}
    listed = subprocess.run(["tar", "--utc", "-tvf", folder / "out.tar"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in listed.splitlines() if line.split()[5] in ("f", "d/", "d/x", "d/l")]
    assert len(lines) == 4 and all("2001-09-09 01:46" in line for line in lines), listed

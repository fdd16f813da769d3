"""What makes a step run again, and what does not. A RUN that writes a random number tells whether it ran."""
import os
import time

import pytest

from helpers.images import read_layout

RANDOM = "cat /proc/sys/kernel/random/uuid > /uuid"


def ran_again(build, first, second, files=None, first_options=(), second_options=()):
    """Builds two Dockerfiles; did the RUN of the second produce a value of its own?"""
    one = build(first, files, *first_options)
    two = build(second, files, *second_options)
    return one.text("/uuid") != two.text("/uuid")


BASE = f"FROM tiny\nRUN {RANDOM}\n"

SAME = [
    ("the same again", BASE, BASE),
    ("comments, blanks, case", BASE, f"# hello\n\nfrom tiny\n\nrun {RANDOM}\n"),
    ("a stage name", BASE, BASE.replace("tiny", "tiny AS name")),
    ("an unused stage", BASE, "FROM scratch AS other\nLABEL x=1\n" + BASE),
    ("metadata above", f"FROM tiny\nLABEL a=1\nCMD x\nEXPOSE 1\nRUN {RANDOM}\n",
     f"FROM tiny\nLABEL a=2\nENTRYPOINT [\"y\"]\nHEALTHCHECK NONE\nVOLUME /v\nSTOPSIGNAL 9\nRUN {RANDOM}\n"),
    ("an ARG below", BASE, BASE + "ARG LATER=1\n"),
    ("a proxy", BASE, BASE, (), ("--build-arg", "HTTPS_PROXY=http://other.example:1")),
    ("an undeclared build argument", BASE, BASE, (), ("--build-arg", "X=1")),
    ("another address of a host", BASE, BASE, ("--add-host", "h:10.0.0.1"), ("--add-host", "h:10.0.0.2")),
]
AGAIN = [
    ("the command", BASE, f"FROM tiny\nRUN true && {RANDOM}\n"),
    ("ENV above", BASE, f"FROM tiny\nENV A=1\nRUN {RANDOM}\n"),
    ("USER above", f"FROM tiny\nRUN chmod 777 /\nRUN {RANDOM}\n", f"FROM tiny\nRUN chmod 777 /\nUSER app\nRUN {RANDOM}\n"),
    ("WORKDIR above", BASE, f"FROM tiny\nWORKDIR /tmp\nRUN {RANDOM}\n"),
    ("SHELL above", BASE, f"FROM tiny\nSHELL [\"/bin/sh\", \"-ec\"]\nRUN {RANDOM}\n"),
    ("another parent", BASE, f"FROM tiny\nRUN touch /x\nRUN {RANDOM}\n"),
    ("an unused ARG of another value", f"FROM tiny\nARG A=1\nRUN {RANDOM}\n", f"FROM tiny\nARG A=2\nRUN {RANDOM}\n"),
    ("a declared build argument", f"FROM tiny\nARG A\nRUN {RANDOM}\n", f"FROM tiny\nARG A\nRUN {RANDOM}\n", (),
     ("--build-arg", "A=x")),
    ("network", BASE, f"FROM tiny\nRUN --network=none {RANDOM}\n"),
    ("a mount", BASE, f"FROM tiny\nRUN --mount=type=tmpfs,target=/t {RANDOM}\n"),
    ("--no-cache", BASE, BASE, (), ("--no-cache",)),
    ("one host more", BASE, BASE, (), ("--add-host", "h:10.0.0.1")),
    ("another host", BASE, BASE, ("--add-host", "h:10.0.0.1"), ("--add-host", "i:10.0.0.1")),
    ("--network", BASE, BASE, (), ("--network", "none")),
]


@pytest.mark.parametrize("case", SAME, ids=[c[0] for c in SAME])
def test_does_not_run_again_for(build, case):
    assert not ran_again(build, *case[1:3], None, *case[3:])


@pytest.mark.parametrize("case", AGAIN, ids=[c[0] for c in AGAIN])
def test_runs_again_for(build, case):
    assert ran_again(build, *case[1:3], None, *case[3:])


def edited(build, change, text, files):
    """Builds, lets change(folder) edit the context, builds again; did the RUN run again?"""
    one = build(text, files)
    change(build.last)
    return one.text("/uuid") != build.again().text("/uuid")


COPIED = f"FROM tiny\nCOPY d /d\nRUN {RANDOM}\n"
TREE = {"d/f": "one", "d/sub/g": "g", "other": "o"}


@pytest.mark.parametrize("name, change", [
    ("times", lambda top: os.utime(top / "d/f", (1, 1))),
    ("another file of the context", lambda top: (top / "other").write_text("changed")),
    ("the same content written again", lambda top: ((top / "d/f").unlink(), (top / "d/f").write_text("one"))),
    ("a new file that is not copied", lambda top: (top / "new").write_text("n")),
])
def test_copy_does_not_count(build, name, change):
    assert not edited(build, change, COPIED, TREE), name


@pytest.mark.parametrize("name, change", [
    ("content", lambda top: (top / "d/f").write_text("two")),
    ("a new file", lambda top: (top / "d/new").write_text("")),
    ("a removed file", lambda top: (top / "d/sub/g").unlink()),
    ("an empty folder", lambda top: (top / "d/e").mkdir()),
    ("a mode", lambda top: os.chmod(top / "d/f", 0o755)),
    ("a name", lambda top: (top / "d/f").rename(top / "d/renamed")),
    ("a type", lambda top: ((top / "d/f").unlink(), (top / "d/f").symlink_to("one"))),
])
def test_copy_counts(build, name, change):
    assert edited(build, change, COPIED, TREE), name


def test_an_edit_that_keeps_size_and_mtime_is_seen(build):
    """BuildKit misses this one: same size, mode and time, other bytes. Also at once after the first build."""
    def change(top):
        before = os.stat(top / "d/f")
        (top / "d/f").write_text("two")
        os.utime(top / "d/f", ns=(before.st_atime_ns, before.st_mtime_ns))

    assert edited(build, change, COPIED, TREE)
    # The same with a file old enough for the stat cache to be trusted.
    build.again()
    time.sleep(2.2)
    one = build.again()
    change = (build.last / "d/f", os.stat(build.last / "d/f"))
    change[0].write_text("six")
    os.utime(change[0], ns=(change[1].st_atime_ns, change[1].st_mtime_ns))
    assert build.again().text("/uuid") != one.text("/uuid")


def test_chmod_takes_the_mode_out_of_the_key(build):
    text = f"FROM tiny\nCOPY --chmod=644 d /d\nRUN {RANDOM}\n"
    assert not edited(build, lambda top: os.chmod(top / "d/f", 0o600), text, TREE)


def test_copy_from_a_stage_is_keyed_by_content(build):
    text = "FROM tiny AS s\nRUN echo {} > /noise && echo same > /f\nFROM tiny\nCOPY --from=s /f /f\nRUN " + RANDOM + "\n"
    assert not ran_again(build, text.format(1), text.format(2))
    changed = text.replace("same", "other")
    assert ran_again(build, text.format(1), changed.format(1))


def test_mounts_are_keyed_by_their_content(build):
    text = f"FROM tiny\nRUN --mount=type=bind,source=d,target=/m {RANDOM}\n"
    assert not edited(build, lambda top: (top / "other").write_text("x"), text, TREE)
    assert edited(build, lambda top: (top / "d/f").write_text("x"), text, TREE)


def test_a_cached_build_gives_the_same_image(build):
    text = "FROM tiny\nWORKDIR /w\nCOPY d /d\nRUN echo x > /y\nENV A=1\n"
    one = build(text, TREE, "--build-arg", "SOURCE_DATE_EPOCH=1")
    two = build.again("--build-arg", "SOURCE_DATE_EPOCH=1")
    assert one.image.descriptor["digest"] == two.image.descriptor["digest"]
    assert "CACHED" in two.result.out + two.result.err


def test_edits_below_keep_what_is_above(build):
    text = f"FROM tiny\nRUN {RANDOM}\nCOPY other /o\nRUN cp /o /p\n"
    one = build(text, TREE)
    (build.last / "other").write_text("new")
    two = build.again()
    assert one.text("/uuid") == two.text("/uuid") and two.text("/p") == "new"


def test_explain_names_the_file_that_changed(build):
    build(COPIED, TREE, "--explain")
    (build.last / "d/sub/g").write_text("changed")
    shown = build.again("--explain").result
    assert "sub/g" in shown.out + shown.err


def test_the_same_bytes_from_another_store_folder_and_user(build, slipway, context, tiny, slipway_user):
    """Same inputs, same digests: not the host, the user, the path, the umask or the order of files matter."""
    text = "FROM tiny\nCOPY --chmod=644 d /d\nADD other /o\nWORKDIR /w\nRUN echo x > /w/y && touch -d @1000000000 /w/y /w\n"
    options = ["--build-arg", "SOURCE_DATE_EPOCH=1000000000", "--timestamp", "1000000000"]
    one = build(text, TREE, *options)
    elsewhere = context({"Dockerfile": text, **dict(reversed(TREE.items()))})
    result = slipway_user.build(elsewhere, "-t", "t", *build.options, *options)
    result.ok()
    other = read_layout(slipway_user.root, "t:latest")
    assert other.config["rootfs"]["diff_ids"] == one.document["rootfs"]["diff_ids"]
    assert other.descriptor["digest"] == one.image.descriptor["digest"]

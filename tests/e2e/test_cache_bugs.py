"""Bugs of other builders' caches that users reported, one test each: none of them may be one of ours."""
import os
import subprocess

import pytest

from helpers.images import decompressed

RANDOM = "cat /proc/sys/kernel/random/uuid > /uuid"


def test_kaniko_873_parts_of_a_key_that_join_to_the_same_text(build):
    """osscontainertools/kaniko#873: A="x-B=z" B="y" and A="x" B="z-B=y" gave one key."""
    text = 'FROM tiny\nARG A\nARG B\nRUN echo "A=[$A] B=[$B]" > /out\n'
    x = build(text, None, "--build-arg", "A=x-B=z", "--build-arg", "B=y")
    y = build(text, None, "--build-arg", "A=x", "--build-arg", "B=z-B=y")
    assert (x.text("/out"), y.text("/out")) == ("A=[x-B=z] B=[y]\n", "A=[x] B=[z-B=y]\n")


def test_kaniko_873_two_steps_and_one_step_of_the_same_text(build):
    """The same of steps: one RUN that spells the key of two."""
    one = build("FROM tiny\nRUN echo a > /a\nRUN echo b > /b\n")
    two = build('FROM tiny\nRUN echo a > /a #-RUN echo b > /b\n')
    one.has("/a", "/b")
    two.lacks("/b")


def test_kaniko_911_names_and_contents_that_join_to_the_same_bytes(build):
    """osscontainertools/kaniko#911: a file's name could hold another file's hash."""
    trees = [{"d/a": "x", "d/b": "y"}, {"d/ax": "", "d/b": "y"}, {"d/a": "xb", "d/y": ""}, {"d/a": "x", "d/by": ""},
             {"d/a\nb": "xy"}, {"d/a": "xy", "d/b": ""}, {"d/a": "", "d/b": "xy"}]
    built = [build("FROM scratch\nCOPY d /d\n", tree) for tree in trees]
    for image, tree in zip(built, trees):
        assert {p: e.data.decode() for p, e in image.tree.items() if e.kind == "file"} == tree


def test_kaniko_870_copy_from_a_stage_whose_result_changed(build):
    """GoogleContainerTools/kaniko#870: COPY --from took the layer of the former build."""
    text = "FROM tiny AS builder\nCOPY src /src\nRUN mkdir /html && sed s/x/y/ /src/page > /html/page\n" \
           "FROM tiny\nCOPY --from=builder /html /html\n"
    assert build(text, {"src/page": "x 1"}).text("/html/page") == "y 1"
    assert build(text, {"src/page": "x 2"}).text("/html/page") == "y 2"


def test_kaniko_690_a_build_arg_that_only_the_environment_shows(build):
    """GoogleContainerTools/kaniko#690, #728, #1688: an ARG, or an ENV made of it, that the text does not name."""
    for line in ("ARG RUNTIME_ENV", "ARG RUNTIME_ENV\nENV RUNTIME_ENV=$RUNTIME_ENV", "ARG X=$RUNTIME_ENV\nARG RUNTIME_ENV"):
        text = f"FROM tiny\n{line}\nRUN env | sort > /env\n"
        for value in ("production", "staging"):
            assert f"RUNTIME_ENV={value}\n" in build(text, None, "--build-arg", f"RUNTIME_ENV={value}").text("/env")


def test_kaniko_1162_images_of_repeated_builds(build):
    """GoogleContainerTools/kaniko#1162, #1138: layers of cached builds held files twice, or those of other layers."""
    text = "FROM tiny\nCOPY large /large\nRUN echo test > /t\nCOPY src /src\nRUN cp /src/a /copy\n"
    files = {"large": os.urandom(50000), "src/a": "1"}
    first = build(text, files)
    for number in range(2, 5):
        (build.last / "src/a").write_text(str(number))
        again = build.again()
        assert again.text("/copy") == str(number)
        assert [layer["digest"] for layer in again.image.layers[:-2]] == [layer["digest"] for layer in first.image.layers[:-2]]
        for layer in again.image.layers[-4:]:
            with decompressed(again.image.blob(layer["digest"])) as tar:
                names = subprocess.run(["tar", "-t"], input=tar.read(), capture_output=True, check=True).stdout.split()
            assert len(names) == len(set(names)) <= 3


def test_podman_8591_a_build_arg_of_another_value(build):
    """containers/podman#8591: the layers of the former --build-arg were taken, whatever line uses it."""
    text = "ARG BASE=tiny\nFROM $BASE\nARG V\nCOPY $V /f\nWORKDIR /w$V\nRUN pwd > /pwd\nRUN echo fixed > /fixed\n"
    files = {"a": "of a", "b": "of b"}
    a = build(text, files, "--build-arg", "V=a")
    b = build(text, files, "--build-arg", "V=b")
    assert (a.text("/f"), a.text("/pwd")) == ("of a", "/wa\n")
    assert (b.text("/f"), b.text("/pwd")) == ("of b", "/wb\n")
    b.lacks("/wa")


def test_podman_22450_contents_of_a_bind_mount(build):
    """containers/podman#22450, #23382, #26057: a RUN was taken from the cache although what it mounts had changed."""
    text = "FROM tiny\nRUN --mount=type=bind,src=./my_src,dst=/my_src cat /my_src/test.txt > /out\n"
    assert build(text, {"my_src/test.txt": "hello\n"}).text("/out") == "hello\n"
    (build.last / "my_src/test.txt").write_text("world\n")
    assert build.again().text("/out") == "world\n"
    # And the other way, buildah#6291: times do not count.
    text = f"FROM tiny\nRUN --mount=type=bind,target=/c {RANDOM}\n"
    one = build(text, {"f": "x"})
    os.utime(build.last / "f", (1, 1))
    assert build.again().text("/uuid") == one.text("/uuid")


def test_podman_24640_and_22873_mounts_of_images_and_contexts_are_cached(build, folder):
    """containers/podman#24640, #22873: a RUN with a bind mount from an image or a named context was never cached."""
    (folder / "more").mkdir()
    (folder / "more/test.txt").write_text("TEST")
    for line in ("from=tiny,target=/m", "from=mycon,source=test.txt,target=/m"):
        text = f"FROM tiny\nRUN --mount=type=bind,{line} {RANDOM}\n"
        options = ("--build-context", f"mycon={folder / 'more'}")
        assert build(text, None, *options).text("/uuid") == build(text, None, *options).text("/uuid")


def test_podman_25469_the_text_of_a_heredoc(build):
    """containers/podman#25469: a changed heredoc was not seen."""
    for text in ("FROM tiny\nRUN cat <<EOF > /t\n{}\nEOF\n", "FROM tiny\nRUN <<EOF\necho {} > /t\nEOF\n",
                 "FROM tiny\nRUN <<EOF\n#!/bin/sh\necho {} > /t\nEOF\n", "FROM tiny\nCOPY <<EOF /t\n{}\nEOF\n",
                 "FROM tiny\nRUN cat > /t <<A && cat >> /t <<B\nsame\nA\n{}\nB\n"):
        assert "abcd" in build(text.format("abcd")).text("/t")
        assert "efgh" in build(text.format("efgh")).text("/t")


@pytest.mark.root
def test_moby_32816_the_owner_of_context_files(build):
    """moby/moby#32816: another uid or gid in the checkout was a miss."""
    text = f"FROM tiny\nCOPY d /d\nADD f /f\nRUN {RANDOM}\n"
    one = build(text, {"d/a": "1", "f": "2"})
    subprocess.run(["chown", "-R", "12345:54321", build.last], check=True)
    two = build.again()
    assert one.text("/uuid") == two.text("/uuid") and two.tree["d/a"].uid == two.tree["f"].gid == 0


@pytest.mark.parametrize("chmod, hit", [("--chmod=0600 ", True), ("--chmod=u=rw,go= ", True), ("--chmod=u+x ", False), ("", False)])
def test_buildx_1311_the_umask_of_the_checkout_with_chmod(build, chmod, hit):
    """docker/buildx#1311: with --chmod the mode of the source must not count; without it, it is in the layer and does."""
    text = f"FROM tiny\nCOPY {chmod}file.txt d /x/\nRUN {RANDOM}\n"
    one = build(text, {"file.txt": "", "d/f": "1"})
    os.chmod(build.last / "file.txt", 0o664)
    os.chmod(build.last / "d/f", 0o664)
    assert (build.again().text("/uuid") == one.text("/uuid")) == hit


def test_a_clone_by_git_hits_whatever_the_times_and_folder(build, context):
    """A fresh clone has other times and inodes in another folder (kaniko, docker/build-push-action: cold caches in CI)."""
    text = f"FROM tiny\nCOPY . /src\nRUN {RANDOM}\n"
    one = build(text, {"a": "1", "sub/b": "2", "run.sh": "#!/bin/sh\n"})
    os.chmod(build.last / "run.sh", 0o755)
    git = ["git", "-C", build.last, "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], check=True, capture_output=True)
    clones = []
    for name in ("one", "two"):
        clone = build.last.parent / f"clone-{name}"
        subprocess.run(["git", "clone", "-q", build.last, clone], check=True, capture_output=True)
        (clone / ".dockerignore").write_text(".git\n.dockerignore\n")
        os.utime(clone / "a", (1, 1) if name == "one" else None)
        clones.append(clone)
    found = []
    for clone in clones:
        build.last = clone
        found.append(build.again().text("/uuid"))
    assert found[0] == found[1] != one.text("/uuid"), "the executable bit, which git keeps, does count"

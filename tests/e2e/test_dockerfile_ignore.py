""".dockerignore: which files of the context a build sees."""
import os

import pytest

from helpers.images import read_layout

FILES = {"a.txt": "", "b.md": "", "README.md": "", "dir/keep": "", "dir/drop": "", "dir/sub/x.log": "", "x.log": "",
         "node_modules/p/index.js": "", ".git/HEAD": "", "deep/a/b/c.tmp": "", "temp1": "", "tempa": "", "dir/temp1": "",
         "#odd": "", "bang": ""}

ROWS = [
    # lines, what is left of FILES (without Dockerfile and .dockerignore)
    ("", set(FILES)),
    ("# comment\n\n*.md\n!README.md\n", set(FILES) - {"b.md"}),
    ("*\n!dir/keep\n", {"dir/keep"}),
    ("dir\n!dir/keep\n", set(FILES) - {"dir/drop", "dir/sub/x.log", "dir/temp1"}),
    ("*.log\n", set(FILES) - {"x.log"}),
    ("**/*.log\n", set(FILES) - {"x.log", "dir/sub/x.log"}),
    ("*/temp*\ntemp?\n", set(FILES) - {"dir/temp1", "temp1", "tempa"}),
    ("/dir/\n./a.txt\nnode_modules/../b.md\n", set(FILES) - {"dir/keep", "dir/drop", "dir/sub/x.log", "dir/temp1",
                                                          "a.txt", "b.md"}),
    ("deep/**\n!deep/a/b/c.tmp\n", set(FILES)),
    ("deep/**/c.tmp\n", set(FILES) - {"deep/a/b/c.tmp"}),
    ("temp[0-9]\n", set(FILES) - {"temp1"}),
    ("temp[^0-9]\n", set(FILES) - {"tempa"}),
    ("\\#odd\n", set(FILES) - {"#odd"}),
    ("#odd\n", set(FILES)),
    ("\ufeff a.txt \r\n! \tbang\r\n", set(FILES) - {"a.txt"}),
    (".git\nnode_modules\n", set(FILES) - {".git/HEAD", "node_modules/p/index.js"}),
    ("!a.txt\na.txt\n", set(FILES) - {"a.txt"}),
    ("a.txt\n!a.txt\n", set(FILES)),
    ("dir/s*\n", set(FILES) - {"dir/sub/x.log"}),
]


@pytest.mark.parametrize("lines, left", ROWS, ids=range(len(ROWS)))
def test_patterns(build, lines, left):
    built = build("FROM scratch\nCOPY . /c/\n", {**FILES, ".dockerignore": lines})
    found = {p.removeprefix("c/") for p, e in built.tree.items() if e.kind == "file"}
    assert found - {"Dockerfile", ".dockerignore"} == left


def test_the_dockerfiles_own_file_wins(build, slipway):
    top = build.context({"a": "", "b": "", ".dockerignore": "a\n", "sub/My.docker": "FROM scratch\nCOPY . /c/\n",
                         "sub/My.docker.dockerignore": "b\n"})
    slipway.build(top, "-t", "t", "-f", top / "sub/My.docker").ok()
    files = read_layout(slipway.root, "t:latest").tree()
    assert "c/a" in files and "c/b" not in files


def test_the_dockerfile_may_be_ignored(build):
    built = build("FROM scratch\nCOPY . /c/\n", {"a": "", ".dockerignore": "Dockerfile\n.dockerignore\n"})
    assert sorted(built.tree) == ["c", "c/a"]
    build.fails("FROM scratch\nCOPY Dockerfile /d\n", "Dockerfile:2", "not found",
                files={".dockerignore": "Dockerfile\n"})


@pytest.mark.parametrize("lines, words", [("!\n", ["illegal exclusion pattern"]), ("[a-\n", ["[a-"])])
def test_bad_patterns(build, lines, words):
    build.fails("FROM scratch\nCOPY . /c/\n", ".dockerignore", *words, files={".dockerignore": lines})


def test_ignored_folders_are_not_read(context, slipway_user):
    """A folder that may not even be listed does no harm when it is ignored."""
    top = context({"Dockerfile": "FROM scratch\nCOPY . /c/\n", "a": "", "locked/x": "", ".dockerignore": "locked\n"})
    os.chmod(top / "locked", 0)
    slipway_user.build(top, "-t", "t").ok()
    assert sorted(read_layout(slipway_user.root, "t:latest").tree()) == ["c", "c/.dockerignore", "c/Dockerfile", "c/a"]


def test_many_patterns_and_stars_take_linear_time(build):
    lines = "".join(f"no{n}/**/x*y*z*/**\n" for n in range(20000)) + "*" * 30 + "b\n" + "**/" * 200 + "q\n"
    built = build("FROM scratch\nCOPY . /c/\n", {"a" * 200: "", "d/" * 30 + "f": "", ".dockerignore": lines},
                  timeout=60)
    assert "c/" + "a" * 200 in built.tree and built.result.seconds < 30

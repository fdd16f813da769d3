"""What is wrong with a Dockerfile, where, and what to try: place, source line, caret, hint."""
import pytest

FILES = {"app.py": "", "hidden.txt": "", "src/main.c": "", "src/lib/util.c": "", "README.md": "", ".dockerignore": "# none\nhidden*\n*.o\n"}


def said(result):
    """The error without the progress in front of it."""
    return result.err[result.err.index("slipway: ") + len("slipway: "):]


ROWS = [
    # dockerfile, place, words of the first line, what the caret stands below, hint
    ("FROM tiny\nCOPPY a b\n", "2:1", "unknown instruction: COPPY (did you mean COPY?)", "COPPY", None),
    ("FROM tiny\nCOPY --form=a b c\n", "2:6", "unknown flag: --form (did you mean --from?)", "--form", None),
    ("FROM tiny\nRUN --mount=type=cahce,target=/x true\n", "2:13", 'unsupported mount type "cahce" (did you mean cache?)', "type=cahce", None),
    ("FROM tiny\nRUN --mount=type=cache,tagret=/x true\n", "2:24", "(did you mean target?)", "tagret", None),
    ("FROM tiny\nRUN --mount=type=cache,target=/x,sharing=lock true\n", "2:34", "unsupported sharing value", "sharing=", None),
    ("FROM tiny\nRUN --mount=type=tmpfs,target=/x,uid=3 true\n", "2:34", 'uid not allowed for "tmpfs" type mounts', "uid=3", None),
    ("FROM tiny\nRUN --mount=type=bind,source=nope,target=/x true\n", "2:13", '"/nope": not found in the build context', "type=bind", None),
    ("FROM tiny\nRUN --mount=from=tiny,source=/nope,target=/x true\n", "2:13", '"/nope": not found in tiny', "from=tiny", None),
    ("FROM tiny\nCOPY app.pyy /\n", "2:6", 'COPY app.pyy: "/app.pyy": not found in the build context', "app.pyy", "Did you mean app.py?"),
    ("FROM tiny\nCOPY readme.md /\n", "2:6", "not found", "readme.md", "Did you mean README.md?"),
    ("FROM tiny\nCOPY app.py scr/lib/util.c /x/\n", "2:13", "not found", "scr/lib", "Did you mean src/lib/util.c?"),
    ("FROM tiny\nCOPY main.c /\n", "2:6", "not found", "main.c", "Did you mean src/main.c?"),
    ("FROM tiny\nCOPY src/lib/utli.c /\n", "2:6", "not found", "src/lib", "Did you mean src/lib/util.c?"),
    ("FROM tiny\nCOPY hiddn.txt /\n", "2:6", "not found", "hiddn", None),
    ("FROM tiny\nCOPY [\"app.py\", \"nope\", \"/x/\"]\n", "2:18", "not found", "nope", None),
    ("FROM tiny\nCOPY app.py \\\n  # why\n  nope \\\n  /x/\n", "4:3", "not found", "nope", None),
    ("FROM tiny\nARG D=nope\nCOPY --chown=0:0 app.py $D /x/\n", "3:25", '"/nope": not found', "$D", None),
    ("FROM tiny\nCOPY hidden.txt /\n", "2:6", 'not found: excluded by .dockerignore:2 ("hidden*")', "hidden.txt", 'Add "!hidden.txt" below that line'),
    ("FROM tiny\nCOPY --from=tiny /bin/busybx /\n", "2:18", "not found in that image", "/bin", "Did you mean bin/busybox?"),
    ("FROM tiny AS build\nFROM tiny\nCOPY --from=biuld / /\n", "3:13", "image biuld", "biuld", "Did you mean the stage build?"),
    ("FROM tiny AS build\nFROM biuld\n", "2:6", "image biuld", "biuld", "Did you mean the stage build?"),
    ("FROM tinyy\n", "1:6", "image tinyy", "tinyy", "Did you mean the build context tiny?"),
    ("FROM tiny AS build\nFROM tiny\nRUN --mount=from=biuld,target=/x true\n", "3:18", "image biuld", "biuld", "Did you mean the stage build?"),
    ("FROM tiny\nCOPY --from=4 a b\n", "2:13", "invalid stage index 4", "4", None),
    ("FROM tiny AS a\nCOPY --from=b / /\nFROM tiny AS b\nFROM a\n", "2:13", "needs to be defined before", "b /", None),
    ("FROM tiny\nCOPY --chown=rooot app.py /\n", "2:6", 'unknown user "rooot"', "--chown", "Did you mean root?"),
    ("FROM tiny\nCOPY https://h/x /x\n", "2:6", "source can't be a URL for COPY", "https:", "Use ADD for URLs."),
    ("FROM tiny\nCOPY --exclude=[ src /x\n", "2:6", "syntax error in pattern", "--exclude", None),
    ("FROM tiny\nCOPY app.py /w\nWORKDIR /w\n", "3:9", "a file is there", "/w", None),
    ("FROM tiny\nCOPY app.py /w\nCOPY src /w\n", "3:10", "cannot copy to non-directory", "/w", None),
    ("FROM tiny\nENV A=1 B=${X:!}\n", "2:11", "unsupported modifier", "${X", None),
    ("FROM --platform=linux/a/b/c/d tiny\n", "1:17", "is not of the form", "linux/a", None),
    ("FROM tiny\nCOPY ['app.py', '/x/']\n", "2:1", "[app.py,", "COPY", "The JSON form needs double quotes"),
    ("FROM tiny\nCOPY --chown=0:0 ['app.py','/x/']\n", "2:1", "requires at least two arguments", "COPY", "The JSON form needs double quotes"),
    ("FROM tiny\nADD ['a b', '/x/']\n", "2:5", "matching single-quote", "['a", "The JSON form needs double quotes"),
    ("FROM tiny\nCOPY [\"app.py\", \"/x/\",]\n", "2:1", "[app.py,", "COPY", "The JSON form needs double quotes"),
    ("FROM tiny\nCOPY [app.py /x\n", "2:6", "[app.py", "[app.py", None),
    ("FROM tiny\nRUN ['true', 'x']\n", "2:1", "exit code: 127", "RUN", "The JSON form needs double quotes"),
    ("FROM tiny\nRUN [ -f /nope ]\n", "2:1", "exit code: 1", "RUN", None),
    ("FROM tiny\n\tCOPY 日本.txt  nope /x/\n", "2:7", "not found", "日本", None),
]


@pytest.mark.parametrize("dockerfile, place, words, below, hint", ROWS, ids=range(len(ROWS)))
def test_messages(build, dockerfile, place, words, below, hint):
    text = said(build.fails(dockerfile, files=dict(FILES)))
    first, *rest = text.rstrip("\n").split("\n")
    assert first.startswith(f"Dockerfile:{place}: ") and words in first, text
    line = int(place.split(":")[0])
    source = dockerfile.split("\n")[line - 1]
    assert rest[0] == f"{line:3} | {source}", text
    caret = rest[1].removeprefix("    | ")
    assert caret.endswith("^") and not caret[:-1].strip()
    assert source[len(caret) - 1:].startswith(below), text
    if hint:
        assert any(line.startswith(hint) for line in rest[2:]), text
    else:
        assert not any("did you mean" in line.lower() or "JSON" in line for line in rest[2:]), text


def test_the_caret_below_wide_letters(build):
    text = said(build.fails("FROM tiny\nCOPY 日本.txt nope /x/\n", files={"日本.txt": ""}))
    assert text.split("\n")[:3] == [text.split("\n")[0], "  2 | COPY 日本.txt nope /x/", "    |      " + " " * 9 + "^"]
    assert text.startswith("Dockerfile:2:17: ")


def test_a_wrong_name_is_told_before_the_first_step(build):
    result = build.fails("FROM tiny AS build\nRUN echo ran\nFROM tiny\nRUN echo ran\nCOPY --from=biuld / /\n", "Did you mean the stage build?")
    assert "RUN" not in result.err.split("slipway: ")[0]


def test_a_failed_command_shows_its_line_once(build):
    text = said(build.fails("FROM tiny\nRUN <<EOF\necho one\nexit 3\nEOF\n", "exit code: 3"))
    assert text.count("  2 | RUN <<EOF") == 1 and text.index("exit code: 3") < text.index("  2 | RUN")


def test_an_own_ignore_file_is_named(build, slipway):
    top = build.context({"a": "", "sub/My.docker": "FROM scratch\nCOPY a /\n", "sub/My.docker.dockerignore": "# x\n\n**/a\n"})
    result = slipway.build(".", "-f", "sub/My.docker", cwd=top)
    result.fails('sub/My.docker:2:6: ', 'excluded by sub/My.docker.dockerignore:3 ("**/a")')


def test_target_and_stage_names(build):
    build.fails("FROM tiny AS build\n", 'target stage "biuld" could not be found (did you mean build?)', options=["--target", "biuld"])

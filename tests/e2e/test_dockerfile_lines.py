"""The file, its lines, directives and words (the language of BuildKit's Dockerfile frontend 1.x)."""
import pytest


def test_lookup_of_the_dockerfile(build, slipway, folder):
    assert build(None, {"dockerfile": "FROM scratch\nLABEL a=lower"}).config["Labels"] == {"a": "lower"}
    both = build("FROM scratch\nLABEL a=upper", {"dockerfile": "FROM scratch\nLABEL a=lower"})
    assert both.config["Labels"] == {"a": "upper"}
    # -f is relative to the working folder of the caller, not to the context.
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/My.dockerfile").write_text("FROM scratch\nLABEL a=f\n")
    other = build("FROM scratch", {}, "-f", "My.dockerfile", cwd=folder / "elsewhere")
    assert other.config["Labels"] == {"a": "f"}


def test_missing_dockerfile(build):
    build.fails(None, "Dockerfile", files={"a": "b"})


def test_bom_crlf_case_and_blanks(build):
    built = build(b"\xef\xbb\xbf  from scratch\r\n\tLaBeL   a=1\r\n\r\nlabel\tb=2 \\\r\n  c=3\r\n")
    assert built.config["Labels"] == {"a": "1", "b": "2", "c": "3"}


def test_long_lines(build):
    """A physical line has a limit of 65535 bytes, a logical one has none."""
    value = "x" * 60000
    built = build(f"FROM scratch\nLABEL a={value} \\\n b={value}\n")
    assert built.config["Labels"] == {"a": value, "b": value}
    build.fails("FROM scratch\nLABEL a=" + "x" * 65536, "Dockerfile:2")


def test_comments_and_continuations(build):
    built = build(r"""
        # a comment
        FROM scratch
          # another
        LABEL a=1 \
        # between the lines

              b=#notacomment \
          # indented
        c="x\
           y" d=4\
        5
        LABEL e=two\\
        LABEL f=6 \
        """)
    # Blanks at the beginning of a continued line count inside quotes; "\\" at the end of a line is a backslash.
    assert built.config["Labels"] == {"a": "1", "b": "#notacomment", "c": "x   y", "d": "45", "e": "two\\",
                                      "f": "6"}


def test_escape_directive(build):
    built = build("# escape=`\nFROM scratch\nLABEL a=C:\\dir\\x `\n b=`$HOME c=\"`\"q\"\n")
    assert built.config["Labels"] == {"a": "C:\\dir\\x", "b": "$HOME", "c": '"q'}


@pytest.mark.parametrize("first", ["# just a comment\n", "\n", "# unknown=directive\n"])
def test_a_directive_after_something_else_is_a_comment(build, first):
    built = build(first + "# escape=`\nFROM scratch\nLABEL a=1 \\\n b=2\n")
    assert built.config["Labels"] == {"a": "1", "b": "2"}


def test_syntax_directive_is_accepted_and_never_fetched(build):
    built = build("# syntax=docker/dockerfile:1.7-labs\n# escape=\\\nFROM scratch\nLABEL a=1\n")
    assert built.config["Labels"] == {"a": "1"}


@pytest.mark.parametrize("text, words", [
    ("# escape=x\nFROM scratch\n", ["escape"]),
    ("# escape=`\n# escape=`\nFROM scratch\n", ["escape"]),
    ("", ["no instructions"]),
    ("# nothing\n\n", ["no instructions"]),
    ("ARG A=1\n", ["stage"]),
    ("RUN true\nFROM scratch\n", ["Dockerfile:1"]),
    ("FROM scratch\nCOPPY a b\n", ["Dockerfile:2", "COPPY", "did you mean COPY"]),
    ("FROM scratch\nCOPY --form=x a b\n", ["Dockerfile:2", "form", "from"]),
    ("FROM scratch\nCOPY --chown a b\n", ["Dockerfile:2", "chown"]),
    ("FROM scratch\nCOPY --chown=1 --chown=2 a b\n", ["Dockerfile:2", "chown"]),
    ("FROM scratch\nCOPY --link=perhaps a b\n", ["Dockerfile:2", "link"]),
    ("FROM scratch\nCOPY a\n", ["Dockerfile:2", "two arguments"]),
    ("FROM scratch\nENV A\n", ["Dockerfile:2", "ENV"]),
    ("FROM scratch\nENV A=1 B\n", ["Dockerfile:2"]),
    ("FROM scratch\nENV =1\n", ["Dockerfile:2", "blank"]),
    ("FROM scratch\nLABEL a='x\n", ["Dockerfile:2", "quote"]),
    ("FROM scratch\nRUN <<EOF\nnever ends\n", ["Dockerfile:2", "EOF"]),
    ("FROM scratch\nSHELL /bin/sh -c\n", ["Dockerfile:2", "SHELL", "JSON"]),
    ("FROM scratch\nSHELL []\n", ["Dockerfile:2", "SHELL"]),
    ("FROM scratch\nCMD [\"a\", 1]\n", ["Dockerfile:2"]),
    ("FROM a b\n", ["Dockerfile:1"]),
    ("FROM scratch AS 1up\n", ["Dockerfile:1", "1up"]),
    ("FROM scratch\nEXPOSE http\n", ["Dockerfile:2", "http"]),
    ("FROM scratch\nEXPOSE 80/tpc\n", ["Dockerfile:2", "tpc"]),
    ("FROM scratch\nEXPOSE 65536\n", ["Dockerfile:2", "65536"]),
    ("FROM scratch\nSTOPSIGNAL NOPE\n", ["Dockerfile:2", "NOPE"]),
    ("FROM scratch\nVOLUME [\"\"]\n", ["Dockerfile:2"]),
    ("FROM scratch\nHEALTHCHECK MAYBE true\n", ["Dockerfile:2", "MAYBE"]),
    ("FROM scratch\nHEALTHCHECK NONE true\n", ["Dockerfile:2"]),
    ("FROM scratch\nHEALTHCHECK --interval=5 CMD true\n", ["Dockerfile:2", "interval"]),
    ("FROM scratch\nHEALTHCHECK --retries=-1 CMD true\n", ["Dockerfile:2", "retries"]),
    ("FROM scratch\nONBUILD ONBUILD RUN x\n", ["Dockerfile:2", "ONBUILD"]),
    ("FROM scratch\nONBUILD FROM x\n", ["Dockerfile:2", "FROM"]),
    ("FROM scratch\nRUN --network=bridge x\n", ["Dockerfile:2", "network"]),
    ("FROM scratch\nRUN --mount=type=disk,target=/a x\n", ["Dockerfile:2", "disk"]),
    ("FROM scratch\nRUN --mount=type=bind,target=/a,sharing=locked x\n", ["Dockerfile:2", "sharing"]),
    ("FROM scratch\nRUN --mount=type=bind,target=/a,size=1 x\n", ["Dockerfile:2", "size"]),
    ("FROM scratch\nRUN --mount=type=cache,target=/ x\n", ["Dockerfile:2", "target"]),
    ("FROM scratch\nRUN --mount=type=cache,target=/a,tarqet=/b x\n", ["Dockerfile:2", "tarqet", "target"]),
    ("FROM scratch\nADD --checksum=sha256:00 a b\n", ["Dockerfile:2", "checksum"]),
    ("FROM scratch\nCOPY https://example.com/x /\n", ["Dockerfile:2", "URL"]),
    ("FROM scratch\nCOPY --chmod=9z a /\n", ["Dockerfile:2", "9z"]),
    ("FROM scratch\nWORKDIR ${A:=x}\n", ["Dockerfile:2", "modifier"]),
    ("FROM scratch\nWORKDIR ${}\n", ["Dockerfile:2", "substitution"]),
    ("FROM scratch\nWORKDIR ${A\n", ["Dockerfile:2"]),
    ("FROM scratch\nWORKDIR ${A:?must be set}\n", ["Dockerfile:2", "must be set"]),
    # What nobody needs is validated all the same.
    ("FROM scratch AS unused\nNOPE\nFROM scratch\n", ["Dockerfile:2", "NOPE"]),
])
def test_refused_with_its_place(build, text, words):
    build.fails(text, *words, files={"a": "a", "b": "b"})


def test_an_error_shows_the_line(build):
    result = build.fails("FROM scratch\n\nLABEL ok=1\nLABBEL a=1\n", "Dockerfile:4", "LABBEL a=1", "LABEL")
    assert "^" in result.err or ">>>" in result.err


def test_json_form_and_its_fallback(build):
    built = build(r"""
        FROM scratch
        CMD ["a", "b\tc\u0041", ""]
        ENTRYPOINT  [ "x" ]
        """)
    assert built.config["Cmd"] == ["a", "b\tcA", ""] and built.config["Entrypoint"] == ["x"]
    # What is not JSON is a command for the shell.
    for text in ("['a', 'b']", '["a", "b"', '["a"] b'):
        assert build(f"FROM scratch\nCMD {text}\n").config["Cmd"] == ["/bin/sh", "-c", text]


def test_words_with_quotes(build):
    built = build(r"""
        FROM scratch
        ENV A=1 B="two words" C='single $A' D=es\ caped E="in\"side" F=a"b c"d G=
        ENV LEGACY some  inner   blanks
        ENV QUOTED "x  y"  z
        LABEL "key with blank"="v" dotted.key-x=1
        """)
    env = built.env()
    env.pop("PATH")
    assert env == {"A": "1", "B": "two words", "C": "single $A", "D": "es caped", "E": 'in"side', "F": "ab cd",
                   "G": "", "LEGACY": "some  inner   blanks", "QUOTED": "x  y  z"}
    assert built.config["Labels"] == {"key with blank": "v", "dotted.key-x": "1"}


def test_bare_double_dash_ends_the_flags(build):
    built = build("FROM scratch\nCOPY --chmod=600 -- a /b\n", {"a": "x"})
    assert built.tree["b"].mode == 0o600

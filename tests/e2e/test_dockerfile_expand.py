"""Variables: the forms of ${...}, where they expand, and the scopes of ARG and ENV."""
import pytest

FORMS = [
    # expression, with V=value E="" P=/usr/local/lib.tar.gz set and U not
    ("$V", "value"), ("${V}", "value"), ("x${V}y", "xvaluey"), ("$Vx", ""), ("${V}x$V", "valuexvalue"),
    ("${V:-d}", "value"), ("${E:-d}", "d"), ("${U:-d}", "d"), ("${E-d}", ""), ("${U-d}", "d"),
    ("${V:+s}", "s"), ("${E:+s}", ""), ("${E+s}", "s"), ("${U+s}", ""), ("${U:-${V}}", "value"),
    ("${U:-a${E:-b}c}", "abc"), ("${V:?m}", "value"), ("${V?m}", "value"),
    ("${P#*/}", "usr/local/lib.tar.gz"), ("${P##*/}", "lib.tar.gz"), ("${P%.*}", "/usr/local/lib.tar"),
    ("${P%%.*}", "/usr/local/lib"), ("${P/l/L}", "/usr/Local/lib.tar.gz"), ("${P//l/L}", "/usr/LocaL/Lib.tar.gz"),
    (r"${P/\/usr/x}", "x/local/lib.tar.gz"), ("${V#v?l}", "ue"), ("$U", ""), ("$1", ""), ("$@", ""), ("a$", "a$"),
    ("$.", "$."), (r"\$V", "$V"), ("'$V'", "$V"), ('"$V"', "value"), (r'"\$V \a"', r"$V \a"),
    (r"\a\ b", "a b"), ('"it\'s"', "it's"),
]


def test_forms(build):
    lines = ["FROM scratch", 'ENV V=value E="" P=/usr/local/lib.tar.gz']
    lines += [f"LABEL l{number}={text}" for number, (text, _) in enumerate(FORMS)]
    labels = build("\n".join(lines) + "\n").config["Labels"]
    found = [(text, labels[f"l{number}"]) for number, (text, _) in enumerate(FORMS)]
    assert found == FORMS


def test_one_line_sees_what_was_before_it(build):
    built = build("FROM scratch\nENV a=old\nENV a=new b=$a\nENV c=$a\nARG x=1 y=${x}2\nLABEL y=$y\n")
    assert (built.env()["b"], built.env()["c"], built.config["Labels"]["y"]) == ("old", "new", "12")


def test_where_variables_expand(build):
    built = build("""
        FROM tiny
        ENV D=/dir U=1000:1000 F=file P="80 81" S=SIGINT V=/vol MODE=640
        WORKDIR $D/sub
        COPY --chown=$U --chmod=$MODE $F ${D}/copied
        ADD $F ${D}/added
        EXPOSE $P
        VOLUME $V
        STOPSIGNAL $S
        USER $U
        CMD ["$D"]
        ENTRYPOINT echo $D
        """, {"file": "content"})
    assert built.config["WorkingDir"] == "/dir/sub"
    copied = built.tree["dir/copied"]
    assert (copied.uid, copied.gid, copied.mode, copied.data) == (1000, 1000, 0o640, b"content")
    built.has("dir/added")
    assert built.config["ExposedPorts"] == {"80/tcp": {}, "81/tcp": {}}
    assert built.config["Volumes"] == {"/vol": {}}
    assert built.config["StopSignal"] == "SIGINT" and built.config["User"] == "1000:1000"
    # The shell expands these, not the builder.
    assert built.config["Entrypoint"] == ["/bin/sh", "-c", "echo $D"]


def test_from_expands_global_args_only(build):
    built = build("""
        ARG BASE=tiny
        ARG FULL=${BASE}
        FROM $FULL
        RUN test -z "$BASE" && echo unset > /seen
        ARG BASE
        RUN echo $BASE > /imported
        """)
    assert (built.text("/seen"), built.text("/imported")) == ("unset\n", "tiny\n")
    build.fails("ARG BASE\nFROM $BASE\n", "Dockerfile:2", "blank")
    build.fails("FROM scratch AS a\nCOPY --from=$X a b\n", "Dockerfile:2", "expansion")


def test_scopes_of_arg(build):
    text = """
        ARG G=global
        FROM scratch AS one
        ARG G
        ARG L=default
        ARG D
        LABEL g=$G l=$L d=${D-unset}
        FROM one
        LABEL inherited=$L
        """
    assert build(text).config["Labels"] == {"g": "global", "l": "default", "d": "unset", "inherited": "default"}
    given = build(text, {}, "--build-arg", "G=cli", "--build-arg", "L=", "--build-arg", "D", "--build-arg",
                  "UNDECLARED=x", env={"D": "from the environment"})
    assert given.config["Labels"] == {"g": "cli", "l": "", "d": "from the environment", "inherited": ""}
    assert build("ARG G=global\nFROM scratch\nARG G=own\nLABEL g=$G\n").config["Labels"] == {"g": "own"}
    # Values from the command line are taken as they are.
    assert build("FROM scratch\nARG A\nLABEL a=$A\n", {}, "--build-arg", "A=$HOME'").config["Labels"] == \
        {"a": "$HOME'"}


def test_arg_and_env_the_later_wins_in_the_build(build):
    built = build("""
        FROM tiny
        ENV V=env
        ARG V=arg
        RUN echo "$V" > /first
        ENV V=again
        RUN echo "$V" > /second
        ARG UNUSED
        RUN env > /env
        """, {}, "--build-arg", "UNUSED=given")
    assert (built.text("/first"), built.text("/second")) == ("arg\n", "again\n")
    assert built.env()["V"] == "again" and "UNUSED" not in built.env()
    assert "UNUSED=given\n" in built.text("/env")


def test_platform_arguments(build):
    built = build("""
        FROM scratch AS t
        LABEL before=${TARGETARCH-unset}
        ARG TARGETARCH
        ARG TARGETOS
        ARG TARGETPLATFORM
        ARG BUILDPLATFORM
        LABEL after=$TARGETARCH platform=$TARGETPLATFORM os=$TARGETOS build=$BUILDPLATFORM
        """, {}, "--platform", "linux/arm64")
    labels = built.config["Labels"]
    assert (labels["before"], labels["after"], labels["os"]) == ("unset", "arm64", "linux")
    assert labels["platform"] == "linux/arm64" and labels["build"].startswith("linux/")
    assert built.document["architecture"] == "arm64"


def test_proxies_reach_run_and_nothing_else(build):
    built = build("FROM tiny\nRUN env > /env\n", {}, "--build-arg", "HTTP_PROXY=http://p.example:3128")
    assert "HTTP_PROXY=http://p.example:3128" in built.text("/env")
    assert "p.example" not in str(built.document)


def test_run_does_not_see_the_callers_environment(build):
    built = build("FROM tiny\nRUN env > /env\n", env={"MY_TOKEN": "hidden", "LD_PRELOAD": ""})
    assert "MY_TOKEN" not in built.text("/env")
    values = dict(line.split("=", 1) for line in built.text("/env").splitlines())
    # The names of the bundle of certificates are the one thing that slipway adds of its own.
    names = {name for name, value in values.items() if not value.endswith((".crt", ".pem"))}
    assert names <= {"PATH", "HOME", "PWD", "HOSTNAME", "SHLVL", "OLDPWD", "_"}, names


@pytest.mark.parametrize("line, words", [
    ("LABEL a=${U:?u is missing}", ["u is missing"]),
    ("LABEL a=${U?u is missing}", ["u is missing"]),
    ("LABEL a=${P//x}", []),
    ("LABEL a=${", []),
])
def test_errors(build, line, words):
    build.fails(f"FROM scratch\n{line}\n", "Dockerfile:2", *words)

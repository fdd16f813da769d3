"""What BuildKit's frontend makes of the language, statement by statement: lines, words, variables, scopes, stages,
triggers. The comments are the statements; no expectation comes from slipway."""
from helpers.images import Layout, entry, make_tar


def wrong(rows):
    """Rows of (what, found, expected) that differ."""
    return [row for row in rows if row[1] != row[2]]


# 1. The file, its lines and directives.

def test_the_dockerfile_alone_on_stdin(build):
    built = build(None, {"ctx.txt": "x"}, "-f", "-", stdin="FROM scratch\nCOPY ctx.txt /\n")
    assert sorted(built.tree) == ["ctx.txt"]


def test_directives(build):
    labels = build("#!/usr/bin/env build\n# Syntax = docker/dockerfile:1\nFROM scratch\nLABEL a=1\n").config["Labels"]
    assert labels == {"a": "1"}
    # A frontend image of another kind cannot be run: that must not pass in silence.
    text = "# syntax=example.com/other/frontend:1\nFROM scratch\nLABEL a=1\n"
    assert "example.com/other/frontend:1" in build(text).result.err
    other = build(text, {}, "--build-arg", "BUILDKIT_SYNTAX=example.org/given").result.err
    assert "example.org/given" in other and "example.com" not in other
    assert "example.com" not in build(text, {}, "--build-arg", "BUILDKIT_SYNTAX=docker/dockerfile:1").result.err


def test_what_must_come_first(build):
    for text, words in (("ENV A=1\nFROM scratch\n", ["Dockerfile:1", "ENV"]),
                        ("LABEL a=b\nFROM scratch\n", ["Dockerfile:1", "LABEL"]),
                        ("ARG A=1\nARG B\n", ["no stages"]),
                        # An unknown flag in a stage that nobody needs.
                        ("FROM scratch AS unused\nCOPY --nope=1 a b\nFROM scratch\nLABEL a=1\n",
                         ["Dockerfile:2", "nope"])):
        build.fails(text, *words)


# 2. Flags, JSON form, words.

def test_words(build):
    built = build(r"""
        FROM tiny
        # Quotes in flags are processed and removed, escaped ones stay for the CSV of --mount.
        RUN --mount=type=bind,\"source=a,b\",target=/m cat /m/f > /mounted
        COPY --chown="app":'adm' "f" '/quoted'
        # JSON strings decode escapes; names with blanks need the JSON form.
        COPY ["with bl\u0061nk", "/b/"]
        # A bad array is no array: words, of which quotes are removed by expansion.
        VOLUME ['/v', "/w"]
        # The whole rest of the line is one path or name.
        WORKDIR /some "where"
        STOPSIGNAL "9"
        USER "app":'adm'
        CMD echo  "a   b"   'c' \
            && d
        HEALTHCHECK CMD [ "x" ] y
        """, {"a,b/f": "comma", "f": "f", "with blank": "blank"})
    quoted = built.tree["quoted"]
    assert wrong([
        ("mount", built.text("/mounted"), "comma"), ("json", built.text("/b/with blank"), "blank"),
        ("volumes", sorted(built.config["Volumes"]), ["/w]", "[/v,"]),
        ("workdir", built.config["WorkingDir"], "/some where"), ("signal", built.config["StopSignal"], "9"),
        ("user", built.config["User"], "app:adm"),
        ("cmd", built.config["Cmd"], ["/bin/sh", "-c", "echo  \"a   b\"   'c'     && d"]),
        ("healthcheck", built.config["Healthcheck"]["Test"], ["CMD-SHELL", '[ "x" ] y']),
        ("flag", (quoted.uid, quoted.gid, quoted.data), (1000, 4, b"f")),
    ]) == []


def test_words_that_are_refused(build):
    for line, words in (
            # Whitespace words are split without regard to quotes: a blank needs the JSON form.
            ('COPY "with blank" /b', ["Dockerfile:2", "quote"]),
            # What is no JSON array is a list of words: of files that do not exist.
            ('COPY ["f", "/g"', ["Dockerfile:2", "[f,"]),
            # Quotes are gone before the options of --mount are split at commas.
            ('RUN --mount=type=bind,"source=a,b",target=/m x', ["Dockerfile:2", "'b'"]),
            # "Any later word without = is an error."
            ("LABEL a=1 b c=2", ["Dockerfile:2", '"b"']), ("LABEL a", ["Dockerfile:2", "LABEL"]),
            ("ADD --link --link a /b", ["Dockerfile:2", "--link"])):
        build.fails(f"FROM scratch\n{line}\n", *words, files={"f": "f", "with blank": "b"})


# 3. Expansion.

def test_where_expansion_happens_and_where_not(build):
    built = build(r"""
        FROM tiny
        ENV K=key V=value D=/d P="80 81" E="" C=/cache SUM=sha256
        # Keys expand, and a value that comes from a variable is not read again.
        LABEL $K=$V quoted='$V' "$K 2"="\$V"
        VOLUME ["$D/a b"]
        # Split after expansion, so one word is two ports; within quotes too.
        EXPOSE $P ${U:-90}/udp
        # Options of --mount, but for from=.
        RUN --mount=type=cache,target=$C,id=${K}1,mode=0${M:-711} stat -c %a $C > /mode
        # --exclude does not expand.
        COPY --exclude=$V . $D/excluded/
        COPY [ "\\$V", "${D}/json/" ]
        # Undefined variables are empty, in paths too.
        COPY value$U /d$U/undefined$U
        # Text for the shell stays as it is.
        HEALTHCHECK CMD echo $V
        SHELL ["/bin/$V"]
        ENTRYPOINT ["$V"]
        MAINTAINER "$V"
        """, {"value": "v", "$V": "dollar"})
    assert wrong([
        ("labels", built.config["Labels"], {"key": "value", "quoted": "$V", "key 2": "$V"}),
        ("volume", built.config["Volumes"], {"/d/a b": {}}),
        ("ports", sorted(built.config["ExposedPorts"]), ["80/tcp", "81/tcp", "90/udp"]),
        ("mount", built.text("/mode"), "711\n"),
        ("exclude", sorted(p for p in built.tree if p.startswith("d/excluded/")),
         ["d/excluded/Dockerfile", "d/excluded/value"]),
        ("json", built.text("/d/json/$V"), "dollar"), ("undefined", built.text("/d/undefined"), "v"),
        ("healthcheck", built.config["Healthcheck"]["Test"], ["CMD-SHELL", "echo $V"]),
        ("shell", built.config["Shell"], ["/bin/$V"]), ("entrypoint", built.config["Entrypoint"], ["$V"]),
        ("author", built.document["author"], '"$V"'),
        ("env", built.config["Env"][1:], ["K=key", "V=value", "D=/d", "P=80 81", "E=", "C=/cache", "SUM=sha256"]),
    ]) == []


# 4. Heredocs.

def test_heredocs(build):
    built = build(r"""
        FROM tiny
        ENV V=value
        # A body that begins with #! is a file of mode 0755 that is executed, whatever SHELL says.
        SHELL ["/bin/sh", "-ec"]
        RUN <<EOF
        #!/bin/sh
        false
        echo "$0 $(stat -c %a $0) $V" > /script
        EOF
        # A body alone is the text for SHELL.
        RUN <<EOF || true
        exit 3
        EOF
        RUN 3<<THREE cat <&3 > /three
        from fd 3
        THREE
        # Real sources first, then heredocs; a file may be executable; ADD takes them too.
        COPY --chmod=700 <<same same /order/
        from the heredoc
        same
        ADD <<a.tar <<-"b" /added/
        no archive $V \\
        # not a comment

        a.tar
        	tab $V
        	b
        """, {"same": "from the file"})
    assert wrong([
        ("script", built.text("/script"), "/dev/pipes/EOF 755 value\n"), ("fd", built.text("/three"), "from fd 3\n"),
        ("order", built.text("/order/same"), "from the heredoc\n"), ("mode", built.tree["order/same"].mode, 0o700),
        ("add", built.text("/added/a.tar"), "no archive value \\\n# not a comment\n\n"),
        ("chomp and quotes", built.text("/added/b"), "tab $V\n"), ("owner", built.tree["added/b"].uid, 0),
        ("folder", (built.tree["added"].kind, built.tree["added/a.tar"].mode), ("dir", 0o644)),
    ]) == []
    # The escape character of heredocs is always the backslash.
    other = build("# escape=`\nFROM scratch\nENV V=v\nCOPY <<EOF /f\n\\$V `$V\nEOF\n")
    assert other.text("/f") == "$V `v\n"
    # A failing line ends a step whose shell was told so.
    build.fails('FROM tiny\nSHELL ["/bin/sh", "-ec"]\nRUN <<EOF\nfalse\ntrue\nEOF\n', "Dockerfile:3", "exit code: 1")


# 5. ARG and ENV.

def test_arguments(build):
    built = build(r"""
        ARG BASE=tiny
        ARG TAG=${BASE}-x
        FROM ${BASE} AS Two
        ARG TARGETSTAGE
        ARG TARGETARCH
        ARG HTTP_PROXY
        ARG TAG
        ARG EMPTY
        ARG UNSET=
        ARG NOVALUE
        ENV A=1 Z=9
        ENV A=2
        ENV KEPT=env
        ARG KEPT=arg
        LABEL stage=$TARGETSTAGE arch=$TARGETARCH tag=$TAG empty=${EMPTY-d} unset=${UNSET-d} novalue=${NOVALUE-d} \
              kept=$KEPT
        # Names of ARGs expand, too.
        ENV NAME=named
        ARG "quoted"=1 $NAME
        LABEL quoted=$quoted named=$named
        RUN env > /env; test "${NOVALUE-unset}" = unset
        """, {}, "--build-arg", "TARGETARCH=mine", "--build-arg", "HTTP_PROXY=http://p.example:1", "--build-arg",
                  "https_proxy=http://q.example:1", "--build-arg", "EMPTY=", "--build-arg", "A=never", "--build-arg", "named=given")
    env = dict(line.split("=", 1) for line in built.text("/env").splitlines())
    history = [h["created_by"] for h in built.history if h["created_by"].startswith("RUN")]
    assert wrong([
        # "default" without --target, else the name; --build-arg overrides the platform's arguments.
        ("labels", built.config["Labels"], {"stage": "two", "arch": "mine", "tag": "tiny-x", "empty": "", "unset": "",
                                            "novalue": "d", "kept": "arg", "quoted": "1", "named": "given"}),
        # ENV replaces in place; ARG never enters the config, and does not change an ENV there.
        ("env", built.config["Env"][1:], ["A=2", "Z=9", "KEPT=env", "NAME=named"]),
        ("run", [env.get(k) for k in ("A", "KEPT", "TAG", "EMPTY", "HTTP_PROXY", "https_proxy")],
         ["2", "arg", "tiny-x", "", "http://p.example:1", "http://q.example:1"]),
        # A declared proxy is an argument like others; the other one is nowhere.
        ("declared proxy", "HTTP_PROXY=http://p.example:1" in history[0], True),
        ("undeclared proxy", "q.example" in str(built.document), False),
    ]) == []
    # The name of the host in RUN can be chosen.
    named = build("FROM tiny\nRUN hostname > /name\n", {}, "--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=me")
    assert named.text("/name") == "me\n"


def test_path_is_always_set(build, folder):
    default = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    Layout(folder / "l").image("b", [], {"Env": ["X=1"]})
    options = ["--build-context", f"b=oci-layout:{folder}/l"]
    assert set(build("FROM b\nENV Y=2\n", {}, *options).config["Env"]) == {"X=1", "Y=2", default}
    assert set(build("FROM scratch\nENV Y=2\n").config["Env"]) == {"Y=2", default}
    assert build("FROM scratch\nENV PATH=/x:$PATH\n").config["Env"] == [default.replace("=", "=/x:")]


# 6. Stages. 7. Triggers.

def test_stages(build, folder):
    # A base without layers is the empty file system with that config.
    Layout(folder / "l").image("b", [], {"Env": ["X=1"], "Labels": {"base": "1"}, "OnBuild": ["LABEL fired=$X"]})
    options = ["--build-context", f"b=oci-layout:{folder}/l"]
    built = build("""
        FROM b AS One
        COPY a /a
        FROM scratch AS one
        COPY a /second
        FROM b
        COPY --from=ONE / /stage/
        """, {"a": "a"}, *options)
    # Of two stages with one name the later counts for what follows; both still build.
    assert wrong([("tree", sorted(built.tree), ["stage", "stage/second"]),
                  ("labels", built.config["Labels"], {"base": "1", "fired": "1"}),
                  ("onbuild", built.config.get("OnBuild"), None)]) == []
    # Without --target the last stage is built, and --target takes no index.
    build.fails("FROM scratch AS one\nLABEL a=1\n", "0", options=["--target", "0"])
    # FROM STAGE takes over the history and shares the layers.
    child = build("FROM tiny AS p\nRUN touch /a\nLABEL x=1\nFROM p\nCOPY a /b\n", {"a": "a"})
    assert [h["created_by"].split(" #")[0] for h in child.history[1:]] == \
        ["RUN /bin/sh -c touch /a", "LABEL x=1", "COPY a /b"]
    assert len(child.image.layers) == 3


def test_triggers(build):
    text = """
        FROM scratch AS helper
        COPY h /h
        FROM tiny AS parent
        ENV V=base
        WORKDIR /w
        ONBUILD RUN --mount=type=bind,from=helper,source=/h,target=/m cat /m > /mounted
        ONBUILD COPY <<EOF $V/
        body of $V
        EOF
        ONBUILD ARG A=given
        ONBUILD ENV V=child
        ONBUILD USER app
        """
    stored = build(text, {"h": "helper"})
    # Stored as written, without a layer and without an entry in the history.
    assert wrong([
        ("stored", stored.config["OnBuild"],
         ["RUN --mount=type=bind,from=helper,source=/h,target=/m cat /m > /mounted", "COPY <<EOF $V/\nbody of $V\nEOF",
          "ARG A=given", "ENV V=child", "USER app"]),
        ("history", [h["created_by"] for h in stored.history if "ONBUILD" in h["created_by"]], []),
        ("user", stored.config.get("User"), None),
    ]) == []
    child = build(text + "\n        FROM parent\n        LABEL a=$A v=$V\n        RUN id -un > /tmp/who\n", {"h": "helper"})
    assert wrong([
        # They run directly after FROM, as if written there.
        ("mount", child.text("/mounted"), "helper"), ("heredoc", child.text("/w/base/EOF"), "body of base\n"),
        ("scope", child.config["Labels"], {"a": "given", "v": "child"}), ("user", child.text("/tmp/who"), "app\n"),
        ("gone", child.config.get("OnBuild"), None),
    ]) == []


def test_triggers_of_an_image_are_checked(build, folder):
    for trigger, word in (("FROM x", "FROM"), ("ONBUILD RUN x", "ONBUILD"), ("NOPE x", "NOPE"),
                          ("COPY --from=nosuch.invalid/x /a /b", "nosuch.invalid")):
        Layout(folder / word).image("b", [make_tar([entry("x")])], {"OnBuild": [trigger]})
        build.fails("FROM b\nLABEL a=1\n", word, options=["--build-context", f"b=oci-layout:{folder}/{word}"])

"""What BuildKit makes of a Dockerfile: what RUN sees and leaves, the image's config, history and times, statement by
statement. No expectation comes from slipway."""
import pytest

from helpers.images import Layout, capability, entry, make_tar


def wrong(rows):
    """Rows of (what, found, expected) that differ."""
    return [row for row in rows if row[1] != row[2]]


# 8. RUN.

def test_what_a_step_sees(build):
    built = build(r"""
        FROM tiny
        COPY hosts /etc/hosts
        # HOME comes from passwd unless it is set; PATH is set; no terminal, nothing to read.
        RUN echo "$HOME $PATH $(readlink /proc/self/fd/0)" > /home-of-root
        ENV HOME=/set
        RUN echo "$HOME" > /home-set
        # Changes to what is mounted are lost, the image's own file is as it was.
        RUN echo changed >> /etc/hosts && cat /proc/mounts > /mounts && ls -ld /dev/null /dev/full /dev/tty /dev/fd >/dev/null
        # Names and numbers: a number that passwd lacks has group 0; supplementary groups of the name only.
        USER app
        RUN id -G | tr ' ' '\n' | sort -n | tr '\n' ' ' > /tmp/groups
        USER 1000
        RUN id -g > /tmp/known-number
        USER 77
        RUN id -g > /tmp/unknown-number
        USER 77:4
        RUN echo "$(id -u) $(id -G)" > /tmp/both
        # An unknown name fails at RUN, not at USER.
        USER nosuch
        """, {"hosts": "of the image\n"})
    mounts = {line.split()[1] for line in built.text("/mounts").splitlines()}
    assert wrong([
        ("home", built.text("/home-of-root"),
         "/root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /dev/null\n"),
        ("home set", built.text("/home-set"), "/set\n"), ("hosts", built.text("/etc/hosts"), "of the image\n"),
        ("mounts", {"/proc", "/dev", "/dev/shm", "/dev/mqueue", "/sys"} - mounts, set()),
        ("groups", built.text("/tmp/groups"), "4 1000 "), ("known", built.text("/tmp/known-number"), "1000\n"),
        ("unknown", built.text("/tmp/unknown-number"), "0\n"), ("both", built.text("/tmp/both"), "77 4\n"),
        ("user", built.config["User"], "nosuch"),
    ]) == []


def test_exit_codes_and_forms(build):
    result = build.fails("FROM tiny\nRUN exit 3\n", 'process "/bin/sh -c exit 3" did not complete successfully: exit code: 3')
    assert result.code == 1
    # A broken array is text for the shell, which has no such program.
    build.fails('FROM tiny\nRUN ["/bin/true", ]\n', "Dockerfile:2", "exit code:")
    # No shell is needed for the exec form, and nothing is expanded in it.
    built = build('FROM tiny\nSHELL ["/nonexistent"]\nRUN ["/bin/mkdir", "/$HOME", "/*"]\n')
    built.has("$HOME", "*")


def test_the_layer_of_a_step(build, folder):
    Layout(folder / "l").image("b", [make_tar([
        entry("d", "dir"), entry("d/gone", data="x"), entry("d/sub", "dir"), entry("d/sub/gone", data="x"),
        entry("file", data="x"), entry("folder", "dir"), entry("folder/in", data="x"), entry("link", "symlink", link="d"),
        entry("tofile", "symlink", link="file"), entry("touched", data="same", mtime=10**9),
        entry("h1", data="h"),
        entry("cap", data="c", mode=0o755, xattrs={"security.capability": capability([10])}),
        entry("moved", "dir", mode=0o710), entry("moved/m", data="m")])])
    long = "/".join(["n" * 90] * 4)
    built = build(f"""
        FROM tiny
        COPY --from=b / /b/
        RUN cd /b && rm -r d && mkdir d && echo new > d/new && rm file && mkdir file && rm -r folder && echo f > folder && \\
            rm link && mkdir link && rm tofile && echo t > tofile && chmod 640 touched && mv moved renamed && \\
            chmod 755 cap && mkdir -p {long} && touch {long}/x && chown -h 3000000:2900000 {long}/x && \\
            touch -d '2001-02-03 04:05:06' {long}/x
        RUN cd /b && ln h1 h2 && ln h2 h3 && chmod 4711 h1
        """, {}, "--build-context", f"b=oci-layout:{folder}/l")
    tree = {p.removeprefix("b/"): e for p, e in built.tree.items()}
    assert wrong([
        ("replaced folder", [p for p in tree if p.startswith("d/")], ["d/new"]), ("kinds", [tree[p].kind for p in
         ("file", "folder", "link", "tofile")], ["dir", "file", "dir", "file"]),
        # A change of metadata alone carries the whole content, and its time.
        ("touched", (tree["touched"].mode, tree["touched"].data, tree["touched"].mtime), (0o640, b"same", 10**9)),
        ("moved", ("moved" in tree, tree["renamed"].mode, tree["renamed/m"].data), (False, 0o710, b"m")),
        ("capability", tree["cap"].xattrs, {"security.capability": capability([10])}),
        ("ids and times", [getattr(tree[long + "/x"], f) for f in ("uid", "gid", "mtime")], [3000000, 2900000, 981173106]),
        ("hard links", (tree["h1"] is tree["h2"], tree["h3"] is tree["h2"], tree["h3"].mode), (True, True, 0o4711)),
    ]) == []


def test_mounts_leave_nothing_behind(build):
    """Folders made for mounts are not in the layer, those that the step itself makes are."""
    built = build("""
        FROM tiny
        RUN --mount=type=cache,target=/var/cache/x/y --mount=type=tmpfs,target=/new/tmp --mount=target=/ctx/a \
            --mount=type=secret,id=s,target=/etc/deep/secret mkdir /var/cache/own && touch /var/cache/x/y/f
        # The cache keeps what was written, in another place, under the same id; private names are different caches.
        RUN --mount=type=cache,id=/var/cache/x/y,dst=/c ls /c > /listed
        RUN --mount=type=cache,id=/var/cache/x/y,target=/c,mode=0700 ls /c > /other-mode
        """)
    assert built.text("/listed") == "f\n" and built.text("/other-mode") == ""
    assert [m for m in built.image.members(1) if not m.startswith(("var", "run"))] == []
    built.lacks("var/cache/x", "new", "ctx", "etc/deep", "c", "etc/hosts", "etc/resolv.conf")
    built.has("var/cache/own")


# 11. Metadata instructions.

def test_metadata(build):
    built = build(r"""
        FROM tiny
        EXPOSE 8080:90 127.0.0.1:1:91/UDP 7000-7001/SCTP 0
        LABEL a=1 "b c"=2 a=3
        HEALTHCHECK --start-interval=1.5s --retries=0 --interval=0 CMD ["x", "y"]
        STOPSIGNAL sigterm
        VOLUME /v/../w /v
        USER 1000:1000
        ONBUILD   RUN  echo  "x"
        ENTRYPOINT
        CMD
        """, {}, "--label", "a=4", "--label", "empty")
    config = built.config
    assert wrong([
        # Only the container's port counts.
        ("ports", sorted(config["ExposedPorts"]), ["0/tcp", "7000/sctp", "7001/sctp", "90/tcp", "91/udp"]),
        ("labels", config["Labels"], {"a": "4", "b c": "2", "empty": ""}),
        ("healthcheck", config["Healthcheck"], {"Test": ["CMD", "x", "y"], "StartInterval": 1500000000}),
        ("signal", config["StopSignal"], "sigterm"), ("volumes", config["Volumes"], {"/v/../w": {}, "/v": {}}),
        ("onbuild", config["OnBuild"], ['RUN  echo  "x"']),
        # Bare, in shell form, they are the shell with an empty text.
        ("entrypoint", config["Entrypoint"], ["/bin/sh", "-c", ""]), ("cmd", config["Cmd"], ["/bin/sh", "-c", ""]),
        ("unset", [k for k, v in config.items() if v in (None, "", [], {})], []),
    ]) == []


def test_cmd_and_entrypoint_across_stages(build):
    built = build("""
        FROM tiny AS p
        SHELL ["/bin/sh", "-x", "-c"]
        CMD inherited
        FROM p
        ENTRYPOINT own
        """)
    # The shell is inherited; ENTRYPOINT drops a CMD that the same stage did not set, also a base image's.
    assert (built.config["Entrypoint"], built.config.get("Cmd")) == (["/bin/sh", "-x", "-c", "own"], None)
    # Docker's extension for what was wrapped by a shell is set by every CMD.
    assert build('FROM scratch\nCMD ["x"]\n').config.get("ArgsEscaped") is True
    assert "Cmd" not in build('FROM tiny\nENTRYPOINT ["e"]\n').config
    assert build("FROM tiny\nLABEL a=1\n").config["Cmd"] == ["sh"]
    assert build('FROM tiny\nENTRYPOINT ["a"]\nENTRYPOINT []\nCMD ["c"]\n').config["Cmd"] == ["c"]


def test_workdir(build):
    built = build(r"""
        FROM tiny
        RUN mkdir -p /real && ln -s /real /alias && mkdir -m 711 /there && chown 5:6 /there
        WORKDIR alias/new/./x/../y
        USER app:adm
        WORKDIR ../z
        WORKDIR /there
        WORKDIR /there/below
        ENV D=var
        WORKDIR /$D//made/
        """)
    tree = built.tree
    assert wrong([
        # Relative to what was before, cleaned; the text stays in the config, the real folder is made.
        ("config", built.config["WorkingDir"], "/var/made"), ("made", "real/new/y" in tree and "real/new/x" not in tree, True),
        ("owner", [(tree[p].uid, tree[p].gid, tree[p].mode) for p in ("real/new/z", "there/below", "there")],
         [(1000, 4, 0o755), (1000, 4, 0o755), (5, 6, 0o711)]),
        ("history", [h["created_by"] for h in built.history if h["created_by"].startswith("WORKDIR")],
         ["WORKDIR /alias/new/y", "WORKDIR /alias/new/z", "WORKDIR /there", "WORKDIR /there/below", "WORKDIR /var/made"]),
        # Each counts as a layer, also where nothing changed.
        ("layers", len(built.image.layers), 1 + 1 + 5),
    ]) == []


# 12. Config and history.

def test_history_texts(build):
    built = build(r"""
        FROM tiny
        ARG A=1 B
        ARG C="two words"
        RUN ["/bin/echo", "a  b"]
        SHELL ["/bin/sh", "-ec"]
        RUN echo \
            more
        ENV E="x y" F=2
        LABEL "k l"='v w'
        MAINTAINER me <a@b>
        HEALTHCHECK NONE
        HEALTHCHECK --interval=5s --retries=3 CMD test  -e /x
        EXPOSE 81 80/udp
        VOLUME /b /a
        COPY --link --from=tiny /etc/passwd /p
        COPY <<one <<two /files/
        1
        one
        2
        two
        USER app
        CMD echo "hi"
        ONBUILD RUN x
        """, {}, "--build-arg", "B=b")
    assert [(h["created_by"], h.get("empty_layer", False)) for h in built.history[1:]] == [
        ("ARG A=1 B=b", True), ("ARG C=two words", True),
        ("RUN |3 A=1 B=b C=two words /bin/echo a  b # buildkit", False), ("SHELL [/bin/sh -ec]", True),
        ("RUN |3 A=1 B=b C=two words /bin/sh -ec echo     more # buildkit", False), ("ENV E=x y F=2", True),
        ("LABEL k l=v w", True), ("MAINTAINER me <a@b>", True),
        ("HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}", True),
        ("HEALTHCHECK {Test:[CMD-SHELL test  -e /x] Interval:5s Timeout:0s StartPeriod:0s StartInterval:0s Retries:3}", True),
        ("EXPOSE [80/udp 81/tcp]", True), ("VOLUME [/b /a]", True), ("COPY /etc/passwd /p # buildkit", False),
        ("COPY <<one <<two /files/ # buildkit", False), ("USER app", True),
        ('CMD ["/bin/sh" "-ec" "echo \\"hi\\""]', True)]
    assert {h.get("comment") for h in built.history[1:]} == {"buildkit.dockerfile.v0"}
    assert all("created" in h for h in built.history[1:])


def test_a_base_config_is_kept_but_for_what_the_build_says(build, folder):
    base = {"Env": ["PATH=/x"], "Cmd": ["c"], "Healthcheck": {"Test": ["CMD", "h"], "Interval": 1000000000},
            "Shell": ["/s", "-c"], "OnBuild": ["ENV FIRED=1"], "ArgsEscaped": True, "StopSignal": "9"}
    Layout(folder / "l").image("b", [make_tar([entry("x")])], base)
    built = build("FROM b\nSTOPSIGNAL 10\n", {}, "--build-context", f"b=oci-layout:{folder}/l")
    config = {k: v for k, v in built.config.items() if k != "WorkingDir" or v != "/"}
    assert config == {"Env": ["PATH=/x", "FIRED=1"], "Cmd": ["c"], "Healthcheck": base["Healthcheck"], "ArgsEscaped": True,
                      "Shell": ["/s", "-c"], "StopSignal": "10"}
    assert not {"container_config", "container", "docker_version", "id", "parent"} & set(built.document)


# 14. SOURCE_DATE_EPOCH.

def test_epoch_of_the_dockerfile_and_in_run(build):
    built = build("""
        ARG SOURCE_DATE_EPOCH=1000000000
        FROM tiny
        RUN test -z "$SOURCE_DATE_EPOCH"
        ARG SOURCE_DATE_EPOCH
        RUN echo $SOURCE_DATE_EPOCH > /seen
        """)
    assert built.text("/seen") == "1000000000\n"
    # The environment of the caller counts like a build argument.
    given = build("FROM tiny\nARG SOURCE_DATE_EPOCH\nRUN echo $SOURCE_DATE_EPOCH > /seen\n", {},
                  env={"SOURCE_DATE_EPOCH": "77"})
    assert (given.text("/seen"), given.document["created"]) == ("77\n", "1970-01-01T00:01:17Z")
    assert built.document["created"] == "2001-09-09T01:46:40Z"
    assert {h["created"] for h in built.history[1:]} == {"2001-09-09T01:46:40Z"}


@pytest.mark.parametrize("option", ["--timestamp", "rewrite-timestamp"])
def test_times_of_files_are_clamped_on_demand(build, option):
    text = "FROM tiny\nCOPY a /a\nRUN echo x > /b && touch -d @5 /c && mkdir /d\n"
    options = ["--timestamp", "1000000000"] if option == "--timestamp" else \
        ["--build-arg", "SOURCE_DATE_EPOCH=1000000000", "--output", "type=image,rewrite-timestamp=true"]
    built = build(text, {"a": "a"}, *options)
    tree = built.tree
    # Later times become the epoch, earlier ones stay, layers of the base are as they are.
    assert [tree[p].mtime for p in "abcd"] == [10**9, 10**9, 5, 10**9]
    assert tree["usr/bin/busybox"].mtime == 1704067200

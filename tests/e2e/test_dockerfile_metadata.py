"""Metadata instructions, the image config and its history."""
import pytest


def test_all_of_them(build):
    built = build(r"""
        FROM scratch
        MAINTAINER "Maria" <m@example.com>
        LABEL a=1 b="two words"
        LABEL a=last
        ENV A=1
        ENV B=2
        ENV A=3
        EXPOSE 80 443/TCP 53/udp 8000-8002
        VOLUME /data "/more"
        VOLUME ["/json data"]
        WORKDIR /w
        WORKDIR rel/../sub
        USER app:staff
        STOPSIGNAL RTMIN+3
        SHELL ["/bin/bash", "-c"]
        CMD run $HOME
        HEALTHCHECK --interval=1m30s --timeout=2s --start-period=500ms --retries=4 CMD curl -f http://x/ || exit 1
        """)
    config = built.config
    assert built.document["author"] == '"Maria" <m@example.com>'
    assert config["Labels"] == {"a": "last", "b": "two words"}
    assert [e for e in config["Env"] if not e.startswith("PATH=")] == ["A=3", "B=2"]
    assert config["ExposedPorts"] == {p: {} for p in
                                      ("80/tcp", "443/tcp", "53/udp", "8000/tcp", "8001/tcp", "8002/tcp")}
    assert config["Volumes"] == {"/data": {}, "/more": {}, "/json data": {}}
    assert config["User"] == "app:staff" and config["WorkingDir"] == "/w/sub"
    assert config["StopSignal"] == "RTMIN+3" and config["Shell"] == ["/bin/bash", "-c"]
    assert config["Cmd"] == ["/bin/bash", "-c", "run $HOME"]
    # HEALTHCHECK's shell form does not depend on SHELL; durations are nanoseconds.
    assert config["Healthcheck"] == {"Test": ["CMD-SHELL", "curl -f http://x/ || exit 1"], "Interval": 90 * 10**9,
                                     "Timeout": 2 * 10**9, "StartPeriod": 5 * 10**8, "Retries": 4}
    assert built.image.layers and sorted(built.tree) == ["w", "w/sub"]


def test_healthcheck_replaces_the_whole_one(build):
    text = """
        FROM scratch AS a
        HEALTHCHECK --interval=5s --retries=2 CMD ["a", "b"]
        FROM a
        HEALTHCHECK --timeout=3s CMD c
        """
    assert build(text, {}, "--target", "a").config["Healthcheck"] == \
        {"Test": ["CMD", "a", "b"], "Interval": 5 * 10**9, "Retries": 2}
    assert build(text).config["Healthcheck"] == {"Test": ["CMD-SHELL", "c"], "Timeout": 3 * 10**9}
    assert build("FROM scratch\nHEALTHCHECK NONE\n").config["Healthcheck"] == {"Test": ["NONE"]}


@pytest.mark.parametrize("text, cmd, entrypoint", [
    ("FROM base\nENTRYPOINT [\"e\"]\n", None, ["e"]),
    ("FROM base\nCMD [\"mine\"]\nENTRYPOINT [\"e\"]\n", ["mine"], ["e"]),
    ("FROM base\nENTRYPOINT [\"e\"]\nCMD [\"mine\"]\n", ["mine"], ["e"]),
    ("FROM base\nCMD [\"mine\"]\n", ["mine"], None),
    ("FROM base AS s\nCMD [\"s\"]\nFROM s\nENTRYPOINT [\"e\"]\n", None, ["e"]),
    ("FROM base\nCMD []\n", None, None),
    ("FROM base\nENTRYPOINT []\nCMD x\n", ["/bin/sh", "-c", "x"], None),
])
def test_entrypoint_drops_an_inherited_cmd_only(build, text, cmd, entrypoint):
    built = build('FROM scratch AS base\nCMD ["base"]\n' + text)
    assert (built.config.get("Cmd") or None, built.config.get("Entrypoint") or None) == (cmd, entrypoint)


def test_workdir_is_made_at_once_by_the_user_in_force(build):
    built = build("""
        FROM tiny
        WORKDIR /
        WORKDIR /made/here
        USER app
        WORKDIR /owned/deep
        WORKDIR sub
        USER 7:8
        WORKDIR /numbers
        """)
    tree = built.tree
    assert {p: (tree[p].mode, tree[p].uid, tree[p].gid) for p in
            ("made", "made/here", "owned/deep", "owned/deep/sub", "numbers")} == {
                "made": (0o755, 0, 0), "made/here": (0o755, 0, 0), "owned/deep": (0o755, 1000, 1000),
                "owned/deep/sub": (0o755, 1000, 1000), "numbers": (0o755, 7, 8)}
    # WORKDIR / makes no layer.
    assert len(built.image.layers) == 1 + 4


def test_workdir_through_links_and_on_files(build):
    built = build("""
        FROM tiny
        RUN mkdir /real && ln -s /real /alias && echo x > /file
        WORKDIR /alias/sub
        RUN pwd -P > /where
        """)
    assert built.text("/where") == "/real/sub\n" and built.config["WorkingDir"] == "/alias/sub"
    assert built.tree["alias"].kind == "symlink"
    build.fails("FROM tiny\nRUN echo x > /file\nWORKDIR /file\n", "Dockerfile:3", "/file")


def test_volume_keeps_later_writes_and_makes_no_folder(build):
    built = build("""
        FROM tiny
        VOLUME /data
        RUN mkdir -p /data && echo kept > /data/f
        VOLUME /never
        """)
    assert built.text("/data/f") == "kept\n"
    built.lacks("never")


def test_config_has_no_empty_fields(build):
    built = build("FROM scratch\nLABEL a=1\n")
    assert set(built.config) <= {"Env", "Labels", "WorkingDir"}, built.config
    assert None not in built.config.values()
    assert set(built.document) >= {"architecture", "os", "config", "rootfs", "history", "created"}
    assert "variant" not in built.document or built.document["architecture"] != "amd64"
    assert built.image.manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert built.image.manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"


def test_history(build):
    built = build("""
        FROM tiny
        ARG A=1
        RUN true
        COPY a b /d/
        ADD a /x
        WORKDIR /w
        WORKDIR /
        ENV E=v
        LABEL l=v
        USER app
        EXPOSE 443 80
        VOLUME /v
        STOPSIGNAL 9
        SHELL ["/bin/sh", "-c"]
        ENTRYPOINT ["e"]
        CMD ["x"]
        """, {"a": "a", "b": "b"})
    rows = [(h["created_by"], h.get("empty_layer", False)) for h in built.history[1:]]
    assert rows == [
        ("ARG A=1", True), ("RUN |1 A=1 /bin/sh -c true # buildkit", False), ("COPY a b /d/ # buildkit", False),
        ("ADD a /x # buildkit", False), ("WORKDIR /w", False), ("WORKDIR /", True), ("ENV E=v", True),
        ("LABEL l=v", True), ("USER app", True), ("EXPOSE [443/tcp 80/tcp]", True), ("VOLUME [/v]", True),
        ("STOPSIGNAL 9", True), ("SHELL [/bin/sh -c]", True), ('ENTRYPOINT ["e"]', True), ('CMD ["x"]', True)]
    assert all(h["created"] for h in built.history)


def test_a_run_that_changes_nothing_is_a_layer(build):
    built = build("FROM tiny\nRUN true\nRUN [\"/bin/true\"]\n")
    assert len(built.image.layers) == 3
    assert built.image.members(1) == [] and built.image.members(2) == []


def test_source_date_epoch(build):
    text = "FROM scratch\nWORKDIR /w\nCOPY a /a\n"
    built = build(text, {"a": "a"}, "--build-arg", "SOURCE_DATE_EPOCH=1000000000")
    assert built.document["created"] == "2001-09-09T01:46:40Z"
    assert {h["created"] for h in built.history} == {"2001-09-09T01:46:40Z"}
    assert built.tree["w"].mtime == 1000000000
    assert built.tree["a"].mtime > 1000000000, "files keep their time unless asked"
    same = build(text, {"a": "a"}, env={"SOURCE_DATE_EPOCH": "1000000000"})
    assert same.tree["w"].mtime == 1000000000
    assert build(text, {"a": "a"}).tree["w"].mtime == 315532800, "1980 without an epoch"
    build.fails(text, "SOURCE_DATE_EPOCH", files={"a": "a"}, options=["--build-arg", "SOURCE_DATE_EPOCH=soon"],
                code=2)

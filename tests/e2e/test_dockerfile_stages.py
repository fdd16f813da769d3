"""FROM, stages, targets, named contexts and ONBUILD."""
from helpers.images import Layout, entry, make_tar, read_layout


def test_scratch_with_labels_only(build):
    built = build("FROM scratch\nLABEL a=1\n")
    assert built.image.layers == [] and built.document["rootfs"] == {"type": "layers", "diff_ids": []} or \
        built.document["rootfs"].get("diff_ids") in ([], None)
    assert built.env() == {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    assert built.config.get("WorkingDir", "/") == "/"


def test_unused_stages_are_not_built(build):
    build("""
        FROM no.such.registry.invalid/image AS unused
        RUN false
        FROM tiny AS broken
        RUN exit 9
        FROM scratch
        COPY a /a
        """, {"a": "a"}).has("a")


def test_target(build):
    text = """
        FROM scratch AS First
        LABEL s=first
        FROM first AS second
        LABEL t=second
        FROM tiny
        RUN exit 1
        """
    assert build(text, {}, "--target", "first").config["Labels"] == {"s": "first"}
    assert build(text, {}, "--target", "SECOND").config["Labels"] == {"s": "first", "t": "second"}
    build.fails(text, "nosuch", options=["--target", "nosuch"])


def test_names_shadow_images_whatever_their_case(build):
    built = build("""
        FROM scratch AS busybox
        COPY a /from-stage
        FROM BusyBox
        COPY a /child
        """, {"a": "a"})
    assert sorted(built.tree) == ["child", "from-stage"]


def test_copy_from_stage_by_name_and_index(build):
    built = build("""
        FROM scratch AS one
        COPY a /a
        FROM scratch
        COPY b /b
        FROM scratch
        COPY --from=ONE /a /by-name
        COPY --from=1 /b /by-index
        """, {"a": "a", "b": "b"})
    assert {p: e.data for p, e in built.tree.items()} == {"by-name": b"a", "by-index": b"b"}


def test_circles_and_later_stages_are_refused(build):
    build.fails("FROM scratch AS a\nCOPY --from=a /x /x\n", "a", "Dockerfile:2")
    build.fails("FROM scratch AS a\nCOPY --from=b /x /x\nFROM scratch AS b\nCOPY --from=a /x /x\n", "circular",
                options=["--target", "a"])
    build.fails("FROM scratch AS a\nCOPY --from=b /x /x\nFROM scratch AS b\n", "Dockerfile:2", "before",
                options=["--target", "a"])


def test_a_stage_inherits_all_but_onbuild(build):
    built = build("""
        FROM tiny AS base
        ENV E=1
        ARG A=arg
        USER app
        WORKDIR /w
        SHELL ["/bin/sh", "-ec"]
        LABEL l=1
        EXPOSE 80
        VOLUME /v
        CMD ["base"]
        ONBUILD LABEL trigger=${A}
        FROM base
        RUN echo "$E $A $(pwd) $(id -u)" > /tmp/seen
        """)
    assert built.text("/tmp/seen") == "1 arg /w 1000\n"
    config = built.config
    assert (config["User"], config["WorkingDir"], config["Shell"], config["Cmd"]) == \
        ("app", "/w", ["/bin/sh", "-ec"], ["base"])
    assert config["Labels"] == {"l": "1", "trigger": "arg"}
    assert config["ExposedPorts"] == {"80/tcp": {}} and config["Volumes"] == {"/v": {}}
    assert not config.get("OnBuild")


def test_onbuild_fires_first_and_once(build):
    built = build("""
        FROM tiny AS parent
        ONBUILD COPY a /dest/
        ONBUILD RUN cat /dest/a > /ran
        FROM parent AS child
        RUN cat /ran > /after
        FROM child AS grandchild
        RUN ls /dest > /listed
        """, {"a": "content"})
    assert (built.text("/ran"), built.text("/after"), built.text("/listed")) == ("content", "content", "a\n")
    copies = [h for h in built.history if h["created_by"].startswith("COPY")]
    assert len(copies) == 1
    stored = build("FROM scratch\nONBUILD run echo  one\nONBUILD COPY --from=x a b\n")
    assert stored.config["OnBuild"] == ["run echo  one", "COPY --from=x a b"]


def test_onbuild_of_an_image_sees_the_childs_context_and_stages(build, folder):
    Layout(folder / "layout").image("parent", [make_tar([entry("base", data="b")])],
                                    {"OnBuild": ["COPY --from=helper /h /h", "ADD mine /mine"]})
    built = build("""
        FROM scratch AS helper
        COPY h /h
        FROM parent
        LABEL after=1
        """, {"h": "helper", "mine": "mine"}, "--build-context", f"parent=oci-layout:{folder}/layout")
    assert sorted(built.tree) == ["base", "h", "mine"] and not built.config.get("OnBuild")


def test_base_config_is_carried_over(build, folder):
    base = {"Env": ["A=base", "PATH=/only"], "Cmd": ["c"], "Entrypoint": ["e"], "Labels": {"l": "1"}, "User": "5",
            "WorkingDir": "/w", "ExposedPorts": {"1/udp": {}}, "StopSignal": "SIGQUIT", "Volumes": {"/v": {}}}
    Layout(folder / "layout").image("b", [make_tar([entry("x", data="x")])], base)
    source = read_layout(folder / "layout")
    built = build("FROM b\nENV B=2\n", {}, "--build-context", f"b=oci-layout:{folder}/layout")
    assert built.config == {**base, "Env": ["A=base", "PATH=/only", "B=2"]}
    assert built.image.layers[0]["digest"] == source.layers[0]["digest"], "the base's layer is taken as it is"
    assert built.history[0] == source.config["history"][0] and len(built.history) == 2


def test_named_contexts(build, folder):
    (folder / "shared").mkdir()
    (folder / "shared/file").write_text("s")
    (folder / "shared/.dockerignore").write_text("ignored\n")
    (folder / "shared/ignored").write_text("x")
    contexts = ["--build-context", f"shared={folder}/shared", "--build-context", f"stage={folder}/shared"]
    built = build("""
        FROM scratch AS stage
        RUN exit 1
        FROM tiny
        COPY --from=shared / /shared/
        COPY --from=stage file /from-stage
        RUN --mount=type=bind,from=shared,target=/mnt cat /mnt/file > /mounted
        """, {"file": "main"}, *contexts)
    # A context of a stage's name takes the stage's place.
    assert (built.text("/shared/file"), built.text("/from-stage"), built.text("/mounted")) == ("s", "s", "s")
    built.lacks("shared/ignored")


def test_context_as_a_tar_on_stdin(build, slipway, tiny):
    tar = make_tar([entry("Dockerfile", data="FROM scratch\nCOPY dir /d\n"), entry("dir", "dir"),
                    entry("dir/f", data="f", mode=0o755), entry("dir/l", "symlink", link="f")])
    slipway("build", "-t", "stdin:1", "-", stdin=tar).ok()
    files = read_layout(slipway.root, "stdin:1").verify().tree()
    assert files["d/f"].data == b"f" and files["d/f"].mode == 0o755 and files["d/l"].link == "f"
    slipway("build", "-t", "stdin:2", "-f", "-", ".", stdin="FROM scratch\nLABEL a=1\n").ok()
    assert read_layout(slipway.root, "stdin:2").config["config"]["Labels"] == {"a": "1"}


def test_platform_flag_of_from(build, folder):
    layout = Layout(folder / "multi")
    per_arch = []
    for arch in ("amd64", "arm64"):
        descriptor = layout.image(arch, [make_tar([entry("arch", data=arch)])], arch=arch)
        per_arch.append({**descriptor, "platform": {"os": "linux", "architecture": arch}})
    index = layout.blob("application/vnd.oci.image.index.v1+json", __import__("json").dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": per_arch}).encode())
    layout.name("latest", index)
    options = ["--build-context", f"multi=oci-layout:{folder}/multi:latest"]
    built = build("FROM --platform=linux/arm64 multi\nCOPY a /a\n", {"a": "a"}, *options)
    assert built.tree["arch"].data == b"arm64"
    built = build("FROM --platform=$BUILDPLATFORM multi AS b\nFROM multi\nCOPY --from=b /arch /host\n", {}, *options,
                  "--platform", "linux/arm64")
    assert built.tree["arch"].data == b"arm64" and built.document["architecture"] == "arm64"
    build.fails("FROM --platform=no/such/thing/at/all multi\n", "Dockerfile:1", options=options)
    build.fails("FROM --platform=linux/s390x multi\n", "s390x", options=options)


def test_missing_base_image(build):
    build.fails("FROM 127.0.0.1:9/nothing/here:1\n", "127.0.0.1:9/nothing/here:1")


def test_labels_annotations_and_many_names(build, slipway, folder):
    top = build.context({"Dockerfile": "FROM scratch\nLABEL a=file b=file\n"})
    slipway("build", "-t", "one:1", "-t", "two", "--label", "a=cli", "--annotation", "org.example.x=y",
            "--iidfile", folder / "iid", "--metadata-file", folder / "meta.json", top).ok()
    one, two = read_layout(slipway.root, "one:1"), read_layout(slipway.root, "two:latest")
    assert one.descriptor["digest"] == two.descriptor["digest"]
    assert one.config["config"]["Labels"] == {"a": "cli", "b": "file"}
    assert one.manifest["annotations"]["org.example.x"] == "y"
    assert (folder / "iid").read_text().strip() in (one.manifest["config"]["digest"], one.descriptor["digest"])
    assert one.descriptor["digest"] in (folder / "meta.json").read_text()

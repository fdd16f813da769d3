"""RUN: what the process sees, heredocs, mounts, and the layer that comes out."""
import pytest


def test_surroundings(build):
    built = build("""
        FROM tiny
        ENV A=image
        WORKDIR /work
        RUN mkdir /o && pwd > /o/pwd && hostname > /o/host && umask > /o/umask && cat > /o/stdin
        RUN id > /o/root && echo $HOME > /o/home
        RUN ls /proc/self/fd > /o/fds && echo $$ > /o/pid
        USER app
        RUN id > /tmp/app && echo $HOME > /tmp/home
        USER 4242
        RUN id -u > /tmp/number && id -g >> /tmp/number
        USER app:adm
        RUN id -g > /tmp/group
        """)
    assert built.text("/o/pwd") == "/work\n" and built.text("/o/host") == "buildkitsandbox\n"
    assert built.text("/o/umask") == "0022\n" and built.text("/o/stdin") == ""
    assert built.text("/o/root").startswith("uid=0(root) gid=0(root)") and built.text("/o/home") == "/root\n"
    # Only 0, 1, 2 and the one that ls itself opens.
    assert built.text("/o/fds").split() == ["0", "1", "2", "3"]
    # Supplementary groups come from /etc/group.
    ids, _, groups = built.text("/tmp/app").strip().partition(" groups=")
    assert ids == "uid=1000(app) gid=1000(app)" and set(groups.split(",")) == {"1000(app)", "4(adm)"}
    assert built.text("/tmp/home") == "/home/app\n"
    assert built.text("/tmp/number") == "4242\n0\n" and built.text("/tmp/group") == "4\n"


def test_forms(build):
    built = build(r"""
        FROM tiny
        ENV V=value
        RUN echo $V "a   b" > /shell
        RUN ["/bin/sh", "-c", "echo \"$0 $1\" > /exec", "$V", "x"]
        RUN ["/bin/touch", "/no shell $V"]
        SHELL ["/bin/sh", "-e", "-c"]
        RUN false || true; echo with-e > /other
        RUN echo one && \
            # a comment in between
            echo two > /two
        """)
    assert built.text("/shell") == "value a   b\n" and built.text("/exec") == "$V x\n"
    assert built.text("/other") == "with-e\n" and built.text("/two") == "two\n"
    built.has("no shell $V")


def test_heredocs(build):
    built = build(r"""
        FROM tiny
        ENV V=value
        RUN <<EOF
        false
        # kept, and no set -e: the last status counts
        echo "a: $V" > /a
        EOF
        RUN <<'EOF'
        echo "b: $V" > /b
        EOF
        RUN <<EOF
        #!/bin/cat
        EOF
        RUN cat > /c <<EOF && cat > /d <<"END"
        c: $V \$V

        EOF
        d: $V
        END
        RUN <<-EOF
        	echo tabs > /e
        	EOF
        RUN echo "<<EOF" $((1<<3)) > /f
        COPY <<plain <<'quoted' /files/
        $V
        plain
        $V
        quoted
        COPY --chmod=755 --chown=1000:1000 <<EOF /script.sh
        #!/bin/sh
        echo "\$V"
        EOF
        """)
    assert built.text("/a") == "a: value\n" and built.text("/b") == "b: value\n"
    assert built.text("/c") == "c: value $V\n\n" and built.text("/d") == "d: $V\n"
    assert built.text("/e") == "tabs\n" and built.text("/f") == "<<EOF 8\n"
    assert built.text("/files/plain") == "value\n" and built.text("/files/quoted") == "$V\n"
    script = built.tree["script.sh"]
    assert (script.mode, script.uid, script.gid, script.data) == (0o755, 1000, 1000, b'#!/bin/sh\necho "$V"\n')
    assert built.tree["files/plain"].mode == 0o644
    built.lacks("dev/pipes")


def test_failure_tells_code_line_and_last_output(build):
    result = build.fails("FROM tiny\nRUN echo to-out; echo to-err >&2; exit 37\n", "exit code: 37", "Dockerfile:2",
                         "to-out", "to-err", "exit 37")
    assert result.code == 1
    build.fails("FROM tiny\nRUN [\"/no/such/program\"]\n", "/no/such/program", "Dockerfile:2")
    build.fails("FROM tiny\nRUN kill -9 $$\n", "Dockerfile:2", "137")
    build.fails("FROM tiny\nUSER nosuchuser\nRUN true\n", "nosuchuser", "Dockerfile:3")


def test_stubs_and_mount_points_do_not_leak(build):
    built = build("""
        FROM scratch
        COPY --from=tiny /usr/bin/busybox /busybox
        RUN ["/busybox", "true"]
        RUN --mount=type=cache,target=/cache/deep --mount=type=tmpfs,target=/t ["/busybox", "touch", "/cache/deep/x"]
        RUN --mount=type=secret,id=none --mount=type=bind,target=/b/c ["/busybox", "true"]
        """)
    assert set(built.tree) - {"dev", "proc", "sys"} == {"busybox"}
    files = build("FROM tiny\nRUN cp /etc/resolv.conf /copy; echo x >> /etc/hosts; test -s /etc/hosts\n")
    files.has("copy")
    files.lacks("etc/hosts", "etc/resolv.conf", "etc/hostname", "etc/mtab")


def test_the_layer_is_the_exact_difference(build):
    built = build(r"""
        FROM tiny AS base
        RUN mkdir -p /d/sub /e && echo a > /d/a && echo b > /d/sub/b && echo k > /keep && echo f > /f && \
            ln -s /keep /link && echo h > /h1 && ln /h1 /h2
        FROM base
        RUN rm /d/a && rm -r /e && rm -r /d/sub && mkdir /d/sub && echo new > /d/sub/new && \
            rm /f && mkdir /f && echo in > /f/in && rm /link && echo file > /link && chmod 600 /keep
        RUN mkfifo /pipe && ln /keep /keep2 && touch -d '2001-02-03 04:05:06' /dated && \
            chown 12345:54321 /dated && chmod 6755 /dated && mkdir -m 1777 /sticky
        """)
    tree = built.tree
    built.lacks("d/a", "e", "d/sub/b")
    assert tree["d/sub/new"].data == b"new\n" and tree["f"].kind == "dir" and tree["f/in"].data == b"in\n"
    assert tree["link"].data == b"file\n" and (tree["keep"].mode, tree["keep"].data) == (0o600, b"k\n")
    assert tree["pipe"].kind == "fifo"
    assert tree["keep"] is tree["keep2"] and tree["h1"] is tree["h2"]
    dated = tree["dated"]
    assert (dated.uid, dated.gid, dated.mode, dated.mtime) == (12345, 54321, 0o6755, 981173106)
    assert tree["sticky"].mode == 0o1777
    # Nothing but what changed is in the layers.
    assert [m for m in built.image.members(-2) if m.startswith("usr")] == []
    assert ".wh.e" in built.image.members(-2) and "d/.wh.a" in built.image.members(-2)


@pytest.mark.root
def test_a_device_made_in_a_step_is_kept_and_dead(build):
    built = build("""
        FROM tiny
        RUN mknod /null c 1 3 && (echo x > /null) 2>/dev/null && echo opened > /seen || echo refused > /seen
        """)
    assert (built.tree["null"].kind, built.tree["null"].device) == ("char", (1, 3))
    assert built.text("/seen") == "refused\n"


def test_odd_names_and_contents(build):
    long_name = "n" * 200
    built = build(f"""
        FROM tiny
        RUN mkdir -p /{'/'.join(['p' * 50] * 5)} && echo x > /{long_name} && printf x > "$(printf '/b\\377d')" && \\
            touch "$(printf '/new\\nline')"
        RUN dd if=/dev/zero of=/sparse bs=1 count=1 seek=1048575 2>/dev/null && touch /empty
        """)
    built.has(long_name, "b\udcffd", "new\nline", "/".join(["p" * 50] * 5), "empty")
    assert built.tree["sparse"].size == 1048576


def test_bind_mounts(build):
    built = build("""
        FROM tiny AS other
        RUN mkdir /out && echo stage > /out/f
        FROM tiny
        RUN --mount=target=/ctx ls /ctx > /listed && cat /ctx/sub/f > /content
        RUN --mount=type=bind,source=sub/f,target=/one cat /one > /single
        RUN --mount=type=bind,from=other,source=/out,target=/o cat /o/f > /from
        RUN --mount=type=bind,target=/ctx touch /ctx/new 2>/dev/null || echo read-only > /ro
        RUN --mount=type=bind,target=/ctx,rw echo changed > /ctx/sub/f && cat /ctx/sub/f > /rw
        RUN --mount=type=bind,target=/ctx cat /ctx/sub/f > /unchanged
        WORKDIR /w
        RUN --mount=target=rel,source=sub cat /w/rel/f > /relative
        """, {"sub/f": "context\n", "ignored": "x", ".dockerignore": "ignored\n"})
    assert built.text("/listed").split() == ["Dockerfile", "sub"]
    assert [built.text(p) for p in ("/content", "/single", "/from", "/ro", "/rw", "/unchanged", "/relative")] == \
        ["context\n", "context\n", "stage\n", "read-only\n", "changed\n", "context\n", "context\n"]
    built.lacks("ctx", "one", "o", "w/rel")
    assert (build.last / "sub/f").read_text() == "context\n"


def test_cache_mounts_persist_and_stay_out(build):
    first = """
        FROM tiny
        RUN --mount=type=cache,target=/c echo one >> /c/f && cat /c/f > /seen
        RUN --mount=type=cache,target=/c,id=other ls /c > /other
        RUN --mount=type=cache,target=/d,id=/c,ro cat /d/f > /ro
        RUN --mount=type=cache,target=/o,uid=1000,gid=1000,mode=0700 stat -c '%u %g %a' /o > /stat
        """
    built = build(first)
    assert (built.text("/seen"), built.text("/other"), built.text("/ro")) == ("one\n", "", "one\n")
    assert built.text("/stat") == "1000 1000 700\n"
    built.lacks("c", "d", "o")
    again = build("FROM tiny\nRUN --mount=type=cache,target=/c cat /c/f > /later\n", {}, "--no-cache")
    assert again.text("/later") == "one\n"


def test_tmpfs_mounts(build):
    built = build("""
        FROM tiny
        RUN mkdir /t && echo below > /t/f
        RUN --mount=type=tmpfs,target=/t ls /t > /covered && echo x > /t/gone && grep ' /t ' /proc/mounts > /mounts
        RUN --mount=type=tmpfs,target=/s,size=1m dd if=/dev/zero of=/s/x bs=1k count=2048 2>/dev/null || echo full > /full
        """)
    assert built.text("/covered") == "" and "tmpfs" in built.text("/mounts") and built.text("/full") == "full\n"
    assert built.text("/t/f") == "below\n"
    built.lacks("t/gone")


def test_secrets(build, folder):
    (folder / "token").write_text("s3cr3t-value")
    built = build("""
        FROM tiny
        RUN --mount=type=secret,id=token cat /run/secrets/token | wc -c > /size && \
            stat -c '%a %u %g' /run/secrets/token > /stat
        RUN --mount=type=secret,id=token,target=/etc/t,mode=0440,uid=1000 stat -c '%a %u' /etc/t > /stat2
        RUN --mount=type=secret,id=fromenv,env=TOKEN printf %s "$TOKEN" | wc -c > /env
        RUN --mount=type=secret,id=absent test ! -e /run/secrets/absent && echo fine > /optional
        """, {}, "--secret", f"id=token,src={folder}/token", "--secret", "id=fromenv,env=MY_TOKEN",
                  env={"MY_TOKEN": "another-s3cr3t"})
    assert built.text("/size").strip() == "12" and built.text("/stat") == "400 0 0\n"
    assert built.text("/stat2") == "440 1000\n" and built.text("/env").strip() == "14"
    assert built.text("/optional") == "fine\n"
    built.lacks("run/secrets", "etc/t")
    assert not [p for p, e in built.tree.items() if b"s3cr3t" in e.data]
    for path in build.slipway.root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert b"s3cr3t" not in path.read_bytes(), path
    assert "s3cr3t" not in built.result.out + built.result.err
    build.fails("FROM tiny\nRUN --mount=type=secret,id=need,required=true true\n", "need", "Dockerfile:2")


def test_secret_value_is_not_in_the_cache_key(build, folder):
    (folder / "token").write_text("one")
    text = "FROM tiny\nRUN --mount=type=secret,id=token cat /run/secrets/token > /copied\n"
    first = build(text, {}, "--secret", f"id=token,src={folder}/token")
    (folder / "token").write_text("two")
    assert build(text, {}, "--secret", f"id=token,src={folder}/token").text("/copied") == first.text("/copied")


def test_network_none(build):
    built = build("FROM tiny\nRUN --network=none cat /proc/net/dev | grep -v lo: | tail -n +3 > /devices\n"
                  "RUN --network=host cat /proc/net/dev | grep -c : > /host\n")
    assert built.text("/devices") == "" and int(built.text("/host")) >= 1


@pytest.mark.parametrize("option, words", [
    ("--mount=type=bind,from=nosuchstage.invalid/x,target=/a", ["nosuchstage"]),
    ("--mount=type=bind,source=missing,target=/a", ["missing"]),
    ("--security=insecure", ["insecure"]),
])
def test_refused(build, option, words):
    build.fails(f"FROM tiny\nRUN {option} true\n", "Dockerfile:2", *words)


def test_background_processes_end_with_the_step(build):
    built = build("""
        FROM tiny
        RUN (trap '' TERM HUP; setsid sh -c 'sleep 300; echo late > /late' &) ; echo done > /done
        RUN ps -o comm | grep -c '^sleep$' > /still-there || true
        """, timeout=60)
    assert built.text("/done") == "done\n" and built.text("/still-there") == "0\n"
    built.lacks("late")


def test_output_is_shown_whole(build):
    result = build("FROM tiny\nRUN seq 1 3000 && printf 'no newline at the end'\n").result
    shown = result.out + result.err
    for line in ("1", "1500", "3000", "no newline at the end"):
        assert line in shown
    assert sum(1 for row in shown.splitlines() if row.split()[-1:] and row.split()[-1].isdigit()) >= 3000

"""ADD of git repositories and git contexts: git itself serves them on loopback and says what their files are."""
import os
import socket
import stat

import pytest

from helpers import processes
from helpers.git import GitDaemon, GitWeb, Repository
from helpers.images import read_layout

FILES = {"README": "read me\n", "bin/tool": "#!/bin/sh\n", "sub/deep/file": "deep\n", "link": ("link", "README"),
         "Dockerfile": "FROM scratch\nCOPY . /\n"}


@pytest.fixture
def served(folder):
    return folder / "served"


@pytest.fixture
def repository(served):
    r = Repository(served, "app")
    (r.work / "bin").mkdir()
    (r.work / "bin/tool").write_text("x")
    (r.work / "bin/tool").chmod(0o755)
    r.commit(FILES)
    return r


@pytest.fixture
def web(served, repository):
    with GitWeb(served) as running:
        running.repository = repository
        yield running


def files_of(top):
    """{path: (kind, content or target, mode)} of a folder, as a layer should have it."""
    found = {}
    for path in sorted(top.rglob("*")):
        mode = path.lstat().st_mode
        kind = "symlink" if stat.S_ISLNK(mode) else "dir" if stat.S_ISDIR(mode) else "file"
        content = os.readlink(path) if kind == "symlink" else path.read_bytes() if kind == "file" else None
        found[str(path.relative_to(top))] = (kind, content, None if kind == "symlink" else mode & 0o777)
    return found


def files_in(built, below):
    found = {}
    for path in built.tree:
        if path.startswith(below + "/"):
            e = built.tree[path]
            assert (e.uid, e.gid) == (0, 0), path
            content = e.link if e.kind == "symlink" else e.data if e.kind == "file" else None
            found[path[len(below) + 1:]] = (e.kind, content, None if e.kind == "symlink" else e.mode)
    return found


def test_add_is_what_git_checks_out(build, web, folder):
    built = build(f"FROM scratch\nADD {web.url}/app.git /src\n")
    assert files_in(built, "src") == files_of(web.repository.exported("HEAD", folder / "exported"))
    built.lacks("src/.git")
    # The commit's time, so that the same commit gives the same layer.
    assert {built.tree[p].mtime for p in built.tree if p.startswith("src/")} == {1500000000}
    assert built.history[0]["created_by"] == f"ADD {web.url}/app.git /src # buildkit"


def test_refs(build, web):
    r = web.repository
    first = r("rev-parse", "HEAD")
    r("tag", "light")
    r("tag", "-a", "-m", "t", "heavy")
    second = r.commit({"README": "two\n"})
    r("branch", "both", first)
    r("tag", "both", second)
    r("checkout", "-q", "-b", "feature/x")
    r.commit({"README": "three\n"})
    r("update-ref", "refs/pull/7/head", first)
    r("push", "-q", r.bare, "refs/pull/7/head:refs/pull/7/head")
    rows = {"": "two\n", "#light": "read me\n", "#heavy": "read me\n", "#main": "two\n", "#feature/x": "three\n",
            "#refs/heads/main": "two\n", "#refs/tags/light": "read me\n", "#heads/main": "two\n", "#tags/heavy": "read me\n",
            "#pull/7/head": "read me\n", "#both": "read me\n", "?tag=both": "two\n", "?branch=both": "read me\n",
            "?ref=light": "read me\n", f"#{first}": "read me\n", f"?commit={second}": "two\n",
            f"?branch=main&checksum={second[:10]}": "two\n", f"?tag=heavy&checksum={first[:8]}": "read me\n"}
    text = "".join(f"ADD {web.url}/app.git{ref} /{i}/\n" for i, ref in enumerate(rows))
    built = build("FROM scratch\n" + text)
    for i, (ref, wanted) in enumerate(rows.items()):
        assert built.text(f"/{i}/README") == wanted, ref


def test_what_is_not_there(build, web):
    r, url = web.repository, web.url
    head = r("rev-parse", "HEAD")
    for source, words in {
            f"{url}/app.git#nosuch": ["does not contain ref nosuch", "Dockerfile:2"],
            f"{url}/app.git#{head[:7]}": ["full id"],
            f"{url}/app.git#{'1' * 40}": ["does not contain the commit", "1" * 40],
            f"{url}/app.git#ai": ["does not contain ref ai"],
            f"{url}/app.git#:nosuch": ["subdirectory", "nosuch"],
            f"{url}/app.git#:README": ["subdirectory", "README"],
            f"{url}/none.git": ["none.git", "not found"],
            f"{url}/app.git?checksum=1234": ["does not contain ref 1234"],
            f"{url}/app.git?branch=main&checksum=1234": ["expected checksum to match 1234", head],
            "http://127.0.0.1:1/x.git": ["127.0.0.1"],
    }.items():
        build.fails(f"FROM scratch\nADD {source} /\n", *words)
    build.fails(f"FROM scratch\nADD --checksum={'a' * 40} {url}/app.git /\n", "expected checksum to match")
    assert build(f"FROM scratch\nADD --checksum={head} {url}/app.git /\n").text("/README") == "read me\n"
    assert build(f"FROM scratch\nADD --checksum={head.upper()} {url}/app.git /\n").text("/README") == "read me\n"


def test_subdirectories_stay_in_the_repository(build, web, folder):
    (folder / "outside").mkdir()
    (folder / "outside/secret").write_text("s")
    web.repository.commit({"out": ("link", str(folder / "outside")), "up": ("link", "../../../../.."), "in": ("link", "sub")})
    built = build(f"FROM scratch\nADD {web.url}/app.git#:sub/deep /a\nADD {web.url}/app.git?subdir=/sub /b\n"
                  f"ADD {web.url}/app.git#:in /c\n")
    assert sorted(p for p in built.tree) == ["a", "a/file", "b", "b/deep", "b/deep/file", "c", "c/deep", "c/deep/file"]
    for subdir in ("../../x", "sub/../..", "out", ".git"):
        build.fails(f"FROM scratch\nADD {web.url}/app.git#:{subdir} /\n", "subdirectory")
    # ".." of a link is clamped to the repository, as in a chroot.
    assert build(f"FROM scratch\nADD {web.url}/app.git#:up /d\n").text("/d/README") == "read me\n"


def test_destination_and_flags(build, web):
    built = build(f"""
        FROM tiny
        WORKDIR /w
        ADD {web.url}/app.git .
        ADD --chown=app:4 --chmod=700 --exclude=*.md --exclude=sub {web.url}/app.git /owned
        ADD --link {web.url}/app.git#:sub /linked/
        ADD {web.url}/app.git local <<here /mixed/
        text
        here
        """, {"local": "l"})
    built.has("w/README", "w/sub/deep/file", "linked/deep/file", "mixed/README", "mixed/local", "mixed/here")
    built.lacks("owned/sub")
    assert (built.tree["owned/README"].uid, built.tree["owned/README"].gid, built.tree["owned/README"].mode) == (1000, 4, 0o700)
    build.fails(f"FROM scratch\nCOPY {web.url}/app.git /\n", "source can't be a git ref for COPY")


def test_keep_git_dir(build, web, folder):
    r = web.repository
    r("tag", "-a", "-m", "t", "v1")
    r.publish()
    for i, (flag, query, kept) in enumerate([("--keep-git-dir", "", True), ("--keep-git-dir=true", "", True),
                                             ("", "?keep-git-dir", True), ("", "?keep-git-dir=0", False),
                                             ("--keep-git-dir=false", "?keep-git-dir=1", False), ("", "", False)]):
        built = build(f"FROM scratch\nADD {flag} {web.url}/app.git{query} /s\n")
        assert ("s/.git/HEAD" in built.tree) == kept, (flag, query)
    out = folder / "out"
    built = build(f"FROM scratch\nADD --keep-git-dir {web.url}/app.git#v1 /\n", None, "-o", "type=image",
                  "-o", f"type=local,dest={out}")
    assert r("-c", "safe.directory=*", "status", "--porcelain", at=out) == ""
    assert r("-c", "safe.directory=*", "rev-parse", "HEAD", at=out) == r("rev-parse", "v1^{commit}")
    assert r("-c", "safe.directory=*", "describe", at=out) == "v1"
    assert r("-c", "safe.directory=*", "config", "remote.origin.url", at=out) == f"{web.url}/app.git"
    built.lacks(".git/FETCH_HEAD", ".git/logs", ".git/hooks")


def test_times_of_the_checkout(build, web):
    built = build(f"FROM scratch\nADD {web.url}/app.git?mtime=checkout /s\nADD {web.url}/app.git?mtime=commit /t\n")
    assert built.tree["s/README"].mtime > 1600000000 and built.tree["t/README"].mtime == 1500000000


def test_the_commit_is_the_key(build, web, slipway):
    """A new commit is seen, an unchanged one needs no checkout, and a full commit id no network."""
    text = f"FROM tiny\nADD {web.url}/app.git#main /s\nRUN cat /proc/sys/kernel/random/uuid > /uuid\n"
    one = build(text)
    web.asked.clear()
    assert build(text).text("/uuid") == one.text("/uuid")
    assert all(path.endswith("service=git-upload-pack") or path.endswith("git-upload-pack") for path in web.asked)
    assert len(web.asked) == 2, "a question for the refs, and no pack"
    head = web.repository.commit({"README": "new\n"})
    assert build(text).text("/s/README") == "new\n"
    fixed = f"FROM tiny\nADD {web.url}/app.git#{head} /s\nRUN cat /proc/sys/kernel/random/uuid > /uuid\n"
    two = build(fixed)
    web.asked.clear()
    assert build(fixed).text("/uuid") == two.text("/uuid") and web.asked == []
    # Equal files of another commit are a hit for what follows.
    web.repository.commit({}, message="empty")
    assert build(text).text("/uuid") == two.text("/uuid")
    build(text)
    web.repository.commit({"README": "x\n"})
    assert "MISS step 2: README changed" in build.again("--explain").result.err


def test_git_protocol_and_dumb_servers(build, served, repository):
    first = repository("rev-parse", "HEAD")
    repository.commit({"README": "two\n"})
    with GitDaemon(served) as daemon, GitWeb(served, dumb=True) as dumb:
        built = build(f"FROM scratch\nADD {daemon.url}/app.git /a\nADD {daemon.url}/app.git#{first} /b\n"
                      f"ADD {dumb.url}/app.git /c\nADD {dumb.url}/app.git#{first} /d\n")
    assert [built.text(f"/{d}/README") for d in "abcd"] == ["two\n", "read me\n"] * 2


def test_commits_that_the_server_does_not_hand_out_by_id(build, served, repository):
    """Protocol version 0 without allow*SHA1InWant: everything is fetched then."""
    first = repository("rev-parse", "HEAD")
    repository.commit({"README": "two\n"})
    with GitWeb(served) as web:
        backend = web.backend

        def without_protocol(request, path, query):
            del request.headers["Git-Protocol"]
            backend(request, path, query)

        web.backend = without_protocol
        assert build(f"FROM scratch\nADD {web.url}/app.git#{first} /b\n").text("/b/README") == "read me\n"


def test_submodules(build, web, served):
    inner, middle = Repository(served, "inner"), Repository(served, "middle")
    inner.commit({"i": "inner\n"})
    middle.commit({"m": "middle\n"})
    middle("submodule", "add", "-q", "../inner.git", "inner")
    middle.commit()
    inner.commit({"i": "newer\n"})
    r = web.repository
    r("-c", f"url.{served}/.insteadOf={web.url}/", "submodule", "add", "-q", f"{web.url}/middle.git", "mid")
    r.commit()
    for line, has in ((f"ADD {web.url}/app.git /s", True), (f"ADD {web.url}/app.git?submodules=false /s", False),
                      (f"ADD --keep-git-dir {web.url}/app.git /s", True)):
        built = build(f"FROM scratch\n{line}\n")
        assert ("s/mid/m" in built.tree) == has and ("s/mid/inner/i" in built.tree) == has, line
        if has:
            assert built.text("/s/mid/inner/i") == "inner\n", "the commit that the submodule names, not the newest"
        if "keep" not in line:
            assert not [p for p in built.tree if p.endswith(".git")]


@pytest.mark.parametrize("url", ["file:///etc", "ext::sh -c touch% /tmp/slipway-git-pwned", "/etc", "--upload-pack=touch x"])
def test_submodules_stay_on_the_network(build, web, url):
    r = web.repository
    (r.work / ".gitmodules").write_text(f'[submodule "x"]\n\tpath = x\n\turl = {url}\n')
    (r.work / "x").mkdir()
    r("update-index", "--add", "--cacheinfo", f"160000,{r('rev-parse', 'HEAD')},x")
    r.commit()
    failed = build.fails(f"FROM scratch\nADD {web.url}/app.git /\n", "submodule")
    assert not os.path.exists("/tmp/slipway-git-pwned") and "root:" not in failed.err
    build(f"FROM scratch\nADD {web.url}/app.git?submodules=false /\n")


def test_nothing_of_a_repository_runs(build, web, folder, slipway):
    """Hooks of the user's templates, filters of .gitattributes, the user's own configuration."""
    mark = folder / "ran"
    (slipway.home / ".gitconfig").write_text(
        f'[core]\n\tfsmonitor = "touch {mark}"\n\thooksPath = {folder}/hooks\n[filter "f"]\n\tsmudge = touch {mark}\n'
        f'[url "http://127.0.0.1:1/"]\n\tinsteadOf = {web.url}/\n[credential]\n\thelper = "!touch {mark}"\n')
    (folder / "hooks").mkdir()
    for name in ("post-checkout", "reference-transaction"):
        (folder / "hooks" / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (folder / "hooks" / name).chmod(0o755)
    web.repository.commit({".gitattributes": "* filter=f\n"})
    assert build(f"FROM scratch\nADD {web.url}/app.git /\n").text("/README") == "read me\n"
    assert not mark.exists()


@pytest.mark.parametrize("source", ["URL/app.git#--upload-pack=touch${IFS}x", "URL/app.git#-u", "ssh://-oProxyCommand=x/y",
                                    "URL/app.git#a..b", "URL/app.git#:../../x", "URL/app.git?subdir=..", "URL/app.git?x=y"])
def test_hostile_addresses(build, web, source):
    web.asked.clear()
    build.fails(f"FROM scratch\nADD {source.replace('URL', web.url)} /\n", "Dockerfile:2")
    assert web.asked == []


TOKEN = "hunter2-token"


@pytest.mark.parametrize("secret, id, password", [
    (TOKEN + "\n", "GIT_AUTH_TOKEN", f"x-access-token:{TOKEN}"), (TOKEN, "GIT_AUTH_TOKEN.HOST", f"x-access-token:{TOKEN}"),
    ("basic dTpw", "GIT_AUTH_HEADER", "u:p"), ("basic dTpw", "GIT_AUTH_HEADER.HOST", "u:p"),
], ids=["token", "token of the host", "header", "header of the host"])
def test_logins(build, slipway, served, repository, secret, id, password):
    """docker's secrets; they go to the repository's own origin, submodules included, and never into an argument."""
    inner = Repository(served, "inner")
    inner.commit({"i": "inner\n"})
    repository("submodule", "add", "-q", "../inner.git", "in")
    repository.commit()
    with GitWeb(served, password=password) as web:
        seen = []
        answer = web.answer

        def watch(request):
            for pid in processes.descendants():
                try:
                    seen.append(open(f"/proc/{pid}/cmdline").read())
                except OSError:
                    pass
            answer(request)

        web.answer = watch
        text = f"FROM scratch\nADD {web.url}/app.git /s\n"
        build.fails(text, "could not read Username", "GIT_AUTH_TOKEN")
        name = id.replace("HOST", web.url.split("//")[1])
        built = build(text, None, "--secret", f"id={name},env=T", env={"T": secret})
        assert built.text("/s/in/i") == "inner\n"
        assert any("git-remote-http" in line for line in seen)
        assert [line for line in seen if secret.strip() in line or "authorization" in line.lower()] == []
        kept = build(text.replace("ADD", "ADD --keep-git-dir"), None, "--secret", f"id={name},env=T", env={"T": secret})
        for one in (built, kept):
            for path in one.tree:
                assert secret.strip().encode() not in (one.tree[path].data or b""), path
            assert secret.strip() not in str(one.document) + one.result.err + one.result.out
        found = [p for p in slipway.root.rglob("*") if p.is_file() and secret.strip().encode() in p.read_bytes()]
        assert found == []


def test_a_login_is_not_sent_elsewhere(build, served, repository):
    with GitWeb(served) as other, GitWeb(served, password=f"x-access-token:{TOKEN}") as web:
        web.redirect["/moved.git"] = other.url + "/app.git"
        repository("submodule", "add", "-q", "--force", str(repository.bare), "s")
        (repository.work / ".gitmodules").write_text(f'[submodule "s"]\n\tpath = s\n\turl = {other.url}/app.git\n')
        repository.commit()
        option = ("--secret", "id=GIT_AUTH_TOKEN,env=T")
        build.fails(f"FROM scratch\nADD {web.url}/moved.git /\n", "redirect", options=option, env={"T": TOKEN})
        assert other.asked == []
        build(f"FROM scratch\nADD {web.url}/app.git /\n", None, *option, env={"T": TOKEN})
        assert other.asked and not [h for h in other.headers if "Authorization" in h]
        # Nor one that is named for another host, or for files.
        elsewhere = other.url.split("//")[1]
        for name in (f"GIT_AUTH_TOKEN.{elsewhere}", f"GIT_AUTH_HEADER.{elsewhere}", f"HTTP_AUTH_TOKEN_{web.url.split('//')[1]}"):
            web.headers.clear()
            build.fails(f"FROM scratch\nADD {web.url}/app.git /\n", "could not read Username",
                        options=("--secret", f"id={name},env=T", "--no-cache"), env={"T": TOKEN})
            assert web.headers and not [h for h in web.headers if "Authorization" in h], name


def test_passwords_in_addresses(build, slipway, served, repository):
    with GitWeb(served, password="me:pass word") as web:
        address = web.url.replace("://", "://me:pass%20word@")
        build.fails(f"FROM scratch\nADD {address}/app.git /\n", "password", "GIT_AUTH_TOKEN")
        result = slipway.build(f"{address}/app.git", "-t", "x").ok()
        assert "word" not in result.err and read_layout(slipway.root, "x:latest").tree()["README"].data == b"read me\n"


def test_ssh_needs_to_be_given(build):
    """As for docker: a Dockerfile does not use the user's keys unasked."""
    build.fails("FROM scratch\nADD git@127.0.0.1:x.git /\n", "no ssh key", "--ssh default")
    build.fails("FROM scratch\nADD ssh://git@127.0.0.1:1/x.git /\n", "no ssh key", "--ssh default")


# What git calls for ssh: writes down how it was called, and does here what the host would do.
SSH = """#!/usr/bin/env python3
import os, shlex, sys
with open({log!r}, "a") as log:
    print(sys.argv[1:], os.environ.get("SSH_AUTH_SOCK"), os.environ["HOME"], file=log)
command = shlex.split(sys.argv[-1])
os.execvp("git", ["git", "-c", "safe.directory=*", command[0][4:], {served!r} + "/" + command[1].lstrip("/")])
"""


@pytest.fixture
def ssh(slipway, folder, served, repository):
    """A program called ssh in PATH, and what it saw."""
    log, programs = folder / "ssh.log", folder / "programs"
    programs.mkdir()
    (programs / "ssh").write_text(SSH.format(log=str(log), served=str(served)))
    (programs / "ssh").chmod(0o755)
    slipway.env["PATH"] = f"{programs}:{slipway.env['PATH']}"
    return log


@pytest.mark.parametrize("address", ["git@host:app.git", "me@host.example:/app.git", "ssh://git@host:2222/app.git"])
def test_contexts_over_ssh(slipway, ssh, address):
    """With the user's own agent and home, without questions, and never to a host whose key has changed."""
    slipway.build(f"{address}#main:sub", "-f", "-", "-t", "x", stdin="FROM scratch\nCOPY deep /\n",
                  env={"SSH_AUTH_SOCK": "/run/agent"}).ok()
    assert read_layout(slipway.root, "x:latest").tree()["file"].data == b"deep\n"
    seen = ssh.read_text()
    assert "BatchMode=yes" in seen and "StrictHostKeyChecking=accept-new" in seen and "/run/agent" in seen
    assert str(slipway.home) in seen and ("2222" in seen) == ("2222" in address)
    assert "git@host" in seen or "me@host.example" in seen


def test_add_over_ssh_uses_what_is_given(build, ssh, folder):
    agent = socket.socket(socket.AF_UNIX)
    agent.bind(str(folder / "agent"))
    agent.listen()
    text = "FROM scratch\nADD git@host:app.git /s\n"
    build.fails(text, "no ssh key", env={"SSH_AUTH_SOCK": str(folder / "agent")})
    assert not ssh.exists()
    built = build(text, None, "--ssh", f"default={folder}/agent")
    assert built.text("/s/README") == "read me\n" and str(folder / "agent") in ssh.read_text()
    agent.close()


def test_submodules_over_ssh_need_it_to_be_given(build, slipway, ssh, folder, served, repository):
    """What a repository names is not the user's word: as for docker there are no keys but those of --ssh."""
    inner = Repository(served, "inner")
    inner.commit({"i": "inner\n"})
    repository("submodule", "add", "-q", inner.bare, "in")
    (repository.work / ".gitmodules").write_text('[submodule "in"]\n\tpath = in\n\turl = ssh://git@host/inner.git\n')
    repository.commit()
    agent = socket.socket(socket.AF_UNIX)
    agent.bind(str(folder / "agent"))
    agent.listen()
    own = {"SSH_AUTH_SOCK": str(folder / "agent")}
    option = ("--ssh", f"default={folder}/agent")
    with GitWeb(served) as web:
        text = f"FROM scratch\nADD {web.url}/app.git /s\n"
        build.fails(text, "--ssh default", "submodules=false", env=own)
        slipway.build(f"{web.url}/app.git", env=own).fails("--ssh default", "submodules=false")
        assert not ssh.exists()
        assert build(text, None, *option).text("/s/in/i") == "inner\n"
        assert "'-F', 'none'" in ssh.read_text() and "IdentityFile=none" in ssh.read_text()
    agent.close()


def test_a_user_called_http_is_no_protocol(build, ssh):
    build.fails("FROM scratch\nADD http@host:app.git /\n", "no ssh key", "--ssh default")


def test_cancelled_while_a_server_says_nothing(slipway):
    """git's helpers end with it."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.git"
        process = slipway.start("build", url)
        connection, _ = server.accept()
        process.terminate()
        assert process.wait(20) == 143
        connection.close()
        assert processes.wait_until(lambda: not [p for p in processes_with(url)]), processes_with(url)


def processes_with(text):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = open(f"/proc/{pid}/cmdline").read()
        except OSError:
            continue
        found += [line.split("\0")] if text in line else []
    return found


def test_without_git(build, slipway, folder, web):
    (folder / "bin").mkdir()
    build.fails(f"FROM scratch\nADD {web.url}/app.git /\n", "git program", "apt-get install git",
                env={"PATH": str(folder / "bin")})


# Contexts

def test_git_context(slipway, web, folder):
    slipway.build(f"{web.url}/app.git", "-t", "x").ok()
    tree = read_layout(slipway.root, "x:latest").verify().tree()
    assert sorted(p for p in tree) == sorted(files_of(web.repository.exported("HEAD", folder / "e")))
    assert tree["bin/tool"].mode == 0o755 and tree["sub/deep"].mtime == 1500000000
    assert not list((slipway.root / "ingest").glob("context-*"))


def test_git_context_options(slipway, web, folder):
    r = web.repository
    r.commit({"sub/Dockerfile": "FROM scratch\nCOPY . /s/\n", "other/D": "FROM scratch\nCOPY . /o/\n",
              "other/D.dockerignore": "sub\n", ".dockerignore": "bin\n", "sub/.dockerignore": "deep\n"})

    def names(*arguments, **run):
        slipway.build(*arguments, "-t", "x", **run).ok()
        return {p for p in read_layout(slipway.root, "x:latest").tree()}

    whole = names(f"{web.url}/app.git")
    assert "sub/deep/file" in whole and "bin/tool" not in whole
    assert {p for p in names(f"{web.url}/app.git#main:sub")} == {"s", "s/Dockerfile", "s/.dockerignore"}
    assert "o/bin/tool" in names(f"{web.url}/app.git", "-f", "other/D")
    assert "o/sub" not in names(f"{web.url}/app.git", "-f", "other/D")
    assert names(f"{web.url}/app.git", "-f", "-", stdin="FROM scratch\nCOPY README /here\n") == {"here"}
    (folder / "Local").write_text("FROM scratch\nCOPY README /local\n")
    assert names(f"{web.url}/app.git", "-f", folder / "Local") == {"local"}
    assert ".git/HEAD" in names(f"{web.url}/app.git", "--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1")
    assert ".git/HEAD" not in names(f"{web.url}/app.git?keep-git-dir=0")
    slipway.build(f"{web.url}/app.git#nosuch").fails("does not contain ref nosuch", f"{web.url}/app.git#nosuch")
    slipway.build(f"{web.url}/app.git", "-f", "missing").fails("missing")


def test_a_folder_of_that_name_is_a_folder(slipway, folder):
    top = folder / "github.com/o/r"
    top.mkdir(parents=True)
    (top / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    slipway.build("github.com/o/r", "-t", "x", cwd=folder).ok()


def test_named_git_contexts(build, web):
    built = build("""
        FROM code AS base
        FROM scratch
        COPY --from=code sub /copied
        COPY --from=base README /based
        """, None, "--build-context", f"code={web.url}/app.git#main")
    assert built.text("/copied/deep/file") == "deep\n" and built.text("/based") == "read me\n"

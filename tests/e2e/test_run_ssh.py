"""RUN --mount=type=ssh and --ssh: the step may list keys and sign with them, and nothing else.

What the step sees (path, SSH_AUTH_SOCK, owner and mode, which requests are refused) is what BuildKit gives it; docker 20.10 is
asked the same questions where it can run. The agents are OpenSSH's.
"""
import base64
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from helpers import processes
from helpers.images import read_layout
from helpers.packages import unpacked
from helpers.peers import Docker
from helpers.registry import free_port

pytestmark = pytest.mark.skipif(not shutil.which("ssh-agent"), reason="needs: openssh-client")

AGENT_CLIENT = pathlib.Path(__file__).resolve().parents[1] / "fixtures/agent_client.c"


def make_key(folder, name, passphrase=""):
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f", path], check=True)
    return path


def blob(key):
    """The public key as agents name it, in hexadecimal digits."""
    return base64.b64decode((key.parent / (key.name + ".pub")).read_text().split()[1]).hex()


class Agent:
    """An ssh-agent of the user who builds."""

    def __init__(self, folder, keys, entry=None):
        self.socket = folder / "s"
        options = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []} if entry else {}
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(["ssh-agent", "-D", "-a", self.socket], stdout=subprocess.DEVNULL, **options)
        processes.servers.add(self.process.pid)
        assert processes.wait_until(self.listens)
        for key in keys:
            subprocess.run(["ssh-add", "-q", "-"], input=key.read_bytes(), check=True,
                           env={**os.environ, "SSH_AUTH_SOCK": str(self.socket)}, **options)

    def listens(self):
        """The socket is there a moment before it can be connected to."""
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(self.socket)) == 0

    def keys(self):
        shown = subprocess.run(["ssh-add", "-L"], capture_output=True, text=True, check=False,
                               env={**os.environ, "SSH_AUTH_SOCK": str(self.socket)})
        return [base64.b64decode(line.split()[1]).hex() for line in shown.stdout.splitlines() if line.startswith("ssh-")]

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        processes.servers.discard(self.process.pid)


@pytest.fixture
def agent(request, folder):
    started = []

    def start(*keys, entry=None):
        place = folder / f"agent{len(started)}"
        place.mkdir()
        if entry:
            os.chown(place, entry.pw_uid, entry.pw_gid)
        started.append(Agent(place, keys, entry))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def client(session_folder):
    """A program for steps that speaks with the agent; static, so that it runs in any image."""
    program = session_folder / "agent-client"
    subprocess.run(["cc", "-O1", "-static", "-o", program, AGENT_CLIENT], check=True)
    return program.read_bytes()


@pytest.fixture
def ssh(slipway, context, tiny, client):
    """ssh(lines of RUN, *options): the built tree; each line may use the program "client"."""
    return lambda lines, *options, **more: build(slipway, context, tiny, client, lines, *options, **more)


def make_context(context, client, lines):
    top = context({"Dockerfile": "FROM base\nCOPY client /usr/local/bin/client\n" + lines, "client": client})
    (top / "client").chmod(0o755)
    return top


def build(slipway, context, base, client, lines, *options, **more):
    more.setdefault("timeout", 100)
    result = slipway.build(make_context(context, client, lines), "-t", "ssh:1", "--progress", "plain", "--build-context",
                           f"base=oci-layout:{base}", *options, **more)
    result.tree = read_layout(slipway.root, "ssh:1").tree() if result.code == 0 else None
    return result


def verify(key, text, signature, folder):
    """OpenSSL's word that the signature is that key's."""
    raw = bytes.fromhex(blob(key))[-32:]
    (folder / "pub").write_bytes(bytes.fromhex("302a300506032b6570032100") + raw)
    (folder / "sig").write_bytes(bytes.fromhex(signature))
    (folder / "text").write_text(text)
    done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", folder / "pub",
                           "-rawin", "-in", folder / "text", "-sigfile", folder / "sig"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.root
@pytest.mark.parametrize("fixture, mode", [("slipway", "auto"), ("slipway_user", "auto"), ("slipway_single", "auto"), ("slipway", "chroot")],
                         ids=["root", "subuid", "single", "chroot"])
def test_the_step_signs_with_the_users_agent(request, fixture, mode, folder, agent, context, tiny, client):
    slipway = request.getfixturevalue(fixture)
    alone = "" if mode == "chroot" else "--network=none"  # which needs namespaces
    keys = [make_key(folder, "one"), make_key(folder, "two")]
    running = agent(*keys, entry=slipway.entry)
    build(slipway, context, tiny, client, f"""
RUN --mount=type=ssh echo $SSH_AUTH_SOCK > /path && stat -c '%a %u %g %F' $SSH_AUTH_SOCK > /stat && \\
    client keys > /keys && client sign hello > /signature
RUN --mount=type=ssh client refused > /refused
RUN --mount=type=ssh client broken > /broken
RUN --mount=type=ssh client many 200 > /many
RUN {alone} --mount=type=ssh client keys > /keys2
RUN test ! -e /run/buildkit && echo "none:$SSH_AUTH_SOCK" > /without
""", "--ssh", "default", env={"SSH_AUTH_SOCK": str(running.socket), "SLIPWAY_SANDBOX": mode}).ok()
    tree = read_layout(slipway.root, "ssh:1").tree()
    assert tree.text("/path") == "/run/buildkit/ssh_agent.0\n" and tree.text("/stat") == "600 0 0 socket\n"
    assert tree.text("/keys").split() == [blob(k) for k in keys] == tree.text("/keys2").split()
    verify(keys[0], "hello", tree.text("/signature"), folder)
    # Every attempt to change the agent is answered "failure" (5, an extension 28); then it still lists its keys (12).
    assert tree.text("/refused").split() == ["5"] * 4 + ["28", "12", "2"]
    assert running.keys() == [blob(k) for k in keys]
    assert tree.text("/broken").split() == ["0", "0", "0"] and tree.text("/many") == "2\n"
    assert tree.text("/without") == "none:\n" and "run/buildkit" not in tree


def test_options_of_the_mount(ssh, folder, agent):
    key, other = make_key(folder, "one"), make_key(folder, "other")
    first, second = agent(key), agent(other)
    built = ssh("""
RUN --mount=type=ssh,id=second,target=/agent,uid=1000,gid=4,mode=0660 --mount=type=ssh \\
    echo $SSH_AUTH_SOCK > /path && stat -c '%a %u %g' /agent /run/buildkit/ssh_agent.1 > /stat && client keys > /keys
WORKDIR /w
RUN --mount=type=ssh,target=rel/sock,required stat -c %F /w/rel/sock > /relative
RUN --mount=type=ssh,id=nobody echo "$SSH_AUTH_SOCK" > /absent && test ! -e $SSH_AUTH_SOCK
ENV SSH_AUTH_SOCK=/mine
RUN --mount=type=ssh echo $SSH_AUTH_SOCK > /own
RUN --mount=type=ssh,target=/tmp/for-all,mode=0666 SSH_AUTH_SOCK=/tmp/for-all client keys > /for-all
RUN --mount=type=ssh,target=/tmp/s,uid=65534 --mount=type=ssh,target=/tmp/no \\
    SSH_AUTH_SOCK=/tmp/s client as 65534 keys > /nobody && ! SSH_AUTH_SOCK=/tmp/no client as 65534 keys
""", "--ssh", f"default={first.socket}", "--ssh", f"second={second.socket}").ok().tree
    assert built.text("/path") == "/agent\n" and built.text("/stat") == "660 1000 4\n600 0 0\n"
    assert built.text("/keys").split() == [blob(other)]
    assert built.text("/relative") == "socket\n" and built.text("/absent") == "/run/buildkit/ssh_agent.0\n"
    assert built.text("/own") == "/mine\n" and built.text("/for-all").split() == [blob(key)]
    # Whoever the step is, the agent sees the user who builds.
    assert built.text("/nobody").split() == [blob(key)]


@pytest.mark.slow  # what docker does is the same with either binary, and what ours does the tests above show
def test_docker_gives_a_step_the_same(ssh, session_folder, folder, agent, context, tiny, client):
    lines = """
RUN --mount=type=ssh,id=second,target=/agent,uid=1000,gid=4,mode=0660 --mount=type=ssh echo $SSH_AUTH_SOCK > /path && \\
    stat -c '%a %u %g' /agent /run/buildkit/ssh_agent.1 > /stat && client keys > /keys
RUN --mount=type=ssh client refused > /refused
RUN --mount=type=ssh,id=nobody echo "$SSH_AUTH_SOCK" > /absent
ENV SSH_AUTH_SOCK=/mine
RUN --mount=type=ssh echo $SSH_AUTH_SOCK > /own
"""
    engine = Docker(session_folder / "docker-ssh")
    try:
        running = agent(make_key(folder, "one"))
        options = ["--ssh", f"default={running.socket}", "--ssh", f"second={running.socket}"]
        ours = ssh(lines, *options).ok().tree
        engine.add(tiny, "base")
        theirs = engine.build(make_context(context, client, lines), *options).tree()
        for path in ("/path", "/stat", "/keys", "/refused", "/absent", "/own"):
            assert ours.text(path) == theirs.text(path), path
    finally:
        engine.stop()


def test_keys_in_files(ssh, folder, slipway):
    one, two = make_key(folder, "one"), make_key(folder, "two")
    one.chmod(0o644)  # ssh-add would refuse the file; BuildKit takes it
    built = ssh("RUN --mount=type=ssh,required client keys > /keys && client sign hello > /signature\n",
                "--ssh", f"default={one},{two}").ok()
    assert built.tree.text("/keys").split() == [blob(one), blob(two)]
    verify(one, "hello", built.tree.text("/signature"), folder)
    secret = base64.b64decode("".join(one.read_text().splitlines()[1:-1]))[-64:]
    for path in slipway.root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert secret not in path.read_bytes() and one.read_bytes() not in path.read_bytes(), path
    # A failed build ends the agent as well: the fixture looks for what is left.
    ssh("RUN --mount=type=ssh exit 3\n", "--ssh", f"default={one}").fails("exit code: 3")
    assert not list((slipway.root / "ingest").iterdir())


def test_a_killed_build_leaves_no_agent_with_keys(slipway, folder, context, tiny):
    """Debian's ssh-agent is setgid, which takes a death signal away. The fixture looks for what is left."""
    top = context({"Dockerfile": "FROM tiny\nRUN --mount=type=ssh sleep 100\n"})
    started = slipway.start("build", "--build-context", f"tiny=oci-layout:{tiny}", "--ssh", f"default={make_key(folder, 'one')}",
                            top)
    assert processes.wait_until(lambda: "sleep" in processes.descendants(started.pid).values(), 60)
    assert "ssh-agent" in processes.descendants(started.pid).values()
    started.kill()
    started.communicate()
    slipway.unfinished_allowed = True


# sshd wants a user and a folder of its own: it finds them where nobody else does.
OWN_USER = ("mount -t tmpfs none /run; mkdir -m 755 /run/sshd; cp /etc/passwd /run/passwd; "
            "echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin' >> /run/passwd; mount --bind /run/passwd /etc/passwd; exec \"$@\"")


@pytest.fixture
def login(folder):
    """A server that takes the key given to it: login(key) -> port."""
    if os.geteuid() != 0:
        pytest.skip("needs: root")
    program = unpacked("openssh-server", "usr/sbin/sshd")
    libraries = unpacked("libwrap0", f"usr/lib/{os.uname().machine}-linux-gnu/libwrap.so.0").parent
    started = []

    def start(key):
        make_key(folder, "host")
        port = free_port()
        authorized = pathlib.Path(tempfile.mkdtemp(dir="/root")) / "keys"
        shutil.copy(f"{key}.pub", authorized)
        started.append((subprocess.Popen(  # pylint: disable=consider-using-with
            ["unshare", "--mount", "sh", "-ec", OWN_USER, "sh", program, "-D", "-e", "-f", "/dev/null", "-h", folder / "host", "-p", str(port),
             "-o", "ListenAddress=127.0.0.1", "-o", f"AuthorizedKeysFile={authorized}", "-o", "PidFile=none", "-o",
             "PermitRootLogin=prohibit-password"], stderr=subprocess.DEVNULL, env={**os.environ, "LD_LIBRARY_PATH": str(libraries)}),
            authorized.parent))
        processes.servers.add(started[-1][0].pid)
        assert processes.wait_until(lambda: is_listening(port))
        return port

    yield start
    for process, place in started:
        process.terminate()
        process.wait(60)
        processes.servers.discard(process.pid)
        shutil.rmtree(place)


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def ssh_client(folder):
    """A context with this machine's ssh and the libraries that a slim image lacks."""
    shown = subprocess.run(["ldd", shutil.which("ssh")], capture_output=True, text=True, check=True).stdout
    place = folder / "ssh-client"
    place.mkdir()
    shutil.copy(shutil.which("ssh"), place)
    for path in re.findall(r"=> (/\S+)", shown):
        if not os.path.basename(path).startswith("libc.so"):
            shutil.copy(path, place)
    return place


@pytest.mark.slow
def test_a_real_login_with_a_forwarded_key(login, slipway, context, python_slim, client, folder, agent):
    """What people use it for: OpenSSH in the step, OpenSSH on the other side, the key on neither."""
    def ssh(lines, *options, **more):
        return build(slipway, context, python_slim, client, lines, *options, **more)

    key = make_key(folder, "deploy")
    port = login(key)
    command = (f"LD_LIBRARY_PATH=/ssh /ssh/ssh -p {port} -o StrictHostKeyChecking=no -o BatchMode=yes root@127.0.0.1 "
               "echo logged-in")
    theirs = ["--build-context", f"client={ssh_client(folder)}"]
    built = ssh(f"RUN --mount=type=ssh,required --mount=from=client,target=/ssh {command} > /out\n",
                "--ssh", f"default={key}", *theirs).ok().tree
    assert built.text("/out") == "logged-in\n"
    running = agent(key)
    built = ssh(f"RUN --mount=type=ssh,id=other --mount=from=client,target=/ssh {command} > /out\n",
                "--ssh", "other", *theirs, env={"SSH_AUTH_SOCK": str(running.socket)}).ok().tree
    assert built.text("/out") == "logged-in\n"
    ssh(f"RUN --mount=from=client,target=/ssh {command}\n", *theirs).fails("Permission denied")


def test_refused(ssh, folder, agent):
    key, locked = make_key(folder, "one"), make_key(folder, "locked", "passphrase")
    running = agent(key)
    line = "RUN --mount=type=ssh true\n"
    ssh("RUN --mount=type=ssh,required true\n").fails("Dockerfile:3", "default", "--ssh default")
    ssh("RUN --mount=type=ssh,id=git,required=true true\n", "--ssh", f"default={running.socket}").fails(
        "Dockerfile:3", "git")
    ssh(line, "--ssh", "default").fails("SSH_AUTH_SOCK is not set")
    ssh(line, "--ssh", f"default={locked}").fails(str(locked), "passphrase")
    ssh(line, "--ssh", f"default={folder}/missing").fails("missing", "No such file")
    ssh(line, "--ssh", f"default={folder}/one.pub").fails("one.pub")
    ssh(line, "--ssh", f"default={running.socket},{key}").fails("not both", code=2)
    ssh(line, "--ssh", f"default={key}", "--ssh", f"default={key}").fails("given twice", code=2)
    ssh(line, "--ssh", "=x").fails("want ID", code=2)
    # BuildKit's raw mode hands a socket over as it is; an agent's is never more than list and sign.
    ssh(line, "--ssh", f"default={running.socket},raw=true").fails("raw=true is not supported")
    ssh(line, "--ssh", f"default={running.socket},raw=perhaps").fails("raw=perhaps", "true or false", code=2)
    ssh(line, "--ssh", "default=raw=false").fails("want ID", code=2)
    ssh(line, "--ssh", f"default=raw=false,{running.socket}").ok()
    ssh(line, "--ssh", f"default={key}", env={"PATH": "/nonexistent"}).fails("ssh-agent", "openssh-client")
    for option, word in [("source=/x", "source"), ("sharing=locked", "sharing"),
                         ("size=3", "size"), ("env=X", "env"), ("mode=9", "mode"), ("requird", "required")]:
        ssh(f"RUN --mount=type=ssh,{option} true\n").fails("Dockerfile:3", word)


def test_an_agent_that_is_gone_fails_the_step_alone(ssh, folder, agent):
    running = agent(make_key(folder, "one"))
    running.stop()
    running.socket.unlink(missing_ok=True)
    subprocess.run(["python3", "-c", "import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])",
                    running.socket], check=True)
    built = ssh("RUN --mount=type=ssh client keys 2>/error || tail -1 /error > /seen\n",
                "--ssh", f"default={running.socket}").ok().tree
    assert re.match("end of file|(receive|send): (Connection reset by peer|Broken pipe)", built.text("/seen"))

"""The program against a registry that fails as told: what a user sees, and what the other side never gets to see."""
import os
import pathlib
import signal
import sys
import threading
import time

import pytest

from helpers import processes
from helpers.images import read_layout

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fakes"))
from fault_registry import FaultRegistry  # noqa: E402

USER, PASSWORD = "user", "secret"


@pytest.fixture
def fault():
    with FaultRegistry() as running:
        yield running


@pytest.fixture
def app(slipway, build, fault):
    """An image of one incompressible layer of 3 MB under a name in the registry."""
    name = f"{fault.host}/team/app:1"
    top = build.context({"Dockerfile": "FROM scratch\nCOPY f /f\n", "f": os.urandom(3000000)})
    slipway.build(top, "-t", name).ok()
    return name


def log_in(slipway, fault, kind):
    fault.state.settings["auth"] = kind
    slipway("login", "-u", USER, "--password-stdin", fault.host, stdin=PASSWORD).ok()


def seen(fault, method, part):
    return [e for e in fault.log if e["method"] == method and part in e["path"]]


def test_reasons_of_retries_are_told(slipway, app, fault):
    fault.rule(method="PUT", path="/blobs/uploads/", status=503, headers={"Retry-After": "0"},
               body='{"errors":[{"code":"UNAVAILABLE","message":"disk is being replaced"}]}')
    fault.rule(method="POST", path="/blobs/uploads/", status=429, headers={"Retry-After": "0"})
    said = slipway("push", "--progress", "plain", app).ok()
    assert "503 Service Unavailable: UNAVAILABLE: disk is being replaced; retry 1 in" in said.err + said.out
    assert "429 Too Many Requests; retry 1 in" in said.err + said.out


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": []}', '{"auths": {"HOST": "x"}}', '{"auths": {"HOST": {"auth": 5}}}',
                                  '{"credHelpers": {"HOST": 5}}', '{"credsStore": ["x"]}'])
def test_damaged_docker_config(slipway, app, fault, text):
    """Never anonymous instead, and never written over."""
    log_in(slipway, fault, "basic")
    file = slipway.home / ".docker/config.json"
    damaged = text.replace("HOST", fault.host)
    file.write_text(damaged)
    slipway("push", app).fails(str(file))
    slipway("pull", app).fails(str(file))
    assert not seen(fault, "POST", "/uploads/") and file.read_text() == damaged


def test_download_is_resumed_by_the_next_run(slipway, app, fault):
    slipway("push", app).ok()
    layer = read_layout(slipway.root, app).layers[0]
    fault.rule(method="GET", path=layer["digest"], truncate=2000000)
    fault.rule(method="GET", path=layer["digest"], status=404, times=1)
    other = slipway.other()
    other.unfinished_allowed = True
    other("pull", app).fails(layer["digest"], "404")
    other("pull", app).ok()
    read_layout(other.root, app).verify()
    assert [e["headers"].get("Range") for e in seen(fault, "GET", layer["digest"])] == \
        [None, "bytes=2000000-", "bytes=2000000-"]


def test_token_of_a_push(slipway, app, fault):
    log_in(slipway, fault, "bearer")
    fault.rule(method="PUT", path="/blobs/uploads/", expire_tokens=True)
    slipway("push", app).ok()
    assert len(seen(fault, "GET", "/token?")) <= 4  # login, push, and one more after the end of the first
    assert seen(fault, "PUT", "/manifests/1")[-1]["status"] == 201


def test_secrets_are_not_told(slipway, app, fault):
    """Neither password nor token nor a signed address, however much is printed."""
    log_in(slipway, fault, "bearer")
    fault.rule(method="GET", path="/blobs/", status=307, times=-1,
               headers={"Location": "/signed?X-Signature=geheim"})
    said = slipway("push", "--progress", "plain", app).ok()
    failed = slipway.other()("pull", "--progress", "plain", app)
    assert failed.code == 1
    tokens = list(fault.state.tokens)
    assert tokens
    for text in (said.out, said.err, failed.out, failed.err):
        assert not [s for s in (PASSWORD, "geheim", "dXNlcjpzZWNyZXQ", *tokens) if s in text]


def test_evil_registry_learns_nothing(slipway, app, fault):
    log_in(slipway, fault, "basic")
    with FaultRegistry(auth="basic") as evil:
        evil.rule(path="/catch", status=401, times=-1, headers={"WWW-Authenticate": 'Basic realm="x"'})
        fault.rule(method="POST", path="/blobs/uploads/", times=-1,
                   set_headers={"Location": f"{evil.url}/catch"})
        slipway("push", app).fails("401")
        assert seen(evil, "PUT", "/catch") and not [e for e in evil.log if "Authorization" in e["headers"]]
    assert not seen(fault, "PUT", "/manifests/")


@pytest.mark.parametrize("realm", ["http://169.254.169.254/latest/meta-data", "file:///etc/passwd"])
def test_evil_realm(slipway, app, fault, realm):
    log_in(slipway, fault, "bearer")
    fault.state.settings["realm"] = realm
    slipway("push", app).fails("token server", "refused")


def test_escape_codes_of_a_registry(slipway, app, fault):
    fault.rule(method="POST", path="/blobs/uploads/", status=400, times=-1,
               body='{"errors":[{"code":"X\\u001b[2J","message":"\\u001b]0;owned\\u0007\\nline"}]}')
    said = slipway("push", app).fails("400 Bad Request")
    assert "\x1b]0;" not in said.err and "\x1b[2J" not in said.err and "\x07" not in said.err


@pytest.fixture
def stuck_push(slipway, app, fault):
    """stuck_push(a rule for uploads): a push that has met it, n times."""
    def start(n=1, **rule):
        fault.rule(method="PUT", path="/blobs/uploads/", **rule)
        running = slipway.start("push", app)
        assert processes.wait_until(lambda: len(seen(fault, "PUT", "/blobs/uploads/")) >= n)
        return running

    return start


def test_interrupted_push(slipway, app, fault, stuck_push):
    """Ctrl-C in the middle of a retry: out at once, and the next push does what is left."""
    running = stuck_push(status=503, times=-1, headers={"Retry-After": "300"})
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert running.returncode == 130
    fault.state.rules.clear()
    slipway("push", app).ok()


def test_second_interrupt(fault, stuck_push):
    """Who asks twice waits for nobody: not for the farewell to a registry that does not answer."""
    fault.rule(method="DELETE", path="/blobs/uploads/", delay=60, times=-1)
    running = stuck_push(n=2, delay=60, times=-1)
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert running.returncode == 130 and time.monotonic() - began < 30


def test_hangup_and_a_closed_output(slipway, app, fault, stuck_push):
    running = stuck_push(delay=60, times=2)
    running.send_signal(signal.SIGHUP)
    running.communicate(timeout=30)
    assert running.returncode == 129
    fault.state.rules.clear()
    ours, theirs = os.pipe()
    os.close(ours)
    running = slipway.start("push", app, stdout=theirs, stderr=theirs)
    os.close(theirs)
    running.wait(30)
    # What could not be printed is a failure; the push itself is done.
    assert running.returncode == 1 and seen(fault, "PUT", "/manifests/1")[-1]["status"] == 201


def test_a_holder_of_a_lock_that_is_stopped(slipway, app, fault, folder):
    """Who fetches a blob and is stopped still has it: another says for whom it waits, takes nothing, and goes on afterwards."""
    slipway("push", app).ok()
    layer = read_layout(slipway.root, app).layers[0]["digest"]
    end = threading.Event()
    fault.rule(method="GET", path=layer, hold_at=1000000, hold=lambda: end.wait(60))
    other = slipway.other()
    first = other.start("pull", app)
    assert processes.wait_until(lambda: seen(fault, "GET", layer))
    first.send_signal(signal.SIGSTOP)
    try:
        end.set()
        with open(folder / "said", "wb") as said:
            second = other.start("pull", "--progress", "plain", app, stderr=said)
        assert processes.wait_until(lambda: f"waiting: another slipway is fetching {layer}" in (folder / "said").read_text())
        time.sleep(1)
        assert second.poll() is None and len(seen(fault, "GET", layer)) == 1
        # Whoever does not want to wait is let go.
        with open(folder / "third", "wb") as said:
            third = other.start("pull", "--progress", "plain", app, stderr=said)
        assert processes.wait_until(lambda: "waiting: another slipway" in (folder / "third").read_text())
        third.send_signal(signal.SIGINT)
        third.communicate(timeout=30)
        assert third.returncode == 130
    finally:
        first.send_signal(signal.SIGCONT)
    for running in (first, second):
        running.communicate(timeout=30)
        assert running.returncode == 0, (folder / "said").read_text()
    assert len(seen(fault, "GET", layer)) == 1
    read_layout(other.root, app).verify()


def test_damaged_blob_is_not_pushed(slipway, app, fault):
    layer = read_layout(slipway.root, app).layers[0]["digest"]
    file = slipway.root / "blobs/sha256" / layer[7:]
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    slipway.unfinished_allowed = True
    slipway("push", app).fails(layer, "damaged in the store", "slipway fsck --repair")
    assert not seen(fault, "PUT", "/manifests/")
    assert ("team/app", layer) not in fault.state.blobs


def test_layers_are_pushed_while_the_next_step_runs(slipway, build, fault):
    """The second step ends only when the first step's layer has reached the registry."""
    wait = (f"i=0; until wget -qO- http://{fault.host}/_fake/log | grep -q '\"PUT\"'; do i=$((i+1)); "
            "[ $i -lt 300 ] || exit 1; sleep 0.1; done")
    top = build.context({"Dockerfile": f"FROM tiny\nCOPY f /f\nRUN {wait}\n", "f": os.urandom(300000)})
    slipway.build(top, "-t", f"{fault.host}/team/app:1", "-t", f"{fault.host}/team/app:2", "--push", *build.options).ok()
    finished = [e["path"].partition("digest=")[2] for e in seen(fault, "PUT", "/blobs/uploads/")]
    assert len(finished) == len(set(finished)) == len(read_layout(slipway.root, f"{fault.host}/team/app:1").layers) + 1


def test_a_failed_build_does_not_wait_for_its_uploads(slipway, build, fault):
    fault.rule(method="PUT", path="/blobs/uploads/", delay=100, times=-1)
    top = build.context({"Dockerfile": "FROM tiny\nCOPY f /f\nRUN sleep 1; exit 3\n", "f": os.urandom(300000)})
    slipway.build(top, "-t", f"{fault.host}/team/app:1", "--push", *build.options, timeout=60).fails("exit code: 3")

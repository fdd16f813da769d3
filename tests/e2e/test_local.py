"""slipway local start, stop, status, env and reset: one process, found by every command, leaving nothing behind."""
import fcntl
import json
import os
import signal
import socket
import subprocess

import pytest

from helpers import processes
from helpers.local_target import LocalTarget, until


def status(slipway):
    return json.loads(slipway("local", "status", "--json").out)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_started_in_the_background_and_stopped(slipway):
    slipway("local", "status").fails(code=1)
    started = slipway("local", "start", "--port=0").ok()
    try:
        seen = status(slipway)
        assert seen["running"] and seen["endpoint"] in started.out and seen["account"] == "000000000000"
        assert slipway("local", "start").ok().out == started.out, "a second start finds the first"
    finally:
        assert slipway("local", "stop").ok().out == "stopped\n"
    assert status(slipway) == {"running": False, "state": str(slipway.root / "local")}
    assert not alive(seen["pid"])
    assert slipway("local", "stop").ok().out == "no local target was running\n"


def test_an_interrupted_start_leaves_none(slipway):
    slipway("local", "start", "--port=0").ok()
    slipway("local", "stop").ok()
    with open(slipway.root / "repositories/.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        starting = slipway.start("local", "start", "--port=0")
        assert until(lambda: processes.programs(starting.pid, b"slipway\0--root"))
        starting.send_signal(signal.SIGINT)
        assert "cancelled" in starting.communicate(timeout=20)[1].decode() and starting.returncode == 130
        assert until(lambda: not processes.running(f"{slipway.root}\0local\0start"))
    assert not status(slipway)["running"]


def test_listens_on_loopback_alone(local):
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    mine = [line.split()[3] for line in listening.splitlines() if f"pid={local.process.pid}," in line]
    assert mine == [f"127.0.0.1:{local.port}"]


def test_the_key_file_is_its_owners_alone(local):
    for folder, _, files in os.walk(local.run.root / "local"):
        for name in files:
            path = os.path.join(folder, name)
            assert os.stat(path).st_mode & 0o077 == 0, path


def test_env_is_what_a_shell_takes(local):
    script = 'eval "$("$0" local env)"; echo "$AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID $AWS_REGION ${AWS_PROFILE-none}"'
    out = subprocess.run(["sh", "-c", script, local.run.binary], env={**local.run.env, "AWS_PROFILE": "other"}, text=True,
                         capture_output=True, check=True).stdout
    assert out == f"{local.url} {local.keys['AWS_ACCESS_KEY_ID']} us-east-1 none\n"


def test_verbs_need_one_that_runs(slipway):
    for command in (["ps"], ["cluster", "list"], ["repo", "list"], ["destroy", "x", "--yes"]):
        slipway(*command, "--local").fails("no local target runs", "slipway local start")


def test_local_excludes_other_places(local):
    local.run("ps", "--local", "--profile=x").fails("--local and --profile exclude each other", code=2)
    local.run("ps", "--local", "--endpoint-url=http://127.0.0.1:1").fails("exclude each other", code=2)
    local.run("ps", "--local", "--region=eu-west-1").fails("the local target is in us-east-1", code=2)
    local.run("deploy", "--local", "--lb", "--service=x", "x").fails("--lb", "stable address")


def test_two_at_once_are_refused(local):
    local.run("local", "start", "--foreground", "--port=0").fails("runs there already")
    local.run("local", "start", "--region=eu-west-1").fails("is in us-east-1", "slipway local reset")
    local.run("local", "start", f"--port={local.port + 1}").fails(f"runs already, on port {local.port}")


def test_a_port_in_use_is_named(slipway):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        slipway("local", "start", f"--port={port}").fails("did not start", str(port))
    assert not status(slipway)["running"]


def test_keys_and_state_survive_kill_9(local):
    local.run("cluster", "create", "--local", "kept").ok()
    before = local.keys
    local.kill()
    assert not status(local.run)["running"]
    local.start()
    assert {**before, "AWS_ENDPOINT_URL": local.url} == local.keys
    assert "kept" in local.run("cluster", "list", "--local").ok().out


def test_reset_asks_and_forgets(local):
    local.run("cluster", "create", "--local", "gone").ok()
    local.run("local", "reset").fails("--force", code=2)
    keys = local.keys
    local.run("local", "reset", "--force").ok()
    assert local.process.wait(60) == 0
    local.start()
    assert local.keys["AWS_ACCESS_KEY_ID"] != keys["AWS_ACCESS_KEY_ID"]
    assert "gone" not in local.run("cluster", "list", "--local").ok().out


def test_a_newer_state_is_refused(slipway):
    folder = slipway.root / "local" / "state"
    LocalTarget(slipway).stop()
    (folder / "state.json").write_text('{"schema": 99}\n')
    slipway("local", "start", "--foreground", "--port=0").fails("schema 99", "slipway local reset")


def test_a_damaged_document_is_named(slipway):
    target = LocalTarget(slipway)
    target.client("ecs").create_cluster(clusterName="x")
    target.stop()
    document = next((slipway.root / "local" / "state" / "clusters").iterdir())
    document.write_text('{"key": "x", "docu')
    slipway("local", "start", "--foreground", "--port=0").fails(document.name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_order(slipway, number):
    target = LocalTarget(slipway)
    assert target.stop(number) == 0
    until(lambda: not status(slipway)["running"])


def test_without_a_login_the_registry_gives_nothing(local):
    import urllib.error
    import urllib.request

    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{local.url}/v2/")


def test_wrong_commands(slipway):
    slipway("local").fails("needs a command", "start, stop, status", code=2)
    slipway("local", "strat").fails("did you mean 'start'", code=2)
    slipway("local", "start", "--port=99999").fails("invalid --port", code=2)
    slipway("local", "start", "--region=Mars").fails("Mars", code=2)

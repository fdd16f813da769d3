"""Logins that end while they are used, several processes that want the same, and clocks that are wrong."""
import base64
import json
import os
import pathlib
import sys

import pytest

from helpers import processes
from helpers.images import read_layout

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fakes"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from fault_registry import FaultRegistry  # noqa: E402


@pytest.fixture
def fault(slipway):
    slipway.env["SLIPWAY_TEST_RETRY_MS"] = "20"
    with FaultRegistry() as running:
        yield running


def make_app(slipway, context, name, layers=3):
    files = {f"f{i}": os.urandom(200000) for i in range(layers)}
    lines = "".join(f"COPY f{i} /f{i}\n" for i in range(layers))
    slipway.build(context({"Dockerfile": "FROM scratch\n" + lines, **files}), "-q", "-t", name).ok()
    return name


def seen(fault, method, part):
    return [e for e in fault.log if e["method"] == method and part in e["path"]]


def authorization(password):
    data = {"authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(), "expiresAt": 1420070400.0}
    return 200, "application/x-amz-json-1.1", json.dumps({"authorizationData": [data]}).encode()


@pytest.mark.parametrize("status", [None, 403])
def test_24_password_of_ecr_that_ends_in_mid_push(slipway, context, fault, status):
    """After twelve hours ECR refuses the password: AWS gives a new one, once, and the push goes on with it."""
    pytest.importorskip("botocore")
    from fakes import aws_api  # pylint: disable=import-outside-toplevel

    host = f"{aws_api.ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
    aws = aws_api.Api()
    try:
        aws.answers["GetAuthorizationToken"] = [authorization("first"), authorization("second")]
        fault.state.settings.update(auth="basic", user="AWS", password="first")
        slipway.env.update({"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret/with+odd=characters",
                            "AWS_ENDPOINT_URL": aws.url, "SLIPWAY_CONNECT_TO": f"{host}::127.0.0.1:{fault.port}"})
        name = make_app(slipway, context, f"{host}/app:1")
        refusal = {"new_password": "second"}
        if status:
            text = {"errors": [{"code": "DENIED", "message": "Your authorization token has expired. Reauthenticate and try again."}]}
            refusal.update(status=status, body=json.dumps(text))
        fault.rule(method="PUT", path="/blobs/", skip=1, **refusal)
        slipway("push", "--insecure-registry", host, name).ok()
        assert [call[0] for call in aws.calls] == ["GetAuthorizationToken"] * 2
        assert seen(fault, "PUT", "/manifests/1")[-1]["status"] == 201
    finally:
        aws.stop()


def test_15_a_clock_that_is_wrong(slipway, context, fault, folder, sanitized):
    """Tokens are renewed because they are refused, whatever the clock says; a certificate's message names the clock."""
    if sanitized:
        pytest.skip("needs: a binary without sanitizers")
    if not (preload := next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)):
        pytest.skip("needs: faketime")
    name = make_app(slipway, context, f"{fault.host}/team/app:1")
    fault.state.settings["auth"] = "bearer"
    slipway("login", "-u", "user", "--password-stdin", fault.host, stdin="secret").ok()
    for clock in ("+10y", "-10y"):
        env = {"LD_PRELOAD": str(preload), "FAKETIME": clock, "DONT_FAKE_MONOTONIC": "1"}
        fault.rule(method="PUT", path="/manifests/", expire_tokens=True)
        slipway("push", name, env=env).ok()
        slipway("delete", f"{fault.host}/team/app:1", env=env).ok()


@pytest.mark.parametrize("same", [True, False], ids=["one store", "a store each"])
def test_11_many_pulls_at_once(slipway, context, fault, count, same):
    """In one store each blob comes once; everybody has it in the end."""
    name = make_app(slipway, context, f"{fault.host}/team/app:1")
    slipway("push", name).ok()
    fault.rule(method="GET", path="/blobs/", delay=0.3, times=-1)
    before = len(seen(fault, "GET", "/blobs/"))
    other = slipway.other()
    others = [other if same else slipway.other() for _ in range(count(4, 16))]
    running = [one.start("pull", name) for one in others]
    for process in running:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, (out + err).decode()
    for one in others:
        read_layout(one.root, name).verify()
    blobs = [e["path"] for e in seen(fault, "GET", "/blobs/")][before:]
    assert len(blobs) == 4 if same else len(blobs) == 4 * len(others)


def test_helper_that_is_broken(slipway, context, fault):
    """Never an anonymous try in its place; one that knows nothing is no error."""
    name = make_app(slipway, context, f"{fault.host}/team/app:1")
    slipway("push", name).ok()
    folder = slipway.folder / "bin"
    folder.mkdir()
    helper = folder / "docker-credential-odd"
    (slipway.home / ".docker").mkdir()
    config = slipway.home / ".docker/config.json"
    config.write_text(json.dumps({"credHelpers": {fault.host: "odd"}}))
    env = {"PATH": f"{folder}:{slipway.env['PATH']}"}
    other = slipway.other()
    fault.state.settings.update(auth="bearer", anonymous_pull=True)
    helper.write_text("#!/bin/sh\necho 'the vault is locked' >&2\nexit 1\n")
    helper.chmod(0o755)
    other("pull", name, env=env).fails("docker-credential-odd", "the vault is locked")
    config.write_text(json.dumps({"credHelpers": {fault.host: "../../bin/odd"}}))
    other("pull", name, env=env).fails("is not run")
    assert not seen(fault, "GET", "/token")
    config.write_text(json.dumps({"credHelpers": {fault.host: "odd"}}))
    helper.write_text("#!/bin/sh\necho 'credentials not found in native keychain'\nexit 1\n")
    other("pull", name, env=env).ok()


def test_29_nothing_for_ps(slipway, context, fault):
    """While a push runs, neither it nor the helper that it starts shows a password to ps."""
    name = make_app(slipway, context, f"{fault.host}/team/app:1")
    fault.state.settings.update(auth="basic", password="open sesame")
    folder = slipway.folder / "bin"
    folder.mkdir()
    helper = folder / "docker-credential-slow"
    helper.write_text("""#!/bin/sh
read server
sleep 2
echo '{"ServerURL":"x","Username":"user","Secret":"open sesame"}'
""")
    helper.chmod(0o755)
    (slipway.home / ".docker").mkdir()
    (slipway.home / ".docker/config.json").write_text(json.dumps({"credsStore": "slow"}))
    fault.rule(method="PUT", path="/blobs/", delay=1)
    running = slipway.start("push", name, env={"PATH": f"{folder}:{slipway.env['PATH']}"})
    shown = b""
    while running.poll() is None:
        for pid in [running.pid, *processes.descendants(running.pid)]:
            for part in ("cmdline", "environ"):
                try:
                    shown += pathlib.Path(f"/proc/{pid}/{part}").read_bytes()
                except OSError:
                    pass
    assert running.returncode == 0, running.stderr.read().decode()
    running.communicate()
    assert b"docker-credential-slow" in shown and b"sesame" not in shown and b"dXNlcjpv" not in shown

"""slipway.json in the context: flags of deploy by their long names; and whether the app's port answers."""
import json
import socket
import threading

import pytest

from helpers.deploying import needs_models

pytestmark = needs_models


def write(deploying, text):
    (deploying.app / "slipway.json").write_text(text if isinstance(text, str) else json.dumps(text))


def test_flags_of_every_kind(deploying, cloud):
    write(deploying, {"service": "shop", "desired-count": 2, "port": [3000, "443"], "cpu": 512, "memory": "1 GB",
                      "env": {"MODE": "production", "A": "b=c"}, "container-insights": True})
    deploying().ok()
    sent = cloud.of("CreateService")[0]
    assert (sent["serviceName"], sent["desiredCount"]) == ("shop", 2)
    container = deploying.container()
    assert [m["containerPort"] for m in container["portMappings"]] == [3000, 443]
    assert {e["name"]: e["value"] for e in container["environment"]} == {"MODE": "production", "A": "b=c"}
    assert (deploying.definitions()[0]["cpu"], deploying.definitions()[0]["memory"]) == ("512", "1024")
    assert cloud.of("CreateCluster")[0]["settings"] == [{"name": "containerInsights", "value": "enabled"}]


def test_the_command_line_wins(deploying, cloud):
    write(deploying, {"cpu": 512, "memory": 1024, "env": {"MODE": "production"}, "dry-run": True})
    deploying("--cpu", "1024", "--memory", "2048", "-e", "MODE=test", "--dry-run=false").ok()
    assert (deploying.definitions()[0]["cpu"], deploying.definitions()[0]["memory"]) == ("1024", "2048")
    assert deploying.container()["environment"] == [{"name": "MODE", "value": "test"}]


@pytest.mark.parametrize("text, words", [
    ("{", ["slipway.json:1"]),
    ("[]", ["slipway.json", "object"]),
    ('{"porrt": 3000}', ["unknown flag: --porrt", "port", "slipway.json"]),
    ('{"cpu": 1.5}', ["slipway.json", '"cpu"']),
    ('{"cpu": null}', ["slipway.json", '"cpu"']),
    ('{"env": {"A": ["b"]}}', ["slipway.json", '"env"']),
    ('{"desired-count": "many"}', ["desired-count", "many"]),
])
def test_a_wrong_file(deploying, cloud, text, words):
    """Told before AWS is asked anything."""
    write(deploying, text)
    done = deploying()
    assert done.code in (1, 2) and not cloud.calls, str(done)
    for word in words:
        assert word in done.err, str(done)


def reached_at(cloud, ip):
    """Tasks get this public address."""
    make = cloud.ec2.add_interface

    def with_address(*arguments, **options):
        interface = make(*arguments, **options)
        interface["Association"]["PublicIp"] = ip
        return interface
    cloud.ec2.add_interface = with_address


def test_the_port_is_knocked_at(deploying, cloud):
    reached_at(cloud, "127.0.0.1")
    with socket.socket() as app:
        app.bind(("127.0.0.1", 0))
        app.listen()
        port = app.getsockname()[1]
        answered = threading.Thread(target=app.accept)
        answered.start()
        done = deploying("--port", str(port)).ok()
        answered.join(10)
    assert not answered.is_alive()
    assert f"http://127.0.0.1:{port}\n" in done.out and "0.0.0.0" not in done.err, str(done)


def test_a_port_that_refuses_is_told(deploying, cloud):
    """Alive and deaf: what most often is wrong then."""
    reached_at(cloud, "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        done = deploying("--port", str(port)).ok()
    assert f"127.0.0.1:{port} refuses connections" in done.err and "0.0.0.0" in done.err, str(done)

"""registry serve as a program: what it says, how it ends, and the clients that people have."""
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from helpers.images import read_layout, read_with_skopeo, skopeo
from helpers.serve import Serve, digest_of, wait_for


def test_skopeo_there_and_back(serve, tiny, folder):
    skopeo("copy", "--dest-tls-verify=false", f"oci:{tiny}:tiny:latest", f"docker://{serve.host}/skopeo/tiny:1")
    there = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{serve.host}/skopeo/tiny:1"))
    assert there["RepoTags"] == ["1"]
    back = read_with_skopeo(f"docker://{serve.host}/skopeo/tiny:1", folder / "back", "--src-tls-verify=false")
    assert back.descriptor["digest"] == there["Digest"]
    skopeo("delete", "--tls-verify=false", f"docker://{serve.host}/skopeo/tiny:1")
    assert serve("HEAD", "/v2/skopeo/tiny/manifests/1").status == 404


def test_slipway_there_and_back(serve, slipway, build):
    name = f"{serve.host}/own/app:1"
    top = build.context({"Dockerfile": "FROM tiny\nRUN echo made > /made\nCMD [\"cat\", \"/made\"]\n"})
    slipway.build(top, "-t", name, "--push", *build.options).ok()
    elsewhere = slipway.other()
    assert elsewhere("run", name).ok().out == "made\n"
    here, there = read_layout(slipway.root, name), read_layout(elsewhere.root, name).verify()
    assert here.descriptor["digest"] == there.descriptor["digest"]
    # The second repository gets its layers by mounts.
    slipway("tag", name, f"{serve.host}/own/second:1").ok()
    slipway("push", f"{serve.host}/own/second:1").ok()
    assert slipway("tags", f"{serve.host}/own/second").ok().out == "1\n"
    slipway("delete", f"{serve.host}/own/second:1").ok()
    assert slipway("tags", f"{serve.host}/own/second").ok().out == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_on_a_signal_and_keeps_everything(binary, folder, number):
    serve = Serve(binary, folder / "serve")
    pushed = serve.image("a", "1")
    assert serve.stop(number) == 0
    serve.start()
    assert digest_of(serve("GET", "/v2/a/manifests/1").body) == pushed["digest"]
    assert serve.stop() == 0


def test_what_is_being_sent_may_end(binary, folder):
    serve = Serve(binary, folder / "serve")
    data = os.urandom(200000)
    s = socket.create_connection(("127.0.0.1", serve.port))
    s.sendall(f"POST /v2/a/blobs/uploads/?digest={digest_of(data)} HTTP/1.1\r\nHost: localhost\r\n"
              f"Content-Length: {len(data)}\r\n\r\n".encode() + data[:100000])
    wait_for(lambda: list(serve.root.glob("ingest/*")))
    serve.process.terminate()
    time.sleep(0.2)
    s.sendall(data[100000:])
    assert s.recv(100).startswith(b"HTTP/1.1 201")
    s.close()
    assert serve.process.wait(30) == 0
    serve.start()
    assert serve("GET", f"/v2/a/blobs/{digest_of(data)}").body == data
    serve.stop()


def test_wrong_options(slipway, folder):
    for options, words in [
        (["--listen", "nonsense"], ["--listen"]),
        (["--listen", "127.0.0.1:70000"], ["70000"]),
        (["--listen", "name.localhost:80"], ["name.localhost", "IP address"]),
        (["--listen", "0.0.0.0:0"], ["0.0.0.0:0", "TLS and a login", "--insecure"]),
        (["--listen", ":0"], ["beyond this machine"]),
        (["--tls-cert", "x"], ["--tls-key"]),
        (["--repository", "Upper"], ["Upper"]),
    ]:
        slipway("registry", "serve", *options, timeout=20).fails(*words, code=2)
    slipway("registry", "start").fails("registry serve", code=2)
    slipway("registry", "serve", "--htpasswd", folder / "none").fails("none", "No such file")
    (folder / "md5").write_text("u:$apr1$abc$def\n")
    slipway("registry", "serve", "--htpasswd", folder / "md5").fails("md5:1", "bcrypt", "htpasswd -B")
    (folder / "pem").write_text("no certificate\n")
    slipway("registry", "serve", "--tls-cert", folder / "pem", "--tls-key", folder / "pem").fails("certificate")


def test_other_addresses_of_loopback(slipway):
    for address, shown in (("[::1]:0", "[::1]"), ("localhost:0", "127.0.0.1"), ("127.0.0.2:0", "127.0.0.2")):
        process = slipway.start("registry", "serve", "--listen", address)
        url = process.stdout.readline().decode().split()[-1]
        assert url.startswith(f"http://{shown}:")
        assert subprocess.run(["curl", "-s", "-g", f"{url}/v2/"], capture_output=True, check=False).stdout == b"{}"
        process.terminate()
        process.communicate(timeout=30)
        assert process.returncode == 0


def test_every_address_only_when_asked_for(slipway):
    process = slipway.start("registry", "serve", "--listen", "0.0.0.0:0", "--insecure")
    assert process.stdout.readline().startswith(b"listening on http://0.0.0.0:")
    process.terminate()
    assert b"everybody who reaches 0.0.0.0:0 can push" in process.communicate(timeout=30)[1]


def test_a_taken_port(serve, slipway):
    slipway("registry", "serve", "--listen", serve.host).fails(str(serve.port), "in use")


def test_prune_keeps_what_repositories_show(binary, slipway, folder):
    """And what is on its way: a blob that no manifest names yet, and an upload between two of its chunks."""
    serve = Serve(binary, folder / "serve")
    own = slipway.other()
    own.env["SLIPWAY_ROOT"] = str(serve.root)
    pushed = serve.image("team/app", "1", "kept")
    loose = serve.blob("team/app", b"not yet named")
    gone = serve.image("team/app", "2", "dropped")
    session = serve.upload("team/app")
    assert serve("PATCH", session, b"first ").status == 202
    assert serve("DELETE", f"/v2/team/app/manifests/{gone['digest']}").status == 202
    own("prune", "-af", "--grace", "0s").ok()
    assert digest_of(serve("GET", "/v2/team/app/manifests/1").body) == pushed["digest"]
    for layer in json.loads(serve("GET", "/v2/team/app/manifests/1").body)["layers"]:
        assert serve("GET", f"/v2/team/app/blobs/{layer['digest']}").status == 200
    assert serve("GET", f"/v2/team/app/blobs/{loose['digest']}").body == b"not yet named"
    assert serve("PUT", f"{session}?digest={digest_of(b'first second')}", b"second").status == 201
    own("fsck").ok()
    # Nobody serves now: what no manifest names may go at once.
    serve.stop()
    own("prune", "-af", "--grace", "0s").ok()
    serve.start()
    assert digest_of(serve("GET", "/v2/team/app/manifests/1").body) == pushed["digest"]
    assert serve("GET", f"/v2/team/app/blobs/{loose['digest']}").status == 404
    blobs = {p.name for p in (serve.root / "blobs/sha256").iterdir()}
    assert gone["digest"][7:] not in blobs and loose["digest"][7:] not in blobs
    assert len(blobs) == 3, "manifest, config and layer"
    serve.stop()


def test_fsck_finds_and_repairs(binary, slipway, folder):
    serve = Serve(binary, folder / "serve")
    own = slipway.other()
    own.env["SLIPWAY_ROOT"] = str(serve.root)
    first, second = serve.image("a/b", "1", "one"), serve.image("a/b", "2", "two")
    layer = json.loads(serve("GET", "/v2/a/b/manifests/2").body)["layers"][0]["digest"]
    (serve.root / "blobs/sha256" / first["digest"][7:]).write_text("{}")
    (serve.root / "blobs/sha256" / layer[7:]).unlink()
    result = own("fsck")
    assert result.code == 1 and first["digest"] in result.err and layer in result.err and "a/b" in result.err
    own("fsck", "--repair")
    assert serve("GET", "/v2/a/b/manifests/1").status == 404
    assert serve("HEAD", f"/v2/a/b/blobs/{layer}").status == 404
    assert serve("GET", "/v2/a/b/tags/list").json()["tags"] == ["2"]
    serve.blob("a/b", b"layer two")
    own("fsck").ok()
    serve.stop()


def test_fsck_takes_a_damaged_referrer_off_the_list(binary, slipway, folder):
    serve = Serve(binary, folder / "serve")
    own = slipway.other()
    own.env["SLIPWAY_ROOT"] = str(serve.root)
    subject = serve.image("a", "1", "one")
    good, bad = (serve.image("a", f"about-{seed}", seed, subject=subject) for seed in ("good", "bad"))
    (serve.root / "blobs/sha256" / bad["digest"][7:]).unlink()
    assert own("fsck").code == 1
    own("fsck", "--repair")
    listed = serve("GET", f"/v2/a/referrers/{subject['digest']}").json()["manifests"]
    assert [d["digest"] for d in listed] == [good["digest"]]
    own("fsck").ok()
    serve.stop()


def test_deletion_beside_prune_and_fsck(binary, folder, slipway):
    """Both walk over the links that are deleted meanwhile; neither fails because one is gone."""
    serve = Serve(binary, folder / "serve")
    blobs = [serve.blob("a", f"{i}".encode())["digest"] for i in range(100)]
    old = time.time() - 30 * 86400
    for link in (serve.root / "repositories/a/blobs").iterdir():
        os.utime(link, (old, old))
    slipway.env["SLIPWAY_ROOT"] = str(serve.root)
    failed = []

    def clean():
        for command in (("prune", "-f"), ("fsck", "--repair"), ("fsck",)) * 2:
            result = slipway(*command)
            if result.code:
                failed.append(result)

    cleaner = threading.Thread(target=clean)
    cleaner.start()
    answers = {serve("DELETE", f"/v2/a/blobs/{digest}").status for digest in blobs}
    cleaner.join()
    assert not failed, failed[0]
    assert answers <= {202, 404}
    assert serve.stop() == 0, serve.log()

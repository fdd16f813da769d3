"""registry serve under the conformance program of the OCI distribution specification, and with crane and oras."""
import base64
import json
import os
import re
import subprocess
import tarfile
import xml.etree.ElementTree

import pytest

from helpers.go_clients import Client
from helpers.images import Layout, entry, make_tar
from helpers.registry import PASSWORD, USER, make_certificates
from helpers.serve import Serve, basic, digest_of


@pytest.fixture
def secured(binary, folder):
    make_certificates(folder / "tls")
    login = subprocess.run(["htpasswd", "-Bbn", "-C", "4", USER, PASSWORD], check=True, capture_output=True).stdout
    (folder / "htpasswd").write_bytes(login)
    serve = Serve(binary, folder / "serve", "--htpasswd", folder / "htpasswd", tls=folder / "tls")
    yield serve
    serve.stop()


# ---- the conformance program ----

# What is optional as well, but for manifests that name what is not there: this registry keeps none.
EVERYTHING = {"OCI_VERSION": "dev", "OCI_API_BLOBS_DIGEST_HEADER": "true", "OCI_API_BLOBS_UPLOAD_CANCEL": "true",
              "OCI_API_MANIFESTS_DIGEST_HEADER": "true", "OCI_API_MANIFESTS_TAG_PARAM": "true"}


def conforms(folder, least, **settings):
    """All of its tests, least of them at least, pass."""
    conformance = Client("conformance", folder / "home", OCI_LOG="error", **settings)
    done = conformance.run(cwd=folder)
    report = xml.etree.ElementTree.parse(folder / "results/junit.xml").getroot()
    failed = [f"{case.get('name')}: {case.findtext('system-out')}" for case in report.iter("testcase") if case.get("status") == "failure"]
    assert not failed and done.returncode == 0, "\n".join(failed) + done.stdout.decode()[-3000:]
    counts = {key: int(report.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
    assert counts.pop("tests") >= least and not any(counts.values()), counts


def test_conformance(serve, folder):
    conforms(folder, 850, OCI_REGISTRY=serve.host, OCI_TLS="disabled", OCI_VERSION="1.1")


def test_conformance_with_what_is_optional(secured, folder):
    conforms(folder, 980, OCI_REGISTRY=secured.host, OCI_TLS="enabled", OCI_USERNAME=USER, OCI_PASSWORD=PASSWORD,
             SSL_CERT_FILE=str(folder / "tls/ca.crt"), **EVERYTHING)


def test_conformance_of_the_local_target(local, folder):
    """Its registry has the repositories that were made, as ECR."""
    for name in ("conformance/repo1", "conformance/repo2"):
        local.run("repo", "create", "--local", name).ok()
    token = local.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    conforms(folder, 850, OCI_REGISTRY=local.registry, OCI_TLS="disabled", OCI_VERSION="1.1",
             OCI_USERNAME="AWS", OCI_PASSWORD=base64.b64decode(token).decode().partition(":")[2])


# ---- crane ----

@pytest.fixture
def crane(secured, folder):
    client = Client("crane", folder / "crane", SSL_CERT_FILE=str(folder / "tls/ca.crt"))
    client("auth", "login", "-u", USER, "-p", PASSWORD, secured.host)
    return client


def test_crane(crane, secured, folder):
    host = secured.host
    for arch in ("amd64", "arm64"):
        Layout(folder / arch).image("app", [make_tar([entry("arch", data=arch)])], arch=arch)
        crane("push", folder / arch, f"{host}/app/a:{arch}")
    digest = crane("index", "append", "-m", f"{host}/app/a:amd64", "-m", f"{host}/app/a:arm64", "-t", f"{host}/app/a:1").strip().partition("@")[2]
    crane("validate", "--remote", f"{host}/app/a:1")
    crane("copy", f"{host}/app/a:1", f"{host}/app/b:2")
    crane("tag", f"{host}/app/b:2", "latest")
    assert crane("ls", f"{host}/app/b").split() == ["2", "latest"] and crane("catalog", host).split() == ["app/a", "app/b"]
    assert crane("manifest", f"{host}/app/b:2") == crane("manifest", f"{host}/app/a@{digest}")
    data = os.urandom(100000)
    crane("append", "--platform", "linux/arm64", "-b", f"{host}/app/a:1", "-f", "-", "-t", f"{host}/app/c:1", stdin=make_tar([entry("more", data=data)]))
    crane("mutate", "--entrypoint", "/more", "--label", "a=b", f"{host}/app/c:1", "-t", f"{host}/app/c:2")
    config = json.loads(crane("config", f"{host}/app/c:2"))
    assert config["architecture"] == "arm64" and config["config"]["Entrypoint"] == ["/more"] and config["config"]["Labels"] == {"a": "b"}
    crane("export", f"{host}/app/c:2", folder / "all.tar")
    with tarfile.open(folder / "all.tar") as tar:
        assert tar.extractfile("more").read() == data and tar.extractfile("arch").read() == b"arm64"
    crane("pull", "--format", "oci", f"{host}/app/c:2", folder / "pulled")
    assert json.loads((folder / "pulled/index.json").read_text())["manifests"][0]["digest"] == crane("digest", f"{host}/app/c:2").strip()
    crane("delete", f"{host}/app/b:latest")
    assert crane("ls", f"{host}/app/b").split() == ["2"]


# ---- oras ----

@pytest.fixture
def oras(secured, folder):
    client = Client("oras", folder / "oras", SSL_CERT_FILE=str(folder / "tls/ca.crt"))
    client("login", "-u", USER, "--password-stdin", secured.host, stdin=PASSWORD.encode())
    return client


def test_oras(oras, secured, folder):
    host = secured.host
    (folder / "sbom.json").write_text('{"of": "a"}')
    (folder / "data").write_bytes(os.urandom(2 << 20))
    said = oras("push", f"{host}/o/a:1,latest", "--artifact-type", "application/vnd.example", "data:application/octet-stream", cwd=folder)
    digest = re.search(r"sha256:[0-9a-f]{64}", said)[0]
    assert digest_of(secured("GET", "/v2/o/a/manifests/latest", Authorization=basic(USER, PASSWORD)).body) == digest
    attached = oras("attach", f"{host}/o/a:1", "--artifact-type", "application/spdx+json", "sbom.json", cwd=folder)
    oras("attach", f"{host}/o/a:1", "--artifact-type", "application/vnd.other", "sbom.json", cwd=folder)
    found = json.loads(oras("discover", "--format", "json", "--artifact-type", "application/spdx+json", f"{host}/o/a:1"))
    referrers = found.get("referrers", found.get("manifests"))
    assert [r["digest"] for r in referrers] == [re.search(r"Digest: (sha256:[0-9a-f]{64})", attached)[1]]
    oras("cp", "-r", f"{host}/o/a:1", f"{host}/o/b:1")
    found = json.loads(oras("discover", "--format", "json", f"{host}/o/b:1"))
    assert len(found.get("referrers", found.get("manifests"))) == 2
    oras("pull", "-o", folder / "pulled", f"{host}/o/b:1")
    assert (folder / "pulled/data").read_bytes() == (folder / "data").read_bytes()
    assert oras("repo", "tags", f"{host}/o/a").split() == ["1", "latest"] and oras("repo", "ls", host).split() == ["o/a", "o/b"]
    oras("manifest", "delete", "-f", f"{host}/o/b@{digest}")
    assert b"not found" in oras.run("resolve", f"{host}/o/b:1").stderr

"""Push and pull against docker-registry over TLS with a login."""
import json
import os
import stat

import pytest

from helpers.images import Layout, entry, make_tar, read_layout, read_with_skopeo, skopeo
from helpers.registry import Registry

DOCKERFILE = "FROM tiny\nRUN echo made > /made\nCOPY f /f\nENV A=1\nCMD [\"cat\", \"/f\"]\n"


@pytest.fixture
def app(login, build, registry, request):
    """A name in the registry, and the image built under it."""
    name = f"{registry.host}/{''.join(c for c in request.node.name if c.isalnum() or c == '_').lower()}/app:1"
    top = build.context({"Dockerfile": DOCKERFILE, "f": "content"})
    login.build(top, "-t", name, *build.options).ok()
    return name


def creds(registry):
    return [f"--cert-dir={registry.certs}", f"--creds={registry.user}:{registry.password}"]


def test_there_and_back_into_an_empty_store(login, app, registry, folder):
    login("push", app).ok()
    here = read_layout(login.root, app).verify()
    inspected = json.loads(skopeo("inspect", *creds(registry), f"docker://{app}"))
    assert inspected["Digest"] == here.descriptor["digest"]
    assert inspected["Layers"] == [layer["digest"] for layer in here.layers]
    elsewhere = login.other()
    elsewhere("pull", app).ok()
    there = read_layout(elsewhere.root, app).verify()
    assert there.descriptor["digest"] == here.descriptor["digest"] and there.config == here.config
    with_skopeo = read_with_skopeo(f"docker://{app}", folder / "skopeo", *("--src" + c[1:] for c in creds(registry)))
    assert with_skopeo.tree().text("/made") == "made\n"
    # What was pulled runs, and is a base like any other.
    assert elsewhere("run", app).ok().out == "content"


def test_second_push_uploads_nothing(login, app, registry):
    first = registry.mark()
    login("push", app).ok()
    layers = [layer["digest"] for layer in read_layout(login.root, app).layers]
    assert set(layers) < {digest for _, digest in registry.uploads(first)}
    second = registry.mark()
    login("push", app).ok()
    assert registry.uploads(second) == []
    assert not [r for r in registry.requests(second) if r[0] in ("POST", "PATCH")]


def test_only_what_changed_is_uploaded(login, app, build, registry):
    login("push", app).ok()
    top = build.context({"Dockerfile": DOCKERFILE, "f": "changed"})
    login.build(top, "-t", app, *build.options).ok()
    since = registry.mark()
    login("push", app).ok()
    image = read_layout(login.root, app)
    assert {digest for _, digest in registry.uploads(since)} == \
        {image.layers[-1]["digest"], image.manifest["config"]["digest"]}


def test_layers_are_mounted_from_another_repository(login, app, registry):
    login("push", app).ok()
    other = app.replace("/app:1", "/other:2")
    login("tag", app, other).ok()
    since = registry.mark()
    login("push", other).ok()
    layers = {layer["digest"] for layer in read_layout(login.root, other).layers}
    assert not layers & {digest for _, digest in registry.uploads(since)}
    assert registry.request(f"/v2/{other.split('/', 1)[1].split(':')[0]}/manifests/2",
                            headers={"Accept": "application/vnd.oci.image.manifest.v1+json"})[0] == 200


def test_build_and_push_at_once(login, build, registry):
    name = f"{registry.host}/at-once/app:1"
    top = build.context({"Dockerfile": DOCKERFILE, "f": "content"})
    login.build(top, "-t", name, "--push", *build.options).ok()
    assert json.loads(skopeo("inspect", *creds(registry), f"docker://{name}"))["Digest"] == \
        read_layout(login.root, name).descriptor["digest"]


def test_pull_by_digest_and_platform(login, registry, folder):
    layout = Layout(folder / "multi")
    children = []
    for arch in ("amd64", "arm64"):
        descriptor = layout.image(arch, [make_tar([entry("arch", data=arch)])], arch=arch)
        children.append({**descriptor, "platform": {"os": "linux", "architecture": arch}})
    index = layout.blob("application/vnd.oci.image.index.v1+json", json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": children}).encode())
    layout.name("multi", index)
    name = f"{registry.host}/multi/app"
    skopeo("copy", "--all", *("--dest" + c[1:] for c in creds(registry)), f"oci:{folder}/multi:multi",
           f"docker://{name}:1")
    login("pull", "--platform", "linux/arm64", f"{name}:1").ok()
    assert read_layout(login.root, f"{name}:1", "linux/arm64").tree().text("/arch") == "arm64"
    other = login.other()
    digest = children[0]["digest"]
    other("pull", f"{name}@{digest}").ok()
    assert read_layout(other.root, digest).tree().text("/arch") == "amd64"
    login("pull", "--platform", "linux/s390x", f"{name}:1").fails("s390x")
    login("pull", f"{name}:nosuchtag").fails("nosuchtag")
    login("pull", f"{name}@sha256:{'0' * 64}").fails("sha256:0000")


def test_base_image_from_the_registry(login, registry, build, tiny):
    skopeo("copy", *("--dest" + c[1:] for c in creds(registry)), f"oci:{tiny}:tiny:latest",
           f"docker://{registry.host}/base/tiny:1")
    top = build.context({"Dockerfile": f"FROM {registry.host}/base/tiny:1\nRUN echo x > /x\n"})
    login.build(top, "-t", "t").ok()
    assert read_layout(login.root, "t:latest").verify().tree().text("/x") == "x\n"
    # A build whose steps all hit asks for no blob.
    since = registry.mark()
    login.build(top, "-t", "t").ok()
    assert not [r for r in registry.requests(since) if "/blobs/" in r[1]]


def test_login_and_logout(slipway, registry):
    slipway.env["SSL_CERT_FILE"] = str(registry.ca)
    slipway("login", "-u", registry.user, "--password-stdin", registry.host, stdin=registry.password + "\n").ok()
    file = slipway.home / ".docker/config.json"
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert list(json.loads(file.read_text())["auths"]) == [registry.host]
    slipway("logout", registry.host).ok()
    assert registry.host not in file.read_text()


def test_wrong_password(slipway, registry, app):
    slipway.env["SSL_CERT_FILE"] = str(registry.ca)
    before = (slipway.home / ".docker/config.json").read_text()
    refused = slipway("login", "-u", registry.user, "--password-stdin", registry.host, stdin="wrong-pass")
    refused.fails(registry.host, "password")
    assert "wrong-pass" not in refused.err + refused.out
    assert (slipway.home / ".docker/config.json").read_text() == before, "a refused login is not kept"
    slipway("logout", registry.host).ok()
    slipway("push", app).fails(registry.host, "login")


def test_unknown_ca(slipway, registry, build):
    slipway.env["SSL_CERT_FILE"] = "/etc/ssl/certs/ca-certificates.crt"
    since = registry.mark()
    slipway("pull", f"{registry.host}/any/app:1").fails("certificate", registry.host)
    assert registry.requests(since) == []


def test_ca_in_dockers_folder(slipway, registry, folder):
    """docker's own place for a registry's CA; needs to write to /etc."""
    if os.geteuid() != 0:
        pytest.skip("needs: root, to write /etc/docker/certs.d")
    place = f"/etc/docker/certs.d/{registry.host}"
    os.makedirs(place)
    try:
        with open(f"{place}/ca.crt", "w", encoding="utf-8") as f:
            f.write(registry.ca.read_text())
        slipway("login", "-u", registry.user, "--password-stdin", registry.host, stdin=registry.password).ok()
    finally:
        os.unlink(f"{place}/ca.crt")
        os.rmdir(place)


def test_registry_that_is_down(slipway, build, folder):
    port_of_nobody = "127.0.0.1:9"
    top = build.context({"Dockerfile": "FROM scratch\nLABEL a=1\n"})
    slipway.build(top, "-t", f"{port_of_nobody}/a:1").ok()
    said = slipway("push", f"{port_of_nobody}/a:1").fails(port_of_nobody, "refused", "is the registry running")
    assert said.seconds < 15, "two short delays of 1.5 s at most"
    for args in (("pull", f"{port_of_nobody}/b:1"), ("login", "-u", "u", "--password-stdin", port_of_nobody)):
        slipway(*args, stdin="p", env={"SLIPWAY_TEST_RETRY_MS": "20"}).fails(port_of_nobody, "refused", "is the registry running")


def test_plain_http_on_loopback_without_login(slipway, build, folder):
    plain = Registry(folder / "plain", tls=False, login=False)
    try:
        top = build.context({"Dockerfile": DOCKERFILE, "f": "content"})
        slipway.build(top, "-t", f"{plain.host}/a/b:1", *build.options).ok()
        slipway("push", f"{plain.host}/a/b:1").ok()
        other = slipway.other()
        other("pull", f"{plain.host}/a/b:1").ok()
        read_layout(other.root, f"{plain.host}/a/b:1").verify()
    finally:
        plain.stop()


def damage(registry, digest, change):
    file = registry.data / "docker/registry/v2/blobs/sha256" / digest[7:9] / digest[7:] / "data"
    data = file.read_bytes()
    file.write_bytes(change(data))
    return lambda: file.write_bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("change", [
    lambda d: d[:40] + bytes([d[40] ^ 1]) + d[41:], lambda d: d[:-10], lambda d: b"x" + d, lambda d: b"",
], ids=["bit", "short", "shifted", "empty"])
def test_garbage_blob(login, app, build, registry, change):
    top = build.context({"Dockerfile": "FROM tiny\nCOPY f /f\n", "f": os.urandom(5000)})
    login.build(top, "-t", app, *build.options).ok()
    login("push", app).ok()
    layer = read_layout(login.root, app).layers[-1]["digest"]
    mend = damage(registry, layer, change)
    other = login.other(SLIPWAY_TEST_RETRY_MS="20")
    other.unfinished_allowed = True
    other("pull", app).fails(layer[:19])
    assert not (other.root / "index.json").exists() or app not in (other.root / "index.json").read_text()
    assert not (other.root / "blobs/sha256" / layer[7:]).exists()
    mend()
    other("pull", app).ok()
    read_layout(other.root, app).verify()


def test_push_of_what_is_not_there(login, registry):
    login("push", f"{registry.host}/no/such:1").fails(f"{registry.host}/no/such:1")


def test_the_password_is_never_seen(login, app, registry):
    """Neither in the arguments of a process, nor in anything that is printed."""
    result = login("push", "--progress", "plain", app).ok()
    assert registry.password not in result.out + result.err
    login("login", "-u", "x", "-p", "visible", registry.host).fails("--password-stdin", code=2)

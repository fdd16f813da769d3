"""The clients that people have against registry serve: docker, podman, buildah, skopeo, and what crane and oras send."""
import json
import os
import subprocess

import pytest

from helpers.images import Layout, entry, make_tar, skopeo
from helpers.peers import Buildah, Docker
from helpers.serve import EMPTY, INDEX, MANIFEST, Serve, digest_of


@pytest.fixture(scope="module")
def docker(tmp_path_factory):
    running = Docker(tmp_path_factory.mktemp("docker"))
    yield running
    running.stop()


def run(*arguments, stdin=None):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, check=False, input=stdin)
    assert done.returncode == 0, f"{' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr.decode()}"
    return done.stdout


def test_docker(docker, serve, tiny):
    name = f"{serve.host}/docker/app:1"
    docker.add(tiny, "tiny")
    docker("tag", "tiny", name)
    pushed = docker("push", name)
    digest = serve("HEAD", "/v2/docker/app/manifests/1").headers["Docker-Content-Digest"]
    assert f"digest: {digest}" in pushed
    # The layers are there: mounted into a second repository, then recognised.
    docker("tag", "tiny", f"{serve.host}/docker/second:1")
    assert "Mounted from docker/app" in docker("push", f"{serve.host}/docker/second:1")
    assert "Layer already exists" in docker("push", f"{serve.host}/docker/second:1")
    docker("rmi", "tiny", name, f"{serve.host}/docker/second:1")
    assert f"Digest: {digest}" in docker("pull", name)
    assert digest in docker("image", "inspect", "--format", "{{.RepoDigests}}", name)
    docker("pull", f"{serve.host}/docker/app@{digest}")
    assert json.loads(docker("manifest", "inspect", "--insecure", name))["layers"]


def test_docker_with_a_login(docker, binary, tmp_path, tiny):
    (tmp_path / "htpasswd").write_bytes(run("htpasswd", "-Bbn", "-C", "4", "maria", "secret"))
    serve = Serve(binary, tmp_path / "serve", "--htpasswd", tmp_path / "htpasswd")
    try:
        docker.add(tiny, "tiny")
        docker("tag", "tiny", f"{serve.host}/a:1")
        client = ["--config", tmp_path / "config"]
        with pytest.raises(AssertionError, match="unauthorized|basic auth|denied"):
            docker(*client, "push", f"{serve.host}/a:1")
        docker(*client, "login", "-u", "maria", "-p", "secret", serve.host)
        docker(*client, "push", f"{serve.host}/a:1")
    finally:
        serve.stop()


def test_buildah(serve, tiny, folder):
    buildah = Buildah(folder / "buildah")
    buildah.add(tiny, "tiny")
    run("buildah", *buildah.storage, "push", "--tls-verify=false", "--digestfile", folder / "digest", "localhost/tiny:latest",
        f"docker://{serve.host}/buildah/app:1")
    digest = (folder / "digest").read_text().strip()
    assert serve("HEAD", "/v2/buildah/app/manifests/1").headers["Docker-Content-Digest"] == digest
    run("buildah", *buildah.storage, "rmi", "localhost/tiny:latest")
    run("buildah", *buildah.storage, "pull", "--tls-verify=false", f"{serve.host}/buildah/app:1")
    (folder / "Dockerfile").write_text(f"FROM {serve.host}/buildah/app:1\nENV A=1\n")
    run("buildah", *buildah.storage, "bud", "--isolation", "chroot", "--tls-verify=false", "-t", "built", folder)


def test_podman(serve, tiny, podman):
    skopeo("copy", "--dest-tls-verify=false", f"oci:{tiny}:tiny:latest", f"docker://{serve.host}/podman/base:1")
    name = f"{serve.host}/podman/app:1"
    run(*podman, "pull", "-q", "--tls-verify=false", f"{serve.host}/podman/base:1")
    run(*podman, "tag", f"{serve.host}/podman/base:1", name)
    run(*podman, "push", "-q", "--tls-verify=false", name)
    run(*podman, "rmi", "-a", "-f")
    run(*podman, "pull", "-q", "--tls-verify=false", name)
    tags = json.loads(run(*podman, "search", "--list-tags", "--tls-verify=false", "--format", "json", f"{serve.host}/podman/app"))
    assert tags[0]["Tags"] == ["1"]


def test_skopeo_copies_an_index_and_syncs(serve, folder):
    layout = Layout(folder / "multi")
    children = [{**layout.image(arch, [make_tar([entry("arch", data=arch)])], arch=arch),
                 "platform": {"os": "linux", "architecture": arch}} for arch in ("amd64", "arm64")]
    layout.name("all", layout.blob(INDEX, json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                                                      "manifests": children}).encode()))
    skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{folder}/multi:all", f"docker://{serve.host}/multi/app:1")
    # From repository to repository: mounts.
    skopeo("copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", f"docker://{serve.host}/multi/app:1",
           f"docker://{serve.host}/multi/copy:2")
    first, second = (serve("GET", f"/v2/multi/{r}").body for r in ("app/manifests/1", "copy/manifests/2"))
    assert first == second
    assert json.loads(skopeo("list-tags", "--tls-verify=false", f"docker://{serve.host}/multi/copy"))["Tags"] == ["2"]
    skopeo("sync", "--all", "--src", "docker", "--dest", "dir", "--src-tls-verify=false", f"{serve.host}/multi/app",
           folder / "synced")
    assert any((folder / "synced").rglob("manifest.json"))


def curl(serve, method, path, *arguments, data=None):
    """(status, headers, body) of curl's own request."""
    options = ["-X", method] if method != "HEAD" else ["-I"]
    body = ["--data-binary", "@-"] if data is not None else []
    text = run("curl", "-s", "-i", *options, *body, *arguments, f"http://{serve.host}{path}" if path[0] == "/" else path,
               stdin=data)
    while text.startswith(b"HTTP/1.1 100"):
        text = text.partition(b"\r\n\r\n")[2]
    head, _, rest = text.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, rest


def test_what_crane_sends(serve):
    """HEAD, POST with a mount that misses, a streamed PATCH, PUT without a body; then the manifest."""
    layer, config = os.urandom(100000), b'{"os":"linux","architecture":"amd64"}'
    assert curl(serve, "GET", "/v2/")[0] == 200
    for data in (layer, config):
        digest = digest_of(data)
        assert curl(serve, "HEAD", f"/v2/crane/app/blobs/{digest}")[0] == 404
        status, headers, _ = curl(serve, "POST", f"/v2/crane/app/blobs/uploads/?mount={digest}&from=crane/other",
                                  "-H", "Content-Type: application/json")
        assert status == 202
        status, headers, _ = curl(serve, "PATCH", headers["location"], "-H", "Transfer-Encoding: chunked", "-H",
                                  "Content-Type: application/octet-stream", data=data)
        assert status == 202
        assert curl(serve, "PUT", f"{headers['location']}?digest={digest.replace(':', '%3A')}", "-H", "Content-Length: 0")[0] == 201
        assert curl(serve, "HEAD", f"/v2/crane/app/blobs/{digest}")[0] == 200
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST,
                           "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(config),
                                      "size": len(config)},
                           "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(layer),
                                       "size": len(layer)}]}).encode()
    assert curl(serve, "PUT", "/v2/crane/app/manifests/1", "-H", f"Content-Type: {MANIFEST}", data=manifest)[0] == 201
    status, headers, body = curl(serve, "GET", "/v2/crane/app/manifests/1", "-H", f"Accept: {MANIFEST},{INDEX}")
    assert status == 200 and body == manifest and headers["docker-content-digest"] == digest_of(manifest)


def test_what_oras_sends(serve):
    """POST and one PUT a blob, an artifact with a subject, its list of referrers."""
    def push(data):
        status, headers, _ = curl(serve, "POST", "/v2/oras/app/blobs/uploads/", "-H", "Content-Length: 0")
        assert status == 202
        status, headers, _ = curl(serve, "PUT", f"{headers['location']}?digest={digest_of(data)}", "-H",
                                  "Content-Type: application/octet-stream", "-H", "Expect: 100-continue", data=data)
        assert status == 201, headers
        return {"mediaType": EMPTY, "digest": digest_of(data), "size": len(data)}

    subject = serve.image("oras/app", "1")
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example.sbom",
                           "config": push(b"{}"), "layers": [push(os.urandom(2 << 20))], "subject": subject}).encode()
    status, headers, _ = curl(serve, "PUT", f"/v2/oras/app/manifests/{digest_of(manifest)}", "-H",
                              f"Content-Type: {MANIFEST}", data=manifest)
    assert status == 201 and headers["oci-subject"] == subject["digest"]
    status, headers, body = curl(serve, "GET", f"/v2/oras/app/referrers/{subject['digest']}?artifactType="
                                               "application%2Fvnd.example.sbom")
    assert status == 200 and headers["oci-filters-applied"] == "artifactType"
    assert [m["digest"] for m in json.loads(body)["manifests"]] == [digest_of(manifest)]


def test_what_buildkit_sends_as_cache(binary, slipway, folder):
    """--cache-to type=registry without image-manifest=true: an index whose entries are layers, and BuildKit's own config."""
    serve = Serve(binary, folder / "serve")
    layer = serve.blob("build/cache", os.urandom(1000))
    config = {**serve.blob("build/cache", json.dumps({"layers": [{"blob": layer["digest"], "parent": -1}]}).encode()),
              "mediaType": "application/vnd.buildkit.cacheconfig.v0"}
    cache = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [layer, config]}
    answer, digest = serve.put("build/cache", "latest", cache, INDEX)
    assert answer.status == 201, answer
    missing = {**config, "digest": digest_of(b"what nobody pushed")}
    assert serve.put("build/cache", "bad", {**cache, "manifests": [layer, missing]}, INDEX)[0].code() == "MANIFEST_BLOB_UNKNOWN"
    assert digest_of(serve("GET", "/v2/build/cache/manifests/latest").body) == digest
    # Its parts are needed for as long as it is there.
    for part in (layer, config):
        link = serve.root / "repositories/build,cache/blobs" / part["digest"].replace(":", "-")
        os.utime(link, (0, 0))
        os.utime(serve.root / "blobs/sha256" / part["digest"][7:], (0, 0))
    own = slipway.other()
    own.env["SLIPWAY_ROOT"] = str(serve.root)
    own("prune", "-af").ok()
    own("fsck").ok()
    for part in (layer, config):
        assert digest_of(serve("GET", f"/v2/build/cache/blobs/{part['digest']}").body) == part["digest"]
    serve.stop()


def test_a_download_goes_on(serve, folder):
    data = os.urandom(1 << 20)
    blob = serve.blob("resume", data)
    part = folder / "part"
    part.write_bytes(data[:300000])
    run("curl", "-s", "-f", "-C", "-", "-o", part, f"http://{serve.host}/v2/resume/blobs/{blob['digest']}")
    assert part.read_bytes() == data


def test_slipway_makes_an_index_from_many_machines(serve, slipway, context):
    """Each adds its own image at the same time; If-Match tells them what another one put there meanwhile."""
    platforms = ["linux/amd64", "linux/arm64", "linux/s390x", "linux/ppc64le"]
    name, machines = f"{serve.host}/index/app", [slipway.other() for _ in platforms]
    for machine, platform in zip(machines, platforms):
        top = context({"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": platform})
        machine.build(top, "-q", "-t", f"{name}:mine", "--platform", platform).ok()
    for process in [machine.start("index", "add", f"{name}:1", f"{name}:mine") for machine in machines]:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, (out + err).decode()
    listed = serve("GET", "/v2/index/app/manifests/1", Accept=INDEX).json()["manifests"]
    assert sorted(f"{m['platform']['os']}/{m['platform']['architecture']}" for m in listed) == sorted(platforms)


def test_slipway_copies_what_refers_to_a_subject(serve, slipway):
    """The registry lists it, so no tag has to stand in for the list."""
    subject = serve.image("signed/app", "1")
    empty = {**serve.blob("signed/app", b"{}"), "mediaType": EMPTY}
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x", "config": empty, "layers": [empty],
                "subject": subject}
    _, digest = serve.put("signed/app", "signature", document)
    slipway("copy", f"{serve.host}/signed/app:signature", f"{serve.host}/signed/copy:signature").ok()
    found = serve("GET", f"/v2/signed/copy/referrers/{subject['digest']}").json()["manifests"]
    assert [m["digest"] for m in found] == [digest]
    assert serve("GET", "/v2/signed/copy/tags/list").json()["tags"] == ["signature"]


def test_another_user_serves(slipway_user, slipway, build):
    """Nobody's rights are needed, and the state folder is that user's own."""
    process = slipway_user.start("registry", "serve", "--listen", "127.0.0.1:0")
    host = process.stdout.readline().decode().split("//")[1].strip()
    try:
        name = f"{host}/user/app:1"
        slipway.build(build.context({"Dockerfile": "FROM tiny\nRUN echo x > /x\n"}), "-t", name, "--push", *build.options).ok()
        slipway.other()("pull", name).ok()
        assert (slipway_user.root / "repositories/user,app/tags/1").exists()
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0

"""The image of slipway alone, in containers as CI gives them: docker's defaults, nothing but the program and certificates."""
import base64
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from helpers import deploying as deploys
from helpers.peers import Docker

TOP = pathlib.Path(__file__).resolve().parents[2]
DIST = pathlib.Path(os.environ.get("SLIPWAY_DIST", TOP / "build/dist"))
DOCKERFILE = "FROM tiny\nRUN id -u > /who && echo ran > /ran && chown app /ran\nCOPY a /a\nUSER app\nCMD [\"/bin/cat\", \"/ran\"]\n"

pytestmark = [pytest.mark.release, pytest.mark.root]


@pytest.fixture(scope="module")
def docker(session_folder):
    archive = DIST / "slipway-image.tar"
    assert archive.exists(), f"{archive} is missing: ./dev dist"
    running = Docker(session_folder / "docker-dist")
    layout = session_folder / "slipway-image"
    subprocess.run(["skopeo", "copy", "-q", f"oci-archive:{archive}", f"oci:{layout}:latest"], check=True)
    running.add(layout, "slipway-alone")
    yield running
    running.stop()


@pytest.fixture
def job(docker, folder, tiny):
    """job(*words, env={}) runs slipway in a container that sees the folder at the same path; its standard output."""
    shutil.copytree(tiny, folder / "tiny")
    app = folder / "app"
    app.mkdir()
    (app / "Dockerfile").write_text(DOCKERFILE)
    (app / "a").write_text("a\n")

    def run(*words, env=None, options=(), check=True):
        variables = [o for k, v in {"SLIPWAY_ROOT": "/state", **(env or {})}.items() for o in ("-e", f"{k}={v}")]
        done = subprocess.run([docker.client, "-H", docker.socket, "run", "--rm", "--network", "host", "-v", f"{folder}:{folder}",
                               *variables, *options, "slipway-alone", *map(str, words)], check=False, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


def test_it_builds_with_run_and_pushes(job, folder, registry):
    """One command of one container: what a step of a pipeline is."""
    shutil.copy(registry.ca, folder / "ca.crt")
    env = {"SSL_CERT_FILE": f"{folder}/ca.crt", "DOCKER_CONFIG": f"{folder}/docker"}
    (folder / "docker").mkdir()
    login = base64.b64encode(f"{registry.user}:{registry.password}".encode()).decode()
    (folder / "docker/config.json").write_text(json.dumps({"auths": {registry.host: {"auth": login}}}))
    image = f"{registry.host}/from-scratch:1"
    job("build", "-t", image, "--push", "--build-context", f"tiny=oci-layout:{folder}/tiny", folder / "app", env=env)
    subprocess.run(["skopeo", "copy", "-q", "--src-cert-dir", registry.certs, "--src-creds", f"{registry.user}:{registry.password}",
                    f"docker://{image}", f"oci:{folder}/pulled:it"], check=True)
    subprocess.run(["umoci", "unpack", "--image", f"{folder}/pulled:it", folder / "bundle"], check=True, capture_output=True)
    root = folder / "bundle/rootfs"
    assert (root / "ran").read_text() == "ran\n" and (root / "who").read_text() == "0\n" and (root / "a").read_text() == "a\n"
    assert (root / "ran").stat().st_uid == 1000


def test_it_says_what_the_place_allows(job):
    assert "chroot" in job("doctor").stdout


@pytest.mark.parametrize("options", [["--user", "1000"], ["--cap-drop", "ALL"]])
def test_without_rights_it_builds_what_needs_no_run(job, folder, options):
    (folder / "app/Dockerfile").write_text("FROM tiny\nCOPY --chown=app a /a\n")
    folder.chmod(0o755)
    env = {"SLIPWAY_ROOT": "/tmp/state"}
    options = [*options, "--tmpfs", "/tmp:mode=1777"]
    job("build", "-t", "plain", "--build-context", f"tiny=oci-layout:{folder}/tiny", folder / "app", env=env, options=options)
    (folder / "app/Dockerfile").write_text("FROM tiny\nRUN true\n")
    refused = job("build", "--build-context", f"tiny=oci-layout:{folder}/tiny", folder / "app", env=env, options=options, check=False)
    assert refused.returncode == 1 and "RUN" in refused.stderr


@deploys.needs_models
def test_it_deploys(job, folder, slipway, cloud, ecr_blobs):
    shutil.copy(ecr_blobs.ca, folder / "ca.crt")
    app = deploys.Deploying(slipway, cloud, ecr_blobs, folder)
    env = {k: v for k, v in slipway.env.items() if k.startswith(("AWS_", "SLIPWAY_")) and k != "SLIPWAY_ROOT"}
    job("deploy", "--service", app.name, app.app, env={**env, "SSL_CERT_FILE": f"{folder}/ca.crt"})
    assert app.container()["image"].startswith(f"{app.repository}@sha256:")

"""ECR of the local target by clients that are not ours: botocore with AWS's models, the aws command, skopeo, podman, docker."""
import base64
import json
import os
import select
import socket
import socketserver
import subprocess
import threading
import time

import pytest

from helpers.images import Layout, entry, make_tar, read_layout
from helpers.local_ecs import NETWORK, checked_client, container, definition
from helpers.local_target import aws, until
from helpers.peers import Docker
from helpers.serve import INDEX

LIFECYCLE = json.dumps({"rules": [{"rulePriority": 1, "description": "keep ten", "action": {"type": "expire"}, "selection": {
    "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10}}]})
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]})
ACCOUNT = "000000000000"


@pytest.fixture
def ecr(local):
    return checked_client(local, "ecr")


def refused(call, code, *words, **arguments):
    """The call fails with AWS's code and words."""
    with pytest.raises(call.__self__.exceptions.ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code, caught.value
    for word in words:
        assert word in caught.value.response["Error"]["Message"]


def password(ecr):
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    return base64.b64decode(token).decode().partition(":")[2]


def skopeo(ecr, *arguments):
    return subprocess.run(["skopeo", *[str(a) for a in arguments]], capture_output=True, text=True, check=True).stdout


def push(ecr, local, source, name):
    skopeo(ecr, "copy", "--dest-tls-verify=false", f"--dest-creds=AWS:{password(ecr)}", f"oci:{source}",
           f"docker://{local.registry}/{name}")


def make_image(folder, text):
    layout = Layout(folder)
    layout.image("latest", [make_tar([entry("file", data=text.encode())])], {"Cmd": ["/file"]})
    return folder


def test_repositories(ecr, local):
    made = ecr.create_repository(repositoryName="team/app", imageTagMutability="IMMUTABLE", tags=[{"Key": "a", "Value": "b"}],
                                 imageScanningConfiguration={"scanOnPush": True})["repository"]
    arn = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/app"
    assert made["repositoryUri"] == f"{local.registry}/team/app" and made["repositoryArn"] == arn
    assert made["registryId"] == ACCOUNT and made["imageTagMutability"] == "IMMUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": True} and made["encryptionConfiguration"] == {"encryptionType": "AES256"}
    assert abs(made["createdAt"].timestamp() - time.time()) < 60
    refused(ecr.create_repository, "RepositoryAlreadyExistsException",
            f"The repository with name 'team/app' already exists in the registry with id '{ACCOUNT}'", repositoryName="team/app")
    for bad in ("Upper", "-a", "a//b", "x" * 256):
        refused(ecr.create_repository, "InvalidParameterException", "repositoryName", repositoryName=bad)
    ecr.create_repository(repositoryName="app")
    assert [r["repositoryName"] for r in ecr.describe_repositories()["repositories"]] == ["app", "team/app"]
    assert ecr.describe_repositories(repositoryNames=["team/app"])["repositories"] == [made]
    refused(ecr.describe_repositories, "RepositoryNotFoundException", repositoryNames=["app", "nothing"])
    refused(ecr.describe_repositories, "RepositoryNotFoundException", repositoryNames=["app"], registryId="1" * 12)
    pages = ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 1})
    assert [r["repositoryName"] for page in pages for r in page["repositories"]] == ["app", "team/app"]
    local.restart()
    again = local.client("ecr")
    [same] = again.describe_repositories(repositoryNames=["team/app"])["repositories"]
    assert same == {**made, "repositoryUri": f"{local.registry}/team/app"}
    assert again.delete_repository(repositoryName="app")["repository"]["repositoryName"] == "app"
    refused(again.delete_repository, "RepositoryNotFoundException", repositoryName="app")
    assert again.describe_registry()["registryId"] == ACCOUNT


def test_policies_and_tags(ecr):
    arn = ecr.create_repository(repositoryName="app")["repository"]["repositoryArn"]
    for get, delete, put, code, text in (
            (ecr.get_lifecycle_policy, ecr.delete_lifecycle_policy, ecr.put_lifecycle_policy, "LifecyclePolicyNotFoundException",
             {"lifecyclePolicyText": LIFECYCLE}),
            (ecr.get_repository_policy, ecr.delete_repository_policy, ecr.set_repository_policy, "RepositoryPolicyNotFoundException",
             {"policyText": POLICY})):
        refused(get, code, repositoryName="app")
        put(repositoryName="app", **text)
        name, value = next(iter(text.items()))
        assert get(repositoryName="app")[name] == value
        refused(put, "InvalidParameterException", repositoryName="app", **{name: "x" * 120})
        assert delete(repositoryName="app")[name] == value
        refused(delete, code, repositoryName="app")
    refused(ecr.start_lifecycle_policy_preview, "ValidationException", "does not evaluate", repositoryName="app")
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "3"}])
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "a", "Value": "3"}, {"Key": "b", "Value": "2"}]
    ecr.untag_resource(resourceArn=arn, tagKeys=["a", "c"])
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "b", "Value": "2"}]
    refused(ecr.list_tags_for_resource, "RepositoryNotFoundException", resourceArn=arn + "x")
    refused(ecr.tag_resource, "TooManyTagsException", resourceArn=arn, tags=[{"Key": f"k{i}", "Value": ""} for i in range(50)])
    refused(ecr.create_repository, "KmsException", repositoryName="kms", encryptionConfiguration={"encryptionType": "KMS"})
    ecr.put_image_scanning_configuration(repositoryName="app", imageScanningConfiguration={"scanOnPush": True})
    assert ecr.describe_repositories()["repositories"][0]["imageScanningConfiguration"] == {"scanOnPush": True}


def test_images_of_a_push(ecr, local, tiny):
    ecr.create_repository(repositoryName="app")
    push(ecr, local, tiny, "app:v1")
    push(ecr, local, tiny, "app:v2")
    image = read_layout(tiny)
    digest = image.descriptor["digest"]
    [seen] = ecr.describe_images(repositoryName="app")["imageDetails"]
    assert seen["imageDigest"] == digest and seen["imageTags"] == ["v1", "v2"]
    assert seen["imageSizeInBytes"] == sum(d["size"] for d in image.layers) + image.manifest["config"]["size"]
    assert seen["imageManifestMediaType"] == image.manifest["mediaType"]
    assert abs(seen["imagePushedAt"].timestamp() - time.time()) < 60
    ids = [{"imageDigest": digest, "imageTag": t} for t in ("v1", "v2")]
    assert ecr.list_images(repositoryName="app")["imageIds"] == ids
    assert ecr.list_images(repositoryName="app", filter={"tagStatus": "UNTAGGED"})["imageIds"] == []
    got = ecr.batch_get_image(repositoryName="app", imageIds=[{"imageTag": "v1"}, {"imageTag": "no"}, {"imageDigest": "sha256:0"}])
    assert json.loads(got["images"][0]["imageManifest"]) == image.manifest and got["images"][0]["imageId"] == ids[0]
    assert [f["failureCode"] for f in got["failures"]] == ["ImageNotFound", "InvalidImageDigest"]
    refused(ecr.describe_images, "ImageNotFoundException", "imageTag:'no'", repositoryName="app", imageIds=[{"imageTag": "no"}])
    refused(ecr.describe_images, "RepositoryNotFoundException", repositoryName="other")
    absent = "sha256:" + "0" * 64
    layers = ecr.batch_check_layer_availability(repositoryName="app", layerDigests=[image.layers[0]["digest"], absent])["layers"]
    assert layers[0]["layerAvailability"] == "AVAILABLE" and layers[0]["layerSize"] == image.layers[0]["size"]
    assert layers[1] == {"layerDigest": absent, "layerAvailability": "UNAVAILABLE"}
    refused(ecr.describe_image_scan_findings, "ScanNotFoundException", digest, repositoryName="app",
            imageId={"imageDigest": digest})
    refused(ecr.start_image_scan, "ValidationException", "does not scan", repositoryName="app", imageId={"imageTag": "v1"})
    # What it shows is what skopeo sees.
    assert json.loads(skopeo(ecr, "inspect", "--tls-verify=false", f"--creds=AWS:{password(ecr)}",
                             f"docker://{local.registry}/app:v2"))["Digest"] == digest


def test_images_go(ecr, local, folder):
    ecr.create_repository(repositoryName="app")
    for n, tags in enumerate((("a1", "a2"), ("b1", "b2"), ("c1",))):
        for tag in tags:
            push(ecr, local, make_image(folder / f"{n}", f"image {n}"), f"app:{tag}")
    digest = {i["imageTag"]: i["imageDigest"] for i in ecr.list_images(repositoryName="app")["imageIds"]}
    refused(ecr.delete_repository, "RepositoryNotEmptyException", "still contains images", repositoryName="app")
    gone = ecr.batch_delete_image(repositoryName="app", imageIds=[{"imageTag": "a1"}, {"imageDigest": digest["b1"]}, {"imageTag": "c1"},
                                                                  {"imageTag": "none"}])
    assert gone["imageIds"] == [{"imageDigest": digest[t], "imageTag": t} for t in ("a1", "b1", "b2", "c1")]
    assert [(f["imageId"], f["failureCode"]) for f in gone["failures"]] == [({"imageTag": "none"}, "ImageNotFound")]
    [left] = ecr.describe_images(repositoryName="app")["imageDetails"]
    assert left["imageTags"] == ["a2"] and left["imageDigest"] == digest["a2"]
    ecr.delete_repository(repositoryName="app", force=True)
    ecr.create_repository(repositoryName="app")
    assert ecr.list_images(repositoryName="app")["imageIds"] == []


def test_index_and_its_images(ecr, local, folder):
    ecr.create_repository(repositoryName="app")
    layout = Layout(folder / "both")
    images = [layout.image(arch, [make_tar([entry("file", data=arch.encode())])], {}, arch=arch) for arch in ("amd64", "arm64")]
    layout.name("all", layout.blob(INDEX, json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}).encode()))
    skopeo(ecr, "copy", "--all", "--dest-tls-verify=false", f"--dest-creds=AWS:{password(ecr)}", f"oci:{folder}/both:all",
           f"docker://{local.registry}/app:both")
    seen = ecr.describe_images(repositoryName="app")["imageDetails"]
    [index] = [i for i in seen if i.get("imageTags")]
    children = [i for i in seen if not i.get("imageTags")]
    assert index["imageManifestMediaType"].endswith("index.v1+json") and len(children) == 2
    assert index["imageSizeInBytes"] == sum(i["imageSizeInBytes"] for i in children)
    for child in children:
        [failure] = ecr.batch_delete_image(repositoryName="app", imageIds=[{"imageDigest": child["imageDigest"]}])["failures"]
        assert failure["failureCode"] == "ImageReferencedByManifestList" and index["imageDigest"] in failure["failureReason"]
    digests = [{"imageDigest": i["imageDigest"]} for i in [index, *children]]
    assert ecr.batch_delete_image(repositoryName="app", imageIds=digests)["failures"] == []
    ecr.delete_repository(repositoryName="app")


def test_put_image_tags_again(ecr, local, folder):
    for name in ("app", "other"):
        ecr.create_repository(repositoryName=name)
    push(ecr, local, make_image(folder / "one", "one"), "app:v1")
    [image] = ecr.batch_get_image(repositoryName="app", imageIds=[{"imageTag": "v1"}])["images"]
    text, digest = image["imageManifest"], image["imageId"]["imageDigest"]
    put = ecr.put_image(repositoryName="app", imageManifest=text, imageTag="v2")["image"]
    assert put["imageId"] == {"imageDigest": digest, "imageTag": "v2"}
    assert ecr.describe_images(repositoryName="app")["imageDetails"][0]["imageTags"] == ["v1", "v2"]
    refused(ecr.put_image, "ImageAlreadyExistsException", digest, "'v2'", repositoryName="app", imageManifest=text, imageTag="v2")
    refused(ecr.put_image, "LayersNotFoundException", json.loads(text)["layers"][0]["digest"], repositoryName="other",
            imageManifest=text, imageTag="v1")
    refused(ecr.put_image, "ImageDigestDoesNotMatchException", repositoryName="app", imageManifest=text, imageDigest="sha256:" + "0" * 64)
    refused(ecr.put_image, "InvalidParameterException", repositoryName="app", imageManifest="{}", imageTag="v3")
    index = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        {"mediaType": image["imageManifestMediaType"], "digest": digest, "size": len(text)}]})
    refused(ecr.put_image, "ReferencedImagesNotFoundException", digest, repositoryName="other", imageManifest=index, imageTag="v1")
    ecr.put_image(repositoryName="app", imageManifest=index, imageTag="all")
    assert skopeo(ecr, "inspect", "--raw", "--tls-verify=false", f"--creds=AWS:{password(ecr)}",
                  f"docker://{local.registry}/app:all") == index


def test_tags_that_stay(ecr, local, folder):
    ecr.create_repository(repositoryName="app", imageTagMutability="IMMUTABLE")
    one, two = (make_image(folder / text, text) for text in ("one", "two"))
    push(ecr, local, one, "app:v1")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        push(ecr, local, two, "app:v1")
    assert "tag is immutable" in caught.value.stderr
    text = ecr.batch_get_image(repositoryName="app", imageIds=[{"imageTag": "v1"}])["images"][0]["imageManifest"]
    other = json.dumps(json.loads(text) | {"annotations": {"a": "b"}})
    refused(ecr.put_image, "ImageTagAlreadyExistsException", "'v1'", repositoryName="app", imageManifest=other, imageTag="v1")
    ecr.put_image_tag_mutability(repositoryName="app", imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
                                 imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "dev-*"}])
    push(ecr, local, one, "app:dev-1")
    push(ecr, local, two, "app:dev-1")
    with pytest.raises(subprocess.CalledProcessError):
        push(ecr, local, two, "app:v1")
    ecr.put_image_tag_mutability(repositoryName="app", imageTagMutability="MUTABLE")
    push(ecr, local, two, "app:v1")
    refused(ecr.put_image_tag_mutability, "InvalidParameterException", repositoryName="app", imageTagMutability="SOMETIMES")
    refused(ecr.put_image_tag_mutability, "InvalidParameterException", repositoryName="app", imageTagMutability="IMMUTABLE_WITH_EXCLUSION")


def test_only_repositories_that_were_made(ecr, local, tiny):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        push(ecr, local, tiny, "nobody/made:v1")
    assert "name unknown" in caught.value.stderr
    assert ecr.describe_repositories()["repositories"] == []
    ecr.create_repository(repositoryName="app")
    for credentials in ("AWS:wrong", f"me:{password(ecr)}"):
        done = subprocess.run(["skopeo", "copy", "--dest-tls-verify=false", f"--dest-creds={credentials}", f"oci:{tiny}",
                               f"docker://{local.registry}/app:v1"], capture_output=True, text=True, check=False)
        assert done.returncode and "unauthorized" in done.stderr.lower()


@pytest.mark.slow  # most of its time is the aws command's own; botocore asks the sanitized binary the same
def test_login_of_the_aws_command(local, tiny, folder, podman):
    """aws ecr get-login-password | podman login, push, and another name for the same image pulled again."""
    aws(local, "ecr", "create-repository", "--repository-name", "cli/app")
    secret = aws(local, "ecr", "get-login-password", text=True)
    auth = ["--authfile", folder / "auth.json", "--tls-verify=false"]
    subprocess.run(["skopeo", "login", *auth, "-u", "AWS", "--password-stdin", local.registry], input=secret.encode(), check=True)
    subprocess.run(["skopeo", "copy", "--dest-authfile", folder / "auth.json", "--dest-tls-verify=false", f"oci:{tiny}",
                    f"docker://{local.registry}/cli/app:v1"], check=True)
    [seen] = aws(local, "ecr", "describe-images", "--repository-name", "cli/app")["imageDetails"]
    assert seen["imageTags"] == ["v1"] and seen["imageDigest"] == read_layout(tiny).descriptor["digest"]
    subprocess.run([*podman, "pull", "-q", *auth, f"{local.registry}/cli/app:v1"], check=True)
    subprocess.run([*podman, "push", "-q", *auth, f"{local.registry}/cli/app:v1", f"{local.registry}/cli/app:v2"], check=True)
    tags = aws(local, "ecr", "list-images", "--repository-name", "cli/app", "--query", "imageIds[].imageTag")
    assert sorted(tags) == ["v1", "v2"]
    aws(local, "ecr", "batch-delete-image", "--repository-name", "cli/app", "--image-ids", "imageTag=v2")
    aws(local, "ecr", "delete-repository", "--repository-name", "cli/app", "--force")
    assert aws(local, "ecr", "describe-repositories")["repositories"] == []


class Counter(socketserver.ThreadingTCPServer):
    """Leads connections to a port, and counts the bytes that go there."""
    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), self.relay)
        self.target, self.port, self.sent = port, self.server_address[1], 0
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def relay(self, connection, _, __):
        with socket.create_connection(("127.0.0.1", self.target)) as there:
            pairs = {connection: there, there: connection}
            while True:
                for ready in select.select(list(pairs), [], [], 30)[0]:
                    data = ready.recv(1 << 20)
                    if not data:
                        return
                    if ready is connection:
                        self.sent += len(data)
                    pairs[ready].sendall(data)


@pytest.fixture
def counter(local):
    with Counter(local.port) as made:
        yield made
        made.shutdown()


def test_nothing_is_uploaded_that_is_there(ecr, local, slipway, build, counter, folder):
    """The registry and slipway share one store: a push sends no layer, whether or not a repository shows it already."""
    ecr.create_repository(repositoryName="app")
    slipway("login", "-u", "AWS", "--password-stdin", local.registry, stdin=password(ecr)).ok()
    data = os.urandom(20 << 20)
    build("FROM tiny\nCOPY data /data\n", {"data": data}, "-t", f"{local.registry}/app:v1")
    slipway.env["SLIPWAY_CONNECT_TO"] = f"127.0.0.1:{local.port}:127.0.0.1:{counter.port}"
    pushed = slipway("push", f"{local.registry}/app:v1").ok()
    assert "the registry's own store" in pushed.err
    assert 0 < counter.sent < 20_000
    [seen] = ecr.describe_images(repositoryName="app")["imageDetails"]
    assert seen["imageSizeInBytes"] > len(data)
    # What the repository shows outlives its name in the store, and prune.
    slipway("rmi", f"{local.registry}/app:v1").ok()
    slipway("prune", "--all", "--force", "--grace=0s").ok()
    skopeo(ecr, "copy", "--src-tls-verify=false", f"--src-creds=AWS:{password(ecr)}", f"docker://{local.registry}/app:v1",
           f"oci:{folder}/back:v1")
    read_layout(folder / "back").verify()


def test_docker(ecr, local, tiny, tmp_path):
    docker = Docker(tmp_path)
    try:
        ecr.create_repository(repositoryName="app")
        docker.add(tiny, "tiny")
        docker("login", "-u", "AWS", "-p", password(ecr), local.registry)
        docker("tag", "tiny", f"{local.registry}/app:v1")
        docker("push", f"{local.registry}/app:v1")
        [seen] = ecr.describe_images(repositoryName="app")["imageDetails"]
        assert seen["imageTags"] == ["v1"]
        docker("rmi", "tiny", f"{local.registry}/app:v1")
        assert f"Digest: {seen['imageDigest']}" in docker("pull", f"{local.registry}/app:v1")
        docker("logout", local.registry)
    finally:
        docker.stop()


def test_prune_keeps_what_a_task_is_made_of(local, slipway, build):
    """An image that lost its name while a task of it runs goes when the task has ended."""
    ecs = local.client("ecs")
    image = build("FROM tiny\nCOPY data /data\n", {"data": os.urandom(100_000)}, "-t", "app").image
    layer = slipway.root / "blobs/sha256" / image.layers[-1]["digest"].removeprefix("sha256:")
    ecs.create_cluster(clusterName="default")
    ecs.register_task_definition(**definition("app", [container(image="app", command=["sleep", "600"], portMappings=[])]))
    task = ecs.run_task(taskDefinition="app", launchType="FARGATE", networkConfiguration=NETWORK)["tasks"][0]["taskArn"]

    def status():
        return ecs.describe_tasks(tasks=[task])["tasks"][0]["lastStatus"]

    until(lambda: status() == "RUNNING", what="the task runs")
    slipway("rmi", "app", "t1").ok()
    slipway("prune", "--all", "--force", "--grace=0s").ok()
    assert layer.exists() and status() == "RUNNING"
    ecs.stop_task(task=task)
    until(lambda: status() == "STOPPED", what="the task has stopped")
    until(lambda: slipway("prune", "--all", "--force", "--grace=0s").ok() and not layer.exists(), what="the layer goes")

"""ECR's control plane; the blobs are in a registry of the test's, which images() and image() look at."""
import base64
import datetime
import json

from .errors import Error

PASSWORD = "ecr-password"


class Ecr:
    def __init__(self, cloud):
        self.cloud, self.repositories, self.tags, self.registry = cloud, {}, {}, None

    @property
    def host(self):
        return f"{self.cloud.account}.dkr.ecr.{self.cloud.region}.amazonaws.com"

    def has(self, repository, reference):
        """Whether the data plane holds the manifest; None when nobody gave it one."""
        if self.registry is None:
            return None
        return self.registry.request(f"/v2/{repository}/manifests/{reference}", headers={"Accept": (
            "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
            "application/vnd.docker.distribution.manifest.v2+json")})[0] == 200

    def _repository(self, name, registry=None):
        if name not in self.repositories or registry not in (None, self.cloud.account):
            raise Error("RepositoryNotFoundException", f"The repository with name '{name}' does not exist in the registry with id "
                        f"'{self.cloud.account}'")
        return self.repositories[name]

    def create_repository(self, p):
        name = p["repositoryName"]
        if name in self.repositories:
            raise Error("RepositoryAlreadyExistsException", f"The repository with name '{name}' already exists in the registry with "
                        f"id '{self.cloud.account}'")
        arn = self.cloud.arn("ecr", f"repository/{name}")
        self.repositories[name] = {
            "repositoryArn": arn, "registryId": self.cloud.account, "repositoryName": name, "createdAt": self.cloud.clock.now(),
            "repositoryUri": f"{self.host}/{name}", "imageTagMutability": p.get("imageTagMutability", "MUTABLE"),
            "imageScanningConfiguration": {"scanOnPush": p.get("imageScanningConfiguration", {}).get("scanOnPush", False)},
            "encryptionConfiguration": p.get("encryptionConfiguration", {"encryptionType": "AES256"})}
        self.tags[arn] = {t["Key"]: t["Value"] for t in p.get("tags", [])}
        return {"repository": self.repositories[name]}

    def describe_repositories(self, p):
        if "repositoryNames" in p:
            return {"repositories": [self._repository(n, p.get("registryId")) for n in p["repositoryNames"]]}
        return {"repositories": list(self.repositories.values())}

    def delete_repository(self, p):
        repository = self._repository(p["repositoryName"], p.get("registryId"))
        if not p.get("force") and self._tags(p["repositoryName"]):
            raise Error("RepositoryNotEmptyException", f"The repository with name '{p['repositoryName']}' in registry with id "
                        f"'{self.cloud.account}' cannot be deleted because it still contains images")
        del self.repositories[p["repositoryName"]]
        self.tags.pop(repository["repositoryArn"])
        return {"repository": repository}

    def _tags(self, name):
        if self.registry is None:
            return []
        status, _, body = self.registry.request(f"/v2/{name}/tags/list")
        if status != 200:
            return []
        return json.loads(body)["tags"] or []

    def describe_images(self, p):
        name = p["repositoryName"]
        self._repository(name, p.get("registryId"))
        found = []
        for tag in self._tags(name):
            headers = self.registry.request(f"/v2/{name}/manifests/{tag}", headers={
                "Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"})[1]
            found.append({"registryId": self.cloud.account, "repositoryName": name, "imageTags": [tag],
                          "imageDigest": headers["Docker-Content-Digest"], "imagePushedAt": self.cloud.clock.now()})
        wanted = p.get("imageIds")
        if wanted:
            chosen = [i for i in found if any(w.get("imageTag") in (None, i["imageTags"][0]) and
                                              w.get("imageDigest") in (None, i["imageDigest"]) for w in wanted)]
            if len(chosen) < len(wanted):
                raise Error("ImageNotFoundException", f"The image with imageId {wanted} does not exist within the repository with "
                            f"name '{name}' in the registry with id '{self.cloud.account}'")
            found = chosen
        return {"imageDetails": found}

    def list_images(self, p):
        return {"imageIds": [{"imageTag": i["imageTags"][0], "imageDigest": i["imageDigest"]}
                             for i in self.describe_images(p)["imageDetails"]]}

    def get_authorization_token(self, _):
        token = base64.b64encode(f"AWS:{PASSWORD}".encode()).decode()
        # A token lives by the real clock, as the one who holds it does.
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=12)
        return {"authorizationData": [{"authorizationToken": token, "expiresAt": until, "proxyEndpoint": f"https://{self.host}"}]}

    def _tagged(self, arn):
        if arn not in self.tags:
            raise Error("RepositoryNotFoundException", f"The repository {arn} does not exist")
        return self.tags[arn]

    def list_tags_for_resource(self, p):
        return {"tags": [{"Key": k, "Value": v} for k, v in self._tagged(p["resourceArn"]).items()]}

    def tag_resource(self, p):
        self._tagged(p["resourceArn"]).update({t["Key"]: t["Value"] for t in p["tags"]})

    def put_lifecycle_policy(self, p):
        self._repository(p["repositoryName"])
        return {"repositoryName": p["repositoryName"], "lifecyclePolicyText": p["lifecyclePolicyText"]}

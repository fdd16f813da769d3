"""slipway deploy against the scripted AWS of tests/fakes/aws_cloud, the blobs in docker-registry under ECR's own name."""
import itertools
import json
import pathlib
import sys

import pytest

from helpers.registry import Registry

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
pytest.importorskip("botocore")
from fakes.aws_cloud import models  # noqa: E402
from fakes.aws_cloud.cloud import ACCOUNT, REGION, Cloud  # noqa: E402
from fakes.aws_cloud.ecr import PASSWORD  # noqa: E402

HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret/with+odd=characters"}
TAGS = {"slipway:app", "slipway:made-by"}
# An app whose file is a program to whoever only looks: it never runs.
DOCKERFILE = "FROM scratch\nCOPY --chmod=755 app /app\nEXPOSE 3000\nENTRYPOINT [\"/app\"]\n"
PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00\x01\x00\x00\x00" + bytes(40)
NUMBERS = itertools.count(1)

needs_models = pytest.mark.skipif(not models.recent(), reason="needs: AWS's service models of 2024 or newer (./dev test installs them)")


def start_registry(folder):
    """The data plane: one for the session."""
    return Registry(folder, user="AWS", password=PASSWORD, names=[HOST])


class Deploying:
    """An app in a folder of its own name, and slipway with an account to deploy it to."""

    def __init__(self, slipway, cloud, registry, folder):
        self.slipway, self.cloud, self.registry = slipway, cloud, registry
        cloud.ecr.registry = registry
        # Of its own name for each test: the registry is everybody's.
        self.name = f"app{next(NUMBERS)}-{registry.port}"
        self.app = pathlib.Path(folder) / self.name
        self.app.mkdir()
        self.write()
        slipway.env.update({
            **KEYS, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": cloud.url, "AWS_EC2_METADATA_DISABLED": "true",
            "SLIPWAY_CONNECT_TO": f"{HOST}:443:127.0.0.1:{registry.port}", "SSL_CERT_FILE": str(registry.ca),
            "SLIPWAY_TEST_POLL_MS": "1", "SLIPWAY_TEST_RETRY_MS": "1"})

    @property
    def repository(self):
        return f"{HOST}/{self.name}"

    def write(self, content=b"", dockerfile=DOCKERFILE):
        """Another content is another image."""
        (self.app / "Dockerfile").write_text(dockerfile)
        (self.app / "app").write_bytes(PROGRAM + content)

    def __call__(self, *arguments, **options):
        return self.slipway("deploy", *arguments, self.app, **options)

    def json(self, *arguments):
        """The object that a deploy that went well prints."""
        return json.loads(self("--json", *arguments).ok().out)

    def start(self, *arguments, **options):
        return self.slipway.start("deploy", *arguments, self.app, **options)

    def service(self, *arguments, **options):
        """As a service of the app's name."""
        return self("--service", self.name, *arguments, **options)

    def definitions(self):
        return [d for d, _ in self.cloud.ecs.definitions.get(self.name, [])]

    def container(self, revision=-1):
        return self.definitions()[revision]["containerDefinitions"][0]

    def pushes(self, since):
        """Requests that changed the registry."""
        return [r for r in self.registry.requests(since) if r[0] not in ("GET", "HEAD")]

    def of_service(self, name=None):
        return self.cloud.ecs.services["default", name or self.name]

    def everything(self):
        """{what and name: its tags} of all that there is in the account and that a deploy may make."""
        cloud, found = self.cloud, {}
        for arn, tags in cloud.ecr.tags.items():
            found["repository " + arn.partition("repository/")[2]] = tags
        for name, c in cloud.ecs.clusters.items():
            if c["status"] == "ACTIVE":
                found["cluster " + name] = {t["key"]: t["value"] for t in c["tags"]}
        for (_, name), s in cloud.ecs.services.items():
            if s.data["status"] == "ACTIVE":
                found["service " + name] = {t["key"]: t["value"] for t in s.data["tags"]}
        for name, role in cloud.iam.roles.items():
            found["role " + name] = role["tags"]
        for arn, tags in cloud.logs.tags.items():
            found["log group " + arn.partition("log-group:")[2]] = tags
        for g in cloud.ec2.groups.values():
            found[f"security group {g['GroupName']} of {g['VpcId']}"] = {t["Key"]: t["Value"] for t in g["Tags"]}
        for b in (*cloud.elbv2.balancers.values(), *cloud.elbv2.groups.values()):
            arn = b.get("LoadBalancerArn", b.get("TargetGroupArn"))
            found[arn.partition(":")[2].rpartition(":")[2].rpartition("/")[0]] = cloud.elbv2.tags[arn]
        for family, revisions in cloud.ecs.definitions.items():
            for stored, tags in revisions:
                if stored["status"] == "ACTIVE":
                    found[f"task definition {family}:{stored['revision']}"] = {t["key"]: t["value"] for t in tags}
        return found


def made_by_slipway(tags, name):
    return tags.get("slipway:app") == name and tags.get("slipway:made-by") == "slipway"


def first_lines(text, n=12):
    return "\n".join(text.splitlines()[:n])


def make_cloud():
    return Cloud(seconds_per_call=1)

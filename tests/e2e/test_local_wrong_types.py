"""Members of other types than AWS's models have them: each operation refuses them in AWS's shape, or does without; nothing breaks."""
import http.client
import json

import pytest

from helpers.local_target import LocalTarget

WRONG = [None, True, -1, 1.5, 1 << 62, "", "x", "\x00", "\u2603" * 300, [], [None], [1], ["x"], [[]], [{}], {}, {"x": None}, {"x": {"x": []}}]
TARGETS = {"ecr": "AmazonEC2ContainerRegistry_V20150921", "logs": "Logs_20140328", "ecs": "AmazonEC2ContainerServiceV20141113",
           "application-autoscaling": "AnyScaleFrontendService", "secretsmanager": "secretsmanager", "ssm": "AmazonSSM"}
# A thing of each kind is there, so that what comes after the first look-up is reached.
KNOWN = {"repositoryName": "app", "logGroupName": "/g", "logStreamName": "s", "cluster": "default", "taskDefinition": "app", "family": "app",
         "service": "web", "imageIds": [{"imageTag": "v1"}], "SecretId": "secret", "Name": "/name", "imageId": {"imageTag": "v1"}}


def post(local, service, operation, body):
    connection = http.client.HTTPConnection("127.0.0.1", local.port, timeout=30)
    scope = f"20260101/us-east-1/{service}/aws4_request"
    connection.request("POST", "/", json.dumps(body), {
        "X-Amz-Target": f"{TARGETS[service]}.{operation}", "Content-Type": "application/x-amz-json-1.1", "X-Amz-Date": "20260101T000000Z",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=AKIA/{scope}, SignedHeaders=host, Signature=0"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


def make_things(local):
    local.client("ecr").create_repository(repositoryName="app")
    logs = local.client("logs")
    logs.create_log_group(logGroupName="/g")
    logs.create_log_stream(logGroupName="/g", logStreamName="s")
    ecs = local.client("ecs")
    ecs.create_cluster(clusterName="default")
    ecs.register_task_definition(family="app", containerDefinitions=[{"name": "a", "image": "a"}], cpu="256", memory="512",
                                 networkMode="awsvpc", requiresCompatibilities=["FARGATE"])


@pytest.mark.parametrize("service", TARGETS)
def test_wrong_types(slipway, service):
    local = LocalTarget(slipway, "--no-auth")
    try:
        make_things(local)
        client = local.client(service)
        known = post(local, service, "NoSuchOperation", {})[1].decode()
        operations = [o for o in client.meta.service_model.operation_names if o in known]
        assert len(operations) > 3, known
        for operation in operations:
            shape = client.meta.service_model.operation_model(operation).input_shape
            members = list(shape.members) if shape else []
            base = {name: KNOWN[name] for name in members if name in KNOWN}
            for body in [[], None, "x", 1, *({**base, name: value} for name in members for value in WRONG)]:
                status, text = post(local, service, operation, body)
                assert status == 200 or (status == 400 and json.loads(text)["__type"]), f"{operation} {body}: {status} {text}"
                if status == 200 and operation.startswith("Delete"):
                    make_again(local)
        assert "Sanitizer" not in local.log() and "runtime error" not in local.log()
    finally:
        assert local.stop() == 0, local.log()


def make_again(local):
    """What a deletion took away."""
    for service, operation, body in (
            ("ecr", "CreateRepository", {"repositoryName": "app"}), ("logs", "CreateLogGroup", {"logGroupName": "/g"}),
            ("logs", "CreateLogStream", {"logGroupName": "/g", "logStreamName": "s"})):
        post(local, service, operation, body)

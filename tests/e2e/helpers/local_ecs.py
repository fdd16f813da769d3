"""ECS of a local target as a foreign client sees it: every answer is held against AWS's own model, member by member."""
import contextlib
import json

import botocore.exceptions

from helpers.local_target import models

# Ours, in services and tasks: clients drop members that they do not know.
OWN = {"slipway"}
KINDS = {"string": str, "integer": int, "long": int, "boolean": bool, "timestamp": (int, float), "double": (int, float), "float": (int, float)}


def hold_against(shape, value, where):
    """Everything in a JSON answer is a member that the model knows, of its type, and of its words."""
    if shape.type_name == "structure":
        assert isinstance(value, dict), where
        for name, member in value.items():
            if name not in OWN:
                assert name in shape.members, f"{where}: AWS has no {name}"
                hold_against(shape.members[name], member, f"{where}.{name}")
    elif shape.type_name == "list":
        assert isinstance(value, list), where
        for i, member in enumerate(value):
            hold_against(shape.member, member, f"{where}[{i}]")
    elif shape.type_name == "map":
        assert isinstance(value, dict), where
        for name, member in value.items():
            hold_against(shape.value, member, f"{where}.{name}")
    else:
        assert isinstance(value, KINDS[shape.type_name]), f"{where}: {value!r} is no {shape.type_name}"
        assert isinstance(value, bool) == (shape.type_name == "boolean"), where
        allowed = shape.metadata.get("enum")
        assert not allowed or value in allowed, f"{where}: {value!r} is none of {allowed}"


def checked_client(local, service, **config):
    """A botocore client whose answers are all looked at."""
    client = local.client(service, **config)

    def look(http_response, model, **_):
        if http_response.status_code == 200:
            assert not model.output_shape or http_response.content, model.name
            if model.output_shape:
                hold_against(model.output_shape, json.loads(http_response.content), model.name)

    client.meta.events.register(f"after-call.{client.meta.service_model.service_id.hyphenize()}",
                                lambda http_response, model, **more: look(http_response, model, **more))
    return client


@contextlib.contextmanager
def refused(code, words=""):
    """What is done inside is refused with that code, and with those words in the message."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        told = error.response["Error"]
        assert told["Code"] == code and words in told["Message"], told
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    else:
        raise AssertionError(f"not refused with {code}")


def container(**more):
    return {"name": "web", "image": "web:1", "essential": True, "portMappings": [{"containerPort": 3000}], **more}


def definition(family="web", containers=None, **more):
    return {"family": family, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "containerDefinitions": containers or [container()], **more}


NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-0510ca1000000000a"], "assignPublicIp": "ENABLED"}}
__all__ = ["NETWORK", "checked_client", "container", "definition", "hold_against", "models", "refused"]

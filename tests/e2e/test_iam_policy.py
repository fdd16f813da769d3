"""slipway iam-policy: actions that exist, of the repositories that were named, and not more."""
import json

import pytest

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
# AWS, "IAM permissions for pushing an image to an Amazon ECR private repository", and what reading a blob needs.
PUSH = {"CompleteLayerUpload", "UploadLayerPart", "InitiateLayerUpload", "BatchCheckLayerAvailability", "PutImage",
        "BatchGetImage", "GetDownloadUrlForLayer"}


def policy(slipway, *arguments):
    document = json.loads(slipway("iam-policy", "push", *arguments).ok().out)
    assert document["Version"] == "2012-10-17"
    assert all(set(s) == {"Sid", "Effect", "Action", "Resource"} and s["Effect"] == "Allow" for s in document["Statement"])
    assert len({s["Sid"] for s in document["Statement"]}) == len(document["Statement"])
    return [(set(s["Action"]), s["Resource"]) for s in document["Statement"]]


def test_a_repository(slipway):
    arn = "arn:aws:ecr:eu-west-1:123456789012:repository/team/app"
    assert policy(slipway, f"{HOST}/team/app:1") == [({"ecr:GetAuthorizationToken"}, "*"), ({f"ecr:{a}" for a in PUSH}, [arn])]
    assert policy(slipway, "--create-repo", f"{HOST}/team/app")[2] == ({"ecr:CreateRepository"}, [arn])


def test_several(slipway):
    statements = policy(slipway, f"{HOST}/a:1", f"{HOST}/a:2", f"{HOST}/b", "public.ecr.aws/alias/team/app", "--create-repo")
    assert statements[1][1] == [f"arn:aws:ecr:eu-west-1:123456789012:repository/{name}" for name in "ab"]
    assert ({"ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"}, "*") in statements
    assert ({"ecr-public:CreateRepository"}, ["arn:aws:ecr-public::*:repository/team/app"]) in statements


@pytest.mark.parametrize("host, start", [
    ("cn-north-1.amazonaws.com.cn", "arn:aws-cn:ecr:cn-north-1:"), ("us-gov-west-1.amazonaws.com", "arn:aws-us-gov:ecr:us-gov-west-1:"),
    ("us-iso-east-1.c2s.ic.gov", "arn:aws-iso:ecr:"), ("us-isob-east-1.sc2s.sgov.gov", "arn:aws-iso-b:ecr:"),
    ("eusc-de-east-1.amazonaws.eu", "arn:aws-eusc:ecr:"),
])
def test_partitions(slipway, host, start):
    """The names are those of botocore's own list of partitions."""
    arn = policy(slipway, f"123456789012.dkr.ecr.{host}/a")[1][1][0]
    assert arn.startswith(start)
    session = pytest.importorskip("botocore.session").get_session()
    if arn.split(":")[1] in session.get_available_partitions():
        assert session.get_partition_for_region(arn.split(":")[3]) == arn.split(":")[1]


def test_actions_are_operations_of_the_services(slipway):
    """Two are no operation by name: a part of the layer protocol, and a right that STS knows alone."""
    session = pytest.importorskip("botocore.session").get_session()
    for actions, _ in policy(slipway, f"{HOST}/a", "public.ecr.aws/alias/a", "--create-repo"):
        for service, operation in (action.split(":") for action in actions):
            assert (service, operation) == ("sts", "GetServiceBearerToken") or \
                operation in session.get_service_model(service).operation_names


def test_refusals(slipway):
    slipway("iam-policy", "push", "docker.io/library/debian").fails("not at ECR", code=2)
    slipway("iam-policy", "pull", f"{HOST}/a").fails("is no command", "push", code=2)
    slipway("iam-policy", "push").fails("at least 1", code=2)

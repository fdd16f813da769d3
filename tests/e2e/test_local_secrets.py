"""Secrets Manager and Parameter Store of the local shared_local, as botocore sees them: values, versions, what is refused, what lies on the disk."""
import stat

import pytest

exceptions = pytest.importorskip("botocore.exceptions")


@pytest.fixture
def secrets(shared_local):
    return shared_local.client("secretsmanager")


@pytest.fixture
def ssm(shared_local):
    return shared_local.client("ssm")


def refused(code, call, match="", **params):
    with pytest.raises(exceptions.ClientError, match=match) as caught:
        call(**params)
    assert caught.value.response["Error"]["Code"] == code, caught.value


def test_secret_and_its_names(secrets):
    made = secrets.create_secret(Name="app/db", SecretString="hunter1", Description="d", Tags=[{"Key": "a", "Value": "b"}])
    assert made["ARN"][:-6] == "arn:aws:secretsmanager:us-east-1:000000000000:secret:app/db-"
    for name in (made["ARN"], made["ARN"][:-7], "app/db"):
        got = secrets.get_secret_value(SecretId=name)
        assert (got["SecretString"], got["VersionId"], got["VersionStages"]) == ("hunter1", made["VersionId"], ["AWSCURRENT"])
    refused("ResourceExistsException", secrets.create_secret, Name="app/db", SecretString="x", match="the secret app/db already exists")
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="app/d", match="can't find the specified secret")
    described = secrets.describe_secret(SecretId="app/db")
    assert "SecretString" not in described and described["VersionIdsToStages"] == {made["VersionId"]: ["AWSCURRENT"]}
    assert described["Tags"] == [{"Key": "a", "Value": "b"}] and described["Description"] == "d"


def test_versions_of_a_secret(secrets):
    first = secrets.create_secret(Name="versions", SecretString="hunter1")["VersionId"]
    second = secrets.put_secret_value(SecretId="versions", SecretString="hunter2")["VersionId"]
    assert secrets.get_secret_value(SecretId="versions")["SecretString"] == "hunter2"
    assert secrets.get_secret_value(SecretId="versions", VersionStage="AWSPREVIOUS")["SecretString"] == "hunter1"
    assert secrets.get_secret_value(SecretId="versions", VersionId=first)["SecretString"] == "hunter1"
    third = secrets.update_secret(SecretId="versions", SecretString="hunter3", Description="new")["VersionId"]
    assert secrets.describe_secret(SecretId="versions")["VersionIdsToStages"] == {second: ["AWSPREVIOUS"], third: ["AWSCURRENT"]}
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="versions", VersionId=first, match="for VersionId")
    token = "0123456789abcdef0123456789abcdef"
    again = [secrets.put_secret_value(SecretId="versions", SecretString="hunter4", ClientRequestToken=token)["VersionId"] for _ in range(2)]
    assert again == [token, token] and secrets.get_secret_value(SecretId="versions", VersionStage="AWSPREVIOUS")["VersionId"] == third
    refused("ResourceExistsException", secrets.put_secret_value, SecretId="versions", SecretString="other", ClientRequestToken=token)


def test_binary_secrets_and_limits(secrets):
    secrets.create_secret(Name="binary", SecretBinary=b"\x00\xff" * 100)
    assert secrets.get_secret_value(SecretId="binary")["SecretBinary"] == b"\x00\xff" * 100
    secrets.create_secret(Name="empty")
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="empty", match="for staging label: AWSCURRENT")
    refused("InvalidParameterException", secrets.create_secret, Name="both", SecretString="a", SecretBinary=b"b")
    refused("InvalidParameterException", secrets.create_secret, Name="large", SecretString="a" * 65537)
    secrets.create_secret(Name="largest", SecretString="a" * 65536)
    refused("ValidationException", secrets.create_secret, Name="with space", SecretString="a")


def test_deletion_of_a_secret(secrets):
    arn = secrets.create_secret(Name="doomed", SecretString="hunter1")["ARN"]
    secrets.delete_secret(SecretId="doomed", RecoveryWindowInDays=7)
    refused("InvalidRequestException", secrets.get_secret_value, SecretId=arn, match="marked for deletion")
    refused("InvalidRequestException", secrets.create_secret, Name="doomed", SecretString="x", match="scheduled for deletion")
    assert "doomed" not in {s["Name"] for s in secrets.list_secrets()["SecretList"]}
    secrets.restore_secret(SecretId="doomed")
    assert secrets.get_secret_value(SecretId="doomed")["SecretString"] == "hunter1"
    secrets.delete_secret(SecretId="doomed", ForceDeleteWithoutRecovery=True)
    refused("ResourceNotFoundException", secrets.describe_secret, SecretId="doomed")
    refused("InvalidParameterException", secrets.delete_secret, SecretId="versions", RecoveryWindowInDays=3, match="between 7 and 30")


def test_list_of_secrets(secrets):
    for n in range(5):
        secrets.create_secret(Name=f"list/{n}", SecretString="hunter")
    by_name = [{"Key": "name", "Values": ["list/"]}]
    pages = secrets.get_paginator("list_secrets").paginate(Filters=by_name, PaginationConfig={"PageSize": 2})
    assert [[s["Name"] for s in page["SecretList"]] for page in pages] == [["list/0", "list/1"], ["list/2", "list/3"], ["list/4"]]
    refused("InvalidParameterException", secrets.list_secrets, Filters=[{"Key": "tag-key", "Values": ["a"]}], match="by name alone")


def test_parameters(ssm):
    assert ssm.put_parameter(Name="/app/key", Value="hunter1", Type="SecureString")["Version"] == 1
    refused("ParameterAlreadyExists", ssm.put_parameter, Name="/app/key", Value="x", Type="SecureString")
    assert ssm.put_parameter(Name="/app/key", Value="hunter2", Overwrite=True)["Version"] == 2
    plain = ssm.get_parameter(Name="/app/key", WithDecryption=True)["Parameter"]
    assert (plain["Value"], plain["Type"], plain["Version"]) == ("hunter2", "SecureString", 2)
    assert plain["ARN"] == "arn:aws:ssm:us-east-1:000000000000:parameter/app/key"
    assert "hunter" not in ssm.get_parameter(Name="/app/key")["Parameter"]["Value"]
    assert ssm.get_parameter(Name=plain["ARN"] + ":2", WithDecryption=True)["Parameter"]["Value"] == "hunter2"
    refused("ParameterVersionNotFound", ssm.get_parameter, Name="/app/key:1")
    refused("ParameterNotFound", ssm.get_parameter, Name="/app/none")
    ssm.put_parameter(Name="plain", Value="v", Type="String", Tags=[{"Key": "a", "Value": "b"}])
    assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="plain")["TagList"] == [{"Key": "a", "Value": "b"}]
    got = ssm.get_parameters(Names=["plain", "/app/key", "none"], WithDecryption=True)
    assert {p["Name"]: p["Value"] for p in got["Parameters"]} == {"plain": "v", "/app/key": "hunter2"} and got["InvalidParameters"] == ["none"]
    assert ssm.get_parameter(Name="arn:aws:ssm:us-east-1:000000000000:parameter/plain")["Parameter"]["Value"] == "v"


def test_parameters_by_path_and_filter(ssm):
    for name in ("/tree/a", "/tree/b", "/tree/deep/c", "/treetop"):
        ssm.put_parameter(Name=name, Value="v", Type="String")
    assert [p["Name"] for p in ssm.get_parameters_by_path(Path="/tree")["Parameters"]] == ["/tree/a", "/tree/b"]
    assert len(ssm.get_parameters_by_path(Path="/tree/", Recursive=True)["Parameters"]) == 3
    pages = ssm.get_paginator("describe_parameters").paginate(
        ParameterFilters=[{"Key": "Name", "Option": "BeginsWith", "Values": ["/tree/"]}], PaginationConfig={"PageSize": 2})
    shown = [p for page in pages for p in page["Parameters"]]
    assert [p["Name"] for p in shown] == ["/tree/a", "/tree/b", "/tree/deep/c"] and not any("Value" in p for p in shown)
    assert ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": ["/treetop"]}])["Parameters"][0]["Name"] == "/treetop"
    assert ssm.delete_parameters(Names=["/tree/a", "/tree/none"])["DeletedParameters"] == ["/tree/a"]
    ssm.delete_parameter(Name="/tree/b")
    refused("ParameterNotFound", ssm.delete_parameter, Name="/tree/b")


@pytest.mark.parametrize("params, code", [
    ({"Name": "a/b", "Value": "v", "Type": "String"}, "ValidationException"), ({"Name": "/a b", "Value": "v", "Type": "String"}, "ValidationException"),
    ({"Name": "aws-x", "Value": "v", "Type": "String"}, "AccessDeniedException"),
    ({"Name": "/" + "/".join("x" * 16), "Value": "v", "Type": "String"}, "HierarchyLevelLimitExceededException"),
    ({"Name": "no-type", "Value": "v"}, "ValidationException"), ({"Name": "wrong-type", "Value": "v", "Type": "Secret"}, "ValidationException"),
    ({"Name": "large", "Value": "v" * 4097, "Type": "String"}, "ValidationException"),
    ({"Name": "pattern", "Value": "v", "Type": "String", "AllowedPattern": "x"}, "ValidationException")])
def test_parameters_that_are_none(ssm, params, code):
    refused(code, ssm.put_parameter, **params)


def test_values_are_their_owners_alone_and_outlive_kill_9(shared_local):
    shared_local.client("secretsmanager").create_secret(Name="kept", SecretString="hunter9")
    shared_local.client("ssm").put_parameter(Name="/kept", Value="hunter9", Type="SecureString")
    shared_local.kill()
    holding = [p for p in shared_local.run.root.rglob("*") if p.is_file() and b"hunter9" in p.read_bytes()]
    assert len(holding) == 2
    for path in holding:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert all(stat.S_IMODE(path.parents[n].stat().st_mode) & 0o077 == 0 for n in range(3))
    shared_local.start()
    assert shared_local.client("secretsmanager").get_secret_value(SecretId="kept")["SecretString"] == "hunter9"
    assert shared_local.client("ssm").get_parameter(Name="/kept", WithDecryption=True)["Parameter"]["Value"] == "hunter9"
    assert "hunter" not in shared_local.log()

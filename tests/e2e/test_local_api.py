"""The operations of the local target's API as foreign clients see them: botocore's parsers with AWS's models, and the aws command."""
import concurrent.futures
import datetime
import json
import pathlib
import re

import pytest

from helpers.local_target import aws

pytest.importorskip("botocore.auth")
from helpers.local_api import flip, refused, send, signed, with_host  # noqa: E402

ACCOUNT = "000000000000"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
WEB_TRUST = json.dumps({"Version": "2012-10-17", "Statement": {
    "Effect": "Allow", "Principal": {"Federated": "token.actions.githubusercontent.com"}, "Action": ["sts:AssumeRoleWithWebIdentity"]}})
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"}]})
EXECUTION = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


def test_what_does_not_exist_is_listed(shared_local):
    headers, body = signed(shared_local, ("ecs", "AmazonEC2ContainerServiceV20141113.DiscoverPollEndpoint", "{}"))
    status, text = send(shared_local, {**headers, "Host": shared_local.registry}, body)
    assert status == 400 and json.loads(text)["__type"] == "UnknownOperationException" and "RegisterTaskDefinition" in text
    refused("InvalidAction", shared_local.client("iam").list_users, match="CreateRole")
    refused("InvalidAction", shared_local.client("ec2").run_instances, MinCount=1, MaxCount=1, match="DescribeVpcs")
    refused("InvalidAction", shared_local.client("elbv2").create_load_balancer, Name="x", match="each service has an address of its own")
    refused("NotImplemented", shared_local.client("s3").list_buckets, match="GET / of s3: the local target has sts")
    refused("UnknownOperationException", shared_local.client("lambda").list_functions, match="functions/? of lambda")


TARGETS = {"ecr": "AmazonEC2ContainerRegistry_V20150921", "ecs": "AmazonEC2ContainerServiceV20141113", "logs": "Logs_20140328",
           "application-autoscaling": "AnyScaleFrontendService"}
FORMS = {"iam": "2010-05-08", "ec2": "2016-11-15"}
# No calls but rights, what a client of the registry does not call, and what is done with --lb and --express alone.
NOT_CALLED = {"iam:PassRole", "ecr:GetDownloadUrlForLayer"}


def deploy_calls():
    text = (pathlib.Path(__file__).resolve().parents[2] / "deploy/policy.c").read_text()
    called = re.findall(r'\{"([a-z2-]+):(\w+)", \w+, [A-Z |]+\}', text)
    assert len(called) > 60
    return sorted({(s, o) for s, o in called if s in {**TARGETS, **FORMS} and f"{s}:{o}" not in NOT_CALLED and "Express" not in o})


@pytest.mark.parametrize("service, operation", deploy_calls())
def test_what_a_deploy_calls_is_there(shared_local, service, operation):
    what = (service, f"{TARGETS[service]}.{operation}", "{}") if service in TARGETS else (service, None, f"Action={operation}&Version={FORMS[service]}")
    status, text = send(shared_local, *with_host(shared_local, what))
    assert status in (200, 400, 404) and "the local target does not know" not in text, text


def test_there_are_no_load_balancers(shared_local):
    elb = shared_local.client("elbv2")
    assert elb.describe_load_balancers()["LoadBalancers"] == [] and elb.describe_target_groups()["TargetGroups"] == []
    refused("LoadBalancerNotFound", elb.describe_load_balancers, Names=["x"])
    refused("TargetGroupNotFound", elb.describe_target_groups, Names=["x"])
    refused("UnknownOperationException", shared_local.client("dynamodb").list_tables, match="no service that X-Amz-Target")


def test_many_at_once(shared_local):
    """Every one of concurrent changes is there in the end, and each was answered."""
    def one(n):
        iam = shared_local.client("iam")
        iam.create_role(RoleName=f"many-{n}", AssumeRolePolicyDocument=TRUST)
        for k in range(3):
            iam.put_role_policy(RoleName="many", PolicyName=f"p-{n}-{k}", PolicyDocument=POLICY)
        return iam.get_role(RoleName=f"many-{n}")["Role"]["RoleName"]

    shared_local.client("iam").create_role(RoleName="many", AssumeRolePolicyDocument=TRUST)
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert list(pool.map(one, range(12))) == [f"many-{n}" for n in range(12)]
    assert len(shared_local.client("iam").list_role_policies(RoleName="many")["PolicyNames"]) == 36


# ---- STS and IAM --------------------------------------------------------------------

def test_sts_roles(shared_local):
    iam, sts = shared_local.client("iam"), shared_local.client("sts")
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/local"
    arn = iam.create_role(RoleName="assumed", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    role_id = iam.get_role(RoleName="assumed")["Role"]["RoleId"]
    given = sts.assume_role(RoleArn=arn, RoleSessionName="me@example")
    keys = given["Credentials"]
    left = keys["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(minutes=59) < left <= datetime.timedelta(hours=1)
    who = shared_local.client("sts", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]).get_caller_identity()
    assert who["Arn"] == given["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/assumed/me@example"
    assert who["UserId"] == f"{role_id}:me@example"
    broken = shared_local.client("sts", keys["AccessKeyId"], keys["SecretAccessKey"], flip(keys["SessionToken"], 40) + keys["SessionToken"][41:])
    refused("InvalidClientTokenId", broken.get_caller_identity)
    refused("ValidationError", sts.assume_role, RoleArn=arn, RoleSessionName="me", DurationSeconds=99999)
    refused("ValidationError", sts.assume_role, RoleArn=arn, RoleSessionName="with space")
    refused("AccessDenied", sts.assume_role, RoleArn=arn + "x", RoleSessionName="me")
    refused("AccessDenied", sts.get_session_token)


def test_sts_web_identity(shared_local):
    iam, sts = shared_local.client("iam"), shared_local.client("sts", "none", "none")
    arn = iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    refused("AccessDenied", sts.assume_role_with_web_identity, RoleArn=arn, RoleSessionName="ci", WebIdentityToken="a.b.c")
    iam.update_assume_role_policy(RoleName="web", PolicyDocument=WEB_TRUST)
    keys = sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="ci", WebIdentityToken="a.b.c")["Credentials"]
    who = shared_local.client("sts", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]).get_caller_identity()
    assert who["Arn"].endswith("assumed-role/web/ci")


def test_iam_roles(shared_local):
    iam = shared_local.client("iam")
    made = iam.create_role(RoleName="app", Path="/team/", AssumeRolePolicyDocument=TRUST, Description="d <&>",
                           Tags=[{"Key": "a", "Value": "1"}])["Role"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/team/app" and made["RoleId"].startswith("AROA") and len(made["RoleId"]) == 21
    assert made["AssumeRolePolicyDocument"] == json.loads(TRUST) and made["Description"] == "d <&>"
    assert iam.get_role(RoleName="app")["Role"] == made
    refused("EntityAlreadyExists", iam.create_role, RoleName="app", AssumeRolePolicyDocument=TRUST, match="Role with name app already exists")
    gone = refused("NoSuchEntity", iam.get_role, RoleName="none", match="The role with name none cannot be found")
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 404
    for bad in ("{", "[]", "{}", '{"Statement":[]}', '{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole"}]}'):
        refused("MalformedPolicyDocument", iam.create_role, RoleName="bad", AssumeRolePolicyDocument=bad)
    refused("ValidationError", iam.create_role, RoleName="a b", AssumeRolePolicyDocument=TRUST)
    iam.tag_role(RoleName="app", Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    assert iam.list_role_tags(RoleName="app")["Tags"] == [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]
    iam.untag_role(RoleName="app", TagKeys=["a"])
    assert iam.list_role_tags(RoleName="app")["Tags"] == [{"Key": "b", "Value": ""}]
    assert [r["RoleName"] for r in iam.list_roles(PathPrefix="/team/")["Roles"]] == ["app"]
    names = {r["RoleName"] for page in iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 1}) for r in page["Roles"]}
    assert "app" in names and len(names) > 1
    refused("ValidationError", iam.list_roles, Marker="bm9uc2Vuc2U=")


def test_iam_policies(shared_local):
    iam = shared_local.client("iam")
    iam.create_role(RoleName="rights", AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName="rights", PolicyArn=EXECUTION)
    iam.attach_role_policy(RoleName="rights", PolicyArn=EXECUTION)
    attached = iam.list_attached_role_policies(RoleName="rights")
    assert attached["AttachedPolicies"] == [{"PolicyName": "AmazonECSTaskExecutionRolePolicy", "PolicyArn": EXECUTION}]
    assert attached["IsTruncated"] is False
    refused("NoSuchEntity", iam.attach_role_policy, RoleName="rights", PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/own")
    iam.put_role_policy(RoleName="rights", PolicyName="s3", PolicyDocument=POLICY)
    assert iam.get_role_policy(RoleName="rights", PolicyName="s3")["PolicyDocument"] == json.loads(POLICY)
    assert iam.list_role_policies(RoleName="rights")["PolicyNames"] == ["s3"]
    refused("MalformedPolicyDocument", iam.put_role_policy, RoleName="rights", PolicyName="x", PolicyDocument=TRUST)
    refused("LimitExceeded", iam.put_role_policy, RoleName="rights", PolicyName="x",
            PolicyDocument=POLICY.replace("b/*", "b" * 10241))
    refused("NoSuchEntity", iam.get_role_policy, RoleName="rights", PolicyName="x", match="role policy with name x")
    refused("DeleteConflict", iam.delete_role, RoleName="rights", match="detach all policies first")
    iam.detach_role_policy(RoleName="rights", PolicyArn=EXECUTION)
    refused("NoSuchEntity", iam.detach_role_policy, RoleName="rights", PolicyArn=EXECUTION)
    refused("DeleteConflict", iam.delete_role, RoleName="rights", match="delete policies first")
    iam.delete_role_policy(RoleName="rights", PolicyName="s3")
    iam.delete_role(RoleName="rights")
    refused("NoSuchEntity", iam.delete_role, RoleName="rights")


def test_iam_service_linked_roles(shared_local):
    iam = shared_local.client("iam")
    made = iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")["Role"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    refused("InvalidInput", iam.create_service_linked_role, AWSServiceName="ecs.amazonaws.com", match="has been taken in this account")


# ---- EC2 ------------------------------------------------------------------------------

def named(**filters):
    return [{"Name": name.replace("_", "-"), "Values": values if isinstance(values, list) else [values]} for name, values in filters.items()]


def test_ec2_network(shared_local):
    ec2 = shared_local.client("ec2")
    vpc = ec2.describe_vpcs(Filters=named(is_default="true"))["Vpcs"][0]
    assert vpc["CidrBlock"] == "172.31.0.0/16" and vpc["IsDefault"] is True
    assert ec2.describe_vpcs(Filters=named(is_default="false"))["Vpcs"] == []
    subnets = ec2.describe_subnets(Filters=named(vpc_id=vpc["VpcId"], default_for_az="true"))["Subnets"]
    assert {s["AvailabilityZone"] for s in subnets} == {"us-east-1a", "us-east-1b"}
    assert ec2.describe_subnets(SubnetIds=[subnets[1]["SubnetId"]])["Subnets"] == [subnets[1]]
    refused("InvalidSubnetID.NotFound", ec2.describe_subnets, SubnetIds=["subnet-1"], match="The subnet ID 'subnet-1' does not exist")
    refused("InvalidParameterValue", ec2.describe_subnets, Filters=named(colour="red"), match="The filter 'colour' is invalid")
    assert [s["AvailabilityZone"] for s in ec2.describe_subnets(Filters=named(availability_zone="*b"))["Subnets"]] == ["us-east-1b"]
    assert ec2.describe_subnets(Filters=named(availability_zone="[a-z]*"))["Subnets"] == []
    tables = ec2.describe_route_tables(Filters=[{"Name": "association.main", "Values": ["true"]}])["RouteTables"]
    gateway = next(r["GatewayId"] for r in tables[0]["Routes"] if r["DestinationCidrBlock"] == "0.0.0.0/0")
    attached = ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc["VpcId"]]}])["InternetGateways"]
    assert [g["InternetGatewayId"] for g in attached] == [gateway]
    assert [z["ZoneName"] for z in ec2.describe_availability_zones()["AvailabilityZones"]] == ["us-east-1a", "us-east-1b"]
    assert ec2.describe_vpc_endpoints(Filters=named(vpc_id=vpc["VpcId"]))["VpcEndpoints"] == []
    assert ec2.describe_nat_gateways()["NatGateways"] == [] and ec2.describe_instances()["Reservations"] == []
    refused("InvalidNetworkInterfaceID.NotFound", ec2.describe_network_interfaces, NetworkInterfaceIds=["eni-1"])
    refused("DefaultVpcAlreadyExists", ec2.create_default_vpc)


def test_ec2_groups(shared_local):
    ec2 = shared_local.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = ec2.create_security_group(GroupName="web", Description="d", VpcId=vpc, TagSpecifications=[
        {"ResourceType": "security-group", "Tags": [{"Key": "app", "Value": "x"}]}])
    group = made["GroupId"]
    assert made["Tags"] == [{"Key": "app", "Value": "x"}]
    refused("InvalidGroup.Duplicate", ec2.create_security_group, GroupName="web", Description="d", VpcId=vpc)
    refused("InvalidVpcID.NotFound", ec2.create_security_group, GroupName="other", Description="d", VpcId="vpc-1")
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "all"}],
            "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    rules = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])["SecurityGroupRules"]
    assert [(r["GroupId"], r["IsEgress"], r["FromPort"], r.get("CidrIpv4"), r.get("CidrIpv6")) for r in rules] == [
        (group, False, 80, "0.0.0.0/0", None), (group, False, 80, None, "::/0")]
    refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[rule],
            match='"peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW" already exists')
    shown = ec2.describe_security_groups(Filters=[*named(group_name="web", vpc_id=vpc), {"Name": "tag:app", "Values": ["x"]}])["SecurityGroups"]
    assert shown[0]["IpPermissions"] == [{**rule, "PrefixListIds": [], "UserIdGroupPairs": []}]
    assert shown[0]["IpPermissionsEgress"][0]["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}] and shown[0]["Description"] == "d"
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "UserIdGroupPairs": [{"GroupId": group}]}])
    listed = ec2.describe_security_group_rules(Filters=named(group_id=group))["SecurityGroupRules"]
    assert sorted((r["IsEgress"], r["IpProtocol"]) for r in listed) == [(False, "tcp"), (False, "tcp"), (True, "-1"), (True, "udp")]
    ec2.revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=[r["SecurityGroupRuleId"] for r in listed if r["IsEgress"]])
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"] == []
    answer = ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
    assert answer["Return"] is True and not answer.get("UnknownIpPermissions")
    assert ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])["UnknownIpPermissions"][0]["FromPort"] == 80
    ec2.create_tags(Resources=[group], Tags=[{"Key": "app", "Value": "y"}])
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["Tags"] == [{"Key": "app", "Value": "y"}]
    refused("InvalidID", ec2.create_tags, Resources=["vpc-1"], Tags=[{"Key": "a", "Value": "b"}])
    ec2.delete_security_group(GroupId=group)
    refused("InvalidGroup.NotFound", ec2.delete_security_group, GroupId=group, match=f"The security group '{group}' does not exist")
    default = ec2.describe_security_groups(Filters=named(group_name="default"))["SecurityGroups"][0]["GroupId"]
    refused("CannotDelete", ec2.delete_security_group, GroupId=default)


@pytest.mark.parametrize("change, code", [
    ({"IpProtocol": "tpc"}, "InvalidParameterValue"), ({"FromPort": 90}, "InvalidParameterValue"), ({"ToPort": 65536}, "InvalidParameterValue"),
    ({"IpRanges": [{"CidrIp": "10.0.0.0/33"}]}, "InvalidParameterValue"), ({"IpRanges": [{"CidrIp": "10.0.0/8"}]}, "InvalidParameterValue"),
    ({"IpRanges": []}, "MissingParameter"), ({"UserIdGroupPairs": [{"GroupId": "sg-none"}]}, "InvalidGroup.NotFound")])
def test_ec2_rules_that_are_none(shared_local, change, code):
    ec2 = shared_local.client("ec2")
    default = ec2.describe_security_groups(Filters=named(group_name="default"))["SecurityGroups"][0]
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}], **change}
    refused(code, ec2.authorize_security_group_ingress, GroupId=default["GroupId"], IpPermissions=[rule])
    assert ec2.describe_security_groups(GroupIds=[default["GroupId"]])["SecurityGroups"] == [default]


# ---- the aws command --------------------------------------------------------------------

@pytest.mark.slow  # most of its time is the aws command's own; botocore asks the sanitized binary the same
def test_the_aws_command(shared_local, tmp_path):
    (tmp_path / "trust.json").write_text(TRUST)
    assert aws(shared_local, "sts", "get-caller-identity")["Account"] == ACCOUNT
    assert aws(shared_local, "iam", "create-role", "--role-name", "cli", "--assume-role-policy-document", f"file://{tmp_path}/trust.json")["Role"]["RoleName"] == "cli"
    aws(shared_local, "iam", "attach-role-policy", "--role-name", "cli", "--policy-arn", EXECUTION)
    assert aws(shared_local, "iam", "list-attached-role-policies", "--role-name", "cli")["AttachedPolicies"][0]["PolicyArn"] == EXECUTION
    aws(shared_local, "iam", "wait", "role-exists", "--role-name", "cli")
    group = aws(shared_local, "ec2", "create-security-group", "--group-name", "cli", "--description", "d")["GroupId"]
    aws(shared_local, "ec2", "authorize-security-group-ingress", "--group-id", group, "--protocol", "tcp", "--port", "80", "--cidr", "0.0.0.0/0")
    seen = aws(shared_local, "ec2", "describe-security-groups", "--filters", "Name=group-name,Values=cli")["SecurityGroups"][0]
    assert [(p["FromPort"], p["IpRanges"]) for p in seen["IpPermissions"]] == [(80, [{"CidrIp": "0.0.0.0/0"}])]
    aws(shared_local, "ec2", "revoke-security-group-ingress", "--group-name", "cli", "--protocol", "tcp", "--port", "80", "--cidr", "0.0.0.0/0")
    aws(shared_local, "ec2", "delete-security-group", "--group-id", group)
    assert aws(shared_local, "ssm", "put-parameter", "--name", "/cli", "--value", "v", "--type", "SecureString")["Version"] == 1
    assert aws(shared_local, "ssm", "get-parameter", "--name", "/cli", "--with-decryption")["Parameter"]["Value"] == "v"
    aws(shared_local, "secretsmanager", "create-secret", "--name", "cli", "--secret-string", "v")
    assert aws(shared_local, "secretsmanager", "get-secret-value", "--secret-id", "cli")["SecretString"] == "v"

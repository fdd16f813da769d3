"""IAM: roles, their policies, service-linked roles; and whether a service may take a role on."""
import fnmatch
import json
import urllib.parse

from .errors import Error

EXECUTION_POLICY = "service-role/AmazonECSTaskExecutionRolePolicy"
MANAGED = {
    EXECUTION_POLICY: ["ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
                       "ecr:BatchGetImage", "logs:CreateLogStream", "logs:PutLogEvents"],
    "service-role/AmazonECSInfrastructureRoleforExpressGatewayServices": ["elasticloadbalancing:*"],
    "AmazonS3ReadOnlyAccess": ["s3:Get*", "s3:List*"],
}


class Iam:
    def __init__(self, cloud):
        self.cloud, self.roles, self.linked = cloud, {}, set()
        self.delay = 0  # seconds until a new role can be taken on

    def service_linked(self, service):
        self.linked.add(service)

    # ---- what the other services ask ---------------------------------------

    def find(self, arn):
        return next((r for r in self.roles.values() if r["Arn"] == arn), None)

    def assumable(self, arn, service="ecs-tasks.amazonaws.com"):
        """Whether the service may take the role on by now."""
        role = self.find(arn)
        if not role or (self.cloud.clock.now() - role["CreateDate"]).total_seconds() < self.delay:
            return False
        for s in json.loads(role["trust"])["Statement"]:
            services = s.get("Principal", {}).get("Service", [])
            account = s.get("Condition", {}).get("StringEquals", {}).get("aws:SourceAccount", self.cloud.account)
            if s["Effect"] == "Allow" and service in ([services] if isinstance(services, str) else services) \
                    and account == self.cloud.account:
                return True
        return False

    def allows(self, arn, action, resource="*"):
        """Whether a policy of the role allows the action on the resource."""
        role = self.find(arn)
        prefix = self.cloud.arn("iam", "policy/", region="", account="aws")
        for policy in role["attached"]:
            if any(fnmatch.fnmatchcase(action, a) for a in MANAGED.get(policy.removeprefix(prefix), [])):
                return True
        for text in role["inline"].values():
            statements = json.loads(text)["Statement"]
            for s in statements if isinstance(statements, list) else [statements]:
                actions, resources = ([v] if isinstance(v, str) else v for v in (s["Action"], s["Resource"]))
                if s["Effect"] == "Allow" and any(fnmatch.fnmatchcase(action, a) for a in actions) and \
                        any(fnmatch.fnmatchcase(resource, r) for r in resources):
                    return True
        return False

    def add_role(self, name, service="ecs-tasks.amazonaws.com", policies=(EXECUTION_POLICY,)):
        """A role that somebody made before."""
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": service},
                                                         "Action": "sts:AssumeRole"}]}
        self.create_role({"RoleName": name, "AssumeRolePolicyDocument": json.dumps(trust)})
        for policy in policies:
            self.roles[name]["attached"].append(self.cloud.arn("iam", "policy/" + policy, region="", account="aws"))
        return self.roles[name]["Arn"]

    # ---- operations ----------------------------------------------------------

    def _role(self, p):
        if p["RoleName"] not in self.roles:
            raise Error("NoSuchEntity", f"The role with name {p['RoleName']} cannot be found.", 404)
        return self.roles[p["RoleName"]]

    def _describe(self, role, tags=True):
        shown = {k: role[k] for k in ("Path", "RoleName", "RoleId", "Arn", "CreateDate")}
        shown["AssumeRolePolicyDocument"] = urllib.parse.quote(role["trust"])
        shown["MaxSessionDuration"] = 3600
        if tags and role["tags"]:
            shown["Tags"] = [{"Key": k, "Value": v} for k, v in role["tags"].items()]
        return shown

    def get_role(self, p):
        return {"Role": self._describe(self._role(p))}

    def create_role(self, p):
        name = p["RoleName"]
        if name in self.roles:
            raise Error("EntityAlreadyExists", f"Role with name {name} already exists.", 409)
        try:
            json.loads(p["AssumeRolePolicyDocument"])["Statement"][0]["Principal"]
        except (ValueError, KeyError, IndexError):
            raise Error("MalformedPolicyDocument", "This policy contains invalid Json") from None
        path = p.get("Path", "/")
        self.roles[name] = {
            "Path": path, "RoleName": name, "RoleId": f"AROA{len(self.roles):016X}", "CreateDate": self.cloud.clock.now(),
            "Arn": self.cloud.arn("iam", f"role{path}{name}", region=""), "trust": p["AssumeRolePolicyDocument"],
            "tags": {t["Key"]: t["Value"] for t in p.get("Tags", [])}, "attached": [], "inline": {}}
        return {"Role": self._describe(self.roles[name])}

    def delete_role(self, p):
        role = self._role(p)
        if role["attached"] or role["inline"]:
            raise Error("DeleteConflict", "Cannot delete entity, must detach all policies first.", 409)
        del self.roles[p["RoleName"]]

    def list_roles(self, p):
        return {"Roles": [self._describe(r, False) for r in self.roles.values() if r["Path"].startswith(p.get("PathPrefix", "/"))],
                "IsTruncated": False}

    def tag_role(self, p):
        self._role(p)["tags"].update({t["Key"]: t["Value"] for t in p["Tags"]})

    def list_role_tags(self, p):
        return {"Tags": [{"Key": k, "Value": v} for k, v in self._role(p)["tags"].items()], "IsTruncated": False}

    def attach_role_policy(self, p):
        role, arn = self._role(p), p["PolicyArn"]
        prefix = self.cloud.arn("iam", "policy/", region="", account="aws")
        own = self.cloud.arn("iam", "policy/", region="")
        if not arn.startswith(own) and arn.removeprefix(prefix) not in MANAGED:
            raise Error("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)
        if arn not in role["attached"]:
            role["attached"].append(arn)

    def detach_role_policy(self, p):
        role = self._role(p)
        if p["PolicyArn"] not in role["attached"]:
            raise Error("NoSuchEntity", f"Policy {p['PolicyArn']} was not found.", 404)
        role["attached"].remove(p["PolicyArn"])

    def list_attached_role_policies(self, p):
        return {"AttachedPolicies": [{"PolicyName": a.rpartition("/")[2], "PolicyArn": a} for a in self._role(p)["attached"]],
                "IsTruncated": False}

    def put_role_policy(self, p):
        try:
            statements = json.loads(p["PolicyDocument"])["Statement"]
            assert statements
        except (ValueError, KeyError, AssertionError):
            raise Error("MalformedPolicyDocument", "Syntax errors in policy.") from None
        self._role(p)["inline"][p["PolicyName"]] = p["PolicyDocument"]

    def _inline(self, p):
        role = self._role(p)
        if p["PolicyName"] not in role["inline"]:
            raise Error("NoSuchEntity", f"The role policy with name {p['PolicyName']} cannot be found.", 404)
        return role

    def get_role_policy(self, p):
        return {"RoleName": p["RoleName"], "PolicyName": p["PolicyName"],
                "PolicyDocument": urllib.parse.quote(self._inline(p)["inline"][p["PolicyName"]])}

    def delete_role_policy(self, p):
        del self._inline(p)["inline"][p["PolicyName"]]

    def list_role_policies(self, p):
        return {"PolicyNames": list(self._role(p)["inline"]), "IsTruncated": False}

    def list_instance_profiles_for_role(self, p):
        self._role(p)
        return {"InstanceProfiles": [], "IsTruncated": False}

    def create_service_linked_role(self, p):
        service = p["AWSServiceName"]
        if service in self.linked:
            raise Error("InvalidInput", "Service role name AWSServiceRoleForECS has been taken in this account, please try a "
                        "different suffix.")
        self.linked.add(service)
        name = "AWSServiceRoleForECS"
        return {"Role": {"Path": f"/aws-service-role/{service}/", "RoleName": name, "RoleId": "AROAEXAMPLELINKED00",
                         "Arn": self.cloud.arn("iam", f"role/aws-service-role/{service}/{name}", region=""),
                         "CreateDate": self.cloud.clock.now()}}

    def simulate_principal_policy(self, p):
        if not self.find(p["PolicySourceArn"]):
            raise Error("NoSuchEntity", f"Invalid Entity Arn: {p['PolicySourceArn']}", 404)
        return {"EvaluationResults": [
            {"EvalActionName": action, "EvalResourceName": "*",
             "EvalDecision": "allowed" if self.allows(p["PolicySourceArn"], action) else "implicitDeny"}
            for action in p["ActionNames"]], "IsTruncated": False}

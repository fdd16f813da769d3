"""Application Auto Scaling: targets and policies of ECS services."""
from .errors import Error


class Autoscaling:
    def __init__(self, cloud):
        self.cloud, self.targets, self.policies, self.tags = cloud, {}, {}, {}

    def _arn(self, resource):
        return self.cloud.arn("application-autoscaling", f"scalable-target/{abs(hash(resource)):x}")

    def register_scalable_target(self, p):
        if p["ResourceId"] in self.targets:
            self.targets[p["ResourceId"]].update({k: v for k, v in p.items() if k != "Tags"})
        else:
            if self.cloud.ecs.find_service_by_resource(p["ResourceId"]) is None:
                raise Error("ValidationException", f"ECS service doesn't exist: {p['ResourceId']}")
            self.targets[p["ResourceId"]] = {k: v for k, v in p.items() if k != "Tags"}
            self.tags[self._arn(p["ResourceId"])] = dict(p.get("Tags", {}))
        self.cloud.iam.service_linked("ecs.application-autoscaling.amazonaws.com")
        return {"ScalableTargetARN": self._arn(p["ResourceId"])}

    def describe_scalable_targets(self, p):
        found = []
        for resource, target in self.targets.items():
            if resource in p.get("ResourceIds", [resource]):
                found.append({**{k: target[k] for k in ("ServiceNamespace", "ResourceId", "ScalableDimension", "MinCapacity",
                                                         "MaxCapacity")},
                              "RoleARN": self.cloud.arn("iam", "role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
                                                        "AWSServiceRoleForApplicationAutoScaling_ECSService", region=""),
                              "CreationTime": self.cloud.clock.now(), "ScalableTargetARN": self._arn(resource)})
        return {"ScalableTargets": found}

    def deregister_scalable_target(self, p):
        if p["ResourceId"] not in self.targets:
            raise Error("ObjectNotFoundException", f"No scalable target found for service namespace: ecs, resource ID: "
                        f"{p['ResourceId']}, scalable dimension: ecs:service:DesiredCount")
        del self.targets[p["ResourceId"]]
        self.tags.pop(self._arn(p["ResourceId"]))
        self.policies = {k: v for k, v in self.policies.items() if k[0] != p["ResourceId"]}

    def put_scaling_policy(self, p):
        if p["ResourceId"] not in self.targets:
            raise Error("ObjectNotFoundException", f"No scalable target registered for service namespace: ecs, resource ID: "
                        f"{p['ResourceId']}, scalable dimension: ecs:service:DesiredCount")
        self.policies[p["ResourceId"], p["PolicyName"]] = p
        return {"PolicyARN": self.cloud.arn("autoscaling", f"scalingPolicy:1:resource/ecs/{p['ResourceId']}:policyName/{p['PolicyName']}"),
                "Alarms": []}

    def describe_scaling_policies(self, p):
        return {"ScalingPolicies": [
            {**policy, "PolicyARN": f"arn:{name}", "CreationTime": self.cloud.clock.now()}
            for (resource, name), policy in self.policies.items() if p.get("ResourceId", resource) == resource]}

    def delete_scaling_policy(self, p):
        if not self.policies.pop((p["ResourceId"], p["PolicyName"]), None):
            raise Error("ObjectNotFoundException", "No scaling policy found")

    def list_tags_for_resource(self, p):
        return {"Tags": self.tags.get(p["ResourceARN"], {})}

    def tag_resource(self, p):
        self.tags.setdefault(p["ResourceARN"], {}).update(p["Tags"])
